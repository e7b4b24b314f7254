"""Settings of FFmpeg's encoders and decoders."""

import os
from fractions import Fraction

import av
import pytest

from trio_rtc.codecs import VideoEncoderOptions
from trio_rtc.codecs.implementations import (
    AUDIO_CODECS,
    VIDEO_DECODERS,
    VIDEO_ENCODERS,
    EncoderSetup,
    silence_svt_av1,
)
from trio_rtc.codecs.thread_priority import preserved_thread_priority


def setup_of(width=640, height=360, *, bitrate=500_000, ceiling=600_000, threads=2, **options):
    return EncoderSetup(width, height, bitrate, ceiling, threads, VideoEncoderOptions(**options))


def software(codec):
    (found,) = [each for each in VIDEO_ENCODERS[codec] if not each.hardware]
    return found


@pytest.mark.parametrize("codec", VIDEO_ENCODERS)
def test_hardware_encoders_come_first(codec):
    hardware = [each.hardware for each in VIDEO_ENCODERS[codec]]
    assert hardware == sorted(hardware, reverse=True)
    assert hardware.count(False) == 1


@pytest.mark.parametrize("codec", VIDEO_ENCODERS)
@pytest.mark.parametrize("size", [(160, 120), (640, 480), (1920, 1080)])
def test_ffmpeg_accepts_every_setting_of_the_software_encoders(codec, size):
    encoder = software(codec)
    context = av.CodecContext.create(encoder.name, "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base = encoder.pixel_format, Fraction(1, 90_000)
    context.bit_rate, context.framerate = 600_000, Fraction(30)
    context.options = encoder.settings(setup_of(*size, max_slice_size=1200))
    assert context.options
    with preserved_thread_priority():
        context.open()
    # FFmpeg leaves the options that it does not know.
    assert context.options == {}


def test_h264_is_constrained_baseline_without_delay():
    settings = software("H264").settings(setup_of())
    assert (settings["profile"], settings["tune"]) == ("baseline", "zerolatency")
    assert (settings["maxrate"], settings["bufsize"]) == ("600000", "250000")
    assert "x264-params" not in settings
    limited = software("H264").settings(setup_of(max_slice_size=1200))
    assert limited["x264-params"] == "slice-max-size=1200"


@pytest.mark.parametrize(
    ("codec", "size", "name", "value"),
    [
        ("H264", (640, 480), "preset", "veryfast"),
        ("H264", (642, 480), "preset", "ultrafast"),
        ("VP8", (320, 240), "cpu-used", "-4"),
        ("VP8", (1280, 720), "cpu-used", "-6"),
        ("VP8", (1920, 1080), "cpu-used", "-12"),
        ("VP9", (640, 360), "cpu-used", "7"),
        ("VP9", (1280, 720), "cpu-used", "8"),
        ("VP9", (510, 360), "tile-columns", "0"),
        ("VP9", (1280, 720), "tile-columns", "1"),
        ("VP9", (1920, 1080), "tile-columns", "2"),
        ("AV1", (640, 360), "preset", "10"),
        ("AV1", (1280, 720), "preset", "12"),
    ],
)
def test_effort_decreases_with_the_frame_size(codec, size, name, value):
    assert software(codec).settings(setup_of(*size))[name] == value


@pytest.mark.parametrize("codec", ["VP8", "VP9"])
def test_libvpx_encodes_in_real_time_at_a_constant_rate(codec):
    settings = software(codec).settings(setup_of())
    assert (settings["deadline"], settings["lag-in-frames"]) == ("realtime", "0")
    assert settings["minrate"] == settings["maxrate"] == "600000"
    assert settings["bufsize"] == "300000"


def test_h264_hardware_encoders_have_the_negotiated_profile():
    for encoder in VIDEO_ENCODERS["H264"]:
        if encoder.hardware and not encoder.name.endswith("v4l2m2m"):
            assert encoder.settings(setup_of())["profile"] in ("baseline", "constrained_baseline")
    for encoder in VIDEO_ENCODERS["AV1"]:
        assert "profile" not in encoder.settings(setup_of())


def test_svt_av1_is_silent_unless_the_application_sets_its_log(monkeypatch):
    monkeypatch.delenv("SVT_LOG", raising=False)
    silence_svt_av1()
    assert os.environ["SVT_LOG"] == "1"
    monkeypatch.setenv("SVT_LOG", "4")
    parameters = software("AV1").settings(setup_of(threads=3))["svtav1-params"]
    assert "lp=3" in parameters.split(":")
    assert os.environ["SVT_LOG"] == "4"


def test_rates_of_audio_codecs():
    """RFC 7587 section 4.1; RFC 3551 section 4.5.2: G.722 samples at 16 kHz with a clock rate of 8 kHz."""
    assert {name: (each.clock_rate, each.sample_rate) for name, each in AUDIO_CODECS.items()} == {
        "opus": (48_000, 48_000),
        "PCMU": (8_000, 8_000),
        "PCMA": (8_000, 8_000),
        "G722": (8_000, 16_000),
    }


def test_every_codec_that_is_encoded_is_decoded():
    assert set(VIDEO_ENCODERS) < set(VIDEO_DECODERS)
    assert setup_of(640, 360).pixels == 230_400
