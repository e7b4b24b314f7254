"""Statistics against the trace of the simulated network: both ends count what was sent and what arrived."""

import struct
from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

import pytest
import trio

from tests.strategies.calls import Call, call
from tests.strategies.peers import connect
from trio_rtc import (
    RTCCodecStats,
    RTCIceCandidatePairStats,
    RTCIceCandidateStats,
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCPeerConnection,
    RTCRemoteInboundRtpStreamStats,
    RTCStatsReport,
    RTCTransportStats,
)
from trio_rtc.testing import Link, Packet, TraceKind

pytestmark = pytest.mark.usefixtures("autojump_clock")

StatsT = TypeVar("StatsT")
LINK = Link(delay=0.03)
LOSSY = Link(delay=0.03, loss=0.05)
_TAG_SIZE = 16
"""Bytes that AEAD_AES_128_GCM adds to an RTP packet."""


def is_stun(data: bytes) -> bool:
    return data[0] < 4


def is_rtp(data: bytes) -> bool:
    """Whether a packet is SRTP, not SRTCP (RFC 5761 section 4)."""
    return 127 < data[0] < 192 and not 192 <= data[1] <= 223


def size_and_count(packets: Iterable[Packet]) -> tuple[int, int]:
    sizes = [len(packet.data) for packet in packets if not is_stun(packet.data)]
    return sum(sizes), len(sizes)


def rtp_packets_by_ssrc(packets: Iterable[Packet]) -> Counter[int]:
    return Counter(struct.unpack_from("!I", each.data, 8)[0] for each in packets if is_rtp(each.data))


def sequence_numbers(packets: Iterable[Packet], ssrc: int) -> list[int]:
    """Return the sequence numbers of a stream in order; they begin too low to wrap in these tests."""
    ours = (each.data for each in packets if is_rtp(each.data))
    headers = (struct.unpack_from("!xxHxxxxI", data) for data in ours)
    return sorted(number for number, source in headers if source == ssrc)


def rtp_bytes(packets: Iterable[Packet], ssrcs: set[int | None]) -> int:
    """Return the bytes of RTP packets with some SSRCs, without those of SRTP."""
    return sum(
        len(each.data) - _TAG_SIZE
        for each in packets
        if is_rtp(each.data) and struct.unpack_from("!I", each.data, 8)[0] in ssrcs
    )


def of_class(report: RTCStatsReport, kind: type[StatsT]) -> list[StatsT]:
    return [stats for stats in report.values() if isinstance(stats, kind)]


def selected_pair(report: RTCStatsReport) -> RTCIceCandidatePairStats:
    (transport,) = of_class(report, RTCTransportStats)
    pair = report[transport.selected_candidate_pair_id or ""]
    assert isinstance(pair, RTCIceCandidatePairStats)
    return pair


async def reports(running: Call) -> tuple[RTCStatsReport, RTCStatsReport]:
    return await running.peers.alice.get_stats(), await running.peers.bob.get_stats()


@pytest.mark.parametrize("link", [LINK, LOSSY])
async def test_transports_and_pairs_count_the_datagrams_of_the_network(link: Link) -> None:
    async with call(link=link) as running:
        await running.send_audio_and_video(4)
        trace = running.peers.network.trace
        for name, report, peer in zip(
            ("alice", "bob"), await reports(running), ("bob", "alice"), strict=True
        ):
            (transport,) = of_class(report, RTCTransportStats)
            pair = selected_pair(report)
            sent = size_and_count(trace.packets(TraceKind.SENT, sender=name))
            arrived = size_and_count(trace.packets(TraceKind.DELIVERED, sender=peer))
            for stats in (transport, pair):
                assert (stats.bytes_sent, stats.packets_sent) == sent
                assert (stats.bytes_received, stats.packets_received) == arrived
            assert (pair.packets_discarded_on_send, pair.bytes_discarded_on_send) == (0, 0)


@pytest.mark.parametrize("link", [LINK, LOSSY])
async def test_streams_count_the_packets_of_the_network(link: Link) -> None:
    async with call(link=link) as running:
        await running.send_audio_and_video(4)
        trace = running.peers.network.trace
        sent = trace.packets(TraceKind.SENT, sender="alice")
        arrived = trace.packets(TraceKind.DELIVERED, sender="alice")
        mine, theirs = await reports(running)
    packets_sent, packets_arrived = rtp_packets_by_ssrc(sent), rtp_packets_by_ssrc(arrived)
    for outbound in of_class(mine, RTCOutboundRtpStreamStats):
        repair = 0 if outbound.rtx_ssrc is None else packets_sent[outbound.rtx_ssrc]
        assert outbound.packets_sent == packets_sent[outbound.ssrc] + repair
        assert outbound.retransmitted_packets_sent <= repair
        # RFC 4588: the original sequence number is part of the payload of the retransmission.
        measured = rtp_bytes(sent, {outbound.ssrc, outbound.rtx_ssrc})
        assert outbound.bytes_sent + outbound.header_bytes_sent == measured
    for inbound in of_class(theirs, RTCInboundRtpStreamStats):
        repair = 0 if inbound.rtx_ssrc is None else packets_arrived[inbound.rtx_ssrc]
        assert inbound.packets_received == packets_arrived[inbound.ssrc] + repair
        numbers = sequence_numbers(arrived, inbound.ssrc)
        assert inbound.packets_lost == numbers[-1] - numbers[0] + 1 - len(numbers)
        assert inbound.retransmitted_packets_received in (None, repair)


async def test_the_peer_reports_the_packets_that_have_arrived() -> None:
    async with call(link=LOSSY) as running:
        await running.send_audio_and_video(4)
        # Until the last reports have arrived.
        await trio.sleep(15)
        trace = running.peers.network.trace
        arrived = rtp_packets_by_ssrc(trace.packets(TraceKind.DELIVERED, sender="alice"))
        mine, _ = await reports(running)
    remote = of_class(mine, RTCRemoteInboundRtpStreamStats)
    assert len(remote) == 2
    assert {each.ssrc: each.packets_received for each in remote} == {
        each.ssrc: arrived[each.ssrc] for each in remote
    }


async def test_checks_of_the_pair_are_those_of_the_network() -> None:
    async with call(link=LINK) as running:
        await trio.sleep(20)
        trace = running.peers.network.trace
        mine, theirs = await reports(running)
        sent = {
            name: Counter(
                each.data[:2].hex()
                for each in trace.packets(TraceKind.SENT, sender=name)
                if is_stun(each.data)
            )
            for name in ("alice", "bob")
        }
    for name, peer, pair in (
        ("alice", "bob", selected_pair(mine)),
        ("bob", "alice", selected_pair(theirs)),
    ):
        # RFC 8489 section 5: 0001 is a Binding request, 0101 its success response.
        assert pair.requests_sent + pair.consent_requests_sent == sent[name]["0001"]
        assert pair.consent_requests_sent > 2
        assert pair.responses_sent == sent[name]["0101"] == pair.requests_received
        assert pair.responses_received == sent[peer]["0101"]
        assert pair.current_round_trip_time == pytest.approx(0.06, abs=0.001)
        assert pair.total_round_trip_time == pytest.approx(0.06 * pair.responses_received, abs=0.01)
        assert (pair.nominated, pair.state) == (True, "succeeded")


async def _restart(alice: RTCPeerConnection, bob: RTCPeerConnection) -> None:
    alice.restart_ice()
    await connect(alice, bob)
    await trio.sleep(3)


async def test_an_ice_restart_replaces_candidates_and_pairs_and_never_uses_an_id_again() -> None:
    async with call(link=LINK) as running:
        ids: list[set[str]] = []
        pairs = []
        for _ in range(3):
            await running.send_audio_and_video(1)
            report = await running.peers.alice.get_stats()
            pairs.append(selected_pair(report))
            kinds = RTCIceCandidateStats | RTCIceCandidatePairStats
            ids.append({name for name, stats in report.items() if isinstance(stats, kinds)})
            again = await running.peers.alice.get_stats()
            assert again.keys() == report.keys()
            await _restart(running.peers.alice, running.peers.bob)
        (transport,) = of_class(await running.peers.alice.get_stats(), RTCTransportStats)
    assert not ids[0] & ids[1]
    assert not (ids[0] | ids[1]) & ids[2]
    # Addresses are the same, counters begin at zero.
    assert sum(pair.packets_sent for pair in pairs) <= transport.packets_sent
    assert transport.selected_candidate_pair_changes >= 4


async def test_both_directions_share_a_codec_with_equal_format_parameters() -> None:
    async with call(link=LINK) as running:
        sender = next(
            each for each in running.peers.bob.get_transceivers() if each.receiver is running.receiver
        )
        sender.direction = "sendrecv"
        await sender.sender.replace_track(running.receiver.track)
        await connect(running.peers.bob, running.peers.alice)
        await running.send_audio_and_video(2)
        report = await running.peers.bob.get_stats()
    video = [each for each in of_class(report, RTCCodecStats) if each.mime_type == "video/VP8"]
    (outbound,) = of_class(report, RTCOutboundRtpStreamStats)
    (inbound,) = (each for each in of_class(report, RTCInboundRtpStreamStats) if each.kind == "video")
    assert [each.id for each in video] == [outbound.codec_id] == [inbound.codec_id]


async def test_frames_leave_the_jitter_buffer_for_the_decoder_or_consumer() -> None:
    async with call(link=LINK) as running:
        running.receiver.jitter_buffer_target = 300
        await running.send_video(4)
        await trio.sleep(0.5)
        report = await running.receiver.get_stats()
    (inbound,) = of_class(report, RTCInboundRtpStreamStats)
    emitted = inbound.jitter_buffer_emitted_count
    assert inbound.frames_rendered == emitted == running.video_frames
    assert inbound.total_inter_frame_delay == pytest.approx((emitted - 1) / 25, abs=0.05)
    assert inbound.jitter_buffer_target_delay is not None
    assert inbound.jitter_buffer_minimum_delay is not None
    assert inbound.jitter_buffer_target_delay / emitted == pytest.approx(0.3, abs=0.02)
    assert inbound.jitter_buffer_minimum_delay / emitted < 0.05
