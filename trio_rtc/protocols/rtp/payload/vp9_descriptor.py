"""Codec of the VP9 payload descriptor (RFC 9628 section 4.2) and its scalability structure."""

from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

# Bits of the first byte.
I: Final = 0x80  # noqa: E741 - the RFC's name
P: Final = 0x40
L: Final = 0x20
F: Final = 0x10
B: Final = 0x08
E: Final = 0x04
V: Final = 0x02
Z: Final = 0x01
M: Final = 0x80
# RFC 9628 section 4.2: at most three references in flexible mode.
MAX_REFERENCES: Final = 3


@attrs.frozen
class GroupPicture:
    """An entry of a "picture group" (PG).

    Attributes:
        switching_up_point: The U bit.
        references: Distances in frames to the references, at most three.
    """

    temporal_id: int
    switching_up_point: bool = False
    references: tuple[int, ...] = ()


@attrs.frozen
class ScalabilityStructure:
    """The layers of a stream (section 4.2.1).

    Attributes:
        spatial_layers: The count of spatial layers, 1 to 8.
        sizes: Width and height of each layer, or empty.
        group: The entries of a "picture group", ``None`` if absent.
    """

    spatial_layers: int = 1
    sizes: tuple[tuple[int, int], ...] = ()
    group: tuple[GroupPicture, ...] | None = None

    def encode(self) -> bytes:
        encoded = bytearray(
            [self.spatial_layers - 1 << 5 | bool(self.sizes) << 4 | (self.group is not None) << 3]
        )
        for width, height in self.sizes:
            encoded += width.to_bytes(2, "big") + height.to_bytes(2, "big")
        if self.group is not None:
            encoded.append(len(self.group))
            for picture in self.group:
                references = picture.references
                encoded.append(
                    picture.temporal_id << 5 | picture.switching_up_point << 4 | len(references) << 2
                )
                encoded += bytes(references)
        return bytes(encoded)


@attrs.frozen
class Vp9Descriptor:
    """The payload descriptor; ``None`` for absent fields.

    Attributes:
        inter_picture_predicted: The P bit.
        flexible: The F bit: each frame lists its references.
        starts_layer_frame: The B bit.
        ends_layer_frame: The E bit.
        not_reference_for_upper: The Z bit: no higher spatial layer depends on this one.
        picture_id: 7 or 15 bits.
        picture_id_bits: 7 or 15; 0 without a picture ID.
        temporal_id: TID, with layer indices.
        switching_up_point: The U bit, with layer indices.
        spatial_id: SID, with layer indices.
        inter_layer_dependent: The D bit, with layer indices.
        tl0_picture_index: TL0PICIDX, with layer indices in non-flexible mode.
        references: P_DIFF of each reference, in flexible mode.
        size: Bytes of the parsed descriptor; not encoded.
    """

    inter_picture_predicted: bool = False
    flexible: bool = False
    starts_layer_frame: bool = False
    ends_layer_frame: bool = False
    not_reference_for_upper: bool = False
    picture_id: int | None = None
    picture_id_bits: int = 0
    temporal_id: int | None = None
    switching_up_point: bool = False
    spatial_id: int | None = None
    inter_layer_dependent: bool = False
    tl0_picture_index: int | None = None
    references: tuple[int, ...] = ()
    structure: ScalabilityStructure | None = None
    size: int = attrs.field(default=0, eq=False)

    @property
    def is_independent(self) -> bool:
        """Whether the frame depends neither on another frame nor on a lower layer."""
        return not self.inter_picture_predicted and not self.inter_layer_dependent

    @classmethod
    def parse(cls, payload: bytes) -> "Vp9Descriptor":
        """Parse the descriptor at the beginning of a payload.

        Raises:
            ProtocolError: The payload ends within or directly after the descriptor, or the descriptor has too many
                references.
        """
        at, picture_id, bits, layer, tl0_picture_index = read_ids(payload)
        first = payload[0]
        references, structure, at = _read_rest(payload, at)
        return cls(
            bool(first & P),
            bool(first & F),
            bool(first & B),
            bool(first & E),
            bool(first & Z),
            picture_id,
            bits,
            None if layer is None else layer >> 5,
            bool(layer and layer & 0x10),
            None if layer is None else layer >> 1 & 7,
            bool(layer and layer & 1),
            tl0_picture_index,
            references,
            structure,
            at,
        )

    def encode(self) -> bytes:
        first = (
            (P if self.inter_picture_predicted else 0)
            | (F if self.flexible else 0)
            | (B if self.starts_layer_frame else 0)
            | (E if self.ends_layer_frame else 0)
            | (Z if self.not_reference_for_upper else 0)
        )
        encoded = bytearray(1)
        if self.picture_id is not None:
            first |= I
            wide = self.picture_id_bits != 7
            encoded += (self.picture_id | 0x8000).to_bytes(2, "big") if wide else bytes([self.picture_id])
        if self.temporal_id is not None or self.spatial_id is not None:
            first |= L
            layer = (self.temporal_id or 0) << 5 | self.switching_up_point << 4
            encoded.append(layer | (self.spatial_id or 0) << 1 | self.inter_layer_dependent)
            if not self.flexible:
                encoded.append(self.tl0_picture_index or 0)
        if self.flexible and self.inter_picture_predicted:
            last = len(self.references) - 1
            encoded += bytes(
                difference << 1 | (index < last) for index, difference in enumerate(self.references)
            )
        if self.structure is not None:
            first |= V
            encoded += self.structure.encode()
        encoded[0] = first
        return bytes(encoded)


def read_ids(payload: bytes) -> tuple[int, int | None, int, int | None, int | None]:
    """Return the fixed part of a descriptor as plain values, since this runs for every packet.

    Returns:
        The offset after it, the picture ID and its bits, the byte with TID, U, SID and D, and TL0PICIDX.

    Raises:
        ProtocolError: The payload ends within or directly after the fixed part.
    """
    picture_id = layer = tl0_picture_index = None
    bits = 0
    at = 1
    try:
        first = payload[0]
        if first & I:
            picture_id, bits, at = payload[1], 7, 2
            if picture_id & M:
                picture_id, bits, at = (picture_id & 0x7F) << 8 | payload[2], 15, 3
        if first & L:
            layer = payload[at]
            at += 1
            if not first & F:
                tl0_picture_index = payload[at]
                at += 1
    except IndexError:
        raise ProtocolError(f"VP9 payload of {len(payload)} bytes ends within its descriptor") from None
    if at >= len(payload):
        raise ProtocolError("VP9 payload is empty after its descriptor")
    return at, picture_id, bits, layer, tl0_picture_index


def _read_rest(payload: bytes, at: int) -> tuple[tuple[int, ...], ScalabilityStructure | None, int]:
    """Return the references, the structure, and the size of the descriptor."""
    first = payload[0]
    references: tuple[int, ...] = ()
    structure = None
    try:
        if first & F and first & P:
            references, at = _read_references(payload, at)
        if first & V:
            structure, at = _read_structure(payload, at)
    except IndexError:
        raise ProtocolError(f"VP9 payload of {len(payload)} bytes ends within its descriptor") from None
    if at >= len(payload):
        raise ProtocolError("VP9 payload is empty after its descriptor")
    return references, structure, at


def descriptor_size(payload: bytes) -> int:
    """Return the size of the descriptor.

    Raises:
        ProtocolError: The descriptor is malformed, or the payload is empty after it.
    """
    return _read_rest(payload, read_ids(payload)[0])[2]


def _read_references(payload: bytes, at: int) -> tuple[tuple[int, ...], int]:
    references: list[int] = []
    more = 1
    while more:
        if len(references) == MAX_REFERENCES:
            raise ProtocolError(f"VP9 descriptor has more than {MAX_REFERENCES} references")
        references.append(payload[at] >> 1)
        more = payload[at] & 1
        at += 1
    return tuple(references), at


def _read_structure(payload: bytes, at: int) -> tuple[ScalabilityStructure, int]:
    first = payload[at]
    at += 1
    layers = (first >> 5) + 1
    sizes: list[tuple[int, int]] = []
    if first & 0x10:
        for _ in range(layers):
            sizes.append((payload[at] << 8 | payload[at + 1], payload[at + 2] << 8 | payload[at + 3]))
            at += 4
    if not first & 0x08:
        return ScalabilityStructure(layers, tuple(sizes)), at
    group: list[GroupPicture] = []
    count = payload[at]
    at += 1
    for _ in range(count):
        picture = payload[at]
        end = at + 1 + (picture >> 2 & 3)
        if end > len(payload):
            raise ProtocolError("VP9 scalability structure exceeds its payload")
        group.append(GroupPicture(picture >> 5, bool(picture & 0x10), tuple(payload[at + 1 : end])))
        at = end
    return ScalabilityStructure(layers, tuple(sizes), tuple(group)), at
