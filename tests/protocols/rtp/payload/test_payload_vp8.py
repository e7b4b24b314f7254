"""VP8: the descriptor of RFC 7741 section 4.2 bit by bit, and the packetizer's counters."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_payloads import make_frame
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import LayerIds
from trio_rtc.protocols.rtp.payload.vp8 import (
    Vp8Depacketizer,
    Vp8Descriptor,
    Vp8Packetizer,
    read_layers,
    rewrite_descriptor,
)

# Frame tag of a keyframe, start code, 320 x 240, and a byte of the first partition.
KEYFRAME = bytes.fromhex("100200 9d012a 4001 f000 99")
INTERFRAME = bytes.fromhex("110200 99")

VECTORS = {
    # S=1, PID=0.
    "10": Vp8Descriptor(True),
    # N=1, PID=5.
    "25": Vp8Descriptor(False, 5, True),
    # X=1, S=1; I; seven bits of picture ID.
    "90 80 11": Vp8Descriptor(True, picture_id=17, picture_id_bits=7),
    # X=1, S=1; I; M=1 and fifteen bits of picture ID.
    "90 80 92 67": Vp8Descriptor(True, picture_id=4711, picture_id_bits=15),
    # X=1; I, L, T; picture ID, TL0PICIDX, TID=2 with Y.
    "80 e0 80 01 fe a0": Vp8Descriptor(
        picture_id=1, picture_id_bits=15, tl0_picture_index=254, temporal_id=2, layer_sync=True
    ),
    # X=1; K only: KEYIDX=19.
    "80 10 13": Vp8Descriptor(key_index=19),
    # X=1, S=1; all fields, a picture ID of seven bits: TID=3, KEYIDX=31.
    "90 f0 7f 05 df": Vp8Descriptor(
        True, picture_id=127, picture_id_bits=7, tl0_picture_index=5, temporal_id=3, key_index=31
    ),
}


@pytest.mark.parametrize(("encoded", "descriptor"), VECTORS.items())
def test_descriptor(encoded: str, descriptor: Vp8Descriptor) -> None:
    data = bytes.fromhex(encoded)
    parsed = Vp8Descriptor.parse(data + b"\x99")
    assert parsed == descriptor
    assert parsed.size == len(data)
    assert descriptor.encode() == data
    for size in range(len(data) + 1):
        with pytest.raises(ProtocolError):
            Vp8Descriptor.parse(data[:size])


def test_reserved_bits_are_ignored() -> None:
    assert Vp8Descriptor.parse(bytes.fromhex("d8 8f 11 99")) == Vp8Descriptor(
        True, picture_id=17, picture_id_bits=7
    )


@pytest.mark.parametrize(("first", "starts"), [("10", True), ("00", False), ("11", False), ("30", True)])
def test_frame_starts_with_the_first_partition(first: str, starts: bool) -> None:
    assert Vp8Depacketizer().starts_frame(bytes.fromhex(first) + KEYFRAME) is starts
    assert Vp8Depacketizer().is_keyframe_start(bytes.fromhex(first) + KEYFRAME) is starts
    assert not Vp8Depacketizer().is_keyframe_start(bytes.fromhex(first) + INTERFRAME)


def test_assemble_a_keyframe() -> None:
    frame = Vp8Depacketizer().assemble(
        [b"\x10" + KEYFRAME[:4], b"\x00" + KEYFRAME[4:8], b"\x11" + KEYFRAME[8:]]
    )
    assert frame.payload == KEYFRAME
    assert (frame.keyframe, frame.width, frame.height) == (True, 320, 240)


def test_scaling_bits_are_not_part_of_the_size() -> None:
    frame = Vp8Depacketizer().assemble([bytes.fromhex("10 100200 9d012a 4041 f080 99")])
    assert (frame.width, frame.height) == (320, 240)


@pytest.mark.parametrize(
    "payloads",
    [
        [b"\x00" + KEYFRAME],
        [b"\x10" + KEYFRAME, b"\x10" + KEYFRAME],
        [b"\x10" + KEYFRAME[:9]],
        [b"\x10" + KEYFRAME.replace(b"\x9d", b"\x9e")],
        [b"\x10" + INTERFRAME, b""],
        [b"\x10" + INTERFRAME, b"\x80\x80"],
    ],
)
def test_malformed_frames(payloads: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        Vp8Depacketizer().assemble(payloads)


def test_picture_ids_start_at_random_and_wrap() -> None:
    packetizer = Vp8Packetizer(Random(3))
    ids = [read_layers(packetizer.packetize(make_frame(INTERFRAME), 100)[0]).picture_id for _ in range(40000)]
    starts = {
        read_layers(Vp8Packetizer(Random(seed)).packetize(make_frame(INTERFRAME), 100)[0])
        for seed in range(9)
    }
    assert all(following == (one + 1) % 32768 for one, following in pairwise(ids) if one is not None)
    assert len(starts) == 9


def test_temporal_layers_are_signaled() -> None:
    packetizer = Vp8Packetizer(Random(3))
    descriptors = [
        read_layers(packetizer.packetize(make_frame(INTERFRAME, keyframe=False, temporal_id=layer), 100)[0])
        for layer in (0, 2, 1, 2, 0, 2)
    ]
    assert [one.temporal_id for one in descriptors] == [0, 2, 1, 2, 0, 2]
    first = descriptors[0].tl0_picture_index
    assert first is not None
    assert [one.tl0_picture_index for one in descriptors] == [first] * 4 + [(first + 1) & 0xFF] * 2


def test_all_packets_of_a_frame_have_its_ids() -> None:
    payloads = Vp8Packetizer(Random(1)).packetize(make_frame(KEYFRAME * 9, temporal_id=0), 20)
    assert len(payloads) > 5
    descriptors = [Vp8Descriptor.parse(payload) for payload in payloads]
    assert [one.starts_partition for one in descriptors] == [True] + [False] * (len(payloads) - 1)
    assert {one.picture_id for one in descriptors} == {descriptors[0].picture_id}


def test_rejected_frame_does_not_advance_the_counters() -> None:
    packetizer, other = Vp8Packetizer(Random(1)), Vp8Packetizer(Random(1))
    for wrong, size in (
        (make_frame(b""), 100),
        (make_frame(KEYFRAME), 4),
        (make_frame(KEYFRAME, temporal_id=4), 99),
    ):
        with pytest.raises(ValueError, match=r"."):
            packetizer.packetize(wrong, size)
    assert packetizer.packetize(make_frame(KEYFRAME), 100) == other.packetize(make_frame(KEYFRAME), 100)


@given(
    descriptor=st.builds(
        Vp8Descriptor,
        st.booleans(),
        st.integers(0, 7),
        st.booleans(),
        st.none() | st.integers(0, 0x7FFF),
        st.just(15),
        st.none() | st.integers(0, 255),
        st.none() | st.integers(0, 3),
        st.just(False),
        st.none() | st.integers(0, 31),
    ),
    picture_id=st.integers(0, 1 << 20),
    tl0=st.integers(0, 1 << 12),
)
def test_descriptors_round_trip_and_are_rewritten(
    descriptor: Vp8Descriptor, picture_id: int, tl0: int
) -> None:
    payload = descriptor.encode() + b"\x99\x98"
    parsed = Vp8Descriptor.parse(payload)
    assert parsed.encode() == descriptor.encode()
    changed = Vp8Descriptor.parse(rewrite_descriptor(payload, picture_id=picture_id, tl0=tl0))
    assert changed.picture_id == (None if parsed.picture_id is None else picture_id & 0x7FFF)
    assert changed.tl0_picture_index == (None if parsed.tl0_picture_index is None else tl0 & 0xFF)
    assert (changed.temporal_id, changed.key_index) == (parsed.temporal_id, parsed.key_index)


def test_rewrite_of_seven_bits() -> None:
    payload = bytes.fromhex("90 c0 11 22 99")
    assert rewrite_descriptor(payload, picture_id=0x81, tl0=0x33) == bytes.fromhex("90 c0 01 33 99")
    assert rewrite_descriptor(payload) == payload
    assert read_layers(payload) == LayerIds(
        picture_id=17, picture_id_bits=7, tl0_picture_index=0x22, starts_layer_frame=True
    )
