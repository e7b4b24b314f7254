"""A call from Alice to Bob on the simulated network, whose figures are read off all the time, without codecs.

The encoders are models: they make frames of the size that a rate-controlled encoder would make, a multiple of that for
keyframes, and follow what their sender is told it may use. Every frame has the time of its capture in it, so that what
comes out at the other end tells how long it took.
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
from tests.strategies.stories import layer_counters, state_reached
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
# RFC 6386 section 9.1: a frame tag with and without the bit that says "no keyframe", start code, 640 by 360.
_KEYFRAME = bytes([0x10, 0, 0]) + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 360)
_DELTA = bytes([0x11, 0, 0])
# RFC 6716 section 3.1: CELT, full band, one frame of 20 ms.
_OPUS = bytes([31 << 3])
_STAMP = struct.Struct("!Id")
_UDP_AND_IP = 28


@attrs.define
class VideoEncoder:
    """Makes frames as an encoder with rate control does: of about the size that it may use, larger for keyframes.

    Attributes:
        source: Where the frames go.
        sender: Tells what may be used, and when a keyframe is needed.
        rng: Source of the variation between frames.
        rids: The layers.
        keyframe_factor: How many times larger a keyframe is; the frames behind it are smaller until that is made up.
        least_bitrate: What it cannot go below.
        keyframes_asked: How often the peer has asked for a keyframe.
        sent: Number of frames that were sent of each layer.
    """

    source: MediaStreamTrackSource
    sender: RTCRtpSender
    rng: random.Random
    rids: Sequence[str | None] = (None,)
    keyframe_factor: float = 4.0
    least_bitrate: float = 30_000.0
    keyframes_asked: int = 0
    sent: dict[str | None, int] = attrs.field(factory=dict)
    _debt: dict[str | None, float] = attrs.field(factory=dict)
    _wanted: set[str | None] = attrs.field(factory=set)

    async def run(self) -> None:
        """Encode until cancelled."""
        self._wanted.update(self.rids)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear_requests)
            due = trio.current_time()
            for index in range(1 << 32):
                for rid in self.rids:
                    await self._encode(rid, index, due)
                due += 1 / FRAME_RATE
                await trio.sleep_until(due)

    async def _hear_requests(self) -> None:
        async with self.sender.keyframe_requests() as requests:
            async for rid in requests:
                self.keyframes_asked += 1
                self._wanted.add(rid if rid in self.rids else self.rids[0])

    async def _encode(self, rid: str | None, index: int, captured_at: float) -> None:
        bitrate = self.sender.target_bitrates.get(rid, 300_000.0)
        if not bitrate:
            # A layer that comes back begins with a keyframe.
            self._wanted.add(rid)
            return
        keyframe = rid in self._wanted
        self._wanted.discard(rid)
        wanted = max(bitrate, self.least_bitrate) / FRAME_RATE / 8
        debt = self._debt.get(rid, 0.0)
        size = wanted * self.rng.uniform(0.8, 1.2)
        if keyframe:
            size *= self.keyframe_factor
        else:
            size -= min(max(debt / 4, -wanted / 2), wanted / 2)
        self._debt[rid] = debt + size - wanted
        head = (_KEYFRAME if keyframe else _DELTA) + _STAMP.pack(index, captured_at)
        payload = head + bytes(max(int(size) - len(head), 0))
        timestamp = round(captured_at * _VIDEO_CLOCK)
        self.sent[rid] = self.sent.get(rid, 0) + 1
        await self.source.send(EncodedFrame(payload, timestamp, _VIDEO_CLOCK, "VP8", keyframe, rid=rid))


async def speak(source: MediaStreamTrackSource, size: int = 80) -> None:
    """Send 20 ms of sound after the other, until cancelled."""
    due = trio.current_time()
    for index in range(1 << 32):
        payload = _OPUS + _STAMP.pack(index, due) + bytes(size - _STAMP.size - 1)
        await source.send(EncodedFrame(payload, round(due * _AUDIO_CLOCK), _AUDIO_CLOCK, "opus"))
        due += AUDIO_FRAME
        await trio.sleep_until(due)


@attrs.frozen
class Shown:
    """A frame that came out at Bob's.

    Attributes:
        at: When.
        captured_at: When it went in at Alice's.
        index: Its number.
        size: Bytes.
        keyframe: Whether it needs no other.
        rid: Its layer.
    """

    at: float
    captured_at: float
    index: int
    size: int
    keyframe: bool
    rid: str | None

    @property
    def latency(self) -> float:
        """Seconds from capture."""
        return self.at - self.captured_at


@attrs.define
class Log:
    """What came out of a track."""

    frames: list[Shown] = attrs.field(factory=list)

    async def keep(self, frames: trio.abc.ReceiveChannel[EncodedFrame]) -> None:
        """Take frames until they end."""
        async for frame in frames:
            self.add(frame)

    def add(self, frame: EncodedFrame) -> None:
        """Take a frame."""
        offset = 1 if frame.codec.lower() == "opus" else len(_KEYFRAME if frame.keyframe else _DELTA)
        index, captured_at = _STAMP.unpack_from(frame.payload, offset)
        now = trio.current_time()
        self.frames.append(Shown(now, captured_at, index, len(frame.payload), frame.keyframe, frame.rid))

    def between(self, begin: float, end: float = math.inf) -> list[Shown]:
        """Return the frames of a while."""
        return [frame for frame in self.frames if begin <= frame.at < end]

    def longest_stall(self, begin: float, end: float) -> float:
        """Return the longest time without a frame between two times."""
        times = [begin, *(frame.at for frame in self.between(begin, end)), end]
        return max(later - sooner for sooner, later in itertools.pairwise(times))


@attrs.frozen
class Sample:
    """A look at a call.

    Attributes:
        at: Seconds since the call was connected.
        link_rate: What the link carries, in bits a second.
        estimate: What congestion control lets Alice send.
        sent: What she has sent since the last look, IP and UDP headers included, in bits a second.
        queueing_delay: What a packet would wait before the bottleneck, in seconds.
        frames: Frames a second that Bob had since the last look.
        latency: The mean time from capture that they had taken, ``nan`` without any.
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
    """A call that is going on.

    Attributes:
        peers: The two.
        stream: What Alice's tracks are in.
        encoder: Alice's.
        transceivers: Bob's, by kind.
        nursery: For what is to end with the call.
        link: The present one from Alice to Bob.
        began_at: When the call was connected.
        video: What Bob sees.
        audio: What he hears.
        samples: What the meter has read.
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
        """Bob's receiver of pictures."""
        return self.transceivers["video"].receiver

    def set_link(self, link: Link) -> None:
        """Replace the link from Alice to Bob."""
        self.link = link
        self.peers.network.set_link("alice", "bob", link)

    def set_rate(self, rate: float) -> None:
        """Change only how much it carries."""
        self.set_link(attrs.evolve(self.link, rate=rate))

    async def sender_counters(self, layer: str = "rtp") -> dict[str, float]:
        """Return what Alice has counted."""
        return dict(await layer_counters(self.peers.alice, layer))

    async def receiver_counters(self, layer: str = "rtp") -> dict[str, float]:
        """Return what Bob has counted."""
        return dict(await layer_counters(self.peers.bob, layer))

    async def meter(self, interval: float = 0.1) -> None:
        """Read off all figures again and again."""
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
        """Count what Alice sends: a filter of the network."""
        if packet.sender == "alice":
            self._sent += len(packet.data) + _UDP_AND_IP
        return Pass()

    def samples_between(self, begin: float, end: float = math.inf) -> list[Sample]:
        """Return what the meter has read in a while, in seconds since the beginning of the call."""
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
    sound: bool = True,
    without: Collection[str] = (),
    dual_stack: bool = False,
) -> AsyncIterator[MeteredCall]:
    """Let Alice call Bob with pictures, and with sound or without; the block begins when they are connected.

    Args:
        seed: Of all chance.
        link: From Alice to Bob; back it is the same, without a bottleneck.
        layers: The encodings of Alice's video.
        settings: Of both peers.
        watch: Whether Bob takes frames, and the meter runs.
        sound: Whether Alice sends sound, too.
        without: Names of what is not offered for the pictures.
        dual_stack: Whether both have an address of each family.
    """
    back = attrs.evolve(link, rate=None)
    async with (
        two_peers(seed=seed, link=back, settings=settings, dual_stack=dual_stack) as peers,
        trio.open_nursery() as nursery,
    ):
        peers.network.set_link("alice", "bob", link)
        stream = MediaStream()
        pictures, video_track = open_media_track("video")
        voice, audio_track = open_media_track("audio")
        video = peers.alice.add_transceiver(
            video_track, direction="sendonly", streams=[stream], send_encodings=layers
        )
        if sound:
            peers.alice.add_transceiver(audio_track, direction="sendonly", streams=[stream])
        if without:
            video.set_codec_preferences(_codecs_without(without))
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        await state_reached(peers.bob, "connected")
        transceivers = {each.receiver.track.kind: each for each in peers.bob.get_transceivers()}
        encoder = VideoEncoder(pictures, video.sender, random.Random(seed), [layer.rid for layer in layers])
        call = MeteredCall(peers, stream, encoder, transceivers, nursery, link, trio.current_time())
        peers.network.add_filter(call.count)
        for transceiver in transceivers.values():
            transceiver.receiver.decode = False
        if watch:
            nursery.start_soon(call.video.keep, transceivers["video"].receiver.track)
            nursery.start_soon(call.meter)
        if watch and sound:
            nursery.start_soon(call.audio.keep, transceivers["audio"].receiver.track)
        nursery.start_soon(encoder.run)
        if sound:
            nursery.start_soon(speak, voice)
        yield call
        nursery.cancel_scope.cancel()
