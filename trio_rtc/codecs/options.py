"""Options of encoders and decoders."""

from collections.abc import Mapping
from typing import Literal

from attrs.validators import ge, gt, in_, optional

from trio_rtc import _attrs as attrs

Hardware = Literal["never", "prefer", "require"]
InBandFec = Literal["never", "prefer", "require"]

MAX_CONCEALED = 1.0
"""Maximum seconds of audio concealed at a time; a longer gap is a pause, not a loss."""

PLAYBACK_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
FRAME_DURATIONS = (0.01, 0.02, 0.04, 0.06)
_HARDWARE = in_(("never", "prefer", "require"))
_MAX_PIXELS = 7680 * 4320


@attrs.frozen
class VideoEncoderOptions:
    """Options of video encoders.

    Attributes:
        bitrate: Target in bits per second until ``encode`` sets another.
        framerate: Expected frames per second of the source.
        hardware: Whether a hardware encoder is used: ``"prefer"`` uses the first that opens, or else the CPU;
            ``"require"`` raises ``CodecError`` if none opens.
        threads: Threads of one encoder; ``None`` chooses by the frame size, at most four.
        max_slice_size: For H.264: the maximum NAL unit size in bytes, for peers with packetization mode 0 (RFC 6184
            section 5.6); ``None`` uses as many slices per frame as there are threads.
        extra: Further FFmpeg options of the encoder by name; they take precedence over the library's.
    """

    bitrate: int = attrs.field(default=1_000_000, validator=ge(1_000))
    framerate: float = attrs.field(default=30.0, validator=gt(0))
    hardware: Hardware = attrs.field(default="never", validator=_HARDWARE)
    threads: int | None = attrs.field(default=None, validator=optional(ge(1)))
    max_slice_size: int | None = attrs.field(default=None, validator=optional(ge(100)))
    extra: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class VideoDecoderOptions:
    """Options of video decoders.

    Attributes:
        hardware_device: FFmpeg's name of a device type that decodes (``"vaapi"``, ``"cuda"``, ``"videotoolbox"``), with
            the CPU as fallback. ``None`` is the CPU.
        threads: Threads within one frame; ``None`` uses FFmpeg's default.
        max_pixels: A larger frame raises ``CodecError``, because the peer controls the size.
    """

    hardware_device: str | None = None
    threads: int | None = attrs.field(default=None, validator=optional(ge(1)))
    max_pixels: int = attrs.field(default=_MAX_PIXELS, validator=ge(1))


@attrs.frozen
class AudioEncoderOptions:
    """Options of audio encoders. G.711 and G.722 have one rate and one channel and use ``frame_duration`` only.

    Attributes:
        bitrate: Bits per second until ``encode`` sets another (Opus).
        channels: 1 or 2 (Opus; ``stereo`` of RFC 7587 section 6.1).
        frame_duration: Seconds in a packet (W3C and RFC 7587: ``ptime``).
        application: Opus's optimization target.
        fec: Whether packets have in-band FEC (``useinbandfec``).
        expected_loss: The packet loss in percent for which ``fec`` is dimensioned; with 0, Opus spends no bits on it.
        dtx: Whether silence is not sent, except for a packet every 400 ms (``usedtx``).
        cbr: Whether all packets have the same size (``cbr``).
        max_playback_rate: Maximum useful samples per second of the receiver: 8,000, 12,000, 16,000, 24,000 or 48,000
            (``maxplaybackrate``). Higher frequencies are not encoded.
        extra: Further FFmpeg options of the encoder by name.
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
        """Return the options that the peer's ``a=fmtp`` for Opus requests (RFC 7587 section 6.1).

        Values that are not numbers are treated as absent. ``ptime`` and ``maxptime``, in milliseconds, are used for
        every codec; the packet duration is the longest that both allow, and 20 ms without them.
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
    """Return the longest packet duration in seconds that exceeds neither limit in milliseconds."""
    limit = min(ptime, maxptime) / 1000
    return max((each for each in FRAME_DURATIONS if each <= limit), default=FRAME_DURATIONS[0])


@attrs.frozen
class AudioDecoderOptions:
    """Options of audio decoders.

    Attributes:
        channels: 1 or 2: the output channels of Opus.
        in_band_fec: Whether libopus itself decodes Opus, to recover a lost packet from the following one: ``"prefer"``
            falls back to FFmpeg, which cannot, if libopus is not found; ``"require"`` raises ``CodecError`` then. Other
            codecs have no in-band FEC.
    """

    channels: int = attrs.field(default=2, validator=in_((1, 2)))
    in_band_fec: InBandFec = attrs.field(default="prefer", validator=in_(("never", "prefer", "require")))
