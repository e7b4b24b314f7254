"""H.265 (RFC 7798), without decoding order numbers.

Frames are byte streams with start codes (annex B). A keyframe is an access unit with an intra random access point (NAL
unit types of IDR, BLA, CRA) and VPS, SPS and PPS, which are added as for H.264.

As for H.264, a single packet does not reveal whether it begins a frame. ``starts_frame`` excludes fragments and slices
other than the first, and NAL units that can only follow slices.

Not implemented: DONL and DOND (``sprop-max-don-diff`` above 0) and PACI packets (section 4.4.4), which WebRTC does not
use.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._bits import BitReader
from ._format import AssembledFrame
from ._nal import ParameterSets, join_annex_b, split_annex_b, unescape
from ._nal_payloads import NalFormat

# NAL unit types, H.265 table 7-1 and RFC 7798 section 4.4.
_LAST_SLICE: Final = 31
_FIRST_RANDOM_ACCESS: Final = 16
_LAST_RANDOM_ACCESS: Final = 23
_VPS: Final = 32
_SPS: Final = 33
_PPS: Final = 34
_PARAMETER_SETS: Final = frozenset({_VPS, _SPS, _PPS})
# H.265 section 7.4.2.4.4: NAL unit types that begin an access unit after the last slice of another: parameter sets,
# delimiter, prefix SEI, and reserved types.
_BEGINNINGS: Final = frozenset({*_PARAMETER_SETS, 35, 39, 41, 42, 43, 44})
_LAST_SINGLE: Final = 47
_AGGREGATION: Final = 48
_FRAGMENT: Final = 49
_HEADER_SIZE: Final = 2
# The payload header without the type.
_HEADER_REST: Final = 0x81FF

_CROP_UNITS: Final = ((1, 1), (2, 2), (2, 1), (1, 1))
# No level allows more.
_MAX_SIDE: Final = 16384


def _type_of(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _with_type(header: bytes, unit_type: int) -> bytes:
    return (int.from_bytes(header, "big") & _HEADER_REST | unit_type << 9).to_bytes(2, "big")


def _aggregation_header(units: Sequence[bytes]) -> bytes:
    headers = [int.from_bytes(unit[:2], "big") for unit in units]
    # RFC 7798 section 4.4.2: F is the OR, and layer and temporal ids are the minima over all NAL units.
    forbidden = any(header & 0x8000 for header in headers) << 15
    layer = min(header & 0x01F8 for header in headers)
    temporal = min(header & 0x0007 for header in headers)
    return (forbidden | _AGGREGATION << 9 | layer | temporal).to_bytes(2, "big")


# RFC 7798 sections 4.4.1, 4.4.2 and 4.4.3.
H265_FORMAT: Final = NalFormat(
    codec="H.265",
    header_size=_HEADER_SIZE,
    single_types=range(_LAST_SINGLE + 1),
    aggregation=_AGGREGATION,
    fragment=_FRAGMENT,
    type_mask=0x3F,
    type_of=_type_of,
    with_type=_with_type,
    aggregation_header=_aggregation_header,
)


def _is_parameter_set(unit: bytes) -> bool:
    return _type_of(unit) in _PARAMETER_SETS


def _is_sps(unit: bytes) -> bool:
    return _type_of(unit) == _SPS


def _is_random_access(unit: bytes) -> bool:
    return _FIRST_RANDOM_ACCESS <= _type_of(unit) <= _LAST_RANDOM_ACCESS


def _has_keyframe(units: Iterable[bytes]) -> bool:
    return any(map(_is_random_access, units))


class H265Packetizer:
    """Splits H.265 frames into payloads.

    Args:
        parameter_sets: VPS, SPS and PPS that the encoder does not put into its frames.
    """

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self._parameter_sets = ParameterSets(_is_parameter_set, _is_sps, parameter_sets)

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame.

        Raises:
            ValueError: The frame does not begin with a start code or has a NAL unit of an unknown type.
        """
        units = split_annex_b(frame.payload)
        if not all(len(unit) > _HEADER_SIZE and _type_of(unit) in H265_FORMAT.single_types for unit in units):
            raise ValueError(f"frame must have H.265 NAL units of types 0 to {_LAST_SINGLE} only")
        return H265_FORMAT.pack(self._parameter_sets.complete(units, _has_keyframe(units)), max_size)


class H265Depacketizer:
    """Reassembles H.265 frames.

    Args:
        parameter_sets: VPS, SPS and PPS from ``sprop-vps``, ``sprop-sps`` and ``sprop-pps``.
    """

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self._parameter_sets = ParameterSets(_is_parameter_set, _is_sps, parameter_sets)

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a frame may begin with this payload; see the module for the limits."""
        head = H265_FORMAT.first_unit(payload)
        if head is None:
            return False
        unit_type = _type_of(head)
        return unit_type in _BEGINNINGS or (unit_type <= _LAST_SLICE and _is_first_slice(head))

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether the payload begins with a VPS, an SPS or the first slice of an intra random access point."""
        head = H265_FORMAT.first_unit(payload)
        if head is None or not self.starts_frame(payload):
            return False
        unit_type = _type_of(head)
        if _FIRST_RANDOM_ACCESS <= unit_type <= _LAST_RANDOM_ACCESS:
            return True
        return unit_type in (_VPS, _SPS) or H265_FORMAT.contains(payload, _is_sps)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Reassemble a frame from its payloads.

        Raises:
            ProtocolError: A payload is malformed or of an unsupported type, or a fragmented NAL unit is incomplete.
        """
        units = H265_FORMAT.unpack(payloads)
        if not all(map(_is_valid, units)):
            raise ProtocolError("H.265 NAL unit has an invalid header")
        keyframe = _has_keyframe(units)
        temporal_id = next(((unit[1] & 7) - 1 for unit in units if _type_of(unit) <= _LAST_SLICE), None)
        units = self._parameter_sets.complete(units, keyframe)
        sequence = next(filter(_is_sps, units), None) if keyframe else None
        width, height = (None, None) if sequence is None else read_sps_size(sequence) or (None, None)
        return AssembledFrame(join_annex_b(units), sequence is not None, None, temporal_id, width, height)


def _is_first_slice(unit: bytes) -> bool:
    """Return whether first_slice_segment_in_pic_flag is set (section 7.3.6.1)."""
    return unit[_HEADER_SIZE] >= 0x80


def _is_valid(unit: bytes) -> bool:
    # nuh_temporal_id_plus1 must not be 0 (section 7.4.2.2).
    return len(unit) > _HEADER_SIZE and _type_of(unit) in H265_FORMAT.single_types and bool(unit[1] & 7)


def read_sps_size(unit: bytes) -> tuple[int, int] | None:
    """Return the width and height in an SPS (section 7.3.2.2), ``None`` if it is malformed."""
    try:
        return _read_sps_size(BitReader(unescape(unit[_HEADER_SIZE:])))
    except ProtocolError:
        return None


def _read_sps_size(bits: BitReader) -> tuple[int, int] | None:
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1)
    skip_profile_tier_level(bits, sub_layers)
    bits.read_exp_golomb()
    chroma_format = bits.read_exp_golomb()
    if chroma_format > 3:
        return None
    across, down = _CROP_UNITS[chroma_format]
    if chroma_format == 3:
        bits.read(1)
    width, height = bits.read_exp_golomb(), bits.read_exp_golomb()
    if bits.read_flag():
        width -= across * (bits.read_exp_golomb() + bits.read_exp_golomb())
        height -= down * (bits.read_exp_golomb() + bits.read_exp_golomb())
    return (width, height) if 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE else None


def skip_profile_tier_level(bits: BitReader, sub_layers: int) -> None:
    """Skip profile_tier_level() with ``sub_layers`` sub-layers above the first (section 7.3.3)."""
    bits.read(88)
    bits.read(8)
    present = [(bits.read_flag(), bits.read_flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.read(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)
