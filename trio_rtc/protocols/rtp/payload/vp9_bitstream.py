"""The VP9 bitstream as far as RTP needs it: superframes, frame size and quantizer.

Implements annex B (superframes) and section 7.2 (uncompressed header) of the VP9 Bitstream Specification.
"""

from collections.abc import Sequence
from typing import Final

from trio_rtc.errors import ProtocolError

from ._bits import BitReader

MAX_FRAMES: Final = 8
_FRAME_MARKER: Final = 2
_SYNC_CODE: Final = 0x498342
_CS_RGB: Final = 7
_PROFILE_3: Final = 3
# Enough for the uncompressed header up to the size and up to the quantizer, respectively.
_HEADER_BYTES: Final = 16
_QUANTIZER_BYTES: Final = 48


def split_superframe(data: bytes) -> list[bytes]:
    """Return the frames of a superframe without its index; a single frame is returned alone."""
    marker = data[-1] if data else 0
    if marker & 0xE0 != 0xC0:
        return [data]
    count, width = (marker & 7) + 1, (marker >> 3 & 3) + 1
    index_size = 2 + count * width
    if len(data) < index_size or data[-index_size] != marker:
        return [data]
    index = data[1 - index_size : -1]
    sizes = [int.from_bytes(index[at : at + width], "little") for at in range(0, count * width, width)]
    if sum(sizes) != len(data) - index_size or not all(sizes):
        # Decoders treat this as a frame that happens to end with a marker byte.
        return [data]
    frames = []
    start = 0
    for size in sizes:
        frames.append(data[start : start + size])
        start += size
    return frames


def join_superframe(frames: Sequence[bytes]) -> bytes:
    """Return frames as one superframe with its index; a single frame is returned unchanged.

    Raises:
        ProtocolError: There are more than eight frames.
    """
    if len(frames) == 1:
        return frames[0]
    if not 0 < len(frames) <= MAX_FRAMES:
        raise ProtocolError(f"VP9 superframe has {len(frames)} frames instead of 1 to {MAX_FRAMES}")
    width = max(1, -(-max(map(len, frames)).bit_length() // 8))
    marker = bytes([0xC0 | width - 1 << 3 | len(frames) - 1])
    sizes = [len(frame).to_bytes(width, "little") for frame in frames]
    return b"".join([*frames, marker, *sizes, marker])


def read_frame_size(frame: bytes) -> tuple[int, int] | None:
    """Return the width and height in a frame's header; ``None`` if they are absent or the header is malformed.

    Keyframes have them, and frames with another size than all of their references, such as a keyframe's upper spatial
    layers.
    """
    try:
        return _read_frame_size(BitReader(frame[:_HEADER_BYTES]))
    except ProtocolError:
        return None


def _read_frame_size(bits: BitReader) -> tuple[int, int] | None:
    if bits.read(2) != _FRAME_MARKER:
        return None
    profile = bits.read(1) | bits.read(1) << 1
    if profile == _PROFILE_3:
        bits.read(1)
    if bits.read_flag():
        # show_existing_frame
        return None
    depends, shown, error_resilient = bits.read_flag(), bits.read_flag(), bits.read_flag()
    if depends:
        if not shown and bits.read_flag():
            # intra_only: real-time encoders do not use such frames.
            return None
        # reset_frame_context, refresh_frame_flags, index and sign of each reference; then found_ref of each.
        bits.read((0 if error_resilient else 2) + 8 + 3 * 4)
        if bits.read(1) or bits.read(1) or bits.read(1):
            return None
    else:
        if bits.read(24) != _SYNC_CODE:
            return None
        _skip_color_config(bits, profile)
    return bits.read(16) + 1, bits.read(16) + 1


def _skip_color_config(bits: BitReader, profile: int) -> None:
    if profile >= 2:
        bits.read(1)
    states_subsampling = bool(profile & 1)
    if bits.read(3) != _CS_RGB:
        bits.read(4 if states_subsampling else 1)
    elif states_subsampling:
        bits.read(1)


def read_quantizer(data: bytes) -> int | None:
    """Return base_q_idx of a frame, or of the first frame of a superframe, 0 to 255.

    It is ``None`` for show_existing_frame.

    Raises:
        ProtocolError: The header is malformed.
    """
    bits = BitReader(split_superframe(data)[0][:_QUANTIZER_BYTES])
    if bits.read(2) != _FRAME_MARKER:
        raise ProtocolError(f"VP9 frame has no frame marker {_FRAME_MARKER}")
    profile = bits.read(1) | bits.read(1) << 1
    if profile == _PROFILE_3:
        bits.read(1)
    if bits.read_flag():
        return None
    depends, shown, error_resilient = bits.read_flag(), bits.read_flag(), bits.read_flag()
    if not depends:
        _skip_sync_code(bits)
        _skip_color_config(bits, profile)
        _skip_size(bits)
    else:
        _skip_references(bits, profile, shown=shown, error_resilient=error_resilient)
    if not error_resilient:
        # refresh_frame_context, frame_parallel_decoding_mode
        bits.read(2)
    # frame_context_idx
    bits.read(2)
    _skip_loop_filter(bits)
    return bits.read(8)


def _skip_sync_code(bits: BitReader) -> None:
    if bits.read(24) != _SYNC_CODE:
        raise ProtocolError(f"VP9 frame has no sync code {_SYNC_CODE:#x}")


def _skip_size(bits: BitReader) -> None:
    """Skip frame_size() and render_size()."""
    bits.read(32)
    if bits.read_flag():
        bits.read(32)


def _skip_references(bits: BitReader, profile: int, *, shown: bool, error_resilient: bool) -> None:
    """Skip the references of a frame other than a keyframe, up to the interpolation filter."""
    intra_only = not shown and bits.read_flag()
    if not error_resilient:
        # reset_frame_context
        bits.read(2)
    if intra_only:
        _skip_sync_code(bits)
        if profile:
            _skip_color_config(bits, profile)
        # refresh_frame_flags
        bits.read(8)
        _skip_size(bits)
        return
    # refresh_frame_flags, index and sign of each reference
    bits.read(8 + 3 * 4)
    # frame_size_with_refs(): found_ref of each reference
    if not any(bits.read_flag() for _ in range(3)):
        bits.read(32)
    if bits.read_flag():
        bits.read(32)
    # allow_high_precision_mv, is_filter_switchable, raw_interpolation_filter
    bits.read(1)
    if not bits.read_flag():
        bits.read(2)


def _skip_loop_filter(bits: BitReader) -> None:
    # loop_filter_level, loop_filter_sharpness
    bits.read(6 + 3)
    # loop_filter_delta_enabled, loop_filter_delta_update
    if bits.read_flag() and bits.read_flag():
        for _ in range(4 + 2):
            if bits.read_flag():
                bits.read(7)
