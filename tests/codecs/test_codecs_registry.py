"""Encoders and decoders by codec name."""

import pytest

from trio_rtc.codecs import (
    AudioDecoderOptions,
    CodecError,
    VideoEncoderOptions,
    create_audio_decoder,
    create_video_decoder,
    create_video_encoder,
    decodable_codecs,
    decodes_in_band_fec,
    encodable_codecs,
)
from trio_rtc.codecs.libopus import find_libopus

CODECS = ["VP8", "VP9", "H264", "AV1"]


codecs = pytest.mark.parametrize("codec", CODECS)


def test_encodable_and_decodable_codecs():
    assert encodable_codecs("video") == CODECS
    assert sorted(decodable_codecs("video")) == sorted([*CODECS, "H265"])
    assert encodable_codecs("audio") == decodable_codecs("audio") == ["opus", "PCMU", "PCMA", "G722"]


@codecs
def test_codec_names_are_case_insensitive(codec):
    assert create_video_decoder(codec.lower()).codec == codec
    assert create_video_encoder(codec.lower()).codec == codec


def test_unknown_codec_raises():
    with pytest.raises(CodecError, match=r"codec must be one of .*, not 'theora'"):
        create_video_encoder("theora")
    with pytest.raises(CodecError, match="codec must be one of"):
        create_video_decoder("theora")


def test_missing_required_hardware_raises():
    with pytest.raises(CodecError, match="has no hardware encoder for VP8"):
        create_video_encoder("VP8", VideoEncoderOptions(hardware="require"))


def opus_decoder(in_band_fec="prefer", channels=1):
    return create_audio_decoder("opus", AudioDecoderOptions(channels=channels, in_band_fec=in_band_fec))


def test_decodes_in_band_fec_depends_on_libopus():
    assert decodes_in_band_fec() == (find_libopus() is not None)
    if decodes_in_band_fec():
        assert opus_decoder("require").implementation == "libopus"
    else:
        with pytest.raises(CodecError, match="libopus is not found"):
            opus_decoder("require")
