"""Encoders and decoders by SDP codec name."""

from collections.abc import Mapping, Sequence
from typing import Literal

import av

from .audio_decoder import FFmpegAudioDecoder
from .audio_encoder import FFmpegAudioEncoder
from .errors import CodecError
from .implementations import AUDIO_CODECS, VIDEO_DECODERS, VIDEO_ENCODERS, VideoEncoderImplementation
from .libopus import find_libopus
from .options import (
    AudioDecoderOptions,
    AudioEncoderOptions,
    Hardware,
    VideoDecoderOptions,
    VideoEncoderOptions,
)
from .opus_decoder import LibopusDecoder
from .video_decoder import FFmpegVideoDecoder
from .video_encoder import FFmpegVideoEncoder


def create_video_encoder(codec: str, options: VideoEncoderOptions | None = None) -> FFmpegVideoEncoder:
    """Return an encoder for ``VP8``, ``VP9``, ``H264`` or ``AV1``: SDP names, case-insensitive.

    It is opened with the first frame, so that a failing hardware encoder is only detected there.

    Raises:
        CodecError: FFmpeg was built without such an encoder.
    """
    options = options or VideoEncoderOptions()
    name = _canonical(codec, VIDEO_ENCODERS)
    implementations = _available_encoders(VIDEO_ENCODERS[name], options.hardware)
    if not implementations:
        raise CodecError(
            f"FFmpeg has no {'hardware ' if options.hardware == 'require' else ''}encoder for {name}"
        )
    return FFmpegVideoEncoder(name, implementations, options)


def create_video_decoder(codec: str, options: VideoDecoderOptions | None = None) -> FFmpegVideoDecoder:
    """Return a decoder for ``VP8``, ``VP9``, ``H264``, ``H265`` or ``AV1``.

    Raises:
        CodecError: FFmpeg was built without such a decoder.
    """
    name = _canonical(codec, VIDEO_DECODERS)
    return FFmpegVideoDecoder(name, VIDEO_DECODERS[name], options or VideoDecoderOptions())


def create_audio_encoder(codec: str, options: AudioEncoderOptions | None = None) -> FFmpegAudioEncoder:
    """Return an encoder for ``opus``, ``PCMU``, ``PCMA`` or ``G722``.

    Raises:
        CodecError: FFmpeg was built without such an encoder.
    """
    name = _canonical(codec, AUDIO_CODECS)
    return FFmpegAudioEncoder(name, AUDIO_CODECS[name], options or AudioEncoderOptions())


def create_audio_decoder(
    codec: str, options: AudioDecoderOptions | None = None
) -> FFmpegAudioDecoder | LibopusDecoder:
    """Return a decoder for ``opus``, ``PCMU``, ``PCMA`` or ``G722``.

    Raises:
        CodecError: FFmpeg was built without such a decoder, or in-band FEC is required for Opus and libopus is not
            found.
    """
    options = options or AudioDecoderOptions()
    name = _canonical(codec, AUDIO_CODECS)
    if name == "opus" and options.in_band_fec != "never":
        library = find_libopus()
        if library is not None:
            return LibopusDecoder(library, options)
        if options.in_band_fec == "require":
            raise CodecError("in_band_fec is 'require', but libopus is not found")
    return FFmpegAudioDecoder(name, AUDIO_CODECS[name], options)


def decodes_in_band_fec() -> bool:
    """Return whether lost Opus packets are recovered from in-band FEC, which requires libopus."""
    return find_libopus() is not None


def encodable_codecs(kind: str) -> list[str]:
    """Return the names of the ``"audio"`` or ``"video"`` codecs that this machine's CPU can encode."""
    if kind == "audio":
        return [name for name, implementation in AUDIO_CODECS.items() if _exists(implementation.name, "w")]
    return [
        name
        for name, implementations in VIDEO_ENCODERS.items()
        if _available_encoders(implementations, "never")
    ]


def decodable_codecs(kind: str) -> list[str]:
    """Return the names of the ``"audio"`` or ``"video"`` codecs that can be decoded."""
    if kind == "audio":
        return [name for name, implementation in AUDIO_CODECS.items() if _exists(implementation.name, "r")]
    return [
        name for name, decoders in VIDEO_DECODERS.items() if any(_exists(each, "r") for each, _ in decoders)
    ]


def _available_encoders(
    implementations: Sequence[VideoEncoderImplementation], hardware: Hardware
) -> list[VideoEncoderImplementation]:
    return [
        implementation
        for implementation in implementations
        if (hardware == "prefer" or implementation.hardware == (hardware == "require"))
        and _exists(implementation.name, "w")
    ]


def _exists(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _canonical(codec: str, known: Mapping[str, object]) -> str:
    for name in known:
        if name.lower() == codec.lower():
            return name
    raise CodecError(f"codec must be one of {', '.join(known)}, not {codec!r}")
