"""Encoder output is unchanged after packets of any size."""

from itertools import pairwise

import pytest

from tests.strategies.rtp_payloads import SAMPLES, load_sample, make_depacketizer, make_frame, make_packetizer
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload._nal import join_annex_b, split_annex_b

SIZES = (100, 101, 127, 128, 129, 131, 200, 399, 640, 1000, 1199, 1200)


def as_assembled(codec: str, payload: bytes) -> bytes:
    """Start codes become four bytes long, everything else is unchanged."""
    return join_annex_b(split_annex_b(payload)) if codec in ("H264", "H265") else payload


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sample", [name for name in SAMPLES if name != "libopus"])
def test_frames_are_unchanged_after_packets_of_any_size(sample: str, size: int) -> None:
    codec = SAMPLES[sample]
    packetizer, depacketizer = make_packetizer(codec), make_depacketizer(codec)
    for keyframe, payload in load_sample(sample):
        payloads = packetizer.packetize(make_frame(payload, codec, keyframe=keyframe), size)
        assert max(map(len, payloads)) <= size
        assert depacketizer.starts_frame(payloads[0])
        assert depacketizer.is_keyframe_start(payloads[0]) == keyframe
        frame = depacketizer.assemble(payloads)
        assert frame.payload == as_assembled(codec, payload)
        assert frame.keyframe == keyframe
        assert (frame.width, frame.height) == ((96, 64) if keyframe else (None, None))


@pytest.mark.parametrize("sample", ["libvpx-vp8", "libvpx-vp9", "libx264", "libx265", "svt-av1"])
def test_few_packets_are_used(sample: str) -> None:
    """The overhead of descriptors and unused space is at most one packet and a tenth of the bytes."""
    packetizer = make_packetizer(SAMPLES[sample])
    for keyframe, payload in load_sample(sample):
        payloads = packetizer.packetize(make_frame(payload, SAMPLES[sample], keyframe=keyframe), 1200)
        assert len(payloads) <= 2 + len(payload) * 11 // 10 // 1200


@pytest.mark.parametrize("sample", ["libvpx-vp8", "libvpx-vp9"])
def test_packets_of_a_frame_have_similar_sizes(sample: str) -> None:
    _, payload = load_sample(sample)[0]
    sizes = [len(piece) for piece in make_packetizer(SAMPLES[sample]).packetize(make_frame(payload), 500)]
    assert len(sizes) > 3
    assert all(abs(one - other) <= 16 for one, other in pairwise(sizes))


@pytest.mark.parametrize("sample", [name for name in SAMPLES if name != "libopus"])
def test_frame_without_its_first_or_last_payload_is_rejected(sample: str) -> None:
    codec = SAMPLES[sample]
    _, payload = load_sample(sample)[0]
    payloads = make_packetizer(codec).packetize(make_frame(payload, codec), 300)
    with pytest.raises(ProtocolError):
        make_depacketizer(codec).assemble([])
    if codec in ("VP8", "VP9", "AV1"):
        with pytest.raises(ProtocolError):
            make_depacketizer(codec).assemble(payloads[1:])
    if codec in ("VP9", "AV1"):
        with pytest.raises(ProtocolError):
            make_depacketizer(codec).assemble(payloads[:-1])


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "H265", "AV1", "opus", "PCMU", "telephone-event"])
@pytest.mark.parametrize("payload", [b"", b"\x00" * 7])
def test_invalid_or_oversized_frames_are_rejected(codec: str, payload: bytes) -> None:
    packetizer = make_packetizer(codec)
    with pytest.raises(ValueError, match=r"."):
        packetizer.packetize(make_frame(payload, codec), 4)
