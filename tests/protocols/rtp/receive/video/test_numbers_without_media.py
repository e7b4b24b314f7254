"""Missing sequence numbers without media (FEC, padding) delay no frame, and lose none."""

from collections.abc import Sequence

import attrs
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
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import Continuity, layer_reader
from trio_rtc.protocols.rtp.payload.vp8 import Vp8Descriptor
from trio_rtc.protocols.rtp.receive.video.frame_assembler import FrameAssembler
from trio_rtc.protocols.rtp.receive.video.frame_continuity import continuity_tracker

INTERVAL = 3000
Frames = list[list[bytes]]


def of_capture(name: str) -> tuple[str, Frames]:
    """Return the codec and the payloads of each frame of a recording, from its keyframe on."""
    return CAPTURES[name], load_captured_frames(name)


def of_sample(name: str, size: int = 700) -> tuple[str, Frames]:
    codec = SAMPLES[name]
    packetizer = make_packetizer(codec)
    frames = [
        packetizer.packetize(make_frame(data, codec, keyframe=key), size) for key, data in load_sample(name)
    ]
    return codec, frames


NUMBERED = {
    **{name: of_capture(name) for name in CAPTURES if CAPTURES[name] in ("VP8", "VP9", "H264")},
    **{name: of_sample(name) for name in SAMPLES if SAMPLES[name] in ("VP8", "VP9", "H264", "H265")},
}
WITHOUT_NUMBERS = {name: NUMBERED.pop(name) for name in ("chromium-vp8-short-descriptor",)}
WITHOUT_NUMBERS |= {"chromium-av1": of_capture("chromium-av1"), "svt-av1": of_sample("svt-av1")}


@attrs.define
class Receiver:
    """An assembler as in the video pipeline, and the times of its frames."""

    codec: str
    assembler: FrameAssembler = attrs.field(init=False)
    out: list[tuple[float, int]] = attrs.field(factory=list)
    requests: int = 0

    @assembler.default
    def _make_assembler(self) -> FrameAssembler:
        tracker = continuity_tracker(self.codec, {"packetization-mode": "1"})
        return FrameAssembler(make_depacketizer(self.codec), continuity=tracker)

    def insert(self, number: int, index: int, payload: bytes, *, marker: bool, now: float) -> None:
        packet = RtpPacket(96, number & 0xFFFF, INTERVAL * index, 7, payload, marker)
        self.assembler.insert(number, INTERVAL * index, packet, now)
        self.collect(now)

    def collect(self, now: float) -> None:
        self.out += [(now, each.timestamp // INTERVAL) for each in self.assembler.frames(now)]
        self.requests += self.assembler.take_keyframe_request()

    def frame(self, number: int, index: int, payloads: Sequence[bytes], now: float) -> int:
        """Insert the packets of a frame in order; return the number behind them."""
        for at, payload in enumerate(payloads):
            self.insert(number + at, index, payload, marker=at == len(payloads) - 1, now=now)
        return number + len(payloads)

    @property
    def indices(self) -> list[int]:
        return [index for _, index in self.out]


@pytest.mark.parametrize("name", NUMBERED)
@given(data=st.data())
def test_frames_are_completed_with_any_numbers_missing_between_them(name: str, data: st.DataObject) -> None:
    codec, frames = NUMBERED[name]
    receiver = Receiver(codec)
    number = data.draw(st.integers(0, 70_000))
    came: list[tuple[float, int]] = []
    for index, payloads in enumerate(frames):
        now = index / 30
        number = receiver.frame(number, index, payloads, now)
        came.append((now, index))
        # Numbers without media: each is lost, or arrives without a payload.
        for is_lost in data.draw(st.lists(st.booleans(), max_size=6)):
            if not is_lost:
                receiver.insert(number, index, b"", marker=False, now=now)
            number += 1
        assert receiver.out == came
        receiver.collect(now + 0.03)
    assert receiver.out == came
    assert not receiver.requests


@pytest.mark.parametrize("name", NUMBERED)
@given(data=st.data())
def test_also_where_packets_of_a_frame_are_reordered(name: str, data: st.DataObject) -> None:
    codec, frames = NUMBERED[name]
    receiver = Receiver(codec)
    number = 1000
    for index, payloads in enumerate(frames):
        # A keyframe that begins a stream is found by its first packet.
        order = data.draw(st.permutations(range(len(payloads)))) if index else range(len(payloads))
        for at in order:
            receiver.insert(number + at, index, payloads[at], marker=at == len(payloads) - 1, now=index / 30)
        number += len(payloads) + data.draw(st.integers(0, 3))
        assert receiver.indices == list(range(index + 1))
    assert not receiver.requests


@pytest.mark.parametrize("name", NUMBERED)
@given(data=st.data())
def test_a_frame_that_is_lost_is_not_passed_over(name: str, data: st.DataObject) -> None:
    """Else later frames would be decoded without the frames that they refer to."""
    codec, frames = NUMBERED[name]
    receiver = Receiver(codec)
    lost = data.draw(st.integers(1, len(frames) - 2))
    number = 1000
    for index, payloads in enumerate(frames):
        following = (
            number + len(payloads) if index == lost else receiver.frame(number, index, payloads, index / 30)
        )
        number = following + data.draw(st.integers(0, 2))
    assert receiver.indices == list(range(lost))


@pytest.mark.parametrize("name", NUMBERED)
@given(data=st.data())
def test_a_retransmission_releases_delayed_frames_at_once(name: str, data: st.DataObject) -> None:
    codec, frames = NUMBERED[name]
    receiver = Receiver(codec)
    lost = data.draw(st.integers(1, len(frames) - 1))
    number, of_lost = 1000, 0
    for index, payloads in enumerate(frames):
        if index == lost:
            of_lost, following = number, number + len(payloads)
        else:
            following = receiver.frame(number, index, payloads, index / 100)
        number = following + data.draw(st.integers(0, 2))
    receiver.frame(of_lost, lost, frames[lost], len(frames) / 100)
    assert receiver.indices == list(range(len(frames)))
    assert not receiver.requests


# Picture ids of VP8.


def vp8(picture_id: int | None, *, bits: int = 15, key: bool = False, start: bool = True) -> bytes:
    descriptor = Vp8Descriptor(
        start, picture_id=picture_id, picture_id_bits=bits if picture_id is not None else 0
    )
    frame = bytes([0, 0, 0, 0x9D, 0x01, 0x2A, 16, 0, 16, 0, 1]) if key else b"\x01\0\0\0"
    return descriptor.encode() + frame


@pytest.mark.parametrize("bits", [7, 15])
def test_picture_ids_wrap(bits: int) -> None:
    receiver = Receiver("VP8")
    mask = (1 << bits) - 1
    for index, picture_id in enumerate([mask - 1, mask, 0, 1]):
        receiver.frame(10 + 3 * index, index, [vp8(picture_id, bits=bits, key=not index)], index / 30)
    assert receiver.indices == [0, 1, 2, 3]


def test_picture_ids_may_change_their_size() -> None:
    receiver = Receiver("VP8")
    for index, (picture_id, bits) in enumerate([(126, 7), (127, 7), (128, 15), (129, 15), (2, 7)]):
        receiver.frame(10 + 2 * index, index, [vp8(picture_id, bits=bits, key=not index)], index / 30)
    assert receiver.indices == [0, 1, 2, 3, 4]


def test_as_many_missing_numbers_as_picture_ids_count_may_be_as_many_pictures() -> None:
    for missing, comes in ((127, True), (128, False)):
        receiver = Receiver("VP8")
        receiver.frame(10, 0, [vp8(5, bits=7, key=True)], 0.0)
        receiver.frame(11 + missing, missing + 1, [vp8(6, bits=7)], 0.1)
        assert receiver.indices == ([0, missing + 1] if comes else [0])


def test_a_packet_that_does_not_begin_a_frame_is_no_successor() -> None:
    receiver = Receiver("VP8")
    receiver.frame(10, 0, [vp8(5, key=True)], 0.0)
    receiver.frame(12, 1, [vp8(6, start=False)], 0.03)
    assert receiver.indices == [0]
    receiver.insert(11, 1, vp8(6), marker=False, now=0.05)
    assert receiver.indices == [0, 1]


def test_a_restarted_stream_with_other_picture_ids_continues_at_its_keyframe() -> None:
    receiver = Receiver("VP8")
    receiver.frame(10, 0, [vp8(5, key=True)], 0.0)
    receiver.frame(11, 1, [vp8(6)], 0.03)
    receiver.frame(13, 2, [vp8(300, key=True)], 0.06)
    receiver.frame(15, 3, [vp8(301)], 0.09)
    receiver.collect(0.2)
    assert receiver.indices == [0, 1, 2, 3]
    assert not receiver.requests


def test_a_retransmission_without_payload_releases_delayed_frames() -> None:
    """As does the retransmission of a padding packet, or of FEC in RED."""
    receiver = Receiver("VP8")
    receiver.frame(10, 0, [vp8(None, key=True)], 0.0)
    receiver.frame(12, 1, [vp8(None)], 0.03)
    assert receiver.indices == [0]
    receiver.insert(11, 0, b"", marker=False, now=0.08)
    assert receiver.out[1:] == [(0.08, 1)]


# Frames are delayed while it is not known whether a number carried media.


def steady(receiver: Receiver, frames: Frames, count: int) -> int:
    """Insert frames at even intervals and without a gap; return the next number."""
    number = 1000
    for index in range(count):
        number = receiver.frame(number, index, frames[index % len(frames) if not index else 1], index / 30)
    return number


@pytest.mark.parametrize("name", WITHOUT_NUMBERS)
@given(missing=st.lists(st.integers(0, 4), min_size=1, max_size=10))
def test_codecs_without_picture_numbers_use_even_intervals(name: str, missing: list[int]) -> None:
    codec, frames = WITHOUT_NUMBERS[name]
    receiver = Receiver(codec)
    number = steady(receiver, frames, 10)
    for index, count in enumerate(missing, start=10):
        number = receiver.frame(number + count, index, frames[1], index / 30)
        assert receiver.out[-1] == (index / 30, index)
    assert not receiver.requests


def test_a_pause_as_long_as_two_frames_is_waited_for() -> None:
    codec, frames = WITHOUT_NUMBERS["chromium-av1"]
    receiver = Receiver(codec)
    number = steady(receiver, frames, 10)
    receiver.frame(number + 1, 11, frames[1], 0.4)
    assert receiver.indices[-1] == 9
    # It was a frame, and is retransmitted.
    receiver.frame(number, 10, frames[1], 0.45)
    assert receiver.indices[-2:] == [10, 11]


def test_before_there_is_a_pace_a_frame_waits_for_one_answer_and_no_longer() -> None:
    receiver = Receiver("VP8")
    receiver.assembler.set_retransmission_timeout(0.4, 0.12)
    for index in range(3):
        receiver.frame(10 + index, index, [vp8(None, key=not index)], index / 30)
    receiver.frame(14, 3, [vp8(None)], 0.1)
    assert receiver.indices == [0, 1, 2]
    assert receiver.assembler.next_timer() == pytest.approx(0.22)
    receiver.collect(0.22)
    assert receiver.indices == [0, 1, 2, 3]
    assert not receiver.requests


def test_late_media_at_a_passed_over_number_requests_a_keyframe() -> None:
    receiver = Receiver("VP8")
    frames = [[vp8(None, key=True)], [vp8(None)]]
    number = steady(receiver, frames, 10)
    # The sender doubles its rate just where a frame is lost.
    receiver.frame(number + 1, 10, [vp8(None)], 0.34)
    assert receiver.indices[-1] == 10
    assert not receiver.requests
    receiver.frame(number, 9, [vp8(None)], 0.4)
    assert receiver.requests == 1
    assert receiver.assembler.counters.passed_over == 1


# Layers.


def test_an_upper_spatial_layer_is_not_the_beginning_of_a_picture() -> None:
    codec, frames = NUMBERED["chromium-vp9-l2t3-key"]
    read = layer_reader(codec)
    assert read is not None
    receiver = Receiver(codec)
    number = 1000
    for index, payloads in enumerate(frames[:3]):
        number = receiver.frame(number, index, payloads, index / 30)
    picture = frames[3]
    upper = next(at for at, payload in enumerate(picture) if read(payload).spatial_id)
    assert upper
    for at in range(upper, len(picture)):
        receiver.insert(number + at, 3, picture[at], marker=at == len(picture) - 1, now=0.1)
    assert receiver.indices == [0, 1, 2]
    for at in range(upper):
        receiver.insert(number + at, 3, picture[at], marker=False, now=0.15)
    assert receiver.indices == [0, 1, 2, 3]


def vp9(picture_id: int, *references: int) -> bytes:
    """Return a VP9 frame in flexible mode, as one packet."""
    first = 0x80 | 0x10 | 0x08 | 0x04 | (0x40 if references else 0)
    head = bytes([first, 0x80 | picture_id >> 8, picture_id & 0xFF])
    last = len(references) - 1
    return head + bytes(back << 1 | (at < last) for at, back in enumerate(references)) + b"\x82\x49\x83\x42"


def test_a_picture_that_refers_to_no_missing_one_needs_no_keyframe() -> None:
    receiver = Receiver("VP9")
    receiver.assembler.set_retransmission_timeout(0.5, 0.1)
    for index, payload in enumerate([vp9(1), vp9(2, 1), vp9(3, 1)]):
        receiver.frame(10 + index, index, [payload], index / 30)
    # The fourth is lost, on which no other depends.
    receiver.frame(14, 4, [vp9(5, 2)], 0.15)
    assert receiver.indices == [0, 1, 2]
    receiver.collect(0.25)
    assert receiver.indices == [0, 1, 2, 4]
    assert not receiver.requests
    # A frame that refers to it must wait.
    receiver.frame(16, 6, [vp9(7, 1)], 0.3)
    receiver.collect(0.5)
    assert receiver.indices == [0, 1, 2, 4]


def test_discardable_pictures_are_not_given_up_too_soon() -> None:
    """H.264 does not number them: there the interval decides, else a retransmission is waited for."""
    codec, frames = NUMBERED["libx264"]
    disposable = [bytes([payload[0] & 0x1F]) + payload[1:] for payload in frames[3]]
    receiver = Receiver(codec)
    receiver.assembler.set_retransmission_timeout(0.5, 0.1)
    number = 1000
    for index, payloads in enumerate([*frames[:3], disposable]):
        number = receiver.frame(number, index, payloads, index / 30)
    assert receiver.indices == [0, 1, 2, 3]
    # Twice the time of one: another of them may have been lost.
    receiver.frame(number + 1, 5, frames[3], 0.17)
    assert receiver.indices == [0, 1, 2, 3]
    receiver.collect(0.27)
    assert receiver.indices == [0, 1, 2, 3, 5]
    assert not receiver.requests


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "H265"])
@given(
    frames=st.lists(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), max_size=6),
    following=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8),
    missing=st.integers(1, 70_000),
)
def test_payloads_of_any_bytes_are_accepted(
    codec: str, frames: Frames, following: list[bytes], missing: int
) -> None:
    tracker = continuity_tracker(codec, {"sprop-parameter-sets": "Z0IA,aM4=", "sprop-sps": "QgEB"})
    assert tracker is not None
    for payloads in frames:
        tracker.record(payloads)
        assert isinstance(tracker.check(following, missing), Continuity)
