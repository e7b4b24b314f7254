"""Remote candidates of a generation: limits and name resolution."""

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import Candidate
from trio_rtc.protocols.ice.remote_candidates import RemoteCandidates
from trio_rtc.protocols.ice.state import RemoteCandidate

LINE = "candidate:1 {component} udp {priority} {address} {port} typ host"
FIELDS = {"component": "1", "priority": "5", "address": "10.0.0.1", "port": "7"}


def remote(text: str) -> RemoteCandidate:
    candidate = Candidate.parse(text)
    return RemoteCandidate(candidate, candidate.transport_address)


def test_maximum_number_of_remote_candidates() -> None:
    table = RemoteCandidates(3, 1)
    first, second, third = (remote(LINE.format(**{**FIELDS, "port": str(port)})) for port in (1, 2, 3))
    for number, each in enumerate((first, second)):
        assert table._signaled_count == number
        assert table.has_room()
        assert not table.add(each)
    assert not table.add(first), "it is there already"
    assert table._signaled_count == 2
    table.remove(first)
    assert table._signaled_count == 1
    table.add(first)
    table.add(third)
    assert not table.has_room()
    reflexive = table.add_peer_reflexive(Address("10.0.0.9", 9), 7)
    assert reflexive is not None
    assert reflexive.candidate.priority == 7
    assert table.add_peer_reflexive(Address("10.0.0.9", 10), 7) is None
    assert table._signaled_count == 3
    table.remove(reflexive)
    assert table._signaled_count == 3


@pytest.mark.parametrize("kept", ["tcp", "name"])
def test_unpaired_candidates_are_counted_once(kept: str) -> None:
    table = RemoteCandidates(2, 1)
    lines = {
        "tcp": "candidate:1 1 tcp 1 10.0.0.1 {} typ host tcptype active",
        "name": "candidate:1 1 udp 1 x.local {} typ host",
    }
    for port in (1, 1, 2):
        assert table.has_room()
        candidate = Candidate.parse(lines[kept].format(port))
        if kept == "tcp":
            table.add_unpaired(candidate)
        else:
            is_new = table.names == ()
            assert table.add_unresolved(candidate) is is_new
    assert not table.has_room()
    assert len(table.signaled) == 2


def test_removing_a_resolved_candidate_does_not_decrease_the_count() -> None:
    """It was counted when it was signaled, not once per address."""
    table = RemoteCandidates(2, 1)
    table.add_unresolved(Candidate.parse("candidate:1 1 udp 1 x.local 9 typ host"))
    first, second = table.resolve_name("x.local", ["10.0.0.1", "no address", "10.0.0.2"])
    for each in (first, second):
        table.add(each)
        assert table.has_room()
        table.remove(each)
    table.add(remote(LINE.format(**FIELDS)))
    assert not table.has_room()


def test_at_most_4_addresses_of_a_name_are_used() -> None:
    table = RemoteCandidates(9, 1)
    for port in (8, 9):
        table.add_unresolved(Candidate.parse(f"candidate:1 1 udp 1 x.local {port} typ host"))
    hosts = [f"10.0.0.{number}" for number in range(1, 7)]
    resolved = table.resolve_name("x.local", hosts)
    assert [each.address for each in resolved] == [
        Address(host, port) for port in (8, 9) for host in hosts[:4]
    ]
    assert table.resolve_name("x.local", hosts) == []
    assert table.names == ()


def test_a_candidate_replaces_a_peer_reflexive_one_at_its_address() -> None:
    table = RemoteCandidates(3, 1)
    signaled = remote(LINE.format(**FIELDS))
    assert table.add_peer_reflexive(signaled.address, 7) is not None
    assert table.add(signaled)
    assert not table.add(signaled)
