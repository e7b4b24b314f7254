"""The quantizer that an encoder reports equals the one in its bitstream."""

import pytest

from tests.strategies.video_frames import moving_noise
from trio_rtc.codecs import create_video_encoder

MAX_QUANTIZER = {"VP8": 127, "VP9": 255, "H264": 51, "AV1": 255}


class BoolDecoder:
    """The arithmetic decoder of VP8 (RFC 6386 section 7.3), bit by bit."""

    def __init__(self, data: bytes) -> None:
        self._data = int.from_bytes(data, "big")
        self._left = 8 * len(data) - 16
        self._value = self._data >> self._left
        self._range = 255

    def read(self, probability: int = 128) -> int:
        split = 1 + ((self._range - 1) * probability >> 8)
        bit = self._value >= split << 8
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._range <<= 1
            self._left -= 1
            self._value = self._value << 1 | (self._data >> self._left & 1)
        return int(bit)

    def literal(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.read()
        return value


def vp8_quantizer(payload: bytes) -> int:
    """Return y_ac_qi of a frame's header (RFC 6386 sections 9.2 to 9.6)."""
    is_keyframe = not payload[0] & 1
    bits = BoolDecoder(payload[10 if is_keyframe else 3 :][:64])
    if is_keyframe:
        bits.literal(2)
    if bits.read():
        skip_segmentation(bits)
    bits.literal(1 + 6 + 3)
    if bits.read() and bits.read():
        for _ in range(8):
            if bits.read():
                bits.literal(7)
    bits.literal(2)
    return bits.literal(7)


def skip_segmentation(bits: BoolDecoder) -> None:
    updates_map, updates_data = bits.read(), bits.read()
    if updates_data:
        bits.read()
        for width in (7, 7, 7, 7, 6, 6, 6, 6):
            if bits.read():
                bits.literal(width + 1)
    if updates_map:
        for _ in range(3):
            if bits.read():
                bits.literal(8)


@pytest.mark.parametrize("bitrate", [100_000, 400_000, 1_500_000])
def test_vp8_quantizer_equals_the_one_in_the_header(bitrate: int) -> None:
    encoder = create_video_encoder("VP8")
    reported, written = [], []
    for image in moving_noise(40):
        for frame in encoder.encode(image, bitrate=bitrate):
            assert frame.quantizer is not None
            reported.append(frame.quantizer)
            written.append(vp8_quantizer(frame.payload))
    encoder.close()
    # libvpx reports it on a scale of 64 steps.
    assert max(abs(one - other) for one, other in zip(reported, written, strict=True)) <= 2


@pytest.mark.parametrize("codec", sorted(MAX_QUANTIZER))
def test_lower_bitrate_increases_the_quantizer(codec: str) -> None:
    means = []
    for bitrate in (150_000, 3_000_000):
        encoder = create_video_encoder(codec)
        frames = [frame for image in moving_noise(30) for frame in encoder.encode(image, bitrate=bitrate)]
        encoder.close()
        quantizers = [frame.quantizer for frame in frames if frame.quantizer is not None]
        assert len(quantizers) == len(frames) > 0
        assert all(0 <= quantizer <= MAX_QUANTIZER[codec] for quantizer in quantizers)
        means.append(sum(quantizers) / len(quantizers))
    assert means[0] > 1.2 * means[1]
