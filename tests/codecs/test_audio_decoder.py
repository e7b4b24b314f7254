"""Audio decoders on FFmpeg: timestamps, concealment and corrupt packets."""

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.tones import CODECS, encode_tone
from trio_rtc.codecs import (
    AudioDecoderOptions,
    CodecError,
    create_audio_decoder,
    create_audio_encoder,
)
from trio_rtc.codecs.samples import audio_level, samples_of
from trio_rtc.media import dominant_frequency
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

codecs = pytest.mark.parametrize("codec", CODECS)


@codecs
def test_decoded_audio_has_the_timestamp_of_its_packet(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    for frame in encode_tone(encoder, 5):
        (decoded,) = decoder.decode(frame)
        assert decoded.pts * decoded.time_base == Fraction(frame.timestamp, frame.clock_rate)
        assert decoded.samples == CODECS[codec][1] // 50


@codecs
def test_lost_audio_is_concealed_and_fades(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    assert decoder.conceal(0.02) == []
    frames = encode_tone(encoder, 20)
    end = Fraction(0)
    for frame in frames:
        for decoded in decoder.decode(frame):
            end = decoded.pts * decoded.time_base + Fraction(decoded.samples, decoded.sample_rate)
    levels = []
    for _ in range(8):
        concealed = decoder.conceal(0.02)
        assert sum(each.samples for each in concealed) == CODECS[codec][1] // 50
        assert concealed[0].pts * concealed[0].time_base == end
        end += Fraction(1, 50)
        levels.append(audio_level(samples_of(concealed[0])))
    before = audio_level(samples_of(decoded))
    assert levels[0] - before < 6
    assert levels[-1] > levels[0] + 10


@codecs
def test_decoding_continues_after_a_gap(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    frames = encode_tone(encoder, 60)
    decoded = []
    for index, frame in enumerate(frames):
        decoded += decoder.conceal(0.02) if index % 7 == 3 else decoder.decode(frame)
    times = [each.pts for each in decoded]
    assert times == [index * CODECS[codec][1] // 50 for index in range(len(frames))]
    assert abs(dominant_frequency(decoded) - 440) < 2


@codecs
def test_concealment_is_bounded(codec):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    for frame in encode_tone(encoder, 5):
        decoder.decode(frame)
    assert sum(each.samples for each in decoder.conceal(1e6)) <= CODECS[codec][1]
    assert decoder.conceal(0.0) == []


@codecs
@given(data=st.binary(max_size=100))
def test_arbitrary_bytes_raise_only_codec_errors(codec, data):
    decoder = create_audio_decoder(codec)
    try:
        decoded = decoder.decode(EncodedFrame(data, 0, CODECS[codec][0], codec))
    except CodecError:
        return
    assert all(isinstance(each, av.AudioFrame) for each in decoded)


def test_corrupt_packet_costs_only_itself():
    encoder, decoder = create_audio_encoder("opus"), create_audio_decoder("opus")
    frames = encode_tone(encoder, 10)
    decoder.decode(frames[0])
    with pytest.raises(CodecError):
        decoder.decode(EncodedFrame(b"\xff" * 20, 960, 48_000, "opus"))
    with pytest.raises(CodecError, match="empty"):
        decoder.decode(EncodedFrame(b"", 960, 48_000, "opus"))
    assert decoder.decode(frames[2])
    assert decoder.conceal(0.02)


def test_opus_is_decoded_to_mono_on_request():
    encoder = create_audio_encoder("opus")
    decoder = create_audio_decoder("opus", AudioDecoderOptions(channels=1))
    decoded = [each for frame in encode_tone(encoder, 20, channels=2) for each in decoder.decode(frame)]
    assert {each.layout.name for each in decoded} == {"mono"}
    assert abs(dominant_frequency(decoded) - 440) < 2
