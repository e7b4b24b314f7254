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
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

import attrs
import av
import trio

from trio_rtc._environment import call_in_place, runs_threads, thread_limiter
from trio_rtc._failure_log import FailureLog
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.payload import QuantizerReader
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe

from .errors import CodecError
from .interfaces import AudioDecoder, VideoDecoder

if TYPE_CHECKING:
    from outcome import Outcome

logger = logging.getLogger("trio_rtc.codecs")

T = TypeVar("T")
MediaFrameT = TypeVar("MediaFrameT", av.AudioFrame, av.VideoFrame)


def codec_limiter() -> trio.CapacityLimiter:
    """Return the limiter of this trio run's codec threads; ``total_tokens`` may be set."""
    return thread_limiter("codecs", os.cpu_count() or 1)


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
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            # Nearly always free, and then without a round of the event loop.
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()
        try:
            if self._closed:
                raise trio.ClosedResourceError
            return await self._run(function, self._limiter or codec_limiter())
        finally:
            self._lock.release()

    async def aclose(self) -> None:
        """Wait for the call that runs, if any, and free the codec."""
        with trio.CancelScope(shield=True):
            async with self._lock:
                if not self._closed:
                    self._closed = True
                    self._codec.close()

    async def _run(self, function: Callable[[], T], limiter: trio.CapacityLimiter) -> T:
        """Do what ``trio.to_thread.run_sync`` does, at two thirds of its cost: thirty times a second it matters.

        Codecs need neither context variables in the thread nor calls back from it.
        """
        if not runs_threads():
            return await call_in_place(function)
        task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()

        def report(result: "Outcome[T]") -> None:
            token.run_sync_soon(trio.lowlevel.reschedule, task, result)

        try:
            limiter.acquire_on_behalf_of_nowait(self)
        except trio.WouldBlock:
            await limiter.acquire_on_behalf_of(self)
        try:
            trio.lowlevel.start_thread_soon(function, report)
            returned: T = await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
            return returned
        finally:
            limiter.release_on_behalf_of(self)


@attrs.define
class DecodeCounters:
    """What a decoder has done.

    Attributes:
        decoded: Encoded frames that were decoded.
        keyframes: Those of them that were keyframes.
        quantizers: The quantizers of those whose header was read, added up.
        quantized: How many these are.
        broken: Encoded frames that could not be.
        seconds: How long decoding has taken, all together.
    """

    decoded: int = 0
    keyframes: int = 0
    quantizers: int = 0
    quantized: int = 0
    broken: int = 0
    seconds: float = 0.0


@attrs.frozen
class _Lost:
    """A gap in the sound, and the packet after it, if it was there in time."""

    duration: float
    following: bytes | None


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, CodecError) else f"{type(error).__name__}: {error}"


class DecodeWorker(Generic[MediaFrameT]):
    """Decodes in threads: encoded frames go in by :meth:`put`, decoded ones are handed on by :meth:`run`.

    Nothing waits for a slow CPU: what waits to be decoded is bounded, and the oldest is dropped and counted.

    Args:
        decoder: It belongs to this object from now on.
        capacity: Encoded frames that may wait. When one of a video must go, so do all before the next keyframe.
        limiter: Under which threads run; ``None`` for :func:`codec_limiter`.

    Attributes:
        counters: What was done. Another object may be put in its place, to go on with what was counted before.
    """

    def __init__(
        self,
        decoder: VideoDecoder | AudioDecoder,
        *,
        capacity: int = 64,
        limiter: trio.CapacityLimiter | None = None,
    ) -> None:
        self.counters = DecodeCounters()
        self._quantizers = QuantizerReader()
        self._decoder = decoder
        self._thread = CodecThread(decoder, limiter)
        self._input: FrameQueue[EncodedFrame | _Lost] = FrameQueue(capacity, at_keyframe)
        self._keyframe_needed = trio.Event()
        self._failures = FailureLog(logger)

    @property
    def dropped(self) -> int:
        """Encoded frames that were dropped because decoding is too slow."""
        return self._input.dropped

    @property
    def implementation(self) -> str | None:
        """What the decoder is called."""
        name: str | None = getattr(self._decoder, "implementation", None)
        return name

    def put(self, frame: EncodedFrame) -> None:
        """Let a frame be decoded. Never waits."""
        if not self._input.put(frame):
            self._need_keyframe()

    def conceal(self, duration: float, following: bytes | None = None) -> None:
        """Let so many seconds of sound be made up, after what was put in before; of no effect on video.

        Args:
            duration: In seconds.
            following: The packet directly after, if it is known: it may have what was lost. It is put in as usual, too.
        """
        self._input.put(_Lost(duration, following))

    def end(self) -> None:
        """Let what was put in be decoded, and then :meth:`run` return."""
        self._input.end()

    async def keyframe_needed(self) -> None:
        """Wait until the decoder cannot go on without a keyframe; each time it finds that, once."""
        await self._keyframe_needed.wait()
        self._keyframe_needed = trio.Event()

    async def run(
        self,
        deliver: Callable[[MediaFrameT], object],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Decode until the end, or until cancelled. Frees the decoder.

        Args:
            deliver: Called with each decoded frame, in this task: a queue between would cost every frame another
                round of the event loop.
            task_status: Told that it runs.
        """
        task_status.started()
        try:
            async for item in self._input:
                for frame in await self._decode(item):
                    deliver(frame)
        finally:
            self._input.close()
            await self._thread.aclose()

    async def _decode(self, item: EncodedFrame | _Lost) -> list[MediaFrameT]:
        frames: list[MediaFrameT] = []
        try:
            frames, seconds = await self._thread.call(lambda: self._call(item))
        except Exception as error:
            # The boundary of one stream: a decoder, perhaps not ours, has met what a peer has sent.
            self.counters.broken += 1
            self._failures.record("a received frame cannot be decoded: %s", _describe(error))
        else:
            self._count(item, seconds)
        if getattr(self._decoder, "needs_keyframe", False):
            self._need_keyframe()
        return frames

    def _count(self, item: EncodedFrame | _Lost, seconds: float) -> None:
        self.counters.seconds += seconds
        if isinstance(item, EncodedFrame):
            self.counters.decoded += 1
            self.counters.keyframes += item.keyframe
            quantizer = self._quantizers.read(item.codec, item.payload)
            if quantizer is not None:
                self.counters.quantizers += quantizer
                self.counters.quantized += 1

    def _call(self, item: EncodedFrame | _Lost) -> tuple[list[MediaFrameT], float]:
        """Runs in a thread; returns what came out, and how long it took."""
        began = time.perf_counter()
        if isinstance(item, EncodedFrame):
            frames = self._decoder.decode(item)
        else:
            conceal = getattr(self._decoder, "conceal", None)
            frames = [] if conceal is None else conceal(item.duration, item.following)
        return cast("list[MediaFrameT]", frames), time.perf_counter() - began

    def _need_keyframe(self) -> None:
        self._keyframe_needed.set()
