"""What travels in RTP: a frame as an encoder made it or as it was put together from packets."""

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
        audio_level: Loudness in -dBov, 0 the loudest and 127 silence (RFC 6464), if told.
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
