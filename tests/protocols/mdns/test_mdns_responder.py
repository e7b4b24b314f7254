"""The multicast DNS responder."""

import math
import random

import pytest

from trio_rtc.protocols.mdns import (
    AddressRecord,
    DnsMessage,
    MdnsClosed,
    NameResolved,
    Question,
    RecordType,
    Resolver,
    ResolverOptions,
    Responder,
    ResponderOptions,
    name_from_text,
)

NAME = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
KEY = name_from_text(NAME)


def query(record_type: int = RecordType.A, name: str = NAME) -> bytes:
    return DnsMessage(is_response=False, questions=(Question(name_from_text(name), record_type),)).encode()


def make_responder(options: ResponderOptions | None = None) -> Responder:
    responder = Responder(options or ResponderOptions())
    responder.publish(NAME, ["192.0.2.1", "192.0.2.1"], 0.0)
    return responder


def test_a_query_is_answered_immediately() -> None:
    responder = make_responder()
    assert responder.datagrams_to_send(0.0) == []
    responder.receive([query()], 1.0)
    (data,) = responder.datagrams_to_send(1.0)
    assert DnsMessage.parse(data) == DnsMessage(
        is_response=True, addresses=(AddressRecord(KEY, "192.0.2.1", 120),)
    )


@pytest.mark.parametrize(
    "data",
    [
        query(RecordType.AAAA),
        query(name="other.local"),
        query(12),
        b"garbage",
        DnsMessage(is_response=True).encode(),
    ],
)
def test_queries_for_other_names_are_ignored(data: bytes) -> None:
    responder = make_responder()
    responder.receive([data], 0.0)
    assert responder.datagrams_to_send(0.0) == []
    assert responder.next_timer() == math.inf


def test_a_second_query_within_a_second_waits() -> None:
    responder = make_responder()
    responder.receive([query(), query(RecordType.ANY)], 1.0)
    assert len(responder.datagrams_to_send(1.0)) == 1
    for now in (1.2, 1.4):
        responder.receive([query()], now)
        assert responder.datagrams_to_send(now) == []
    assert responder.next_timer() == 2.0
    responder.handle_timer(1.9)
    assert responder.datagrams_to_send(1.9) == []
    responder.handle_timer(2.0)
    assert len(responder.datagrams_to_send(2.0)) == 1
    assert responder.next_timer() == math.inf


def test_withdrawing_sends_a_ttl_of_0() -> None:
    responder = make_responder()
    responder.withdraw(NAME, 0.0)
    responder.withdraw(NAME, 0.0)
    responder.withdraw("", 0.0)
    (data,) = responder.datagrams_to_send(0.0)
    assert DnsMessage.parse(data).addresses == (AddressRecord(KEY, "192.0.2.1", 0),)
    responder.receive([query()], 0.0)
    assert responder.datagrams_to_send(0.0) == []


def test_closing_withdraws_everything_once() -> None:
    responder = make_responder()
    responder.close(0.0)
    responder.close(0.0)
    responder.publish("late.local", ["192.0.2.2"], 0.0)
    assert responder.closed
    assert responder.events() == [MdnsClosed()]
    (data,) = responder.datagrams_to_send(0.0)
    assert DnsMessage.parse(data).addresses == (AddressRecord(KEY, "192.0.2.1", 0),)
    responder.receive([query()], 0.0)
    assert responder.datagrams_to_send(0.0) == []


@pytest.mark.parametrize(
    ("name", "hosts", "what"),
    [
        ("example.com", ["192.0.2.1"], "under .local"),
        ("a..local", ["192.0.2.1"], "host name"),
        ("a.local", ["localhost"], "localhost"),
        ("a.local", ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "at most 2 addresses"),
        ("b.local", ["192.0.2.1"], "more than"),
    ],
)
def test_misuse_raises(name: str, hosts: list[str], what: str) -> None:
    options = ResponderOptions(max_names=2 if name == "a.local" else 1, max_hosts=2)
    responder = make_responder(options)
    with pytest.raises(ValueError, match=what):
        responder.publish(name, hosts, 0.0)


@pytest.mark.parametrize("unicast_response", [False, True])
def test_resolver_and_responder_interoperate(unicast_response: bool) -> None:
    responder = make_responder()
    responder.publish(NAME, ["192.0.2.1", "2001:db8::1"], 0.0)
    resolver = Resolver(ResolverOptions(unicast_response=unicast_response), rng=random.Random(1))
    resolver.resolve(NAME, 0.0)
    responder.receive(resolver.datagrams_to_send(0.0), 0.0)
    resolver.receive(responder.datagrams_to_send(0.0), 0.0)
    assert resolver.events() == [NameResolved(NAME, ("192.0.2.1", "2001:db8::1"))]
