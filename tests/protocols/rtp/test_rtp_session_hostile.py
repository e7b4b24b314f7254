"""A peer that does its worst: no number is encrypted twice, nothing raises, and nothing costs more than it does."""

import struct
from itertools import pairwise

import attrs
import pytest

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
from trio_rtc.protocols.congestion import CongestionOptions
from trio_rtc.protocols.rtcp import GenericNack
from trio_rtc.protocols.rtp import Codec, ReceiveParameters, RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.extensions import MID, TRANSPORT_WIDE_CC
from trio_rtc.protocols.rtp.flexfec import parse_flexfec

NUMBERED = {3: TRANSPORT_WIDE_CC}


def receives(*codecs: Codec, mid: str = "0", repairs: dict[int, int] | None = None) -> ReceiveParameters:
    return ReceiveParameters(mid, "video", codecs, repairs=repairs or {})


# -- no number twice under one key -------------------------------------------------------------------------------


def test_a_source_that_is_negotiated_away_and_back_goes_on_with_its_numbers() -> None:
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
    """They were kept without the marks that they have left with: other bytes under the same number."""
    side = RtpSide([sends(VP8, RTX, extensions=NUMBERED)])
    side.session.send_frame("0", frame(100), side.now)
    (sent,) = side.run(0.01)
    side.session.set_sections(
        [sends(attrs.evolve(VP8, rtx_payload_type=None), extensions=NUMBERED)], [], side.now
    )
    side.receive_rtcp(GenericNack(1, SSRC, ((sent.sequence_number, 0),)))
    assert side.session.datagrams_to_send(side.now) == []
    # What has left since then is repeated to the last bit.
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
def test_a_mid_that_fits_no_header_is_not_said(size: int) -> None:
    mid = "m" * size
    side = RtpSide([sends(VP8, RTX, mid=mid, extensions={1: MID})])
    side.session.send_frame(mid, frame(5000), side.now)
    sent = side.run(0.2)
    assert len(sent) == 5
    assert not any(packet.extensions for packet in sent)
    assert max(len(packet.encode()) for packet in sent) <= 1160


def test_a_frame_that_is_far_too_large_does_not_keep_those_after_it_from_being_sent() -> None:
    side = RtpSide([sends(VP8, RTX)], options=RtpOptions(congestion=CongestionOptions(pacer_max_packets=100)))
    numbers = []
    for size in (1000, 50_000_000, 1000):
        side.session.send_frame("0", frame(size), side.now)
        numbers += [packet.sequence_number for packet in side.run(2.0, 0.05)]
    # One is missing, so that the peer knows; all the others have never been.
    assert sum((after - before) & 0xFFFF == 2 for before, after in pairwise(numbers)) == 1
    assert sum((after - before) & 0xFFFF == 1 for before, after in pairwise(numbers)) == len(numbers) - 2


@pytest.mark.parametrize("limit", [0, 1, 2**64 * 1000])
def test_a_peer_may_limit_what_it_takes_to_anything(limit: int) -> None:
    side = RtpSide([attrs.evolve(sends(VP8, RTX), max_bitrate=limit)])
    assert side.session.bandwidth.available >= 1
    side.session.send_frame("0", frame(100), side.now)
    assert side.run(1.0, 0.05)


def test_a_repair_stream_of_one_section_cannot_repair_a_stream_of_another() -> None:
    red = Codec(120, "red", 90_000)
    red_rtx = Codec(121, "rtx", 90_000, parameters={"apt": "120"})
    other = receives(Codec(98, "VP9", 90_000), red, red_rtx, mid="1", repairs={8: 7})
    side = RtpSide(receiving=[receives(VP8), other])
    side.receive(*media([1, 2]))
    side.receive(RtpPacket(121, 1, 0, 8, bytes([0, 3, 96]) + KEYFRAME))
    assert side.session.receiving.dropped["retransmission of nothing"] == 1


# -- nothing costs more than it ----------------------------------------------------------------------------------


def test_what_is_told_of_arrivals_is_in_proportion_to_what_arrives() -> None:
    side = RtpSide(receiving=[receives(attrs.evolve(VP8, feedback=frozenset({"ack ccfb"})))])
    received = 0
    for ssrc in range(100):
        packets = [RtpPacket(99, number, 0, ssrc) for number in (0, 16_000)]
        received += sum(len(packet.encode()) for packet in packets)
        side.receive(*packets)
    side.now += 0.06
    side.session.handle_timer(side.now)
    assert sum(map(len, side.session.datagrams_to_send(side.now))) < 10 * received


def test_a_repair_packet_names_a_source_once() -> None:
    once = struct.pack("!IH", 7, 1) + b"\xff\xff"
    body = bytes(20)
    assert len(parse_flexfec(struct.pack("!BBHIB3x", 0, 0, 0, 0, 1) + once + body)[0]) == 15
    with pytest.raises(ProtocolError, match="twice"):
        parse_flexfec(struct.pack("!BBHIB3x", 0, 0, 0, 0, 2) + once + once + body)
