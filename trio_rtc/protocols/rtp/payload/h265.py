"""H.265 (RFC 7798), without decoding order numbers.

Frames are byte streams with start codes (annex B). A keyframe is one whose pictures are intra random access points
(IDR, BLA, CRA, by the type of their NAL units); VPS, SPS and PPS go with it, as with H.264.

Where a frame begins cannot be told from one packet, for the reasons that H.264 has. ``starts_frame`` says what cannot
be the beginning: a fragment behind the first, a slice that is not the picture's first, and what only follows slices.

Left out: DONL and DOND (``sprop-max-don-diff`` above 0), PACI packets (section 4.4.4); nobody sends them in WebRTC.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.frame import EncodedFrame

from ._bits import BitReader
from ._format import AssembledFrame
from ._nal import ParameterSets, join_annex_b, read_length_prefixed, split_annex_b, unescape
from ._split import split_evenly

# NAL unit types, H.265 table 7-1 and RFC 7798 section 4.4.
_LAST_SLICE: Final = 31
_FIRST_RANDOM_ACCESS: Final = 16
_LAST_RANDOM_ACCESS: Final = 23
_VPS: Final = 32
_SPS: Final = 33
_PPS: Final = 34
_PARAMETER_SETS: Final = frozenset({_VPS, _SPS, _PPS})
# H.265 section 7.4.2.4.4: what begins an access unit when it comes behind a picture: parameter sets, delimiter, prefix
# SEI, and reserved types.
_BEGINNINGS: Final = frozenset({*_PARAMETER_SETS, 35, 39, 41, 42, 43, 44})
_LAST_SINGLE: Final = 47
_AGGREGATION: Final = 48
_FRAGMENT: Final = 49
_HEADER_SIZE: Final = 2
_LENGTH_SIZE: Final = 2
_FU_START: Final = 0x80
_FU_END: Final = 0x40
_FU_TYPE: Final = 0x3F
# The payload header without the type.
_HEADER_REST: Final = 0x81FF

_CROP_UNITS: Final = ((1, 1), (2, 2), (2, 1), (1, 1))
# More would be no size that any level allows.
_MAX_SIDE: Final = 16384


def _type_of(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _is_parameter_set(unit: bytes) -> bool:
    return _type_of(unit) in _PARAMETER_SETS


def _is_sps(unit: bytes) -> bool:
    return _type_of(unit) == _SPS


def _is_random_access(unit: bytes) -> bool:
    return _FIRST_RANDOM_ACCESS <= _type_of(unit) <= _LAST_RANDOM_ACCESS


def _has_keyframe(units: Iterable[bytes]) -> bool:
    return any(map(_is_random_access, units))


class H265Packetizer:
    """Cuts H.265 frames into payloads.

    Args:
        parameter_sets: VPS, SPS and PPS that the encoder does not put into its frames.
    """

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self._parameter_sets = ParameterSets(_is_parameter_set, _is_sps, parameter_sets)

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame.

        Raises:
            ValueError: It does not begin with a start code or has a NAL unit that is none of H.265's.
        """
        units = split_annex_b(frame.payload)
        if not all(len(unit) > _HEADER_SIZE and _type_of(unit) <= _LAST_SINGLE for unit in units):
            raise ValueError("the frame has NAL units that are none of H.265")
        return _aggregate(self._parameter_sets.complete(units, _has_keyframe(units)), max_size)


def _aggregate(units: list[bytes], max_size: int) -> list[bytes]:
    """Return payloads in which small NAL units share one and large ones are cut."""
    payloads: list[bytes] = []
    waiting: list[bytes] = []
    waiting_size = _HEADER_SIZE
    for unit in units:
        size = len(unit) + _LENGTH_SIZE
        if waiting and waiting_size + size > max_size:
            payloads.append(_encode_aggregation(waiting))
            waiting, waiting_size = [], _HEADER_SIZE
        if len(unit) > max_size:
            payloads += _fragment(unit, max_size)
        else:
            waiting.append(unit)
            waiting_size += size
    if waiting:
        payloads.append(_encode_aggregation(waiting))
    return payloads


def _encode_aggregation(units: list[bytes]) -> bytes:
    """Return an aggregation packet, section 4.4.2; of a single NAL unit the unit itself."""
    if len(units) == 1:
        return units[0]
    headers = [int.from_bytes(unit[:2], "big") for unit in units]
    # Its F is set if it is in any of them, its layer and temporal ids are the lowest of all.
    forbidden = any(header & 0x8000 for header in headers) << 15
    layer = min(header & 0x01F8 for header in headers)
    temporal = min(header & 0x0007 for header in headers)
    parts = [(forbidden | _AGGREGATION << 9 | layer | temporal).to_bytes(2, "big")]
    for unit in units:
        parts += (len(unit).to_bytes(_LENGTH_SIZE, "big"), unit)
    return b"".join(parts)


def _fragment(unit: bytes, max_size: int) -> list[bytes]:
    """Return the fragments of a NAL unit, section 4.4.3."""
    pieces = split_evenly(unit[_HEADER_SIZE:], max_size - _HEADER_SIZE - 1)
    header = (int.from_bytes(unit[:2], "big") & _HEADER_REST | _FRAGMENT << 9).to_bytes(2, "big")
    unit_type = _type_of(unit)
    last = len(pieces) - 1
    payloads = []
    for index, piece in enumerate(pieces):
        position = _FU_START if index == 0 else _FU_END if index == last else 0
        payloads.append(header + bytes([position | unit_type]) + piece)
    return payloads


class H265Depacketizer:
    """Puts H.265 frames together.

    Args:
        parameter_sets: VPS, SPS and PPS from ``sprop-vps``, ``sprop-sps`` and ``sprop-pps``.
    """

    def __init__(self, parameter_sets: Sequence[bytes] = ()) -> None:
        self._parameter_sets = ParameterSets(_is_parameter_set, _is_sps, parameter_sets)

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a frame may begin with this payload; see the module on what that is worth."""
        head = _first_unit(payload)
        if head is None:
            return False
        unit_type, body = head
        return unit_type in _BEGINNINGS or (unit_type <= _LAST_SLICE and _is_first_slice(body))

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether it begins with a VPS, an SPS or the first slice of an intra random access point."""
        head = _first_unit(payload)
        if head is None or not self.starts_frame(payload):
            return False
        unit_type, _ = head
        if _FIRST_RANDOM_ACCESS <= unit_type <= _LAST_RANDOM_ACCESS:
            return True
        if _type_of(payload) == _AGGREGATION:
            return _holds_sps(payload)
        return unit_type in (_VPS, _SPS)

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Put the payloads of one frame together.

        Raises:
            ProtocolError: One is malformed or of a kind that is not negotiated, or a fragmented NAL unit is not whole.
        """
        units = _read_units(payloads)
        keyframe = _has_keyframe(units)
        temporal_id = next(((unit[1] & 7) - 1 for unit in units if _type_of(unit) <= _LAST_SLICE), None)
        units = self._parameter_sets.complete(units, keyframe)
        sequence = next(filter(_is_sps, units), None) if keyframe else None
        width, height = (None, None) if sequence is None else read_sps_size(sequence) or (None, None)
        return AssembledFrame(join_annex_b(units), sequence is not None, None, temporal_id, width, height)


def _first_unit(payload: bytes) -> tuple[int, int] | None:
    """Return the type of the first NAL unit and the byte behind its header; ``None`` if none begins here."""
    if len(payload) <= _HEADER_SIZE:
        return None
    unit_type = _type_of(payload)
    if unit_type == _AGGREGATION:
        inner = payload[_HEADER_SIZE + _LENGTH_SIZE :]
        return (_type_of(inner), inner[2]) if len(inner) > _HEADER_SIZE else None
    if unit_type == _FRAGMENT:
        header = payload[2]
        return (header & _FU_TYPE, payload[3]) if len(payload) > 3 and header & _FU_START else None
    return (unit_type, payload[2]) if unit_type <= _LAST_SINGLE else None


def _is_first_slice(body: int) -> bool:
    """Return whether first_slice_segment_in_pic_flag is set (section 7.3.6.1)."""
    return body >= 0x80


def _holds_sps(payload: bytes) -> bool:
    try:
        return any(map(_is_sps, read_length_prefixed(payload, _HEADER_SIZE)))
    except ProtocolError:
        return False


def _read_units(payloads: Sequence[bytes]) -> list[bytes]:
    units: list[bytes] = []
    fragments: list[bytes] = []
    for payload in payloads:
        if len(payload) <= _HEADER_SIZE:
            raise ProtocolError(f"an H.265 payload of {len(payload)} bytes")
        unit_type = _type_of(payload)
        if unit_type == _FRAGMENT:
            _add_fragment(payload, fragments)
            if payload[2] & _FU_END:
                units.append(b"".join(fragments))
                fragments = []
            continue
        if fragments:
            raise ProtocolError("a fragmented H.265 NAL unit has no end")
        if unit_type <= _LAST_SINGLE:
            units.append(payload)
        elif unit_type == _AGGREGATION:
            units += read_length_prefixed(payload, _HEADER_SIZE)
        else:
            raise ProtocolError(f"an H.265 payload of type {unit_type}")
    if fragments or not units:
        raise ProtocolError("an H.265 frame is not whole")
    # The temporal id is written plus 1, so that 0 is no header (section 7.4.2.2).
    if not all(len(unit) > _HEADER_SIZE and _type_of(unit) <= _LAST_SINGLE and unit[1] & 7 for unit in units):
        raise ProtocolError("an H.265 NAL unit has no proper header")
    return units


def _add_fragment(payload: bytes, fragments: list[bytes]) -> None:
    if len(payload) < 4:
        raise ProtocolError("an H.265 fragment is empty")
    header = payload[2]
    nal_header = (int.from_bytes(payload[:2], "big") & _HEADER_REST | (header & _FU_TYPE) << 9).to_bytes(
        2, "big"
    )
    if bool(header & _FU_START) == bool(fragments):
        raise ProtocolError("a fragmented H.265 NAL unit has no beginning or no end")
    if not fragments:
        fragments.append(nal_header)
    elif fragments[0] != nal_header:
        raise ProtocolError("fragments of different H.265 NAL units")
    fragments.append(payload[3:])


def read_sps_size(unit: bytes) -> tuple[int, int] | None:
    """Return width and height that an SPS states (section 7.3.2.2), ``None`` if it cannot be read."""
    try:
        return _read_sps_size(BitReader(unescape(unit[_HEADER_SIZE:])))
    except ProtocolError:
        return None


def _read_sps_size(bits: BitReader) -> tuple[int, int] | None:
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1)
    _skip_profile_tier_level(bits, sub_layers)
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


def _skip_profile_tier_level(bits: BitReader, sub_layers: int) -> None:
    bits.read(88)
    bits.read(8)
    present = [(bits.read_flag(), bits.read_flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.read(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)
