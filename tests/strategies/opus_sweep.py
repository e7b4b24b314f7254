"""Sound that cannot be guessed from what went before it, as Opus that carries each packet once more in the next."""

import math
from array import array
from collections.abc import Sequence

from trio_rtc import EncodedFrame
from trio_rtc.codecs import (
    AudioDecoderOptions,
    AudioEncoderOptions,
    create_audio_decoder,
    create_audio_encoder,
)
from trio_rtc.codecs.samples import as_array, frame_of, samples_of

SAMPLES = 960
_RATE = 48_000
_STRIDE = 7  # samples; a seventh of them tells how loud an error is


def sweep(packets: int) -> "array[int]":
    """Return 20 ms of mono sound for each packet, whose pitch and loudness go up and down."""
    samples, phase = array("h"), 0.0
    for index in range(packets * SAMPLES):
        turn = 2 * math.pi * index / _RATE
        phase += 2 * math.pi * (500 + 300 * math.sin(0.7 * turn)) / _RATE
        samples.append(round(8000 * (0.6 + 0.4 * math.sin(1.3 * turn)) * math.sin(phase)))
    return samples


def sweep_packets(packets: int, *, fec: bool = True) -> list[EncodedFrame]:
    """Return the sweep as Opus, in packets of 20 ms."""
    options = AudioEncoderOptions(bitrate=20_000, channels=1, fec=fec, expected_loss=20)
    encoder = create_audio_encoder("opus", options)
    sound = sweep(packets).tobytes()
    size = 2 * SAMPLES
    return [
        frame
        for index in range(packets)
        for frame in encoder.encode(
            frame_of(sound[index * size : (index + 1) * size], 1, _RATE, index * SAMPLES)
        )
    ]


def carries_the_one_before(packet: bytes) -> bool:
    """Whether a mono packet of SILK has its bit for redundancy set (RFC 6716 section 4.2.3)."""
    return packet[0] >> 3 < 12 and bool(packet[1] & 0x40)


def heard(frames: Sequence[EncodedFrame]) -> "array[int]":
    """Return what is heard when nothing is lost."""
    decoder = create_audio_decoder("opus", AudioDecoderOptions(channels=1))
    return as_array(b"".join(samples_of(sound) for frame in frames for sound in decoder.decode(frame)))


def error_between(one: "array[int]", other: "array[int]") -> float:
    """Return the root of the mean square of the difference."""
    pairs = list(zip(one[::_STRIDE], other[::_STRIDE], strict=True))
    return math.sqrt(sum((a - b) ** 2 for a, b in pairs) / len(pairs))
