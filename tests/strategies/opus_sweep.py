"""Audio that concealment cannot predict, encoded as Opus with in-band FEC."""

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
_STRIDE = 7  # samples; a seventh of them suffices to measure an error


def sweep(packets: int) -> "array[int]":
    """Return 20 ms of mono audio for each packet, with varying pitch and level."""
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
    audio = sweep(packets).tobytes()
    size = 2 * SAMPLES
    return [
        frame
        for index in range(packets)
        for frame in encoder.encode(
            frame_of(audio[index * size : (index + 1) * size], 1, _RATE, index * SAMPLES)
        )
    ]


def has_lbrr_flag(packet: bytes) -> bool:
    """Return whether a mono SILK packet has its LBRR flag set (RFC 6716 section 4.2.3)."""
    return packet[0] >> 3 < 12 and bool(packet[1] & 0x40)


def decode_all(frames: Sequence[EncodedFrame]) -> "array[int]":
    """Return the decoded samples of these frames."""
    decoder = create_audio_decoder("opus", AudioDecoderOptions(channels=1))
    return as_array(b"".join(samples_of(audio) for frame in frames for audio in decoder.decode(frame)))


def error_between(one: "array[int]", other: "array[int]") -> float:
    """Return the root mean square of the difference."""
    pairs = list(zip(one[::_STRIDE], other[::_STRIDE], strict=True))
    return math.sqrt(sum((a - b) ** 2 for a, b in pairs) / len(pairs))
