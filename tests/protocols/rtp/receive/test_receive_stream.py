"""One received stream: its counters, requests, forwarded packets, and restarts."""

import math
import struct

import attrs
import pytest

from tests.strategies.receive_streams import FIRST, HEADER, make_stream, receive_packet, video_packet
from tests.strategies.rtp_pair import (
    COMFORT_NOISE,
    OPUS,
    RED_VIDEO,
    ULPFEC,
    VIDEO_SSRC,
    VP8,
    vp8_payload,
)
from trio_rtc.protocols.rtcp import SenderReport
from trio_rtc.protocols.rtp import EncodedFrame, RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.receive.audio.pipeline import AudioReceivePipeline
from trio_rtc.protocols.rtp.receive.early_media import MAX_EARLY_BYTES, MAX_EARLY_PACKETS, MAX_EARLY_TIME
from trio_rtc.protocols.rtp.receive.video.pipeline import VideoReceivePipeline


def test_media_and_retransmissions_are_counted_apart() -> None:
    stream = make_stream()
    for number in (0, 1, 3):
        assert receive_packet(stream, video_packet(number), number / 30)
    assert receive_packet(stream, video_packet(2), 0.2, retransmitted=True)
    assert not receive_packet(stream, video_packet(2), 0.21, retransmitted=True)
    counters, size = stream.counters, len(video_packet(2).payload)
    assert (stream.reception.packets, stream.reception.bytes) == (3, 3 * size)
    assert (counters.retransmitted_packets, counters.retransmitted_bytes) == (2, 2 * size)
    assert counters.repairs_unneeded == 1
    assert counters.header_bytes == 5 * HEADER
    assert stream.last_received_at == 0.21


def test_a_packet_with_a_jump_is_not_accepted() -> None:
    stream = make_stream()
    receive_packet(stream, video_packet(0), 0.0)
    astray = attrs.evolve(video_packet(1), sequence_number=FIRST + 30_000)
    assert not stream.receive(astray, VP8, 100, 0.1)
    assert stream.loss_counters()["sequence_numbers_rejected"] == 1
    assert stream.reception.packets == 1


def test_a_retransmission_is_of_no_use_before_the_first_packet() -> None:
    stream = make_stream()
    assert not stream.receive(video_packet(5), VP8, 100, 0.0, retransmitted=True)
    assert stream.remap_forwarded(video_packet(5)) is None


def test_a_packet_is_forwarded_once_from_either_stream() -> None:
    stream = make_stream()
    receive_packet(stream, video_packet(0), 0.0)
    receive_packet(stream, video_packet(2), 0.1)
    assert receive_packet(stream, video_packet(1), 0.15, retransmitted=True)
    assert not receive_packet(stream, video_packet(1), 0.2)
    assert not receive_packet(stream, video_packet(2), 0.25, retransmitted=True)
    assert stream.receive_recovered(video_packet(0), VP8, 0.3)
    assert stream.remap_forwarded(video_packet(0)) is None


def test_padding_is_not_forwarded() -> None:
    stream = make_stream()
    assert not receive_packet(stream, attrs.evolve(video_packet(0), payload=b"", padding_size=200), 0.0)
    assert receive_packet(stream, video_packet(1), 0.1)


def test_padding_leaves_no_gap() -> None:
    """A forwarder would receive requests for packets that never existed."""
    stream = make_stream()
    remapper = []
    for number in (0, 1, 3, 4, 6, 2, 7):
        packet = video_packet(number)
        if number in (1, 4):
            packet = attrs.evolve(packet, payload=b"", padding_size=200)
        assert stream.receive(packet, VP8, 100, number / 30)
        remapper.append(stream.remap_forwarded(packet))
    numbers = [packet.sequence_number - FIRST for packet in remapper if packet is not None]
    # The fifth is missing.
    assert numbers == [0, 2, 4, 1, 5]


def test_nothing_is_forwarded_without_demand() -> None:
    stream = make_stream()
    stream.set_demand(frames=False, packets=False)
    assert not receive_packet(stream, video_packet(0), 0.0)
    assert stream.set_demand(frames=False, packets=True) == []
    assert not receive_packet(stream, video_packet(0), 0.1, retransmitted=True)
    assert receive_packet(stream, video_packet(1), 0.2)


def test_the_first_consumer_of_packets_gets_the_beginning() -> None:
    stream = make_stream(packets=False)
    for number in (0, 2):
        assert not receive_packet(stream, video_packet(number), number / 30)
    assert stream.take_nacks(0.1) == [FIRST + 1]
    early = stream.set_demand(frames=False, packets=True)
    assert early == [video_packet(0), video_packet(2)]
    assert [stream.remap_forwarded(packet) for packet in early] == early
    assert receive_packet(stream, video_packet(1), 0.2, retransmitted=True)
    assert not receive_packet(stream, video_packet(2), 0.2, retransmitted=True)
    # A later consumer gets the later packets.
    stream.set_demand(frames=False, packets=False)
    assert stream.set_demand(frames=True, packets=True) == []
    assert stream.frames(0.2) == []


@pytest.mark.parametrize("packets_first", [True, False])
def test_consumers_of_frames_and_of_packets_both_get_the_beginning(
    packets_first: bool,
) -> None:
    stream = make_stream(packets=False)
    receive_packet(stream, video_packet(0, keyframe=True), 0.0)
    early = stream.set_demand(frames=not packets_first, packets=packets_first)
    receive_packet(stream, video_packet(1), 0.1)
    early += stream.set_demand(frames=True, packets=True)
    assert early == (
        [video_packet(0, keyframe=True)]
        if packets_first
        else [video_packet(0, keyframe=True), video_packet(1)]
    )
    assert len(stream.frames(0.2)) == 2
    assert not stream.take_keyframe_request(0.2)
    # Each was returned once, and no packet is kept any more.
    assert stream.set_demand(frames=False, packets=False) == []
    assert stream.set_demand(frames=True, packets=True) == []


def test_fec_packets_leave_no_gap_in_the_beginning() -> None:
    """A frame behind the number of a ULPFEC packet is released at once."""
    codecs = {each.payload_type: each for each in (VP8, RED_VIDEO, ULPFEC)}
    # It protects the first packet alone.
    repair = struct.pack("!BBHIHHH", 0, 0, FIRST, 0, 0, 0, 0x8000)
    stream = make_stream(packets=False)

    def receive_red(number: int, payload_type: int, payload: bytes, timestamp: int) -> None:
        packet = RtpPacket(118, FIRST + number, timestamp, VIDEO_SSRC, bytes([payload_type]) + payload, True)
        stream.receive_red(packet, codecs, packet.encode(), timestamp / 90_000)

    for number, count in ((0, 0), (2, 1)):
        receive_red(number, 96, b"\x10" + vp8_payload(count, 50, keyframe=count == 0), 3000 * count)
        if number == 0:
            receive_red(1, 120, repair, 0)
    stream.set_demand(frames=True, packets=False)
    assert len(stream.frames(1 / 30)) == 2


def test_the_first_consumer_of_frames_gets_the_beginning() -> None:
    stream = make_stream(packets=False)
    for number in range(5):
        receive_packet(stream, video_packet(number, keyframe=number == 0), number / 30)
    stream.set_demand(frames=True, packets=False)
    frames = stream.frames(0.2)
    assert [frame.keyframe for frame in frames if isinstance(frame, EncodedFrame)] == [True, *4 * [False]]
    assert not stream.take_keyframe_request(0.2)


def test_a_beginning_without_a_keyframe_is_of_no_use() -> None:
    stream = make_stream(packets=False)
    for number in range(5):
        receive_packet(stream, video_packet(number), number / 30)
    stream.set_demand(frames=True, packets=False)
    assert stream.frames(0.2) == []
    assert stream.frames(0.2 + RtpOptions().assembler.max_wait) == []
    assert stream.take_keyframe_request(0.2 + RtpOptions().assembler.max_wait)


@pytest.mark.parametrize(
    ("count", "interval", "size"),
    [(MAX_EARLY_PACKETS + 1, 0.001, 0), (40, MAX_EARLY_TIME / 38, 0), (9, 0.001, MAX_EARLY_BYTES // 8)],
    ids=["too-many", "too-old", "too-large"],
)
def test_a_beginning_without_demand_is_dropped(count: int, interval: float, size: int) -> None:
    stream = make_stream(packets=False)
    for number in range(count):
        packet = video_packet(number, keyframe=number == 0)
        packet = attrs.evolve(packet, payload=packet.payload + bytes(size))
        receive_packet(stream, packet, number * interval)
    stream.set_demand(frames=True, packets=False)
    assert stream.frames(10.0) == []
    assert stream.take_keyframe_request(10.0)


def test_a_codec_that_is_another_is_another_beginning() -> None:
    stream = make_stream(packets=False)
    receive_packet(stream, video_packet(0, keyframe=True), 0.0)
    another = attrs.evolve(VP8, payload_type=97)
    changed = attrs.evolve(video_packet(1, keyframe=True), payload_type=97)
    stream.receive(changed, another, 100, 0.1)
    assert stream.set_demand(frames=False, packets=True) == [changed]


def test_the_beginning_of_audio_is_not_kept() -> None:
    stream = make_stream(packets=False)
    audio_packet = RtpPacket(111, FIRST, 0, VIDEO_SSRC, b"\x08sound")
    stream.receive(audio_packet, OPUS, 100, 0.0)
    assert stream.set_demand(frames=True, packets=True) == []


def test_a_restarted_sender_is_forwarded() -> None:
    stream = make_stream()
    for number in (0, 1, 20_000, 20_001, 20_002):
        taken = receive_packet(stream, video_packet(number), number / 30)
        assert taken is (number != 20_000)
    assert stream.loss_counters()["sequence_restarts"] == 1


def test_frames_dropped_before_their_release_are_not_counted() -> None:
    stream = make_stream(packets=False)
    stream.set_demand(frames=True, packets=False, min_delay=0.5)
    for number in range(10):
        receive_packet(stream, video_packet(number, keyframe=not number), number / 30)
        assert stream.frames(number / 30) == []
    stream.set_demand(frames=False, packets=False)
    assert (stream.frame_stats.video_frames_emitted, stream.frame_stats.video_delay) == (0, 0)
    assert stream.frame_stats.rate.in_last_second(0.3) == 0


def test_lost_packets_are_requested_until_they_arrive() -> None:
    stream = make_stream()
    receive_packet(stream, video_packet(0), 0.0)
    receive_packet(stream, video_packet(3), 0.1)
    due = stream.next_request()
    assert 0.1 < due < 0.2
    assert stream.take_nacks(due) == [FIRST + 1, FIRST + 2]
    receive_packet(stream, video_packet(1), 0.2, retransmitted=True)
    assert stream.take_nacks(1.0) == [FIRST + 2]
    receive_packet(stream, video_packet(2), 1.1, retransmitted=True)
    assert stream.take_nacks(10.0) == []
    assert stream.next_request() == stream.next_timer() == math.inf


def test_without_demand_nothing_is_requested() -> None:
    stream = make_stream()
    stream.set_demand(frames=False, packets=False)
    receive_packet(stream, video_packet(0), 0.0)
    receive_packet(stream, video_packet(3), 0.1)
    assert stream.take_nacks(1.0) == []
    assert "nack_requested" not in stream.loss_counters()


def test_a_peer_without_nack_receives_no_requests() -> None:
    stream = make_stream()
    codec = attrs.evolve(VP8, feedback=("nack pli",))
    for number in (0, 3):
        stream.receive(video_packet(number), codec, 100, number / 30)
    assert stream.take_nacks(1.0) == []
    assert stream.supports("nack pli")
    assert not stream.supports("nack")


def test_keyframes_are_requested_no_more_often_than_the_interval() -> None:
    stream = make_stream(options=RtpOptions(keyframe_interval=0.5))
    receive_packet(stream, video_packet(0), 0.0)
    assert not stream.take_keyframe_request(0.0)
    stream.request_keyframe()
    assert stream.next_request() <= 1.0
    assert stream.take_keyframe_request(1.0)
    stream.request_keyframe()
    assert not stream.take_keyframe_request(1.4)
    assert stream.next_timer() == pytest.approx(1.5)
    assert stream.take_keyframe_request(1.5)
    assert not stream.take_keyframe_request(5.0)


def test_a_keyframe_that_has_arrived_is_not_requested() -> None:
    stream = make_stream(frames=True)
    receive_packet(stream, video_packet(0, keyframe=True), 0.0)
    assert stream.frames(0.0)
    stream.request_keyframe()
    assert stream.take_keyframe_request(0.1)
    # The pipeline needs it with each frame until it arrives.
    stream.request_keyframe()
    receive_packet(stream, video_packet(1, keyframe=True), 0.2)
    assert stream.frames(0.2)
    assert not stream.take_keyframe_request(10.0)
    stream.request_keyframe()
    assert stream.take_keyframe_request(20.0)


def test_a_new_consumer_of_frames_needs_a_keyframe() -> None:
    stream = make_stream()
    receive_packet(stream, video_packet(0), 0.0)
    stream.set_demand(frames=True, packets=True)
    assert isinstance(stream.pipeline, VideoReceivePipeline)
    assert stream.take_keyframe_request(0.1)
    receive_packet(stream, video_packet(1, keyframe=True), 0.2)
    (frame,) = stream.frames(0.2)
    assert isinstance(frame, EncodedFrame)
    assert frame.keyframe
    assert (stream.counters.frames, stream.counters.keyframes) == (1, 1)
    stream.set_demand(frames=False, packets=True)
    assert stream.pipeline is None
    assert stream.frames(0.3) == []


def test_another_codec_has_another_path_and_the_same_one_negotiated_again_has_not() -> None:
    stream = make_stream(frames=True)
    receive_packet(stream, video_packet(0, keyframe=True), 0.0)
    pipeline = stream.pipeline
    stream.receive(video_packet(1), attrs.evolve(VP8), 100, 0.1)
    assert stream.pipeline is pipeline
    reordered = attrs.evolve(VP8, feedback=tuple(reversed(VP8.feedback)))
    assert reordered != VP8
    stream.receive(video_packet(1), reordered, 100, 0.1)
    assert stream.pipeline is pipeline
    stream.receive(video_packet(2), attrs.evolve(VP8, name="VP9"), 100, 0.2)
    assert isinstance(stream.pipeline, VideoReceivePipeline)
    assert stream.pipeline is not pipeline
    assert stream.is_video


def test_events_between_the_audio_leave_no_gap() -> None:
    stream = make_stream(frames=True)
    for number in range(4):
        codec = COMFORT_NOISE if number == 1 else OPUS
        audio_packet = RtpPacket(
            codec.payload_type, FIRST + number, 960 * number, VIDEO_SSRC, b"\xf8\xff\xfe"
        )
        assert stream.receive(audio_packet, codec, 30, number / 50)
        assert stream.remap_forwarded(audio_packet) is audio_packet
    assert isinstance(stream.pipeline, AudioReceivePipeline)
    assert stream.codec is OPUS
    assert not stream.is_video
    assert stream.reception.packets == 4


def test_a_report_answers_the_last_one_of_the_source() -> None:
    stream = make_stream()
    for number in (0, 1, 3):
        receive_packet(stream, video_packet(number), number / 30)
    assert (stream.report_block(1.0).last_sender_report, stream.report_block(1.0).cumulative_lost) == (0, 1)
    report = SenderReport(VIDEO_SSRC, 0x0001_2345_6789_0000, 9000, 3, 150)
    for at in (2.0, 3.0):
        stream.handle_sender_report(report, at)
    block = stream.report_block(3.5)
    assert block.last_sender_report == 0x2345_6789
    assert block.delay_since_last_sender_report == 0x8000
    assert stream.last_report is not None
    assert stream.last_report.count == 2
    clock = stream.clock_of(report)
    assert clock is not None
    assert clock[0] == 9000
