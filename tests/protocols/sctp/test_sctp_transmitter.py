"""The transmitter: windows, retransmission, timers, abandoning."""

import math

import pytest

from tests.strategies.sctp_pair import SctpPair
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp import SctpOptions
from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn, Sack
from trio_rtc.protocols.sctp.tx.congestion_reno import RenoController
from trio_rtc.protocols.sctp.tx.outstanding import Outstanding
from trio_rtc.protocols.sctp.tx.path_share import PathShare
from trio_rtc.protocols.sctp.tx.rto import RetransmissionTimeout
from trio_rtc.protocols.sctp.tx.send_queue import SendQueue, make_reliability
from trio_rtc.protocols.sctp.tx.transmitter import Transmitter

PAYLOAD = 1000


SPACE = PAYLOAD + 16


def outstanding(count: int, size: int = 100, initial_tsn: int = 1) -> Outstanding:
    made = Outstanding(initial_tsn, 1000)
    for tsn in range(initial_tsn, initial_tsn + count):
        made.chunks[tsn] = (bytes(size), None)
    made.next_tsn = initial_tsn + count
    made.flight = count * size
    return made


def make_transmitter(window: int = 1_000_000) -> tuple[Transmitter, SendQueue]:
    queue = SendQueue(PAYLOAD)
    controller = RenoController(SPACE, 10 * SPACE, 1 << 20)
    timeout = RetransmissionTimeout(0.5, 0.2, 10.0, 0.22)
    transmitter = Transmitter(
        1,
        queue,
        controller,
        timeout,
        PathShare(SPACE, 0.03, 1 << 20),
        advertised_window=window,
        full_size=PAYLOAD,
        partial_reliability=True,
    )
    return transmitter, queue


def fill(transmitter: Transmitter, now: float = 0.0) -> int:
    """Fill all packets that may leave, and return their number."""
    count = 0
    while True:
        parts: list[bytes] = []
        transmitter.fill_packet(parts, SPACE, now, True)
        if not parts:
            return count
        count += 1


def slow_start_threshold(transmitter: Transmitter) -> int:
    assert isinstance(transmitter.congestion, RenoController)
    return transmitter.congestion.slow_start_threshold


def test_the_congestion_window_bounds_the_flight_and_grows() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(200 * PAYLOAD), True, None)
    assert fill(transmitter) == 10
    transmitter.handle_sack(Sack(10, 1_000_000), 0.1)
    assert transmitter.congestion.congestion_window == 20 * SPACE
    assert fill(transmitter) == 20
    assert transmitter.timeout.smoothed == pytest.approx(0.1)


def test_a_new_transmitter_has_no_forward_tsn() -> None:
    transmitter, _ = make_transmitter()
    assert not transmitter.forward_pending
    assert transmitter.take_forward_tsn() is None


def test_new_data_fills_a_packet_or_may_be_part_of_one() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(PAYLOAD - 1), True, None)
    assert not transmitter.wants_packet(partial=False)
    assert transmitter.wants_packet(partial=True)
    queue.push(1, 51, b"x", True, None)
    assert transmitter.wants_packet(partial=False)


def test_the_number_of_outstanding_chunks_is_bounded() -> None:
    transmitter, queue = make_transmitter()
    transmitter.congestion.congestion_window = 1 << 30
    for _ in range(9000):
        queue.push(1, 51, b"x", True, None)
    fill(transmitter)
    # No further packet is started; the last one may exceed the bound by its chunks.
    assert 8192 <= len(transmitter.outstanding.chunks) < 8192 + SPACE // 20
    assert not transmitter.can_send_new


def test_the_window_is_halved_for_each_timeout_of_idle_time() -> None:
    """RFC 9260 section 7.2.1: down to four packets."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(10 * PAYLOAD), True, None)
    fill(transmitter)
    transmitter.handle_sack(Sack(10, 1_000_000), 0.1)
    assert transmitter.congestion.congestion_window == 20 * SPACE
    queue.push(1, 51, bytes(100 * PAYLOAD), True, None)
    assert fill(transmitter, 2.5 * transmitter.timeout.value) == 5


def test_the_peers_window_bounds_the_flight() -> None:
    transmitter, queue = make_transmitter(window=3500)
    queue.push(1, 51, bytes(50 * PAYLOAD), True, None)
    assert fill(transmitter) == 3
    transmitter.handle_sack(Sack(3, 0), 0.1)
    assert fill(transmitter, 0.1) == 0
    transmitter.arm_window_probe(0.1)
    transmitter.handle_timer(transmitter.t3_deadline)
    assert fill(transmitter, 1.0) == 1, "one chunk asks whether the window has opened"
    window = transmitter.congestion.congestion_window
    for _ in range(30):
        transmitter.handle_timer(transmitter.t3_deadline)
        fill(transmitter, 2.0)
        transmitter.handle_sack(Sack(3, 0), 2.0)
    assert transmitter.errors == 0
    assert transmitter.congestion.congestion_window == window


@pytest.mark.parametrize(
    ("left", "queued", "may_send"),
    [
        # A full packet is 1,016 bytes with the chunk's header.
        *((SPACE - 1, 5000, False), (SPACE, 5000, True), (SPACE + 1, 5000, True)),
        # All that is queued is less.
        *((99, 100, False), (100, 100, True), (0, 1, False), (1, 1, True)),
    ],
)
def test_the_last_bytes_of_the_peers_window_are_reserved(left: int, queued: int, may_send: bool) -> None:
    """RFC 9260 section 6.1, rule A: a sender avoids the silly window syndrome."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    assert fill(transmitter) == 1
    queue.push(1, 51, bytes(queued), True, None)
    transmitter.advertised_window = SPACE + left
    assert transmitter.can_send_new is may_send
    assert transmitter.wants_packet(partial=True) is may_send
    assert (fill(transmitter) > 0) is may_send


@pytest.mark.parametrize(("flight", "may_send"), [(4, True), (5, False)])
def test_nothing_new_leaves_when_the_congestion_window_is_full(flight: int, may_send: bool) -> None:
    transmitter, queue = make_transmitter()
    transmitter.congestion.congestion_window = 5 * SPACE
    queue.push(1, 51, bytes(flight * PAYLOAD), True, None)
    assert fill(transmitter) == flight
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    assert transmitter.can_send_new is may_send


def test_counters_of_sent_chunks() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    queue.push(1, 51, bytes(10), True, None)
    queue.push(1, 51, bytes(20), True, None)
    assert transmitter.is_idle is False
    assert fill(transmitter, 3.0) == 2
    assert transmitter.chunks_sent == 3
    assert transmitter.bytes_sent == transmitter.outstanding.flight == 1016 + 28 + 36
    assert transmitter.chunks_retransmitted == 0
    assert transmitter.t3_deadline == 3.5
    assert not transmitter.is_idle
    transmitter.handle_sack(Sack(2, 1_000_000), 3.2)
    assert transmitter.outstanding.flight == 36
    assert transmitter.timeout.smoothed == pytest.approx(0.2), "the first packet is timed"
    assert transmitter.t3_deadline == pytest.approx(3.2 + 0.6)
    transmitter.handle_sack(Sack(3, 1_000_000), 3.5)
    assert transmitter.timeout.smoothed == pytest.approx(0.2)
    assert transmitter.t3_deadline == math.inf
    assert transmitter.is_idle


def test_no_round_trip_is_measured_by_a_retransmission() -> None:
    """Karn's algorithm."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, b"x", True, None)
    fill(transmitter)
    transmitter.handle_timer(0.5)
    assert fill(transmitter, 0.5) == 1
    transmitter.handle_sack(Sack(1, 1_000_000), 0.6)
    assert transmitter.timeout.smoothed is None
    queue.push(1, 51, b"y", True, None)
    fill(transmitter, 1.0)
    transmitter.handle_sack(Sack(2, 1_000_000), 1.25)
    assert transmitter.timeout.smoothed == pytest.approx(0.25)


def test_no_round_trip_is_measured_by_a_fast_retransmission() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(6 * PAYLOAD), True, None)
    fill(transmitter)
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 5),)), 0.1)
    assert transmitter.outstanding.lost == {1}
    fill(transmitter, 0.1)
    transmitter.handle_sack(Sack(6, 1_000_000), 0.3)
    assert transmitter.timeout.smoothed is None


def test_a_round_trip_is_measured_although_another_packet_is_retransmitted() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(5 * PAYLOAD), True, None)
    fill(transmitter)
    transmitter.handle_sack(Sack(1, 1_000_000), 0.1)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    fill(transmitter, 0.1)
    transmitter.handle_sack(Sack(1, 1_000_000, ((2, 4),)), 0.15)
    assert transmitter.outstanding.lost == {2}
    fill(transmitter, 0.15)
    assert transmitter.timeout.smoothed == pytest.approx(0.1)
    transmitter.handle_sack(Sack(6, 1_000_000), 0.3)
    assert transmitter.timeout.smoothed == pytest.approx(0.1 + (0.2 - 0.1) / 8)


@pytest.mark.parametrize("partial", [True, False])
def test_an_empty_queue_needs_no_packet(partial: bool) -> None:
    transmitter, _ = make_transmitter()
    assert not transmitter.wants_packet(partial)
    parts: list[bytes] = []
    assert not transmitter.fill_packet(parts, SPACE, 0.0, partial)
    transmitter.arm_window_probe(0.0)
    assert transmitter.t3_deadline == math.inf
    assert parts == []


def test_a_packet_that_must_be_full_is_not_partly_filled() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(PAYLOAD - 1), True, None)
    parts: list[bytes] = []
    transmitter.fill_packet(parts, SPACE, 0.0, False)
    assert parts == []
    transmitter.fill_packet(parts, SPACE, 0.0, True)
    assert len(parts) == 1


@pytest.mark.parametrize(("space", "chunks"), [(SPACE, 2), (SPACE - 4, 1)])
def test_the_last_twenty_bytes_of_a_packet_are_filled_with_a_message(space: int, chunks: int) -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(PAYLOAD - 20), True, None)
    queue.push(2, 51, bytes(4), True, None)
    parts: list[bytes] = []
    transmitter.fill_packet(parts, space, 0.0, True)
    assert len(parts) == chunks


def test_a_closed_window_is_probed_once_each_timeout() -> None:
    transmitter, queue = make_transmitter(window=0)
    queue.push(1, 51, bytes(5 * PAYLOAD), True, None)
    assert fill(transmitter) == 0
    transmitter.arm_window_probe(0.0)
    assert transmitter.t3_deadline == 0.5
    transmitter.arm_window_probe(0.2)
    assert transmitter.t3_deadline == 0.5
    transmitter.handle_timer(0.5)
    assert transmitter.errors == 0
    assert fill(transmitter, 0.5) == 1
    transmitter.handle_sack(Sack(1, 0), 0.6)
    assert not transmitter.can_send_new
    assert fill(transmitter, 0.6) == 0


def probed_transmitter() -> Transmitter:
    """Return a transmitter whose peer has dropped the only chunk that is left, a probe, twice."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    fill(transmitter)
    transmitter.handle_sack(Sack(1, 0), 0.1)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    transmitter.arm_window_probe(0.1)
    for _ in range(2):
        transmitter.handle_timer(transmitter.t3_deadline)
        assert fill(transmitter, 1.0) == 1
        transmitter.handle_sack(Sack(1, 0), 1.1)
    return transmitter


def test_the_probe_is_retransmitted_when_the_window_opens() -> None:
    transmitter = probed_transmitter()
    window = transmitter.congestion.congestion_window
    assert transmitter.timeout.value > 1.0
    transmitter.handle_sack(Sack(1, 1_000_000), 3.0)
    assert transmitter.timeout.value == pytest.approx(0.1 + 0.22)
    assert fill(transmitter, 3.0) == 1
    assert transmitter.t3_deadline == pytest.approx(3.0 + transmitter.timeout.value)
    assert transmitter.congestion.congestion_window == window
    # Once: a further SACK may have left the peer before the retransmission has arrived.
    transmitter.handle_sack(Sack(1, 1_000_000), 3.01)
    assert fill(transmitter, 3.01) == 0
    transmitter.handle_sack(Sack(2, 1_000_000), 3.1)
    assert transmitter.is_idle
    assert transmitter.t3_deadline == math.inf


def test_a_probe_in_flight_is_not_retransmitted_when_the_window_opens() -> None:
    transmitter = probed_transmitter()
    probed_at = transmitter.t3_deadline
    transmitter.handle_timer(probed_at)
    assert fill(transmitter, probed_at) == 1
    transmitter.handle_sack(Sack(1, 1_000_000), probed_at + 0.05)
    assert fill(transmitter, probed_at + 0.05) == 0
    assert transmitter.t3_deadline == pytest.approx(probed_at + 0.05 + 0.32)


def test_nothing_is_retransmitted_while_acknowledgements_follow_the_opening_of_the_window() -> None:
    """T3-rtx with a closed window may retransmit several chunks, whose SACKs then arrive one after the other."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(6 * PAYLOAD), True, None)
    assert fill(transmitter) == 6
    transmitter.handle_sack(Sack(2, 0), 0.1)
    expired_at = transmitter.t3_deadline
    transmitter.handle_timer(expired_at)
    assert fill(transmitter, expired_at) > 1
    answered_at = expired_at + 0.11
    transmitter.handle_sack(Sack(3, 1_000_000), answered_at)
    assert fill(transmitter, answered_at) == 0
    transmitter.handle_sack(Sack(6, 1_000_000), answered_at + 0.001)
    assert transmitter.is_idle


def test_the_first_probe_leaves_one_rto_after_the_window_has_closed() -> None:
    """RFC 9260 section 6.1, rule A: T3-rtx may have backed off for messages that were abandoned since."""
    transmitter, queue = make_transmitter()
    reliability = make_reliability(1, ordered=True, max_retransmits=3, expires_at=None)
    queue.push(1, 51, b"x", True, reliability)
    for _ in range(4):
        fill(transmitter)
        transmitter.handle_timer(transmitter.t3_deadline)
    assert transmitter.timeout.value == 8.0
    transmitter.handle_sack(Sack(1, 0), 20.0)
    queue.push(1, 51, b"x", True, None)
    transmitter.arm_window_probe(20.0)
    assert transmitter.t3_deadline == 20.5
    # The interval of probes grows, even if each is abandoned.
    transmitter.handle_timer(20.5)
    assert fill(transmitter, 20.5) == 1
    assert transmitter.t3_deadline == 21.5


def test_a_forward_tsn_is_sent_again_with_each_sack_that_does_not_cover_it() -> None:
    transmitter, queue = make_transmitter()
    reliability = make_reliability(1, ordered=True, max_retransmits=0, expires_at=None)
    queue.push(1, 51, b"x", True, reliability)
    fill(transmitter)
    transmitter.handle_timer(0.5)
    assert transmitter.forward_pending
    assert transmitter.take_forward_tsn() == ForwardTsn(1, ((1, 0),))
    assert not transmitter.forward_pending
    transmitter.handle_sack(Sack(0, 1_000_000), 0.6)
    assert transmitter.forward_pending
    assert transmitter.t3_deadline < math.inf
    transmitter.handle_sack(Sack(1, 1_000_000), 0.7)
    transmitter.take_forward_tsn()
    transmitter.handle_sack(Sack(1, 1_000_000), 0.8)
    assert not transmitter.forward_pending
    assert transmitter.t3_deadline == math.inf


@pytest.mark.parametrize(("cumulative", "ended"), [(9, False), (10, True)])
def test_fast_recovery_ends_with_the_data_outstanding_at_its_start(cumulative: int, ended: bool) -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(100 * PAYLOAD), True, None)
    assert fill(transmitter) == 10
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4),)), 0.1)
    assert transmitter.congestion.congestion_window == 5 * SPACE
    fill(transmitter, 0.1)
    transmitter.handle_sack(Sack(cumulative, 1_000_000), 0.2)
    fill(transmitter, 0.2)
    first = transmitter.outstanding.cumulative_tsn + 1
    transmitter.handle_sack(Sack(first - 1, 1_000_000, ((2, 4),)), 0.3)
    assert (slow_start_threshold(transmitter) != 5 * SPACE) is ended


def test_side_tables_are_empty_when_everything_is_acknowledged() -> None:
    """Else they would grow with each loss."""
    transmitter, queue = make_transmitter()
    for number in range(40):
        lifetime = make_reliability(1, ordered=True, max_retransmits=number % 3, expires_at=None)
        queue.push(1, 51, bytes(PAYLOAD), True, lifetime if number % 2 else None)
    fill(transmitter)
    outstanding = transmitter.outstanding
    now = 0.0
    for gaps in (((2, 2), (4, 4)), ((2, 2), (4, 4), (6, 6)), ((2, 2), (4, 8)), ((4, 8),)):
        now += 0.01
        transmitter.handle_sack(Sack(outstanding.cumulative_tsn, 1_000_000, gaps), now)
        fill(transmitter, now)
    while outstanding.chunks or queue.total:
        now = max(now + 0.1, transmitter.t3_deadline if outstanding.lost else 0.0)
        transmitter.handle_timer(now)
        fill(transmitter, now)
        transmitter.handle_sack(Sack(outstanding.next_tsn - 1, 1_000_000), now)
    for table in ("chunks", "gap_acked", "lost", "abandoned", "retransmissions", "_misses", "_resent_before"):
        assert not getattr(outstanding, table), table
    assert outstanding.flight == 0
    assert not outstanding.next_lost()
    assert outstanding._lost_heap == []


class ClosedController(RenoController):
    """A controller whose window is always closed."""

    @property
    def congestion_window(self) -> int:
        return 0

    @congestion_window.setter
    def congestion_window(self, window: int) -> None:
        pass


def test_one_packet_may_always_be_in_flight() -> None:
    """RFC 9260 section 6.1: at any congestion window, or nothing would ever be acknowledged."""
    transmitter, queue = make_transmitter()
    transmitter.congestion = ClosedController(SPACE, 0, 1 << 20)
    queue.push(1, 51, bytes(3 * PAYLOAD), True, None)
    assert fill(transmitter) == 1
    transmitter.handle_timer(transmitter.t3_deadline)
    assert transmitter.has_retransmission
    assert fill(transmitter, 1.0) == 1
    assert transmitter.chunks_retransmitted == 1
    transmitter.handle_sack(Sack(1, 1_000_000), 1.1)
    assert fill(transmitter, 1.1) == 1


def test_a_sack_for_an_unsent_tsn_raises_and_changes_nothing() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(3000), True, None)
    fill(transmitter)
    for sack in (Sack(4, 0), Sack(1, 0, ((2, 3),))):
        with pytest.raises(ProtocolError):
            transmitter.handle_sack(sack, 0.1)
    assert transmitter.outstanding.cumulative_tsn == 0
    assert transmitter.advertised_window == 1_000_000
    transmitter.handle_sack(Sack(2, 900_000), 0.1)
    transmitter.handle_sack(Sack(1, 5), 0.1)
    assert transmitter.advertised_window == 900_000, "an old SACK is ignored"


def test_fast_retransmit_halves_the_window_once() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(100 * PAYLOAD), True, None)
    fill(transmitter)
    transmitter.handle_sack(Sack(1, 1_000_000, ((2, 5),)), 0.1)
    assert transmitter.congestion.congestion_window == 5 * SPACE
    assert transmitter.outstanding.lost == {2}
    assert fill(transmitter, 0.1) >= 1
    assert transmitter.chunks_retransmitted == 1
    transmitter.handle_sack(Sack(1, 1_000_000, ((2, 9),)), 0.15)
    assert transmitter.congestion.congestion_window == 5 * SPACE


def test_a_restored_path_ends_a_long_timeout() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(20 * PAYLOAD), True, None)
    fill(transmitter)
    first_deadline = transmitter.t3_deadline
    transmitter.path_restored(0.1)
    assert transmitter.t3_deadline == first_deadline, "nothing has timed out yet"
    now = 0.0
    for _ in range(4):
        now = transmitter.t3_deadline
        transmitter.handle_timer(now)
        fill(transmitter, now)
    assert transmitter.t3_deadline == pytest.approx(now + 8.0)
    transmitter.path_restored(now + 1)
    transmitter.handle_timer(now + 1)
    assert fill(transmitter, now + 1) == 1
    assert transmitter.t3_deadline == pytest.approx(now + 2.0)
    transmitter.handle_sack(Sack(transmitter.outstanding.next_tsn - 1, 1_000_000), now + 1.1)
    assert transmitter.errors == 0


def test_a_timeout_sends_one_packet_and_doubles() -> None:
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(20 * PAYLOAD), True, None)
    fill(transmitter)
    deadline = transmitter.t3_deadline
    assert deadline == pytest.approx(0.5)
    transmitter.handle_timer(deadline - 0.001)
    assert transmitter.errors == 0
    transmitter.handle_timer(deadline)
    assert transmitter.errors == 1
    assert fill(transmitter, deadline) == 1
    assert transmitter.t3_deadline == pytest.approx(deadline + 1.0)
    threshold = slow_start_threshold(transmitter)
    transmitter.handle_timer(transmitter.t3_deadline)
    assert slow_start_threshold(transmitter) == threshold
    transmitter.handle_sack(Sack(10, 1_000_000), 3.0)
    assert transmitter.errors == 0
    assert transmitter.timeout.value == 0.5


def sender_with_packets(count: int) -> tuple[Transmitter, SendQueue]:
    """Return a transmitter that has sent full packets with the TSNs from 1 on at the time 0."""
    transmitter, queue = make_transmitter()
    transmitter.congestion.congestion_window = 1 << 20
    queue.push(1, 51, bytes(count * PAYLOAD), True, None)
    assert fill(transmitter) == count
    return transmitter, queue


def test_t3_is_restarted_when_the_cumulative_tsn_moves_and_by_the_first_retransmission() -> None:
    """RFC 9260 section 6.3.2, R3 and section 7.2.4, step 4."""
    transmitter, queue = sender_with_packets(9)
    assert transmitter.t3_deadline == 0.5
    transmitter.handle_sack(Sack(0, 1_000_000, ((3, 3),)), 0.1)
    assert transmitter.t3_deadline == 0.5, "gap blocks do not restart it"
    transmitter.handle_sack(Sack(1, 1_000_000, ((2, 2),)), 0.2)
    restarted = transmitter.t3_deadline
    assert restarted == pytest.approx(0.2 + transmitter.timeout.value)
    transmitter.handle_sack(Sack(1, 1_000_000, ((2, 6),)), 0.3)
    assert transmitter.outstanding.lost == {2}
    assert transmitter.t3_deadline == restarted
    fill(transmitter, 0.35)
    assert transmitter.t3_deadline == pytest.approx(0.35 + transmitter.timeout.value)
    queue.push(1, 51, bytes(10), True, None)
    fill(transmitter, 0.4)
    assert transmitter.t3_deadline == pytest.approx(0.35 + transmitter.timeout.value)
    transmitter.handle_sack(Sack(transmitter.outstanding.next_tsn - 1, 1_000_000), 0.5)
    assert transmitter.t3_deadline == math.inf


@pytest.mark.parametrize("first_lost", [True, False])
def test_only_the_retransmission_of_the_first_outstanding_chunk_restarts_t3(first_lost: bool) -> None:
    transmitter, _ = sender_with_packets(9)
    gaps = ((2, 9),) if first_lost else ((1, 3), (5, 9))
    transmitter.handle_sack(Sack(0, 1_000_000, gaps), 0.1)
    assert transmitter.outstanding.lost == {1 if first_lost else 4}
    fill(transmitter, 0.2)
    value = transmitter.timeout.value
    assert transmitter.t3_deadline == (pytest.approx(0.2 + value) if first_lost else 0.5)


def test_a_round_trip_is_measured_by_a_gap_block() -> None:
    transmitter, queue = make_transmitter()
    for _ in range(3):
        queue.push(1, 51, bytes(PAYLOAD), True, None)
    parts: list[bytes] = []
    transmitter.fill_packet(parts, 2 * SPACE, 0.0, True)
    assert len(parts) == 2
    fill(transmitter, 0.05)
    # The last chunk of the first packets is timed.
    transmitter.handle_sack(Sack(0, 1_000_000, ((3, 3),)), 0.1)
    assert transmitter.timeout.smoothed is None
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 3),)), 0.15)
    assert transmitter.timeout.smoothed == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("cumulative", "window", "errors"), [(0, 1000, 1), (0, 1, 1), (0, 0, 0), (1, 1000, 0), (1, 0, 0)]
)
def test_the_error_count_is_reset(cumulative: int, window: int, errors: int) -> None:
    """Acknowledgements of data, and a closed window (RFC 9260 section 6.1, rule A)."""
    transmitter, _ = sender_with_packets(3)
    transmitter.handle_timer(0.5)
    fill(transmitter, 0.5)
    assert transmitter.errors == 1
    transmitter.handle_sack(Sack(cumulative, window), 0.6)
    assert transmitter.errors == errors
    assert transmitter.advertised_window == window


@pytest.mark.parametrize(("expires_at", "sent"), [(0.5, False), (0.51, True)])
def test_a_lifetime_that_ends_before_a_retransmission(expires_at: float, sent: bool) -> None:
    transmitter, queue = make_transmitter()
    reliability = make_reliability(1, ordered=True, max_retransmits=None, expires_at=expires_at)
    queue.push(1, 51, bytes(10), True, reliability)
    queue.push(1, 51, bytes(10), True, None)
    assert fill(transmitter) == 1
    transmitter.handle_timer(transmitter.t3_deadline)
    fill(transmitter, 0.5)
    assert transmitter.chunks_retransmitted == 1 + sent
    assert transmitter.outstanding.messages_abandoned == (not sent)
    assert transmitter.forward_pending is not sent


@pytest.mark.parametrize(("expires_at", "sent"), [(0.6, False), (0.61, True)])
def test_a_lifetime_that_ends_while_a_retransmission_waits(expires_at: float, sent: bool) -> None:
    transmitter, queue = make_transmitter()
    reliability = make_reliability(1, ordered=True, max_retransmits=None, expires_at=expires_at)
    queue.push(1, 51, bytes(10), True, reliability)
    assert fill(transmitter) == 1
    transmitter.handle_timer(0.5)
    assert transmitter.outstanding.lost == {1}
    assert fill(transmitter, 0.6) == sent
    assert transmitter.outstanding.messages_abandoned == (not sent)
    assert transmitter.forward_pending is not sent
    assert transmitter.outstanding.flight == (28 if sent else 0)


@pytest.mark.parametrize(("silence", "window"), [(1.0, 20), (1.01, 10), (1.99, 10), (2.0, 5), (50.0, 4)])
def test_the_window_after_idle_time(silence: float, window: int) -> None:
    """Halved for each whole timeout in which nothing was sent, once there was more than one."""
    transmitter, queue = make_transmitter()
    transmitter.timeout.value = 1.0
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    fill(transmitter, 10.0)
    transmitter.handle_sack(Sack(1, 1_000_000), 10.0)
    transmitter.timeout.value = 1.0
    transmitter.congestion.congestion_window = 20 * SPACE
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    fill(transmitter, 10.0 + silence)
    assert transmitter.congestion.congestion_window == window * SPACE


def test_a_timer_that_is_not_due_does_nothing() -> None:
    transmitter, queue = sender_with_packets(2)
    before = transmitter.timeout.value
    transmitter.handle_timer(0.499)
    assert (transmitter.errors, transmitter.timeout.value, transmitter.outstanding.lost) == (0, before, set())
    transmitter.handle_timer(0.5)
    assert (transmitter.errors, transmitter.outstanding.lost) == (1, {1, 2})
    assert transmitter.t3_deadline == 0.5 + 2 * before
    # Nothing is in flight, so that the next timeout finds no loss; it doubles all the same.
    threshold = slow_start_threshold(transmitter)
    transmitter.handle_timer(1.5)
    assert (transmitter.errors, transmitter.t3_deadline) == (2, 1.5 + 4 * before)
    assert slow_start_threshold(transmitter) == threshold
    assert queue.total == 0


def test_a_window_probe_that_finds_an_empty_queue_sends_nothing() -> None:
    transmitter, queue = make_transmitter(window=0)
    reliability = make_reliability(1, ordered=True, max_retransmits=None, expires_at=0.2)
    queue.push(1, 51, bytes(10), True, reliability)
    transmitter.arm_window_probe(0.0)
    assert fill(transmitter, 0.3) == 0
    transmitter.handle_timer(0.5)
    assert fill(transmitter, 0.5) == 0
    assert transmitter.t3_deadline == math.inf
    assert transmitter.errors == 0
    assert transmitter.timeout.value == 1.0


def test_a_restored_path_moves_no_timer_that_is_due_before() -> None:
    transmitter, _ = sender_with_packets(2)
    transmitter.path_restored(0.1)
    assert transmitter.t3_deadline == 0.5
    transmitter.handle_timer(0.5)
    assert transmitter.t3_deadline == 1.5
    transmitter.path_restored(2.0)
    assert transmitter.t3_deadline == 1.5
    transmitter.path_restored(1.0)
    assert transmitter.t3_deadline == 1.0
    assert transmitter.timeout.value == 0.5


def test_gap_blocks_count_all_that_they_report_in_fast_recovery() -> None:
    """RFC 9260 section 7.2.4: each SACK that moves the cumulative TSN reports every hole below its highest TSN."""
    transmitter, queue = sender_with_packets(20)
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4), (6, 9))), 0.1)
    assert transmitter.outstanding.lost == {1, 5}
    assert queue.total == 0
    transmitter, queue = sender_with_packets(20)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    transmitter.congestion.congestion_window = 1000
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4), (6, 6), (8, 8))), 0.1)
    assert transmitter.outstanding.lost == {1}
    # No news but the cumulative TSN: the holes are reported once more each time.
    transmitter.handle_sack(Sack(1, 1_000_000, ((1, 3), (5, 5), (7, 7))), 0.2)
    assert transmitter.outstanding.lost == {5}


def test_8192_chunks_are_outstanding_at_most() -> None:
    transmitter, queue = make_transmitter()
    transmitter.congestion.congestion_window = 1 << 30
    for _ in range(8200):
        queue.push(1, 51, b"data", True, None)
    parts: list[bytes] = []
    for _ in range(8200):
        transmitter.fill_packet(parts, 20, 0.0, True)
    assert len(parts) == 8192
    assert not transmitter.can_send_new
    transmitter.handle_sack(Sack(1, 1_000_000), 0.1)
    assert transmitter.can_send_new


def test_new_data_waits_until_all_that_was_lost_has_left() -> None:
    transmitter, queue = make_transmitter()
    for size in (12, PAYLOAD):
        queue.push(1, 51, bytes(size), True, None)
    assert fill(transmitter) == 2
    transmitter.handle_timer(0.5)
    queue.push(2, 51, b"new", True, None)
    assert not transmitter.can_send_new
    sizes = []
    for _ in range(3):
        parts: list[bytes] = []
        transmitter.fill_packet(parts, SPACE, 0.5, True)
        sizes.append([len(part) for part in parts])
    # The window is one packet after a timeout, and both together are more.
    assert sizes == [[28], [SPACE], []]


def test_a_packet_may_fill_the_peers_window_to_the_last_byte() -> None:
    transmitter, queue = make_transmitter(window=SPACE)
    queue.push(1, 51, bytes(100), True, None)
    queue.push(1, 51, bytes(3 * PAYLOAD), True, None)
    parts: list[bytes] = []
    transmitter.fill_packet(parts, SPACE, 0.0, True)
    assert sum(map(len, parts)) == SPACE
    assert len(parts) == 2


@pytest.mark.parametrize(("window", "may_send"), [(0, False), (1, True)])
def test_any_open_window_allows_a_packet_when_nothing_is_in_flight(window: int, may_send: bool) -> None:
    transmitter, queue = make_transmitter(window=window)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    assert transmitter.can_send_new is may_send
    assert fill(transmitter) == may_send


def test_a_fast_retransmission_of_one_packet_leaves_whatever_the_window_is() -> None:
    """RFC 9260 section 7.2.4, step 3."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(10 * PAYLOAD), True, None)
    assert fill(transmitter) == 10
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    transmitter.handle_sack(Sack(0, 1_000_000, ((3, 5),)), 0.1)
    assert transmitter.outstanding.lost == {1, 2}
    transmitter.congestion.congestion_window = SPACE
    assert transmitter.outstanding.flight >= SPACE
    assert transmitter.has_retransmission
    assert transmitter.wants_packet(partial=True)
    assert fill(transmitter, 0.1) == 1
    assert not transmitter.has_retransmission
    assert transmitter.outstanding.lost == {2}


@pytest.mark.parametrize(
    ("window", "messages", "chunks"),
    [
        # Of 100 bytes each, and 116 with the header: the window of the peer allows all that is queued...
        *((1200, 10, [8, 2]), (116, 1, [1]), (1, 1, [1])),
        # ... or full packets, until both the rest of a packet and of the queue are more than is left of it.
        *((1050, 10, [8]), (1050, 50, [8]), (2100, 50, [8, 8]), (950, 9, [4]), (950, 50, [1])),
        *((200, 10, [1]), (300, 10, [1])),
    ],
)
def test_small_messages_that_fit_the_peers_window(window: int, messages: int, chunks: list[int]) -> None:
    transmitter, queue = make_transmitter(window=window)
    for _ in range(messages):
        queue.push(1, 51, bytes(100), True, None)
    found = []
    while True:
        parts: list[bytes] = []
        transmitter.fill_packet(parts, SPACE, 0.0, True)
        if not parts:
            break
        found.append(len(parts))
    assert found == chunks


def test_a_probe_of_a_closed_window_is_one_chunk() -> None:
    transmitter, queue = make_transmitter(window=0)
    for _ in range(5):
        queue.push(1, 51, bytes(100), True, None)
    transmitter.arm_window_probe(0.0)
    transmitter.handle_timer(0.5)
    parts: list[bytes] = []
    transmitter.fill_packet(parts, SPACE, 0.5, True)
    transmitter.fill_packet(parts, SPACE, 0.5, True)
    assert len(parts) == 1


def test_chunks_are_in_flight_again_when_a_sack_reports_no_gaps_any_more() -> None:
    """RFC 9260 section 6.2.1: a receiver may renege."""
    transmitter, _ = sender_with_packets(5)
    transmitter.handle_sack(Sack(0, 1_000_000, ((3, 5),)), 0.1)
    assert transmitter.outstanding.lost == {1, 2}
    assert transmitter.outstanding.flight == 0
    transmitter.handle_sack(Sack(0, 1_000_000), 0.2)
    assert transmitter.outstanding.flight == 3 * SPACE


def test_the_share_of_the_path_follows_the_round_trip() -> None:
    transmitter, queue = make_transmitter()
    transmitter.share.set_max_bitrate(math.inf, 0.0)
    queue.push(1, 51, bytes(5 * PAYLOAD), True, None)
    assert fill(transmitter, 1.0) == 2
    transmitter.handle_sack(Sack(2, 1_000_000), 1.1)
    assert transmitter.share.window == pytest.approx(2.2 * SPACE)


def test_the_window_grows_only_when_the_cumulative_tsn_moves() -> None:
    """RFC 9260 section 7.2.1."""
    transmitter, queue = make_transmitter()
    queue.push(1, 51, bytes(20 * PAYLOAD), True, None)
    assert fill(transmitter) == 10
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 3),)), 0.1)
    assert transmitter.congestion.congestion_window == 10 * SPACE
    fill(transmitter, 0.1)
    transmitter.handle_sack(Sack(1, 1_000_000, ((1, 2),)), 0.2)
    assert transmitter.congestion.congestion_window == 11 * SPACE


def test_outside_of_fast_recovery_only_new_acknowledgements_report_holes() -> None:
    transmitter, queue = sender_with_packets(9)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    transmitter.congestion.congestion_window = 1000
    for cumulative, gaps in ((0, (3, 3)), (1, (2, 2)), (1, (2, 3))):
        transmitter.handle_sack(Sack(cumulative, 1_000_000, (gaps,)), 0.1)
        assert transmitter.outstanding.lost == set()
    transmitter.handle_sack(Sack(1, 1_000_000, ((2, 4),)), 0.1)
    assert transmitter.outstanding.lost == {2}


def test_in_fast_recovery_a_sack_without_new_acknowledgements_reports_holes_only_if_it_advances() -> None:
    transmitter, queue = sender_with_packets(20)
    queue.push(1, 51, bytes(PAYLOAD), True, None)
    transmitter.congestion.congestion_window = 1000
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4), (6, 6), (8, 8))), 0.1)
    assert transmitter.outstanding.lost == {1}
    for _ in range(3):
        transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4), (6, 6), (8, 8))), 0.1)
        assert transmitter.outstanding.lost == {1}
    # A SACK that reneges its gap ack blocks is no miss indication.
    transmitter.handle_sack(Sack(4, 1_000_000), 0.2)
    assert transmitter.outstanding.lost == set()
    assert transmitter.outstanding.flight == 16 * SPACE


@pytest.mark.parametrize("more", [False, True])
def test_fewer_reports_make_a_loss_only_when_there_is_no_new_data(more: bool) -> None:
    transmitter, queue = sender_with_packets(2)
    if more:
        queue.push(1, 51, bytes(PAYLOAD), True, None)
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 2),)), 0.1)
    assert transmitter.outstanding.lost == (set() if more else {1})


def begun_message(**options: float) -> tuple[Transmitter, SendQueue]:
    """Return a transmitter that has sent two of the five fragments of a message with limits."""
    transmitter, queue = make_transmitter()
    transmitter.congestion.congestion_window = 2 * SPACE
    lifetime = {"max_retransmits": None, "expires_at": None, **options}
    queue.push(1, 51, bytes(5 * PAYLOAD), True, make_reliability(1, ordered=True, **lifetime))  # type: ignore[arg-type]
    assert fill(transmitter) == 2
    return transmitter, queue


@pytest.mark.parametrize("by", ["gap", "T3"])
def test_an_abandoned_message_is_skipped_with_its_unsent_rest(by: str) -> None:
    """The rest has one TSN, so that the peer does not wait for its last fragment."""
    transmitter, queue = begun_message(max_retransmits=0)
    if by == "gap":
        transmitter.congestion.congestion_window = 20 * SPACE
        assert fill(transmitter, 0.1) == 3
        queue.push(1, 51, bytes(5 * PAYLOAD), True, None)
        transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4),)), 0.2)
        last = 5
    else:
        transmitter.handle_timer(0.5)
        assert queue.total == 0
        last = 3
    assert transmitter.forward_pending
    assert transmitter.take_forward_tsn() == ForwardTsn(last, ((1, 0),))
    assert transmitter.outstanding.flight == 0
    transmitter.handle_sack(Sack(last, 1_000_000), 0.6)
    assert transmitter.outstanding.chunks == {}
    assert transmitter.t3_deadline == math.inf
    # A path that is restored has no timeout to end.
    transmitter.path_restored(0.7)
    assert transmitter.t3_deadline == math.inf


def test_a_partly_sent_message_that_is_lost_by_a_gap_leaves_the_queue() -> None:
    transmitter, queue = begun_message(max_retransmits=0)
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 2),)), 0.2)
    assert queue.total == 3 * PAYLOAD
    transmitter.congestion.congestion_window = 4 * SPACE
    assert fill(transmitter, 0.2) == 3
    transmitter, queue = begun_message(max_retransmits=0)
    transmitter.congestion.congestion_window = 4 * SPACE
    assert fill(transmitter, 0.1) == 2
    transmitter.handle_sack(Sack(0, 1_000_000, ((2, 4),)), 0.2)
    assert queue.total == 0
    assert transmitter.take_forward_tsn() == ForwardTsn(5, ((1, 0),))


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_message_whose_lifetime_ends_between_its_fragments_is_skipped(acknowledged: bool) -> None:
    transmitter, queue = begun_message(expires_at=0.3)
    if acknowledged:
        transmitter.handle_sack(Sack(2, 1_000_000), 0.2)
        assert transmitter.t3_deadline == math.inf
    transmitter.congestion.congestion_window = 4 * SPACE
    for _ in range(2):
        assert fill(transmitter, 0.3) == 0
        assert queue.total == transmitter.outstanding.flight == 0
        assert transmitter.outstanding.next_tsn == 4
    assert transmitter.take_forward_tsn() == ForwardTsn(3, ((1, 0),))
    # T3 runs until the peer has skipped it.
    assert transmitter.t3_deadline == (0.3 + transmitter.timeout.value if acknowledged else 0.5)


def test_tsns_wrap() -> None:
    pair = SctpPair(SctpOptions(initial_tsn=0xFFFFFFFE)).connect()
    for _ in range(5):
        pair.left.association.send(1, 51, bytes(1132), pair.now)
    pair.run_for(1)
    assert len(pair.right.messages) == 5
    statistics = pair.left.association.statistics()
    assert (statistics.chunks_sent, statistics.chunks_retransmitted, statistics.flight_size) == (5, 0, 0)
