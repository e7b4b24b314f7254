"""VP8: the payload format (RFC 7741), and the quantizer in the frame header (RFC 6386).

A payload is a payload descriptor followed by a part of the frame, split anywhere. The first payload of a frame has the
S bit (start of partition) and partition index 0. Frames are numbered by a picture ID of 15 bits and, with temporal
layers, also by TL0PICIDX, the index of the lowest layer's frame that they depend on.

Not used when sending: packets aligned to partitions (every packet has partition index 0, as browsers do), the N bit
(only the encoder knows which frames are not referenced), KEYIDX. All are parsed.
"""

import struct
from collections.abc import Sequence
from random import Random
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._format import AssembledFrame, split_evenly
from .layers import LayerIds

# RFC 7741 section 4.2: bits of the first byte and of the extension bytes.
_X: Final = 0x80
_N: Final = 0x20
_S: Final = 0x10
_PID: Final = 0x07
_I: Final = 0x80
_L: Final = 0x40
_T: Final = 0x20
_K: Final = 0x10
_M: Final = 0x80
_Y: Final = 0x20
_KEY_START_CODE: Final = b"\x9d\x01\x2a"
_KEY_HEADER_SIZE: Final = 10
_FRAME_TAG_SIZE: Final = 3
_QUANTIZER_BYTES: Final = 64
"""Bytes behind them up to the quantizer: some 280 bits, each coded in at most one bit of data."""
_EVEN: Final = 128
_SEGMENTS: Final = 4
_SIZE: Final = struct.Struct("<HH")
PICTURE_ID_MASK: Final = 0x7FFF


@attrs.frozen
class Vp8Descriptor:
    """The payload descriptor of RFC 7741 section 4.2; ``None`` for absent fields.

    Attributes:
        starts_partition: The S bit.
        non_reference: The N bit: no other frame depends on this one.
        picture_id: 7 or 15 bits.
        picture_id_bits: 7 or 15; 0 without a picture ID.
        tl0_picture_index: TL0PICIDX, 8 bits.
        temporal_id: TID, 2 bits.
        layer_sync: The Y bit: the frame depends only on the lowest temporal layer.
        key_index: KEYIDX, 5 bits.
        size: Bytes of the parsed descriptor; not encoded.
    """

    starts_partition: bool = False
    partition: int = 0
    non_reference: bool = False
    picture_id: int | None = None
    picture_id_bits: int = 0
    tl0_picture_index: int | None = None
    temporal_id: int | None = None
    layer_sync: bool = False
    key_index: int | None = None
    size: int = attrs.field(default=0, eq=False)

    @classmethod
    def parse(cls, payload: bytes) -> "Vp8Descriptor":
        """Parse the descriptor at the beginning of a payload.

        Raises:
            ProtocolError: The payload ends within or directly after the descriptor.
        """
        size, picture_id, bits, tl0_picture_index, temporal_id, layer_sync, key_index = _read_fields(payload)
        first = payload[0]
        return cls(
            bool(first & _S),
            first & _PID,
            bool(first & _N),
            picture_id,
            bits,
            tl0_picture_index,
            temporal_id,
            layer_sync,
            key_index,
            size,
        )

    def encode(self) -> bytes:
        first = self.partition | (_S if self.starts_partition else 0) | (_N if self.non_reference else 0)
        extensions = 0
        fields = b""
        if self.picture_id is not None:
            extensions |= _I
            wide = self.picture_id_bits != 7
            fields += (self.picture_id | 0x8000).to_bytes(2, "big") if wide else bytes([self.picture_id])
        if self.tl0_picture_index is not None:
            extensions |= _L
            fields += bytes([self.tl0_picture_index])
        if self.temporal_id is not None or self.key_index is not None:
            extensions |= (_T if self.temporal_id is not None else 0) | (
                _K if self.key_index is not None else 0
            )
            sync = _Y if self.layer_sync else 0
            fields += bytes([(self.temporal_id or 0) << 6 | sync | (self.key_index or 0)])
        return bytes([first | _X, extensions]) + fields if extensions else bytes([first])


# Size of the descriptor, picture ID and its bits, TL0PICIDX, TID, Y, KEYIDX.
_Fields = tuple[int, int | None, int, int | None, int | None, bool, int | None]


def _read_fields(payload: bytes) -> _Fields:
    """Return the fields after the descriptor's first byte as plain values, since this runs for every packet."""
    picture_id = tl0_picture_index = temporal_id = key_index = None
    bits = 0
    layer_sync = False
    at = 1
    try:
        if payload[0] & _X:
            extensions = payload[1]
            at = 2
            if extensions & _I:
                picture_id, bits, at = payload[2], 7, 3
                if picture_id & _M:
                    picture_id, bits, at = (picture_id & 0x7F) << 8 | payload[3], 15, 4
            if extensions & _L:
                tl0_picture_index = payload[at]
                at += 1
            if extensions & (_T | _K):
                layer = payload[at]
                at += 1
                if extensions & _T:
                    temporal_id, layer_sync = layer >> 6, bool(layer & _Y)
                if extensions & _K:
                    key_index = layer & 0x1F
    except IndexError:
        raise ProtocolError(f"VP8 payload of {len(payload)} bytes ends within its descriptor") from None
    if at >= len(payload):
        raise ProtocolError("VP8 payload is empty after its descriptor")
    return at, picture_id, bits, tl0_picture_index, temporal_id, layer_sync, key_index


class Vp8Packetizer:
    """Splits VP8 frames into payloads.

    Args:
        rng: Source of the initial picture ID and TL0PICIDX (section 4.2: they should be random).
    """

    def __init__(self, rng: Random) -> None:
        self._picture_id = rng.getrandbits(15)
        self._tl0_picture_index = rng.getrandbits(8)

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame. If it has a ``temporal_id`` (0 to 3), they have TL0PICIDX and TID.

        Raises:
            ValueError: The frame is empty, ``temporal_id`` is out of range, or ``max_size`` does not exceed the
                descriptor.
        """
        if not frame.payload:
            raise ValueError("payload of a VP8 frame must not be empty")
        picture_id = (self._picture_id + 1) & PICTURE_ID_MASK
        descriptor = Vp8Descriptor(True, picture_id=picture_id, picture_id_bits=15)
        tl0_picture_index = self._tl0_picture_index
        if frame.temporal_id is not None:
            if not 0 <= frame.temporal_id <= 3:
                raise ValueError(f"temporal_id of a VP8 frame must be 0 to 3, not {frame.temporal_id}")
            if not frame.temporal_id:
                tl0_picture_index = (tl0_picture_index + 1) & 0xFF
            descriptor = attrs.evolve(
                descriptor,
                tl0_picture_index=tl0_picture_index,
                temporal_id=frame.temporal_id,
                layer_sync=frame.keyframe,
            )
        first = descriptor.encode()
        pieces = split_evenly(frame.payload, max_size - len(first))
        self._picture_id = picture_id
        self._tl0_picture_index = tl0_picture_index
        following = bytes([first[0] & ~_S]) + first[1:]
        return [first + pieces[0], *[following + piece for piece in pieces[1:]]]


class Vp8Depacketizer:
    def starts_frame(self, payload: bytes) -> bool:
        """Return whether the payload has the S bit and partition index 0, which identifies the start of a frame."""
        return bool(payload) and payload[0] & (_S | _PID) == _S

    def is_keyframe_start(self, payload: bytes) -> bool:
        if not self.starts_frame(payload):
            return False
        try:
            return not payload[_read_fields(payload)[0]] & 1
        except ProtocolError:
            return False

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Reassemble a frame from its payloads.

        Raises:
            ProtocolError: A payload is malformed, the first does not begin a frame or another one does, or a keyframe
                lacks its header.
        """
        if not payloads:
            raise ProtocolError("VP8 frame has no payload")
        start, _, _, _, temporal_id, _, _ = _read_fields(payloads[0])
        if not self.starts_frame(payloads[0]):
            raise ProtocolError("VP8 frame has no beginning")
        parts = [payloads[0][start:]]
        for payload in payloads[1:]:
            if self.starts_frame(payload):
                raise ProtocolError("VP8 frame begins within another")
            parts.append(payload[_read_fields(payload)[0] :])
        data = b"".join(parts)
        keyframe = not data[0] & 1
        width, height = _read_size(data) if keyframe else (None, None)
        return AssembledFrame(data, keyframe, None, temporal_id, width, height)


def _read_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a keyframe, RFC 6386 section 9.1; the bits above 14 are for scaling."""
    if len(data) < _KEY_HEADER_SIZE or data[3:6] != _KEY_START_CODE:
        raise ProtocolError("VP8 keyframe has no valid header")
    width, height = _SIZE.unpack_from(data, 6)
    return width & 0x3FFF, height & 0x3FFF


def read_layers(payload: bytes) -> LayerIds:
    """Return the layer ids of a payload.

    Raises:
        ProtocolError: The descriptor is malformed.
    """
    _, picture_id, bits, tl0_picture_index, temporal_id, layer_sync, _ = _read_fields(payload)
    starts = payload[0] & (_S | _PID) == _S
    return LayerIds(None, temporal_id, picture_id, bits, tl0_picture_index, layer_sync, False, False, starts)


def rewrite_descriptor(payload: bytes, *, picture_id: int | None = None, tl0: int | None = None) -> bytes:
    """Return a payload with another picture ID and TL0PICIDX, so that joined simulcast layers have no gaps.

    Absent fields are not added, and a picture ID of 7 bits keeps its size.

    Args:
        payload: The payload with its descriptor.
        picture_id: Reduced modulo the size of the field; ``None`` keeps the old value.
        tl0: TL0PICIDX, reduced modulo 256; ``None`` keeps the old value.

    Raises:
        ProtocolError: The payload ends within its descriptor.
    """
    try:
        if not payload[0] & _X:
            return payload
        extensions = payload[1]
        changed = bytearray(payload)
        at = 2
        if extensions & _I:
            wide = payload[2] & _M
            if picture_id is not None and wide:
                changed[2], changed[3] = _M | picture_id >> 8 & 0x7F, picture_id & 0xFF
            elif picture_id is not None:
                changed[2] = picture_id & 0x7F
            at = 4 if wide else 3
        if extensions & _L and tl0 is not None:
            changed[at] = tl0 & 0xFF
    except IndexError:
        raise ProtocolError(f"VP8 payload of {len(payload)} bytes ends within its descriptor") from None
    return bytes(changed)


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


def read_quantizer(frame: bytes) -> int:
    """Return y_ac_qi of a frame (RFC 6386 section 9.6), 0 to 127.

    Raises:
        ProtocolError: The frame ends within its header.
    """
    if not frame:
        raise ProtocolError("VP8 frame is empty")
    is_keyframe = not frame[0] & 1
    start = _KEY_HEADER_SIZE if is_keyframe else _FRAME_TAG_SIZE
    bits = _BoolDecoder(frame[start : start + _QUANTIZER_BYTES])
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
