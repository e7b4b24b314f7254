"""What a server that forwards video without decoding it reads from a payload."""

from typing import NamedTuple


class LayerIds(NamedTuple):
    """Where a payload belongs in a stream with layers; ``None`` for what its format or this payload does not tell.

    A named tuple, because a forwarding server makes one for each packet, and a frozen class takes several times as long
    to make.

    Attributes:
        spatial_id: Its spatial layer.
        temporal_id: Its temporal layer.
        picture_id: Number of the picture, modulo two to the power of ``picture_id_bits``.
        picture_id_bits: 7 or 15; 0 without a picture id.
        tl0_picture_index: Number of the picture of the lowest temporal layer that this one depends on, 8 bits.
        layer_sync: VP8's Y bit: the picture depends on the lowest temporal layer only, so that who had only that
            layer may take this one from here on.
        switching_up_point: VP9's U bit: who had no higher temporal layer than this one may take them from the next
            picture on.
        inter_layer_dependent: VP9's D bit: it depends on the spatial layer below in the same picture.
        starts_layer_frame: Whether the frame of this layer begins with this payload.
        ends_layer_frame: Whether it ends with this payload, if the format tells.
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
