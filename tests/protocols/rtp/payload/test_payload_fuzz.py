"""A malformed payload costs at most its own frame."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_payloads import (
    CAPTURES,
    SAMPLES,
    load_captured_frames,
    load_sample,
    make_depacketizer,
    make_frame,
    make_packetizer,
)
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import descriptor_rewriter, layer_reader, payload_duration

CODECS = ("VP8", "VP9", "H264", "H265", "AV1", "opus", "PCMU", "telephone-event")


def real_payloads(codec: str) -> list[list[bytes]]:
    frames = [
        payloads
        for name, named in CAPTURES.items()
        if named == codec
        for payloads in load_captured_frames(name)
    ]
    for name, named in SAMPLES.items():
        if named == codec:
            packetizer = make_packetizer(codec)
            frames += [
                packetizer.packetize(make_frame(payload, codec), 400) for _, payload in load_sample(name)[:2]
            ]
    return frames or [[bytes(range(8))]]


REAL = {codec: real_payloads(codec) for codec in CODECS}


def check(codec: str, payloads: list[bytes]) -> None:
    depacketizer = make_depacketizer(codec)
    reader, rewrite = layer_reader(codec), descriptor_rewriter(codec)
    for payload in payloads:
        if depacketizer.is_keyframe_start(payload):
            assert depacketizer.starts_frame(payload)
        payload_duration(codec, payload)
        try:
            if reader is not None:
                reader(payload)
            if rewrite is not None:
                assert len(rewrite(payload, picture_id=1, tl0=2)) == len(payload)
        except ProtocolError:
            pass
    try:
        frame = depacketizer.assemble(payloads)
    except ProtocolError:
        return
    assert len(frame.payload) <= 8 * sum(map(len, payloads)) + 8
    sent = make_frame(
        frame.payload,
        codec,
        keyframe=frame.keyframe,
        spatial_id=frame.spatial_id,
        temporal_id=frame.temporal_id,
    )
    try:
        again = make_packetizer(codec).packetize(sent, 100)
    except ValueError:
        return
    assert max(map(len, again)) <= 100


@pytest.mark.parametrize("codec", CODECS)
@given(payloads=st.lists(st.binary(max_size=40), max_size=5))
def test_random_payloads(codec: str, payloads: list[bytes]) -> None:
    check(codec, payloads)


@pytest.mark.parametrize("codec", CODECS)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 6), head=st.integers(1, 60))
def test_mutated_payloads(codec: str, seed: int, flips: int, head: int) -> None:
    rng = Random(seed)
    payloads = [bytearray(payload) for payload in rng.choice(REAL[codec])]
    for _ in range(flips):
        payload = rng.choice(payloads)
        match rng.randrange(4):
            case 0:
                payload[rng.randrange(min(head, len(payload))) if payload else 0 :] = b""
            case 1:
                payloads.insert(rng.randrange(len(payloads)), bytearray(rng.choice(payloads)))
            case _ if payload:
                payload[rng.randrange(min(head, len(payload)))] ^= 1 << rng.randrange(8)
            case _:
                payload += rng.randbytes(3)
    check(codec, [bytes(payload) for payload in payloads])
