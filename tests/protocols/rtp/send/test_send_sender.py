"""The send half of a session: packets, layers and refusals."""

import random

import attrs
import pytest

from tests.strategies.rtp_pair import (
    AUDIO,
    NAMES_ONLY,
    OPUS,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    received,
    video_frame,
    video_section,
)
from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp import (
    EncodedFrame,
    Encoding,
    RtpOptions,
    RtpPacket,
    SendParameters,
)
from trio_rtc.protocols.rtp.bandwidth import Bandwidth
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.payload import packetizer
from trio_rtc.protocols.rtp.send.history import PacketHistory
from trio_rtc.protocols.rtp.send.sender import RtpSender
from trio_rtc.protocols.rtp.send.stream import RtpSendStream


def stream() -> RtpSendStream:
    numbers = SequenceCounters(random.Random(1))
    made = RtpSendStream(VIDEO, Encoding(VIDEO_SSRC, 1001), PacketHistory(), numbers, 77)
    made.configure(video_section(), VP8, packetizer("VP8", {}, random.Random(2)), None, None)
    return made


def test_packets_of_a_frame_are_numbered_and_marked() -> None:
    made = stream()
    packets = made.packetize(video_frame(0, 0.0, 3000), 1160, 0.0)
    assert [packet.marker for packet in packets] == [False] * (len(packets) - 1) + [True]
    first = packets[0].sequence_number
    assert [packet.sequence_number for packet in packets] == list(range(first, first + len(packets)))
    assert first < 1 << 15
    assert {packet.timestamp for packet in packets} == {packets[0].timestamp}
    assert (4, VIDEO.encode()) in packets[0].extensions
    made.identifiers.acknowledged = True
    assert made.packetize(video_frame(1, 0.1), 1160, 0.1)[0].extensions == ()


def test_a_frame_of_another_codec_is_refused() -> None:
    with pytest.raises(ValueError, match=r"negotiated codec \(VP8\)"):
        stream().packetize(EncodedFrame(b"x", 0, 90000, "H264"), 1160, 0.0)


def test_retransmissions_name_the_repaired_stream() -> None:
    made = stream()
    packets = made.packetize(video_frame(0, 0.0, 3000), 1160, 0.0)
    for packet in packets:
        made.record_sent(packet, packet.encode(), 0.0)
    wanted = packets[1].sequence_number
    (again,) = made.retransmit([wanted, wanted + 500], 0.05, 0.1)
    assert (again.ssrc, again.payload_type) == (1001, 97)
    assert again.payload == wanted.to_bytes(2, "big") + packets[1].payload
    # Requested again within the round trip, it is in flight.
    assert made.retransmit([wanted], 0.05, 0.12) == []
    padding = made.retransmitter.padding(10_000)
    assert padding is not None
    assert padding.ssrc == 1001
    assert padding.sequence_number == again.sequence_number + 1


def test_sections_that_do_not_send_refuse() -> None:
    side = RtpSender(RtpOptions(), Bandwidth(BandwidthEstimationOptions()), random.Random(1))
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    side.set_sections([video_section(active=False)])
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    side.send_packets(VIDEO, [RtpPacket(96, 1, 1, 1)], None, 0.0)
    side.set_sections([video_section(encodings=(Encoding(VIDEO_SSRC, active=False),))])
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    assert side.packets_refused == 4
    assert side.packets_to_send(0.0) == []
    side.set_sections([video_section()])
    side.send_frame(VIDEO, video_frame(0, 0.0), None, 0.0)
    assert side.packets_to_send(0.1)
    assert side.ssrcs == [VIDEO_SSRC]
    assert side.set_sections([]) == [VIDEO_SSRC]


def test_layers_are_sent_by_their_names() -> None:
    layers = (Encoding(1, rid="q"), Encoding(2, rid="h", active=False), Encoding(3, rid="f"))
    side = RtpSender(RtpOptions(), Bandwidth(BandwidthEstimationOptions()), random.Random(1))
    side.set_sections([video_section(encodings=layers)])
    for rid in ("q", "h", "f", "x"):
        side.send_frame(VIDEO, video_frame(0, 0.0, 10), rid, 0.0)
    packets = [RtpPacket.parse(data) for data in side.packets_to_send(0.0) + side.packets_to_send(0.1)]
    assert {packet.ssrc for packet in packets} == {1, 3}
    assert {dict(packet.extensions)[10] for packet in packets} == {b"q", b"f"}
    assert side.packets_refused == 2


def test_forwarded_packets_keep_their_payload_type() -> None:
    event = attrs.evolve(OPUS, payload_type=110, name="telephone-event")
    parameters = SendParameters(AUDIO, "audio", (OPUS, event), (Encoding(9),), NAMES_ONLY)
    side = RtpSender(RtpOptions(), Bandwidth(BandwidthEstimationOptions()), random.Random(1))
    side.set_sections([parameters])
    for number, payload_type in enumerate((111, 110, 96)):
        side.send_packets(AUDIO, [RtpPacket(payload_type, number, 0, 5, b"x")], None, 0.0)
    sent = [RtpPacket.parse(data).payload_type for data in side.packets_to_send(0.0)]
    assert sent == [111, 110, 111]


def test_received_sections_of_a_pair_agree() -> None:
    """The helper of these tests returns matching parameters."""
    theirs = received(video_section())
    assert theirs.ssrcs == {VIDEO_SSRC: None}
    assert theirs.rtx_ssrcs == {1001: VIDEO_SSRC}
