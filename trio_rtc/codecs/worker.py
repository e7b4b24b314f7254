"""Codecs in threads, with trio's cancellation semantics, and a few audio encoders in tasks.

A codec's context must not be used by two threads, nor released while a thread uses it. So calls on one codec are
serialized, and a cancelled call is still awaited: it takes some milliseconds, the time of one frame, and leaves neither
a thread nor a context behind.

All codecs share one ``trio.CapacityLimiter`` of as many threads as there are CPUs. It is separate from trio's, so that
many videos do not delay file access or name resolution elsewhere in the program, nor vice versa.

Beside a task that is busy, such as a bulk transfer, a thread waits several times for the interpreter in each call, and
audio falls behind: on two CPUs by up to 0.9 s. So the first few audio encoders of a trio run are called in the task
that needs the result. Decoders are not: on a busy machine they delayed the packets that were sent meanwhile so much
that the bandwidth estimate collapsed.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar, cast

import av
import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import runs_threads, thread_limiter
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.payload import QuantizerReader, quantizer_reader
from trio_rtc.tracks.failure_log import FailureLog
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe

from .errors import CodecError
from .interfaces import AudioDecoder, VideoDecoder

if TYPE_CHECKING:
    from outcome import Outcome

logger = logging.getLogger("trio_rtc.codecs")

T = TypeVar("T")
_MAX_IN_TASKS: Final = 8
"""Audio encoders of a trio run that run in tasks; each takes about 2 % of the event loop with Opus."""
_MAX_SECONDS_IN_TASK: Final = 0.005
"""CPU time of a call after which an audio encoder of an application moves to a thread."""

_in_tasks: Final = trio.lowlevel.RunVar[int]("audio_encoders_in_tasks", default=0)

MediaFrameT = TypeVar("MediaFrameT", av.AudioFrame, av.VideoFrame)


def codec_limiter() -> trio.CapacityLimiter:
    """Return the limiter of this trio run's codec threads; ``total_tokens`` may be set."""
    return thread_limiter("codecs", os.cpu_count() or 1)


class Closeable(Protocol):
    def close(self) -> None: ...


class CodecThread:
    """Serializes calls on one codec, each in a thread, or in the caller's task.

    Args:
        codec: The codec, owned by this object.
        limiter: Limits the threads; ``None`` for :func:`codec_limiter`.
        in_task: Whether it may be called in the caller's task, as an audio encoder: the first eight of a trio run are,
            as long as a call takes less than 5 ms of CPU time.
    """

    def __init__(
        self, codec: Closeable, limiter: trio.CapacityLimiter | None = None, *, in_task: bool = False
    ) -> None:
        self._codec = codec
        self._may_run_in_task = in_task
        self._runs_in_task = False
        self._limiter = limiter
        # Not known until the first call, since a codec may be created outside of trio.
        self._runs_threads: bool | None = None
        self._lock = trio.Lock()
        self._closed = False

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function that uses the codec, and return its result.

        A cancellation during the call takes effect after it.

        Raises:
            trio.ClosedResourceError: The codec is closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            # The lock is nearly always free; this saves a round of the event loop.
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()
        try:
            if self._closed:
                raise trio.ClosedResourceError
            if self._runs_threads is None:
                self._begin()
            if self._runs_threads and not self._runs_in_task:
                return await self._run(function)
            result = self._call_in_task(function) if self._runs_in_task else function()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return result
        finally:
            self._lock.release()

    async def aclose(self) -> None:
        """Wait for a running call and release the codec."""
        with trio.CancelScope(shield=True):
            async with self._lock:
                if not self._closed:
                    self._closed = True
                    self._leave_task()
                    self._codec.close()

    def _begin(self) -> None:
        self._runs_threads = runs_threads()
        self._limiter = self._limiter or codec_limiter()
        # Without threads, a measured time must not determine what happens.
        if self._runs_threads and self._may_run_in_task and _in_tasks.get() < _MAX_IN_TASKS:
            _in_tasks.set(_in_tasks.get() + 1)
            self._runs_in_task = True

    def _leave_task(self) -> None:
        if self._runs_in_task:
            _in_tasks.set(_in_tasks.get() - 1)
            self._runs_in_task = False

    def _call_in_task(self, function: Callable[[], T]) -> T:
        began = time.thread_time()
        result = function()
        if time.thread_time() - began > _MAX_SECONDS_IN_TASK:
            self._leave_task()
        return result

    async def _run(self, function: Callable[[], T]) -> T:
        """Do the same as ``trio.to_thread.run_sync`` at two thirds of its cost, which matters thirty times a second.

        Codecs need neither context variables in the thread nor calls from it into trio.
        """
        limiter = self._limiter
        assert limiter is not None
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
    """Statistics of a decoder; ``quantizers`` is the sum of ``quantized`` ones, ``seconds`` the decoding time.

    ``processing`` is the time from the arrival of the first packet to the end of decoding: the sum of each video frame,
    or of each clock unit of audio.
    """

    decoded: int = 0
    keyframes: int = 0
    quantizers: int = 0
    quantized: int = 0
    broken: int = 0
    seconds: float = 0.0
    processing: float = 0.0


@attrs.frozen
class _Lost:
    """A gap in the audio, and the packet after it, if it arrived in time."""

    duration: float
    following: bytes | None


def _units(encoded: EncodedFrame, frames: Sequence[av.AudioFrame | av.VideoFrame]) -> float:
    """Return the number of video frames, or of clock units of audio."""
    return sum(
        each.samples * encoded.clock_rate / each.sample_rate if isinstance(each, av.AudioFrame) else 1
        for each in frames
    )


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, CodecError) else f"{type(error).__name__}: {error}"


class DecodeWorker(Generic[MediaFrameT]):
    """Decodes apart from its caller: :meth:`put` queues encoded frames, :meth:`run` passes decoded ones on.

    A slow CPU does not block the caller: the queue is bounded, and the oldest frame is dropped and counted.

    Args:
        decoder: The decoder, owned by this object.
        capacity: Maximum queued frames. When a video frame is dropped, so are all up to the next keyframe.
        limiter: Limits the threads; ``None`` for :func:`codec_limiter`.

    Attributes:
        counters: Statistics. The object may be replaced to continue earlier counts.
    """

    def __init__(
        self,
        decoder: VideoDecoder | AudioDecoder,
        *,
        capacity: int = 64,
        limiter: trio.CapacityLimiter | None = None,
    ) -> None:
        self.counters = DecodeCounters()
        self._codec: str | None = None
        self._read_quantizer: QuantizerReader | None = None
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
        """The decoder's name."""
        name: str | None = getattr(self._decoder, "implementation", None)
        return name

    def put(self, frame: EncodedFrame) -> None:
        """Queue a frame for decoding. Never blocks."""
        if not self._input.put(frame):
            self._request_keyframe()

    def conceal(self, duration: float, following: bytes | None = None) -> None:
        """Queue the concealment of lost audio after the frames queued so far; no effect on video.

        Args:
            duration: Seconds.
            following: The packet directly after the loss, if known: it may have in-band FEC. It must also be queued by
                ``put``.
        """
        self._input.put(_Lost(duration, following))

    def end(self) -> None:
        """Mark the end: :meth:`run` returns after decoding the queued frames."""
        self._input.end()

    async def keyframe_needed(self) -> None:
        """Wait until the decoder needs a keyframe; returns once for each time."""
        await self._keyframe_needed.wait()
        self._keyframe_needed = trio.Event()

    async def run(
        self,
        deliver: Callable[[MediaFrameT], object],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Decode until the end or until cancelled, then release the decoder.

        Args:
            deliver: Called in this task with each decoded frame; a queue would cost every frame another round of the
                event loop.
            task_status: Started at once.
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
            # The boundary of one stream: the application's decoder may raise any error for a peer's data.
            self.counters.broken += 1
            self._failures.record("cannot decode a received frame: %s", _describe(error))
        else:
            self._count(item, frames, seconds)
        if getattr(self._decoder, "needs_keyframe", False):
            self._request_keyframe()
        return frames

    def _count(self, item: EncodedFrame | _Lost, frames: list[MediaFrameT], seconds: float) -> None:
        self.counters.seconds += seconds
        if isinstance(item, EncodedFrame):
            if item.received_at is not None:
                delay = trio.current_time() - item.received_at
                self.counters.processing += delay * _units(item, frames)
            self.counters.decoded += 1
            self.counters.keyframes += item.keyframe
            self._count_quantizer(item)

    def _count_quantizer(self, frame: EncodedFrame) -> None:
        if frame.codec != self._codec:
            self._codec, self._read_quantizer = frame.codec, quantizer_reader(frame.codec)
        if self._read_quantizer is None:
            return
        try:
            quantizer = self._read_quantizer(frame.payload)
        except ProtocolError:
            return
        if quantizer is not None:
            self.counters.quantizers += quantizer
            self.counters.quantized += 1

    def _call(self, item: EncodedFrame | _Lost) -> tuple[list[MediaFrameT], float]:
        """Decode or conceal; return the decoded frames and the time it took."""
        began = time.perf_counter()
        if isinstance(item, EncodedFrame):
            frames = self._decoder.decode(item)
        else:
            conceal = getattr(self._decoder, "conceal", None)
            frames = [] if conceal is None else conceal(item.duration, item.following)
        return cast("list[MediaFrameT]", frames), time.perf_counter() - began

    def _request_keyframe(self) -> None:
        self._keyframe_needed.set()
