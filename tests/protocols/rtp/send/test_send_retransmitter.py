"""Retransmissions of one stream: by RTX, or as exactly the same bytes."""

import random
from collections.abc import Iterable

import attrs

from tests.strategies.rtp_pair import NAMES_ONLY, RTX_SSRC, VIDEO, VIDEO_SSRC, VP8, VP8_RTX
from trio_rtc.protocols.rtp import Codec, RtpPacket
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.send.history import PacketHistory
from trio_rtc.protocols.rtp.send.identifiers import StreamIdentifiers
from trio_rtc.protocols.rtp.send.retransmitter import Retransmitter

NAMES = StreamIdentifiers(VIDEO, None, ExtensionMap(NAMES_ONLY))
VP8_ALONE = attrs.evolve(VP8, rtx_payload_type=None)
OTHER = attrs.evolve(VP8, payload_type=98, rtx_payload_type=99)


class Source:
    """An SSRC whose packets are kept when they are sent."""

    def __init__(self) -> None:
        numbers = SequenceCounters(random.Random(1))
        self.numbers = numbers.of(VIDEO_SSRC)
        self.again = Retransmitter(VIDEO_SSRC, PacketHistory(), numbers)

    def configure(self, codecs: Iterable[Codec], codec: Codec | None) -> None:
        self.again.configure(codecs, codec, RTX_SSRC, NAMES, None)

    def send(self, payload_type: int = 96, mark: bytes = b"") -> RtpPacket:
        """Send a packet with an element that is written at sending."""
        packet = RtpPacket(payload_type, self.numbers.allocate() & 0xFFFF, 9000, VIDEO_SSRC, b"payload")
        self.again.keep(packet, packet.with_extensions(((3, mark),) if mark else ()).encode(), 0.0)
        return packet


def test_rtx_is_a_stream_of_its_own() -> None:
    source = Source()
    source.configure([VP8, VP8_RTX], VP8)
    assert source.again.uses_rtx
    assert source.again.is_enabled
    sent = [source.send(mark=b"x") for _ in range(3)]
    again = source.again.retransmit([sent[0].sequence_number, sent[2].sequence_number], 0.05, 0.1)
    assert [packet.payload for packet in again] == [
        packet.sequence_number.to_bytes(2, "big") + packet.payload for packet in (sent[0], sent[2])
    ]
    assert {(packet.ssrc, packet.payload_type, packet.extensions) for packet in again} == {
        (RTX_SSRC, 97, ((4, b"0"),))
    }
    padding = source.again.padding(100)
    assert padding is not None
    numbers = [packet.sequence_number for packet in (*again, padding)]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_without_rtx_the_very_bytes_are_repeated() -> None:
    source = Source()
    source.configure([VP8_ALONE], VP8_ALONE)
    assert not source.again.uses_rtx
    sent = source.send(mark=b"x")
    (again,) = source.again.retransmit([sent.sequence_number], 0.05, 0.1)
    assert again.encode() == sent.with_extensions(((3, b"x"),)).encode()
    assert source.again.padding(100) is None


def test_without_nack_no_packet_is_kept() -> None:
    source = Source()
    source.configure([], attrs.evolve(VP8_ALONE, feedback=()))
    assert not source.again.is_enabled
    sent = source.send()
    source.configure([VP8_ALONE], VP8_ALONE)
    assert source.again.retransmit([sent.sequence_number], 0.05, 0.1) == []
    assert source.again.counters() == {"history_resent": 0, "history_unknown": 1, "history_suppressed": 0}


def test_packets_kept_for_rtx_are_never_repeated_without_it() -> None:
    source = Source()
    source.configure([VP8, VP8_RTX], VP8)
    sent = source.send(mark=b"x")
    source.configure([VP8_ALONE], VP8_ALONE)
    assert source.again.retransmit([sent.sequence_number], 0.05, 0.1) == []


def test_packets_of_another_codec_are_retransmitted_as_the_present_one() -> None:
    source = Source()
    source.configure([VP8, VP8_RTX], VP8)
    sent = source.send()
    source.configure([OTHER, VP8], OTHER)
    (still_known,) = source.again.retransmit([sent.sequence_number], 0.05, 0.1)
    assert still_known.payload_type == 97
    source.configure([OTHER], OTHER)
    (unknown,) = source.again.retransmit([sent.sequence_number], 0.05, 0.2)
    assert unknown.payload_type == 99


def test_numbers_on_the_wire_are_found_behind_their_wrap() -> None:
    source = Source()
    source.configure([VP8, VP8_RTX], VP8)
    source.numbers.allocate(0xFFFE - source.numbers.next)
    before = source.send()
    assert [source.send().sequence_number for _ in range(3)] == [0xFFFF, 0, 1]
    (again,) = source.again.retransmit([before.sequence_number], 0.05, 0.1)
    assert again.payload[:2] == before.sequence_number.to_bytes(2, "big")


def test_forgotten_is_forgotten() -> None:
    source = Source()
    source.configure([VP8, VP8_RTX], VP8)
    sent = source.send()
    source.again.clear()
    assert source.again.retransmit([sent.sequence_number], 0.05, 0.1) == []
    assert source.again.padding(100) is None


def test_copies_of_a_retransmission_have_numbers_of_their_own() -> None:
    source = Source()
    source.configure([VP8, VP8_RTX], VP8)
    sent = [source.send() for _ in range(2)]
    again = source.again.retransmit([packet.sequence_number for packet in sent], 0.05, 0.1)
    copies = source.again.repeat(again, 1)
    assert [packet.payload for packet in copies] == [packet.payload for packet in again]
    numbers = [packet.sequence_number for packet in (*again, *copies)]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert source.again.repeat(again, 0) == []


def test_without_rtx_copies_are_the_same_packet() -> None:
    source = Source()
    source.configure([VP8_ALONE], VP8_ALONE)
    again = source.again.retransmit([source.send().sequence_number], 0.05, 0.1)
    assert source.again.repeat(again, 1) == again
