"""Quantizers of received video frames, parsed from their headers (webrtc-stats, ``qpSum`` of inbound-rtp).

VP8: y_ac_qi (RFC 6386 section 9.6), 0 to 127. VP9: base_q_idx (VP9 Bitstream Specification section 7.2), 0 to 255.
H.264: SliceQPY of the first slice (:mod:`.h264_quantizer`), 0 to 51. Not implemented: AV1, whose quantizer is relative
to the sequence header, and H.265, whose quantizer is relative to parameter sets.
"""

from collections.abc import Callable, Mapping
from typing import Final

from trio_rtc.errors import ProtocolError

from .h264_quantizer import H264QuantizerReader
from .vp9_bitstream import read_base_quantizer, split_superframe

_KEYFRAME_HEADER: Final = 10
_HEADER: Final = 3
# Enough for the header up to the quantizer: some 280 bits, each coded in at most one bit of data.
_PARTITION_BYTES: Final = 64
_EVEN: Final = 128
_SEGMENTS: Final = 4


class _BoolDecoder:
    """The boolean entropy decoder (RFC 6386 section 7.3) for bits of even probability."""

    __slots__ = ("_data", "_left", "_range", "_value")

    def __init__(self, data: bytes) -> None:
        if len(data) < 2:
            raise ProtocolError("VP8 frame ends within its header")
        self._data = int.from_bytes(data, "big")
        self._left = 8 * len(data) - 16
        self._value = self._data >> self._left
        self._range = 255

    def read_flag(self) -> bool:
        split = 1 + ((self._range - 1) * _EVEN >> 8)
        bit = self._value >= split << 8
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < _EVEN:
            if not self._left:
                raise ProtocolError("VP8 frame ends within its header")
            self._left -= 1
            self._range <<= 1
            self._value = self._value << 1 | self._data >> self._left & 1
        return bit

    def read(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.read_flag()
        return value

    def skip_optional(self, count: int, bits: int) -> None:
        """Skip values that are each preceded by a presence flag."""
        for _ in range(count):
            if self.read_flag():
                self.read(bits)


def _read_vp8(frame: bytes) -> int:
    if not frame:
        raise ProtocolError("VP8 frame is empty")
    is_keyframe = not frame[0] & 1
    start = _KEYFRAME_HEADER if is_keyframe else _HEADER
    bits = _BoolDecoder(frame[start : start + _PARTITION_BYTES])
    if is_keyframe:
        # color_space, clamping_type
        bits.read(2)
    if bits.read_flag():
        _skip_segmentation(bits)
    # filter_type, loop_filter_level, sharpness_level
    bits.read(1 + 6 + 3)
    # loop_filter_adj_enable, mode_ref_lf_delta_update
    if bits.read_flag() and bits.read_flag():
        bits.skip_optional(8, 6 + 1)
    # log2_nbr_of_dct_partitions
    bits.read(2)
    return bits.read(7)


def _skip_segmentation(bits: _BoolDecoder) -> None:
    """Skip update_segmentation (RFC 6386 section 9.3)."""
    updates_map, updates_data = bits.read_flag(), bits.read_flag()
    if updates_data:
        # segment_feature_mode, then quantizers and loop filter levels with their signs
        bits.read(1)
        bits.skip_optional(_SEGMENTS, 7 + 1)
        bits.skip_optional(_SEGMENTS, 6 + 1)
    if updates_map:
        bits.skip_optional(3, 8)


def _read_vp9(frame: bytes) -> int | None:
    return read_base_quantizer(split_superframe(frame)[0])


class QuantizerReader:
    """Reads the quantizers of one source's frames in order; stores the parameter sets of H.264."""

    def __init__(self) -> None:
        self._readers: Mapping[str, Callable[[bytes], int | None]] = {
            "vp8": _read_vp8,
            "vp9": _read_vp9,
            "h264": H264QuantizerReader().read,
        }

    def read(self, codec: str, frame: bytes) -> int | None:
        """Return the quantizer of a frame.

        Args:
            codec: The encoding name.
            frame: The encoded frame.

        Returns:
            ``None`` if the codec is not supported, the frame has no quantizer (VP9's show_existing_frame), or its
                header is malformed.
        """
        reader = self._readers.get(codec.lower())
        if reader is None:
            return None
        try:
            return reader(frame)
        except ProtocolError:
            return None
