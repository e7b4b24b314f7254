"""What is measured of the frames of a source (W3C webrtc-stats, media-source)."""

from typing import Any

from trio_rtc.protocols.rtp import EncodedFrame
from trio_rtc.protocols.rtp.payload import payload_duration
from trio_rtc.protocols.rtp.stats import AudioLevelMeter, FrameRate


class SourceStats:
    """Looks at the frames of one source as they pass.

    Args:
        kind: ``"audio"`` or ``"video"``.

    Attributes:
        rate: How many pictures there are.
        width: Pixels of the last picture that told; ``None`` before.
        height: The same.
        seconds: How much sound there has been.
        loudness: Of the sound, as far as its frames tell.
    """

    def __init__(self, kind: str) -> None:
        self._is_video = kind == "video"
        self.rate = FrameRate()
        self.width: int | None = None
        self.height: int | None = None
        self.seconds = 0.0
        self.loudness = AudioLevelMeter()

    def note(self, frame: Any, now: float) -> None:
        """Take a frame of PyAV's, or an encoded one."""
        if not self._is_video:
            seconds = _duration(frame)
            self.seconds += seconds
            self.loudness.record(getattr(frame, "audio_level", None), seconds)
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
