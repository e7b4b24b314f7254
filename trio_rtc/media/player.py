"""Files and streams as channels of frames."""

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import av.container
import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import call_in_thread, require_trio
from trio_rtc.codecs.worker import codec_limiter
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe

from ._background import background
from ._container import ThreadedContainer, is_local, open_container, translate_error
from ._demuxed import MediaFrame, StreamCopier, StreamDecoder, TimedFrame

logger = logging.getLogger("trio_rtc.media")

Kind = Literal["audio", "video"]
Pacing = Literal["realtime", "fast", "live"]

_READ_AHEAD = 8  # packets of each stream
_MAX_PACKETS = 512  # of one stream, while another that is shorter or not interleaved has none
_AUDIO_FRAMES, _VIDEO_FRAMES = 50, 8


class Player:
    """A file or stream that is being played.

    Frames go through bounded queues. In real time, the oldest frames are dropped when a queue is full, as for a live
    source. Otherwise reading waits while any queue is full: close the channel that is not used.

    Attributes:
        audio: The first audio stream, or ``None``.
        video: The first video stream, or ``None``.
        duration: The duration in seconds, or ``None`` if unknown.
    """

    def __init__(self, queues: Mapping[Kind, FrameQueue[MediaFrame]], duration: float | None) -> None:
        self.duration = duration
        self._queues = queues
        self.audio: trio.abc.ReceiveChannel[MediaFrame] | None = queues.get("audio")
        self.video: trio.abc.ReceiveChannel[MediaFrame] | None = queues.get("video")

    @property
    def dropped(self) -> int:
        """Frames that were dropped because they were not received in time."""
        return sum(queue.dropped for queue in self._queues.values())


@attrs.frozen
class Source:
    """A source and how it is played.

    Attributes:
        path: A file, URL or device name.
        format: FFmpeg's name of the format; ``None`` detects it.
        timeout: Seconds without an answer after which a network or device has failed.
        pacing: ``"realtime"`` waits until frames are due; ``"fast"`` waits until they are received; ``"live"`` does not
            wait, since the source has its own pace.
    """

    path: str
    format: str | None = None
    options: Mapping[str, str] = attrs.field(factory=dict)
    timeout: float = 10.0
    pacing: Pacing = "realtime"
    decode: bool = True

    async def open(self) -> ThreadedContainer[av.container.InputContainer]:
        local = self.pacing != "live" and is_local(self.path)

        def open_input() -> av.container.InputContainer:
            timeout = None if local else self.timeout
            return av.open(self.path, "r", format=self.format, options=dict(self.options), timeout=timeout)

        return await open_container(open_input, self.path, local=local)


@contextlib.asynccontextmanager
async def open_player(
    path_or_url: str | Path,
    *,
    loop: bool = False,
    realtime: bool = True,
    decode: bool = True,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> AsyncIterator[Player]:
    """Open a file or stream and play it while the block runs.

    Args:
        path_or_url: Anything that FFmpeg opens.
        loop: Whether to play again after the end, with continuing timestamps.
        realtime: Whether frames are delivered when they are due by trio's clock, instead of as fast as they are
            received.
        decode: Whether frames are decoded. Otherwise they are ``EncodedFrame``, for codecs with an RTP payload format.
        format: FFmpeg's name of the format; ``None`` detects it.
        options: FFmpeg's options of the format.
        timeout: Seconds without an answer after which a network stream has failed.

    Raises:
        OSError: The file or stream does not exist or cannot be read.
        ValueError: FFmpeg does not know the format, there is neither audio nor video, or, with ``decode=False``, the
            codec has no RTP payload format.
    """
    require_trio("media.open_player")
    pacing: Pacing = "realtime" if realtime else "fast"
    source = Source(str(path_or_url), format, options or {}, timeout, pacing, decode)
    async with play(source, loop=loop) as player:
        yield player


@contextlib.asynccontextmanager
async def play(source: Source, *, loop: bool = False) -> AsyncIterator[Player]:
    """Play a source while the block runs; see :func:`open_player`."""
    container = await source.open()
    try:
        first = _Pass(source, container, Fraction(0))
    except BaseException:
        container.close()
        raise
    duration = container.container.duration
    queues = {
        kind: FrameQueue[MediaFrame](_AUDIO_FRAMES if kind == "audio" else _VIDEO_FRAMES, at_keyframe)
        for kind in first.kinds
    }
    async with background(lambda: _play(source, first, queues, loop)):
        try:
            yield Player(queues, None if duration is None else duration / av.time_base)
        finally:
            for queue in queues.values():
                queue.close()


async def _play(
    source: Source, current: "_Pass", queues: dict[Kind, FrameQueue[MediaFrame]], loop: bool
) -> None:
    cause: Exception | None = None
    begun = trio.current_time()
    try:
        while True:
            end = await current.run(queues, begun)
            if not loop or end <= current.offset:
                return
            current = _Pass(source, await source.open(), end)
    except (OSError, ValueError, av.FFmpegError) as error:
        logger.warning("playing %s failed: %s", source.path, error)
        cause = error
    finally:
        for queue in queues.values():
            queue.end(cause)


class _Pass:
    """One playback of a container from its beginning to its end.

    One task reads packets a little ahead. For each stream, another task decodes them and waits until they are due, so
    that audio stored ahead of its video does not delay the video.
    """

    def __init__(
        self, source: Source, container: ThreadedContainer[av.container.InputContainer], offset: Fraction
    ) -> None:
        self.offset = offset
        self._source = source
        self._container = container
        opened = container.container
        streams: list[av.AudioStream | av.VideoStream] = [
            *opened.streams.audio[:1],
            *opened.streams.video[:1],
        ]
        if not streams:
            raise ValueError(f"{source.path}: no audio or video stream")
        start = Fraction(opened.start_time or 0, av.time_base)
        make = StreamDecoder if source.decode else StreamCopier
        try:
            self._streams = {stream.index: make(stream, start, offset) for stream in streams}
        except Exception as error:
            raise translate_error(error, source.path) from None
        self.kinds: list[Kind] = ["audio" if stream.type == "audio" else "video" for stream in streams]
        self._packets: dict[int, FrameQueue[av.Packet[av.stream.Stream]]] = {
            stream.index: FrameQueue(_MAX_PACKETS) for stream in streams
        }
        self._demuxed = opened.demux(*streams)
        self._packets_needed = trio.lowlevel.ParkingLot()
        self._end = 0.0
        self._error: Exception | None = None

    async def run(self, queues: dict[Kind, FrameQueue[MediaFrame]], begun: float) -> Fraction:
        """Play the container, and return its end in seconds since playback began."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                for index, kind in zip(self._streams, self.kinds, strict=True):
                    nursery.start_soon(self._play_stream, index, queues[kind], begun + float(self.offset))
        finally:
            self._container.close()
        if self._error is not None:
            raise self._error
        return self.offset + Fraction(self._end).limit_denominator(90_000)

    async def _read(self) -> None:
        try:
            while (packet := await self._container.call(lambda: next(self._demuxed, None))) is not None:
                self._packets[packet.stream_index].put(packet)
                while self._has_enough():
                    await self._packets_needed.park()
        except Exception as error:
            # PyAV does not document which exceptions a hostile file raises.
            self._error = translate_error(error, self._source.path)
        finally:
            for packets in self._packets.values():
                packets.end()

    def _has_enough(self) -> bool:
        lengths = [packets.queued for packets in self._packets.values()]
        return min(lengths) >= _READ_AHEAD or max(lengths) >= _MAX_PACKETS

    async def _play_stream(self, index: int, queue: FrameQueue[MediaFrame], begun: float) -> None:
        stream = self._streams[index]
        async for packet in self._packets[index]:
            self._packets_needed.unpark_all()
            timed = await call_in_thread(stream.read_frames, packet, limiter=codec_limiter())
            for each in timed:
                await self._put_when_due(each, queue, begun)

    async def _put_when_due(self, timed: TimedFrame, queue: FrameQueue[MediaFrame], begun: float) -> None:
        self._end = max(self._end, timed.end)
        if self._source.pacing == "fast":
            await queue.put_when_free(timed.frame)
            return
        if self._source.pacing == "realtime":
            await trio.sleep_until(begun + timed.due)
        queue.put(timed.frame)
