"""A hostile peer: no number is encrypted twice, no packet raises, and none costs more work than its size."""

import struct
from itertools import pairwise

import attrs
import pytest

from tests.strategies.line_count import count_lines
from tests.strategies.rtp_sides import (
    KEYFRAME,
    RTX,
    RTX_SSRC,
    SSRC,
    VP8,
    RtpSide,
    frame,
    media,
    sends,
)
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtcp import (
    Bye,
    DelaySinceLastReceiverReport,
    ExtendedReport,
    GenericNack,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
)
from trio_rtc.protocols.rtp import Codec, Encoding, ReceiveParameters, RtpOptions, RtpPacket, StreamEnded
from trio_rtc.protocols.rtp.fec.flexfec import parse_flexfec
from trio_rtc.protocols.rtp.packet.extensions import MID, TRANSPORT_WIDE_CC

NUMBERED = {3: TRANSPORT_WIDE_CC}


def receives(*codecs: Codec, mid: str = "0", rtx_ssrcs: dict[int, int] | None = None) -> ReceiveParameters:
    return ReceiveParameters(mid, "video", codecs, rtx_ssrcs=rtx_ssrcs or {})


# -- no number twice under one key -------------------------------------------------------------------------------


def test_an_ssrc_that_is_removed_and_added_again_continues_its_numbers() -> None:
    side = RtpSide([sends(VP8, RTX)])
    numbers: dict[int, list[int]] = {SSRC: [], RTX_SSRC: []}
    for _ in range(3):
        side.session.send_frame("0", frame(3000), side.now)
        sent = side.run(0.1)
        side.receive_rtcp(GenericNack(1, SSRC, ((sent[0].sequence_number, 0),)))
        for packet in (*sent, *side.run(0.1)):
            numbers[packet.ssrc].append(packet.sequence_number)
        side.session.set_sections([], [], side.now)
        side.session.set_sections([sends(VP8, RTX)], [], side.now)
    for source in numbers.values():
        assert len(source) >= 3
        assert source == list(range(source[0], source[0] + len(source)))


def test_packets_of_before_are_not_repeated_when_retransmission_loses_its_own_source() -> None:
    """They were kept without the elements written at sending: other bytes with the same number."""
    side = RtpSide([sends(VP8, RTX, extensions=NUMBERED)])
    side.session.send_frame("0", frame(100), side.now)
    (sent,) = side.run(0.01)
    side.session.set_sections(
        [sends(attrs.evolve(VP8, rtx_payload_type=None), extensions=NUMBERED)], [], side.now
    )
    side.receive_rtcp(GenericNack(1, SSRC, ((sent.sequence_number, 0),)))
    assert side.session.datagrams_to_send(side.now) == []
    # Packets sent since then are repeated exactly.
    side.session.send_frame("0", frame(100, 3000), side.now)
    side.now += 0.02
    (original,) = side.session.datagrams_to_send(side.now)
    side.receive_rtcp(GenericNack(1, SSRC, ((sent.sequence_number + 1, 0),)))
    side.now += 0.02
    assert side.session.datagrams_to_send(side.now) == [original]


# -- nothing raises ----------------------------------------------------------------------------------------------


def test_a_forwarded_packet_that_is_too_large_is_dropped() -> None:
    side = RtpSide([sends(VP8, RTX)])
    side.session.send_packets("0", [RtpPacket(96, 5, 1, 9, bytes(1400))], side.now)
    side.session.send_packets("0", [RtpPacket(96, 6, 1, 9, bytes(900))], side.now)
    assert [len(packet.payload) for packet in side.run(0.1)] == [900]
    assert side.session.counters()["rtp"]["not protected"] == 1


@pytest.mark.parametrize("size", [17, 255, 300])
def test_a_mid_that_does_not_fit_the_one_byte_form_is_not_sent(size: int) -> None:
    mid = "m" * size
    side = RtpSide([sends(VP8, RTX, mid=mid, extensions={1: MID})])
    side.session.send_frame(mid, frame(5000), side.now)
    sent = side.run(0.2)
    assert len(sent) == 5
    assert not any(packet.extensions for packet in sent)
    assert max(len(packet.encode()) for packet in sent) <= 1160


def test_a_frame_that_is_far_too_large_does_not_keep_those_after_it_from_being_sent() -> None:
    side = RtpSide(
        [sends(VP8, RTX)],
        options=RtpOptions(bandwidth_estimation=BandwidthEstimationOptions(pacer_max_packets=100)),
    )
    numbers = []
    for size in (1000, 50_000_000, 1000):
        side.session.send_frame("0", frame(size), side.now)
        numbers += [packet.sequence_number for packet in side.run(2.0, 0.05)]
    # One is missing, so that the peer requests it; the others have never existed.
    assert sum((after - before) & 0xFFFF == 2 for before, after in pairwise(numbers)) == 1
    assert sum((after - before) & 0xFFFF == 1 for before, after in pairwise(numbers)) == len(numbers) - 2


@pytest.mark.parametrize("limit", [0, 1, 2**64 * 1000])
def test_a_peer_may_set_any_limit(limit: int) -> None:
    side = RtpSide([attrs.evolve(sends(VP8, RTX), max_bitrate=limit)])
    assert side.session.bandwidth.available >= 1
    side.session.send_frame("0", frame(100), side.now)
    assert side.run(1.0, 0.05)


def test_an_rtx_stream_cannot_repair_a_stream_of_another_section() -> None:
    red = Codec(120, "red", 90_000)
    red_rtx = Codec(121, "rtx", 90_000, parameters={"apt": "120"})
    other = receives(Codec(98, "VP9", 90_000), red, red_rtx, mid="1", rtx_ssrcs={8: 7})
    side = RtpSide(receiving=[receives(VP8), other])
    side.receive(*media([1, 2]))
    side.receive(RtpPacket(121, 1, 0, 8, bytes([0, 3, 96]) + KEYFRAME))
    assert side.session.receiver.dropped["retransmission of nothing"] == 1


# -- nothing costs more than it ----------------------------------------------------------------------------------


def test_arrival_reports_are_in_proportion_to_the_arrivals() -> None:
    side = RtpSide(receiving=[receives(attrs.evolve(VP8, feedback=("ack ccfb",)))])
    received = 0
    for ssrc in range(100):
        packets = [RtpPacket(99, number, 0, ssrc) for number in (0, 16_000)]
        received += sum(len(packet.encode()) for packet in packets)
        side.receive(*packets)
    side.now += 0.06
    side.session.handle_timer(side.now)
    assert sum(map(len, side.session.datagrams_to_send(side.now))) < 10 * received


def test_an_fec_packet_names_an_ssrc_once() -> None:
    once = struct.pack("!IH", 7, 1) + b"\xff\xff"
    body = bytes(20)
    assert len(parse_flexfec(struct.pack("!BBHIB3x", 0, 0, 0, 0, 1) + once + body)[0]) == 15
    with pytest.raises(ProtocolError, match="an SSRC twice"):
        parse_flexfec(struct.pack("!BBHIB3x", 0, 0, 0, 0, 2) + once + once + body)


# -- what one datagram costs -------------------------------------------------------------------------------------


def call_of(streams: int) -> RtpSide:
    """Return a session that receives ``count`` streams with demand, and sends one that has started."""
    sections = [
        attrs.evolve(receives(VP8, RTX, mid=str(index)), extensions={4: MID}, ssrcs={7 + index: None})
        for index in range(streams)
    ]
    side = RtpSide([sends(VP8, RTX)], sections)
    for index in range(streams):
        side.session.set_demand(str(index), frames=True, packets=False)
        side.receive(*media([0], ssrc=7 + index))
    side.session.send_frame("0", frame(1000), side.now)
    side.run(0.1)
    side.session.next_timer()
    return side


def work_of(side: RtpSide, *packets: RtcpPacket) -> int:
    return count_lines(lambda: (side.receive_rtcp(*packets), side.session.next_timer()))


def report(number: int) -> ReceiverReport:
    return ReceiverReport(1, (ReportBlock(SSRC, 0, 0, number, 0, 1 + number, 1),))


def test_reports_go_to_the_streams_once_a_batch() -> None:
    """Each set the round trip of all streams, and polled them for frames: 9 ms with 256 streams."""

    def work_of_reports(streams: int, count: int) -> int:
        return work_of(call_of(streams), *(report(number) for number in range(count)))

    for_one_stream = work_of_reports(1, 30) - work_of_reports(1, 10)
    assert work_of_reports(60, 30) - work_of_reports(60, 10) == for_one_stream
    assert work_of_reports(60, 10) - work_of_reports(1, 10) < 60 * 10


def test_measured_round_trips_go_to_the_streams_once_a_batch() -> None:
    delay = ExtendedReport(1, None, (DelaySinceLastReceiverReport(1, 1, 1),))
    one, side = call_of(1), call_of(50)
    of_one_stream = work_of(one, *[delay] * 40) - work_of(one, delay)
    assert work_of(side, *[delay] * 40) - work_of(side, delay) == of_one_stream
    measurements = [stream.round_trips.measurements for stream in side.session.receiver.streams]
    assert measurements == [2] * 50


def test_estimates_of_the_peer_are_divided_among_streams_once_a_batch() -> None:
    sections = [
        attrs.evolve(sends(VP8, RTX, mid=str(index)), encodings=(Encoding(1000 + index),))
        for index in range(60)
    ]
    side = RtpSide(sections)

    def bitrates(count: int, start: int) -> list[RtcpPacket]:
        return [ReceiverEstimatedMaximumBitrate(1, start + 90_000 * n, (1,)) for n in range(count)]

    side.receive_rtcp(*bitrates(1, 400_000))
    few, many = work_of(side, *bitrates(1, 500_000)), work_of(side, *bitrates(15, 200_000))
    assert many - few < 14 * 400


def test_only_so_much_feedback_on_the_path_is_used_of_a_datagram() -> None:
    side = call_of(1)
    side.receive_rtcp(*(ReceiverEstimatedMaximumBitrate(1, 1_000_000 - n, (1,)) for n in range(40)))
    assert side.session.dropped["path feedback"] == 24


def test_byes_of_hundreds_of_streams_are_spread_over_time() -> None:
    side = call_of(100)
    events = side.receive_rtcp(*(Bye(tuple(range(first, first + 25))) for first in range(7, 107, 25)))
    ended = sum(isinstance(event, StreamEnded) for event in events)
    assert ended == 32
    # A stream that is named again, or that ends otherwise, ends once.
    ended += sum(isinstance(event, StreamEnded) for event in side.receive_rtcp(Bye((7, 106))))
    while ended < 100:
        side.now = side.session.next_timer()
        side.session.handle_timer(side.now)
        assert side.session.next_timer() > side.now
        step = sum(isinstance(event, StreamEnded) for event in side.session.events())
        assert step <= 32
        ended += step
    assert ended == 100
    assert not list(side.session.receiver.streams)
    assert side.now < 101


def test_a_nack_of_thousands_of_packets_is_used_as_far_as_the_history_reaches() -> None:
    side = call_of(1)

    def nack(entries: int) -> GenericNack:
        return GenericNack(1, SSRC, tuple((17 * n & 0xFFFF, 0xFFFF) for n in range(entries)))

    assert len(nack(300).sequence_numbers) == 5100
    # Parsing grows with the packet, searching does not.
    assert work_of(side, nack(300)) - work_of(side, nack(100)) < 1000
