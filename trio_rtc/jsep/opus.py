"""Preferences of a receiver of Opus: its ``a=fmtp`` parameters, and ``a=ptime`` (RFC 7587 sections 6.1 and 7)."""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class

_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
# RFC 7587 section 6.1: durations of one Opus frame, or of several in a packet.
_DURATIONS = (5, 10, 20, 40, 60, 80, 100, 120)
_is_bool = validators.instance_of(bool)


@strict_class
@attrs.frozen
class OpusParameters:
    """Preferences for received Opus, which the peer's encoder follows.

    Each parameter is a preference of the receiver (RFC 7587 section 6.1); sent audio follows the peer's preferences.
    ``Settings.opus`` sets them for a whole connection, ``RTCRtpTransceiver.set_opus_parameters`` for one transceiver.

    Attributes:
        stereo: Whether to receive two channels (``stereo``). Otherwise encoders mix them down to one.
        max_average_bitrate: Bits per second at most (``maxaveragebitrate``), 6,000 to 510,000; ``None`` leaves it to
            the sender. libwebrtc sends this bitrate, by default 32,000 per channel.
        use_dtx: Whether discontinuous transmission, which omits silence, is allowed (``usedtx``).
        use_inband_fec: Whether packets may contain a low-bitrate copy of the previous frame (``useinbandfec``), which
            recovers a lost packet.
        cbr: Whether to receive a constant bitrate (``cbr``), which hides the content from observers of packet sizes.
        max_playback_rate: Highest useful sampling rate in Hz (``maxplaybackrate``): 8,000, 12,000, 16,000, 24,000 or
            48,000; ``None`` is 48,000.
        ptime: Preferred milliseconds of audio per packet (``a=ptime``): 5, 10, 20, 40, 60, 80, 100 or 120; ``None``
            leaves it to the sender. Longer packets have less overhead and more delay.
        min_ptime: Least milliseconds of audio per packet (``minptime``).
    """

    stereo: bool = attrs.field(default=False, validator=_is_bool)
    max_average_bitrate: int | None = attrs.field(
        default=None, validator=validators.optional([validators.ge(6_000), validators.le(510_000)])
    )
    use_dtx: bool = attrs.field(default=False, validator=_is_bool)
    use_inband_fec: bool = attrs.field(default=True, validator=_is_bool)
    cbr: bool = attrs.field(default=False, validator=_is_bool)
    max_playback_rate: int | None = attrs.field(
        default=None, validator=validators.optional(validators.in_(_RATES))
    )
    ptime: int | None = attrs.field(default=None, validator=validators.optional(validators.in_(_DURATIONS)))
    min_ptime: int = attrs.field(default=10, validator=validators.in_(_DURATIONS))

    def to_format_parameters(self) -> Mapping[str, str]:
        """Return the parameters of ``a=fmtp``, without those that have RFC 7587's default."""
        parameters = {"minptime": str(self.min_ptime)}
        flags = {
            "useinbandfec": self.use_inband_fec,
            "stereo": self.stereo,
            "usedtx": self.use_dtx,
            "cbr": self.cbr,
        }
        parameters.update((name, "1") for name, flag in flags.items() if flag)
        numbers = {"maxaveragebitrate": self.max_average_bitrate, "maxplaybackrate": self.max_playback_rate}
        parameters.update((name, str(number)) for name, number in numbers.items() if number is not None)
        return parameters
