"""A call from Alice to Bob on the simulated network, sampled periodically, without codecs.

The encoders are models: their frames have the sizes of a rate-controlled encoder's, with larger
keyframes, and follow the sender's target bitrates. Every frame contains its capture time, from which the receiver
computes the latency.
"""

import itertools
import math
import random
import struct
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from tests.strategies.peers import Peers, connect, two_peers
from tests.strategies.scenarios import layer_counters, state_reached
from trio_rtc import (
    EncodedFrame,
    MediaStream,
    MediaStreamTrackSource,
    RTCRtpCodec,
    RTCRtpEncodingParameters,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    Settings,
    open_media_track,
)
from trio_rtc.testing import Link, Packet, Pass

FRAME_RATE = 30
AUDIO_FRAME = 0.02
_VIDEO_CLOCK, _AUDIO_CLOCK = 90_000, 48_000
# RFC 6386 section 9.1: frame tag with and without the bit of interframes, start code, 640x360.
_KEYFRAME = bytes([0x10, 0, 0]) + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 360)
_DELTA = bytes([0x11, 0, 0])
# RFC 6716 section 3.1: CELT, full band, one frame of 20 ms.
_OPUS = bytes([31 << 3])
_STAMP = struct.Struct("!Id")
_UDP_AND_IP = 28


@attrs.define
class VideoEncoder:
    """Model of an encoder with rate control: frames follow the target bitrate, keyframes are larger.

    Attributes:
        source: Source of the track.
        sender: Sender with the target bitrates and the keyframe requests.
        rng: Generator of the variation between frames.
        rids: RIDs of the layers.
        keyframe_factor: Size of a keyframe relative to other frames, which become smaller until the bitrate is kept.
        min_bitrate: Minimum bitrate.
        keyframe_requests: Number of keyframe requests received.
        sent: Number of frames sent, by layer.
    """

    source: MediaStreamTrackSource
    sender: RTCRtpSender
    rng: random.Random
    rids: Sequence[str | None] = (None,)
    keyframe_factor: float = 4.0
    min_bitrate: float = 30_000.0
    keyframe_requests: int = 0
    sent: dict[str | None, int] = attrs.field(factory=dict)
    _debt: dict[str | None, float] = attrs.field(factory=dict)
    _keyframes_requested: set[str | None] = attrs.field(factory=set)

    async def run(self) -> None:
        self._keyframes_requested.update(self.rids)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._count_keyframe_requests)
            due = trio.current_time()
            for index in range(1 << 32):
                for rid in self.rids:
                    await self._encode(rid, index, due)
                due += 1 / FRAME_RATE
                await trio.sleep_until(due)

    async def _count_keyframe_requests(self) -> None:
        async with self.sender.keyframe_requests() as requests:
            async for rid in requests:
                self.keyframe_requests += 1
                self._keyframes_requested.add(rid if rid in self.rids else self.rids[0])

    async def _encode(self, rid: str | None, index: int, captured_at: float) -> None:
        bitrate = self.sender.target_bitrates.get(rid, 300_000.0)
        if not bitrate:
            # A layer that is resumed begins with a keyframe.
            self._keyframes_requested.add(rid)
            return
        keyframe = rid in self._keyframes_requested
        self._keyframes_requested.discard(rid)
        target_size = max(bitrate, self.min_bitrate) / FRAME_RATE / 8
        debt = self._debt.get(rid, 0.0)
        size = target_size * self.rng.uniform(0.8, 1.2)
        if keyframe:
            size *= self.keyframe_factor
        else:
            size -= min(max(debt / 4, -target_size / 2), target_size / 2)
        self._debt[rid] = debt + size - target_size
        head = (_KEYFRAME if keyframe else _DELTA) + _STAMP.pack(index, captured_at)
        payload = head + bytes(max(int(size) - len(head), 0))
        timestamp = round(captured_at * _VIDEO_CLOCK)
        self.sent[rid] = self.sent.get(rid, 0) + 1
        await self.source.send(EncodedFrame(payload, timestamp, _VIDEO_CLOCK, "VP8", keyframe, rid=rid))


async def send_audio_frames(source: MediaStreamTrackSource, size: int = 80) -> None:
    """Send Opus frames of 20 ms until cancelled."""
    due = trio.current_time()
    for index in range(1 << 32):
        payload = _OPUS + _STAMP.pack(index, due) + bytes(size - _STAMP.size - 1)
        await source.send(EncodedFrame(payload, round(due * _AUDIO_CLOCK), _AUDIO_CLOCK, "opus"))
        due += AUDIO_FRAME
        await trio.sleep_until(due)


@attrs.frozen
class ReceivedFrame:
    """A frame that Bob received.

    Attributes:
        at: Time of reception.
        captured_at: Capture time.
        index: Number of the frame.
        size: Size in bytes.
        keyframe: Whether it is a keyframe.
        rid: RID of its layer.
    """

    at: float
    captured_at: float
    index: int
    size: int
    keyframe: bool
    rid: str | None

    @property
    def latency(self) -> float:
        """Seconds from capture to reception."""
        return self.at - self.captured_at


@attrs.define
class Log:
    """The frames received from a track."""

    frames: list[ReceivedFrame] = attrs.field(factory=list)

    async def keep(self, frames: trio.abc.ReceiveChannel[EncodedFrame]) -> None:
        """Record frames until the channel ends."""
        async for frame in frames:
            self.add(frame)

    def add(self, frame: EncodedFrame) -> None:
        offset = 1 if frame.codec.lower() == "opus" else len(_KEYFRAME if frame.keyframe else _DELTA)
        index, captured_at = _STAMP.unpack_from(frame.payload, offset)
        now = trio.current_time()
        self.frames.append(
            ReceivedFrame(now, captured_at, index, len(frame.payload), frame.keyframe, frame.rid)
        )

    def between(self, begin: float, end: float = math.inf) -> list[ReceivedFrame]:
        """Return the frames received in an interval."""
        return [frame for frame in self.frames if begin <= frame.at < end]

    def longest_stall(self, begin: float, end: float) -> float:
        """Return the longest time without a frame between two times."""
        times = [begin, *(frame.at for frame in self.between(begin, end)), end]
        return max(later - sooner for sooner, later in itertools.pairwise(times))


@attrs.frozen
class Sample:
    """A sample of a call's figures.

    Attributes:
        at: Seconds since the call was connected.
        link_rate: Capacity of the link, in bits per second.
        estimate: Target bitrate of Alice's congestion control.
        sent: Alice's bitrate since the last sample, IP and UDP headers included, in bits per second.
        queueing_delay: Queueing delay of the bottleneck, in seconds.
        frames: Frames per second that Bob received since the last sample.
        latency: Mean seconds from capture to reception, ``nan`` without frames.
    """

    at: float
    link_rate: float
    estimate: float
    sent: float
    queueing_delay: float
    frames: float
    latency: float


@attrs.define
class MeteredCall:
    """A connected call.

    Attributes:
        peers: Alice, Bob and their network.
        stream: Stream of Alice's tracks.
        encoder: Alice's video encoder.
        transceivers: Bob's transceivers, by kind.
        nursery: Nursery that is cancelled when the call ends.
        link: Current link from Alice to Bob.
        began_at: Time at which the call was connected.
        video: Bob's received video frames.
        audio: Bob's received audio frames.
        samples: The samples of the meter.
    """

    peers: Peers
    stream: MediaStream
    encoder: VideoEncoder
    transceivers: dict[str, RTCRtpTransceiver]
    nursery: trio.Nursery
    link: Link
    began_at: float
    video: Log = attrs.field(factory=Log)
    audio: Log = attrs.field(factory=Log)
    samples: list[Sample] = attrs.field(factory=list)
    _sent: int = 0

    @property
    def now(self) -> float:
        """Seconds since the call was connected."""
        return trio.current_time() - self.began_at

    @property
    def video_receiver(self) -> RTCRtpReceiver:
        """Bob's video receiver."""
        return self.transceivers["video"].receiver

    def set_link(self, link: Link) -> None:
        """Replace the link from Alice to Bob."""
        self.link = link
        self.peers.network.set_link("alice", "bob", link)

    def set_rate(self, rate: float) -> None:
        """Change only the rate of the link."""
        self.set_link(attrs.evolve(self.link, rate=rate))

    async def sender_counters(self, layer: str = "rtp") -> dict[str, float]:
        """Return the counters of one of Alice's layers."""
        return dict(await layer_counters(self.peers.alice, layer))

    async def receiver_counters(self, layer: str = "rtp") -> dict[str, float]:
        """Return the counters of one of Bob's layers."""
        return dict(await layer_counters(self.peers.bob, layer))

    async def meter(self, interval: float = 0.1) -> None:
        """Sample all figures periodically."""
        before, seen = self._sent, len(self.video.frames)
        due = trio.current_time()
        while True:
            due += interval
            await trio.sleep_until(due)
            frames = self.video.frames[seen:]
            latencies = [frame.latency for frame in frames]
            self.samples.append(
                Sample(
                    self.now,
                    self.link.rate or math.inf,
                    (await self.sender_counters("congestion"))["target_bitrate"],
                    (self._sent - before) * 8 / interval,
                    self.peers.network.queueing_delay("alice", "bob"),
                    len(frames) / interval,
                    sum(latencies) / len(latencies) if latencies else math.nan,
                )
            )
            before, seen = self._sent, len(self.video.frames)

    def count(self, packet: Packet) -> Pass:
        """Count the bytes that Alice sends: a filter of the network."""
        if packet.sender == "alice":
            self._sent += len(packet.data) + _UDP_AND_IP
        return Pass()

    def samples_between(self, begin: float, end: float = math.inf) -> list[Sample]:
        """Return the samples of an interval, in seconds since the call was connected."""
        return [sample for sample in self.samples if begin <= sample.at < end]


def _codecs_without(names: Collection[str]) -> list[RTCRtpCodec]:
    capabilities = RTCRtpSender.get_capabilities("video")
    assert capabilities is not None
    return [codec for codec in capabilities.codecs if codec.name not in names]


@asynccontextmanager
async def metered_call(
    *,
    seed: int = 0,
    link: Link,
    layers: Sequence[RTCRtpEncodingParameters] = (RTCRtpEncodingParameters(max_bitrate=8_000_000),),
    settings: Settings | None = None,
    watch: bool = True,
    audio: bool = True,
    without: Collection[str] = (),
    dual_stack: bool = False,
) -> AsyncIterator[MeteredCall]:
    """Open a connected call in which Alice sends video, and audio if requested, to Bob.

    Args:
        seed: Seed of all randomness.
        link: Link from Alice to Bob; the other direction is the same without a bottleneck.
        layers: The encodings of Alice's video.
        settings: Settings of both peers.
        watch: Whether Bob consumes the frames and the meter runs.
        audio: Whether Alice also sends audio.
        without: Names of codecs that are not offered for video.
        dual_stack: Whether both peers have an IPv4 and an IPv6 address.
    """
    back = attrs.evolve(link, rate=None)
    async with (
        two_peers(seed=seed, link=back, settings=settings, dual_stack=dual_stack) as peers,
        trio.open_nursery() as nursery,
    ):
        peers.network.set_link("alice", "bob", link)
        stream = MediaStream()
        video_source, video_track = open_media_track("video")
        audio_source, audio_track = open_media_track("audio")
        video = peers.alice.add_transceiver(
            video_track, direction="sendonly", streams=[stream], send_encodings=layers
        )
        if audio:
            peers.alice.add_transceiver(audio_track, direction="sendonly", streams=[stream])
        if without:
            video.set_codec_preferences(_codecs_without(without))
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        await state_reached(peers.bob, "connected")
        transceivers = {each.receiver.track.kind: each for each in peers.bob.get_transceivers()}
        encoder = VideoEncoder(
            video_source, video.sender, random.Random(seed), [layer.rid for layer in layers]
        )
        call = MeteredCall(peers, stream, encoder, transceivers, nursery, link, trio.current_time())
        peers.network.add_filter(call.count)
        for transceiver in transceivers.values():
            transceiver.receiver.decode = False
        if watch:
            nursery.start_soon(call.video.keep, transceivers["video"].receiver.track)
            nursery.start_soon(call.meter)
        if watch and audio:
            nursery.start_soon(call.audio.keep, transceivers["audio"].receiver.track)
        nursery.start_soon(encoder.run)
        if audio:
            nursery.start_soon(send_audio_frames, audio_source)
        yield call
        nursery.cancel_scope.cancel()
