"""Header extensions of forwarded packets: end-to-end ones only, with the ids of the next hop."""

import attrs
import pytest

from tests.strategies.forwarding_hops import FIRST_HOP, OTHER, hop
from tests.strategies.rtp_pair import (
    VIDEO,
    video_frame,
)
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.forward.extension_mapper import HOP_BY_HOP, ExtensionMapper
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_CAPTURE_TIME,
    CSRC_AUDIO_LEVEL,
    MID,
    PLAYOUT_DELAY,
    TRANSPORT_WIDE_CC,
    VIDEO_ORIENTATION,
    ExtensionMap,
    encode_abs_capture_time,
    encode_playout_delay,
)

SECOND_HOP = {
    1: MID,
    2: TRANSPORT_WIDE_CC,
    3: VIDEO_ORIENTATION,
    6: PLAYOUT_DELAY,
    7: ABS_CAPTURE_TIME,
    9: OTHER,
    14: CSRC_AUDIO_LEVEL,
}


def test_end_to_end_elements_are_forwarded_with_the_ids_of_the_next_hop() -> None:
    first, second = hop(FIRST_HOP), hop(SECOND_HOP)
    frame = attrs.evolve(video_frame(0, first.now), rotation=90, capture_time=3.9e9)
    first.alice.session.send_frame(VIDEO, frame, first.now)
    first.run(0.1)
    assert first.bob.packets
    assert {packet.header_values().rotation for packet in first.bob.packets} == {90}
    second.alice.session.send_packets(VIDEO, first.bob.packets, second.now)
    second.run(0.1)
    for before, after in zip(first.bob.packets, second.bob.packets, strict=True):
        assert after.payload == before.payload
        assert after.extension(3) == before.extension(1)
        assert after.extension(7) == before.extension(6)
        assert after.extension(1) == VIDEO.encode()
        values = after.header_values()
        assert (values.rotation, values.capture_time) == (90, 3.9e9)
    assert second.bob.frames(VIDEO)[0].rotation == 90


def test_hop_by_hop_elements_are_not_forwarded() -> None:
    theirs = ExtensionMap(FIRST_HOP)
    every = tuple((number, bytes([number])) for number in FIRST_HOP)
    carried = ExtensionMapper(theirs).map_elements(
        RtpPacket(96, 1, 2, 3, extensions=every, extension_map=theirs)
    )
    assert {FIRST_HOP[number] for number, _ in carried} == set(FIRST_HOP.values()) - HOP_BY_HOP
    assert all(value == bytes([number]) for number, value in carried)


def test_elements_that_one_side_has_not_negotiated_are_dropped() -> None:
    theirs = ExtensionMap(FIRST_HOP)
    packet = RtpPacket(96, 1, 2, 3, extensions=((12, b"x"), (13, b"y"), (15, b"z")), extension_map=theirs)
    assert ExtensionMapper(ExtensionMap(SECOND_HOP)).map_elements(packet) == ((9, b"x"),)


def test_without_an_extension_map_no_element_is_forwarded() -> None:
    packet = RtpPacket(96, 1, 2, 3, extensions=((3, b"x"),))
    assert ExtensionMapper(ExtensionMap(SECOND_HOP)).map_elements(packet) == ()
    assert packet.header_values().rotation is None


def test_each_source_is_read_by_its_own_map() -> None:
    carrier = ExtensionMapper(ExtensionMap(SECOND_HOP))
    one = RtpPacket(96, 1, 2, 3, extensions=((12, b"x"),), extension_map=ExtensionMap(FIRST_HOP))
    other = attrs.evolve(one, extension_map=ExtensionMap({12: PLAYOUT_DELAY}))
    assert [carrier.map_elements(packet) for packet in (one, other, one)] == [
        ((9, b"x"),),
        ((6, b"x"),),
        ((9, b"x"),),
    ]


def test_how_far_another_clock_is_off_is_left_out() -> None:
    theirs = ExtensionMap(FIRST_HOP)
    extensions = ((5, encode_playout_delay(0.1, 0.2)), (6, encode_abs_capture_time(3.9e9, 0.25)))
    packet = RtpPacket(96, 1, 2, 3, extensions=extensions, extension_map=theirs)
    carried = ExtensionMapper(ExtensionMap(SECOND_HOP)).map_elements(packet)
    assert carried == ((6, encode_playout_delay(0.1, 0.2)), (7, encode_abs_capture_time(3.9e9)))


@pytest.mark.parametrize("value", [b"", bytes(17), bytes(255)])
def test_elements_that_do_not_fit_the_one_byte_form_are_dropped(value: bytes) -> None:
    packet = RtpPacket(96, 1, 2, 3, extensions=((12, value),), extension_map=ExtensionMap(FIRST_HOP))
    assert ExtensionMapper(ExtensionMap(SECOND_HOP)).map_elements(packet) == ()
