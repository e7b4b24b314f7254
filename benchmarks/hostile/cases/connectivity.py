"""STUN, ICE, candidates and mDNS: input of any host that can reach a port, and of an authenticated peer."""

import random
import struct
from collections.abc import Callable

from benchmarks.hostile.measure import Case, Source
from tests.strategies.ice_peer import ScriptedPeer
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, Candidate, IceOptions, IceRole
from trio_rtc.protocols.ice.candidate import MAX_CANDIDATE_LENGTH
from trio_rtc.protocols.mdns import Resolver, ResolverOptions, Responder, ResponderOptions
from trio_rtc.protocols.stun import (
    Client,
    Message,
    MessageClass,
    StunAttribute,
    TransactionOptions,
    binding_request,
)
from trio_rtc.protocols.stun.message import MAX_ATTRIBUTES, MAX_MESSAGE_SIZE
from trio_rtc.protocols.turn import Allocation, TurnAttribute, TurnMethod, TurnOptions
from trio_rtc.protocols.turn.attributes import peer_address_attribute

from .sizes import doubling

_LOCAL, _PEER = Address("10.0.0.1", 1000), Address("10.0.0.2", 2000)
_MAX_PAIRS = IceOptions().max_pairs
_UDP_MAX = 65_507
_DNS_MAX = 9000
_UUID = "1f4712db-ea17-4bcf-a596-1051{:08x}.local"


def _make_agent(role: IceRole = IceRole.CONTROLLED, pairs: int = _MAX_PAIRS) -> tuple[Agent, ScriptedPeer]:
    """Return an agent that checks pairs, as many as it can have by default, and its peer."""
    agent = Agent(IceOptions(), rng=random.Random(1), role=role)
    agent.add_socket(_LOCAL, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, _LOCAL, _PEER)
    agent.set_remote_parameters(peer.parameters, 0.0)
    for index in range(pairs):
        host = f"10.{1 + index // 8}.0.{1 + index}"
        line = f"candidate:{index} 1 udp {2_000_000_000 + index} {host} 2000 typ host"
        agent.add_remote_candidate(Candidate.parse(line), 0.0)
    agent.datagrams_to_send(0.0)
    return agent, peer


def _take(agent: Agent, data: bytes, remote: Address = _PEER) -> Callable[[], object]:
    """Return the call that does what the transport does with a datagram."""

    def take() -> None:
        agent.receive([Datagram(data, _LOCAL, remote)], 0.0)
        agent.datagrams_to_send(0.0)
        agent.events()
        agent.next_timer()

    return take


def _attributes(count: int) -> tuple[StunAttribute, ...]:
    return tuple(StunAttribute(0x7000 + index % 256, b"") for index in range(count))


def _datagram_of_attributes(size: int) -> Callable[[], object]:
    """As many attributes as a datagram has room for, with a USERNAME behind them."""
    agent, _ = _make_agent()
    body = b"\x70\x00\x00\x00" * ((size - 20) // 4)
    return _take(agent, struct.pack("!HHI12s", 1, len(body), 0x2112A442, bytes(12)) + body)


def _unauthenticated(count: int) -> Callable[[], object]:
    agent, peer = _make_agent()
    request = peer.request(password="guessguessguessguessguess", extra=_attributes(count - 4))
    return _take(agent, request.encode(key=b"guess"))


def _long_unauthenticated(size: int) -> Callable[[], object]:
    agent, peer = _make_agent()
    request = peer.request(extra=(StunAttribute(0x8022, bytes(size - 120)),))
    return _take(agent, request.encode(key=b"guess"))


def _unexpected_response(size: int) -> Callable[[], object]:
    agent, _ = _make_agent()
    message = binding_request(bytes(12), [StunAttribute(0x8022, bytes(size - 40))]).encode()
    return _take(agent, b"\x01\x01" + message[2:])


def _authentic(count: int, remote: Address = _PEER) -> Callable[[], object]:
    agent, peer = _make_agent()
    request = peer.request(extra=_attributes(count - 4))
    return _take(agent, request.encode(key=peer.key), remote)


def _role_conflict(pairs: int) -> Callable[[], object]:
    """The peer controls, too, and wins: the priorities of all pairs change (RFC 8445 section 7.3.1.1)."""
    agent, peer = _make_agent(IceRole.CONTROLLING, pairs)
    request = peer.request(controlling=True, tie_breaker=(1 << 64) - 1)
    receive = _take(agent, request.encode(key=peer.key))

    def switch() -> None:
        receive()
        assert agent.role is IceRole.CONTROLLED

    return switch


def _replayed(addresses: int) -> Callable[[], object]:
    """An authentic check, sent again from one more address."""
    agent, peer = _make_agent()
    request = peer.request().encode(key=peer.key)
    for port in range(addresses):
        agent.receive([Datagram(request, _LOCAL, Address("10.66.0.1", 1 + port))], 0.0)
    return _take(agent, request, Address("10.66.0.2", 1))


def _query_response(attributes: int) -> Callable[[], object]:
    """A response of a STUN server, from which it needs no key, while as many queries as possible are open."""
    client = Client(TransactionOptions())
    for number in range(TransactionOptions().max_transactions):
        client.start(binding_request(number.to_bytes(12, "big"), []), _LOCAL, _PEER, now=0.0)
    client.datagrams_to_send(0.0)
    # To another address than the one that the query was sent to, so that the query stays open.
    data = b"\x01\x01" + binding_request(bytes(12), _attributes(attributes)).encode()[2:]

    def receive() -> None:
        client.receive([Datagram(data, _LOCAL, Address("10.0.0.3", 3478))], 0.0)
        client.datagrams_to_send(0.0)
        client.events()
        client.next_timer()

    return receive


def _dns(records: int, name: bytes, record: bytes, flags: int) -> bytes:
    """Return a message whose first question has a name that all records point to."""
    questions = name + struct.pack("!HH", 1, 1)
    return struct.pack("!6H", 0, flags, 1, records, 0, 0) + questions + record * records


def _long_name() -> bytes:
    return b"\x01a" * 120 + b"\x05local\x00"


def _resolve(data: bytes) -> Callable[[], object]:
    resolver = Resolver(ResolverOptions(), rng=random.Random(1))
    for index in range(64):
        resolver.resolve(_UUID.format(index), 0.0)
    resolver.datagrams_to_send(0.0)

    def take() -> None:
        resolver.receive([data], 0.0)
        resolver.events()
        resolver.next_timer()

    return take


def _dns_answers(size: int) -> Callable[[], object]:
    name = _long_name()
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 120, 4) + bytes([10, 0, 0, 1])
    return _resolve(_dns((size - 12 - len(name) - 4) // len(record), name, record, 0x8400))


def _dns_names(size: int) -> Callable[[], object]:
    """Records with names of their own, of as many labels as possible."""
    name = _long_name()
    record = name + struct.pack("!HHIH", 16, 1, 120, 0)
    return _resolve(_dns((size - 12 - len(name) - 4) // len(record), name, record, 0x8400))


def _dns_questions(size: int) -> Callable[[], object]:
    responder = Responder(ResponderOptions())
    for index in range(64):
        responder.publish(_UUID.format(index), ["10.0.0.1"], 0.0)
    name = (
        b"".join(len(label).to_bytes(1, "big") + label for label in _UUID.format(0).encode().split(b"."))
        + b"\0"
    )
    count = 1 + (size - 12 - len(name) - 4) // 6
    questions = name + b"\x00\xff\x00\x01" + b"\xc0\x0c\x00\xff\x00\x01" * (count - 1)
    data = struct.pack("!6H", 0, 0, count, 0, 0, 0) + questions

    def take() -> None:
        responder.receive([data], 10.0)
        responder.datagrams_to_send(10.0)
        responder.next_timer()

    return take


def _candidate_of_extensions(size: int) -> Callable[[], object]:
    line = "candidate:1 1 udp 1 10.0.0.1 9 typ host" + " a b" * ((size - 40) // 4)
    return lambda: Candidate.parse(line)


def _forged_indication(size: int) -> Callable[[], object]:
    """A Data indication with the address of the server as its source, for an allocation that waits for it."""
    allocation = Allocation(TurnOptions(), rng=random.Random(1))
    allocation.allocate(0.0)
    attributes = (
        peer_address_attribute(_PEER, bytes(12)),
        StunAttribute(TurnAttribute.DATA, bytes(size - 36)),
    )
    indication = Message(TurnMethod.DATA, MessageClass.INDICATION, bytes(12), attributes)
    packet = indication.encode(fingerprint=False)

    def receive() -> None:
        allocation.receive([packet], 0.0)
        allocation.received_data()
        allocation.datagrams_to_send(0.0)
        allocation.events()
        allocation.next_timer()

    return receive


def _stranger(
    name: str, sizes: tuple[int, ...], prepare: Callable[[int], Callable[[], object]], unit: str
) -> Case:
    return Case(name, Source.STRANGER, sizes, prepare, unit)


CASES = (
    _stranger("STUN of a whole datagram", doubling(_UDP_MAX), _datagram_of_attributes, "bytes"),
    _stranger("STUN of an Ethernet frame", doubling(1472), _datagram_of_attributes, "bytes"),
    _stranger("STUN check, wrong password", doubling(MAX_ATTRIBUTES - 2), _unauthenticated, "attributes"),
    _stranger("STUN check, wrong password, long", doubling(MAX_MESSAGE_SIZE), _long_unauthenticated, "bytes"),
    _stranger("STUN response to nothing", doubling(MAX_MESSAGE_SIZE), _unexpected_response, "bytes"),
    _stranger("TURN Data indication, forged", doubling(MAX_MESSAGE_SIZE), _forged_indication, "bytes"),
    _stranger("ICE check that is replayed", doubling(256), _replayed, "addresses"),
    Case(
        "ICE check with unknown attributes",
        Source.PEER,
        doubling(MAX_ATTRIBUTES - 2),
        _authentic,
        "attributes",
    ),
    Case("ICE, controlling: role conflict", Source.PEER, doubling(_MAX_PAIRS), _role_conflict, "pairs"),
    _stranger("STUN response to a query", doubling(MAX_ATTRIBUTES), _query_response, "attributes"),
    _stranger("mDNS answers to nothing", doubling(_DNS_MAX), _dns_answers, "bytes"),
    _stranger("mDNS names of many labels", doubling(_DNS_MAX), _dns_names, "bytes"),
    _stranger("mDNS questions", doubling(_DNS_MAX), _dns_questions, "bytes"),
    Case(
        "candidate of many extensions",
        Source.PEER,
        doubling(MAX_CANDIDATE_LENGTH),
        _candidate_of_extensions,
        "bytes",
    ),
)
