"""H.264 (RFC 6184), packetization modes 0 (single NAL units) and 1 (also STAP-A and FU-A).

Frames are byte streams with start codes (annex B). A keyframe is an IDR access unit with SPS and PPS. If the encoder
does not repeat them, they are added from an earlier frame or from ``sprop-parameter-sets``, in both directions, so that
a receiver can start at any keyframe. An assembled IDR access unit whose SPS is unknown is not a keyframe, because it
cannot be decoded.

A single packet does not reveal whether it begins a frame: an access unit may begin with an access unit delimiter,
parameter sets, SEI, or a slice. ``starts_frame`` excludes fragments other than the first and slices that do not begin
with the first macroblock. An assembler relies on the previous packet, which has the marker or another timestamp.

Not implemented: mode 2 (interleaved: STAP-B, MTAP, FU-B), which browsers do not support.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._bits import BitReader
from ._format import AssembledFrame
from ._nal import ParameterSets, join_annex_b, split_annex_b, unescape
from ._nal_payloads import NalFormat
from .layers import LayerIds

# NAL unit types, H.264 table 7-1 and RFC 6184 table 1.
_SLICE: Final = 1
_PARTITION_A: Final = 2
_IDR: Final = 5
_SPS: Final = 7
_PPS: Final = 8
_PREFIX: Final = 14
_LAST_SINGLE: Final = 23
_SPS_EXTENSION: Final = 13
_SUBSET_SPS: Final = 15
_SCALABLE_SLICE: Final = 20
_STAP_A: Final = 24
_FU_A: Final = 28
_PARAMETER_SETS: Final = frozenset({_SPS, _PPS, _SPS_EXTENSION, _SUBSET_SPS})
# H.264 section 7.4.1.2.3: NAL unit types that begin an access unit after the last slice of another.
_BEGINNINGS: Final = frozenset({6, _SPS, _PPS, 9, 14, 15, 16, 17, 18})
_TYPE: Final = 0x1F

# Profiles whose SPS has the chroma format (section 7.3.2.1.1).
_CHROMA_PROFILES: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_CROP_UNITS: Final = ((1, 1), (2, 2), (2, 1), (1, 1))
# No level allows more.
_MAX_SIDE: Final = 16384


def _type_of(unit: bytes) -> int:
    return unit[0] & _TYPE


def _with_type(header: bytes, unit_type: int) -> bytes:
    return bytes([header[0] & ~_TYPE | unit_type])


def _stap_a_header(units: Sequence[bytes]) -> bytes:
    # RFC 6184 section 5.7: F is the OR and NRI the maximum over all NAL units.
    forbidden = any(unit[0] & 0x80 for unit in units)
    reference = max(unit[0] & 0x60 for unit in units)
    return bytes([forbidden << 7 | reference | _STAP_A])


# RFC 6184 sections 5.6, 5.7.1 and 5.8.
H264_FORMAT: Final = NalFormat(
    codec="H.264",
    header_size=1,
    single_types=range(1, _LAST_SINGLE + 1),
    aggregation=_STAP_A,
    fragment=_FU_A,
    type_mask=_TYPE,
    type_of=_type_of,
    with_type=_with_type,
    aggregation_header=_stap_a_header,
)


def _is_parameter_set(unit: bytes) -> bool:
    return _type_of(unit) in _PARAMETER_SETS


def _is_sps(unit: bytes) -> bool:
    return _type_of(unit) == _SPS


def _has_idr(units: Iterable[bytes]) -> bool:
    return any(_type_of(unit) == _IDR for unit in units)


class H264Packetizer:
    """Splits H.264 frames into payloads.

    Args:
        packetization_mode: 0 or 1, as negotiated.
        parameter_sets: SPS and PPS that the encoder does not put into its frames.

    Raises:
        ValueError: ``packetization_mode`` is not 0 or 1.
    """

    def __init__(self, packetization_mode: int = 1, parameter_sets: Sequence[bytes] = ()) -> None:
        if packetization_mode not in (0, 1):
            raise ValueError(f"packetization_mode must be 0 or 1, not {packetization_mode}")
        self._single_units = packetization_mode == 0
        self._parameter_sets = ParameterSets(_is_parameter_set, _is_sps, parameter_sets)

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame.

        Raises:
            ValueError: The frame does not begin with a start code or has a NAL unit of an unknown type, or in
                packetization mode 0 a NAL unit exceeds ``max_size``.
        """
        units = split_annex_b(frame.payload)
        if not all(_type_of(unit) in H264_FORMAT.single_types for unit in units):
            raise ValueError(f"frame must have H.264 NAL units of types 1 to {_LAST_SINGLE} only")
        units = self._parameter_sets.complete(units, _has_idr(units))
        if not self._single_units:
            return H264_FORMAT.pack(units, max_size)
        largest = max(map(len, units))
        if largest > max_size:
            raise ValueError(
                f"NAL units must have at most {max_size} bytes in packetization mode 0, not {largest}"
            )
        return units


class H264Depacketizer:
    """Reassembles H.264 frames of both packetization modes.

    Args:
        parameter_sets: SPS and PPS from ``sprop-parameter-sets``.
    """

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self._parameter_sets = ParameterSets(_is_parameter_set, _is_sps, parameter_sets)

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a frame may begin with this payload; see the module for the limits."""
        head = H264_FORMAT.first_unit(payload)
        if head is None:
            return False
        unit_type = _type_of(head)
        return unit_type in _BEGINNINGS or (
            unit_type in (_SLICE, _PARTITION_A, _IDR) and _is_first_slice(head)
        )

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether the payload begins with an SPS or the first slice of an IDR access unit.

        For an IDR access unit whose SPS is in an earlier packet, both packets match; forwarding starts at the first of
        them.
        """
        head = H264_FORMAT.first_unit(payload)
        if head is None or not self.starts_frame(payload):
            return False
        unit_type = _type_of(head)
        if unit_type == _IDR:
            return True
        return unit_type == _SPS or H264_FORMAT.contains(payload, _is_sps)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Reassemble a frame from its payloads.

        Raises:
            ProtocolError: A payload is malformed or of packetization mode 2, or a fragmented NAL unit is incomplete.
        """
        units = H264_FORMAT.unpack(payloads)
        keyframe = _has_idr(units)
        units = self._parameter_sets.complete(units, keyframe)
        sequence = next(filter(_is_sps, units), None) if keyframe else None
        width, height = (None, None) if sequence is None else read_sps_size(sequence) or (None, None)
        return AssembledFrame(join_annex_b(units), sequence is not None, width=width, height=height)


def _is_first_slice(unit: bytes) -> bool:
    """Return whether first_mb_in_slice, ue(v), is 0: a single set bit (section 7.3.3)."""
    return unit[1] >= 0x80


def read_sps_size(unit: bytes) -> tuple[int, int] | None:
    """Return the width and height in an SPS (section 7.3.2.1.1), ``None`` if it is malformed."""
    try:
        return _read_sps_size(BitReader(unescape(unit[1:])))
    except ProtocolError:
        return None


@attrs.frozen
class SpsStart:
    """The first fields of an SPS (section 7.3.2.1.1).

    Attributes:
        number: seq_parameter_set_id.
        chroma_format: chroma_format_idc, 0 to 3.
        separate_planes: separate_colour_plane_flag.
    """

    number: int
    chroma_format: int = 1
    separate_planes: bool = False


def read_sps_start(bits: BitReader) -> SpsStart:
    """Parse the first fields of an SPS, up to log2_max_frame_num_minus4.

    Raises:
        ProtocolError: The SPS is truncated or has an invalid chroma format.
    """
    profile = bits.read(8)
    bits.read(16)
    number = bits.read_exp_golomb()
    if profile not in _CHROMA_PROFILES:
        return SpsStart(number)
    chroma_format = bits.read_exp_golomb()
    if chroma_format > 3:
        raise ProtocolError(f"H.264 SPS has the chroma format {chroma_format} instead of 0 to 3")
    separate_planes = chroma_format == 3 and bits.read_flag()
    bits.read_exp_golomb()
    bits.read_exp_golomb()
    bits.read(1)
    if bits.read_flag():
        skip_scaling_lists(bits, 8 if chroma_format != 3 else 12)
    return SpsStart(number, chroma_format, separate_planes)


def _read_sps_size(bits: BitReader) -> tuple[int, int] | None:
    start = read_sps_start(bits)
    bits.read_exp_golomb()
    skip_picture_order(bits)
    bits.read_exp_golomb()
    bits.read(1)
    width = 16 * (bits.read_exp_golomb() + 1)
    map_units = bits.read_exp_golomb() + 1
    frames_only = bits.read_flag()
    if not frames_only:
        bits.read(1)
    height = 16 * map_units * (1 if frames_only else 2)
    bits.read(1)
    if bits.read_flag():
        across, down = (1, 1) if start.separate_planes else _CROP_UNITS[start.chroma_format]
        if not frames_only:
            down *= 2
        width -= across * (bits.read_exp_golomb() + bits.read_exp_golomb())
        height -= down * (bits.read_exp_golomb() + bits.read_exp_golomb())
    return (width, height) if 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE else None


def skip_picture_order(bits: BitReader) -> None:
    """Skip the picture order count of an SPS (section 7.3.2.1.1)."""
    kind = bits.read_exp_golomb()
    if kind == 0:
        bits.read_exp_golomb()
    elif kind == 1:
        bits.read(1)
        skip_picture_order_offsets(bits)


def skip_picture_order_offsets(bits: BitReader) -> None:
    """Skip the offsets of picture order count type 1 (section 7.3.2.1.1)."""
    bits.read_signed_exp_golomb()
    bits.read_signed_exp_golomb()
    for _ in range(min(bits.read_exp_golomb(), 255)):
        bits.read_signed_exp_golomb()


def skip_scaling_lists(bits: BitReader, count: int) -> None:
    """Skip the scaling lists of an SPS or PPS (section 7.3.2.1.1.1)."""
    for index in range(count):
        if not bits.read_flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.read_signed_exp_golomb()) % 256
            last = following or last


def read_layers(payload: bytes) -> LayerIds:
    """Return the layers of a prefix NAL unit or scalable slice (annex F); other NAL units have none.

    Raises:
        ProtocolError: The payload is empty.
    """
    if not payload:
        raise ProtocolError("H.264 payload is empty")
    unit = H264_FORMAT.first_unit(payload)
    if unit is None:
        return LayerIds()
    if unit[0] & _TYPE in (_PREFIX, _SCALABLE_SLICE) and len(unit) >= 4 and unit[1] & 0x80:
        # nal_unit_header_svc_extension: dependency_id and temporal_id.
        return LayerIds(unit[2] >> 4 & 7, unit[3] >> 5)
    return LayerIds()
