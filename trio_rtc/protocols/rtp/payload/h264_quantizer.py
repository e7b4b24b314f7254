"""The quantizer of an H.264 frame: SliceQPY of its first slice (ITU-T H.264 section 7.4.3), 0 to 51.

A slice header has it relative to its picture parameter set (PPS), and must be parsed up to there. Parameter sets are
stored when they are received. Not implemented: slice groups and fields, for which there is no result.
"""

from typing import Final, TypeVar

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from ._bits import BitReader
from ._nal import rbsp_reader, split_annex_b
from .h264 import read_sps_start, skip_picture_order_offsets

_SLICE, _IDR, _SPS, _PPS = 1, 5, 7, 8
_P, _B, _I, _SP, _SI = range(5)
_MAX_SETS: Final = 64
_MAX_SET_SIZE: Final = 512
_MAX_HEADER_SIZE: Final = 256
"""Bytes that are parsed of a slice; the weights of many references are the longest part of a header."""
_MAX_REFERENCES: Final = 32
_MAX_OPERATIONS: Final = 66
_END_OF_MODIFICATIONS: Final = 3
_MAX_QUANTIZER: Final = 51


@attrs.frozen
class _Sps:
    separate_planes: bool
    has_chroma: bool
    frame_num_bits: int
    picture_order_kind: int
    picture_order_bits: int
    picture_order_is_implied: bool
    frames_only: bool


@attrs.frozen
class _Pps:
    sps_id: int
    has_cabac: bool
    has_bottom_order: bool
    references: tuple[int, int]
    weights_p: bool
    weights_b: bool
    quantizer: int
    has_redundant: bool


_Parameters = TypeVar("_Parameters", _Sps, _Pps)


class H264QuantizerReader:
    """Reads the quantizers of one stream's frames in order."""

    def __init__(self) -> None:
        self._sps: dict[int, _Sps] = {}
        self._pps: dict[int, _Pps] = {}

    def read(self, frame: bytes) -> int | None:
        """Return the quantizer of a frame; ``None`` if it is not available.

        Raises:
            ProtocolError: A header is malformed.
        """
        try:
            units = split_annex_b(frame)
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        for unit in units:
            kind = unit[0] & 0x1F
            if kind == _SPS:
                number, sps = _read_sps(rbsp_reader(unit, 1, _MAX_SET_SIZE))
                _store(self._sps, number, sps)
            elif kind == _PPS:
                number, pps = _read_pps(rbsp_reader(unit, 1, _MAX_SET_SIZE))
                _store(self._pps, number, pps)
            elif kind in (_SLICE, _IDR):
                return self._read_slice(unit, is_idr=kind == _IDR)
        return None

    def _read_slice(self, unit: bytes, *, is_idr: bool) -> int | None:
        bits = rbsp_reader(unit, 1, _MAX_HEADER_SIZE)
        # first_mb_in_slice
        bits.read_exp_golomb()
        kind = bits.read_exp_golomb() % 5
        pps = self._pps.get(bits.read_exp_golomb())
        sps = None if pps is None else self._sps.get(pps.sps_id)
        if pps is None or sps is None:
            return None
        if sps.separate_planes:
            bits.read(2)
        bits.read(sps.frame_num_bits)
        if not sps.frames_only and bits.read_flag():
            return None
        if is_idr:
            # idr_pic_id
            bits.read_exp_golomb()
        _skip_picture_order(bits, sps, pps)
        if pps.has_redundant:
            bits.read_exp_golomb()
        if kind not in (_I, _SI):
            _skip_reference_lists(bits, kind, sps, pps)
        if unit[0] & 0x60:
            _skip_reference_marking(bits, is_idr=is_idr)
        if pps.has_cabac and kind not in (_I, _SI):
            # cabac_init_idc
            bits.read_exp_golomb()
        return min(max(pps.quantizer + bits.read_signed_exp_golomb(), 0), _MAX_QUANTIZER)


def _store(stored: dict[int, _Parameters], number: int, parameters: _Parameters) -> None:
    if number not in stored and len(stored) >= _MAX_SETS:
        stored.clear()
    stored[number] = parameters


def _read_sps(bits: BitReader) -> tuple[int, _Sps]:
    """Return the id of an SPS and the fields that slice headers depend on (section 7.3.2.1.1)."""
    start = read_sps_start(bits)
    frame_num_bits = bits.read_exp_golomb() + 4
    order_kind = bits.read_exp_golomb()
    order_bits = bits.read_exp_golomb() + 4 if order_kind == 0 else 0
    order_is_implied = order_kind == 1 and bits.read_flag()
    if order_kind == 1:
        skip_picture_order_offsets(bits)
    # max_num_ref_frames, gaps_in_frame_num_value_allowed_flag, size in macroblocks
    bits.read_exp_golomb()
    bits.read(1)
    bits.read_exp_golomb()
    bits.read_exp_golomb()
    if max(frame_num_bits, order_bits) > 16:
        raise ProtocolError("H.264 SPS has a frame_num or picture order count of more than 16 bits")
    has_chroma = start.chroma_format != 0 and not start.separate_planes
    return start.number, _Sps(
        start.separate_planes,
        has_chroma,
        frame_num_bits,
        order_kind,
        order_bits,
        order_is_implied,
        bits.read_flag(),
    )


def _read_pps(bits: BitReader) -> tuple[int, _Pps]:
    """Return the id of a PPS and the fields that slice headers depend on (section 7.3.2.2).

    Raises:
        ProtocolError: The PPS has slice groups or is malformed.
    """
    number, sps_id = bits.read_exp_golomb(), bits.read_exp_golomb()
    has_cabac, has_bottom_order = bits.read_flag(), bits.read_flag()
    if bits.read_exp_golomb():
        raise ProtocolError("H.264 PPS has slice groups, which are not supported")
    references = bits.read_exp_golomb() + 1, bits.read_exp_golomb() + 1
    weights_p, weights_b = bits.read_flag(), bits.read(2) == 1
    quantizer = 26 + bits.read_signed_exp_golomb()
    # pic_init_qs, chroma_qp_index_offset, deblocking_filter_control_present, constrained_intra_pred
    bits.read_signed_exp_golomb()
    bits.read_signed_exp_golomb()
    bits.read(2)
    return number, _Pps(
        sps_id,
        has_cabac,
        has_bottom_order,
        references,
        weights_p,
        weights_b,
        quantizer,
        bits.read_flag(),
    )


def _skip_picture_order(bits: BitReader, sps: _Sps, pps: _Pps) -> None:
    if sps.picture_order_kind == 0:
        bits.read(sps.picture_order_bits)
        if pps.has_bottom_order:
            bits.read_signed_exp_golomb()
    elif sps.picture_order_kind == 1 and not sps.picture_order_is_implied:
        bits.read_signed_exp_golomb()
        if pps.has_bottom_order:
            bits.read_signed_exp_golomb()


def _skip_reference_lists(bits: BitReader, kind: int, sps: _Sps, pps: _Pps) -> None:
    """Skip the reference counts, list modifications and weights of a slice header."""
    lists = 2 if kind == _B else 1
    if kind == _B:
        # direct_spatial_mv_pred_flag
        bits.read(1)
    counts = pps.references[:lists]
    if bits.read_flag():
        counts = tuple(bits.read_exp_golomb() + 1 for _ in range(lists))
    if max(counts) > _MAX_REFERENCES:
        raise ProtocolError(f"H.264 slice has {max(counts)} references, more than {_MAX_REFERENCES}")
    for _ in range(lists):
        if bits.read_flag():
            _skip_modifications(bits)
    if pps.weights_b if kind == _B else pps.weights_p:
        _skip_weights(bits, counts, has_chroma=sps.has_chroma)


def _skip_modifications(bits: BitReader) -> None:
    """Skip ref_pic_list_modification() of one list (section 7.3.3.1)."""
    for _ in range(_MAX_OPERATIONS):
        if bits.read_exp_golomb() == _END_OF_MODIFICATIONS:
            return
        bits.read_exp_golomb()
    raise ProtocolError(f"H.264 slice has more than {_MAX_OPERATIONS} modifications of a reference list")


def _skip_weights(bits: BitReader, counts: tuple[int, ...], *, has_chroma: bool) -> None:
    """Skip pred_weight_table() (section 7.3.3.2)."""
    bits.read_exp_golomb()
    if has_chroma:
        bits.read_exp_golomb()
    for _ in range(sum(counts)):
        for numbers in (2, 4)[: 1 + has_chroma]:
            if bits.read_flag():
                for _ in range(numbers):
                    bits.read_signed_exp_golomb()


def _skip_reference_marking(bits: BitReader, *, is_idr: bool) -> None:
    """Skip dec_ref_pic_marking() (section 7.3.3.3)."""
    if is_idr:
        bits.read(2)
        return
    if not bits.read_flag():
        return
    for _ in range(_MAX_OPERATIONS):
        operation = bits.read_exp_golomb()
        if operation == 0:
            return
        # Operation 3 has two values, 5 none, the others one.
        for _ in range({3: 2, 5: 0}.get(operation, 1)):
            bits.read_exp_golomb()
    raise ProtocolError(f"H.264 slice has more than {_MAX_OPERATIONS} reference marking operations")
