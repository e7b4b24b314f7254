"""VP9 (RFC 9628).

Each payload begins with a descriptor, and behind it is a part of the frame of one spatial layer, whose first payload
has the B bit and whose last has the E bit. The frames of all spatial layers of a picture have one timestamp; the
picture ends with the packet that has the RTP marker. What :class:`.EncodedFrame` has is the whole picture: of several
layers it is a superframe, as every decoder takes it, of one it is that layer's bytes.

Sending. Without layer ids a descriptor has the picture id only, and no layer indices. With layer ids the stream is in
flexible mode, where each picture names the pictures that it depends on. What the encoder really referred to is not
known here; named is the last picture of each lower or equal temporal layer since the last one of layer 0, which
is what libvpx's patterns keep to. A stream whose pattern is known can be in non-flexible mode: then the pattern goes
with each keyframe in the scalability structure.

Left out when sending: Z bits, and the switching points that the pattern does not tell, both of which only a server
that drops layers would use. All are read.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from . import vp9_descriptor as descriptor_bits
from ._format import AssembledFrame
from ._split import split_evenly
from .layers import LayerIds
from .vp9_bitstream import join_superframe, read_frame_size, split_superframe
from .vp9_descriptor import MAX_REFERENCES, GroupPicture, ScalabilityStructure, Vp9Descriptor

PICTURE_ID_MASK: Final = 0x7FFF
# P_DIFF has 7 bits.
_MAX_DIFFERENCE: Final = 0x7F
_MAX_LAYER: Final = 7


class _References:
    """Which pictures a picture depends on, told by the temporal layers that were sent before it."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._count = 0

    def add(self, temporal_id: int, keyframe: bool) -> tuple[int, ...]:
        """Return by how many pictures the references of the next picture lie back, the nearest first."""
        self._count += 1
        if keyframe:
            self._latest.clear()
        differences = sorted(self._count - at for layer, at in self._latest.items() if layer <= temporal_id)
        if not temporal_id:
            self._latest.clear()
        self._latest[temporal_id] = self._count
        return tuple(difference for difference in differences if difference <= _MAX_DIFFERENCE)[
            :MAX_REFERENCES
        ]


class Vp9Packetizer:
    """Cuts VP9 pictures into payloads.

    Args:
        rng: Gives the first picture id and the first TL0PICIDX (section 4.2: they should be random).
        group: The pattern of temporal layers that the encoder repeats from each keyframe on. With it the stream is in
            non-flexible mode.
    """

    def __init__(self, rng: Random, *, group: tuple[GroupPicture, ...] | None = None) -> None:
        self._picture_id = rng.getrandbits(15)
        self._tl0_picture_index = rng.getrandbits(8)
        self._group = group
        self._references = _References()

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a picture.

        A picture with a ``spatial_id`` above 0 that is a superframe is cut into its layers, of which the highest has
        that id.

        Raises:
            ValueError: The frame is empty, a layer id is out of its range, or ``max_size`` has no room behind the
                descriptor.
        """
        if not frame.payload:
            raise ValueError("a VP9 frame is empty")
        if not 0 <= (frame.temporal_id or 0) <= _MAX_LAYER or not 0 <= (frame.spatial_id or 0) <= _MAX_LAYER:
            raise ValueError(f"layers {frame.temporal_id} and {frame.spatial_id} in VP9")
        layers = _split_layers(frame)
        structure = self._structure(frame, layers) if frame.keyframe else None
        # The largest descriptor decides: it is not worth a special case per packet.
        room = max_size - 4 - MAX_REFERENCES - (len(structure.encode()) if structure is not None else 0)
        pieces = [split_evenly(layer, room) for layer in layers]
        descriptor = self._next_descriptor(frame)
        payloads = []
        lowest = (frame.spatial_id or 0) - len(layers) + 1
        for index, layer_pieces in enumerate(pieces):
            of_layer = descriptor
            if descriptor.temporal_id is not None:
                of_layer = attrs.evolve(
                    descriptor, spatial_id=lowest + index, inter_layer_dependent=index > 0
                )
            payloads += _describe(of_layer, layer_pieces, None if index else structure)
        return payloads

    def _next_descriptor(self, frame: EncodedFrame) -> Vp9Descriptor:
        """Return what all payloads of a picture have in common, and count on."""
        self._picture_id = (self._picture_id + 1) & PICTURE_ID_MASK
        descriptor = Vp9Descriptor(not frame.keyframe, picture_id=self._picture_id, picture_id_bits=15)
        if frame.temporal_id is None and frame.spatial_id is None and self._group is None:
            return descriptor
        temporal_id = frame.temporal_id or 0
        if not temporal_id:
            self._tl0_picture_index = (self._tl0_picture_index + 1) & 0xFF
        references = self._references.add(temporal_id, frame.keyframe)
        # Without a reference that can be named, only non-flexible mode can say that there is one.
        flexible = self._group is None and bool(references or frame.keyframe)
        return attrs.evolve(
            descriptor,
            flexible=flexible,
            temporal_id=temporal_id,
            spatial_id=frame.spatial_id or 0,
            switching_up_point=frame.keyframe,
            tl0_picture_index=None if flexible else self._tl0_picture_index,
            references=references,
        )

    def _structure(self, frame: EncodedFrame, layers: list[bytes]) -> ScalabilityStructure | None:
        """Return the scalability structure for a keyframe."""
        count = (frame.spatial_id or 0) + 1
        sizes = [size for layer in layers if (size := read_frame_size(layer)) is not None]
        return ScalabilityStructure(count, tuple(sizes) if len(sizes) == count else (), self._group)


def _split_layers(frame: EncodedFrame) -> list[bytes]:
    """Return the frames of the spatial layers of a picture, the lowest first."""
    if not frame.spatial_id:
        # A superframe here is a picture that is shown and one that is not: one layer.
        return [frame.payload]
    layers = split_superframe(frame.payload)
    return layers if len(layers) <= frame.spatial_id + 1 else [frame.payload]


def _describe(
    descriptor: Vp9Descriptor, pieces: list[bytes], structure: ScalabilityStructure | None
) -> list[bytes]:
    """Return the payloads of one layer's frame."""
    middle = descriptor.encode()
    last = len(pieces) - 1
    payloads = []
    for index, piece in enumerate(pieces):
        ends = index == last
        if index:
            head = bytes([middle[0] | (descriptor_bits.E if ends else 0)]) + middle[1:]
        else:
            first = attrs.evolve(
                descriptor, starts_layer_frame=True, ends_layer_frame=ends, structure=structure
            )
            head = first.encode()
        payloads.append(head + piece)
    return payloads


class Vp9Depacketizer:
    """Puts VP9 pictures together."""

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a picture may begin with this payload.

        It has the B bit and does not depend on a lower spatial layer. That is sure for layer 0. With layers that
        depend on each other in keyframes only, or when lower ones were dropped on the way, the same is true for
        the other layers of a picture; then only the marker of the packet before, or another timestamp, tells.
        """
        if not payload or not payload[0] & descriptor_bits.B:
            return False
        try:
            _, _, _, layer, _ = descriptor_bits.read_ids(payload)
        except ProtocolError:
            return False
        return not (layer or 0) & 1

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether a layer's frame begins here that depends neither on other pictures nor on other layers."""
        return self.starts_frame(payload) and not payload[0] & descriptor_bits.P

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Put the payloads of one picture together.

        Raises:
            ProtocolError: One is malformed, or a layer has no beginning or no end.
        """
        layers: list[bytes] = []
        parts: list[bytes] = []
        descriptors: list[Vp9Descriptor] = []
        for payload in payloads:
            start = descriptor_bits.find_payload(payload)
            if bool(payload[0] & descriptor_bits.B) == bool(parts):
                raise ProtocolError("the frame of a VP9 layer has no beginning or no end")
            if not parts:
                descriptors.append(Vp9Descriptor.parse(payload))
            parts.append(payload[start:])
            if payload[0] & descriptor_bits.E:
                layers.append(b"".join(parts))
                parts = []
        if parts or not layers:
            raise ProtocolError("the frame of a VP9 layer has no end")
        lowest, highest = descriptors[0], descriptors[-1]
        keyframe = lowest.is_independent
        width, height = _find_size(layers, highest, lowest.structure) if keyframe else (None, None)
        return AssembledFrame(
            _join_layers(layers), keyframe, highest.spatial_id, lowest.temporal_id, width, height
        )


def _join_layers(layers: list[bytes]) -> bytes:
    if len(layers) == 1:
        return layers[0]
    frames = [frame for layer in layers for frame in split_superframe(layer)]
    return join_superframe(frames)


def _find_size(
    layers: list[bytes], highest: Vp9Descriptor, structure: ScalabilityStructure | None
) -> tuple[int, int] | tuple[None, None]:
    """Return width and height of the highest layer of a keyframe, if it tells."""
    if structure is not None:
        layer = highest.spatial_id or 0
        if layer < len(structure.sizes):
            return structure.sizes[layer]
    return read_frame_size(layers[-1]) or (None, None)


def read_layers(payload: bytes) -> LayerIds:
    """Return what the descriptor tells about layers.

    Raises:
        ProtocolError: It is malformed.
    """
    _, picture_id, bits, layer, tl0_picture_index = descriptor_bits.read_ids(payload)
    starts, ends = bool(payload[0] & descriptor_bits.B), bool(payload[0] & descriptor_bits.E)
    if layer is None:
        return LayerIds(None, None, picture_id, bits, None, False, False, False, starts, ends)
    return LayerIds(
        layer >> 1 & 7,
        layer >> 5,
        picture_id,
        bits,
        tl0_picture_index,
        False,
        bool(layer & 0x10),
        bool(layer & 1),
        starts,
        ends,
    )


def read_references(payload: bytes) -> tuple[int, ...] | None:
    """Return by how many pictures those lie back that a picture refers to; ``None`` if that is not told.

    Raises:
        ProtocolError: The payload is malformed.
    """
    descriptor = Vp9Descriptor.parse(payload)
    if not descriptor.inter_picture_predicted:
        return ()
    return descriptor.references if descriptor.flexible else None


def rewrite(payload: bytes, *, picture_id: int | None = None, tl0: int | None = None) -> bytes:
    """Return a payload with another picture id and TL0PICIDX, so that simulcast layers follow each other gaplessly.

    A field that the payload does not have is not added, and a picture id of 7 bits stays one.

    Args:
        payload: With its descriptor.
        picture_id: Taken modulo the size of the field; ``None`` to leave it as it is.
        tl0: Taken modulo 256; ``None`` to leave it as it is.

    Raises:
        ProtocolError: The payload ends within its descriptor.
    """
    try:
        first = payload[0]
        changed = bytearray(payload)
        at = 1
        if first & descriptor_bits.I:
            wide = payload[1] & descriptor_bits.M
            if picture_id is not None and wide:
                changed[1], changed[2] = descriptor_bits.M | picture_id >> 8 & 0x7F, picture_id & 0xFF
            elif picture_id is not None:
                changed[1] = picture_id & 0x7F
            at = 3 if wide else 2
        if first & descriptor_bits.L and not first & descriptor_bits.F and tl0 is not None:
            changed[at + 1] = tl0 & 0xFF
    except IndexError:
        raise ProtocolError(f"a VP9 payload of {len(payload)} bytes ends within its descriptor") from None
    return bytes(changed)
