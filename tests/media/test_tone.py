"""A sine tone, and the dominant frequency of audio."""

import pytest
import trio

from trio_rtc import media
from trio_rtc.codecs.samples import frame_of, samples_of


async def test_audio_is_received_when_due(autojump_clock):
    source = media.tone(1000, sample_rate=16_000, channels=2)
    begun = trio.current_time()
    frames = [await source.receive() for _ in range(50)]
    assert trio.current_time() - begun == pytest.approx(0.98)
    assert [frame.pts for frame in frames] == [320 * index for index in range(50)]
    assert frames[0].layout.name == "stereo"


@pytest.mark.parametrize("frequency", [100, 440, 1234.5, 3000])
@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000])
def test_dominant_frequency_of_a_tone(frequency, sample_rate):
    source = media.tone(frequency, sample_rate=sample_rate)
    assert media.dominant_frequency(source.next_frame() for _ in range(50)) == pytest.approx(frequency, abs=1)


def test_dominant_frequency_of_two_tones():
    loud, soft = media.tone(700, amplitude=0.4), media.tone(2000, amplitude=0.1)

    def mixed():
        pairs = zip(*(samples_of(each.next_frame()) for each in (loud, soft)), strict=True)
        return frame_of(bytes((a + b) & 0xFF for a, b in pairs), 1, 48_000, None)

    assert media.dominant_frequency(mixed() for _ in range(20)) == pytest.approx(700, abs=5)


def test_dominant_frequency_requires_enough_audio_of_one_rate():
    with pytest.raises(ValueError, match="at least 256 samples"):
        media.dominant_frequency([])
    with pytest.raises(ValueError, match="one sample rate"):
        media.dominant_frequency([media.tone().next_frame(), media.tone(sample_rate=8_000).next_frame()])
