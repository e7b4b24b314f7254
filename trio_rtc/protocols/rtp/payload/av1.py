"""AV1 (RTP Payload Format For AV1, Alliance for Open Media, version 1.0).

A payload is an aggregation header followed by OBU elements: whole OBUs, or fragments at the beginning and the end.
Frames are temporal units in the low-overhead format. The packetizer drops temporal delimiters, tile lists and the sizes
in OBU headers; the depacketizer adds a temporal delimiter and the sizes.

A keyframe is a temporal unit with a sequence header whose first frame is a shown key frame. The N bit marks the
beginning of a coded video sequence.

A single packet does not reveal whether it begins a frame: ``starts_frame`` is false for a packet that continues an OBU
or begins with a tile group, whose frame header is in another packet. Each spatial layer has its own frame, and a
temporal unit ends at the marker. An assembler relies on the previous packet, which has the marker or another timestamp.
"""

from collections.abc import Sequence
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from . import av1_obu
from ._format import AssembledFrame
from .av1_obu import Obu, encode_leb128, read_leb128
from .layers import LayerIds

# Section 4.4, the aggregation header.
_Z: Final = 0x80
_Y: Final = 0x40
_N: Final = 0x08
_MAX_COUNTED: Final = 3
_TEMPORAL_DELIMITER: Final = b"\x12\x00"
_DROPPED: Final = frozenset({av1_obu.TEMPORAL_DELIMITER, av1_obu.TILE_LIST})
_FRAME_BEGINNINGS: Final = frozenset({av1_obu.FRAME, av1_obu.FRAME_HEADER})
_FRAME_TYPES: Final = _FRAME_BEGINNINGS | {av1_obu.TILE_GROUP}
_NEXT_FRAME: Final = _FRAME_BEGINNINGS | {av1_obu.SEQUENCE_HEADER}
# Bound on the work per payload. A frame has one OBU element per tile group.
_MAX_ELEMENTS = 256
# A smaller fragment of an OBU is moved to the next packet, where it needs no length field.
_SMALLEST_FRAGMENT: Final = 8


@attrs.define
class _Packet:
    """A payload under construction: its OBU elements, and whether the first and last are fragments."""

    elements: list[bytes] = attrs.Factory(list)
    used: int = 1
    continues: bool = False
    is_continued: bool = False
    layers: tuple[int, int] | None = None
    has_frame: bool = False

    def room(self, max_size: int) -> int:
        """Return the maximum size of a further element."""
        left = max_size - self.used
        if len(self.elements) < _MAX_COUNTED:
            # The last of up to three elements has no length field.
            return left
        return left - len(encode_leb128(max(left, 0)))

    def add(self, element: bytes) -> None:
        self.elements.append(element)
        self.used += len(element) + len(encode_leb128(len(element)))

    def accepts(self, obu: Obu) -> bool:
        """Return whether an OBU may be added: not a second frame, not another layer (section 5)."""
        if self.has_frame and obu.type in _NEXT_FRAME:
            return False
        return self.layers is None or obu.layers is None or self.layers == obu.layers

    def encode(self, begins_sequence: bool) -> bytes:
        count = len(self.elements)
        counted = count <= _MAX_COUNTED
        header = (
            (_Z if self.continues else 0) | (_Y if self.is_continued else 0) | (_N if begins_sequence else 0)
        )
        parts = [bytes([header | (count << 4 if counted else 0)])]
        for index, element in enumerate(self.elements):
            if not counted or index < count - 1:
                parts.append(encode_leb128(len(element)))
            parts.append(element)
        return b"".join(parts)


class Av1Packetizer:
    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a temporal unit.

        Raises:
            ValueError: The frame is not a temporal unit in the low-overhead format, or ``max_size`` is too small.
        """
        if max_size < 1 + _SMALLEST_FRAGMENT:
            raise ValueError(
                f"max_size of an AV1 payload must be at least {1 + _SMALLEST_FRAGMENT}, not {max_size}"
            )
        try:
            obus = av1_obu.split_temporal_unit(frame.payload)
        except ProtocolError as error:
            raise ValueError(f"frame must be an AV1 temporal unit: {error}") from None
        obus = [obu for obu in obus if obu.type not in _DROPPED]
        if not obus:
            raise ValueError("frame must have an OBU other than temporal delimiters and tile lists")
        begins_sequence = _is_keyframe(obus)
        packets = _aggregate(obus, max_size)
        return [packet.encode(begins_sequence and not index) for index, packet in enumerate(packets)]


def _aggregate(obus: list[Obu], max_size: int) -> list[_Packet]:
    packet = _Packet()
    packets = [packet]
    for obu in obus:
        data = obu.encode()
        fits = len(data) <= packet.room(max_size) or packet.room(max_size) >= _SMALLEST_FRAGMENT
        if packet.elements and not (fits and packet.accepts(obu)):
            packet = _Packet()
            packets.append(packet)
        packet.has_frame |= obu.type in _FRAME_TYPES
        packet.layers = packet.layers or obu.layers
        start = 0
        while len(data) - start > (room := packet.room(max_size)):
            packet.add(data[start : start + room])
            packet.is_continued = True
            start += room
            packet = _Packet(continues=True, layers=obu.layers, has_frame=obu.type in _FRAME_TYPES)
            packets.append(packet)
        packet.add(data[start:])
    return packets


class Av1Depacketizer:
    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a temporal unit may begin with this payload; see the module for the limits."""
        first = _first_obu_type(payload)
        return first is not None and first not in (av1_obu.TILE_GROUP, av1_obu.REDUNDANT_FRAME_HEADER)

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether a coded video sequence begins: N bit, or sequence header at the beginning."""
        if not self.starts_frame(payload):
            return False
        return bool(payload[0] & _N) or _first_obu_type(payload) == av1_obu.SEQUENCE_HEADER

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Reassemble a temporal unit from its payloads.

        Raises:
            ProtocolError: A payload is malformed, an OBU is incomplete, or there is none.
        """
        obus = []
        for data in _join_fragments(payloads):
            obu, end = Obu.read(data, 0, len(data))
            if end != len(data):
                raise ProtocolError(f"OBU element has {len(data) - end} bytes after its OBU")
            if obu.type not in _DROPPED:
                obus.append(obu)
        if not obus:
            raise ProtocolError("AV1 temporal unit is empty")
        keyframe = _is_keyframe(obus)
        size = None
        if keyframe:
            sequence = next(obu for obu in obus if obu.type == av1_obu.SEQUENCE_HEADER)
            size = av1_obu.read_sequence_size(sequence)
        width, height = size or (None, None)
        layers = [obu.layers for obu in obus if obu.layers is not None]
        temporal_id = layers[0][0] if layers else None
        spatial_id = max(spatial for _, spatial in layers) if layers else None
        data = _TEMPORAL_DELIMITER + b"".join(obu.encode_with_size() for obu in obus)
        return AssembledFrame(data, keyframe, spatial_id, temporal_id, width, height)


def _is_keyframe(obus: list[Obu]) -> bool:
    if not any(obu.type == av1_obu.SEQUENCE_HEADER for obu in obus):
        return False
    first = next((obu for obu in obus if obu.type in _FRAME_BEGINNINGS), None)
    return first is not None and av1_obu.begins_with_keyframe(first)


def _join_fragments(payloads: Sequence[bytes]) -> list[bytes]:
    obus: list[bytes] = []
    fragments: list[bytes] = []
    for payload in payloads:
        elements = _read_elements(payload)
        if bool(payload[0] & _Z) != bool(fragments):
            raise ProtocolError("fragmented OBU has no beginning or no end")
        for element in elements[:-1]:
            obus.append(b"".join([*fragments, element]))
            fragments = []
        fragments.append(elements[-1])
        if not payload[0] & _Y:
            obus.append(b"".join(fragments))
            fragments = []
    if fragments:
        raise ProtocolError("fragmented OBU has no end")
    return obus


def _read_elements(payload: bytes) -> list[bytes]:
    """Return the OBU elements of a payload, at least one (section 4.3)."""
    end = len(payload)
    if end < 2:
        raise ProtocolError(f"AV1 payload has {end} bytes, fewer than 2")
    count = payload[0] >> 4 & 3
    elements: list[bytes] = []
    start = 1
    while start < end:
        if count and len(elements) == count - 1:
            size = end - start
        else:
            size, start = read_leb128(payload, start, end)
        if start + size > end:
            raise ProtocolError(f"OBU element has {size} bytes, but {end - start} bytes are left")
        elements.append(payload[start : start + size])
        if len(elements) > _MAX_ELEMENTS:
            raise ProtocolError(f"AV1 payload has more than {_MAX_ELEMENTS} OBU elements")
        start += size
    if count and len(elements) != count:
        raise ProtocolError(f"AV1 payload has {len(elements)} OBU elements instead of W = {count}")
    return elements


def _first_obu_type(payload: bytes) -> int | None:
    """Return the type of the OBU that begins the payload, ``None`` without one or if it is malformed."""
    header = _first_obu_header(payload)
    return header[0] >> 3 & 0x0F if header else None


def _first_obu_header(payload: bytes) -> bytes:
    """Return the first one or two bytes of the first OBU; ``b""`` if the payload continues another."""
    if len(payload) < 2 or payload[0] & _Z:
        return b""
    if payload[0] >> 4 & 3 == 1:
        return payload[1:3]
    try:
        size, start = read_leb128(payload, 1, len(payload))
    except ProtocolError:
        return b""
    return payload[start : start + min(size, 2)]


def read_layers(payload: bytes) -> LayerIds:
    """Return the layers of the first OBU with an extension that begins in this payload.

    Forwarders of AV1 use the dependency descriptor, a header extension; this function is for streams without it.

    Raises:
        ProtocolError: The payload is malformed.
    """
    elements = _read_elements(payload)
    for element in elements[1:] if payload[0] & _Z else elements:
        if len(element) >= 2 and element[0] & 0x04:
            return LayerIds(element[1] >> 3 & 3, element[1] >> 5)
    return LayerIds()
