"""Files and streams as channels of frames."""

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal

import attrs
import av
import av.container
import trio

from trio_rtc._environment import call_in_thread, require_trio
from trio_rtc.codecs.worker import codec_limiter
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe

from ._background import background
from ._container import ThreadedContainer, clear_error, is_local, open_container
from ._demuxed import MediaFrame, StreamCopier, StreamDecoder, TimedFrame

logger = logging.getLogger("trio_rtc.media")

Kind = Literal["audio", "video"]
Pacing = Literal["realtime", "fast", "live"]

_READ_AHEAD = 8  # packets of each stream
_MAX_PACKETS = 512  # of one stream, while another has none because it is shorter or not interleaved
_AUDIO_FRAMES, _VIDEO_FRAMES = 50, 8


class Player:
    """A file or stream that is being played.

    Frames go through bounded queues. Played in real time, what nobody takes is dropped, oldest first, as it would be of
    a live source; otherwise reading waits, for whichever of the two is full: close the one that is of no use.

    Attributes:
        audio: Its first audio stream, or ``None``.
        video: Its first video stream, or ``None``.
        duration: Seconds that it lasts, if it tells.
    """

    def __init__(self, queues: Mapping[Kind, FrameQueue[MediaFrame]], duration: float | None) -> None:
        self.duration = duration
        self._queues = queues
        self.audio: trio.abc.ReceiveChannel[MediaFrame] | None = queues.get("audio")
        self.video: trio.abc.ReceiveChannel[MediaFrame] | None = queues.get("video")

    @property
    def dropped(self) -> int:
        """Frames that nobody took in time."""
        return sum(queue.dropped for queue in self._queues.values())


@attrs.frozen
class Source:
    """What is played and how.

    Attributes:
        path: File, URL or name of a device.
        format: FFmpeg's name of the format, if it is not to be told from the content.
        options: FFmpeg's options of the format.
        timeout: Seconds without an answer after which a network or a device counts as gone.
        pacing: ``"realtime"`` waits until frames are due; ``"fast"`` waits until they are taken; ``"live"`` waits for
            nothing, as the source has its own pace.
        decode: Whether frames are decoded.
    """

    path: str
    format: str | None = None
    options: Mapping[str, str] = attrs.field(factory=dict)
    timeout: float = 10.0
    pacing: Pacing = "realtime"
    decode: bool = True

    async def open(self) -> ThreadedContainer[av.container.InputContainer]:
        """Open it."""
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
        path_or_url: Whatever FFmpeg opens.
        loop: Whether to begin anew at the end. Timestamps go on.
        realtime: Whether frames come when they are due, by trio's clock, and not as fast as they are taken.
        decode: Whether frames are decoded. Otherwise they are ``EncodedFrame``, for codecs that RTP carries.
        format: FFmpeg's name of the format, where it cannot be told from the content.
        options: FFmpeg's options of the format.
        timeout: Seconds without an answer after which a network counts as gone.

    Raises:
        OSError: It does not exist or cannot be read.
        ValueError: It is in no format that FFmpeg knows, has neither audio nor video, or, with ``decode=False``, is in
            a codec that RTP does not carry.
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
    """Play passes until the end."""
    cause: Exception | None = None
    begun = trio.current_time()
    try:
        while True:
            end = await current.run(queues, begun)
            if not loop or end <= current.offset:
                return
            current = _Pass(source, await source.open(), end)
    except (OSError, ValueError, av.FFmpegError) as error:
        logger.warning("playing %s has ended: %s", source.path, error)
        cause = error
    finally:
        for queue in queues.values():
            queue.end(cause)


class _Pass:
    """Playing a container once, from its beginning to its end.

    One task reads packets a little ahead; for each stream another decodes them and waits until they are due, so that
    sound which a file has ahead of its picture does not hold the picture up.
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
            raise ValueError(f"{source.path}: neither audio nor video")
        start = Fraction(opened.start_time or 0, av.time_base)
        make = StreamDecoder if source.decode else StreamCopier
        try:
            self._streams = {stream.index: make(stream, start, offset) for stream in streams}
        except Exception as error:
            raise clear_error(error, source.path) from None
        self.kinds: list[Kind] = ["audio" if stream.type == "audio" else "video" for stream in streams]
        self._packets: dict[int, FrameQueue[av.Packet[av.stream.Stream]]] = {
            stream.index: FrameQueue(_MAX_PACKETS) for stream in streams
        }
        self._demuxed = opened.demux(*streams)
        self._hungry = trio.lowlevel.ParkingLot()
        self._end = 0.0
        self._error: Exception | None = None

    async def run(self, queues: dict[Kind, FrameQueue[MediaFrame]], begun: float) -> Fraction:
        """Play it, and return when it ends, in seconds since playing has begun.

        Args:
            queues: Where frames go.
            begun: When playing has begun, by trio's clock.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                for index, kind in zip(self._streams, self.kinds, strict=True):
                    nursery.start_soon(self._present, index, queues[kind], begun + float(self.offset))
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
                    await self._hungry.park()
        except Exception as error:
            # What PyAV raises for a hostile file is not a closed list.
            self._error = clear_error(error, self._source.path)
        finally:
            for packets in self._packets.values():
                packets.end()

    def _has_enough(self) -> bool:
        lengths = [packets.queued for packets in self._packets.values()]
        return min(lengths) >= _READ_AHEAD or max(lengths) >= _MAX_PACKETS

    async def _present(self, index: int, queue: FrameQueue[MediaFrame], begun: float) -> None:
        stream = self._streams[index]
        async for packet in self._packets[index]:
            self._hungry.unpark_all()
            timed = await call_in_thread(stream.take, packet, limiter=codec_limiter())
            for each in timed:
                await self._hand_over(each, queue, begun)

    async def _hand_over(self, timed: TimedFrame, queue: FrameQueue[MediaFrame], begun: float) -> None:
        self._end = max(self._end, timed.end)
        if self._source.pacing == "fast":
            await queue.put_when_free(timed.frame)
            return
        if self._source.pacing == "realtime":
            await trio.sleep_until(begun + timed.due)
        queue.put(timed.frame)
