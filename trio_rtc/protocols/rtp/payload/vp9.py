"""VP9 (RFC 9628).

A payload is a payload descriptor followed by a part of one spatial layer's frame, whose first payload has the B bit and
last one the E bit. The frames of all spatial layers with one timestamp (the RFC's "picture") end with the packet that
has the RTP marker. An :class:`.EncodedFrame` has all of them: a superframe of several layers, as decoders accept it, or
the only layer's frame.

Sending: without layer ids, descriptors have the picture ID only, and no layer indices. With layer ids, the stream is in
flexible mode, where each frame lists its references. The encoder's actual references are unknown, so that the
descriptor lists the last frame of each lower or equal temporal layer since the last one of layer 0, which covers
libvpx's patterns. With a known pattern, the stream can be in non-flexible mode: each keyframe then has the pattern in
its scalability structure.

Not used when sending: Z bits, and switching points that are not part of the pattern; both are useful only to servers
that drop layers. All are parsed.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from . import vp9_descriptor as descriptor_bits
from ._format import AssembledFrame, split_evenly
from .layers import LayerIds
from .vp9_bitstream import join_superframe, read_frame_size, split_superframe
from .vp9_descriptor import MAX_REFERENCES, GroupPicture, ScalabilityStructure, Vp9Descriptor

PICTURE_ID_MASK: Final = 0x7FFF
# P_DIFF has 7 bits.
_MAX_DIFFERENCE: Final = 0x7F
_MAX_LAYER: Final = 7


class _References:
    """The references of frames, derived from the temporal layers sent before."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._count = 0

    def add(self, temporal_id: int, keyframe: bool) -> tuple[int, ...]:
        """Return the distances in frames from the next frame to its references, nearest first."""
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
    """Splits VP9 frames into payloads.

    Args:
        rng: Source of the initial picture ID and TL0PICIDX (section 4.2: they should be random).
        group: The encoder's pattern of temporal layers, repeated from each keyframe on. It selects non-flexible mode.
    """

    def __init__(self, rng: Random, *, group: tuple[GroupPicture, ...] | None = None) -> None:
        self._picture_id = rng.getrandbits(15)
        self._tl0_picture_index = rng.getrandbits(8)
        self._group = group
        self._references = _References()

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the payloads of a frame.

        A superframe with a ``spatial_id`` above 0 is split into its layers, the highest of which has that id.

        Raises:
            ValueError: The frame is empty, a layer id is out of range, or ``max_size`` does not exceed the descriptor.
        """
        if not frame.payload:
            raise ValueError("payload of a VP9 frame must not be empty")
        if not 0 <= (frame.temporal_id or 0) <= _MAX_LAYER or not 0 <= (frame.spatial_id or 0) <= _MAX_LAYER:
            raise ValueError(
                f"temporal_id and spatial_id of a VP9 frame must be 0 to {_MAX_LAYER},"
                f" not {frame.temporal_id} and {frame.spatial_id}"
            )
        layers = _split_layers(frame)
        structure = self._structure(frame, layers) if frame.keyframe else None
        # All packets leave room for the largest descriptor, which avoids special cases.
        room = max_size - 4 - MAX_REFERENCES - (len(structure.encode()) if structure is not None else 0)
        pieces = [split_evenly(layer, room) for layer in layers]
        descriptor = self._next_descriptor(frame)
        payloads = []
        lowest = (frame.spatial_id or 0) - len(layers) + 1
        for index, layer_pieces in enumerate(pieces):
            layer_descriptor = descriptor
            if descriptor.temporal_id is not None:
                layer_descriptor = attrs.evolve(
                    descriptor, spatial_id=lowest + index, inter_layer_dependent=index > 0
                )
            payloads += _add_descriptors(layer_descriptor, layer_pieces, None if index else structure)
        return payloads

    def _next_descriptor(self, frame: EncodedFrame) -> Vp9Descriptor:
        """Advance the counters and return the fields common to all payloads of the frame."""
        self._picture_id = (self._picture_id + 1) & PICTURE_ID_MASK
        descriptor = Vp9Descriptor(not frame.keyframe, picture_id=self._picture_id, picture_id_bits=15)
        if frame.temporal_id is None and frame.spatial_id is None and self._group is None:
            return descriptor
        temporal_id = frame.temporal_id or 0
        if not temporal_id:
            self._tl0_picture_index = (self._tl0_picture_index + 1) & 0xFF
        references = self._references.add(temporal_id, frame.keyframe)
        # If no reference can be listed, only non-flexible mode can signal a dependency.
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
        count = (frame.spatial_id or 0) + 1
        sizes = [size for layer in layers if (size := read_frame_size(layer)) is not None]
        return ScalabilityStructure(count, tuple(sizes) if len(sizes) == count else (), self._group)


def _split_layers(frame: EncodedFrame) -> list[bytes]:
    """Return the frames of the spatial layers, the lowest first."""
    if not frame.spatial_id:
        # A superframe of one layer is a shown and a hidden frame.
        return [frame.payload]
    layers = split_superframe(frame.payload)
    return layers if len(layers) <= frame.spatial_id + 1 else [frame.payload]


def _add_descriptors(
    descriptor: Vp9Descriptor, pieces: list[bytes], structure: ScalabilityStructure | None
) -> list[bytes]:
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
    def starts_frame(self, payload: bytes) -> bool:
        """Return whether a frame may begin with this payload: it has the B bit and no inter-layer dependency.

        This is certain for spatial layer 0. With inter-layer dependencies in keyframes only, or lower layers dropped on
        the path, it also holds for other layers; then only the marker of the previous packet or another timestamp is
        certain.
        """
        if not payload or not payload[0] & descriptor_bits.B:
            return False
        try:
            _, _, _, layer, _ = descriptor_bits.read_ids(payload)
        except ProtocolError:
            return False
        return not (layer or 0) & 1

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether the payload begins a layer's frame that depends on no other frame or layer."""
        return self.starts_frame(payload) and not payload[0] & descriptor_bits.P

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Reassemble a frame from its payloads.

        Raises:
            ProtocolError: A payload is malformed, or a layer's frame has no beginning or no end.
        """
        layers: list[bytes] = []
        parts: list[bytes] = []
        descriptors: list[Vp9Descriptor] = []
        for payload in payloads:
            start = descriptor_bits.descriptor_size(payload)
            if bool(payload[0] & descriptor_bits.B) == bool(parts):
                raise ProtocolError("frame of a VP9 layer has no beginning or no end")
            if not parts:
                descriptors.append(Vp9Descriptor.parse(payload))
            parts.append(payload[start:])
            if payload[0] & descriptor_bits.E:
                layers.append(b"".join(parts))
                parts = []
        if parts or not layers:
            raise ProtocolError("frame of a VP9 layer has no end")
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
    """Return width and height of a keyframe's highest layer, ``None`` if unknown."""
    if structure is not None:
        layer = highest.spatial_id or 0
        if layer < len(structure.sizes):
            return structure.sizes[layer]
    return read_frame_size(layers[-1]) or (None, None)


def read_layers(payload: bytes) -> LayerIds:
    """Return the layer ids of a payload.

    Raises:
        ProtocolError: The descriptor is malformed.
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
    """Return the distances in frames to a frame's references; ``None`` if the payload does not list them.

    Raises:
        ProtocolError: The descriptor is malformed.
    """
    descriptor = Vp9Descriptor.parse(payload)
    if not descriptor.inter_picture_predicted:
        return ()
    return descriptor.references if descriptor.flexible else None


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
        raise ProtocolError(f"VP9 payload of {len(payload)} bytes ends within its descriptor") from None
    return bytes(changed)
