"""Payload formats by the encoding names that SDP has for them; case does not matter."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, Protocol

from trio_rtc.errors import ProtocolError

from . import av1, h264, h265, opus, single, telephone_event, vp8, vp9
from ._format import Depacketizer, Packetizer
from ._nal import read_base64_units
from .continuity import ContinuityTracker, PictureIdTracker
from .layers import LayerIds
from .nal_continuity import FrameNumTracker, PictureOrderTracker

_SINGLE: Final = frozenset({"pcmu", "pcma", "g722", "cn"})
_H265_SETS: Final = ("sprop-vps", "sprop-sps", "sprop-pps")


class Rewriter(Protocol):
    """Returns a payload with another picture id and TL0PICIDX, as ``vp8.rewrite`` does."""

    def __call__(self, payload: bytes, *, picture_id: int | None = None, tl0: int | None = None) -> bytes:
        """Return the changed payload."""


_LAYER_READERS: Final[Mapping[str, Callable[[bytes], LayerIds]]] = {
    "vp8": vp8.read_layers,
    "vp9": vp9.read_layers,
    "h264": h264.read_layers,
    "av1": av1.read_layers,
}
_REWRITERS: Final[Mapping[str, Rewriter]] = {"vp8": vp8.rewrite, "vp9": vp9.rewrite}
_DURATIONS: Final[Mapping[str, Callable[[bytes], int]]] = {
    "opus": opus.payload_duration,
    "pcmu": single.payload_duration,
    "pcma": single.payload_duration,
    "g722": single.payload_duration,
}


def packetizer(codec_name: str, parameters: Mapping[str, str], rng: Random) -> Packetizer | None:
    """Return a packetizer for one outgoing stream.

    Args:
        codec_name: The encoding name.
        parameters: What ``a=fmtp`` of the peer says of the codec: of H.264 ``packetization-mode``.
        rng: For what should begin at random.

    Returns:
        ``None`` for a codec, or a mode of one, that is not known here.
    """
    name = codec_name.lower()
    if name in _SINGLE:
        return single.SinglePayloadPacketizer()
    match name:
        case "opus":
            return opus.OpusPacketizer()
        case "telephone-event":
            return telephone_event.TelephoneEventPacketizer()
        case "vp8":
            return vp8.Vp8Packetizer(rng)
        case "vp9":
            return vp9.Vp9Packetizer(rng)
        case "h264":
            mode = _packetization_mode(parameters)
            return None if mode is None else h264.H264Packetizer(mode)
        case "h265":
            return None if _has_decoding_order_numbers(parameters) else h265.H265Packetizer()
        case "av1":
            return av1.Av1Packetizer()
        case _:
            return None


def depacketizer(codec_name: str, parameters: Mapping[str, str]) -> Depacketizer | None:
    """Return a depacketizer for one incoming stream.

    Args:
        codec_name: The encoding name.
        parameters: What ``a=fmtp`` says of the codec: parameter sets of H.264 and H.265 that are told beforehand.

    Returns:
        ``None`` for a codec, or a mode of one, that is not known here.
    """
    name = codec_name.lower()
    if name in _SINGLE:
        return single.SinglePayloadDepacketizer()
    match name:
        case "opus":
            return opus.OpusDepacketizer()
        case "telephone-event":
            return telephone_event.TelephoneEventDepacketizer()
        case "vp8":
            return vp8.Vp8Depacketizer()
        case "vp9":
            return vp9.Vp9Depacketizer()
        case "h264":
            if _packetization_mode(parameters) is None:
                return None
            return h264.H264Depacketizer(read_base64_units(parameters.get("sprop-parameter-sets", "")))
        case "h265":
            if _has_decoding_order_numbers(parameters):
                return None
            sets = [unit for key in _H265_SETS for unit in read_base64_units(parameters.get(key, ""))]
            return h265.H265Depacketizer(sets)
        case "av1":
            return av1.Av1Depacketizer()
        case _:
            return None


def continuity_tracker(codec_name: str, parameters: Mapping[str, str]) -> ContinuityTracker | None:
    """Return what follows the picture numbers of one incoming stream; ``None`` for codecs without such numbers.

    Args:
        codec_name: The encoding name.
        parameters: What ``a=fmtp`` says of the codec, as for :func:`depacketizer`.
    """
    match codec_name.lower():
        case "vp8":
            return PictureIdTracker(vp8.read_layers)
        case "vp9":
            return PictureIdTracker(vp9.read_layers, vp9.read_references)
        case "h264":
            return FrameNumTracker(read_base64_units(parameters.get("sprop-parameter-sets", "")))
        case "h265":
            return PictureOrderTracker(
                [unit for key in _H265_SETS for unit in read_base64_units(parameters.get(key, ""))]
            )
        case _:
            return None


def repeats_previous(codec_name: str, payload: bytes) -> bool:
    """Return whether a payload carries the one before it once more, as only Opus does."""
    return codec_name.lower() == "opus" and opus.repeats_previous(payload)


def layer_reader(codec_name: str) -> Callable[[bytes], LayerIds] | None:
    """Return the function that reads layer ids from a payload, raising ``ProtocolError``; ``None`` if there is none."""
    return _LAYER_READERS.get(codec_name.lower())


def rewriter(codec_name: str) -> Rewriter | None:
    """Return the function that changes picture id and TL0PICIDX; ``None`` for a codec whose payloads have neither."""
    return _REWRITERS.get(codec_name.lower())


def payload_duration(codec_name: str, payload: bytes) -> int | None:
    """Return for how long a payload of sound lasts, in units of its RTP clock.

    Returns:
        ``None`` for what is no sound, does not tell, or cannot be read.
    """
    duration = _DURATIONS.get(codec_name.lower())
    if duration is None:
        return None
    try:
        return duration(payload)
    except ProtocolError:
        return None


def _packetization_mode(parameters: Mapping[str, str]) -> int | None:
    """Return 0 or 1; RFC 6184 section 8.1 has 0 where none is stated. ``None`` for what is not supported."""
    stated = parameters.get("packetization-mode", "0").strip()
    return {"0": 0, "1": 1}.get(stated)


def _has_decoding_order_numbers(parameters: Mapping[str, str]) -> bool:
    """Return whether packets have DONL fields (RFC 7798 section 7.1)."""
    return parameters.get("sprop-max-don-diff", "0").strip() != "0"
