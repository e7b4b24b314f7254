"""The quantizer with which an encoder encoded a frame, on the scale of the codec's bitstream.

FFmpeg returns it as side data of each packet, on the scale of the encoder settings: 0 to 63 for libvpx and SVT-AV1.
"""

import av

_PER_STEP = 118
"""FFmpeg's FF_QP2LAMBDA, the factor of all quantizers."""
_VP8 = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 15, 17, 18, 19, 20, 21, 23, 24, 25, 26),
    *(27, 28, 29, 30, 31, 33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 64, 67),
    *(70, 73, 76, 79, 82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115, 118, 121, 124, 127),
)
"""The index in a frame's header (RFC 6386 section 9.6) by libvpx's quantizer."""
_VP9 = (*range(0, 245, 4), 249, 255)
"""base_q_idx of VP9 and AV1 by the quantizer of libvpx and SVT-AV1."""
_MAX_H264 = 51
_IN_BITSTREAM: dict[str, tuple[int, ...]] = {"VP8": _VP8, "VP9": _VP9, "AV1": _VP9}


def quantizer_of(codec: str, packet: "av.Packet[av.VideoStream]") -> int | None:
    """Return a frame's quantizer: VP8 0 to 127, VP9 and AV1 0 to 255, H.264 0 to 51; ``None`` if unknown."""
    if not packet.has_sidedata("quality_stats"):
        return None
    quality = int.from_bytes(bytes(packet.get_sidedata("quality_stats"))[:4], "little", signed=True)
    if quality < 0:
        return None
    quantizer = round(quality / _PER_STEP)
    scale = _IN_BITSTREAM.get(codec)
    # x264 reports values above the coarsest quantizer for frames that it degrades further.
    return min(quantizer, _MAX_H264) if scale is None else scale[min(quantizer, len(scale) - 1)]
