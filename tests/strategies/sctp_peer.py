"""An SCTP association with a scripted peer that sends single chunks."""

import random
from typing import Any

from trio_rtc.protocols.sctp import Association, SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import CookieEcho, ForwardTsn, Init, InitAck, ReConfig, parse_chunk
from trio_rtc.protocols.sctp.packet.data import BEGIN, DATA_HEADER, END
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, encode_header, encode_packet
from trio_rtc.protocols.sctp.packet.parameters import SUPPORTED_EXTENSIONS, Parameter


class Peer:
    """An association and its scripted peer."""

    def __init__(self, options: SctpOptions | None = None) -> None:
        options = options or SctpOptions(initial_tsn=100, zero_checksum=False)
        self.association = Association(options, rng=random.Random(1))
        self.now = 500.0

    def send(self, tag: int, *chunks: bytes) -> list[tuple[int, bytes]]:
        """Send a packet to the association, and return the tags and chunks of its answers."""
        self.association.receive([encode_packet(encode_header(5000, 5000, tag), chunks)], self.now)
        return self.sent_packets()

    def sent_packets(self) -> list[tuple[int, bytes]]:
        packets = self.association.datagrams_to_send(self.now)
        return [(int.from_bytes(packet[4:8], "big"), packet[HEADER_SIZE:]) for packet in packets]

    def send_init(self, tag: int, tsn: int) -> tuple[int, bytes]:
        """Send an INIT, and return the tag and the cookie's COOKIE ECHO from the INIT ACK."""
        extensions = Parameter(SUPPORTED_EXTENSIONS, bytes((ReConfig.kind, ForwardTsn.kind)))
        ((answered, answer),) = self.send(0, Init(tag, 100_000, 10, 10, tsn, (extensions,)).encode())
        assert answered == tag
        init_ack, _ = parse_chunk(answer, 0)
        assert isinstance(init_ack, InitAck)
        assert init_ack.cookie is not None
        return init_ack.initiate_tag, CookieEcho(init_ack.cookie).encode()


def data_chunk(tsn: int, payload: bytes = b"data") -> bytes:
    return DATA_HEADER.pack(0, BEGIN | END, 16 + len(payload), tsn, 1, 0, 51) + payload


def established_peer(**options: Any) -> tuple[Peer, int]:
    """Return the peer of an established association, and the association's verification tag.

    The initial TSNs are 100 for the association and 20 for the peer.
    """
    peer = Peer(SctpOptions(initial_tsn=100, zero_checksum=False, **options))
    tag, echo = peer.send_init(7, 20)
    peer.send(tag, echo)
    return peer, tag
