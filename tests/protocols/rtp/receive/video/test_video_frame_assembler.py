"""Frames assembled from packets."""

import itertools
import math

import pytest

from tests.strategies.toy_video import ToyDepacketizer, frame_index, toy_packet, toy_payloads
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.receive.video.frame_assembler import FrameAssembler

MAX_WAIT, LONGEST_WAIT, LAST_WAIT, MIN_WAIT = 0.5, 1.0, 0.3, 0.02
KEYFRAME_INTERVAL = 0.3
OPTIONS = FrameAssemblerOptions(
    max_wait=MAX_WAIT,
    longest_wait=LONGEST_WAIT,
    last_wait=LAST_WAIT,
    min_wait=MIN_WAIT,
    max_packets=100,
)


class Sender:
    """Numbers packets; the test determines which of them arrive."""

    def __init__(self, assembler: FrameAssembler) -> None:
        self.assembler = assembler
        self.number = 1000
        self.timestamp = 50_000
        self.index = 0

    def frame(self, count: int = 1, **kind: object) -> list[tuple[int, int, bytes, bool]]:
        payloads = toy_payloads(self.index, count, **kind)  # type: ignore[arg-type]
        packets = [
            (self.number + i, self.timestamp, payload, i == count - 1) for i, payload in enumerate(payloads)
        ]
        self.number += count
        self.timestamp += 3000
        self.index += 1
        return packets

    def deliver(self, packets: list[tuple[int, int, bytes, bool]], now: float = 0.0) -> list[int]:
        for number, timestamp, payload, marker in packets:
            self.assembler.insert(number, timestamp, toy_packet(payload, marker=marker), now)
        return [frame_index(completed.frame) for completed in self.assembler.frames(now)]


@pytest.fixture
def assembler() -> FrameAssembler:
    return FrameAssembler(ToyDepacketizer(), OPTIONS)


@pytest.fixture
def sender(assembler: FrameAssembler) -> Sender:
    return Sender(assembler)


def test_a_frame_is_completed_by_its_marker_and_not_by_the_next_frame(
    sender: Sender, assembler: FrameAssembler
) -> None:
    packets = sender.frame(3, key=True)
    assert sender.deliver(packets[:2]) == []
    assert sender.deliver(packets[2:]) == [0]
    assert sender.deliver(sender.frame(1)) == [1]
    assert assembler.next_timer() == math.inf
    assert not assembler.take_keyframe_request()


def test_a_completed_frame_has_times_numbers_and_header(sender: Sender, assembler: FrameAssembler) -> None:
    first, second = sender.frame(2, key=True)
    sender.deliver([second], 1.0)
    assembler.insert(first[0], first[1], toy_packet(first[2], timestamp=first[1]), 1.01)
    (completed,) = assembler.frames(1.02)
    assert (completed.began_at, completed.completed_at) == (1.0, 1.01)
    assert (completed.first_sequence_number, completed.last_sequence_number) == (1000, 1001)
    assert completed.timestamp == 50_000
    assert completed.packet.timestamp == 50_000
    assert completed.frame.keyframe


def test_reordered_packets_cost_nothing(sender: Sender, assembler: FrameAssembler) -> None:
    packets = sender.frame(3, key=True) + sender.frame(2) + sender.frame(1)
    assert sender.deliver(packets[::-1]) == [0, 1, 2]
    assert assembler.counters.dropped == 0


def test_stream_without_markers_still_flows(sender: Sender) -> None:
    packets = [
        (*packet[:3], False) for packet in sender.frame(2, key=True) + sender.frame(1) + sender.frame(1)
    ]
    assert sender.deliver(packets) == [0, 1]


def test_packets_without_payload_fill_numbers(sender: Sender, assembler: FrameAssembler) -> None:
    out = sender.deliver(sender.frame(2, key=True))
    for _ in range(3):
        assembler.insert(sender.number, sender.timestamp, toy_packet(b""), 0.0)
        sender.number += 1
    assert out + sender.deliver(sender.frame(2)) == [0, 1]


def test_a_stream_that_is_joined_in_the_middle_asks_for_a_keyframe(
    sender: Sender, assembler: FrameAssembler
) -> None:
    assert sender.deliver(sender.frame(1), 1.0) == []
    assert not assembler.take_keyframe_request()
    assert assembler.next_timer() == pytest.approx(1.0 + MIN_WAIT)
    assert sender.deliver([], assembler.next_timer()) == []
    assert assembler.take_keyframe_request()
    assert not assembler.take_keyframe_request()
    assert sender.deliver(sender.frame(2, key=True), 1.1) == [1]
    assert not assembler.waiting_for_keyframe


def test_a_keyframe_is_requested_again_with_backoff(sender: Sender, assembler: FrameAssembler) -> None:
    sender.deliver(sender.frame(1), 0.0)
    times: list[float] = []
    while len(times) < 6:
        now = assembler.next_timer()
        assembler.frames(now)
        assert assembler.next_timer() > now
        if assembler.take_keyframe_request():
            times.append(now)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == pytest.approx([0.3 * 1.5**index for index in range(5)])
    assert assembler.keyframe_requests == 6


@pytest.mark.parametrize(
    ("answer", "queue", "interval"),
    [(0.1, 0.0, KEYFRAME_INTERVAL), (0.1, 0.1, KEYFRAME_INTERVAL), (0.1, 0.4, 0.5), (0.6, 0.0, 0.6)],
)
def test_a_keyframe_is_not_requested_again_before_the_answer_can_arrive(
    sender: Sender, assembler: FrameAssembler, answer: float, queue: float, interval: float
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    assembler.set_retransmission_timeout(MAX_WAIT, answer, queue)
    sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    asked = assembler.next_timer()
    assert sender.deliver([], asked) == []
    assert assembler.take_keyframe_request()
    sender.deliver([], asked + interval - 0.01)
    assert not assembler.take_keyframe_request()
    sender.deliver([], asked + interval)
    assert assembler.take_keyframe_request()


@pytest.mark.parametrize(("queue", "wait"), [(0.0, MAX_WAIT), (0.3, MAX_WAIT + 0.6), (9.0, MAX_WAIT + 1.0)])
def test_packets_dropped_by_a_full_queue_are_waited_for_longer(
    sender: Sender, assembler: FrameAssembler, queue: float, wait: float
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    assembler.set_retransmission_timeout(0.2, 0.05, queue)
    lost = sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    assert assembler.next_timer() == pytest.approx(2.0 + wait)
    assert sender.deliver(lost, 2.0 + wait - 0.01) == [1, 2]
    assert not assembler.take_keyframe_request()


def test_retransmissions_that_arrive_one_by_one_are_waited_for(
    sender: Sender, assembler: FrameAssembler
) -> None:
    """Ten gaps appear at once, and the last of them is filled long after the wait for one is over."""
    sender.deliver(sender.frame(1, key=True), 1.0)
    assembler.set_retransmission_timeout(0.2, 0.2)
    lost = []
    for _ in range(10):
        lost.append(sender.frame(1))
        sender.deliver(sender.frame(1), 2.0)
    for index, packets in enumerate(lost):
        assert sender.deliver(packets, 2.15 + 0.15 * index) == [2 * index + 1, 2 * index + 2]
    assert not assembler.take_keyframe_request()
    # They stop.
    lost = [sender.frame(1)]
    sender.deliver(sender.frame(1), 4.0)
    lost.append(sender.frame(1))
    sender.deliver(sender.frame(1), 4.0)
    assert sender.deliver(lost[0], 4.45) == [21, 22]
    assert assembler.next_timer() == pytest.approx(4.65)
    assert sender.deliver([], 4.65) == []
    assert assembler.take_keyframe_request()


def test_a_keyframe_in_flight_is_not_requested_again_at_the_next_gap(
    sender: Sender, assembler: FrameAssembler
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    assembler.set_retransmission_timeout(0.2, 0.1, 0.3)
    lost = sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    asked = assembler.next_timer()
    sender.deliver([], asked)
    assert assembler.take_keyframe_request()
    assert sender.deliver(lost, asked + 0.01) == [1, 2]
    while (now := assembler.next_timer()) < asked + 0.4:
        sender.deliver([], now)
        assert not assembler.take_keyframe_request()
    sender.deliver([], now)
    sender.deliver([], assembler.next_timer())
    assert assembler.take_keyframe_request()


def test_a_gap_waits_for_retransmission_until_the_deadline(sender: Sender, assembler: FrameAssembler) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    lost = sender.frame(1)
    assert sender.deliver(sender.frame(1), 1.1) == []
    assert assembler.next_timer() == pytest.approx(1.1 + MAX_WAIT)
    assert sender.deliver(lost, 1.5) == [1, 2]
    sender.frame(1)
    assert sender.deliver(sender.frame(1), 2.0) == []
    assert sender.deliver([], 2.0 + MAX_WAIT) == []
    assert assembler.take_keyframe_request()
    assert sender.deliver(sender.frame(1), 2.6) == []
    assert sender.deliver(sender.frame(1, key=True), 2.7) == [6]


@pytest.mark.parametrize(
    ("retransmission_timeout", "wait"), [(0.1, MAX_WAIT), (0.8, 0.8), (12.0, LONGEST_WAIT)]
)
def test_a_gap_waits_as_long_as_two_requests_take_on_a_long_path(
    sender: Sender, assembler: FrameAssembler, retransmission_timeout: float, wait: float
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    assembler.set_retransmission_timeout(retransmission_timeout)
    lost = sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    assert assembler.next_timer() == pytest.approx(2.0 + wait)
    assert sender.deliver(lost, 2.0 + wait - 0.01) == [1, 2]
    assert not assembler.take_keyframe_request()


@pytest.mark.parametrize(("answer", "wait"), [(0.1, LAST_WAIT), (0.4, 0.6), (9.0, LONGEST_WAIT)])
def test_a_keyframe_is_waited_for_as_long_as_it_takes_on_a_long_path(
    sender: Sender, assembler: FrameAssembler, answer: float, wait: float
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    assembler.set_retransmission_timeout(MAX_WAIT, answer)
    lost = sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    assert sender.deliver([], 2.0 + MAX_WAIT) == []
    assert assembler.take_keyframe_request()
    assert sender.deliver(lost, 2.0 + MAX_WAIT + wait - 0.01) == [1, 2]
    lost = sender.frame(1)
    sender.deliver(sender.frame(1), 5.0)
    assert sender.deliver([], 5.0 + MAX_WAIT) == []
    assert sender.deliver([], 5.0 + MAX_WAIT + wait + 0.01) == []
    assert sender.deliver(lost, 5.0 + MAX_WAIT + wait + 0.02) == []
    assert assembler.waiting_for_keyframe


def test_missing_packets_may_arrive_while_a_keyframe_is_in_flight(
    sender: Sender, assembler: FrameAssembler
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    lost = sender.frame(1)
    assert sender.deliver(sender.frame(1), 2.0) == []
    assert sender.deliver([], 2.0 + MAX_WAIT) == []
    assert assembler.take_keyframe_request()
    assert not assembler.waiting_for_keyframe
    assert assembler.next_timer() == pytest.approx(2.0 + MAX_WAIT + LAST_WAIT)
    assert sender.deliver(lost, 2.7) == [1, 2]
    # The keyframe is not requested again.
    assert assembler.next_timer() == math.inf
    assert sender.deliver(sender.frame(1), 3.5) == [3]
    assert not assembler.take_keyframe_request()
    # A later gap has its own time.
    sender.frame(1)
    sender.deliver(sender.frame(1), 4.0)
    assert assembler.next_timer() == pytest.approx(4.0 + MAX_WAIT)


def test_a_keyframe_is_still_requested_when_another_frame_is_malformed(
    sender: Sender, assembler: FrameAssembler
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    lost = sender.frame(1)
    sender.deliver([(number, at, b"garbage", end) for number, at, _, end in sender.frame(1)], 2.0)
    sender.deliver([], 2.0 + MAX_WAIT)
    assert assembler.take_keyframe_request()
    assert sender.deliver(lost, 2.7) == [1]
    assert assembler.counters.malformed == 1
    assert assembler.take_keyframe_request()
    # And again, if that gets lost.
    due = assembler.next_timer()
    assert due < math.inf
    sender.deliver([], due)
    assert assembler.take_keyframe_request()


def test_the_wait_for_missing_packets_is_bounded(sender: Sender, assembler: FrameAssembler) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    lost = sender.frame(1)
    sender.deliver(sender.frame(1), 2.0)
    sender.deliver([], 2.0 + MAX_WAIT)
    sender.deliver([], 2.0 + MAX_WAIT + LAST_WAIT)
    assert assembler.waiting_for_keyframe
    assert assembler.counters.skips == 1
    assert sender.deliver(lost, 3.0) == []
    assert sender.deliver(sender.frame(1, key=True), 3.1) == [3]


def test_a_gap_waits_only_for_reordering_without_retransmission() -> None:
    assembler = FrameAssembler(ToyDepacketizer(), OPTIONS, repairs=False)
    sender = Sender(assembler)
    assembler.set_delay(0.08)
    sender.deliver(sender.frame(1, key=True), 1.0)
    sender.frame(1)
    sender.deliver(sender.frame(1), 1.1)
    assert assembler.next_timer() == pytest.approx(1.18)
    sender.deliver([], assembler.next_timer())
    assert assembler.take_keyframe_request()


def test_a_gap_is_skipped_at_once_when_retransmission_gives_up(
    sender: Sender, assembler: FrameAssembler
) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    sender.frame(1)
    sender.deliver(sender.frame(1), 1.1)
    assembler.retransmission_gave_up()
    assert sender.deliver([], 1.11) == []
    assert assembler.take_keyframe_request()


def test_a_keyframe_behind_the_gap_is_not_held_up_by_it(sender: Sender, assembler: FrameAssembler) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    sender.frame(2)
    assert sender.deliver(sender.frame(3, key=True), 1.1) == []
    assert assembler.next_timer() == pytest.approx(1.1 + MIN_WAIT)
    assert sender.deliver([], assembler.next_timer()) == [2]
    assert not assembler.take_keyframe_request()


def test_a_skip_continues_with_an_incomplete_keyframe(sender: Sender, assembler: FrameAssembler) -> None:
    sender.deliver(sender.frame(1, key=True), 1.0)
    sender.frame(1)
    keyframe = sender.frame(3, key=True)
    sender.deliver(keyframe[:2], 1.0 + MAX_WAIT)
    assert sender.deliver([], assembler.next_timer()) == []
    assert assembler.waiting_for_keyframe
    assert sender.deliver(keyframe[2:], 1.1 + 2 * MAX_WAIT) == [2]


def test_an_incomplete_first_keyframe_that_stalls_is_requested_again(
    sender: Sender, assembler: FrameAssembler
) -> None:
    sender.deliver(sender.frame(3, key=True)[:2], 1.0)
    now = assembler.next_timer()
    assert now == pytest.approx(1.3)
    sender.deliver([], now)
    assert assembler.take_keyframe_request()
    assert assembler.next_timer() > now


def test_lost_frames_of_higher_layers_are_passed_over(sender: Sender) -> None:
    sender.assembler = FrameAssembler(
        ToyDepacketizer(), OPTIONS, read_layers=ToyDepacketizer().layer_position, repairs=False
    )
    out = sender.deliver(sender.frame(1, key=True, tl0=7))
    out += sender.deliver(sender.frame(1, temporal_id=1, tl0=7, sync=True))
    sender.frame(2, temporal_id=1, tl0=7)
    out += sender.deliver(sender.frame(2, tl0=8), 1.0)
    out += sender.deliver([], sender.assembler.next_timer())
    # Its layer cannot be decoded from here on, but from the next layer sync.
    out += sender.deliver(sender.frame(1, temporal_id=1, tl0=8), 1.1)
    out += sender.deliver(sender.frame(1, tl0=9), 1.2)
    out += sender.deliver(sender.frame(1, temporal_id=1, tl0=9, sync=True), 1.3)
    out += sender.deliver(sender.frame(1, temporal_id=1, tl0=9), 1.4)
    assert out == [0, 1, 3, 5, 6, 7]
    assert not sender.assembler.take_keyframe_request()


def test_a_lost_frame_of_the_base_layer_needs_a_keyframe(sender: Sender) -> None:
    sender.assembler = FrameAssembler(
        ToyDepacketizer(), OPTIONS, read_layers=ToyDepacketizer().layer_position, repairs=False
    )
    sender.deliver(sender.frame(1, key=True, tl0=255))
    sender.frame(1, tl0=0)
    assert sender.deliver(sender.frame(1, tl0=1), 1.0) == []
    assert sender.deliver([], sender.assembler.next_timer()) == []
    assert sender.assembler.take_keyframe_request()


def test_malformed_frame_costs_itself_and_a_keyframe_request(
    sender: Sender, assembler: FrameAssembler
) -> None:
    sender.deliver(sender.frame(1, key=True))
    (number, timestamp, _, marker) = sender.frame(1)[0]
    assert sender.deliver([(number, timestamp, b"garbage", marker)]) == []
    assert sender.deliver(sender.frame(1)) == [2]
    assert assembler.counters.malformed == 1
    assert assembler.take_keyframe_request()


def test_malformed_keyframe_is_waited_for_again(sender: Sender, assembler: FrameAssembler) -> None:
    packets = sender.frame(3, key=True)
    broken = [packets[0], (packets[1][0], packets[1][1], b"garbage", False), packets[2]]
    assert sender.deliver(broken) == []
    assert assembler.take_keyframe_request()
    assert sender.deliver(sender.frame(1)) == []
    assert sender.deliver(sender.frame(1, key=True)) == [2]


def test_late_and_doubled_packets_are_counted(sender: Sender, assembler: FrameAssembler) -> None:
    first = sender.frame(2, key=True)
    assert sender.deliver([*first, first[0]]) == [0]
    assert sender.deliver(first, 0.1) == []
    assert (assembler.counters.duplicates, assembler.counters.late) == (1, 2)


@pytest.mark.parametrize("jump", [101, 70_000, -101, -70_000, -5])
def test_a_sender_that_starts_again_is_followed(sender: Sender, assembler: FrameAssembler, jump: int) -> None:
    sender.deliver(sender.frame(1, key=True))
    for _ in range(10):
        sender.deliver(sender.frame(1))
    sender.number += jump
    sender.timestamp += 10**9
    assert sender.deliver(sender.frame(3, key=True), 1.0) == [11]
    assert sender.deliver(sender.frame(1), 1.0) == [12]
    assert assembler.counters.resets == 1


def test_a_keyframe_at_the_limit_of_a_jump_is_not_split(sender: Sender) -> None:
    sender.deliver(sender.frame(1, key=True))
    sender.number += OPTIONS.max_packets - 1
    assert sender.deliver(sender.frame(3, key=True), 1.0) == []
    assert sender.deliver([], sender.assembler.next_timer()) == [1]


def test_after_a_silence_even_old_numbers_and_timestamps_are_a_new_beginning(sender: Sender) -> None:
    sender.deliver(sender.frame(1, key=True))
    for _ in range(10):
        sender.deliver(sender.frame(1))
    sender.number -= 6
    sender.timestamp -= 10**6
    assert sender.deliver(sender.frame(2), 1.0) == []
    assert sender.assembler.take_keyframe_request()
    assert sender.deliver(sender.frame(2, key=True), 1.1) == [12]


def test_a_full_buffer_is_emptied_and_a_keyframe_requested(sender: Sender, assembler: FrameAssembler) -> None:
    for packet in sender.frame(OPTIONS.max_packets + 1, key=True):
        sender.deliver([packet])
        assert assembler.buffered <= OPTIONS.max_packets
    assert assembler.counters.overflows == 1
    assert assembler.take_keyframe_request()
    assert sender.deliver(sender.frame(2, key=True)) == [sender.index - 1]


def test_bytes_are_bounded_too() -> None:
    assembler = FrameAssembler(ToyDepacketizer(), FrameAssemblerOptions(max_bytes=10_000))
    for number in range(20):
        assembler.insert(number, 0, toy_packet(bytes(1000)), 0.0)
    assert assembler.counters.overflows == 1
    assert assembler.buffered < 10


def test_wish_to_restart_waits_for_a_keyframe(sender: Sender, assembler: FrameAssembler) -> None:
    sender.deliver(sender.frame(1, key=True))
    assembler.restart_at_keyframe(0.0)
    assert assembler.take_keyframe_request()
    assert sender.deliver(sender.frame(1)) == []
    assert sender.deliver(sender.frame(1, key=True)) == [2]
