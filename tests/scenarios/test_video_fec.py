"""Video with forward error correction, between whole peers on long lossy paths."""

import random
from collections.abc import Collection
from statistics import mean

import attrs
import pytest
import trio

from tests.strategies.metered_calls import FRAME_RATE, VideoEncoder, metered_call
from tests.strategies.peers import negotiate
from trio_rtc import (
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCRtpEncodingParameters,
    RTCRtpReceiver,
    SessionOptions,
    Settings,
    open_media_track,
)
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

LONG_PATH = Link(delay=0.1, loss=0.05)
"""A delay at which waiting for retransmissions is visible."""
BITRATE = 600_000

FLEXFEC, ULPFEC, NOTHING = (), ("flexfec-03",), ("flexfec-03", "ulpfec", "red")
"""Codecs left out of the offer so that each scheme is used."""
ANNOUNCING = Settings(session=SessionOptions(announce_flexfec=True))
"""Settings with which an offer has FlexFEC before the peer has listed it."""


@attrs.frozen
class Outcome:
    """Figures of a call from its fourth second on.

    Attributes:
        sent: Alice's outbound statistics.
        received: Bob's inbound statistics.
        freezes: Number of freezes of Bob's video.
        frozen: Total duration of the freezes, in seconds.
        latency: Mean time from capture to reception, in seconds.
        frames: Number of frames that Bob received.
        offer: Alice's offer.
    """

    sent: RTCOutboundRtpStreamStats
    received: RTCInboundRtpStreamStats
    freezes: int
    frozen: float
    latency: float
    frames: int
    offer: str


async def received_by(receiver: RTCRtpReceiver) -> RTCInboundRtpStreamStats:
    """Return the statistics of a receiver's only stream."""
    stats = await receiver.get_stats()
    (received,) = [each for each in stats.values() if isinstance(each, RTCInboundRtpStreamStats)]
    return received


async def outcome_of(
    without: Collection[str], link: Link = LONG_PATH, seconds: float = 14, settings: Settings = ANNOUNCING
) -> Outcome:
    """Run a call from Alice to Bob and return its figures."""
    layers = [RTCRtpEncodingParameters(max_bitrate=BITRATE)]
    async with metered_call(link=link, without=without, layers=layers, settings=settings) as call:
        alice, receiver = call.peers.alice, call.video_receiver
        await trio.sleep(4)
        begin, before = trio.current_time(), await received_by(receiver)
        await trio.sleep(seconds - 4)
        after = await received_by(receiver)
        (sent,) = [
            each
            for each in (await alice.get_stats()).values()
            if isinstance(each, RTCOutboundRtpStreamStats) and each.kind == "video"
        ]
        frames = call.video.between(begin)
        assert alice.local_description is not None
        return Outcome(
            sent,
            after,
            (after.freeze_count or 0) - (before.freeze_count or 0),
            (after.total_freezes_duration or 0) - (before.total_freezes_duration or 0),
            mean(frame.latency for frame in frames),
            len(frames),
            alice.local_description.sdp,
        )


async def test_video_has_less_latency_and_fewer_freezes() -> None:
    flexfec, ulpfec, nothing = [await outcome_of(without) for without in (FLEXFEC, ULPFEC, NOTHING)]
    # Nearly all frames arrive in either case, since lost packets are retransmitted.
    assert min(flexfec.frames, ulpfec.frames, nothing.frames) > 0.97 * 10 * FRAME_RATE
    for protected in (flexfec, ulpfec):
        assert protected.latency < 0.85 * nothing.latency
        assert protected.freezes < 0.8 * nothing.freezes
        assert protected.frozen < 0.7 * nothing.frozen
        sent, received = protected.sent, protected.received
        assert sent.fec_bytes_sent > 300 * sent.fec_packets_sent > 10_000
        # Some repair packets are lost; lost media packets are retransmitted.
        assert 0.7 < received.fec_packets_received / sent.fec_packets_sent < 1.2
        assert 0.7 < received.fec_bytes_received / sent.fec_bytes_sent < 1.2
        # A few percent of packets are lost: many repair packets are unused, others are not.
        assert 0.2 < received.fec_packets_discarded / received.fec_packets_received < 0.9
    # FlexFEC has an SSRC of its own.
    assert flexfec.received.fec_ssrc is not None
    assert f"a=ssrc-group:FEC-FR {flexfec.sent.ssrc} {flexfec.received.fec_ssrc}\r\n" in flexfec.offer
    assert ulpfec.received.fec_ssrc is nothing.received.fec_ssrc is None
    assert "FEC-FR" not in ulpfec.offer
    assert nothing.sent.fec_packets_sent == nothing.received.fec_packets_received == 0


@pytest.mark.parametrize("without", [FLEXFEC, ULPFEC, NOTHING], ids=["FlexFEC", "ULPFEC", "RTX alone"])
async def test_few_keyframes_are_needed_on_long_paths(without: Collection[str]) -> None:
    """A packet that is lost twice arrives sooner by another retransmission than a keyframe would."""
    outcome = await outcome_of(without, Link(delay=0.15, rate=2e6, queue=50_000, loss=0.05), 24)
    assert outcome.frames > 0.95 * 20 * FRAME_RATE
    assert (outcome.received.pli_count or 0) <= 4


async def test_a_tenth_of_loss_hardly_freezes_video_on_a_usual_path() -> None:
    """A round trip of 50 ms permits one retransmission before a freeze; repair packets do the rest."""
    link = Link(delay=0.025, loss=0.1)
    protected, plain = await outcome_of(FLEXFEC, link), await outcome_of(NOTHING, link)
    assert protected.freezes == 0
    assert protected.frames >= 0.97 * 10 * FRAME_RATE
    assert protected.latency < 0.9 * plain.latency


async def test_no_fec_without_loss_or_on_short_paths() -> None:
    for link in (attrs.evolve(LONG_PATH, loss=0), attrs.evolve(LONG_PATH, delay=0.01, loss=0.02)):
        going = await outcome_of(FLEXFEC, link, seconds=6)
        assert "FEC-FR" in going.offer
        assert going.frames > 50
        assert going.sent.fec_packets_sent == 0


async def test_a_first_offer_announces_no_ssrc_for_flexfec() -> None:
    """Pion interprets it as a second track, and unannounced SSRCs are dropped, so that ULPFEC is used instead."""
    going = await outcome_of(FLEXFEC, settings=Settings(), seconds=8)
    assert "FEC-FR" not in going.offer
    assert going.received.fec_ssrc is None
    assert going.received.fec_packets_received > 10


async def test_flexfec_is_sent_to_a_peer_that_offers_it() -> None:
    async with metered_call(link=LONG_PATH, audio=False) as call:
        bob, alice = call.peers.bob, call.peers.alice
        source, track = open_media_track("video")
        answering = bob.add_transceiver(track, direction="sendonly")
        await negotiate(bob, alice)
        assert bob.local_description is not None
        # Alice has listed it in her first offer, and Bob's stream is new: his offer announces an SSRC for FlexFEC.
        assert bob.local_description.sdp.count("a=ssrc-group:FEC-FR") == 1
        assert alice.local_description is not None
        # Her stream was announced without, and Chromium would drop packets of an SSRC that is added later.
        assert "FEC-FR" not in alice.local_description.sdp
        encoder = VideoEncoder(source, answering.sender, random.Random(1))
        call.nursery.start_soon(encoder.run)
        call.peers.network.set_link("bob", "alice", attrs.evolve(LONG_PATH, rate=None))
        await trio.sleep(8)
        (receiving,) = [each for each in alice.get_transceivers() if each.mid == answering.mid]
        assert (await received_by(receiving.receiver)).fec_ssrc is not None


async def test_each_layer_has_its_own_fec() -> None:
    """Descriptions contain no SSRCs of layers; header extensions of packets identify them."""
    layers = [
        RTCRtpEncodingParameters(rid="q", max_bitrate=300_000, scale_resolution_down_by=2),
        RTCRtpEncodingParameters(rid="f", max_bitrate=900_000),
    ]
    async with metered_call(link=LONG_PATH, layers=layers) as call:
        second = call.peers.alice.add_transceiver("video", direction="sendonly")
        await negotiate(call.peers.alice, call.peers.bob)
        await trio.sleep(10)
        assert second.current_direction == "sendonly"
        stats = [
            each
            for each in (await call.video_receiver.get_stats()).values()
            if isinstance(each, RTCInboundRtpStreamStats)
        ]
        assert {each.rid for each in stats} == {"q", "f"}
        assert len({each.fec_ssrc for each in stats} - {None}) == 2
        assert min(each.fec_packets_received for each in stats) > 20
        counters = await call.receiver_counters()
        assert not counters.get("no section")
