"""Audio of any format is preserved by encoding and decoding."""

from fractions import Fraction

import pytest

from tests.strategies.tones import CODECS, encode_tone, silence
from trio_rtc.codecs import (
    CodecError,
    create_audio_decoder,
    create_audio_encoder,
)
from trio_rtc.media import dominant_frequency, tone

codecs = pytest.mark.parametrize("codec", CODECS)


@codecs
@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_tone_is_preserved(codec, sample_rate, channels):
    encoder, decoder = create_audio_encoder(codec), create_audio_decoder(codec)
    frames = encode_tone(encoder, sample_rate=sample_rate, channels=channels)
    decoded = [each for frame in frames for each in decoder.decode(frame)]
    assert abs(dominant_frequency(decoded) - 440) < 2
    assert {frame.sample_rate for frame in decoded} == {CODECS[codec][1]}
    assert sum(frame.samples for frame in decoded) / CODECS[codec][1] == pytest.approx(1.0, abs=0.05)


def test_audio_format_may_change_at_any_time():
    encoder, decoder = create_audio_encoder("opus"), create_audio_decoder("opus")
    frames = []
    position = Fraction(0)
    for rate, channels in ((48_000, 1), (16_000, 2), (44_100, 1)):
        source = tone(440, sample_rate=rate, channels=channels)
        for _ in range(20):
            audio = source.next_frame()
            audio.pts, audio.time_base = round(position * 90_000), Fraction(1, 90_000)
            position += Fraction(audio.samples, rate)
            frames += encoder.encode(audio)
    decoded = [each for frame in frames for each in decoder.decode(frame)]
    assert abs(dominant_frequency(decoded) - 440) < 2
    assert 57 <= len(frames) <= 60


def test_closed_codec_raises():
    encoder, decoder = create_audio_encoder("opus"), create_audio_decoder("opus")
    frames = encode_tone(encoder, 3)
    encoder.close()
    decoder.close()
    with pytest.raises(CodecError, match="closed"):
        encoder.encode(silence(0))
    with pytest.raises(CodecError, match="closed"):
        decoder.decode(frames[0])
    with pytest.raises(CodecError, match="codec must be one of"):
        create_audio_encoder("mp3")
