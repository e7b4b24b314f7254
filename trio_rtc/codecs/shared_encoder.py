"""One encode of a source for as many receivers as want it."""

import logging
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

import attrs
import av
import trio

from trio_rtc.protocols.rtp.frame import EncodedFrame

from .errors import CodecError
from .frame_queue import FrameQueue, at_keyframe
from .interfaces import AudioEncoder, VideoEncoder
from .worker import CodecThread

logger = logging.getLogger("trio_rtc.codecs")

FrameT = TypeVar("FrameT")
Policy = Literal["lowest", "highest"]

_MAX_FAILURES = 10


@attrs.frozen
class EncodingTarget:
    """What a receiver wants.

    Attributes:
        bitrate: Bits per second; ``None`` is as the encoder's options say.
        framerate: At most so many pictures per second; ``None`` is all.
        scale_down_by: By how much width and height are divided.
    """

    bitrate: int | None = None
    framerate: float | None = None
    scale_down_by: float = 1.0


class EncodedSubscription(trio.abc.ReceiveChannel[EncodedFrame]):
    """What one receiver gets of a :class:`SharedEncoder`: encoded frames, from a keyframe on.

    A receiver that does not keep up loses the oldest frames, and with them those up to the next keyframe, which is
    asked for at once.

    Attributes:
        target: What this receiver wants. Set it at any time.
    """

    def __init__(self, target: EncodingTarget, capacity: int, unsubscribe: Callable[[], None]) -> None:
        self.target = target
        self._unsubscribe = unsubscribe
        self._active = True
        self._keyframe_wanted = True
        self._queue: FrameQueue[EncodedFrame] = FrameQueue(capacity, at_keyframe)
        self._queue.starved = True

    @property
    def active(self) -> bool:
        """Whether it gets frames, and has a say in what is encoded. Begins with a keyframe when it is set again."""
        return self._active

    @active.setter
    def active(self, active: bool) -> None:
        if active and not self._active:
            self._queue.starved = True
            self._keyframe_wanted = True
        self._active = active

    @property
    def dropped(self) -> int:
        """Frames that this receiver has lost by being slow."""
        return self._queue.dropped

    @property
    def keyframe_wanted(self) -> bool:
        """Whether a keyframe was asked for and has not come."""
        return self._active and self._keyframe_wanted

    def request_keyframe(self) -> None:
        """Let the next picture be a keyframe, for all receivers."""
        self._keyframe_wanted = True

    async def receive(self) -> EncodedFrame:
        """Return the next frame.

        Raises:
            trio.EndOfChannel: The source has ended.
            trio.ClosedResourceError: This channel was closed.
        """
        return await self._queue.receive()

    async def aclose(self) -> None:
        """End the subscription."""
        self._unsubscribe()
        await self._queue.aclose()

    def deliver(self, frame: EncodedFrame) -> None:
        """Take a frame from the encoder."""
        if not self._active:
            return
        if self._queue.starved and not frame.keyframe:
            return  # it waits for a keyframe; nothing it had has been lost
        if frame.keyframe:
            self._keyframe_wanted = False
        if not self._queue.put(frame):
            self._keyframe_wanted |= self._queue.starved

    def end(self) -> None:
        """Take the end from the encoder."""
        self._queue.end()


class SharedEncoder(Generic[FrameT]):
    """Encodes a source once and gives the frames to all who subscribed.

    A keyframe that any of them asks for serves all. Of their targets one is chosen: with the policy ``"lowest"`` the
    lowest bitrate and frame rate and the smallest picture, so that the stream fits through the narrowest link; with
    ``"highest"`` the opposite, for receivers that are about equal or that can be dropped. Receivers that differ
    much are better served by simulcast: one shared encoder for each layer, each over the same source.

    While nobody has subscribed, frames of the source are taken and left unencoded.

    Args:
        source: Frames to encode; it is closed at the end.
        encoder: It belongs to this object from now on.
        encode: How the encoder is called; see :meth:`of_video` and :meth:`of_audio`.
        policy: Which target is chosen.
        capacity: Frames of the source that may wait; the oldest goes.
        limiter: Under which threads run; ``None`` for :func:`.codec_limiter`.

    Attributes:
        failed: How many frames could not be encoded.
    """

    def __init__(
        self,
        source: trio.abc.ReceiveChannel[FrameT],
        encoder: VideoEncoder | AudioEncoder,
        encode: Callable[[FrameT, EncodingTarget, bool], list[EncodedFrame]],
        *,
        policy: Policy = "lowest",
        capacity: int = 4,
        limiter: trio.CapacityLimiter | None = None,
    ) -> None:
        self.failed = 0
        self._source = source
        self._encode = encode
        self._policy = policy
        self._thread = CodecThread(encoder, limiter)
        self._queue: FrameQueue[FrameT] = FrameQueue(capacity)
        self._subscriptions: list[EncodedSubscription] = []
        self._ended = False

    @classmethod
    def of_video(
        cls,
        source: trio.abc.ReceiveChannel[av.VideoFrame],
        encoder: VideoEncoder,
        *,
        policy: Policy = "lowest",
        capacity: int = 4,
        limiter: trio.CapacityLimiter | None = None,
    ) -> "SharedEncoder[av.VideoFrame]":
        """Return one for pictures."""

        def encode(frame: av.VideoFrame, target: EncodingTarget, keyframe: bool) -> list[EncodedFrame]:
            return encoder.encode(
                frame,
                force_keyframe=keyframe,
                bitrate=target.bitrate,
                framerate=target.framerate,
                scale_down_by=target.scale_down_by,
            )

        return SharedEncoder(source, encoder, encode, policy=policy, capacity=capacity, limiter=limiter)

    @classmethod
    def of_audio(
        cls,
        source: trio.abc.ReceiveChannel[av.AudioFrame],
        encoder: AudioEncoder,
        *,
        policy: Policy = "lowest",
        capacity: int = 50,
        limiter: trio.CapacityLimiter | None = None,
    ) -> "SharedEncoder[av.AudioFrame]":
        """Return one for sound."""

        def encode(frame: av.AudioFrame, target: EncodingTarget, keyframe: bool) -> list[EncodedFrame]:
            return encoder.encode(frame, bitrate=target.bitrate)

        return SharedEncoder(source, encoder, encode, policy=policy, capacity=capacity, limiter=limiter)

    @property
    def dropped(self) -> int:
        """Frames of the source that were dropped because encoding is too slow."""
        return self._queue.dropped

    def subscribe(self, target: EncodingTarget | None = None, *, capacity: int = 16) -> EncodedSubscription:
        """Return a channel of encoded frames; it begins with a keyframe, which is asked for.

        Args:
            target: What the receiver wants.
            capacity: Frames that may wait for it.
        """
        subscription: EncodedSubscription

        def unsubscribe() -> None:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

        subscription = EncodedSubscription(target or EncodingTarget(), capacity, unsubscribe)
        if self._ended:
            subscription.end()
        else:
            self._subscriptions.append(subscription)
        return subscription

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Encode until the source ends, or until cancelled. Frees the encoder and closes the source.

        Raises:
            CodecError: Ten frames in a row could not be encoded.
        """
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                await self._encode_all()
        except BaseExceptionGroup as group:
            raise _only(group) from None
        finally:
            self._ended = True
            for subscription in self._subscriptions:
                subscription.end()
            await self._thread.aclose()

    async def _read(self) -> None:
        async with self._source:
            try:
                async for frame in self._source:
                    self._queue.put(frame)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                logger.debug("the source of an encoder is gone")
            self._queue.end()

    async def _encode_all(self) -> None:
        failures = 0
        async for frame in self._queue:
            subscribers = [each for each in self._subscriptions if each.active]
            if not subscribers:
                continue
            try:
                encoded = await self._encode_one(frame, subscribers)
            except CodecError as error:
                self.failed += 1
                failures += 1
                logger.debug("a frame could not be encoded: %s", error)
                if failures >= _MAX_FAILURES:
                    raise
                continue
            failures = 0
            for each in encoded:
                for subscription in tuple(self._subscriptions):
                    subscription.deliver(each)

    async def _encode_one(self, frame: FrameT, subscribers: list[EncodedSubscription]) -> list[EncodedFrame]:
        target = self._choose([subscription.target for subscription in subscribers])
        keyframe = any(subscription.keyframe_wanted for subscription in subscribers)
        return await self._thread.call(lambda: self._encode(frame, target, keyframe))

    def _choose(self, targets: list[EncodingTarget]) -> EncodingTarget:
        lower, higher = (min, max) if self._policy == "lowest" else (max, min)
        bitrates = [target.bitrate for target in targets if target.bitrate is not None]
        framerates = [target.framerate for target in targets if target.framerate is not None]
        unlimited = self._policy == "highest" and len(framerates) < len(targets)
        return EncodingTarget(
            bitrate=lower(bitrates) if bitrates else None,
            framerate=None if unlimited or not framerates else lower(framerates),
            scale_down_by=higher(target.scale_down_by for target in targets),
        )


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception in a group of one, however deep, or else the group."""
    exception: BaseException = group
    while isinstance(exception, BaseExceptionGroup) and len(exception.exceptions) == 1:
        exception = exception.exceptions[0]
    return exception
