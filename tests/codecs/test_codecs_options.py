"""Options of encoders and decoders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.codecs import (
    AudioEncoderOptions,
    VideoEncoderOptions,
)


def test_options_from_format_parameters():
    requested = {"stereo": "1", "useinbandfec": "1", "usedtx": "1", "maxaveragebitrate": "20000"}
    options = AudioEncoderOptions.from_format_parameters(requested)
    assert options == AudioEncoderOptions(bitrate=20_000, channels=2, fec=True, dtx=True)
    assert AudioEncoderOptions.from_format_parameters({}) == AudioEncoderOptions(channels=1, fec=False)


@pytest.mark.parametrize(
    ("parameters", "frame_duration"),
    [
        ({}, 0.02),
        ({"ptime": "20", "minptime": "10", "maxptime": "40"}, 0.02),
        ({"ptime": "10"}, 0.01),
        ({"ptime": "30"}, 0.02),
        ({"ptime": "40"}, 0.04),
        ({"ptime": "120"}, 0.06),
        ({"ptime": "60", "maxptime": "40"}, 0.04),
        ({"maxptime": "10"}, 0.01),
        ({"minptime": "40"}, 0.04),
        ({"ptime": "3"}, 0.01),
        ({"ptime": "20.5"}, 0.02),
    ],
)
def test_frame_duration_from_ptime_and_maxptime(parameters, frame_duration):
    assert AudioEncoderOptions.from_format_parameters(parameters).frame_duration == frame_duration


@pytest.mark.parametrize(
    ("stated", "rate"),
    [("8000", 8_000), ("9000", 8_000), ("16000", 16_000), ("44100", 24_000), ("96000", 48_000), ("1", 8_000)],
)
def test_max_playback_rate_from_format_parameters(stated, rate):
    options = AudioEncoderOptions.from_format_parameters({"maxplaybackrate": stated, "cbr": "1"})
    assert options == AudioEncoderOptions(channels=1, fec=False, cbr=True, max_playback_rate=rate)


OPUS_PARAMETERS = ["stereo", "useinbandfec", "usedtx", "maxaveragebitrate", "cbr", "maxplaybackrate", "ptime"]


@given(
    st.dictionaries(
        st.sampled_from([*OPUS_PARAMETERS, "minptime", "maxptime"]), st.text() | st.integers().map(str)
    )
)
def test_any_format_parameters_are_accepted(parameters):
    assert 6_000 <= AudioEncoderOptions.from_format_parameters(parameters).bitrate <= 510_000


@pytest.mark.parametrize(
    "options",
    [{"bitrate": 1}, {"channels": 3}, {"frame_duration": 0.03}, {"application": "x"}, {"expected_loss": 101}],
)
def test_options_of_audio_encoders_are_validated(options):
    with pytest.raises(ValueError, match="must be"):
        AudioEncoderOptions(**options)


@pytest.mark.parametrize(
    "options",
    [{"bitrate": 0}, {"framerate": 0.0}, {"hardware": "maybe"}, {"threads": 0}, {"max_slice_size": 5}],
)
def test_options_of_video_encoders_are_validated(options):
    with pytest.raises(ValueError, match="must be"):
        VideoEncoderOptions(**options)
