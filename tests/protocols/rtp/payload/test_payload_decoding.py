"""Decoders accept assembled frames."""

import pytest

from tests.strategies.rtp_payloads import (
    CAPTURES,
    SAMPLES,
    load_captured_frames,
    load_sample,
    make_depacketizer,
    make_frame,
    make_packetizer,
)

av = pytest.importorskip("av")

DECODERS = {"VP8": "vp8", "VP9": "libvpx-vp9", "H264": "h264", "H265": "hevc", "AV1": "libdav1d"}


def decode(codec: str, frames: list[bytes]) -> list[tuple[int, int]]:
    context = av.CodecContext.create(DECODERS[codec], "r")
    context.thread_count = 1
    images = [image for frame in frames for image in context.decode(av.Packet(frame))]
    images += context.decode(None)
    return [(image.width, image.height) for image in images]


@pytest.mark.parametrize("sample", [name for name, codec in SAMPLES.items() if codec in DECODERS])
def test_samples_decode_after_packetization(sample: str) -> None:
    codec = SAMPLES[sample]
    packetizer, depacketizer = make_packetizer(codec), make_depacketizer(codec)
    assembled = [
        depacketizer.assemble(
            packetizer.packetize(make_frame(payload, codec, keyframe=keyframe), 333)
        ).payload
        for keyframe, payload in load_sample(sample)
    ]
    assert decode(codec, assembled) == [(96, 64)] * 4


@pytest.mark.parametrize("name", [name for name, codec in CAPTURES.items() if codec in DECODERS])
def test_captures_decode(name: str) -> None:
    codec = CAPTURES[name]
    depacketizer = make_depacketizer(codec)
    frames = [depacketizer.assemble(payloads) for payloads in load_captured_frames(name)]
    assert decode(codec, [frame.payload for frame in frames]) == [(frames[0].width, frames[0].height)] * len(
        frames
    )
