"""Concealed audio fades to silence with every codec, even if the decoder would continue for seconds."""

import math
from array import array

import pytest

from trio_rtc.codecs import (
    AudioDecoderOptions,
    AudioEncoderOptions,
    create_audio_decoder,
    create_audio_encoder,
)
from trio_rtc.codecs.concealment_fade import ConcealmentFade
from trio_rtc.codecs.samples import as_array, frame_of, samples_of
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

RATE = 48_000
PIECE = RATE // 50


def vowel(time):
    """Return harmonics of 120 Hz, strongest near the formants of an "a"."""
    weights = (math.exp(-(((120 * k - 700) / 300) ** 2)) + 0.1 for k in range(1, 30))
    return 6_000 * sum(w * math.sin(2 * math.pi * 120 * k * time) for k, w in enumerate(weights, 1)) / 4


def saw(time):
    return 12_000 * (2 * (100 * time % 1) - 1) / 2


def encoded(codec, signal, *, count=60, channels=1):
    encoder = create_audio_encoder(codec, AudioEncoderOptions(channels=channels))
    frames = []
    for index in range(count):
        values = [int(signal((index * PIECE + at) / RATE)) for at in range(PIECE)]
        samples = array("h", [value for value in values for _ in range(channels)]).tobytes()
        frames += encoder.encode(frame_of(samples, channels, RATE, index * PIECE))
    return frames


def rms(audio_frames):
    values = as_array(b"".join(samples_of(audio) for audio in audio_frames))
    return math.sqrt(sum(value * value for value in values) / len(values))


def decoder_of(codec, in_band_fec, channels=1):
    return create_audio_decoder(codec, AudioDecoderOptions(channels=channels, in_band_fec=in_band_fec))


signals = pytest.mark.parametrize("signal", [vowel, saw])
decoders = pytest.mark.parametrize(
    ("codec", "in_band_fec"),
    [("opus", "prefer"), ("opus", "never"), ("PCMU", "never"), ("PCMA", "never"), ("G722", "never")],
)


@signals
@decoders
def test_concealment_is_silent_after_200_ms(codec, in_band_fec, signal):
    decoder, frames = decoder_of(codec, in_band_fec), encoded(codec, signal)
    spoken = [audio for frame in frames[:50] for audio in decoder.decode(frame)][-1:]
    concealed = [decoder.conceal(0.02) for _ in range(100)]
    assert rms(concealed[0]) > 0.4 * rms(spoken)
    assert all(rms(audio_frames) == 0 for audio_frames in concealed[10:])


@signals
@decoders
def test_audio_after_concealment_is_at_full_level(codec, in_band_fec, signal):
    decoder, frames = decoder_of(codec, in_band_fec), encoded(codec, signal)
    spoken = [audio for frame in frames[:25] for audio in decoder.decode(frame)][-1:]
    for _ in range(25):
        decoder.conceal(0.02)
    resumed = [decoder.decode(frame) for frame in frames[50:55]]
    assert rms(resumed[0]) > 0.5 * rms(spoken)
    assert rms(resumed[-1]) == pytest.approx(rms(spoken), rel=0.2)


@pytest.mark.parametrize("in_band_fec", ["prefer", "never"])
def test_opus_fade_does_not_depend_on_the_durations_of_calls(in_band_fec):
    frames = encoded("opus", vowel, channels=2)
    for steps in ([1.0], [0.12] * 8, [0.04] * 25):
        decoder = decoder_of("opus", in_band_fec, channels=2)
        for frame in frames[:50]:
            decoder.decode(frame)
        audio_frames = [audio for step in steps for audio in decoder.conceal(step)]
        samples = b"".join(samples_of(audio) for audio in audio_frames)
        silent_from = len(samples.rstrip(b"\0")) / 4 / RATE
        assert 0.1 < silent_from <= 0.16


@pytest.mark.parametrize("in_band_fec", ["prefer", "never"])
def test_comfort_noise_of_opus_is_not_faded(in_band_fec):
    """RFC 7587 section 3.1.3: the receiver conceals the packets that DTX omits, 400 ms at a time."""
    decoder = decoder_of("opus", in_band_fec)
    frames = encoded("opus", vowel, count=50)
    for frame in frames:
        decoder.decode(frame)
    decoder.decode(EncodedFrame(frames[-1].payload[:1], 50 * PIECE, RATE, "opus"))
    concealed = [decoder.conceal(0.02) for _ in range(20)]
    assert rms(concealed[-1]) > 0


def test_fade_levels():
    fade = ConcealmentFade(1_000, 1)
    full = array("h", [1_000] * 200).tobytes()
    levels = as_array(fade.conceal(full[:60]) + fade.conceal(full[60:]))
    assert set(levels[:60]) == {1_000}
    assert levels[110] == pytest.approx(500, abs=10)
    assert levels[159] < 20
    assert set(levels[160:]) == {0}
    resumed = as_array(fade.resume(full))
    assert resumed[0] == 0
    assert set(resumed[5:]) == {1_000}
    assert fade.resume(full) == full
    fade.conceal(full[:100])
    assert fade.resume(full) == full
