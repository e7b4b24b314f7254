"""Encoded tones, and the rates of audio codecs."""

from typing import Any, Final

import av

from trio_rtc.codecs import AudioEncoder
from trio_rtc.codecs.samples import frame_of
from trio_rtc.media import tone
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

CODECS: Final = {
    "opus": (48_000, 48_000),
    "PCMU": (8_000, 8_000),
    "PCMA": (8_000, 8_000),
    "G722": (8_000, 16_000),
}
"""RTP clock rate and sample rate."""


def encode_tone(
    encoder: AudioEncoder, count: int = 50, frequency: float = 440.0, **settings: Any
) -> list[EncodedFrame]:
    source = tone(frequency, **settings)
    return [frame for _ in range(count) for frame in encoder.encode(source.next_frame())]


def silence(index: int, samples: int = 960, rate: int = 48_000) -> av.AudioFrame:
    return frame_of(bytes(2 * samples), 1, rate, index * samples)
