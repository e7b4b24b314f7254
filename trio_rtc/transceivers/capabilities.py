"""Capabilities of senders and receivers (W3C webrtc section 5.2, ``getCapabilities``)."""

from functools import cache

from trio_rtc import _attrs as attrs
from trio_rtc.jsep.capabilities import DEFAULT_CAPABILITIES, KindCapabilities, MediaCapabilities
from trio_rtc.jsep.opus import OpusParameters
from trio_rtc.protocols.rtp.codec import Codec, format_parameters

from .rtp_parameters import RTCRtpCapabilities, RTCRtpCodec, RTCRtpHeaderExtensionCapability

# Comfort noise packets are accepted, but no noise is generated from them.
_NOT_OFFERED = frozenset({"cn"})


def _usable(kind: KindCapabilities) -> KindCapabilities:
    codecs = tuple(codec for codec in kind.codecs if codec.name.lower() not in _NOT_OFFERED)
    return KindCapabilities(codecs, kind.header_extensions)


OFFERED = MediaCapabilities(_usable(DEFAULT_CAPABILITIES.audio), _usable(DEFAULT_CAPABILITIES.video))
"""The codecs and header extensions of a new transceiver."""


@cache
def capabilities_of(kind: str, *, sends: bool = False) -> RTCRtpCapabilities | None:
    """Return the capabilities for receiving or sending a kind; ``None`` for an unknown kind."""
    if kind not in ("audio", "video"):
        return None
    capabilities = OFFERED.of(kind)
    return RTCRtpCapabilities(
        tuple(
            as_rtp_codec(kind, codec) for codec in capabilities.codecs if not (sends and codec.receive_only)
        ),
        tuple(RTCRtpHeaderExtensionCapability(each.uri) for each in capabilities.header_extensions),
    )


def as_rtp_codec(kind: str, codec: Codec) -> RTCRtpCodec:
    """Return W3C's dictionary of a codec."""
    return RTCRtpCodec(*codec_fields(kind, codec))


def codec_fields(kind: str, codec: Codec) -> tuple[str, int, int | None, str | None]:
    """Return the members of W3C's dictionary of a codec."""
    return (
        f"{kind}/{codec.name}",
        codec.clock_rate,
        codec.channels if kind == "audio" else None,
        format_parameters(codec.parameters) or None,
    )


def codecs_by_preference(
    kind: str, preferred: tuple[RTCRtpCodec, ...], opus: OpusParameters
) -> tuple[Codec, ...]:
    """Return the preferred codecs of a kind in their order; all codecs if there are no preferences.

    Opus gets the requested parameters.
    """
    return tuple(
        attrs.evolve(codec, parameters=opus.to_format_parameters()) if codec.is_called("opus") else codec
        for codec in _chosen_codecs(kind, preferred)
    )


def _chosen_codecs(kind: str, preferred: tuple[RTCRtpCodec, ...]) -> tuple[Codec, ...]:
    codecs = OFFERED.of(kind).codecs
    if not preferred:
        return codecs
    return tuple(
        codec for choice in preferred for codec in codecs if as_rtp_codec(kind, codec).matches(choice)
    )
