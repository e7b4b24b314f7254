"""Statistics of the frames of a source (W3C webrtc-stats, media-source)."""

from typing import Any

from trio_rtc.protocols.rtp import EncodedFrame
from trio_rtc.protocols.rtp.payload import payload_duration
from trio_rtc.protocols.rtp.stats import AudioLevelMeter, FrameRate


class SourceStats:
    """Statistics of the frames of one source.

    Args:
        kind: ``"audio"`` or ``"video"``.

    Attributes:
        rate: Rate of video frames.
        width: Width of the last video frame whose size is known, in pixels.
        height: Its height, in pixels.
        seconds: Total duration of audio.
        audio_level: Level of audio frames that have one.
    """

    def __init__(self, kind: str) -> None:
        self._is_video = kind == "video"
        self.rate = FrameRate()
        self.width: int | None = None
        self.height: int | None = None
        self.seconds = 0.0
        self.audio_level = AudioLevelMeter()

    def record(self, frame: Any, now: float) -> None:
        """Record a PyAV frame or an encoded frame."""
        if not self._is_video:
            seconds = _duration(frame)
            self.seconds += seconds
            self.audio_level.record(getattr(frame, "audio_level", None), seconds)
            return
        self.rate.record(now)
        width, height = getattr(frame, "width", None), getattr(frame, "height", None)
        if width and height:
            self.width, self.height = width, height


def _duration(frame: Any) -> float:
    if isinstance(frame, EncodedFrame):
        return (payload_duration(frame.codec, frame.payload) or 0) / frame.clock_rate
    samples, rate = getattr(frame, "samples", 0), getattr(frame, "sample_rate", 0)
    return samples / rate if rate else 0.0
