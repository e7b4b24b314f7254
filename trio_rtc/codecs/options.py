"""Settings of encoders and decoders."""

from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import ge, gt, in_, optional

Hardware = Literal["never", "prefer", "require"]
InBandFec = Literal["never", "prefer", "require"]

MAX_CONCEALED = 1.0
"""Seconds of sound that are made up at a time; whatever is longer is no loss but a pause."""

PLAYBACK_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
FRAME_DURATIONS = (0.01, 0.02, 0.04, 0.06)
_HARDWARE = in_(("never", "prefer", "require"))
_MAX_PIXELS = 7680 * 4320


@attrs.frozen
class VideoEncoderOptions:
    """How video is encoded.

    Attributes:
        bitrate: Target in bits per second until ``encode`` tells another.
        framerate: Pictures per second that the source is expected to give.
        hardware: Whether an encoder of the graphics card is used: ``"prefer"`` takes the first that opens and else
            one on the CPU; ``"require"`` raises ``CodecError`` when none opens.
        threads: Threads of one encoder; ``None`` chooses by the size of the picture, at most four.
        max_slice_size: For H.264: the largest NAL unit in bytes, for peers with packetization mode 0 (RFC 6184
            section 5.6); ``None`` leaves a picture in as few slices as there are threads.
        extra: Further options of the FFmpeg encoder, by its names; they win over those that are set here.
    """

    bitrate: int = attrs.field(default=1_000_000, validator=ge(1_000))
    framerate: float = attrs.field(default=30.0, validator=gt(0))
    hardware: Hardware = attrs.field(default="never", validator=_HARDWARE)
    threads: int | None = attrs.field(default=None, validator=optional(ge(1)))
    max_slice_size: int | None = attrs.field(default=None, validator=optional(ge(100)))
    extra: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class VideoDecoderOptions:
    """How video is decoded.

    Attributes:
        hardware_device: FFmpeg's name of a kind of device that decodes (``"vaapi"``, ``"cuda"``,
            ``"videotoolbox"``); the CPU takes over where it cannot. ``None`` is the CPU.
        threads: Threads within one picture; ``None`` leaves it to FFmpeg.
        max_pixels: A larger picture is refused with ``CodecError``: it is the peer who chooses the size.
    """

    hardware_device: str | None = None
    threads: int | None = attrs.field(default=None, validator=optional(ge(1)))
    max_pixels: int = attrs.field(default=_MAX_PIXELS, validator=ge(1))


@attrs.frozen
class AudioEncoderOptions:
    """How sound is encoded. G.711 and G.722 have one rate and one channel and take ``frame_duration`` only.

    Attributes:
        bitrate: Bits per second until ``encode`` tells another (Opus).
        channels: 1 or 2 (Opus; ``stereo`` of RFC 7587 section 6.1).
        frame_duration: Seconds in a packet (W3C and RFC 7587: ``ptime``).
        application: What Opus optimises for.
        fec: Whether each packet carries the one before it in brief (``useinbandfec``).
        expected_loss: The loss in percent that ``fec`` prepares for. Without any, Opus spends nothing on it.
        dtx: Whether silence is left out but for a packet each 400 ms (``usedtx``).
        cbr: Whether all packets have the same size (``cbr``).
        max_playback_rate: Samples per second that the receiver can use: 8,000, 12,000, 16,000, 24,000 or 48,000
            (``maxplaybackrate``). Higher frequencies are not encoded.
        extra: Further options of the FFmpeg encoder, by its names.
    """

    bitrate: int = attrs.field(default=48_000, validator=ge(6_000))
    channels: int = attrs.field(default=2, validator=in_((1, 2)))
    frame_duration: float = attrs.field(default=0.02, validator=in_(FRAME_DURATIONS))
    application: Literal["voip", "audio", "lowdelay"] = attrs.field(
        default="voip", validator=in_(("voip", "audio", "lowdelay"))
    )
    fec: bool = True
    expected_loss: int = attrs.field(default=10, validator=[ge(0), attrs.validators.le(100)])
    dtx: bool = False
    cbr: bool = False
    max_playback_rate: int = attrs.field(default=48_000, validator=in_(PLAYBACK_RATES))
    extra: Mapping[str, str] = attrs.field(factory=dict)

    @classmethod
    def from_format_parameters(cls, parameters: Mapping[str, str]) -> "AudioEncoderOptions":
        """Return what the peer's ``a=fmtp`` of Opus asks for (RFC 7587 section 6.1).

        Values that are no numbers count as absent. ``ptime`` and ``maxptime``, in milliseconds, are read for every
        codec; the duration of packets is the longest that both allow, and 20 ms without them.
        """

        def number(name: str, default: int) -> int:
            value = parameters.get(name, "")
            return int(value) if value.isascii() and value.isdigit() and len(value) <= 9 else default

        stereo = number("stereo", 0) == 1
        bitrate = number("maxaveragebitrate", cls().bitrate)
        return cls(
            bitrate=min(max(bitrate, 6_000), 510_000),
            channels=2 if stereo else 1,
            fec=number("useinbandfec", 0) == 1,
            dtx=number("usedtx", 0) == 1,
            cbr=number("cbr", 0) == 1,
            max_playback_rate=max(
                (rate for rate in PLAYBACK_RATES if rate <= number("maxplaybackrate", 48_000)),
                default=PLAYBACK_RATES[0],
            ),
            frame_duration=_frame_duration(
                max(number("ptime", 20), number("minptime", 0)), number("maxptime", 120)
            ),
        )


def _frame_duration(ptime: int, maxptime: int) -> float:
    """Return the longest duration of a packet, in seconds, that is not longer than either in milliseconds."""
    wanted = min(ptime, maxptime) / 1000
    return max((each for each in FRAME_DURATIONS if each <= wanted), default=FRAME_DURATIONS[0])


@attrs.frozen
class AudioDecoderOptions:
    """How sound is decoded.

    Attributes:
        channels: 1 or 2: what Opus is decoded to.
        in_band_fec: Whether Opus is decoded by libopus itself, which finds what was lost in the packet that follows:
            ``"prefer"`` leaves it to FFmpeg, which cannot, where no libopus is found; ``"require"`` raises
            ``CodecError`` there. Other codecs have nothing of the kind.
    """

    channels: int = attrs.field(default=2, validator=in_((1, 2)))
    in_band_fec: InBandFec = attrs.field(default="prefer", validator=in_(("never", "prefer", "require")))
