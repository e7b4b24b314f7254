"""VP9: payloads of the layers, superframes and references."""

from random import Random

import pytest

from tests.strategies.rtp_payloads import make_frame
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload.vp9 import Vp9Depacketizer, Vp9Packetizer, read_layers, rewrite_descriptor
from trio_rtc.protocols.rtp.payload.vp9_bitstream import join_superframe, split_superframe
from trio_rtc.protocols.rtp.payload.vp9_descriptor import GroupPicture, ScalabilityStructure, Vp9Descriptor

# Frame marker 2, profile 0, a shown keyframe, sync code, color space 1, studio range, 320 x 180.
KEYFRAME = bytes.fromhex("82 498342 2013f0 0b30 99")
INTERFRAME = bytes.fromhex("86 00 40 92 99")


@pytest.mark.parametrize(
    ("encoded", "starts", "keyframe"),
    [
        ("08", True, True),
        ("48", True, False),
        ("04", False, False),
        # Layer 0, and layer 1 with and without D.
        ("28 00 00", True, True),
        ("28 03 00", False, False),
        ("28 02 00", True, True),
        ("68 02 00", True, False),
        ("88", False, False),
    ],
)
def test_where_a_frame_may_start(encoded: str, starts: bool, keyframe: bool) -> None:
    payload = bytes.fromhex(encoded) + (b"" if encoded == "88" else b"\x99")
    assert Vp9Depacketizer().starts_frame(payload) is starts
    assert Vp9Depacketizer().is_keyframe_start(payload) is keyframe


def test_assemble_one_layer() -> None:
    frame = Vp9Depacketizer().assemble(
        [b"\x08" + KEYFRAME[:4], b"\x00" + KEYFRAME[4:6], b"\x04" + KEYFRAME[6:]]
    )
    assert frame.payload == KEYFRAME
    assert (frame.keyframe, frame.spatial_id, frame.temporal_id) == (True, None, None)
    assert (frame.width, frame.height) == (320, 180)


def test_size_in_the_structure_takes_precedence() -> None:
    structure = bytes.fromhex("38 0140 00b4 0280 0168 00")
    payloads = [b"\x2e\x00\x01" + structure + KEYFRAME, b"\x2c\x03\x01" + INTERFRAME]
    frame = Vp9Depacketizer().assemble(payloads)
    assert (frame.spatial_id, frame.width, frame.height) == (1, 640, 360)


def test_layers_are_joined_into_a_superframe() -> None:
    payloads = [b"\x28\x40\x01" + KEYFRAME[:5], b"\x24\x40\x01" + KEYFRAME[5:], b"\x2c\x43\x01" + INTERFRAME]
    frame = Vp9Depacketizer().assemble(payloads)
    assert split_superframe(frame.payload) == [KEYFRAME, INTERFRAME]
    assert frame.payload == KEYFRAME + INTERFRAME + bytes([0xC1, len(KEYFRAME), len(INTERFRAME), 0xC1])
    assert (frame.keyframe, frame.spatial_id, frame.temporal_id) == (True, 1, 2)


@pytest.mark.parametrize(
    "payloads",
    [
        [b"\x04" + KEYFRAME],
        [b"\x08" + KEYFRAME],
        [b"\x08" + KEYFRAME, b"\x0c" + KEYFRAME],
        [b"\x0c" + KEYFRAME, b"\x04" + KEYFRAME],
        [b"\x0c"],
        [b"\x0c" + KEYFRAME] * 9,
    ],
)
def test_malformed_frames(payloads: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        Vp9Depacketizer().assemble(payloads)


def test_without_layer_ids_only_the_picture_id_is_signaled() -> None:
    packetizer = Vp9Packetizer(Random(1))
    packetizer.packetize(make_frame(KEYFRAME), 100)
    (payload,) = packetizer.packetize(make_frame(INTERFRAME, keyframe=False), 100)
    descriptor = Vp9Descriptor.parse(payload)
    assert descriptor == Vp9Descriptor(
        True,
        starts_layer_frame=True,
        ends_layer_frame=True,
        picture_id=descriptor.picture_id,
        picture_id_bits=15,
    )


def test_keyframe_signals_its_size() -> None:
    (payload,) = Vp9Packetizer(Random(1)).packetize(make_frame(KEYFRAME), 100)
    assert Vp9Descriptor.parse(payload).structure == ScalabilityStructure(1, ((320, 180),))


def test_references_in_flexible_mode() -> None:
    packetizer = Vp9Packetizer(Random(1))
    descriptors = []
    for index, layer in enumerate((0, 2, 1, 2, 0, 2, 1, 2, 0)):
        frame = make_frame(INTERFRAME, keyframe=index == 0, temporal_id=layer)
        descriptors.append(Vp9Descriptor.parse(packetizer.packetize(frame, 100)[0]))
    assert [one.flexible for one in descriptors] == [True] * 9
    assert [one.references for one in descriptors] == [
        (),
        (1,),
        (2,),
        (1, 2, 3),
        (4,),
        (1,),
        (2,),
        (1, 2, 3),
        (4,),
    ]


def test_reference_beyond_seven_bits_is_not_listed() -> None:
    packetizer = Vp9Packetizer(Random(1))
    packetizer.packetize(make_frame(KEYFRAME, temporal_id=0), 100)
    for _ in range(130):
        packetizer.packetize(make_frame(INTERFRAME, keyframe=False, temporal_id=1), 100)
    (payload,) = packetizer.packetize(make_frame(INTERFRAME, keyframe=False, temporal_id=0), 100)
    descriptor = Vp9Descriptor.parse(payload)
    assert descriptor.inter_picture_predicted
    assert not descriptor.flexible
    assert descriptor.tl0_picture_index is not None


def test_known_group_is_signaled_in_non_flexible_mode() -> None:
    group = (GroupPicture(0, True, (2,)), GroupPicture(1, True, (1,)))
    packetizer = Vp9Packetizer(Random(1), group=group)
    descriptors = []
    for index in range(4):
        frame = make_frame(KEYFRAME if not index else INTERFRAME, keyframe=not index, temporal_id=index % 2)
        descriptors.append(Vp9Descriptor.parse(packetizer.packetize(frame, 100)[0]))
    first = descriptors[0].tl0_picture_index
    assert first is not None
    assert descriptors[0].structure == ScalabilityStructure(1, ((320, 180),), group)
    assert [one.structure for one in descriptors[1:]] == [None] * 3
    assert not any(one.flexible for one in descriptors)
    assert [one.tl0_picture_index for one in descriptors] == [
        first,
        first,
        (first + 1) & 0xFF,
        (first + 1) & 0xFF,
    ]


def test_superframe_is_split_into_its_layers() -> None:
    superframe = join_superframe([KEYFRAME, INTERFRAME])
    payloads = Vp9Packetizer(Random(1)).packetize(make_frame(superframe, spatial_id=1, temporal_id=0), 100)
    ids = [read_layers(payload) for payload in payloads]
    assert [one.spatial_id for one in ids] == [0, 1]
    assert [one.inter_layer_dependent for one in ids] == [False, True]
    assert all(one.starts_layer_frame and one.ends_layer_frame for one in ids)
    assert Vp9Depacketizer().assemble(payloads).payload == superframe


def test_superframe_of_one_layer_is_not_split() -> None:
    superframe = join_superframe([KEYFRAME, INTERFRAME])
    (payload,) = Vp9Packetizer(Random(1)).packetize(make_frame(superframe), 100)
    assert payload.endswith(superframe)


@pytest.mark.parametrize(("temporal_id", "spatial_id"), [(8, None), (None, 8), (-1, None)])
def test_layers_out_of_range(temporal_id: int | None, spatial_id: int | None) -> None:
    frame = make_frame(KEYFRAME, temporal_id=temporal_id, spatial_id=spatial_id)
    with pytest.raises(ValueError, match="temporal_id and spatial_id"):
        Vp9Packetizer(Random(1)).packetize(frame, 100)


def test_rewrite_descriptor() -> None:
    assert rewrite_descriptor(
        bytes.fromhex("e5 8001 35 fe 99"), picture_id=0x8123, tl0=0x1FF
    ) == bytes.fromhex("e5 8123 35 ff 99")
    assert rewrite_descriptor(bytes.fromhex("e5 01 35 fe 99"), picture_id=0xFF, tl0=1) == bytes.fromhex(
        "e5 7f 35 01 99"
    )
    # Flexible mode has no TL0PICIDX.
    assert rewrite_descriptor(bytes.fromhex("f0 01 02 0a 99"), tl0=1) == bytes.fromhex("f0 01 02 0a 99")
    for size in range(4):
        with pytest.raises(ProtocolError):
            rewrite_descriptor(bytes.fromhex("e5 8001 35")[:size], picture_id=1, tl0=1)
