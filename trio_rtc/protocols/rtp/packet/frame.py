"""What travels in RTP: a frame as an encoder made it or as it was put together from packets."""

import enum
from typing import TypeAlias

import attrs


@attrs.frozen
class EncodedFrame:
    """One encoded picture, or the encoded sound of a few milliseconds.

    Attributes:
        payload: The bytes, as the codec's decoder takes them (for H.264 and H.265 with start codes, for AV1 a temporal
            unit in the low-overhead format).
        timestamp: When it is to be shown or heard, in units of ``clock_rate``, counted on over the wrap of RTP's
            32 bits.
        clock_rate: Units of ``timestamp`` in a second.
        codec: Name of the encoding, as in SDP: ``"VP8"``, ``"opus"``.
        keyframe: Whether it can be decoded without any frame before it. Always so for audio.
        spatial_id: The highest spatial layer in it, if the codec tells.
        temporal_id: The temporal layer, if the codec tells.
        rid: Which simulcast layer it belongs to.
        ssrc: The source it came from; ``None`` for one that is to be sent.
        width: Pixels, if known.
        height: Pixels, if known.
        audio_level: AudioLevelMeter in -dBov, 0 the loudest and 127 silence (RFC 6464), if told.
        capture_time: When it was captured, seconds since 1900 in the sender's clock, if told.
        rotation: Degrees clockwise by which a picture is to be turned (video orientation).
        marker: For audio, whether a talkspurt begins.
        contributing_sources: Who is heard in it, by CSRC.
        quantizer: How coarsely a video frame of our encoder is quantized, in the unit of the codec's bitstream: of VP8
            0 to 127, of VP9 and AV1 0 to 255, of H.264 0 to 51; ``None`` if the encoder does not tell.
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


class ConcealmentKind(enum.Enum):
    """Why there is nothing to play."""

    LOST = "lost"
    """The frame has not come, but later ones have."""
    LATE = "late"
    """Nothing has come; it may be late, lost, or not sent."""
    SILENCE = "silence"
    """The sender has sent nothing, on purpose."""
    INSERTED = "inserted"
    """Nothing is missing: the delay must grow."""


@attrs.frozen
class Concealment:
    """What is to be played where there is no frame.

    Attributes:
        timestamp: In clock units, following on what was played before.
        duration: In clock units.
        kind: Why.
        following: The payload of the frame directly after, if that is here, and of the same codec as before: it may
            carry this one once more (Opus in-band FEC). As it came: an encoded transform has not seen it.
    """

    timestamp: int
    duration: int
    kind: ConcealmentKind
    following: bytes | None = None


PlayedFrame: TypeAlias = EncodedFrame | Concealment
