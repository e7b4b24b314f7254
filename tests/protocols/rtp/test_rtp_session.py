"""Two sessions: negotiated features are used, and losses are repaired."""

import math
from itertools import pairwise

import attrs
import pytest

from tests.strategies.rtp_pair import (
    AUDIO,
    AUDIO_SSRC,
    COMFORT_NOISE,
    EXTENSIONS,
    FEC_SSRC,
    FLEXFEC,
    NAMES_ONLY,
    OPUS,
    RED_AUDIO,
    RED_RTX,
    RED_VIDEO,
    RTX_SSRC,
    TELEPHONE_EVENT,
    ULPFEC,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    Pair,
    audio_frame,
    audio_section,
    is_rtcp,
    make_session,
    random_loss,
    received,
    reported_bitrates,
    srtp_pair,
    ssrc_of,
    video_frame,
    video_section,
)
from trio_rtc.protocols.rtcp import ReceiverReport, encode
from trio_rtc.protocols.rtp import (
    Codec,
    EncodedFrame,
    Encoding,
    KeyframeRequested,
    RtpClosed,
    RtpOpened,
    RtpOptions,
    RtpPacket,
    StreamEnded,
    StreamStarted,
)


def numbers(pair: Pair) -> list[int]:
    """Return the frames that Bob has received."""
    return [
        int.from_bytes(frame.payload[10 if frame.keyframe else 3 :][:4], "big")
        for frame in pair.bob.frames(VIDEO)
    ]


def test_video_and_audio_are_received_complete_and_in_order() -> None:
    pair = Pair()
    pair.negotiate(video_section(), audio_section())
    pair.run(3, video=30, audio=True)
    pair.run(0.5)
    assert numbers(pair) == list(range(pair.video_frames))
    assert len(pair.bob.frames(AUDIO)) == pair.audio_frames
    assert [type(event) for event in pair.bob.events[:3]] == [RtpOpened, StreamStarted, StreamStarted]
    assert pair.bob.frames(AUDIO)[0].audio_level == 30


def test_lost_packets_are_requested_and_retransmitted() -> None:
    pair = Pair()
    pair.drop = random_loss(1, 0.1)
    pair.negotiate(video_section())
    pair.run(4, video=30)
    pair.drop = lambda _: False
    pair.run(1, video=30)
    pair.run(1)
    assert numbers(pair) == list(range(pair.video_frames))
    assert any(ssrc_of(each) == RTX_SSRC for each in pair.alice.datagrams if not is_rtcp(each))


def test_retransmissions_of_a_layer_name_it_also_after_the_layer_was_acknowledged() -> None:
    pair = Pair()
    layer = Encoding(VIDEO_SSRC, RTX_SSRC, rid="q")
    pair.negotiate(video_section(encodings=(layer,)), ssrcs={}, rtx_ssrcs={})
    # Padding that repeats packets would contain it at the beginning.
    pair.drop = lambda datagram: ssrc_of(datagram) == RTX_SSRC and not is_rtcp(datagram)
    pair.run(3, video=30)
    pair.drop = random_loss(1, 0.1)
    pair.run(3, video=30)
    pair.drop = lambda _: False
    pair.run(1, video=30)
    pair.run(1)
    assert numbers(pair) == list(range(pair.video_frames))


def test_without_rtx_the_same_packet_is_sent_again() -> None:
    pair = Pair()
    pair.drop = random_loss(2, 0.1)
    plain = attrs.evolve(VP8, rtx_payload_type=None)
    pair.negotiate(video_section(plain, encodings=(Encoding(VIDEO_SSRC),)))
    pair.run(3, video=30)
    pair.drop = lambda _: False
    pair.run(1, video=30)
    pair.run(1)
    assert numbers(pair) == list(range(pair.video_frames))
    media = [each for each in pair.alice.datagrams if not is_rtcp(each)]
    by_number: dict[bytes, set[bytes]] = {}
    for each in media:
        by_number.setdefault(each[2:4], set()).add(each)
    # Other bytes under the same number would be encrypted under the same nonce.
    assert all(len(versions) == 1 for versions in by_number.values())
    assert len(media) > len(by_number)


def test_a_keyframe_is_requested_when_retransmission_fails() -> None:
    pair = Pair()
    plain = attrs.evolve(VP8, rtx_payload_type=None, feedback=("nack pli",))
    pair.negotiate(video_section(plain, encodings=(Encoding(VIDEO_SSRC),)))
    pair.run(1, video=30)
    lost = random_loss(3, 1.0)
    pair.drop = lost
    pair.run(0.2, video=30)
    pair.drop = lambda _: False
    pair.run(1, video=30)
    assert KeyframeRequested(VIDEO, None) in pair.alice.events


def test_a_keyframe_is_requested_by_fir_where_the_peer_supports_nothing_else() -> None:
    pair = Pair()
    plain = attrs.evolve(VP8, rtx_payload_type=None, feedback=("ccm fir",))
    pair.negotiate(video_section(plain, encodings=(Encoding(VIDEO_SSRC),)))
    pair.run(1, video=30)
    pair.bob.session.request_keyframe(VIDEO, None, pair.now)
    pair.run(0.5)
    assert pair.alice.events.count(KeyframeRequested(VIDEO, None)) == 1
    pair.bob.session.request_keyframe(VIDEO, None, pair.now)
    pair.run(0.5)
    assert pair.alice.events.count(KeyframeRequested(VIDEO, None)) == 2


# Redundant audio.


def test_red_recovers_lost_audio() -> None:
    pair = Pair(RtpOptions(red_loss=0.0))
    pair.drop = random_loss(4, 0.1)
    pair.negotiate(audio_section(OPUS, RED_AUDIO))
    pair.run(6, audio=True)
    pair.run(0.5)
    played = {frame.payload for frame in pair.bob.frames(AUDIO)}
    assert pair.dropped > 15
    # Audio is lost only with two consecutive packets.
    assert len(played) > pair.audio_frames - pair.dropped / 3
    assert len(pair.bob.frames(AUDIO)) == len(played)
    (stream,) = pair.bob.session.receiver.streams
    assert stream.fec_counters.packets > 250
    assert stream.fec_counters.bytes == 65 * stream.fec_counters.packets
    assert stream.fec_counters.discarded == stream.fec_counters.packets - stream.counters.fec_recovered


@pytest.mark.parametrize("seed", range(3))
def test_red_recovers_audio_where_one_packet_in_fifty_is_lost(seed: int) -> None:
    pair = Pair()
    pair.negotiate(audio_section(OPUS, RED_AUDIO))
    pair.drop = random_loss(seed, 0.02)
    pair.run(10, audio=True)  # until the peer's reports show the loss
    before, dropped = len(pair.bob.frames(AUDIO)), pair.dropped
    pair.run(20, audio=True)
    missing = 1000 - (len(pair.bob.frames(AUDIO)) - before)
    assert pair.dropped - dropped > 10
    assert missing <= 5


def test_red_is_sent_only_while_there_is_loss() -> None:
    pair = Pair(RtpOptions(report_interval_audio=1.0))
    pair.negotiate(audio_section(OPUS, RED_AUDIO))
    bob = pair.bob
    pair.bob.session.set_demand(AUDIO, frames=True, packets=True)

    def redundant() -> int:
        sent = [each for each in pair.alice.datagrams if not is_rtcp(each) and each[1] & 0x7F == 63]
        pair.alice.datagrams.clear()
        return len(sent)

    pair.run(3, audio=True)
    assert redundant() == 0
    pair.drop = random_loss(5, 0.1)
    pair.run(6, audio=True)
    assert redundant() > 100
    pair.drop = lambda _: False
    pair.run(10, audio=True)
    redundant()
    pair.run(3, audio=True)
    assert redundant() == 0
    # Forwarded packets are plain, and each once.
    assert {packet.payload_type for packet in bob.packets} == {111}
    wire = [packet.sequence_number for packet in bob.packets]
    assert len(wire) == len(set(wire))


@pytest.mark.parametrize("path_feedback", [True, False])
def test_red_begins_with_loss_that_path_feedback_shows_before_a_report(path_feedback: bool) -> None:
    vp8, opus = (each if path_feedback else attrs.evolve(each, feedback=("nack",)) for each in (VP8, OPUS))
    pair = Pair(RtpOptions(report_interval_audio=1000.0))
    pair.negotiate(video_section(vp8), audio_section(opus, RED_AUDIO))
    pair.run(2, audio=True)
    pair.alice.datagrams.clear()
    pair.drop = random_loss(5, 0.1)
    pair.run(5, audio=True)
    redundant = [each for each in pair.alice.datagrams if not is_rtcp(each) and each[1] & 0x7F == 63]
    assert (len(redundant) > 100) is path_feedback


def test_red_and_plain_packets_may_alternate() -> None:
    pair = Pair(RtpOptions(red_loss=0.02, report_interval_audio=0.5))
    pair.negotiate(audio_section(OPUS, RED_AUDIO))
    for probability in (0.0, 0.2, 0.0, 0.2):
        pair.drop = random_loss(6, probability)
        pair.run(4, audio=True)
    pair.run(1)
    frames = [frame.payload for frame in pair.bob.frames(AUDIO)]
    assert len(frames) == len(set(frames))
    (stream,) = pair.bob.session.receiver.streams
    assert stream.codec == OPUS


# Telephone events and comfort noise in the audio stream.


@pytest.mark.parametrize("codec", [TELEPHONE_EVENT, COMFORT_NOISE])
def test_events_and_noise_do_not_disturb_the_audio(codec: Codec) -> None:
    pair = Pair()
    pair.negotiate(audio_section(OPUS, TELEPHONE_EVENT, COMFORT_NOISE))
    pair.run(1, audio=True)
    (stream,) = pair.bob.session.receiver.streams
    pipeline = stream.pipeline
    alice = pair.alice.session
    for index in range(3):
        alice.send_packets(
            AUDIO,
            [RtpPacket(codec.payload_type, 100 + index, 960 * index, 77, b"\x01\x0a\0\xa0")],
            pair.now,
        )
    pair.run(1, audio=True)
    assert stream.pipeline is pipeline
    assert len(pair.bob.frames(AUDIO)) > 95


# Error correction of video.


def without_retransmission(*codecs: Codec) -> list[Codec]:
    feedback = tuple(kind for kind in VP8.feedback if kind != "nack")
    return [attrs.evolve(VP8, feedback=feedback, rtx_payload_type=None), *codecs]


@pytest.mark.parametrize("scheme", ["ulpfec", "flexfec"])
def test_error_correction_gets_video_back_without_retransmission(scheme: str) -> None:
    pair = Pair(RtpOptions(fec_loss=0.0))
    codecs = without_retransmission(*((RED_VIDEO, ULPFEC) if scheme == "ulpfec" else (FLEXFEC,)))
    section = video_section(*codecs, fec=scheme == "flexfec")
    assert section.encodings[0].fec_ssrc == (FEC_SSRC if scheme == "flexfec" else None)
    pair.negotiate(attrs.evolve(section, encodings=(attrs.evolve(section.encodings[0], rtx_ssrc=None),)))
    pair.drop = random_loss(7, 0.15)
    pair.run(6, video=30, keyframes=30, size=4000)
    (stream,) = pair.bob.session.receiver.streams
    before = stream.counters.fec_recovered
    assert before > 10
    assert stream.fec_counters.packets > 10
    assert stream.fec_counters.bytes > 1000 * stream.fec_counters.packets
    assert 0 < stream.fec_counters.discarded < stream.fec_counters.packets
    assert stream.fec_ssrc == (FEC_SSRC if scheme == "flexfec" else None)
    seen = len(numbers(pair))
    pair.drop = random_loss(8, 0.05)
    pair.run(6, video=30, keyframes=30, size=4000)
    assert len(numbers(pair)) - seen > 120
    (sent, _), *_ = pair.alice.session.sender.streams
    assert sent.counters.packets_sent > 500
    assert sent.counters.fec_packets_sent > stream.fec_counters.packets
    assert sent.counters.fec_bytes_sent > stream.fec_counters.bytes
    # ULPFEC is among the media.
    sources = {ssrc_of(each) for each in pair.alice.datagrams if not is_rtcp(each)}
    assert sources == {VIDEO_SSRC} | ({FEC_SSRC} if scheme == "flexfec" else set())


@pytest.mark.parametrize("rtx_of_red", [True, False])
def test_ulpfec_and_retransmission_together_leave_no_gap(rtx_of_red: bool) -> None:
    pair = Pair(RtpOptions(fec_loss=0.0), delay=0.1)
    red = RED_VIDEO if rtx_of_red else attrs.evolve(RED_VIDEO, rtx_payload_type=None)
    pair.negotiate(video_section(VP8, VP8_RTX, red, RED_RTX, ULPFEC))
    pair.bob.session.set_demand(VIDEO, frames=True, packets=True)
    pair.drop = random_loss(9, 0.08)
    pair.run(8, video=30)
    pair.drop = lambda _: False
    pair.run(2, video=30)
    pair.run(1)
    in_red = any(each[1] & 0x7F == 118 for each in pair.alice.datagrams if not is_rtcp(each))
    # A lost FEC packet that cannot be retransmitted would leave a permanent gap.
    assert in_red is rtx_of_red
    assert {packet.payload_type for packet in pair.bob.packets} == {96}
    seen = numbers(pair)
    assert seen == sorted(set(seen))
    assert len(seen) > pair.video_frames * 0.9
    assert seen[-1] == pair.video_frames - 1


def test_error_correction_is_not_sent_without_loss() -> None:
    pair = Pair()
    pair.negotiate(video_section(VP8, VP8_RTX, RED_VIDEO, RED_RTX, ULPFEC))
    pair.run(4, video=30)
    assert not [each for each in pair.alice.datagrams if not is_rtcp(each) and each[1] & 0x7F == 118]


# Bandwidth feedback.


def test_transport_wide_feedback_raises_the_estimate() -> None:
    pair = Pair()
    pair.negotiate(video_section())
    pair.run(4, video=30, size=4000)
    assert reported_bitrates(pair.alice)[-1] > 600_000


def test_feedback_of_sources_raises_the_estimate() -> None:
    pair = Pair()
    feedback = ("nack", "nack pli", "ack ccfb")
    codec = attrs.evolve(VP8, feedback=feedback)
    pair.negotiate(video_section(codec, VP8_RTX, extensions=NAMES_ONLY))
    pair.run(4, video=30, size=4000)
    assert reported_bitrates(pair.alice)[-1] > 600_000
    assert pair.alice.session.bandwidth.statistics().acknowledged_bitrate is not None
    reported = pair.bob.session.receiver.ccfb_sent
    assert reported > 30
    assert reported - 2 <= pair.alice.session.ccfb_received <= reported


def test_congestion_control_feedback_reports_losses() -> None:
    pair = Pair()
    codec = attrs.evolve(VP8, feedback=("nack", "nack pli", "ack ccfb"))
    pair.negotiate(video_section(codec, VP8_RTX, extensions=NAMES_ONLY))
    pair.drop = random_loss(10, 0.3)
    pair.run(5, video=30)
    assert 0.15 < pair.alice.session.bandwidth.statistics().loss_fraction < 0.45


def test_remb_is_sent_to_a_peer_without_better_feedback() -> None:
    pair = Pair()
    codec = attrs.evolve(VP8, feedback=("nack", "nack pli", "goog-remb"))
    pair.negotiate(video_section(codec, VP8_RTX))
    pair.run(8, video=30, size=4000)
    remb = pair.alice.session.bandwidth.statistics().remb_bitrate
    assert remb is not None
    assert remb > 300_000
    assert pair.bob.session.receiver.available_incoming_bitrate == pytest.approx(remb, rel=0.05)
    assert pair.alice.session.receiver.available_incoming_bitrate is None


def test_no_bandwidth_feedback_is_sent_without_negotiation() -> None:
    pair = Pair()
    codec = attrs.evolve(VP8, feedback=("nack", "nack pli"))
    pair.negotiate(video_section(codec, VP8_RTX))
    pair.run(3, video=30)
    statistics = pair.alice.session.bandwidth.statistics()
    assert statistics.remb_bitrate is None
    assert statistics.acknowledged_bitrate is None


# Synchronization of audio and video.


def skew(pair: Pair) -> float:
    """Return the lag of the last video frame behind the audio captured at the same time."""
    delays = {
        mid: at - pair.sent_at[each.payload]
        for at, mid, each in pair.bob.played
        if isinstance(each, EncodedFrame)
    }
    return delays[VIDEO] - delays[AUDIO]


@pytest.mark.parametrize(("late", "together"), [(VIDEO, True), (VIDEO, False), (AUDIO, True), (AUDIO, False)])
def test_audio_and_video_of_one_stream_wait_for_each_other(late: str, together: bool) -> None:
    pair = Pair()
    pair.negotiate(video_section(), audio_section(), sync_group="stream" if together else None)
    slow = VIDEO_SSRC if late == VIDEO else AUDIO_SSRC
    waiting: list[tuple[float, bytes]] = []
    bob = pair.bob.session
    receive = bob.receive

    def hold_back(datagram: bytes) -> bool:
        if is_rtcp(datagram) or ssrc_of(datagram) != slow:
            return False
        waiting.append((pair.now + 0.22, datagram))
        return True

    pair.drop = hold_back
    for _ in range(500):
        pair.run(0.02, video=25, audio=True)
        while waiting and waiting[0][0] <= pair.now:
            receive([waiting.pop(0)[1]], pair.now)
            pair.collect_events(pair.bob)
    if together:
        assert abs(skew(pair)) < 0.09
    else:
        assert abs(skew(pair)) > 0.12


# Silence, and streams without demand.


def test_audio_that_ends_stops_its_timer() -> None:
    pair = Pair()
    pair.negotiate(audio_section())
    pair.run(1, audio=True)
    pair.run(4)
    (stream,) = pair.bob.session.receiver.streams
    assert stream.pipeline is not None
    assert stream.pipeline.next_timer() == math.inf
    concealed = len(pair.bob.concealed(AUDIO))
    assert 0 < concealed < 120
    pair.run(20)
    assert len(pair.bob.concealed(AUDIO)) == concealed
    pair.run(1, audio=True)
    assert len(pair.bob.frames(AUDIO)) > 90


def test_silence_that_is_not_sent_is_no_loss() -> None:
    pair = Pair()
    pair.negotiate(audio_section())
    pair.run(0.5, audio=True)
    for _ in range(5):
        pair.run(0.4)
        pair.run(0.019, audio=True)
    (stream,) = pair.bob.session.receiver.streams
    counters = stream.frame_stats.playout
    assert counters.silence > 1.4 * 48000
    # At the end of each silence one frame is expected that was not sent yet.
    assert counters.concealed <= 5 * 2 * 960


def test_streams_without_demand_have_no_timers() -> None:
    pair = Pair()
    section = video_section(attrs.evolve(VP8, feedback=("nack", "nack pli")), VP8_RTX)
    pair.negotiate(section)
    pair.bob.session.set_demand(VIDEO, frames=False, packets=False)
    # The first packets are kept, and requested if lost, for an early consumer.
    pair.run(3, video=90)
    pair.drop = random_loss(11, 0.2)
    pair.run(3, video=30)
    (stream,) = pair.bob.session.receiver.streams
    assert stream.next_timer() == math.inf
    assert stream.pipeline is None
    assert stream.counters.nacks_sent == 0
    assert stream.counters.plis_sent == 0
    pair.drop = lambda _: False
    pair.bob.session.set_demand(VIDEO, frames=True, packets=False)
    pair.run(1, video=30)
    assert KeyframeRequested(VIDEO, None) in pair.alice.events


# SSRCs that start and end.


def test_a_bye_ends_the_stream_and_nothing_follows() -> None:
    pair = Pair()
    pair.negotiate(video_section(), audio_section())
    pair.run(1, video=30, audio=True)
    pair.alice.session.close(pair.now)
    pair.run(1)
    assert {event.ssrc for event in pair.bob.events if isinstance(event, StreamEnded)} == {
        VIDEO_SSRC,
        AUDIO_SSRC,
    }
    assert pair.alice.events[-1] == RtpClosed()
    sent = len(pair.alice.datagrams)
    pair.run(30)
    assert len(pair.alice.datagrams) == sent


def test_a_removed_section_sends_bye_and_drops_queued_packets() -> None:
    pair = Pair()
    pair.negotiate(video_section(), audio_section())
    pair.run(1, video=30, audio=True)
    for number in range(5):
        pair.alice.session.send_frame(VIDEO, video_frame(1000 + number, pair.now, 20000), pair.now)
    pair.alice.session.set_sections([audio_section()], [], pair.now)
    pair.alice.datagrams.clear()
    pair.run(1, audio=True)
    assert VIDEO_SSRC not in {ssrc_of(each) for each in pair.alice.datagrams if not is_rtcp(each)}
    assert StreamEnded(VIDEO, VIDEO_SSRC, None) in pair.bob.events


def test_a_source_that_falls_silent_is_forgotten() -> None:
    pair = Pair(RtpOptions(source_timeout=5.0))
    pair.negotiate(audio_section())
    pair.run(1, audio=True)
    pair.run(3)
    assert not [event for event in pair.bob.events if isinstance(event, StreamEnded)]
    pair.run(3)
    assert StreamEnded(AUDIO, AUDIO_SSRC, None) in pair.bob.events


def test_another_ssrc_replaces_the_first() -> None:
    pair = Pair()
    first = video_section()
    pair.alice.session.set_sections([first], [], pair.now)
    pair.bob.session.set_sections([], [received(first, ssrcs={}, rtx_ssrcs={})], pair.now)
    pair.bob.session.set_demand(VIDEO, frames=True, packets=False)
    pair.run(1, video=30)
    second = attrs.evolve(first, encodings=(Encoding(3000, 3001),))
    pair.drop = is_rtcp  # No BYE.
    pair.alice.session.set_sections([second], [], pair.now)
    pair.run(0.1)
    pair.drop = lambda _: False
    for number in range(30):
        pair.alice.session.send_frame(
            VIDEO, video_frame(500 + number, pair.now, keyframe=not number), pair.now
        )
        pair.run(1 / 30)
    pair.run(0.2)
    assert StreamEnded(VIDEO, VIDEO_SSRC, None) in pair.bob.events
    assert StreamStarted(VIDEO, 3000, None) in pair.bob.events
    assert numbers(pair)[-1] == 529
    assert [stream.ssrc for stream in pair.bob.session.receiver.streams] == [3000]


def test_late_packets_of_a_replaced_source_do_not_bring_it_back() -> None:
    pair = Pair()
    first = audio_section(extensions=NAMES_ONLY)
    pair.alice.session.set_sections([first], [], pair.now)
    pair.bob.session.set_sections([], [received(first, ssrcs={})], pair.now)
    pair.run(1, audio=True)
    late: list[bytes] = []

    def keep(datagram: bytes) -> bool:
        late.append(datagram)
        return True

    pair.drop = keep
    pair.run(0.1, audio=True)
    pair.drop = lambda _: False
    pair.alice.session.set_sections([attrs.evolve(first, encodings=(Encoding(3000),))], [], pair.now)
    pair.run(0.1, audio=True)
    before = pair.bob.session.receiver.dropped["departed"]
    pair.bob.session.receive([each for each in late if not is_rtcp(each)], pair.now)
    assert pair.bob.session.receiver.dropped["departed"] > before
    assert [stream.ssrc for stream in pair.bob.session.receiver.streams] == [3000]


def test_a_flood_of_sources_is_bounded_and_heals() -> None:
    options = RtpOptions(max_streams=8, max_idle_sources=8)
    srtp, peer = srtp_pair()
    bob = make_session(2, options)
    bob.set_keys(peer, 0.0)
    section = received(audio_section(), ssrcs={})
    layers = attrs.evolve(section, extensions=EXTENSIONS)
    bob.set_sections([], [layers], 0.0)
    now = 0.0
    for ssrc in range(5000, 5400):
        now += 0.01
        names = ((4, AUDIO.encode()), (10, b"r%d" % ssrc))
        bob.receive([srtp.protect(RtpPacket(111, 1, 0, ssrc, b"\xfc", extensions=names).encode())], now)
    assert len(list(bob.receiver.streams)) <= 8
    assert len(peer.inbound_sources) <= 24
    assert bob.receiver.dropped["too many streams"] == 392
    bob.handle_timer(now + 61)
    assert not list(bob.receiver.streams)
    name = ((4, AUDIO.encode()),)
    bob.receive([srtp.protect(RtpPacket(111, 1, 0, 9999, b"\xfc", extensions=name).encode())], now + 62)
    assert [stream.ssrc for stream in bob.receiver.streams] == [9999]


def test_sources_of_reports_are_bounded_too() -> None:
    srtp, peer = srtp_pair()
    bob = make_session(2, RtpOptions(max_idle_sources=8))
    bob.set_keys(peer, 0.0)
    bob.set_sections([], [received(audio_section())], 0.0)
    for ssrc in range(7000, 7100):
        bob.receive([srtp.protect_rtcp(encode([ReceiverReport(ssrc, ())]))], 0.0)
    assert len(peer.inbound_sources) <= 8


def test_only_packets_with_invalid_identifiers_are_dropped() -> None:
    srtp, peer = srtp_pair()
    bob = make_session(2)
    bob.set_keys(peer, 0.0)
    bob.set_sections([], [received(audio_section(), ssrcs={}), received(video_section(), ssrcs={})], 0.0)
    for ssrc, name in enumerate((b"\xff\xfe", b"x" * 255, b"", "ünï".encode(), b"0\0", b"\0"), start=10):
        packet = RtpPacket(111, 1, 0, ssrc, b"\xfc", extensions=((4, name),))
        bob.receive([srtp.protect(packet.encode())], 0.0)
    # Invalid UTF-8 is ignored, and the payload type decides; the name of an unknown section drops the packet.
    assert {stream.ssrc for stream in bob.receiver.streams} <= {10, 12}
    assert bob.receiver.dropped["no section"] == 4


# Keys, and the beginning.


def test_packets_before_the_keys_wait() -> None:
    srtp, peer = srtp_pair()
    bob = make_session(2)
    bob.set_sections([], [received(audio_section())], 0.0)
    early = [
        srtp.protect(RtpPacket(111, n, 960 * n, AUDIO_SSRC, b"\xfc" * 30).encode()) for n in range(1, 101)
    ]
    bob.receive(early, 0.0)
    assert bob.dropped["too early"] == 36
    assert bob.events() == []
    bob.set_keys(peer, 0.1)
    assert bob.events() == [RtpOpened(), StreamStarted(AUDIO, AUDIO_SSRC, None)]
    (stream,) = bob.receiver.streams
    assert stream.reception.packets == 64


def test_no_packet_is_sent_before_the_keys() -> None:
    pair = Pair(keys=False)
    pair.negotiate(video_section(), audio_section())
    pair.run(2, video=30, audio=True)
    assert pair.alice.datagrams == []
    pair.alice.session.set_sections([], [], pair.now)
    pair.set_keys()
    pair.run(1)
    assert pair.alice.datagrams == []


def test_renegotiation_of_the_same_does_not_disturb() -> None:
    pair = Pair()
    pair.negotiate(video_section(), audio_section())
    for _ in range(10):
        pair.run(0.3, video=30, audio=True)
        pair.negotiate(video_section(), audio_section())
    pair.run(0.5)
    assert numbers(pair) == list(range(pair.video_frames))
    assert not [event for event in pair.alice.events if isinstance(event, KeyframeRequested)]
    assert len(pair.bob.frames(AUDIO)) == pair.audio_frames


def test_extensions_may_get_other_numbers() -> None:
    pair = Pair()
    pair.negotiate(video_section())
    pair.run(1, video=30)
    moved = {number + 1: uri for number, uri in EXTENSIONS.items()}
    pair.run(0.1)
    pair.negotiate(video_section(extensions=moved))
    pair.run(1, video=30)
    pair.run(0.2)
    assert numbers(pair) == list(range(pair.video_frames))
    assert pair.bob.session.dropped.total() == 0


def test_the_same_seed_sends_the_same_bytes() -> None:
    def sent() -> list[bytes]:
        pair = Pair(RtpOptions(fec_loss=0.0, red_loss=0.0))
        pair.drop = random_loss(12, 0.1)
        pair.negotiate(
            video_section(VP8, VP8_RTX, RED_VIDEO, RED_RTX, ULPFEC), audio_section(OPUS, RED_AUDIO)
        )
        pair.run(2, video=30, audio=True)
        return pair.alice.datagrams + pair.bob.datagrams

    assert sent() == sent()


def test_bitrates_leave_room_for_error_correction() -> None:
    pair = Pair(RtpOptions(fec_loss=0.0), delay=0.15)
    pair.negotiate(video_section(VP8, VP8_RTX, RED_VIDEO, RED_RTX, ULPFEC))
    pair.drop = random_loss(13, 0.1)
    pair.run(5, video=30)
    ((stream, report),) = pair.alice.session.sender.streams
    assert report.fraction_lost > 0
    assert stream.overhead > 0.05
    assert stream.target_bitrate is not None
    assert stream.target_bitrate < pair.alice.session.bandwidth.available


def test_video_timestamps_and_intervals_are_those_of_the_sender() -> None:
    pair = Pair()
    pair.negotiate(video_section())
    pair.run(1, video=30)
    stamps = [frame.timestamp for frame in pair.bob.frames(VIDEO)]
    assert {after - before for before, after in pairwise(stamps)} == {3000}


def test_audio_before_the_demand_is_not_kept() -> None:
    pair = Pair()
    pair.negotiate(audio_section())
    pair.bob.session.set_demand(AUDIO, frames=False, packets=True)
    pair.run(1, audio=True)
    assert len(pair.bob.packets) > 45
    assert pair.bob.frames(AUDIO) == []
    pair.alice.session.send_frame(AUDIO, audio_frame(0, pair.now), pair.now)
    pair.bob.session.set_demand(AUDIO, frames=True, packets=False)
    pair.run(1, audio=True)
    assert len(pair.bob.frames(AUDIO)) > 45


@pytest.mark.parametrize("mid", [AUDIO, VIDEO])
def test_frames_have_the_minimum_delay_of_the_application(mid: str) -> None:
    """W3C webrtc-extensions, ``jitterBufferTarget``: on a quiet network nothing else would hold them."""
    ages = []
    for min_delay in (0.0, 0.5):
        pair = Pair()
        pair.negotiate(video_section(), audio_section())
        pair.bob.session.set_demand(mid, frames=True, packets=False, min_delay=min_delay)
        pair.run(5, video=30, audio=True)
        at, _, frame = [
            each for each in pair.bob.played if each[1] == mid and isinstance(each[2], EncodedFrame)
        ][-1]
        assert isinstance(frame, EncodedFrame)
        ages.append(at - pair.sent_at[frame.payload])
    assert ages[0] < 0.1
    assert ages[1] - ages[0] == pytest.approx(0.5, abs=0.1)


def test_without_keys_nothing_is_sent_or_received_until_there_are_others() -> None:
    """The DTLS association that replaced another one has failed."""
    session = Pair().alice.session
    session.set_sections([video_section()], [], 0.0)
    assert session.is_open
    session.remove_keys()
    assert not session.is_open
    assert session.next_timer() == math.inf
    assert session.datagrams_to_send(1.0) == []
    session.set_keys(srtp_pair()[0], 1.0)
    assert session.is_open
