"""Which of FFmpeg's encoders and decoders are used for a codec, and with which settings.

Settings are for conversation: no picture is held back, none refers to a later one, all parameter sets come with
every keyframe, and keyframes come only when asked for.
"""

import os
from collections.abc import Callable

import attrs

from .options import VideoEncoderOptions
from .rate_control import ClockRate, LiveRate, RateControl, ReopeningRate

_BUFFER_SECONDS = 0.5
_MAX_INTRA_PERCENT = 900
_ADAPTIVE_DENOISING = 4
"""libvpx looks how noisy the video is, as libwebrtc lets it for a camera. Noise in a picture costs most of the bits."""


@attrs.frozen
class EncoderSetup:
    """For what an encoder is opened.

    Attributes:
        width: Pixels.
        height: Pixels.
        bitrate: Bits per second.
        ceiling: The bitrate that the context is opened with.
        threads: Threads it may use.
        options: What the application chose.
    """

    width: int
    height: int
    bitrate: int
    ceiling: int
    threads: int
    options: VideoEncoderOptions

    @property
    def pixels(self) -> int:
        """Pixels in a picture."""
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
    # Error resilience would begin each frame with default probabilities: it costs bits, and helps only receivers that
    # go on decoding after a lost frame.
    return {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "drop-threshold": "30",
        "max-intra-rate": str(_MAX_INTRA_PERCENT),
        "minrate": str(setup.ceiling),
        "maxrate": str(setup.ceiling),
        "bufsize": str(round(setup.ceiling * _BUFFER_SECONDS)),
    }


def _vp8(setup: EncoderSetup) -> dict[str, str]:
    # A positive cpu-used lets libvpx choose its effort by the real clock, and so never twice the same.
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
    """Keep SVT-AV1 from writing its settings to standard error. It listens to nothing but the environment."""
    os.environ.setdefault("SVT_LOG", "1")


def _nvenc(setup: EncoderSetup) -> dict[str, str]:
    return {"preset": "p1", "tune": "ull", "rc": "cbr", "delay": "0", "forced-idr": "1", "zerolatency": "1"}


def _quick_sync(setup: EncoderSetup) -> dict[str, str]:
    return {"preset": "veryfast", "async_depth": "1", "low_delay_brc": "1", "forced_idr": "1"}


def _amf(setup: EncoderSetup) -> dict[str, str]:
    return {"usage": "ultralowlatency", "rc": "cbr", "forced_idr": "1"}


def _videotoolbox(setup: EncoderSetup) -> dict[str, str]:
    return {"realtime": "1", "prio_speed": "1"}


def _none(setup: EncoderSetup) -> dict[str, str]:
    return {}


@attrs.frozen
class VideoEncoderImplementation:
    """One of FFmpeg's video encoders.

    Attributes:
        name: FFmpeg's name of it.
        settings: What it is opened with.
        rate_control: Makes what changes its bitrate.
        pixel_format: What it takes.
        hardware: Whether it is a graphics card that encodes.
        max_threads: How many threads it is given at most, unless the application says so. Those of VP8 wait for each
            other in a busy loop: with two, 720p takes up to ten times the CPU time that it takes with one.
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
    """Return settings with the profile of H.264 that is negotiated, which cards do not choose by themselves."""
    return lambda setup: {**settings(setup), "profile": profile}


def _hardware(codec: str) -> tuple[VideoEncoderImplementation, ...]:
    is_h264 = codec == "h264"
    return (
        VideoEncoderImplementation(
            f"{codec}_nvenc", _baseline(_nvenc) if is_h264 else _nvenc, LiveRate, hardware=True
        ),
        VideoEncoderImplementation(
            f"{codec}_qsv",
            _baseline(_quick_sync) if is_h264 else _quick_sync,
            LiveRate,
            "nv12",
            hardware=True,
        ),
        VideoEncoderImplementation(
            f"{codec}_amf",
            _baseline(_amf, "constrained_baseline") if is_h264 else _amf,
            ReopeningRate,
            hardware=True,
        ),
        VideoEncoderImplementation(
            f"{codec}_videotoolbox",
            _baseline(_videotoolbox) if is_h264 else _videotoolbox,
            ReopeningRate,
            hardware=True,
        ),
        VideoEncoderImplementation(f"{codec}_v4l2m2m", _none, ReopeningRate, hardware=True),
    )


VIDEO_ENCODERS: dict[str, tuple[VideoEncoderImplementation, ...]] = {
    "VP8": (VideoEncoderImplementation("libvpx", _vp8, ClockRate, max_threads=1),),
    "VP9": (
        VideoEncoderImplementation("vp9_qsv", _quick_sync, LiveRate, "nv12", hardware=True),
        VideoEncoderImplementation("libvpx-vp9", _vp9, ClockRate),
    ),
    "H264": (*_hardware("h264"), VideoEncoderImplementation("libx264", _x264, LiveRate)),
    "AV1": (*_hardware("av1"), VideoEncoderImplementation("libsvtav1", _svt_av1, ReopeningRate)),
}
"""By codec, hardware first; each is tried in turn."""

VIDEO_DECODERS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "VP8": (("vp8", {}), ("libvpx", {})),
    "VP9": (("vp9", {}), ("libvpx-vp9", {})),
    "H264": (("h264", {}),),
    "H265": (("hevc", {}),),
    "AV1": (("libdav1d", {"max_frame_delay": "1"}), ("libaom-av1", {}), ("av1", {})),
}
"""By codec: FFmpeg's decoders with their options; the first that this build of FFmpeg has is used."""


@attrs.frozen
class AudioImplementation:
    """How an audio codec is spelled in RTP and in FFmpeg.

    Attributes:
        name: FFmpeg's name of encoder and decoder.
        sample_rate: Samples per second that it takes and gives.
        clock_rate: Of its RTP timestamps. G.722 has 8000 although it samples twice as often, by an old mistake that
            RFC 3551 section 4.5.2 keeps.
        max_channels: How many it can carry.
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
"""By codec."""
