"""Payload formats by SDP encoding name, case-insensitive."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, Protocol

from trio_rtc.errors import ProtocolError

from . import av1, h264, h265, opus, single, telephone_event, vp8, vp9, vp9_bitstream
from ._format import Depacketizer, Packetizer
from ._nal import read_base64_units
from .continuity import ContinuityTracker
from .h264_quantizer import H264QuantizerReader
from .layers import LayerIds
from .nal_continuity import FrameNumTracker, PictureOrderCountTracker

_SINGLE: Final = frozenset({"pcmu", "pcma", "g722", "cn"})
_H265_SETS: Final = ("sprop-vps", "sprop-sps", "sprop-pps")


ReferenceReader = Callable[[bytes], tuple[int, ...] | None]
QuantizerReader = Callable[[bytes], int | None]


class DescriptorRewriter(Protocol):
    """A function that replaces a payload's picture ID and TL0PICIDX, such as ``vp8.rewrite_descriptor``."""

    def __call__(self, payload: bytes, *, picture_id: int | None = None, tl0: int | None = None) -> bytes:
        """Return the changed payload."""


_LAYER_READERS: Final[Mapping[str, Callable[[bytes], LayerIds]]] = {
    "vp8": vp8.read_layers,
    "vp9": vp9.read_layers,
    "h264": h264.read_layers,
    "av1": av1.read_layers,
}
_REWRITERS: Final[Mapping[str, DescriptorRewriter]] = {
    "vp8": vp8.rewrite_descriptor,
    "vp9": vp9.rewrite_descriptor,
}
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
        parameters: The codec parameters in the peer's ``a=fmtp``; H.264 uses ``packetization-mode``.
        rng: Source of random initial values.

    Returns:
        ``None`` for an unknown codec or unsupported mode.
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
        parameters: The codec parameters of ``a=fmtp``; H.264 and H.265 use the parameter sets in them.

    Returns:
        ``None`` for an unknown codec or unsupported mode.
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


def frame_number_tracker(codec_name: str, parameters: Mapping[str, str]) -> ContinuityTracker | None:
    """Return a tracker of the frame numbers in one incoming stream's slice headers; ``None`` without them.

    Args:
        codec_name: The encoding name.
        parameters: The codec parameters of ``a=fmtp``, as for :func:`depacketizer`.
    """
    match codec_name.lower():
        case "h264":
            return FrameNumTracker(read_base64_units(parameters.get("sprop-parameter-sets", "")))
        case "h265":
            return PictureOrderCountTracker(
                [unit for key in _H265_SETS for unit in read_base64_units(parameters.get(key, ""))]
            )
        case _:
            return None


def has_in_band_fec(codec_name: str, payload: bytes) -> bool:
    """Return whether a payload has in-band FEC: a redundant copy of the previous frame. Only Opus has it."""
    return codec_name.lower() == "opus" and opus.has_in_band_fec(payload)


def layer_reader(codec_name: str) -> Callable[[bytes], LayerIds] | None:
    """Return the function that reads layer ids from a payload, raising ``ProtocolError``; ``None`` without one."""
    return _LAYER_READERS.get(codec_name.lower())


def reference_reader(codec_name: str) -> ReferenceReader | None:
    """Return the function that reads which frames a payload's frame references; ``None`` without one.

    It returns their distances in picture IDs, ``None`` if they are not listed, and raises ``ProtocolError``.
    """
    return vp9.read_references if codec_name.lower() == "vp9" else None


def quantizer_reader(codec_name: str) -> QuantizerReader | None:
    """Return the function that reads the quantizers of one source's encoded frames, called with each (``qpSum``).

    VP8: 0 to 127. VP9: 0 to 255. H.264: 0 to 51. The function returns ``None`` for a frame without one, and raises
    ``ProtocolError``. Not implemented, and ``None``: AV1, whose quantizer is relative to the sequence header, and
    H.265, whose quantizer is relative to parameter sets.
    """
    match codec_name.lower():
        case "vp8":
            return vp8.read_quantizer
        case "vp9":
            return vp9_bitstream.read_quantizer
        case "h264":
            return H264QuantizerReader().read
        case _:
            return None


def descriptor_rewriter(codec_name: str) -> DescriptorRewriter | None:
    """Return the function that replaces picture ID and TL0PICIDX; ``None`` for a codec without them."""
    return _REWRITERS.get(codec_name.lower())


def payload_duration(codec_name: str, payload: bytes) -> int | None:
    """Return the duration of an audio payload in units of its RTP clock.

    Returns:
        ``None`` if the codec is not audio, the duration is unknown, or the payload is malformed.
    """
    duration = _DURATIONS.get(codec_name.lower())
    if duration is None:
        return None
    try:
        return duration(payload)
    except ProtocolError:
        return None


def _packetization_mode(parameters: Mapping[str, str]) -> int | None:
    """Return 0 or 1, 0 if not stated (RFC 6184 section 8.1), or ``None`` if unsupported."""
    stated = parameters.get("packetization-mode", "0").strip()
    return {"0": 0, "1": 1}.get(stated)


def _has_decoding_order_numbers(parameters: Mapping[str, str]) -> bool:
    """Return whether packets have DONL fields (RFC 7798 section 7.1)."""
    return parameters.get("sprop-max-don-diff", "0").strip() != "0"
