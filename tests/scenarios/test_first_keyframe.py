"""Receivers that cannot request keyframes decode from the first frame, and resume after dropped frames."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from tests.strategies.media import send_frames, vp8_frame
from tests.strategies.peers import Peers, description_of, trickle, two_peers
from tests.strategies.video_frames import timed_pattern
from trio_rtc import (
    EncodedFrame,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    Settings,
    open_media_track,
)
from trio_rtc.media import read_counter
from trio_rtc.protocols.rtp import RtpOptions
from trio_rtc.protocols.rtp.payload import depacketizer
from trio_rtc.testing import Drop, Link, Packet, Pass

pytestmark = pytest.mark.usefixtures("autojump_clock")

LINK = Link(delay=0.01)
CHANGE_CIPHER_SPEC = 20


def without_keyframe_requests(description: RTCSessionDescription) -> RTCSessionDescription:
    """Return the description without PLI and FIR, so that no keyframe is requested."""
    sdp = re.sub(r"a=rtcp-fb:\S+ (nack pli|ccm fir)\r\n", "", description.sdp)
    return attrs.evolve(description, sdp=sdp)


async def connect_without_keyframe_requests(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    trickle(offerer, answerer)
    await offerer.set_local_description()
    await answerer.set_remote_description(without_keyframe_requests(description_of(offerer)))
    await answerer.set_local_description()
    await offerer.set_remote_description(without_keyframe_requests(description_of(answerer)))


@attrs.define
class CallWithoutRequests:
    """A call in which Alice sends video to Bob, who never requests a keyframe.

    Attributes:
        received: Arrival times of frames at Bob's application.
        connected_at: Time at which Bob was connected.
        reads_after: Seconds from Bob's track event until his application begins to read.
    """

    peers: Peers
    sender: RTCRtpSender
    frames: MediaStreamTrackSource
    nursery: trio.Nursery
    received: list[tuple[float, Any]] = attrs.Factory(list)
    connected_at: float | None = None
    reads_after: float = 0.0

    async def watch(self, track: MediaStreamTrack) -> None:
        await trio.sleep(self.reads_after)
        async for frame in track:
            self.received.append((trio.current_time(), frame))

    async def record_connection_time(self) -> None:
        async with self.peers.bob.subscribe("connection_state_change") as changes:
            async for _ in changes:
                if self.peers.bob.connection_state == "connected" and self.connected_at is None:
                    self.connected_at = trio.current_time()

    async def send_pattern(self, *, width: int = 320, height: int = 180) -> None:
        counter = 0
        while True:
            await self.frames.send(timed_pattern(counter, width, height))
            counter += 1
            await trio.sleep(1 / 30)

    async def send_encoded(self, answers: bool = True) -> None:
        """Send encoded frames, with a keyframe first and, if ``answers``, for each request."""
        wanted = True
        async with self.sender.keyframe_requests() as requests, trio.open_nursery() as nursery:

            async def answer() -> None:
                nonlocal wanted
                async for _ in requests:
                    wanted = answers

            nursery.start_soon(answer)
            for index in range(10_000):
                await self.frames.send(vp8_frame(index, keyframe=wanted))
                wanted = False
                await trio.sleep(1 / 30)

    async def keyframe_requests(self) -> int:
        """Return the number of Bob's keyframe requests."""
        report = await self.peers.alice.get_stats()
        streams = [each for each in report.values() if isinstance(each, RTCOutboundRtpStreamStats)]
        return sum((stream.pli_count or 0) + (stream.fir_count or 0) for stream in streams)


@asynccontextmanager
async def call_without_requests(
    *, decode: bool = True, reads_after: float = 0.0, link: Link = LINK, keeps_early: bool = True
) -> AsyncIterator[CallWithoutRequests]:
    options = RtpOptions() if keeps_early else RtpOptions(max_early_packets=0)
    async with two_peers(link=link, settings=Settings(decode=decode, rtp=options)) as peers:
        frames, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        async with trio.open_nursery() as nursery:
            call = CallWithoutRequests(peers, sender, frames, nursery, reads_after=reads_after)
            peers.bob.on_track = lambda event: nursery.start_soon(call.watch, event.track)
            nursery.start_soon(call.record_connection_time)
            yield call
            assert await call.keyframe_requests() == 0
            nursery.cancel_scope.cancel()


async def test_video_is_decoded_from_the_first_frame() -> None:
    async with call_without_requests() as call:
        call.nursery.start_soon(call.send_pattern)
        await trio.sleep(0.5)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(1)
        assert call.connected_at is not None
        (first, _), *_ = call.received
        assert first - call.connected_at < 0.05
        assert len(call.received) >= 28
        stream = await outbound(call)
        # All encoded frames were sent.
        assert stream.frames_encoded == stream.frames_sent
        assert stream.total_encoded_bytes_target
        # The quantizers parsed by the receiver are those reported by the encoder, up to its scale.
        received = await inbound(call)
        assert received.frames_decoded
        assert received.qp_sum is not None
        assert stream.frames_encoded
        assert stream.qp_sum is not None
        mean_received = received.qp_sum / received.frames_decoded
        assert mean_received == pytest.approx(stream.qp_sum / stream.frames_encoded, abs=3)


@pytest.mark.parametrize("reads_after", [0.1, 0.6])
async def test_a_late_reader_begins_with_the_first_keyframe(reads_after: float) -> None:
    async with call_without_requests(reads_after=reads_after) as call:
        call.nursery.start_soon(call.send_pattern)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(reads_after + 1)
        assert call.connected_at is not None
        (first, _), *_ = call.received
        assert first - call.connected_at < reads_after + 0.05
        # Queued frames are decoded at once, and only the newest are returned.
        times = [at for at, _ in call.received]
        last = call.received[-1][1]
        assert times[-1] > trio.current_time() - 0.05
        counter = read_counter(last)
        assert counter is not None
        assert counter >= 30 * (times[-1] - call.connected_at) - 2


async def test_a_late_forwarder_begins_with_the_first_keyframe() -> None:
    async with call_without_requests() as call:
        call.nursery.start_soon(call.send_pattern)
        call.peers.bob.on_track = None
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(0.5)
        (receiver,) = call.peers.bob.get_receivers()
        async with receiver.rtp_packets() as channel:
            await trio.sleep(0.5)
            packets = await channel.receive_batch()
        first, *_ = packets
        opener = depacketizer("VP8", {})
        assert opener is not None
        assert opener.is_keyframe_start(first.payload)
        numbers = [packet.sequence_number for packet in packets]
        assert numbers == [(numbers[0] + index) & 0xFFFF for index in range(len(numbers))]
        assert sum(packet.marker for packet in packets) >= 25


async def test_a_frame_sent_before_the_connection_is_sent_once_connected() -> None:
    """For example the only frame of a shared slide."""
    async with call_without_requests() as call:
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        for counter in (5, 6):
            await call.frames.send(timed_pattern(counter))
        call.frames.close()
        assert call.connected_at is None
        await trio.sleep(1)
        [(_, frame)] = call.received
        assert read_counter(frame) == 6


async def test_a_transform_that_drops_frames_leaves_no_gap() -> None:
    dropping, keyframes = True, 0

    async def transform(frame: EncodedFrame) -> EncodedFrame | None:
        nonlocal keyframes
        keyframes += frame.keyframe
        return None if dropping else frame

    async with call_without_requests() as call:
        call.sender.transform = transform
        call.nursery.start_soon(call.send_pattern)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(2)
        assert not call.received
        # No unnecessary keyframes.
        assert keyframes == 1
        dropping = False
        begin = trio.current_time()
        await trio.sleep(1)
        (first, _), *_ = call.received
        assert first - begin < 0.15
        assert len(call.received) >= 26


async def test_an_encoding_application_gets_a_keyframe_request_once_connected() -> None:
    async with call_without_requests(decode=False) as call:
        call.nursery.start_soon(call.send_encoded)
        await trio.sleep(0.5)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(1)
        assert call.connected_at is not None
        (first, frame), *_ = call.received
        assert isinstance(frame, EncodedFrame)
        assert frame.keyframe
        assert first - call.connected_at < 0.1
        assert len(call.received) >= 27


async def test_no_undecodable_frame_is_sent() -> None:
    async with call_without_requests(decode=False) as call:
        call.nursery.start_soon(call.send_encoded, False)
        await trio.sleep(0.5)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(1)
        assert not call.received
        assert call.peers.bob.get_receivers()[0].track.muted


async def test_video_resumes_with_a_keyframe_after_an_outage() -> None:
    async with call_without_requests(decode=False) as call:
        call.nursery.start_soon(call.send_encoded)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(2)
        call.peers.network.partition("alice", "bob")
        await trio.sleep(8)
        assert call.peers.alice.connection_state == "disconnected"
        call.peers.network.heal()
        await trio.sleep(6)
        assert call.peers.alice.connection_state == "connected"
        now = trio.current_time()
        last_second = [at for at, _ in call.received if at > now - 1]
        assert len(last_second) >= 28


async def outbound(call: CallWithoutRequests) -> RTCOutboundRtpStreamStats:
    stats = (await call.sender.get_stats()).values()
    (stream,) = [each for each in stats if isinstance(each, RTCOutboundRtpStreamStats)]
    return stream


class LoseFlight:
    """Drops the last flight of the DTLS server: ChangeCipherSpec and Finished."""

    def __init__(self, times: int) -> None:
        self._times = times
        self.sent = 0

    def __call__(self, packet: Packet) -> Pass | Drop:
        if packet.data[0] != CHANGE_CIPHER_SPEC:
            return Pass()
        self.sent += 1
        return Drop() if self.sent <= self._times else Pass()


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("delay", [0.01, 0.06])
async def test_video_begins_with_a_keyframe_after_loss_of_the_last_dtls_flight(
    delay: float, lost: int
) -> None:
    """The peer has its keys after our first packets, and keeps no packet that it cannot decrypt."""
    async with call_without_requests(decode=False, link=Link(delay=delay), keeps_early=False) as call:
        loser = LoseFlight(lost)
        call.peers.network.add_filter(loser)
        call.nursery.start_soon(call.send_encoded)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(2)
        assert loser.sent > lost
        assert call.connected_at is not None
        (first, frame), *_ = call.received
        assert frame.keyframe
        assert first - call.connected_at < 0.1 + 2 * delay
        last_second = [at for at, _ in call.received if at > trio.current_time() - 1]
        assert len(last_second) >= 28


async def test_a_spurious_retransmission_of_the_flight_causes_no_second_keyframe() -> None:
    """The round-trip time exceeds the peer's first retransmission timeout, and the peer also sends media."""
    async with call_without_requests(decode=False, link=Link(delay=0.06), keeps_early=False) as call:
        source, track = open_media_track("audio")
        call.peers.bob.add_track(track)
        call.peers.alice.add_transceiver("audio")
        counter = LoseFlight(0)
        call.peers.network.add_filter(counter)
        call.nursery.start_soon(send_frames, source, "audio")
        call.nursery.start_soon(call.send_encoded)
        await connect_without_keyframe_requests(call.peers.alice, call.peers.bob)
        await trio.sleep(2)
        assert counter.sent > 1
        assert sum(frame.keyframe for _, frame in call.received) == 1


async def inbound(call: CallWithoutRequests) -> RTCInboundRtpStreamStats:
    stats = (await call.peers.bob.get_stats()).values()
    (stream,) = [each for each in stats if isinstance(each, RTCInboundRtpStreamStats)]
    return stream
