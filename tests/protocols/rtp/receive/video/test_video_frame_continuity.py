"""The frames of VP8 and VP9 that can be decoded after a loss, by the layers in their descriptors."""

import pytest

from tests.strategies.rtp_payloads import make_depacketizer
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import Continuity, ContinuityTracker
from trio_rtc.protocols.rtp.payload.vp8 import Vp8Descriptor
from trio_rtc.protocols.rtp.payload.vp9_descriptor import Vp9Descriptor
from trio_rtc.protocols.rtp.receive.video.frame_assembler import FrameAssembler
from trio_rtc.protocols.rtp.receive.video.frame_continuity import (
    LayerPosition,
    TemporalContinuity,
    continuity_tracker,
    layer_position_reader,
)

KEYFRAME = bytes.fromhex("10 02 00 9d012a 4001 f000 99")
INTERFRAME = bytes.fromhex("11 02 00 99")


def base(number: int) -> LayerPosition:
    return LayerPosition(0, number)


def upper(temporal_id: int, number: int, *, sync: bool = False) -> LayerPosition:
    return LayerPosition(temporal_id, number, sync)


def after_keyframe(position: LayerPosition | None) -> TemporalContinuity:
    continuity = TemporalContinuity()
    continuity.begin(position)
    return continuity


# After a keyframe without layer numbers


def test_without_a_loss_frames_follow_a_keyframe_without_layer_numbers() -> None:
    continuity = after_keyframe(None)
    for position in (None, upper(1, 7), base(8), upper(2, 8), base(9)):
        assert continuity.accepts(position)
        continuity.record(position)


@pytest.mark.parametrize("number", [0, 1, 8, 255])
def test_directly_behind_a_keyframe_without_layers_the_missing_layer_is_unknown(number: int) -> None:
    continuity = after_keyframe(None)
    continuity.lose()
    for position in (base(number), upper(1, number, sync=True), upper(1, number), None):
        assert not continuity.accepts_after_loss(position)
        assert not continuity.accepts(position)


def test_the_first_frame_with_layer_numbers_begins_to_count_them() -> None:
    continuity = after_keyframe(None)
    continuity.record(upper(1, 7))
    assert not continuity.accepts_after_loss(base(8))
    continuity.record(base(7))
    assert continuity.accepts_after_loss(base(8))
    assert continuity.accepts_after_loss(upper(1, 7, sync=True))


def test_a_keyframe_without_layer_numbers_ends_those_of_before() -> None:
    continuity = after_keyframe(base(7))
    continuity.begin(None)
    assert not continuity.accepts_after_loss(base(8))


# Consecutive numbers


@pytest.mark.parametrize("last", [0, 7, 254, 255])
def test_of_the_base_layer_only_the_next_frame_is_accepted(last: int) -> None:
    continuity = after_keyframe(base(last))
    accepted = [number for number in range(256) if continuity.accepts_after_loss(base(number))]
    assert accepted == [(last + 1) % 256]


def test_of_upper_layers_only_a_frame_that_needs_the_last_base_layer_frame_alone_is_accepted() -> None:
    continuity = after_keyframe(base(7))
    continuity.lose()
    assert not continuity.accepts(upper(1, 7))
    assert not continuity.accepts(upper(1, 8, sync=True))
    assert not continuity.accepts(upper(1, 6, sync=True))
    assert continuity.accepts(upper(1, 7, sync=True))
    continuity.record(upper(1, 7, sync=True))
    assert continuity.accepts(upper(1, 7))
    # Its layer is decodable again, the one above is not.
    assert not continuity.accepts(upper(2, 7))
    assert not continuity.accepts(upper(1, 8))


def test_an_upper_layer_needs_all_below_it() -> None:
    continuity = after_keyframe(base(7))
    continuity.lose()
    continuity.record(upper(2, 7, sync=True))
    assert not continuity.accepts(upper(2, 7))
    continuity.record(upper(1, 7, sync=True))
    assert continuity.accepts(upper(2, 7))


def test_behind_a_switching_up_point_all_upper_layers_are_accepted() -> None:
    continuity = after_keyframe(base(7))
    continuity.lose()
    continuity.record(LayerPosition(0, 8, switching_up_point=True))
    assert all(continuity.accepts(upper(layer, 8)) for layer in range(1, 8))
    continuity.lose()
    assert not any(continuity.accepts(upper(layer, 8)) for layer in range(1, 8))


def test_a_switching_up_point_does_not_concern_its_own_layer() -> None:
    continuity = after_keyframe(base(7))
    continuity.lose()
    continuity.record(LayerPosition(1, 7, switching_up_point=True))
    assert not continuity.accepts(upper(1, 7))
    assert not continuity.accepts(upper(2, 7))
    continuity.record(upper(1, 7, sync=True))
    assert continuity.accepts(upper(2, 7))


# Frames of VP8 and VP9 through the assembler


def assemble(frames: list[bytes | None], codec: str = "VP8") -> tuple[list[int], bool]:
    """Insert frames of one packet, ``None`` for lost ones; return the indices of the completed ones.

    Also return whether a keyframe is requested in the end.
    """
    options = FrameAssemblerOptions(max_wait=0.1, longest_wait=0.1, last_wait=0.05, min_wait=0.01)
    assembler = FrameAssembler(
        make_depacketizer(codec), options, read_layers=layer_position_reader(codec), repairs=False
    )
    out: list[int] = []
    requested = False
    now = 0.0
    for index, payload in enumerate(frames):
        now = index / 30
        if payload is not None:
            packet = RtpPacket(96, index, 3000 * index, 7, payload, True)
            assembler.insert(index, 3000 * index, packet, now)
        out += [frame.first_sequence_number for frame in assembler.frames(now)]
    while assembler.next_timer() < now + 1 and not requested:
        out += [frame.first_sequence_number for frame in assembler.frames(assembler.next_timer())]
        requested = assembler.take_keyframe_request()
    return out, requested


def vp8(data: bytes, temporal_id: int | None = None, number: int | None = None) -> bytes:
    descriptor = Vp8Descriptor(True, temporal_id=temporal_id, tl0_picture_index=number)
    return descriptor.encode() + data


def test_a_keyframe_without_layer_numbers_followed_by_frames_with_them() -> None:
    key = vp8(KEYFRAME)
    frames = [vp8(INTERFRAME, layer, number) for layer, number in ((0, 5), (1, 5), (0, 6), (1, 6), (0, 7))]
    assert assemble([key, *frames]) == ([0, 1, 2, 3, 4, 5], False)
    # A frame of the upper layer may be missing; its next one has no layer sync.
    assert assemble([key, frames[0], None, *frames[2:]]) == ([0, 1, 3, 5], False)
    # A frame of the base layer must not, and directly behind the keyframe it is not known which is missing.
    assert assemble([key, frames[0], frames[1], None, *frames[3:]]) == ([0, 1, 2], True)
    assert assemble([key, None, *frames[1:]]) == ([0], True)


def vp9(temporal_id: int, number: int, *, key: bool = False, up: bool = False) -> bytes:
    descriptor = Vp9Descriptor(
        inter_picture_predicted=not key,
        starts_layer_frame=True,
        ends_layer_frame=True,
        picture_id=1,
        picture_id_bits=15,
        temporal_id=temporal_id,
        switching_up_point=up,
        spatial_id=0,
        tl0_picture_index=number,
    )
    return descriptor.encode() + b"\x99"


def test_the_upper_layer_of_vp9_recovers_at_a_switching_up_point() -> None:
    """L1T2: the upper layer is decodable again behind the next frame with the U bit, without a keyframe."""
    before = [vp9(0, 0, key=True), vp9(1, 0), None, vp9(0, 1)]
    with_point = [*before, vp9(1, 1), vp9(0, 2, up=True), vp9(1, 2), vp9(0, 3), vp9(1, 3)]
    assert assemble(with_point, "VP9") == ([0, 1, 3, 5, 6, 7, 8], False)
    without = [*before, vp9(1, 1), vp9(0, 2), vp9(1, 2), vp9(0, 3), vp9(1, 3)]
    assert assemble(without, "VP9") == ([0, 1, 3, 5, 7], False)


# VP9 frames


def vp9_tracker(payload: str) -> ContinuityTracker:
    tracker = continuity_tracker("VP9", {})
    assert tracker is not None
    tracker.record([bytes.fromhex(payload)])
    return tracker


@pytest.mark.parametrize(
    ("last", "following", "expected"),
    [
        # I, P, L, B and E: picture ids 1 and 2, spatial layer 0.
        ("ec 01 00 07 99", "ec 02 00 07 99", Continuity.NEXT),
        # Spatial layer 1 that depends on layer 0 with its picture id, behind a frame of layer 0: it may be missing.
        ("ec 01 00 07 99", "ec 02 03 07 99", Continuity.BROKEN),
        ("ec 01 00 07 99", "ec 02 02 07 99", Continuity.BROKEN),
        ("ec 01 00 07 99", "ec 01 03 07 99", Continuity.BROKEN),
        # From a higher layer to the lowest of the next picture id.
        ("ec 01 03 07 99", "ec 02 00 07 99", Continuity.NEXT),
        # The same layers as before.
        ("ec 01 03 07 99", "ec 02 03 07 99", Continuity.NEXT),
        # No beginning of a layer's frame; a frame between; flexible mode with and without its reference.
        ("ec 01 00 07 99", "e4 02 00 07 99", Continuity.BROKEN),
        ("ec 01 00 07 99", "ec 03 00 07 99", Continuity.BROKEN),
        ("fc 01 00 02 99", "fc 03 00 04 99", Continuity.DECODABLE),
        ("fc 01 00 02 99", "fc 03 00 02 99", Continuity.BROKEN),
    ],
)
def test_frames_of_vp9(last: str, following: str, expected: Continuity) -> None:
    assert vp9_tracker(last).check([bytes.fromhex(following)], 1) is expected


@pytest.mark.parametrize(("layer", "starts"), [(0, True), (1, False), (2, True), (3, False)])
def test_no_picture_of_vp9_starts_with_a_frame_that_depends_on_a_lower_layer(
    layer: int, starts: bool
) -> None:
    """The lowest bit of the layer indices, and whatever the spatial layer is."""
    depacketizer = make_depacketizer("VP9")
    for first in (0xAC, 0xEC):
        payload = bytes((first, 1, layer, 7, 0x99))
        assert depacketizer.starts_frame(payload) is starts
        assert depacketizer.is_keyframe_start(payload) is (starts and first == 0xAC)
