"""Encoders shared by senders.

Encoding is by far the most expensive step of a frame. Senders of different connections that send one source with the
same codec at the same size therefore share its encoder. The first sender of a frame has it encoded, in a worker thread,
or audio in its task (:mod:`trio_rtc.codecs.worker`); the others get the same result. A shared encoder has no task of
its own, and is closed with its last user.

A shared encoder runs at the lowest bitrate of its users, so senders with much less bandwidth than others leave it
(:mod:`.encoder_selection`). A requested keyframe goes to all users. A sender that has missed a frame, or has just
joined, waits for a keyframe, because the following frames refer to the missing one.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp import EncodedFrame

from .encoder_selection import EncoderSelection

if TYPE_CHECKING:
    from trio_rtc.codecs import CodecThread

_KEYFRAME_INTERVAL: Final = 0.3
"""Seconds between two requested keyframes: a peer that requests many must not degrade the video of others."""
_MAX_RESULTS: Final = 8
"""Results retained for senders that are slightly late."""
_SLICE_SIZE: Final = 1_000
"""Maximum bytes of an H.264 slice in packetization mode 0 (RFC 6184 section 5.6): one NAL unit per packet."""
_SELECTION_INTERVAL: Final = 0.25
"""Seconds between two selections of an encoder by one sender."""


@attrs.frozen
class EncoderConfig:
    """Encoder configuration; senders with equal configurations share one encoder.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        codec: The encoding name.
        fmtp: The peer's format parameters that affect encoding.
        scale_down_by: Divisor of width and height.
        max_framerate: Maximum video frames per second; ``None`` for no limit.
        enabled: Whether the track is enabled; otherwise its frames are black or silent.
    """

    kind: str
    codec: str
    fmtp: tuple[tuple[str, str], ...]
    scale_down_by: float = 1.0
    max_framerate: float | None = None
    enabled: bool = True


@attrs.frozen
class Encoded:
    """The result of encoding a frame.

    Attributes:
        index: Index of the encoder's input frame.
        seconds: Duration of encoding, in seconds.
    """

    index: int
    frames: list[EncodedFrame]
    seconds: float


@attrs.define
class EncodeCounters:
    """Counters of one encoding of one sender.

    Attributes:
        frames: Encoded frames.
        keyframes: Keyframes among them.
        seconds: Sum of their encoding times.
        quantizers: Sum of their quantizers.
        implementation: The encoder's name; ``None`` before the first frame.
    """

    frames: int = 0
    keyframes: int = 0
    seconds: float = 0.0
    quantizers: int = 0
    implementation: str | None = None

    def record(self, encoded: Encoded, implementation: str | None) -> None:
        self.frames += len(encoded.frames)
        self.keyframes += sum(frame.keyframe for frame in encoded.frames)
        self.seconds += encoded.seconds
        self.quantizers += sum(frame.quantizer or 0 for frame in encoded.frames)
        self.implementation = implementation


class SharedEncoder:
    """An encoder and its users.

    Attributes:
        clock: Identity of its timestamps: those of another encoder of the source may have another beginning.
    """

    def __init__(self, config: EncoderConfig) -> None:
        self.config = config
        self.clock: Final = object()
        self._bitrates: dict[Hashable, float | None] = {}
        self._results: OrderedDict[int, Encoded] = OrderedDict()
        self._newest = -1
        self._count = 0
        self._keyframe_due = True
        self._keyframe_requested = False
        self._last_requested = -math.inf
        self._encoder: Any = None
        self._thread: CodecThread | None = None
        self._lock = trio.Lock()

    @property
    def users(self) -> int:
        return len(self._bitrates)

    @property
    def implementation(self) -> str | None:
        name: str | None = getattr(self._encoder, "implementation", None)
        return name

    def bitrates_without(self, user: Hashable) -> list[float]:
        """Return the known bitrates of its other users."""
        return [rate for other, rate in self._bitrates.items() if other is not user and rate is not None]

    def join(self, user: Hashable, bitrate: float | None) -> None:
        """Add a user; the next video frame is a keyframe."""
        self._bitrates[user] = bitrate
        self._keyframe_due = True

    def leave(self, user: Hashable) -> None:
        self._bitrates.pop(user, None)

    def request_keyframe(self) -> None:
        """Request a keyframe: the next video frame, or a later one if the last requested keyframe was recent."""
        self._keyframe_requested = True

    async def encode(
        self,
        user: Hashable,
        number: int,
        frame: Any,
        bitrate: float | None,
        captured: float | None = None,
        *,
        repeated_after: float = 0.0,
    ) -> Encoded | None:
        """Return the result of a frame; ``None`` if a later frame was encoded first.

        Args:
            user: The caller.
            number: The number of the source's frame.
            frame: The frame; ``None`` for the end of audio before a pause.
            bitrate: The user's bitrate, in bits per second.
            captured: The capture time by trio's clock, for a frame without ``pts``.
            repeated_after: Seconds since the time of ``pts``, for a video frame that is encoded again.

        Raises:
            CodecError: Encoding failed.
        """
        self._bitrates[user] = bitrate
        async with self._lock:
            done = self._results.get(number)
            if done is not None or number <= self._newest:
                return done
            self._newest = number
            encoded = Encoded(self._count, *await self._encode(frame, captured, repeated_after))
            self._count += 1
            self._results[number] = encoded
            if len(self._results) > _MAX_RESULTS:
                self._results.popitem(last=False)
            return encoded

    async def aclose(self) -> None:
        if self._thread is not None:
            await self._thread.aclose()

    async def _encode(
        self, frame: Any, captured: float | None, repeated_after: float
    ) -> tuple[list[EncodedFrame], float]:
        if self._thread is None:
            self._open()
        assert self._thread is not None
        known = [bitrate for bitrate in self._bitrates.values() if bitrate is not None]
        bitrate = int(min(known)) if known else None
        encode = self._encoder.encode
        if frame is None:
            return await self._thread.call(_timed(self._encoder.flush))
        if self.config.kind == "audio":
            return await self._thread.call(_timed(lambda: encode(frame, bitrate=bitrate, captured=captured)))
        force = self._next_is_keyframe(trio.current_time())
        try:
            video, seconds = await self._thread.call(
                _timed(
                    lambda: encode(
                        frame,
                        force_keyframe=force,
                        bitrate=bitrate,
                        framerate=self.config.max_framerate,
                        scale_down_by=self.config.scale_down_by,
                        captured=captured,
                        repeated_after=repeated_after,
                    )
                )
            )
        except BaseException:
            # The state of the encoder's reference frames is unknown.
            self._keyframe_due = True
            raise
        # A frame dropped by rate control does not fulfil the request.
        self._keyframe_due |= force and not any(each.keyframe for each in video)
        return video, seconds

    def _next_is_keyframe(self, now: float) -> bool:
        """Return whether the next video frame must be a keyframe."""
        is_keyframe, self._keyframe_due = self._keyframe_due, False
        if self._keyframe_requested and (is_keyframe or now >= self._last_requested + _KEYFRAME_INTERVAL):
            is_keyframe, self._keyframe_requested, self._last_requested = True, False, now
        return is_keyframe

    def _open(self) -> None:
        from trio_rtc.codecs import (  # noqa: PLC0415 (an optional extra, imported on use)
            AudioEncoderOptions,
            CodecThread,
            VideoEncoderOptions,
            create_audio_encoder,
            create_video_encoder,
        )

        if self.config.kind == "audio":
            options = AudioEncoderOptions.from_format_parameters(dict(self.config.fmtp))
            self._encoder = create_audio_encoder(self.config.codec, options)
            self._thread = CodecThread(self._encoder, in_task=True)
        else:
            single_units = ("packetization-mode", "0") in self.config.fmtp
            video_options = VideoEncoderOptions(max_slice_size=_SLICE_SIZE if single_units else None)
            self._encoder = create_video_encoder(self.config.codec, video_options)
            self._thread = CodecThread(self._encoder)


def _timed(encode: Callable[[], list[EncodedFrame]]) -> Callable[[], tuple[list[EncodedFrame], float]]:
    """Return a function that encodes and measures the seconds."""

    def call() -> tuple[list[EncodedFrame], float]:
        began = time.perf_counter()
        frames = encode()
        return frames, time.perf_counter() - began

    return call


class EncoderPool:
    """The encoders of one source, by configuration; encoders of one configuration differ in bitrate."""

    def __init__(self) -> None:
        self._encoders: dict[EncoderConfig, list[SharedEncoder]] = {}

    @property
    def configs(self) -> list[EncoderConfig]:
        return list(self._encoders)

    def encoders(self, config: EncoderConfig) -> list[SharedEncoder]:
        return list(self._encoders.get(config, ()))

    def open(self, config: EncoderConfig) -> SharedEncoder:
        encoder = SharedEncoder(config)
        self._encoders.setdefault(config, []).append(encoder)
        return encoder

    async def release(self, encoder: SharedEncoder) -> None:
        encoders = self._encoders.get(encoder.config, [])
        if not encoder.users and encoder in encoders:
            encoders.remove(encoder)
            if not encoders:
                del self._encoders[encoder.config]
            await encoder.aclose()


class EncoderHandle:
    """Access of one encoding of one sender to the encoder pool."""

    def __init__(self, pool: EncoderPool, counters: EncodeCounters | None = None) -> None:
        self._pool = pool
        self._counters = counters or EncodeCounters()
        self._encoder: SharedEncoder | None = None
        self._next_index: int | None = None
        self._selection = EncoderSelection()
        self._select_at = -math.inf

    @property
    def clock(self) -> object:
        """Identity of the timestamps of its encoder; ``None`` before the first frame."""
        return None if self._encoder is None else self._encoder.clock

    def request_keyframe(self) -> None:
        """Request that the next video frame is a keyframe."""
        if self._encoder is not None:
            self._encoder.request_keyframe()

    async def encode(
        self,
        config: EncoderConfig,
        number: int,
        frame: Any,
        bitrate: float | None,
        captured: float | None = None,
        *,
        repeated_after: float = 0.0,
    ) -> list[EncodedFrame]:
        """Return the encoded frames to send; the arguments are those of :meth:`SharedEncoder.encode`.

        A video frame that is encoded again has a new number, and the seconds since its ``pts``.

        Raises:
            CodecError: Encoding failed.
        """
        encoder = await self._join(config, bitrate)
        encoded = await encoder.encode(self, number, frame, bitrate, captured, repeated_after=repeated_after)
        if encoded is None or not encoded.frames:
            if encoded is not None and self._next_index == encoded.index:
                self._next_index += 1
            return []
        if encoded.index != self._next_index and config.kind == "video" and not encoded.frames[0].keyframe:
            # A frame was missed: frames that refer to it cannot be decoded.
            encoder.request_keyframe()
            return []
        self._next_index = encoded.index + 1
        self._counters.record(encoded, encoder.implementation)
        return encoded.frames

    async def aclose(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.leave(self)
            await self._pool.release(encoder)

    async def _join(self, config: EncoderConfig, bitrate: float | None) -> SharedEncoder:
        """Return the encoder for the next frame, and join it if it is another one."""
        present, now = self._encoder, trio.current_time()
        if present is not None and present.config == config:
            if now < self._select_at or bitrate is None:
                return present
        else:
            self._selection = EncoderSelection()
        self._select_at = now + _SELECTION_INTERVAL
        selected = self._select(config, bitrate, now)
        if selected is present and present is not None:
            return present
        await self.aclose()
        if selected is None or selected not in self._pool.encoders(config):
            # No encoder fits, or its last user has left meanwhile.
            selected = self._pool.open(config)
        selected.join(self, bitrate)
        self._encoder, self._next_index = selected, None
        return selected

    def _select(self, config: EncoderConfig, bitrate: float | None, now: float) -> SharedEncoder | None:
        """Return the encoder to use, ``None`` for a new one."""
        encoders = self._pool.encoders(config)
        groups = [encoder.bitrates_without(self) for encoder in encoders]
        if bitrate is None or config.kind == "audio":
            # The bitrate of audio is too low for its users to be limited by each other.
            return encoders[0] if encoders else None
        if self._encoder in encoders:
            index = self._selection.next(bitrate, groups, encoders.index(self._encoder), now)
        else:
            index = self._selection.first(bitrate, groups)
        return encoders[index] if index < len(encoders) else None
