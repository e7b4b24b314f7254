"""The media that RTP carries: encoded frames, and the concealment that audio playout has in place of missing ones."""

import enum
from typing import TypeAlias

from trio_rtc import _attrs as attrs


@attrs.frozen
class EncodedFrame:
    """An encoded video frame, or some milliseconds of encoded audio.

    Attributes:
        payload: The bytes in the format of the codec's decoder (for H.264 and H.265 with start codes, for AV1 a
            temporal unit in the low-overhead format).
        timestamp: The presentation time in units of ``clock_rate``, unwrapped beyond RTP's 32 bits.
        clock_rate: Units of ``timestamp`` per second.
        codec: The encoding name as in SDP: ``"VP8"``, ``"opus"``.
        keyframe: Whether it can be decoded without any frame before it. Always true for audio.
        spatial_id: The highest spatial layer in it, if the codec has them.
        temporal_id: The temporal layer, if the codec has them.
        rid: The simulcast layer.
        ssrc: The SSRC of a received frame; ``None`` for one to send.
        width: Pixels, if known.
        height: Pixels, if known.
        audio_level: The audio level in -dBov, 0 the loudest and 127 silence (RFC 6464), if the sender has sent it.
        capture_time: The capture time in seconds since 1900 of the sender's clock, if the sender has sent it.
        rotation: The clockwise rotation to apply to a video frame, in degrees (video orientation).
        marker: For audio, whether a talkspurt begins.
        contributing_sources: The contributing sources, by CSRC.
        quantizer: The quantizer of a video frame of our encoder, in the unit of the codec's bitstream: of VP8 0 to 127,
            of VP9 and AV1 0 to 255, of H.264 0 to 51; ``None`` if the encoder does not report it.
        received_at: When the first packet of a received frame arrived, in monotonic seconds; later by the time for
            which the frame was kept until the application began to consume frames. ``None`` for one to send.
        stretch: Units of ``timestamp`` by which the decoder should lengthen received audio, below 0 to shorten it. The
            next frame or concealment follows after its duration and this.
    """

    payload: bytes
    timestamp: int
    clock_rate: int
    codec: str
    keyframe: bool = True
    spatial_id: int | None = None
    temporal_id: int | None = None
    rid: str | None = None
    ssrc: int | None = None
    width: int | None = None
    height: int | None = None
    audio_level: int | None = None
    capture_time: float | None = None
    rotation: int = 0
    marker: bool = False
    contributing_sources: tuple[int, ...] = ()
    quantizer: int | None = None
    received_at: float | None = attrs.field(default=None, eq=False, repr=False)
    stretch: int = 0


class ConcealmentKind(enum.Enum):
    """The reason for a concealment."""

    LOST = "lost"
    """The frame is missing, but later ones have arrived."""
    LATE = "late"
    """No frame has arrived; the next may be late, lost, or not sent."""
    SILENCE = "silence"
    """The sender has paused (discontinuous transmission)."""
    INSERTED = "inserted"
    """No frame is missing: the delay must grow."""


@attrs.frozen
class Concealment:
    """Audio to play in place of a frame.

    Attributes:
        timestamp: The timestamp in clock units, following what was played before.
        duration: The duration in clock units.
        kind: The reason.
        following: The payload of the next frame, if that has arrived and is of the same codec: it may carry this one
            again (Opus in-band FEC). It is as received, before any encoded transform.
    """

    timestamp: int
    duration: int
    kind: ConcealmentKind
    following: bytes | None = None


PlayedFrame: TypeAlias = EncodedFrame | Concealment
