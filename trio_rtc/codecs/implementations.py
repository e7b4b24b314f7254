"""FFmpeg's encoders and decoders for each codec, and their settings.

The settings are for real-time communication: no frame is delayed, no frame references a later one, every keyframe has
all parameter sets, and keyframes are encoded only on request.
"""

import os
from collections.abc import Callable

from trio_rtc import _attrs as attrs

from .options import VideoEncoderOptions
from .rate_control import DynamicRateControl, RateControl, ReopeningRateControl, TimestampRateControl

_BUFFER_SECONDS = 0.5
MAX_INTRA_PERCENT = 900
"""Maximum size of a keyframe, in percent of the bitrate's share of a frame, as in libwebrtc."""
MAX_INTRA_PERCENT_REOPENED = 300
"""The same where the encoder is reopened for another bitrate: no larger than the largest delta frames afterwards.
Receivers buffer for the largest frame of a call. The quality grows within some frames.
"""
_ADAPTIVE_DENOISING = 4
"""libvpx measures the noise of the video and removes it, as libwebrtc configures it for a camera. Noise would cost most
of the bits.
"""


@attrs.frozen
class EncoderSetup:
    """The parameters of an encoder; its context is opened with the bitrate ``ceiling``.

    Attributes:
        max_intra_percent: Maximum size of a keyframe, in percent of the bitrate's share of a frame.
    """

    width: int
    height: int
    bitrate: int
    ceiling: int
    threads: int
    options: VideoEncoderOptions
    max_intra_percent: int = MAX_INTRA_PERCENT

    @property
    def pixels(self) -> int:
        return self.width * self.height


def _x264(setup: EncoderSetup) -> dict[str, str]:
    settings = {
        "preset": "veryfast" if setup.pixels <= 640 * 480 else "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "sc_threshold": "0",
        "maxrate": str(setup.ceiling),
        "bufsize": str(round(setup.bitrate * _BUFFER_SECONDS)),
    }
    if setup.options.max_slice_size is not None:
        settings["x264-params"] = f"slice-max-size={setup.options.max_slice_size}"
    return settings


def _libvpx(setup: EncoderSetup) -> dict[str, str]:
    # Error resilience would reset the probabilities in each frame: it costs bits, and helps only receivers that
    # continue decoding after a lost frame.
    return {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "drop-threshold": "30",
        "max-intra-rate": str(setup.max_intra_percent),
        "minrate": str(setup.ceiling),
        "maxrate": str(setup.ceiling),
        "bufsize": str(round(setup.ceiling * _BUFFER_SECONDS)),
    }


def _vp8(setup: EncoderSetup) -> dict[str, str]:
    # With a positive cpu-used, libvpx adapts its effort to the real clock, which is not reproducible.
    effort = "-4" if setup.pixels < 352 * 288 else "-6" if setup.pixels <= 1280 * 720 else "-12"
    return {
        **_libvpx(setup),
        "cpu-used": effort,
        "static-thresh": "1",
        "noise-sensitivity": str(_ADAPTIVE_DENOISING),
    }


def _vp9(setup: EncoderSetup) -> dict[str, str]:
    effort = "7" if setup.pixels <= 640 * 360 else "8"
    columns = "0" if setup.width < 512 else "1" if setup.width < 1920 else "2"
    return {**_libvpx(setup), "cpu-used": effort, "row-mt": "1", "tile-columns": columns, "aq-mode": "3"}


def _svt_av1(setup: EncoderSetup) -> dict[str, str]:
    silence_svt_av1()
    parameters = f"rtc=1:rc=2:pred-struct=1:lookahead=0:scd=0:lp={setup.threads}"
    return {"preset": "10" if setup.pixels <= 640 * 360 else "12", "svtav1-params": parameters}


def silence_svt_av1() -> None:
    """Prevent SVT-AV1 from writing its settings to standard error, by the only way: the environment."""
    os.environ.setdefault("SVT_LOG", "1")


def _nvenc(setup: EncoderSetup) -> dict[str, str]:
    return {"preset": "p1", "tune": "ull", "rc": "cbr", "delay": "0", "forced-idr": "1", "zerolatency": "1"}


def _quick_sync(setup: EncoderSetup) -> dict[str, str]:
    return {"preset": "veryfast", "async_depth": "1", "low_delay_brc": "1", "forced_idr": "1"}


def _amf(setup: EncoderSetup) -> dict[str, str]:
    return {"usage": "ultralowlatency", "rc": "cbr", "forced_idr": "1"}


def _videotoolbox(setup: EncoderSetup) -> dict[str, str]:
    return {"realtime": "1", "prio_speed": "1"}


def _no_settings(setup: EncoderSetup) -> dict[str, str]:
    return {}


@attrs.frozen
class VideoEncoderImplementation:
    """One of FFmpeg's video encoders.

    ``max_threads`` applies unless the application sets them. The threads of VP8 busy-wait for each other: with two,
    720p takes up to ten times the CPU time of one.
    """

    name: str
    settings: Callable[[EncoderSetup], dict[str, str]]
    rate_control: Callable[[], RateControl]
    pixel_format: str = "yuv420p"
    hardware: bool = False
    max_threads: int = 4


def _baseline(
    settings: Callable[[EncoderSetup], dict[str, str]], profile: str = "baseline"
) -> Callable[[EncoderSetup], dict[str, str]]:
    """Return settings with the negotiated H.264 profile, which is not the default of hardware encoders."""
    return lambda setup: {**settings(setup), "profile": profile}


def _hardware_encoders(codec: str) -> tuple[VideoEncoderImplementation, ...]:
    def make(
        name: str,
        settings: Callable[[EncoderSetup], dict[str, str]],
        rate_control: Callable[[], RateControl],
        pixel_format: str = "yuv420p",
    ) -> VideoEncoderImplementation:
        return VideoEncoderImplementation(
            f"{codec}_{name}", settings, rate_control, pixel_format, hardware=True
        )

    is_h264 = codec == "h264"
    return (
        make("nvenc", _baseline(_nvenc) if is_h264 else _nvenc, DynamicRateControl),
        make("qsv", _baseline(_quick_sync) if is_h264 else _quick_sync, DynamicRateControl, "nv12"),
        make("amf", _baseline(_amf, "constrained_baseline") if is_h264 else _amf, ReopeningRateControl),
        make("videotoolbox", _baseline(_videotoolbox) if is_h264 else _videotoolbox, ReopeningRateControl),
        make("v4l2m2m", _no_settings, ReopeningRateControl),
    )


VIDEO_ENCODERS: dict[str, tuple[VideoEncoderImplementation, ...]] = {
    "VP8": (VideoEncoderImplementation("libvpx", _vp8, TimestampRateControl, max_threads=1),),
    "VP9": (
        VideoEncoderImplementation("vp9_qsv", _quick_sync, DynamicRateControl, "nv12", hardware=True),
        VideoEncoderImplementation("libvpx-vp9", _vp9, TimestampRateControl),
    ),
    "H264": (*_hardware_encoders("h264"), VideoEncoderImplementation("libx264", _x264, DynamicRateControl)),
    "AV1": (
        *_hardware_encoders("av1"),
        VideoEncoderImplementation("libsvtav1", _svt_av1, ReopeningRateControl),
    ),
}
"""Encoders by codec, in the order in which they are tried, hardware first."""

VIDEO_DECODERS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "VP8": (("vp8", {}), ("libvpx", {})),
    "VP9": (("vp9", {}), ("libvpx-vp9", {})),
    "H264": (("h264", {}),),
    "H265": (("hevc", {}),),
    "AV1": (("libdav1d", {"max_frame_delay": "1"}), ("libaom-av1", {}), ("av1", {})),
}
"""FFmpeg's decoders and their options by codec; the first available one is used."""


@attrs.frozen
class AudioImplementation:
    """The parameters of an audio codec in RTP and in FFmpeg.

    The RTP clock rate of G.722 is 8000 although it samples at 16000, an error that RFC 3551 section 4.5.2 retains.
    """

    name: str
    sample_rate: int
    clock_rate: int
    max_channels: int


AUDIO_CODECS: dict[str, AudioImplementation] = {
    "opus": AudioImplementation("libopus", 48_000, 48_000, 2),
    "PCMU": AudioImplementation("pcm_mulaw", 8_000, 8_000, 1),
    "PCMA": AudioImplementation("pcm_alaw", 8_000, 8_000, 1),
    "G722": AudioImplementation("g722", 16_000, 8_000, 1),
}
