"""Packets that tests make and deliver to a side of a pair of associations."""

import attrs

from trio_rtc.protocols.sctp import SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import Init, parse_chunk
from trio_rtc.protocols.sctp.packet.header import HEADER_SIZE, encode_header, encode_packet

from .sctp_pair import INIT, INIT_ACK, SHUTDOWN_ACK, SctpPair, chunk_kinds

LEFT_PORT, RIGHT_PORT = 5001, 5002
LEFT = SctpOptions(local_port=LEFT_PORT, remote_port=RIGHT_PORT)
RIGHT = SctpOptions(local_port=RIGHT_PORT, remote_port=LEFT_PORT)


def make_pair(**options: object) -> SctpPair:
    return SctpPair(attrs.evolve(LEFT, **options), attrs.evolve(RIGHT, **options))  # type: ignore[arg-type]


def init_of(pair: SctpPair, sender: int) -> Init:
    """Return the INIT or INIT ACK that a side has sent: its tag is that of packets to it."""
    packet = next(packet for index, packet in pair.wire if index == sender and packet[12] in (INIT, INIT_ACK))
    chunk, _ = parse_chunk(packet, 12)
    assert isinstance(chunk, Init)
    return chunk


def to_right(tag: int, *chunks: bytes, source: int = LEFT_PORT, destination: int = RIGHT_PORT) -> bytes:
    """Return a packet to the right side."""
    return encode_packet(encode_header(source, destination, tag), chunks)


def to_left(tag: int, *chunks: bytes) -> bytes:
    return encode_packet(encode_header(RIGHT_PORT, LEFT_PORT, tag), chunks)


def dropped(pair: SctpPair, reason: str) -> int:
    return pair.right.association.statistics().dropped.get(reason, 0)


def receive(pair: SctpPair, packet: bytes) -> list[bytes]:
    """Deliver a packet to the right side, and return its answers."""
    pair.right.association.receive([packet], pair.now)
    return pair.right.association.datagrams_to_send(pair.now)


def header_from_left(pair: SctpPair) -> bytes:
    """Return the header of the left side's packets, with a zero checksum."""
    packet = next(packet for sender, packet in pair.wire if sender == 0 and packet[HEADER_SIZE] != INIT)
    return packet[:8] + bytes(4)


def deliver_to_right(pair: SctpPair, *chunks: bytes) -> list[bytes]:
    """Deliver a packet of the left side to the right, and return its answers."""
    pair.right.association.receive([encode_packet(header_from_left(pair), chunks)], pair.now)
    return pair.right.association.datagrams_to_send(pair.now)


SMALL_BUFFER = SctpOptions(receive_buffer_size=20_000, max_message_size=8000)


def shutting_down() -> SctpPair:
    """Return a pair whose right side has sent SHUTDOWN ACK, and waits for SHUTDOWN COMPLETE."""
    pair = make_pair().connect()
    pair.left.association.shutdown(pair.now)
    pair.lost = lambda sender, packet: SHUTDOWN_ACK in chunk_kinds(packet)
    assert pair.run(lambda: bool(pair.kinds_sent(1)[SHUTDOWN_ACK]), 1)
    return pair


# Queued replies (bounded, because a peer can cause them).


def kinds_of(packets: list[bytes]) -> list[list[int]]:
    return [chunk_kinds(packet) for packet in packets]


def pair_with_unread_messages() -> SctpPair:
    """Return a pair whose right side has half a receive window of unread messages, while its data is delayed."""
    pair = SctpPair(SMALL_BUFFER).connect()
    pair.right.reading = False
    for _ in range(2):
        pair.left.association.send(3, 51, bytes(5000), pair.now)
    pair.run_for(1)
    pair.lost = lambda sender, packet: True
    pair.right.association.send(5, 51, bytes(8000), pair.now)
    pair.right.association.send(5, 51, bytes(8000), pair.now)
    pair.flush()
    pair.right.association.send(5, 51, b"held back", pair.now)
    assert pair.right.association.datagrams_to_send(pair.now) == []
    assert pair.right.association.is_send_deferred(pair.now)
    return pair
