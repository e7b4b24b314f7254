"""Encoders and decoders by the name that a codec has in SDP."""

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
    """Return an encoder for a codec.

    It is opened with its first picture, so that a graphics card that refuses shows there.

    Args:
        codec: Name as in SDP, in whatever case: ``VP8``, ``VP9``, ``H264``, ``AV1``.
        options: Settings.

    Raises:
        CodecError: There is no such encoder in this build of FFmpeg.
    """
    options = options or VideoEncoderOptions()
    name = _canonical(codec, VIDEO_ENCODERS)
    implementations = _wanted(VIDEO_ENCODERS[name], options.hardware)
    if not implementations:
        raise CodecError(f"no {'hardware ' if options.hardware == 'require' else ''}encoder for {name}")
    return FFmpegVideoEncoder(name, implementations, options)


def create_video_decoder(codec: str, options: VideoDecoderOptions | None = None) -> FFmpegVideoDecoder:
    """Return a decoder for ``VP8``, ``VP9``, ``H264``, ``H265`` or ``AV1``.

    Raises:
        CodecError: There is no such decoder in this build of FFmpeg.
    """
    name = _canonical(codec, VIDEO_DECODERS)
    return FFmpegVideoDecoder(name, VIDEO_DECODERS[name], options or VideoDecoderOptions())


def create_audio_encoder(codec: str, options: AudioEncoderOptions | None = None) -> FFmpegAudioEncoder:
    """Return an encoder for ``opus``, ``PCMU``, ``PCMA`` or ``G722``.

    Raises:
        CodecError: There is no such encoder in this build of FFmpeg.
    """
    name = _canonical(codec, AUDIO_CODECS)
    return FFmpegAudioEncoder(name, AUDIO_CODECS[name], options or AudioEncoderOptions())


def create_audio_decoder(
    codec: str, options: AudioDecoderOptions | None = None
) -> FFmpegAudioDecoder | LibopusDecoder:
    """Return a decoder for ``opus``, ``PCMU``, ``PCMA`` or ``G722``.

    Raises:
        CodecError: There is no such decoder in this build of FFmpeg, or in-band FEC is required of Opus and there is
            no libopus.
    """
    options = options or AudioDecoderOptions()
    name = _canonical(codec, AUDIO_CODECS)
    if name == "opus" and options.in_band_fec != "never":
        library = find_libopus()
        if library is not None:
            return LibopusDecoder(library, options)
        if options.in_band_fec == "require":
            raise CodecError("no libopus, which the in-band FEC of opus needs")
    return FFmpegAudioDecoder(name, AUDIO_CODECS[name], options)


def decodes_in_band_fec() -> bool:
    """Return whether what is lost of Opus is found in the packet that follows: where there is a libopus."""
    return find_libopus() is not None


def encodable_codecs(kind: str) -> list[str]:
    """Return names of the ``"audio"`` or ``"video"`` codecs that can be encoded on this machine's CPU."""
    if kind == "audio":
        return [name for name, implementation in AUDIO_CODECS.items() if _exists(implementation.name, "w")]
    return [name for name, implementations in VIDEO_ENCODERS.items() if _wanted(implementations, "never")]


def decodable_codecs(kind: str) -> list[str]:
    """Return names of the ``"audio"`` or ``"video"`` codecs that can be decoded."""
    if kind == "audio":
        return [name for name, implementation in AUDIO_CODECS.items() if _exists(implementation.name, "r")]
    return [
        name for name, decoders in VIDEO_DECODERS.items() if any(_exists(each, "r") for each, _ in decoders)
    ]


def _wanted(
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
    raise CodecError(f"unknown codec {codec!r}; known are {', '.join(known)}")
