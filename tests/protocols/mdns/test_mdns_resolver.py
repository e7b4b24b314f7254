"""Resolution of names: queries, intervals and accepted responses."""

import math
import random

import pytest

from trio_rtc.protocols.mdns import (
    AddressRecord,
    DnsMessage,
    MdnsClosed,
    NameResolved,
    RecordType,
    ResolutionFailed,
    Resolver,
    ResolverOptions,
    name_from_text,
)

NAME = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
OTHER = "00000000-0000-4000-8000-000000000000.local"


def make_resolver(options: ResolverOptions | None = None) -> Resolver:
    return Resolver(options or ResolverOptions(), rng=random.Random(1))


def answer(*records: tuple[str, str], ttl: int = 120) -> bytes:
    addresses = tuple(AddressRecord(name_from_text(name), host, ttl) for name, host in records)
    return DnsMessage(is_response=True, addresses=addresses).encode()


def test_a_name_is_queried_immediately_with_one_question_per_packet() -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 10.0)
    questions = [DnsMessage.parse(data).questions for data in resolver.datagrams_to_send(10.0)]
    assert [[question.type for question in packet] for packet in questions] == [
        [RecordType.A],
        [RecordType.AAAA],
    ]
    assert not any(question.unicast_response for packet in questions for question in packet)


def test_a_response_resolves_the_name_and_ends_the_queries() -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 0.0)
    resolver.datagrams_to_send(0.0)
    resolver.receive([answer((NAME.upper(), "192.0.2.1"), (NAME, "2001:db8::1"), (NAME, "192.0.2.1"))], 0.1)
    assert resolver.events() == [NameResolved(NAME, ("192.0.2.1", "2001:db8::1"))]
    assert resolver.next_timer() == math.inf
    resolver.receive([answer((NAME, "192.0.2.9"))], 0.2)
    assert resolver.events() == []


def test_a_name_without_a_response_is_queried_again_and_fails() -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 0.0)
    asked = []
    now = 0.0
    while resolver.next_timer() != math.inf:
        if resolver.datagrams_to_send(now):
            asked.append(now)
        now = resolver.next_timer()
        resolver.handle_timer(now)
    assert len(asked) == 3
    assert 1.0 <= asked[1] - asked[0] <= 1.1
    assert 2.0 <= asked[2] - asked[1] <= 2.2
    assert 7.0 <= now <= 7.7
    assert resolver.events() == [ResolutionFailed(NAME)]


def test_a_unicast_response_is_requested_by_option_and_only_once() -> None:
    resolver = make_resolver(ResolverOptions(unicast_response=True))
    resolver.resolve(NAME, 0.0)
    first = resolver.datagrams_to_send(0.0)
    resolver.handle_timer(resolver.next_timer())
    second = resolver.datagrams_to_send(1.1)
    wishes = [DnsMessage.parse(data).questions[0].unicast_response for data in first + second]
    assert wishes == [True, True, False, False]


@pytest.mark.parametrize(
    "name",
    [
        "printer.local",
        "example.com",
        "1f4712db-ea17-4bcf-a596-105139dfd8bf.example",
        "",
        "x" * 300,
        "ä.local",
    ],
)
def test_only_uuid_names_are_queried(name: str) -> None:
    resolver = make_resolver()
    resolver.resolve(name, 0.0)
    assert resolver.events() == [ResolutionFailed(name)]
    assert resolver.datagrams_to_send(0.0) == []


def test_long_names_of_safari_are_queried() -> None:
    resolver = make_resolver()
    resolver.resolve("1f4712db-ea17-4bcf-a596-105139dfd8bf0123.local", 0.0)
    assert len(resolver.datagrams_to_send(0.0)) == 2


@pytest.mark.parametrize(
    ("name", "asked"), [("printer.local", True), ("example.com", False), ("local", False)]
)
def test_any_local_name_by_option(name: str, asked: bool) -> None:
    resolver = make_resolver(ResolverOptions(any_local_name=True))
    resolver.resolve(name, 0.0)
    assert bool(resolver.datagrams_to_send(0.0)) is asked
    assert bool(resolver.events()) is not asked


def test_names_are_case_insensitive() -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 0.0)
    resolver.resolve(NAME.upper() + ".", 0.0)
    assert len(resolver.datagrams_to_send(0.0)) == 2


def test_the_table_is_bounded() -> None:
    resolver = make_resolver(ResolverOptions(max_names=1))
    resolver.resolve(NAME, 0.0)
    resolver.resolve(OTHER, 0.0)
    assert resolver.events() == [ResolutionFailed(OTHER)]


def test_addresses_of_a_name_are_bounded() -> None:
    resolver = make_resolver(ResolverOptions(max_hosts=2))
    resolver.resolve(NAME, 0.0)
    resolver.receive([answer(*((NAME, f"192.0.2.{index}") for index in range(5)))], 0.0)
    assert resolver.events() == [NameResolved(NAME, ("192.0.2.0", "192.0.2.1"))]


@pytest.mark.parametrize(
    "data",
    [
        answer((OTHER, "192.0.2.1")),
        answer((NAME, "192.0.2.1"), ttl=0),
        answer((NAME, "224.0.0.1")),
        answer((NAME, "0.0.0.0")),
        answer((NAME, "ff02::1"), (NAME, "::")),
        b"garbage",
        DnsMessage(
            is_response=False, addresses=(AddressRecord(name_from_text(NAME), "192.0.2.1", 120),)
        ).encode(),
    ],
)
def test_other_packets_are_ignored(data: bytes) -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 0.0)
    resolver.receive([data], 0.0)
    assert resolver.events() == []
    resolver.receive([answer((NAME, "192.0.2.1"))], 0.0)
    assert resolver.events() == [NameResolved(NAME, ("192.0.2.1",))]


def test_names_in_one_response_are_distinguished() -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 0.0)
    resolver.resolve(OTHER, 0.0)
    resolver.receive([answer((OTHER, "192.0.2.2"), (NAME, "192.0.2.1"))], 0.0)
    assert set(resolver.events()) == {
        NameResolved(NAME, ("192.0.2.1",)),
        NameResolved(OTHER, ("192.0.2.2",)),
    }


def test_closing_ends_the_resolver() -> None:
    resolver = make_resolver()
    resolver.resolve(NAME, 0.0)
    resolver.close(0.0)
    resolver.close(0.0)
    resolver.resolve(OTHER, 0.0)
    assert resolver.closed
    assert resolver.events() == [MdnsClosed()]
    assert resolver.datagrams_to_send(0.0) == []
    assert resolver.next_timer() == math.inf
