"""Statistics of audio and video: both ends agree, on good and bad networks."""

import json
from contextlib import AsyncExitStack
from typing import TypeVar

import attrs
import pytest
import trio

from tests.api.w3c_coverage import definitions
from tests.strategies.calls import FRAME_RATE, HEIGHT, LEVEL, WIDTH, Call, call, vp8_frame
from tests.strategies.peers import WALL_CLOCK, connect, description_of, two_peers
from trio_rtc import (
    InvalidAccessError,
    LayerStats,
    RTCAudioSourceStats,
    RTCCertificateStats,
    RTCCodecStats,
    RTCIceCandidatePairStats,
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCPeerConnection,
    RTCQualityLimitationReason,
    RTCRemoteInboundRtpStreamStats,
    RTCRemoteOutboundRtpStreamStats,
    RTCRtpEncodingParameters,
    RTCStatsReport,
    RTCTransportStats,
    RTCVideoSourceStats,
    Settings,
    open_media_track,
)
from trio_rtc._connection.statistics.media import StreamNumbers
from trio_rtc._pipeline.send_pipeline import EncodingStats
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

DELAY = 0.03
LOSSY = Link(delay=DELAY, loss=0.05)
CLEAN = Link(delay=DELAY)
ROUND_TRIP = 2 * DELAY

StatsT = TypeVar("StatsT")


def one(report: RTCStatsReport, kind: type[StatsT], media: str | None = None) -> StatsT:
    """Return the only object of a class and a kind of media."""
    (found,) = [
        stats for stats in report.values() if isinstance(stats, kind) and media in (None, kind_of(stats))
    ]
    return found


def kind_of(stats: object) -> object:
    return getattr(stats, "kind", None)


async def test_both_ends_of_a_clean_call_agree() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(5)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    for media in ("audio", "video"):
        outbound = one(sent, RTCOutboundRtpStreamStats, media)
        inbound = one(received, RTCInboundRtpStreamStats, media)
        assert (inbound.ssrc, inbound.mid) == (outbound.ssrc, outbound.mid)
        assert inbound.packets_received == outbound.packets_sent > 0
        assert inbound.bytes_received == outbound.bytes_sent > 0
        assert inbound.header_bytes_received == outbound.header_bytes_sent > 0
        assert (inbound.packets_lost, inbound.packets_discarded, inbound.nack_count) == (0, 0, 0)
        assert inbound.jitter < 0.01
        assert outbound.active
        assert outbound.target_bitrate
    outbound = one(sent, RTCOutboundRtpStreamStats, "video")
    inbound = one(received, RTCInboundRtpStreamStats, "video")
    assert outbound.frames_sent == inbound.frames_received == running.video_frames
    assert (outbound.frame_width, outbound.frame_height) == (WIDTH, HEIGHT)
    assert (inbound.frame_width, inbound.frame_height) == (WIDTH, HEIGHT)
    assert inbound.jitter_buffer_emitted_count == running.video_frames
    assert inbound.frames_assembled_from_multiple_packets == running.video_frames
    assert inbound.total_assembly_time is not None
    assert 0 < inbound.total_assembly_time <= inbound.jitter_buffer_delay
    assert (inbound.freeze_count, inbound.pause_count, inbound.frames_dropped) == (0, 0, 0)
    assert outbound.rtx_ssrc is not None
    assert inbound.rtx_ssrc == outbound.rtx_ssrc
    assert 0 < outbound.total_packet_send_delay < outbound.packets_sent * 0.04


async def test_remote_statistics_match_those_of_the_peer() -> None:
    async with call(link=LOSSY) as running:
        await running.send_audio_and_video(6)
        # Until the last reports have arrived: those on audio are sent every five seconds, or half as much later.
        await trio.sleep(15)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    for media in ("audio", "video"):
        inbound = one(received, RTCInboundRtpStreamStats, media)
        of_ours = one(sent, RTCRemoteInboundRtpStreamStats, media)
        of_theirs = one(received, RTCRemoteOutboundRtpStreamStats, media)
        assert of_ours.packets_lost == inbound.packets_lost > 0
        assert of_ours.jitter == pytest.approx(inbound.jitter, abs=0.001)
        assert 0 <= of_ours.fraction_lost < 1
        # ULPFEC packets are sent in the stream that they protect.
        repairs = one(sent, RTCOutboundRtpStreamStats, media).fec_packets_sent or 0
        assert of_theirs.packets_sent == media_packets(running, media) + repairs
        assert of_theirs.reports_sent > 2
        assert of_ours.round_trip_time == pytest.approx(ROUND_TRIP, abs=0.02)
        assert of_theirs.round_trip_time == pytest.approx(ROUND_TRIP, abs=0.02)
        for remote in (of_ours, of_theirs):
            average = remote.total_round_trip_time / remote.round_trip_time_measurements
            assert average == pytest.approx(ROUND_TRIP, abs=0.02)
        assert of_theirs.timestamp - of_theirs.remote_timestamp == pytest.approx(1000 * DELAY, abs=5)
        assert of_theirs.timestamp < inbound.timestamp


def media_packets(running: Call, media: str) -> int:
    """Return the number of media packets: three for a video frame, one for an audio frame."""
    return 3 * running.video_frames if media == "video" else running.audio_frames


async def test_retransmissions_and_fec_are_counted_at_both_ends() -> None:
    async with call(seed=1, link=LOSSY) as running:
        await running.send_audio_and_video(8)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    outbound = one(sent, RTCOutboundRtpStreamStats, "video")
    inbound = one(received, RTCInboundRtpStreamStats, "video")
    assert inbound.nack_count >= outbound.nack_count > 0
    assert outbound.retransmitted_packets_sent > 0
    assert outbound.retransmitted_bytes_sent > 0
    assert inbound.retransmitted_packets_received
    assert inbound.retransmitted_packets_received <= outbound.packets_sent - media_packets(running, "video")
    assert inbound.frames_received is not None
    assert inbound.frames_received >= 0.97 * running.video_frames
    audio_stats = one(received, RTCInboundRtpStreamStats, "audio")
    assert audio_stats.concealed_samples
    assert audio_stats.concealment_events
    assert audio_stats.silent_concealed_samples == 0
    assert audio_stats.retransmitted_packets_received is None, "no RTX was negotiated for it"
    assert one(sent, RTCOutboundRtpStreamStats, "audio").rtx_ssrc is None


async def test_keyframe_requests_are_counted_at_both_ends() -> None:
    async with call(link=CLEAN) as running:
        await running.send_video(2)
        running.receiver.request_keyframe()
        await running.send_video(2)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    outbound = one(sent, RTCOutboundRtpStreamStats, "video")
    inbound = one(received, RTCInboundRtpStreamStats, "video")
    assert inbound.pli_count == outbound.pli_count
    assert inbound.pli_count is not None
    assert inbound.pli_count >= 1
    assert (inbound.fir_count, outbound.fir_count) == (0, 0)


async def test_rates_are_of_the_last_second() -> None:
    async with call(link=CLEAN) as running:
        await running.send_video(3)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
        await trio.sleep(2)
        later = await running.peers.alice.get_stats()
    rates = [
        one(sent, RTCVideoSourceStats).frames_per_second,
        one(sent, RTCOutboundRtpStreamStats).frames_per_second,
        one(received, RTCInboundRtpStreamStats).frames_per_second,
    ]
    assert rates == pytest.approx([FRAME_RATE] * 3, abs=2)
    assert one(later, RTCOutboundRtpStreamStats).frames_per_second == 0


async def test_freezes_and_pauses_of_video() -> None:
    async with call(link=CLEAN) as running:
        await running.send_video(2)
        await trio.sleep(1)
        await running.send_video(2)
        await trio.sleep(7)
        await running.send_video(1)
        inbound = one(await running.peers.bob.get_stats(), RTCInboundRtpStreamStats)
    assert (inbound.freeze_count, inbound.pause_count) == (1, 1)
    assert inbound.total_freezes_duration == pytest.approx(1, abs=0.1)
    assert inbound.total_pauses_duration == pytest.approx(7, abs=0.1)
    assert inbound.total_inter_frame_delay == pytest.approx(5 + 1 + 7, abs=0.2)
    assert inbound.total_squared_inter_frame_delay == pytest.approx(1 + 49, abs=2)


@pytest.mark.parametrize(("target", "of_audio"), [(500, 0.5), (1500, 1.5), (2500, 1.5), (4000, 1.5)])
async def test_delay_of_the_jitter_buffer_follows_its_target(target: float, of_audio: float) -> None:
    """Audio is delayed for as long as its buffer has room, and is not silent where the target is longer."""
    async with call(link=CLEAN) as running:
        for receiver in running.peers.bob.get_receivers():
            receiver.jitter_buffer_target = target
        await running.send_audio_and_video(10)
        report = await running.peers.bob.get_stats()
    audio = one(report, RTCInboundRtpStreamStats, "audio")
    video = one(report, RTCInboundRtpStreamStats, "video")
    for inbound, delay in ((audio, of_audio), (video, target / 1000)):
        assert inbound.jitter_buffer_delay / inbound.jitter_buffer_emitted_count == pytest.approx(
            delay, abs=0.05
        )
        assert inbound.packets_discarded == 0
    assert audio.jitter_buffer_emitted_count == pytest.approx((10.5 - of_audio) * 48_000, rel=0.02)
    assert audio.concealed_samples == 0
    assert video.jitter_buffer_emitted_count == pytest.approx((10.5 - target / 1000) * FRAME_RATE, abs=2)
    assert video.freeze_count == 0


async def test_minimum_delay_of_audio_does_not_follow_the_application() -> None:
    async with call(link=CLEAN) as running:
        for receiver in running.peers.bob.get_receivers():
            receiver.jitter_buffer_target = 300
        await running.send_audio(4)
        inbound = one(await running.peers.bob.get_stats(), RTCInboundRtpStreamStats, "audio")
    assert inbound.jitter_buffer_target_delay is not None
    assert inbound.jitter_buffer_minimum_delay is not None
    assert inbound.jitter_buffer_target_delay / inbound.jitter_buffer_emitted_count == pytest.approx(0.3)
    assert inbound.jitter_buffer_minimum_delay / inbound.jitter_buffer_emitted_count == pytest.approx(0.01)


async def test_audio_and_its_level() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio(4)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    level = 10 ** (-LEVEL / 20)
    source = one(sent, RTCAudioSourceStats)
    inbound = one(received, RTCInboundRtpStreamStats, "audio")
    assert source.audio_level == pytest.approx(level)
    assert source.total_samples_duration == pytest.approx(4)
    assert source.total_audio_energy == pytest.approx(4 * level**2)
    assert inbound.audio_level == pytest.approx(level)
    assert inbound.total_audio_energy == pytest.approx(4 * level**2, rel=0.05)
    assert inbound.total_samples_duration == pytest.approx(4, abs=0.1)
    assert inbound.total_samples_received == pytest.approx(4 * 48_000, rel=0.05)
    assert inbound.jitter_buffer_target_delay is not None
    assert 0 < inbound.jitter_buffer_delay / inbound.jitter_buffer_emitted_count < 0.1
    assert 0 < inbound.jitter_buffer_target_delay / inbound.jitter_buffer_emitted_count < 0.1


async def test_members_of_one_kind_are_none_for_the_other() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(2)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    outbound = attrs.asdict(one(sent, RTCOutboundRtpStreamStats, "audio"))
    inbound = attrs.asdict(one(received, RTCInboundRtpStreamStats, "audio"))
    for stats in (outbound, inbound):
        video_stats = [name for name in stats if "frame" in name or name in ("pli_count", "fir_count")]
        assert {stats[name] for name in video_stats} == {None}
    video = attrs.asdict(one(received, RTCInboundRtpStreamStats, "video"))
    audio_stats = [name for name in video if "sample" in name or "conceal" in name or "audio" in name]
    assert {video[name] for name in audio_stats} == {None}
    assert outbound["quality_limitation_reason"] is None


async def test_every_reference_has_the_type_of_its_name() -> None:
    kinds = {
        "transport_id": {"transport"},
        "codec_id": {"codec"},
        "media_source_id": {"media-source"},
        "remote_id": {"remote-inbound-rtp", "remote-outbound-rtp"},
        "local_id": {"outbound-rtp", "inbound-rtp"},
        "local_candidate_id": {"local-candidate"},
        "remote_candidate_id": {"remote-candidate"},
        "local_certificate_id": {"certificate"},
        "remote_certificate_id": {"certificate"},
        "selected_candidate_pair_id": {"candidate-pair"},
    }
    seen: set[str] = set()
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(3)
        await trio.sleep(5)
        for peer in (running.peers.alice, running.peers.bob):
            report = await peer.get_stats()
            assert all(name == stats.id for name, stats in report.items())
            for stats in report.values():
                for name, value in attrs.asdict(stats, recurse=False).items():
                    if name.endswith("_id") and value is not None:
                        assert report[value].type in kinds[name]
                        seen.add(name)
    assert seen == set(kinds)


async def test_local_and_remote_halves_refer_to_each_other() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(3)
        await trio.sleep(5)
        for peer in (running.peers.alice, running.peers.bob):
            report = await peer.get_stats()
            pairs = 0
            for stats in report.values():
                if isinstance(stats, RTCOutboundRtpStreamStats | RTCInboundRtpStreamStats):
                    assert stats.remote_id is not None
                    remote = report[stats.remote_id]
                    assert isinstance(
                        remote, RTCRemoteInboundRtpStreamStats | RTCRemoteOutboundRtpStreamStats
                    )
                    assert remote.local_id == stats.id
                    assert remote.ssrc == stats.ssrc
                    pairs += 1
            assert pairs == 2


async def test_ids_are_stable_and_counters_only_grow() -> None:
    reports: list[RTCStatsReport] = []
    async with call(seed=3, link=LOSSY) as running:
        for _ in range(4):
            await running.send_audio_and_video(2)
            reports.append(await running.peers.bob.get_stats())
    grows = [
        field.name
        for field in attrs.fields(RTCInboundRtpStreamStats)
        if field.name.endswith(("_count", "_received", "_samples", "_events", "_duration", "_delay"))
    ]
    assert len(grows) > 15
    for media in ("audio", "video"):
        streams = [one(report, RTCInboundRtpStreamStats, media) for report in reports]
        assert len({stats.id for stats in streams}) == 1
        assert len({stats.codec_id for stats in streams}) == 1
        for name in grows:
            values = [getattr(stats, name) for stats in streams if getattr(stats, name) is not None]
            assert values == sorted(values), name
        assert streams[0].timestamp < streams[-1].timestamp
        assert all(stats.last_packet_received_timestamp <= stats.timestamp for stats in streams)


async def test_counters_continue_for_a_later_reader() -> None:
    counts: list[int] = []
    async with call(link=CLEAN, watched=False) as running:
        for _ in range(2):
            async with running.receiver.encoded_frames():
                await running.send_video(1)
                await trio.sleep(0.1)
            await running.send_video(1)
            inbound = one(await running.peers.bob.get_stats(), RTCInboundRtpStreamStats, "video")
            assert inbound.frames_received is not None
            counts.append(inbound.frames_received)
    # The second reader needs a keyframe, which takes a round trip.
    assert counts == pytest.approx([2 * FRAME_RATE, 4 * FRAME_RATE], abs=4)


@pytest.mark.parametrize("with_packets", [False, True])
async def test_frames_without_a_reader_are_received(with_packets: bool) -> None:
    async with call(link=CLEAN, watched=False) as running, AsyncExitStack() as stack:
        if with_packets:
            await stack.enter_async_context(running.receiver.rtp_packets())
        # Longer than the first packets are kept for a reader.
        await running.send_video(3)
        await trio.sleep(DELAY)
        inbound = one(await running.peers.bob.get_stats(), RTCInboundRtpStreamStats, "video")
        assert inbound.frames_received == running.video_frames
        assert inbound.frames_per_second == pytest.approx(FRAME_RATE, abs=1)
        assert (inbound.frames_decoded, inbound.frames_dropped) == (0, 0)


async def test_kept_frames_are_received_once() -> None:
    async with call(link=CLEAN, watched=False) as running:
        await running.send_video(1)
        await trio.sleep(DELAY)
        async with running.receiver.encoded_frames():
            await running.send_video(1)
            await trio.sleep(DELAY)
            inbound = one(await running.peers.bob.get_stats(), RTCInboundRtpStreamStats, "video")
    assert inbound.frames_received == running.video_frames


async def test_only_used_codecs_are_reported() -> None:
    async with call(link=CLEAN) as running:
        assert not [
            stats for stats in (await running.peers.alice.get_stats()).values() if stats.type == "codec"
        ]
        await running.send_audio_and_video(1)
        report = await running.peers.alice.get_stats()
    codecs = {stats.mime_type: stats for stats in report.values() if isinstance(stats, RTCCodecStats)}
    assert codecs.keys() == {"audio/opus", "video/VP8"}
    opus, vp8 = codecs["audio/opus"], codecs["video/VP8"]
    assert (opus.clock_rate, opus.channels) == (48_000, 2)
    assert (vp8.clock_rate, vp8.channels, vp8.sdp_fmtp_line) == (90_000, None, None)
    assert opus.sdp_fmtp_line is not None
    assert "useinbandfec=1" in opus.sdp_fmtp_line
    for line in (f"a=rtpmap:{opus.payload_type} opus/48000/2", f"a=rtpmap:{vp8.payload_type} VP8/90000"):
        assert running.peers.bob.local_description is not None
        assert line in running.peers.bob.local_description.sdp


async def test_timestamps_are_times_of_day() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(1)
        report = await running.peers.bob.get_stats()
        now = 1000 * (WALL_CLOCK + trio.current_time())
    inbound = one(report, RTCInboundRtpStreamStats, "audio")
    assert inbound.timestamp == now
    # Half a second has passed, minus the network delay.
    assert now - inbound.last_packet_received_timestamp == pytest.approx(520 - 1000 * DELAY, abs=15)


# -- selection ---------------------------------------------------------------------------------------------------


def types(report: RTCStatsReport) -> set[str]:
    return {stats.type for stats in report.values()}


ALWAYS = {"transport", "codec", "certificate", "candidate-pair", "local-candidate", "remote-candidate"}


async def test_a_sender_reports_its_streams_and_their_references() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(5)
        report = await running.sender.get_stats()
        by_track = await running.peers.alice.get_stats(running.video)
    assert types(report) == ALWAYS | {"outbound-rtp", "remote-inbound-rtp", "media-source"}
    assert one(report, RTCOutboundRtpStreamStats).kind == "video"
    assert one(report, RTCVideoSourceStats).track_identifier == running.video.id
    assert by_track.keys() == report.keys()


async def test_a_receiver_reports_its_streams_and_their_references() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(5)
        receiver = running.receiver
        report = await receiver.get_stats()
        by_track = await running.peers.bob.get_stats(receiver.track)
    assert types(report) == ALWAYS | {"inbound-rtp", "remote-outbound-rtp"}
    inbound = one(report, RTCInboundRtpStreamStats)
    assert (inbound.kind, inbound.track_identifier) == ("video", receiver.track.id)
    assert by_track.keys() == report.keys()


async def test_a_stream_is_reported_from_its_first_packet_on() -> None:
    frames, track = open_media_track("video")
    async with two_peers(link=CLEAN) as peers:
        for pc in (peers.alice, peers.bob):
            pc.add_transceiver("audio")
        peers.alice.add_track(track)
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        for pc in (peers.alice, peers.bob):
            assert "outbound-rtp" not in types(await pc.get_stats())
        await frames.send(vp8_frame(0, keyframe=True))
        await trio.sleep(1)
        sent = one(await peers.alice.get_stats(), RTCOutboundRtpStreamStats)
        assert (sent.kind, sent.frames_sent) == ("video", 1)
        assert "outbound-rtp" not in types(await peers.bob.get_stats())


async def test_a_sender_or_receiver_without_stream_has_no_statistics() -> None:
    async with call(link=CLEAN) as running:
        assert await running.sender.get_stats() == {}
        assert await running.receiver.get_stats() == {}
        _, unused = open_media_track("video")
        sender = running.peers.alice.add_track(unused)
        assert await sender.get_stats() == {}, "it has no section yet"


async def test_an_unused_track_selects_nothing() -> None:
    _, track = open_media_track("audio")
    async with two_peers() as peers:
        with pytest.raises(InvalidAccessError):
            await peers.alice.get_stats(track)


async def test_a_track_of_two_senders_selects_nothing() -> None:
    _, track = open_media_track("audio")
    async with two_peers() as peers:
        peers.alice.add_transceiver(track)
        peers.alice.add_transceiver(track)
        with pytest.raises(InvalidAccessError):
            await peers.alice.get_stats(track)


async def test_a_stream_ends_with_its_section() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(1)
        next(each for each in running.peers.alice.get_transceivers() if each.sender is running.sender).stop()
        await connect(running.peers.alice, running.peers.bob)
        await trio.sleep(1)
        sent, received = await running.peers.alice.get_stats(), await running.peers.bob.get_stats()
    assert one(sent, RTCOutboundRtpStreamStats).kind == "audio"
    assert one(received, RTCInboundRtpStreamStats).kind == "audio"


# -- the path ----------------------------------------------------------------------------------------------------


def selected_pair(report: RTCStatsReport) -> RTCIceCandidatePairStats:
    selected = one(report, RTCTransportStats).selected_candidate_pair_id
    assert selected is not None
    pair = report[selected]
    assert isinstance(pair, RTCIceCandidatePairStats)
    return pair


async def test_the_selected_pair_reports_the_available_bitrate() -> None:
    async with call(link=CLEAN) as running:
        assert selected_pair(await running.peers.alice.get_stats()).available_outgoing_bitrate is None
        await running.send_audio_and_video(5)
        report = await running.peers.alice.get_stats()
    available = selected_pair(report).available_outgoing_bitrate
    assert available is not None
    assert available > 400_000
    assert one(report, RTCTransportStats).selected_candidate_pair_changes == 1
    assert one(report, RTCTransportStats).srtp_cipher is not None


async def test_the_selected_pair_reports_the_times_of_its_last_packets() -> None:
    async with call(link=CLEAN) as running:
        await running.send_video(1)
        sent_at = selected_pair(await running.peers.alice.get_stats())
        await trio.sleep(DELAY)
        received = selected_pair(await running.peers.bob.get_stats())
    assert sent_at.last_packet_sent_timestamp is not None
    assert received.last_packet_received_timestamp is not None
    # The last frame was sent an interval ago; reports may have followed.
    assert 0 <= sent_at.timestamp - sent_at.last_packet_sent_timestamp <= 1000 / FRAME_RATE + 1
    delay = received.last_packet_received_timestamp - sent_at.last_packet_sent_timestamp
    assert delay == pytest.approx(1000 * DELAY, abs=1)


async def test_certificates_have_the_fingerprints_of_the_descriptions() -> None:
    async with call(link=CLEAN) as running:
        report = await running.peers.alice.get_stats()
        descriptions = description_of(running.peers.alice), description_of(running.peers.bob)
    transport = one(report, RTCTransportStats)
    ids = transport.local_certificate_id, transport.remote_certificate_id
    for certificate_id, description in zip(ids, descriptions, strict=True):
        assert certificate_id is not None
        certificate = report[certificate_id]
        assert isinstance(certificate, RTCCertificateStats)
        assert f"a=fingerprint:sha-256 {certificate.fingerprint}\r\n" in description.sdp


async def test_huge_frames_have_two_and_a_half_times_the_size_of_the_target() -> None:
    async with call(link=CLEAN) as running:
        await running.send_video(2)
        before = one(await running.peers.alice.get_stats(), RTCOutboundRtpStreamStats)
        assert before.target_bitrate
        average = before.target_bitrate / 8 / FRAME_RATE
        await running.send_video(1 / FRAME_RATE, size=int(2 * average))
        await running.send_video(1 / FRAME_RATE, size=int(3.5 * average))
        await running.send_video(1 / FRAME_RATE, size=int(2 * average))
        after = one(await running.peers.alice.get_stats(), RTCOutboundRtpStreamStats)
    assert before.huge_frames_sent == 0
    assert after.huge_frames_sent == 1


async def test_a_narrow_path_limits_the_quality() -> None:
    async with call(link=Link(delay=DELAY, rate=250_000)) as running:
        await running.send_video(10, size=1000)
        narrow = one(await running.peers.alice.get_stats(), RTCOutboundRtpStreamStats)
    assert narrow.quality_limitation_reason is RTCQualityLimitationReason.BANDWIDTH
    assert narrow.quality_limitation_durations is not None
    assert narrow.quality_limitation_durations["bandwidth"] > 9
    assert narrow.target_bitrate is not None
    assert narrow.target_bitrate < 400_000


# -- simulcast ---------------------------------------------------------------------------------------------------


async def _feed(pc: RTCPeerConnection, rids: tuple[str, ...], seconds: float) -> None:
    (sender,) = pc.get_senders()
    assert sender.track is not None
    source = sender.track._state.source
    for index in range(round(seconds * FRAME_RATE)):
        for rid in rids:
            source.push(attrs.evolve(vp8_frame(index, keyframe=not index), rid=rid))
            await trio.sleep(0.001)
        await trio.sleep(1 / FRAME_RATE)


async def test_every_simulcast_layer_is_a_stream() -> None:
    async with two_peers(link=CLEAN, settings=Settings(decode=False)) as peers:
        _, track = open_media_track("video")
        encodings = [RTCRtpEncodingParameters(rid="l"), RTCRtpEncodingParameters(rid="h", active=False)]
        peers.alice.add_transceiver(track, send_encodings=encodings)
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        await _feed(peers.alice, ("l", "h"), 1)
        report = await peers.alice.get_stats()
        assert [stats.rid for stats in streams_of(report)] == ["l"], "the other one has sent nothing yet"
        (sender,) = peers.alice.get_senders()
        parameters = sender.get_parameters()
        parameters.encodings[1].active = True
        await sender.set_parameters(parameters)
        await _feed(peers.alice, ("l", "h"), 1)
        streams = streams_of(await peers.alice.get_stats())
    assert [(stats.rid, stats.encoding_index, stats.active) for stats in streams] == [
        ("l", 0, True),
        ("h", 1, True),
    ]
    assert len({stats.media_source_id for stats in streams}) == 1
    assert len({stats.ssrc for stats in streams}) == 2


def streams_of(report: RTCStatsReport) -> list[RTCOutboundRtpStreamStats]:
    return [stats for stats in report.values() if isinstance(stats, RTCOutboundRtpStreamStats)]


async def test_statistics_outlive_the_connection() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(1)
        running.peers.alice.close()
        report = await running.peers.alice.get_stats()
    assert one(report, RTCOutboundRtpStreamStats, "video").frames_sent == running.video_frames


def test_the_target_size_of_a_frame_is_that_of_the_bitrate_since_the_last() -> None:
    stats = EncodingStats()
    stats.record_target(300_000, 10.0)
    assert stats.target_bytes == pytest.approx(300_000 / 30 / 8)
    stats.record_target(800_000, 10.04)
    assert stats.target_bytes == pytest.approx(1250 + 4000)
    stats.record_target(800_000, 20.0)
    assert stats.target_bytes == pytest.approx(1250 + 4000 + 100_000), "a pause counts for a second"


async def test_a_report_as_json_has_the_members_of_browsers() -> None:
    async with call(link=CLEAN) as running:
        await running.send_audio_and_video(2)
        report = await running.peers.alice.get_stats()
        selected = await running.sender.get_stats()
    dumped = json.loads(json.dumps(report.to_json()))
    assert dumped.keys() == report.keys()
    assert selected.to_json().keys() < dumped.keys()
    known = definitions()
    for name, members_of in dumped.items():
        stats = report[name]
        assert (members_of["id"], members_of["type"]) == (name, stats.type)
        assert None not in members_of.values()
        if isinstance(stats, LayerStats):
            continue
        idl = set(known[type(stats).__name__].members)
        beyond = {"fecPacketsSent", "fecBytesSent", "id", "timestamp", "type"}
        assert members_of.keys() - beyond <= idl, name
    outbound = one(report, RTCOutboundRtpStreamStats, "video")
    as_json = dumped[outbound.id]
    assert as_json["packetsSent"] == outbound.packets_sent
    assert as_json["qualityLimitationReason"] == "none"
    assert as_json["qualityLimitationDurations"]["none"] > 1
    assert as_json["rtxSsrc"] == outbound.rtx_ssrc
    assert "rid" not in as_json
    assert dumped["transport"]["dtlsState"] == "connected"
    assert dumped["transport"]["selectedCandidatePairId"] == as_json_pair(dumped)


def as_json_pair(dumped: dict[str, dict[str, object]]) -> object:
    (pair,) = (each for each in dumped.values() if each["type"] == "candidate-pair")
    return pair["id"]


def test_no_name_of_a_stream_is_used_again() -> None:
    class Stream:
        pass

    numbers, first = StreamNumbers(), Stream()
    name = numbers.name_of(first, 7)
    assert numbers.name_of(first, 7) == name
    assert numbers.name_of(Stream(), 7) != name
    del first
    assert numbers.name_of(Stream(), 7) != name
