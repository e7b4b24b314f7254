"""Packets forwarded to another session: once each, with their end-to-end extensions, and protected there."""

from collections.abc import Mapping

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import (
    FEC_SSRC,
    FLEXFEC,
    RED_VIDEO,
    RTX_SSRC,
    ULPFEC,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    Pair,
    random_loss,
    ssrc_of,
    video_frame,
    video_section,
)
from trio_rtc.protocols.rtp import RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.forward.extension_mapper import HOP_BY_HOP, ExtensionMapper
from trio_rtc.protocols.rtp.forward.sequence_remapper import SequenceRemapper
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    CSRC_AUDIO_LEVEL,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RTP_STREAM_ID,
    RTP_STREAM_ID,
    TRANSPORT_WIDE_CC,
    VIDEO_ORIENTATION,
    ExtensionMap,
    encode_abs_capture_time,
    encode_playout_delay,
)
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceWindow

OTHER = "urn:example:negotiated-by-both"
FIRST_HOP = {
    1: VIDEO_ORIENTATION,
    2: ABS_SEND_TIME,
    3: TRANSPORT_WIDE_CC,
    4: MID,
    5: PLAYOUT_DELAY,
    6: ABS_CAPTURE_TIME,
    10: RTP_STREAM_ID,
    11: REPAIRED_RTP_STREAM_ID,
    12: OTHER,
    13: AUDIO_LEVEL,
}
SECOND_HOP = {
    1: MID,
    2: TRANSPORT_WIDE_CC,
    3: VIDEO_ORIENTATION,
    6: PLAYOUT_DELAY,
    7: ABS_CAPTURE_TIME,
    9: OTHER,
    14: CSRC_AUDIO_LEVEL,
}


def hop(extensions: Mapping[int, str], options: RtpOptions | None = None) -> Pair:
    """Return two sessions, of which the second returns packets."""
    pair = Pair(options)
    pair.negotiate(video_section(extensions=extensions))
    pair.bob.session.set_demand(VIDEO, frames=True, packets=True)
    return pair


# End-to-end extensions.


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


def test_retransmissions_have_the_same_elements() -> None:
    """The orientation of a frame is in its last packet only, as the standard defines."""
    pair = hop(FIRST_HOP)
    pair.run(2.5, video=30)
    assert pair.alice.session.sender.streams[0][0].identifiers.acknowledged
    pair.drop = lambda datagram: ssrc_of(datagram) == VIDEO_SSRC
    frame = attrs.evolve(video_frame(1000, pair.now), rotation=180)
    pair.alice.session.send_frame(VIDEO, frame, pair.now)
    pair.run(0.01)
    pair.drop = lambda _: False
    pair.run(1, video=30)
    assert [each.rotation for each in pair.bob.frames(VIDEO) if each.payload == frame.payload] == [180]


# Once each.


def test_padding_that_probes_the_path_is_not_forwarded() -> None:
    pair = hop(FIRST_HOP)
    pair.run(4, video=30, size=2000)
    pair.run(0.1)
    counters = pair.alice.session.sender.streams[0][0].counters
    assert counters.padding_packets_sent > 5
    arrived = [each for each in pair.alice.datagrams if ssrc_of(each) == RTX_SSRC]
    assert len(arrived) >= counters.padding_packets_sent
    numbers = [packet.sequence_number for packet in pair.bob.packets]
    assert len(numbers) == len(set(numbers)) == counters.packets_sent
    assert all(packet.payload for packet in pair.bob.packets)


def test_lost_packets_are_forwarded_when_they_arrive() -> None:
    pair = hop(FIRST_HOP)
    pair.drop = random_loss(5, 0.1)
    pair.run(4, video=30)
    pair.drop = lambda _: False
    pair.run(1)
    numbers = [packet.sequence_number for packet in pair.bob.packets]
    assert pair.dropped > 10
    assert len(set(numbers)) == len(numbers)
    sent = pair.alice.session.sender.streams[0][0].counters.packets_sent
    assert sent - 2 <= len(numbers) <= sent


def test_packets_from_before_the_demand_are_not_forwarded_when_repeated() -> None:
    pair = hop(FIRST_HOP)
    pair.bob.session.set_demand(VIDEO, frames=True, packets=False)
    # The first packets are kept for an early consumer.
    pair.run(3, video=90)
    seen = pair.bob.session.receiver.streams
    (highest,) = [stream.statistics.highest for stream in seen]
    assert highest is not None
    pair.bob.session.set_demand(VIDEO, frames=True, packets=True)
    pair.run(3, video=30)
    numbers = [packet.sequence_number for packet in pair.bob.packets]
    assert min(numbers) == highest + 1
    assert len(set(numbers)) == len(numbers)


@given(st.lists(st.integers(0, 200), max_size=120), st.none() | st.integers(0, 100))
def test_a_number_is_new_once(numbers: list[int], seen_up_to: int | None) -> None:
    seen = SequenceWindow(64, seen_up_to)
    highest = -1000 if seen_up_to is None else seen_up_to
    before = set() if seen_up_to is None else set(range(seen_up_to + 1))
    for number in numbers:
        assert seen.add(number) == (number not in before and number > highest - 64)
        before.add(number)
        highest = max(highest, number)


# Protected.


def test_forwarded_packets_are_protected_where_that_was_negotiated() -> None:
    section = video_section(attrs.evolve(VP8, rtx_payload_type=None, feedback=frozenset()), FLEXFEC, fec=True)
    pair = Pair(RtpOptions(fec_loss=0))
    pair.negotiate(section)
    source = hop(FIRST_HOP)
    lost = {20 * number + 7 for number in range(1, 100)}
    count = 0

    def drop(datagram: bytes) -> bool:
        nonlocal count
        count += ssrc_of(datagram) == VIDEO_SSRC
        return ssrc_of(datagram) == VIDEO_SSRC and count in lost

    pair.drop = drop
    for _ in range(120):
        source.run(1 / 30, video=30)
        pair.alice.session.send_packets(VIDEO, source.bob.packets, pair.now)
        source.bob.packets.clear()
        pair.run(1 / 30)
    assert any(ssrc_of(datagram) == FEC_SSRC for datagram in pair.alice.datagrams)
    (stream,) = pair.bob.session.receiver.streams
    assert stream.counters.fec_recovered > 5
    assert pair.alice.session.sender.streams[0][0].counters.fec_packets_sent > 10


# Numbers without media.


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=150))
def test_forwarded_packets_have_unique_numbers_in_order(arrivals: list[tuple[int, bool]]) -> None:
    numbers = SequenceRemapper(32)
    given_out: dict[int, int] = {}
    for number, is_media in arrivals:
        if not is_media:
            numbers.skip(number)
        elif (ours := numbers.remap(number)) is not None:
            assert number not in given_out
            given_out[number] = ours
    ordered = [ours for _, ours in sorted(given_out.items())]
    assert ordered == sorted(set(ordered))


def test_numbers_behind_skipped_ones_are_decreased() -> None:
    numbers = SequenceRemapper(32)
    for number in range(100):
        if number % 3:
            assert numbers.remap(number) == number - number // 3 - 1
        else:
            numbers.skip(number)
    numbers.skip(50)
    assert numbers.remap(100) == 66


def test_fec_packets_among_the_media_leave_no_gap() -> None:
    pair = Pair(RtpOptions(fec_loss=0))
    pair.negotiate(
        video_section(attrs.evolve(VP8, rtx_payload_type=None, feedback=frozenset()), RED_VIDEO, ULPFEC)
    )
    pair.bob.session.set_demand(VIDEO, frames=False, packets=True)
    pair.drop = random_loss(3, 0.1)
    pair.run(2, video=30, size=4000)
    pair.drop = lambda _: False
    pair.run(0.2, video=30, size=4000)
    before = len(pair.bob.packets)
    repairs = pair.bob.session.receiver.counters()["incoming_fec_packets"]
    pair.run(0.7, video=30, size=4000)
    assert pair.bob.session.receiver.counters()["incoming_fec_packets"] > repairs > 10
    numbers = [packet.sequence_number for packet in pair.bob.packets[before:]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
