"""Authenticated packets with arbitrary content, as a malicious peer can send them.

Each function makes a packet for the core of an make_fixture. Before there are keys, the bytes are returned unchanged.
are.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.strategies.dtls_pair import seal_record
from trio_rtc.protocols import dtls, ice, rtp
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, ZERO_CHECKSUM, add_checksum
from trio_rtc.protocols.stun import AttributeType, Message, MessageClass, StunAttribute

if TYPE_CHECKING:
    from tests.protocols.contract import CoreFixture

_STUN_HEAD = 3
_MAX_ATTRIBUTES = 20
_RTCP_TYPES = range(192, 224)


def _attributes(data: bytes) -> Iterator[StunAttribute]:
    """Parse attributes from triples of type (16 bits), length (8 bits) and value; the last may be truncated."""
    for _ in range(_MAX_ATTRIBUTES):
        if len(data) < 3:
            return
        end = 3 + data[2]
        yield StunAttribute(int.from_bytes(data[:2], "big"), data[3:end])
        data = data[end:]


def _stun_message(fixture: "CoreFixture", data: bytes, name: bytes | None) -> Message:
    """Return a message with class, method and transaction from the first three bytes, then attributes."""
    kind, method, transaction = data[:_STUN_HEAD]
    message_class = MessageClass(kind & 3)
    identifier = bytes([transaction]) * 12
    attributes = list(_attributes(data[_STUN_HEAD:]))
    if message_class in (MessageClass.SUCCESS_RESPONSE, MessageClass.ERROR_RESPONSE):
        if fixture.sent:
            identifier = fixture.sent[-1 - transaction % len(fixture.sent)].data[8:20]
    elif name is not None:
        attributes.insert(0, StunAttribute(AttributeType.USERNAME, name))
    return Message(method & 15 or 1, message_class, identifier, tuple(attributes))


def seal_stun(fixture: "CoreFixture", data: bytes) -> Any:
    """Return a response to one of the client's latest requests, with integrity."""
    if len(data) < _STUN_HEAD:
        return fixture.subject.packet(data)
    return fixture.subject.packet(_stun_message(fixture, data, None).encode(key=b"key"))


def seal_ice(fixture: "CoreFixture", data: bytes) -> Any:
    """Return a check, or a response to one of the agent's latest checks, with integrity."""
    if len(data) < _STUN_HEAD:
        return fixture.subject.packet(data)
    agent, peer = fixture.core, fixture.peer
    assert isinstance(agent, ice.Agent)
    assert isinstance(peer, ice.Agent)
    ours, theirs = agent.local_parameters, peer.local_parameters
    message = _stun_message(fixture, data, f"{ours.username_fragment}:{theirs.username_fragment}".encode())
    responds = message.message_class in (MessageClass.SUCCESS_RESPONSE, MessageClass.ERROR_RESPONSE)
    password = theirs.password if responds else ours.password
    return fixture.subject.packet(message.encode(key=password.encode()))


def seal_dtls(fixture: "CoreFixture", data: bytes) -> bytes:
    """Return a record with the peer's newest keys, in plaintext before there are any; the first byte is its type."""
    peer = fixture.peer
    assert isinstance(peer, dtls.Connection)
    return seal_record(peer, 20 + data[0] % 4, data[1:]) if data else data


def seal_sctp(fixture: "CoreFixture", data: bytes) -> bytes:
    """Return a packet of these chunks with ports and tag of the newest packet from the peer."""
    if not fixture.corpus:
        return data
    header: bytes = fixture.corpus[-1][: HEADER_SIZE - len(ZERO_CHECKSUM)]
    return add_checksum(header + ZERO_CHECKSUM + data + bytes(-len(data) % 4))


def seal_rtp(fixture: "CoreFixture", data: bytes) -> bytes:
    """Return an RTP or RTCP packet, encrypted."""
    peer = fixture.peer
    assert isinstance(peer, rtp.RtpSession)
    if peer.srtp is None or len(data) < 2:
        return data
    try:
        return (peer.srtp.protect_rtcp if data[1] in _RTCP_TYPES else peer.srtp.protect)(data)
    except ValueError:  # libsrtp encrypts neither malformed packets nor old sequence numbers.
        return data
