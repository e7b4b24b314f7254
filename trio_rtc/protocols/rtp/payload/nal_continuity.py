"""Continuity of H.264 and H.265 streams (:mod:`.continuity`), from the frame numbers in slice headers.

H.264 counts reference frames in frame_num (section 7.4.3), starting with 0 at each IDR access unit; a non-reference
frame has the number of the next reference frame. H.265 has only the picture order count (POC), which gives the output
order. Without reordering it equals the decoding order and grows by a constant step per frame.

Only the first slice header of a frame is parsed, and only when packets are missing. Parameter sets are stored when they
are received. Not implemented: fields, for which the result is unknown.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from ._bits import BitReader
from ._nal import rbsp_reader, read_length_prefixed
from ._nal_payloads import NalFormat
from .continuity import Continuity
from .h264 import H264_FORMAT, read_sps_start, skip_picture_order
from .h265 import H265_FORMAT, skip_profile_tier_level

_HEAD_SIZE: Final = 48
"""Bytes parsed of a slice; its header up to the frame numbers is much shorter."""
_MAX_SET_SIZE: Final = 512
"""Bytes parsed of a parameter set; they usually have ten to a hundred."""
_MAX_SETS: Final = 64
_MAX_PAYLOADS: Final = 6
"""Payloads at the beginning of a frame that are searched for a slice after delimiters and parameter sets."""


def _units(payloads: Iterable[bytes], nal: NalFormat) -> Iterator[bytes]:
    """Yield the beginning of each NAL unit that begins in the payloads."""
    size = nal.header_size
    for payload in payloads:
        if len(payload) <= size + 1:
            continue
        kind = nal.type_of(payload)
        if kind == nal.aggregation:
            try:
                yield from (unit for unit in read_length_prefixed(payload, size) if len(unit) > size)
            except ProtocolError:
                return
        elif kind == nal.fragment:
            if payload[size] & 0x80:
                header = nal.with_type(payload[:size], payload[size] & nal.type_mask)
                yield header + payload[size + 1 : size + 1 + _HEAD_SIZE]
        else:
            yield payload


@attrs.frozen
class _H264Sps:
    frame_num_bits: int
    separate_planes: bool
    frames_only: bool


@attrs.frozen
class _H264FrameNumber:
    frame_num: int
    frame_num_bits: int
    is_reference: bool
    is_idr: bool


class FrameNumTracker:
    """Tracks frame_num of H.264.

    Args:
        parameter_sets: Initial SPS and PPS, from signaling.
    """

    def __init__(self, parameter_sets: Iterable[bytes] = ()) -> None:
        self._sps: dict[int, _H264Sps] = {}
        self._pps: dict[int, int] = {}
        self._last: Sequence[bytes] = ()
        # Whether the stream has non-reference frames, which frame_num does not count.
        self._has_disposable = False
        self._store_parameter_sets(parameter_sets)

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the last received frame."""
        self._last = payloads[:_MAX_PAYLOADS]
        kinds = {payload[0] & 0x1F for payload in self._last if payload}
        if kinds & {7, 8, H264_FORMAT.aggregation}:
            self._store_parameter_sets(_units(self._last, H264_FORMAT))
        # nal_ref_idc of a slice or of a FU-A, whose header has it, too.
        self._has_disposable |= any(
            payload and payload[0] & 0x1F in (1, H264_FORMAT.fragment) and not payload[0] & 0x60
            for payload in self._last
        )

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return the relation of a frame to the last recorded one."""
        last, following = self._read(self._last), self._read(payloads)
        if following is not None and following.is_idr:
            # Its parameter sets may be missing, unless they are in these payloads.
            units = _units(payloads[:_MAX_PAYLOADS], H264_FORMAT)
            return Continuity.UNKNOWN if any(unit[0] & 0x1F == 7 for unit in units) else Continuity.BROKEN
        if last is None or following is None or last.frame_num_bits != following.frame_num_bits:
            return Continuity.UNKNOWN
        if missing >= 1 << last.frame_num_bits:
            return Continuity.UNKNOWN
        expected = (last.frame_num + last.is_reference) & (1 << last.frame_num_bits) - 1
        if following.frame_num != expected:
            return Continuity.BROKEN
        if self._has_disposable or not following.is_reference:
            return Continuity.DECODABLE
        return Continuity.NEXT

    def _store_parameter_sets(self, units: Iterable[bytes]) -> None:
        for unit in units:
            try:
                bits = rbsp_reader(unit, 1, _MAX_SET_SIZE)
                if unit[0] & 0x1F == 7:
                    number, sps = _read_h264_sps(bits)
                    self._sps[number] = sps
                elif unit[0] & 0x1F == 8:
                    number = bits.read_exp_golomb()
                    self._pps[number] = bits.read_exp_golomb()
            except ProtocolError:
                continue
        for stored in (self._sps, self._pps):
            if len(stored) > _MAX_SETS:
                stored.clear()

    def _read(self, payloads: Sequence[bytes]) -> _H264FrameNumber | None:
        """Parse the first slice header; return ``None`` without one or if it is malformed."""
        for unit in _units(payloads[:_MAX_PAYLOADS], H264_FORMAT):
            kind = unit[0] & 0x1F
            if kind in (1, 2, 5):
                try:
                    return self._read_slice(unit, kind)
                except ProtocolError:
                    return None
        return None

    def _read_slice(self, unit: bytes, kind: int) -> _H264FrameNumber | None:
        bits = rbsp_reader(unit, 1, _HEAD_SIZE)
        first_macroblock = bits.read_exp_golomb()
        bits.read_exp_golomb()
        sps = self._sps.get(self._pps.get(bits.read_exp_golomb(), -1))
        if first_macroblock or sps is None:
            return None
        if sps.separate_planes:
            bits.read(2)
        frame_num = bits.read(sps.frame_num_bits)
        if not sps.frames_only and bits.read_flag():
            return None
        return _H264FrameNumber(frame_num, sps.frame_num_bits, bool(unit[0] & 0x60), kind == 5)


def _read_h264_sps(bits: BitReader) -> tuple[int, _H264Sps]:
    """Return the id of an SPS and the fields that slice headers depend on (section 7.3.2.1.1)."""
    start = read_sps_start(bits)
    frame_num_bits = bits.read_exp_golomb() + 4
    if frame_num_bits > 16:
        raise ProtocolError(f"frame_num of H.264 has {frame_num_bits} bits, more than 16")
    skip_picture_order(bits)
    bits.read_exp_golomb()
    bits.read(1)
    bits.read_exp_golomb()
    bits.read_exp_golomb()
    return start.number, _H264Sps(frame_num_bits, start.separate_planes, bits.read_flag())


@attrs.frozen
class _H265Sps:
    order_bits: int
    separate_planes: bool
    reorders: bool


@attrs.frozen
class _H265Pps:
    sps_id: int
    has_output_flag: bool
    extra_bits: int


@attrs.frozen
class _H265PictureOrder:
    order: int
    order_bits: int
    is_irap: bool
    reorders: bool


class PictureOrderCountTracker:
    """Tracks the picture order count of H.265.

    Args:
        parameter_sets: Initial SPS and PPS, from signaling.
    """

    def __init__(self, parameter_sets: Iterable[bytes] = ()) -> None:
        self._sps: dict[int, _H265Sps] = {}
        self._pps: dict[int, _H265Pps] = {}
        self._last: Sequence[bytes] = ()
        # The POC difference of consecutive frames: the minimum seen, since missing frames only increase it.
        self._step: int | None = None
        self._store_parameter_sets(parameter_sets)

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the last received frame."""
        payloads = payloads[:_MAX_PAYLOADS]
        kinds = {payload[0] >> 1 & 0x3F for payload in payloads if payload}
        if kinds & {33, 34, H265_FORMAT.aggregation}:
            self._store_parameter_sets(_units(payloads, H265_FORMAT))
        before, self._last = self._last, payloads
        if self._step != 1:
            self._update_step(before)

    def _update_step(self, before: Sequence[bytes]) -> None:
        difference = self._difference(self._read(before), self._read(self._last))
        if difference and (self._step is None or difference < self._step):
            self._step = difference

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return the relation of a frame to the last recorded one."""
        last, following = self._read(self._last), self._read(payloads)
        if following is not None and following.is_irap:
            # Its parameter sets may be missing, unless they are in these payloads.
            units = _units(payloads[:_MAX_PAYLOADS], H265_FORMAT)
            return (
                Continuity.UNKNOWN if any(unit[0] >> 1 & 0x3F == 33 for unit in units) else Continuity.BROKEN
            )
        difference = self._difference(last, following)
        if difference is None or following is None or missing >= 1 << following.order_bits:
            return Continuity.UNKNOWN
        if difference in (1, self._step):
            return Continuity.NEXT
        return Continuity.UNKNOWN if self._step is None else Continuity.BROKEN

    @staticmethod
    def _difference(last: _H265PictureOrder | None, following: _H265PictureOrder | None) -> int | None:
        """Return the POC difference, ``None`` if output order is not known to equal decoding order."""
        if last is None or following is None or last.order_bits != following.order_bits:
            return None
        if following.is_irap or last.reorders or following.reorders:
            return None
        return (following.order - last.order) & (1 << last.order_bits) - 1

    def _store_parameter_sets(self, units: Iterable[bytes]) -> None:
        for unit in units:
            kind = unit[0] >> 1 & 0x3F
            try:
                bits = rbsp_reader(unit, 2, _MAX_SET_SIZE)
                if kind == 33:
                    number, sps = _read_h265_sps(bits)
                    self._sps[number] = sps
                elif kind == 34:
                    number = bits.read_exp_golomb()
                    sps_id = bits.read_exp_golomb()
                    bits.read(1)
                    self._pps[number] = _H265Pps(sps_id, bits.read_flag(), bits.read(3))
            except ProtocolError:
                continue
        for stored in (self._sps, self._pps):
            if len(stored) > _MAX_SETS:
                stored.clear()

    def _read(self, payloads: Sequence[bytes]) -> _H265PictureOrder | None:
        """Parse the first slice header; return ``None`` without one or if it is malformed."""
        for unit in _units(payloads[:_MAX_PAYLOADS], H265_FORMAT):
            if unit[0] >> 1 & 0x3F <= 31:
                try:
                    return self._read_slice(unit)
                except ProtocolError:
                    return None
        return None

    def _read_slice(self, unit: bytes) -> _H265PictureOrder | None:
        """Parse a slice segment header up to slice_pic_order_cnt_lsb (section 7.3.6.1)."""
        kind = unit[0] >> 1 & 0x3F
        bits = rbsp_reader(unit, 2, _HEAD_SIZE)
        is_first = bits.read_flag()
        is_irap = 16 <= kind <= 23
        if is_irap:
            bits.read(1)
        pps = self._pps.get(bits.read_exp_golomb())
        sps = None if pps is None else self._sps.get(pps.sps_id)
        if not is_first or pps is None or sps is None:
            return None
        if kind in (19, 20):
            return _H265PictureOrder(0, sps.order_bits, is_irap, sps.reorders)
        bits.read(pps.extra_bits)
        bits.read_exp_golomb()
        if pps.has_output_flag:
            bits.read(1)
        if sps.separate_planes:
            bits.read(2)
        return _H265PictureOrder(bits.read(sps.order_bits), sps.order_bits, is_irap, sps.reorders)


def _read_h265_sps(bits: BitReader) -> tuple[int, _H265Sps]:
    """Return the id of an SPS and the fields that slice headers depend on (section 7.3.2.2)."""
    bits.read(4)
    sub_layers = bits.read(3)
    bits.read(1)
    skip_profile_tier_level(bits, sub_layers)
    number = bits.read_exp_golomb()
    separate_planes = bits.read_exp_golomb() == 3 and bits.read_flag()
    bits.read_exp_golomb()
    bits.read_exp_golomb()
    if bits.read_flag():
        for _ in range(4):
            bits.read_exp_golomb()
    bits.read_exp_golomb()
    bits.read_exp_golomb()
    order_bits = bits.read_exp_golomb() + 4
    if order_bits > 16:
        raise ProtocolError(f"picture order count of H.265 has {order_bits} bits, more than 16")
    reorders = False
    for _ in range(sub_layers + 1 if bits.read_flag() else 1):
        bits.read_exp_golomb()
        reorders |= bits.read_exp_golomb() > 0
        bits.read_exp_golomb()
    return number, _H265Sps(order_bits, separate_planes, reorders)
