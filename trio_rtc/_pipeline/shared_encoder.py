"""One encoder for all who send the same picture in the same way.

Encoding is by far the most expensive thing that happens to a frame. So senders of different connections that send
one source with the same codec at the same size share its encoder. Whoever is the first with a frame has it
encoded, in a worker thread; the others get what came of it. There is no task for it, and nobody who owns it: it
lives as long as anybody uses it.

What is shared fits the narrowest of those who share: the bitrate is the lowest of theirs, so those with much less
bandwidth than others part from them (:mod:`.encoder_choice`). A keyframe that one needs goes to all. Who has missed a
frame, or has just come, waits for a keyframe, because what follows builds on what is missing.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import attrs
import trio

from trio_rtc.protocols.rtp import EncodedFrame

from .encoder_selection import EncoderSelection

if TYPE_CHECKING:
    from trio_rtc.codecs import CodecThread
    from trio_rtc.tracks.frame_source import FrameSource

_KEYFRAME_INTERVAL = 0.3
"""Seconds between two keyframes that were asked for: a peer that asks all the time must not spoil what others see."""
_REMEMBERED = 8
"""Frames of which the result is kept for those who are a little late."""
_SLICE_SIZE = 1_000
"""Bytes of a NAL unit that fills a packet by itself (packetization mode 0 of H.264, RFC 6184 section 5.6)."""
_CHOICE_INTERVAL = 0.25
"""Seconds after which one who shares an encoder looks again whether another one fits better."""


@attrs.frozen
class EncoderConfig:
    """Who encodes alike shares.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        codec: The encoding name.
        fmtp: The peer's parameters that change what is encoded.
        scale_down_by: By what width and height are divided.
        max_framerate: Pictures a second at most.
        shown: Whether the track is enabled: a disabled one shows black.
    """

    kind: str
    codec: str
    fmtp: tuple[tuple[str, str], ...]
    scale_down_by: float = 1.0
    max_framerate: float | None = None
    shown: bool = True


@attrs.frozen
class Encoded:
    """What came of a frame.

    Attributes:
        index: Counts what the encoder has been given.
        frames: What it made of it.
        seconds: How long that took.
    """

    index: int
    frames: list[EncodedFrame]
    seconds: float


@attrs.define
class EncodeCounters:
    """What was encoded for one layer of one sender, by itself or together with others.

    Attributes:
        frames: How many encoded frames.
        keyframes: Those of them that are keyframes.
        seconds: How long encoding them has taken, all together.
        quantizers: The quantizers of all frames, added up.
        implementation: What the encoder is called; ``None`` before the first frame.
    """

    frames: int = 0
    keyframes: int = 0
    seconds: float = 0.0
    quantizers: int = 0
    implementation: str | None = None

    def note(self, encoded: Encoded, implementation: str | None) -> None:
        """Count what came of a frame."""
        self.frames += len(encoded.frames)
        self.keyframes += sum(frame.keyframe for frame in encoded.frames)
        self.seconds += encoded.seconds
        self.quantizers += sum(frame.quantizer or 0 for frame in encoded.frames)
        self.implementation = implementation


class SharedEncoder:
    """An encoder with those who use it.

    Args:
        key: How it encodes.
    """

    def __init__(self, key: EncoderConfig) -> None:
        self.key = key
        self._bitrates: dict[Hashable, float | None] = {}
        self._results: OrderedDict[int, Encoded] = OrderedDict()
        self._newest = -1
        self._count = 0
        self._keyframe_wanted = True
        self._keyframe_asked = False
        self._asked_before = -math.inf
        self._encoder: Any = None
        self._thread: CodecThread | None = None
        self._lock = trio.Lock()

    @property
    def users(self) -> int:
        """How many use it."""
        return len(self._bitrates)

    @property
    def implementation(self) -> str | None:
        """What the encoder is called."""
        name: str | None = getattr(self._encoder, "implementation", None)
        return name

    def bitrates_without(self, user: Hashable) -> list[float]:
        """Return what the others who use it can send, as far as it is known."""
        return [rate for other, rate in self._bitrates.items() if other is not user and rate is not None]

    def join(self, user: Hashable, bitrate: float | None) -> None:
        """Begin to use it; the next picture is a keyframe."""
        self._bitrates[user] = bitrate
        self._keyframe_wanted = True

    def leave(self, user: Hashable) -> None:
        """Use it no more."""
        self._bitrates.pop(user, None)

    def request_keyframe(self) -> None:
        """Let the next picture be a keyframe, or one soon after the last that was asked for."""
        self._keyframe_asked = True

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
        """Return what came of a frame; ``None`` if it was passed over because a later one came first.

        Args:
            user: Who asks.
            number: Counts the frames of the source.
            frame: The frame; ``None`` for the end of audio before a pause.
            bitrate: What the user can send, in bits a second.
            captured: When it was captured, by trio's clock, for a frame without ``pts``.
            repeated_after: Seconds since the time of its ``pts``, for a video frame that is encoded again.

        Raises:
            CodecError: It could not be encoded.
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
            if len(self._results) > _REMEMBERED:
                self._results.popitem(last=False)
            return encoded

    async def aclose(self) -> None:
        """Free the encoder."""
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
        if self.key.kind == "audio":
            return await self._thread.call(_timed(lambda: encode(frame, bitrate=bitrate, captured=captured)))
        wanted = self._take_wish(trio.current_time())
        try:
            video, seconds = await self._thread.call(
                _timed(
                    lambda: encode(
                        frame,
                        force_keyframe=wanted,
                        bitrate=bitrate,
                        framerate=self.key.max_framerate,
                        scale_down_by=self.key.scale_down_by,
                        captured=captured,
                        repeated_after=repeated_after,
                    )
                )
            )
        except BaseException:
            # What the encoder builds the next picture on is not known.
            self._keyframe_wanted = True
            raise
        # A picture that was left out to keep the rate leaves the wish open.
        self._keyframe_wanted |= wanted and not any(each.keyframe for each in video)
        return video, seconds

    def _take_wish(self, now: float) -> bool:
        """Return whether the next picture is to be a keyframe."""
        wanted, self._keyframe_wanted = self._keyframe_wanted, False
        if self._keyframe_asked and (wanted or now >= self._asked_before + _KEYFRAME_INTERVAL):
            wanted, self._keyframe_asked, self._asked_before = True, False, now
        return wanted

    def _open(self) -> None:
        from trio_rtc.codecs import (  # noqa: PLC0415 (an optional extra, imported only where it is needed)
            AudioEncoderOptions,
            CodecThread,
            VideoEncoderOptions,
            create_audio_encoder,
            create_video_encoder,
        )

        if self.key.kind == "audio":
            options = AudioEncoderOptions.from_format_parameters(dict(self.key.fmtp))
            self._encoder = create_audio_encoder(self.key.codec, options)
        else:
            single_units = ("packetization-mode", "0") in self.key.fmtp
            video_options = VideoEncoderOptions(max_slice_size=_SLICE_SIZE if single_units else None)
            self._encoder = create_video_encoder(self.key.codec, video_options)
        self._thread = CodecThread(self._encoder)


def _timed(encode: Callable[[], list[EncodedFrame]]) -> Callable[[], tuple[list[EncodedFrame], float]]:
    """Let a call that runs in a thread tell how many seconds it took."""

    def call() -> tuple[list[EncodedFrame], float]:
        began = time.perf_counter()
        frames = encode()
        return frames, time.perf_counter() - began

    return call


class EncoderHandle:
    """One layer of one sender, on whatever encoder fits it at the moment.

    Args:
        source: Whose frames are encoded.
        counters: Counts what is encoded.
    """

    def __init__(self, source: "FrameSource", counters: EncodeCounters | None = None) -> None:
        self._source = source
        self._counters = counters or EncodeCounters()
        self._shared: SharedEncoder | None = None
        self._next_index: int | None = None
        self._choice = EncoderSelection()
        self._choose_at = -math.inf

    def request_keyframe(self) -> None:
        """Let the next picture be a keyframe."""
        if self._shared is not None:
            self._shared.request_keyframe()

    async def encode(
        self,
        key: EncoderConfig,
        number: int,
        frame: Any,
        bitrate: float | None,
        captured: float | None = None,
        *,
        repeated_after: float = 0.0,
    ) -> list[EncodedFrame]:
        """Return what is to be sent of a frame that was captured at some time, by trio's clock.

        A video frame that is encoded again has the number of a new one, and the seconds since its ``pts``.

        Raises:
            CodecError: It could not be encoded.
        """
        shared = await self._join(key, bitrate)
        encoded = await shared.encode(self, number, frame, bitrate, captured, repeated_after=repeated_after)
        if encoded is None or not encoded.frames:
            if encoded is not None and self._next_index == encoded.index:
                self._next_index += 1
            return []
        if encoded.index != self._next_index and key.kind == "video" and not encoded.frames[0].keyframe:
            # Something was missed: what follows cannot be decoded.
            shared.request_keyframe()
            return []
        self._next_index = encoded.index + 1
        self._counters.note(encoded, shared.implementation)
        return encoded.frames

    async def aclose(self) -> None:
        """Use no encoder any more; the last one to leave frees it."""
        shared, self._shared = self._shared, None
        if shared is None:
            return
        shared.leave(self)
        groups = self._source.encodes.get(shared.key, [])
        if not shared.users and shared in groups:
            groups.remove(shared)
            if not groups:
                del self._source.encodes[shared.key]
            await shared.aclose()

    async def _join(self, key: EncoderConfig, bitrate: float | None) -> SharedEncoder:
        """Return the encoder for a frame, the one that was used before or another one."""
        present, now = self._shared, trio.current_time()
        if present is not None and present.key == key:
            if now < self._choose_at or bitrate is None:
                return present
        else:
            self._choice = EncoderSelection()
        self._choose_at = now + _CHOICE_INTERVAL
        chosen = self._choose(key, bitrate, now)
        if chosen is present and present is not None:
            return present
        await self.aclose()
        groups = self._source.encodes.setdefault(key, [])
        if chosen is None or chosen not in groups:
            # There is none that fits, or its last user has left meanwhile.
            chosen = SharedEncoder(key)
            groups.append(chosen)
        chosen.join(self, bitrate)
        self._shared, self._next_index = chosen, None
        return chosen

    def _choose(self, key: EncoderConfig, bitrate: float | None, now: float) -> SharedEncoder | None:
        """Return which encoder to use, ``None`` for one that is to be made."""
        encoders = self._source.encodes.get(key, [])
        groups = [encoder.bitrates_without(self) for encoder in encoders]
        if bitrate is None or key.kind == "audio":
            # Sound takes so little that nobody is slowed down by it.
            return encoders[0] if encoders else None
        if self._shared in encoders:
            index = self._choice.next(bitrate, groups, encoders.index(self._shared), now)
        else:
            index = self._choice.first(bitrate, groups)
        return encoders[index] if index < len(encoders) else None
