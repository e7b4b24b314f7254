"""Codecs in threads, under trio's rules.

A codec's context must not be used by two threads, nor be freed while a thread is in it. So calls on one codec are made
one after another, and a call that has begun is waited for even when it is cancelled: it takes as long as one frame
takes, some milliseconds, and then neither a thread nor a context is left behind.

All codecs share one ``trio.CapacityLimiter`` of as many threads as there are CPUs, which is not trio's own, so that a
call with many videos does not hold up file access or name resolution elsewhere in the program, nor the other way
round.
"""

import logging
import os
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

import attrs
import av
import trio

from trio_rtc.protocols.rtp.frame import EncodedFrame

from .errors import CodecError
from .frame_queue import FrameQueue, at_keyframe
from .interfaces import AudioDecoder, VideoDecoder

logger = logging.getLogger("trio_rtc.codecs")

T = TypeVar("T")
MediaFrameT = TypeVar("MediaFrameT", av.AudioFrame, av.VideoFrame)

_limiter: "trio.lowlevel.RunVar[trio.CapacityLimiter]" = trio.lowlevel.RunVar("trio_rtc_codec_limiter")


def codec_limiter() -> trio.CapacityLimiter:
    """Return the limiter of this trio run's codec threads; ``total_tokens`` may be set."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(os.cpu_count() or 1)
        _limiter.set(limiter)
        return limiter


class Closeable(Protocol):
    """What holds something that must be freed."""

    def close(self) -> None:
        """Free it."""


class CodecThread:
    """Makes calls on one codec, one after another, in whatever thread is free.

    Args:
        codec: It belongs to this object from now on.
        limiter: Under which threads run; ``None`` for :func:`codec_limiter`.
    """

    def __init__(self, codec: Closeable, limiter: trio.CapacityLimiter | None = None) -> None:
        self._codec = codec
        self._limiter = limiter
        self._lock = trio.Lock()
        self._closed = False

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function that uses the codec, in a thread, and return what it returns.

        A cancellation that comes while the function runs takes effect after it.

        Raises:
            trio.ClosedResourceError: The codec was closed.
        """
        async with self._lock:
            if self._closed:
                raise trio.ClosedResourceError
            return await trio.to_thread.run_sync(
                function, abandon_on_cancel=False, limiter=self._limiter or codec_limiter()
            )

    async def aclose(self) -> None:
        """Wait for the call that runs, if any, and free the codec."""
        with trio.CancelScope(shield=True):
            async with self._lock:
                if not self._closed:
                    self._closed = True
                    self._codec.close()


@attrs.define
class DecodeCounters:
    """What a decoder has done.

    Attributes:
        decoded: Encoded frames that were decoded.
        keyframes: Those of them that were keyframes.
        broken: Encoded frames that could not be.
        seconds: How long decoding has taken, all together.
    """

    decoded: int = 0
    keyframes: int = 0
    broken: int = 0
    seconds: float = 0.0


@attrs.frozen
class _Lost:
    """A gap in the sound."""

    duration: float


class DecodeWorker(trio.abc.ReceiveChannel[MediaFrameT], Generic[MediaFrameT]):
    """Decodes in threads: encoded frames go in by :meth:`put`, decoded ones come out by :meth:`receive`.

    Nothing waits for a slow receiver or a slow CPU: both queues drop what is oldest, and count it.

    Args:
        decoder: It belongs to this object from now on.
        input_capacity: Encoded frames that may wait. When one of a video must go, so do all before the next keyframe.
        output_capacity: Decoded frames that may wait.
        limiter: Under which threads run; ``None`` for :func:`codec_limiter`.

    Attributes:
        counters: What was done. Another object may be put in its place, to go on with what was counted before.
    """

    def __init__(
        self,
        decoder: VideoDecoder | AudioDecoder,
        *,
        input_capacity: int = 16,
        output_capacity: int = 8,
        limiter: trio.CapacityLimiter | None = None,
    ) -> None:
        self.counters = DecodeCounters()
        self._decoder = decoder
        self._thread = CodecThread(decoder, limiter)
        self._input: FrameQueue[EncodedFrame | _Lost] = FrameQueue(input_capacity, at_keyframe)
        self._output: FrameQueue[MediaFrameT] = FrameQueue(output_capacity)
        self._keyframe_needed = trio.Event()

    @property
    def dropped_encoded(self) -> int:
        """Encoded frames that were dropped because decoding is too slow."""
        return self._input.dropped

    @property
    def dropped_decoded(self) -> int:
        """Decoded frames that were dropped because the receiver is too slow."""
        return self._output.dropped

    @property
    def implementation(self) -> str | None:
        """What the decoder is called."""
        name: str | None = getattr(self._decoder, "implementation", None)
        return name

    def put(self, frame: EncodedFrame) -> None:
        """Let a frame be decoded. Never waits."""
        if not self._input.put(frame):
            self._need_keyframe()

    def conceal(self, duration: float) -> None:
        """Let so many seconds of sound be made up, after what was put in before; of no effect on video."""
        self._input.put(_Lost(duration))

    def end(self) -> None:
        """Let the receiver have what was put in, and then ``trio.EndOfChannel``."""
        self._input.end()

    async def keyframe_needed(self) -> None:
        """Wait until the decoder cannot go on without a keyframe; each time it finds that, once."""
        await self._keyframe_needed.wait()
        self._keyframe_needed = trio.Event()

    async def receive(self) -> MediaFrameT:
        """Return the next decoded frame.

        Raises:
            trio.EndOfChannel: There will be none: :meth:`end` was called or :meth:`run` is over.
            trio.ClosedResourceError: This channel was closed.
        """
        return await self._output.receive()

    async def aclose(self) -> None:
        """Take no more frames out; :meth:`run` ends."""
        self._input.close()
        await self._output.aclose()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Decode until the end, or until cancelled. Frees the decoder."""
        task_status.started()
        try:
            while True:
                try:
                    item = await self._input.receive()
                except (trio.EndOfChannel, trio.ClosedResourceError):
                    return
                await self._decode(item)
        finally:
            self._output.end()
            await self._thread.aclose()

    async def _decode(self, item: EncodedFrame | _Lost) -> None:
        try:
            frames, seconds = await self._thread.call(lambda: self._call(item))
        except CodecError as error:
            self.counters.broken += 1
            logger.debug("a frame is broken: %s", error)
            frames = []
        else:
            self._count(item, seconds)
        if getattr(self._decoder, "needs_keyframe", False):
            self._need_keyframe()
        for frame in frames:
            self._output.put(frame)

    def _count(self, item: EncodedFrame | _Lost, seconds: float) -> None:
        self.counters.seconds += seconds
        if isinstance(item, EncodedFrame):
            self.counters.decoded += 1
            self.counters.keyframes += item.keyframe

    def _call(self, item: EncodedFrame | _Lost) -> tuple[list[MediaFrameT], float]:
        """Runs in a thread; returns what came out, and how long it took."""
        began = time.perf_counter()
        if isinstance(item, EncodedFrame):
            frames = self._decoder.decode(item)
        else:
            conceal = getattr(self._decoder, "conceal", None)
            frames = [] if conceal is None else conceal(item.duration)
        return cast("list[MediaFrameT]", frames), time.perf_counter() - began

    def _need_keyframe(self) -> None:
        self._keyframe_needed.set()
