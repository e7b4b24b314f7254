"""Layer ids of a payload, read by servers that forward video without decoding it."""

from typing import NamedTuple


class LayerIds(NamedTuple):
    """A payload's position in a stream with layers; ``None`` for fields that the payload lacks.

    A named tuple, because a forwarding server creates one for each packet, and creating a frozen class is several times
    slower.

    Attributes:
        spatial_id: The spatial layer.
        temporal_id: The temporal layer.
        picture_id: The picture ID, modulo two to the power of ``picture_id_bits``.
        picture_id_bits: 7 or 15; 0 without a picture ID.
        tl0_picture_index: TL0PICIDX, 8 bits: the number of the frame of the lowest temporal layer that this one depends
            on.
        layer_sync: VP8's Y bit: the frame depends only on the lowest temporal layer. A receiver of only that layer may
            switch up to this one here.
        switching_up_point: VP9's U bit: a receiver of no higher temporal layer may switch up after this frame.
        inter_layer_dependent: VP9's D bit: the frame depends on the spatial layer below at the same time.
        starts_layer_frame: Whether the frame of this layer begins with this payload.
        ends_layer_frame: Whether the frame of this layer ends with this payload, ``None`` if unknown.
    """

    spatial_id: int | None = None
    temporal_id: int | None = None
    picture_id: int | None = None
    picture_id_bits: int = 0
    tl0_picture_index: int | None = None
    layer_sync: bool = False
    switching_up_point: bool = False
    inter_layer_dependent: bool = False
    starts_layer_frame: bool = False
    ends_layer_frame: bool | None = None
