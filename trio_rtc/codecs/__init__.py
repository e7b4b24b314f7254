"""Encoders and decoders on PyAV (extra ``media``), by SDP codec name.

Encoders and decoders are synchronous (:mod:`.interfaces`) and created by :func:`create_video_encoder` and its siblings.
:mod:`.worker` runs them in threads.
"""

from trio_rtc._strict_names.checks import check_public_arguments as _check_public_arguments

from .errors import CodecError
from .interfaces import AudioDecoder, AudioEncoder, VideoDecoder, VideoEncoder
from .options import (
    AudioDecoderOptions,
    AudioEncoderOptions,
    Hardware,
    VideoDecoderOptions,
    VideoEncoderOptions,
)
from .registry import (
    create_audio_decoder,
    create_audio_encoder,
    create_video_decoder,
    create_video_encoder,
    decodable_codecs,
    decodes_in_band_fec,
    encodable_codecs,
)
from .worker import CodecThread, DecodeWorker, codec_limiter

__all__ = [
    "AudioDecoder",
    "AudioDecoderOptions",
    "AudioEncoder",
    "AudioEncoderOptions",
    "CodecError",
    "CodecThread",
    "DecodeWorker",
    "Hardware",
    "VideoDecoder",
    "VideoDecoderOptions",
    "VideoEncoder",
    "VideoEncoderOptions",
    "codec_limiter",
    "create_audio_decoder",
    "create_audio_encoder",
    "create_video_decoder",
    "create_video_encoder",
    "decodable_codecs",
    "decodes_in_band_fec",
    "encodable_codecs",
]

_check_public_arguments(globals())
