"""Packing of flights into datagrams."""

from collections.abc import Sequence

import pytest

from trio_rtc.protocols.dtls.flight import FlightItem, FlightMessage, FlightRecord, pack_flight
from trio_rtc.protocols.dtls.messages import HandshakeMessage
from trio_rtc.protocols.dtls.reassembly import (
    Reassembler,
    parse_fragments,
)
from trio_rtc.protocols.dtls.record.codec import (
    HEADER_LENGTH,
    ContentType,
    parse_records,
)
from trio_rtc.protocols.dtls.record.protection import NullProtection


def pack(items: Sequence[FlightItem], mtu: int) -> list[bytes]:
    def seal(epoch: int, content_type: int, plaintext: bytes) -> bytes:
        return NullProtection().seal_batch(content_type, 0, [plaintext])[0]

    return pack_flight(items, mtu, lambda epoch: HEADER_LENGTH, seal)


@pytest.mark.parametrize(
    ("bodies", "mtu", "sizes"),
    [
        # A fragment has 25 bytes of headers. One of 32 bytes or more fills the end of a datagram.
        ((118, 100), 200, [200, 25 + 100 - 32]),
        ((119, 100), 200, [25 + 119, 25 + 100]),
        ((119, 31), 200, [200]),
        ((120, 31), 200, [25 + 120, 25 + 31]),
        ((175,), 200, [200]),
        ((176,), 200, [200, 25 + 1]),
        ((0, 0), 200, [50]),
        # Where there is not even room for that, it is all that a datagram has.
        ((10,), 30, [30, 30]),
        ((), 200, []),
    ],
)
def test_a_flight_fills_its_datagrams(bodies: tuple[int, ...], mtu: int, sizes: list[int]) -> None:
    messages = [HandshakeMessage(11, number, bytes(size)) for number, size in enumerate(bodies)]
    datagrams = pack([FlightMessage(0, message) for message in messages], mtu)
    assert [len(datagram) for datagram in datagrams] == sizes
    reassembler = Reassembler(1000, 1000)
    for datagram in datagrams:
        for record in parse_records(datagram):
            for fragment in parse_fragments(datagram[record.start : record.end]):
                reassembler.add_fragment(0, fragment)
    assert [reassembler.pop_message(0) for _ in bodies] == messages


@pytest.mark.parametrize(("size", "sizes"), [(161, [200]), (162, [25 + 162, 14])])
def test_change_cipher_spec_shares_a_datagram_if_it_fits(size: int, sizes: list[int]) -> None:
    """It is one byte without a fragment header, since it is no handshake message."""
    change = FlightRecord(0, ContentType.CHANGE_CIPHER_SPEC, b"\1")
    items: list[FlightItem] = [FlightMessage(0, HandshakeMessage(11, 0, bytes(size))), change]
    datagrams = pack(items, 200)
    assert [len(datagram) for datagram in datagrams] == sizes
    assert datagrams[-1].endswith(b"\x14\xfe\xfd" + bytes(8) + b"\0\1\1")
