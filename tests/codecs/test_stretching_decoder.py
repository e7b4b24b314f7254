"""The audio decoder that lengthens and shortens audio, with the playout buffer before it."""

import itertools
import math
import random
from array import array

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.tones import CODECS
from trio_rtc.codecs import (
    AudioDecoderOptions,
    AudioEncoderOptions,
    CodecError,
    create_audio_decoder,
    create_audio_encoder,
)
from trio_rtc.codecs.samples import frame_of, samples_of
from trio_rtc.codecs.stretching_decoder import StretchingDecoder
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.receive.audio.playout import AudioPlayout

AMPLITUDE = 8_000
STEP = 0.02


class PassThroughDecoder:
    """Returns payloads as samples at 48 kHz, and conceals with zeros."""

    codec = "L16"
    implementation = "test"

    def __init__(self):
        self.concealed = []
        self.closed = False
        self._end = 0

    def decode(self, frame):
        if frame.payload == b"broken":
            raise CodecError("broken")
        decoded = frame_of(frame.payload, 1, 48_000, frame.timestamp)
        self._end = frame.timestamp + decoded.samples
        return [decoded]

    def conceal(self, duration, following=None):
        self.concealed.append((duration, following))
        return [frame_of(bytes(2 * round(duration * 48_000)), 1, 48_000, self._end)]

    def close(self):
        self.closed = True


def sine(begin, count, frequency, rate=48_000, channels=1):
    angles = 2 * math.pi * frequency / rate * np.arange(begin, begin + count)
    return np.repeat(np.round(AMPLITUDE * np.sin(angles)), channels).astype(np.int16).tobytes()


def frame(timestamp, payload, stretch=0):
    return EncodedFrame(payload, timestamp, 48_000, "L16", stretch=stretch)


def assert_gapless(decoded):
    for before, after in itertools.pairwise(decoded):
        assert after.pts == before.pts + before.samples


def test_audio_without_an_order_is_passed_through():
    decoder = StretchingDecoder(PassThroughDecoder())
    for index in range(3):
        (decoded,) = decoder.decode(frame(960 * index, sine(960 * index, 960, 440)))
        assert (decoded.pts, samples_of(decoded)) == (960 * index, sine(960 * index, 960, 440))
    assert decoder.implementation == "test"
    decoder.close()


@pytest.mark.parametrize("ordered", [-720, -300, 1, 300, 720])
def test_silence_changes_at_once_and_exactly(ordered):
    decoder = StretchingDecoder(PassThroughDecoder())
    decoded = decoder.decode(frame(0, bytes(1920)))
    decoded += decoder.decode(frame(960, bytes(1920), ordered))
    decoded += decoder.decode(frame(1920 + ordered, bytes(1920)))
    assert [each.samples for each in decoded] == [960, 960 + ordered, 960]
    assert_gapless(decoded)


def test_debt_of_voiced_audio_is_repaid_in_silence():
    decoder = StretchingDecoder(PassThroughDecoder())
    decoded = decoder.decode(frame(0, sine(0, 960, 120)))
    decoded += decoder.decode(frame(960, sine(960, 960, 120), 500))
    # The period has 400 samples.
    assert decoded[-1].samples == pytest.approx(960 + 400, abs=2)
    decoded += decoder.decode(frame(2420, sine(1920, 960, 120)))
    decoded += decoder.decode(frame(3380, bytes(1920)))
    assert_gapless(decoded)
    assert decoded[-1].pts + decoded[-1].samples == 4340


def test_audio_that_never_correlates_changes_after_some_frames():
    rng = random.Random(1)
    decoder = StretchingDecoder(PassThroughDecoder())
    decoded, timestamp = [], 0
    for index in range(12):
        payload = array("h", [rng.randrange(-9_000, 9_000) for _ in range(960)]).tobytes()
        ordered = 600 * (index == 1)
        decoded += decoder.decode(frame(timestamp, payload, ordered))
        timestamp += 960 + ordered
    assert_gapless(decoded)
    lengths = [each.samples for each in decoded]
    assert set(lengths[:3]) == {960}
    assert abs(timestamp - sum(lengths)) < 0.0075 * 48_000


def test_rest_of_a_concealment_is_joined_to_the_next_audio():
    inner = PassThroughDecoder()
    decoder = StretchingDecoder(inner)
    decoded = decoder.decode(frame(0, sine(0, 960, 440)))
    decoded += decoder.conceal(0.01)
    assert inner.concealed == [(0.02, None)]
    decoded += decoder.conceal(0.005)
    # The codec has concealed enough.
    assert inner.concealed == [(0.02, None)]
    decoded += decoder.decode(frame(960 + 720, sine(1920, 960, 440)))
    assert_gapless(decoded)
    assert [each.samples for each in decoded[:3]] == [960, 480, 240]


def test_whole_concealments_are_passed_through():
    inner = PassThroughDecoder()
    decoder = StretchingDecoder(inner)
    decoder.decode(frame(0, bytes(1920)))
    (concealed,) = decoder.conceal(0.02, b"next")
    assert (concealed.pts, concealed.samples) == (960, 960)
    assert inner.concealed[-1] == (0.02, b"next")


def test_order_before_the_first_decoded_frame_is_dropped():
    decoder = StretchingDecoder(PassThroughDecoder())
    with pytest.raises(CodecError):
        decoder.decode(frame(0, b"broken", -240))
    decoded = decoder.decode(frame(720, bytes(1920)))
    assert [(each.pts, each.samples) for each in decoded] == [(720, 960)]


def test_frame_that_is_not_decoded_leaves_its_order():
    decoder = StretchingDecoder(PassThroughDecoder())
    decoder.decode(frame(0, bytes(1920)))
    with pytest.raises(CodecError):
        decoder.decode(frame(960, b"broken", 240))
    decoded = decoder.decode(frame(960 + 960 + 240, bytes(1920)))
    assert decoded[0].samples == 960 + 240


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["decode", "conceal"]), st.integers(-720, 720), st.sampled_from([0, 110, 440])
        ),
        max_size=30,
    )
)
def test_for_any_orders_the_output_is_gapless_and_near_the_ordered_length(actions):
    decoder = StretchingDecoder(PassThroughDecoder())
    decoded = decoder.decode(frame(0, sine(0, 960, 110)))
    timestamp = 960
    for kind, change, frequency in actions:
        if kind == "conceal":
            duration = abs(change) + 100
            decoded += decoder.conceal(duration / 48_000)
            timestamp += duration
        else:
            decoded += decoder.decode(frame(timestamp, sine(timestamp, 960, frequency), change))
            timestamp += 960 + change
    assert_gapless(decoded)
    # Everything is made up for in silence.
    for _ in range(10):
        decoded += decoder.decode(frame(timestamp, bytes(1920)))
        timestamp += 960
    assert_gapless(decoded)
    assert decoded[-1].pts + decoded[-1].samples == timestamp


def call(codec, frequency, *, decoded, lost, jitter=0.005, in_band_fec="prefer"):
    """Play five seconds of a tone with losses; return the decoded audio and the counters of playout."""
    clock, rate = CODECS[codec]
    channels, size = (2, rate // 50) if codec == "opus" else (1, rate // 50)
    encoder = create_audio_encoder(codec, AudioEncoderOptions(fec=False))
    frames = []
    for index in range(250):
        audio = frame_of(sine(size * index, size, frequency, rate, channels), channels, rate, size * index)
        frames += encoder.encode(audio)
    decoder = create_audio_decoder(codec, AudioDecoderOptions(in_band_fec=in_band_fec))
    decoder = StretchingDecoder(decoder) if decoded else decoder
    playout, duration = AudioPlayout(), clock // 50
    playout.set_decoded(decoded)
    rng = random.Random(1)
    arrivals = sorted(
        (index * STEP + rng.uniform(0, jitter), index) for index in range(len(frames)) if index not in lost
    )
    output = []
    while arrivals:
        now = min(arrivals[0][0], playout.next_timer())
        while arrivals and arrivals[0][0] <= now:
            index = arrivals.pop(0)[1]
            encoded = attrs.evolve(frames[index], timestamp=index * duration, clock_rate=clock, codec=codec)
            playout.insert(index * duration, duration, encoded, now, sequence_number=index)
        while (item := playout.pull(now)) is not None:
            if isinstance(item, EncodedFrame):
                output += decoder.decode(item)
            else:
                output += decoder.conceal(item.duration / clock, item.following)
    return output, playout.counters


def values_of(output, channels):
    return np.concatenate([np.frombuffer(samples_of(each), dtype=np.int16)[::channels] for each in output])


def purity(values, frequency, rate):
    spectrum = np.abs(np.fft.rfft(values * np.hanning(len(values)))) ** 2
    near = abs(np.fft.rfftfreq(len(values), 1 / rate) - frequency) < 20
    return 10 * math.log10(spectrum[near].sum() / spectrum[~near].sum())


LOST = frozenset(random.Random(4).sample(range(30, 245), 22))


@pytest.mark.parametrize(
    ("codec", "in_band_fec"), [("opus", "prefer"), ("opus", "never"), ("PCMU", "never"), ("G722", "never")]
)
@pytest.mark.parametrize("frequency", [220, 1_000])
def test_tone_through_a_lossy_call_is_continuous(codec, in_band_fec, frequency):
    rate, channels = CODECS[codec][1], 2 if codec == "opus" else 1
    found = {}
    for decoded in (False, True):
        output, counters = call(codec, frequency, decoded=decoded, lost=LOST, in_band_fec=in_band_fec)
        assert_gapless(output)
        values = values_of(output, channels)[rate // 4 :].astype(float)
        found[decoded] = purity(values, frequency, rate), max(abs(np.diff(values))), counters.concealed
    # Less is concealed, and the seams are no worse.
    assert found[True][2] < 0.8 * found[False][2]
    assert found[True][0] > found[False][0] - 1
    assert found[True][1] <= 1.1 * found[False][1]
    if codec == "opus":
        assert found[True][0] > 30
        assert found[True][1] < 1.2 * AMPLITUDE * 2 * math.pi * frequency / rate
