"""Recorded payloads and encoded frames under tests/data/rtp, and frames made of bytes."""

from itertools import groupby
from pathlib import Path
from random import Random
from typing import NamedTuple

from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.payload import Depacketizer, Packetizer, depacketizer, packetizer

DATA = Path(__file__).parents[1] / "data" / "rtp"
MODE_1 = {"packetization-mode": "1"}
# Encoding names by sample.
SAMPLES = {
    "libvpx-vp8": "VP8",
    "libvpx-vp9": "VP9",
    "libx264": "H264",
    "libx264-slices": "H264",
    "libx265": "H265",
    "svt-av1": "AV1",
    "libopus": "opus",
}
CAPTURES = {
    "chromium-vp8": "VP8",
    "chromium-vp8-l1t3": "VP8",
    "chromium-vp8-short-descriptor": "VP8",
    "chromium-vp9": "VP9",
    "chromium-vp9-l2t3-key": "VP9",
    "chromium-h264": "H264",
    "chromium-h264-mode0": "H264",
    "chromium-av1": "AV1",
    "chromium-av1-l2t2": "AV1",
    "chromium-opus": "opus",
    "chromium-g722": "G722",
    "chromium-pcmu": "PCMU",
    "firefox-vp8": "VP8",
    "firefox-vp9": "VP9",
    "firefox-av1": "AV1",
    "firefox-opus": "opus",
}


class CapturedPacket(NamedTuple):
    sequence_number: int
    timestamp: int
    marker: bool
    payload: bytes


def load_capture(name: str) -> list[CapturedPacket]:
    """Return the packets of a recording."""
    packets = []
    for line in (DATA / f"{name}.rtp").read_text().splitlines():
        sequence_number, timestamp, marker, payload = line.split()
        packets.append(
            CapturedPacket(int(sequence_number), int(timestamp), marker == "1", bytes.fromhex(payload))
        )
    return packets


def load_captured_frames(name: str) -> list[list[bytes]]:
    """Return the payloads of a recording, grouped by timestamp."""
    packets = load_capture(name)
    return [
        [packet.payload for packet in frame] for _, frame in groupby(packets, lambda packet: packet.timestamp)
    ]


def load_sample(name: str) -> list[tuple[bool, bytes]]:
    """Return encoded frames: whether each is a keyframe, and its bytes."""
    lines = (DATA / f"{name}.hex").read_text().splitlines()
    return [(line[0] == "K", bytes.fromhex(line[2:])) for line in lines]


def make_frame(
    payload: bytes,
    codec: str = "VP8",
    *,
    keyframe: bool = True,
    spatial_id: int | None = None,
    temporal_id: int | None = None,
) -> EncodedFrame:
    return EncodedFrame(payload, 0, 90000, codec, keyframe, spatial_id, temporal_id)


def make_packetizer(codec: str, seed: int = 1) -> Packetizer:
    made = packetizer(codec, MODE_1, Random(seed))
    assert made is not None
    return made


def make_depacketizer(codec: str) -> Depacketizer:
    made = depacketizer(codec, MODE_1)
    assert made is not None
    return made
