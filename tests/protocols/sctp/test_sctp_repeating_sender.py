"""Acknowledgements for a sender that retransmits what it has just retransmitted, as Chromium's dcSCTP does."""

import heapq
import itertools
import math
from collections import Counter

import attrs

from tests.protocols.sctp.test_sctp_receiver import chunk, make_receiver
from trio_rtc.protocols.sctp.packet.chunks import Sack
from trio_rtc.protocols.sctp.packet.data import UNFRAGMENTED, UNORDERED
from trio_rtc.protocols.sctp.rx.data_tracker import MAX_GAP_BLOCKS, DataTracker

LINK_RATE, QUEUE_SECONDS, DELAY = 5e6, 0.3, 0.025
PACKET_BITS = 8 * 1200
MISSING_REPORTS = 3
TIME_OUT = 1.0


@attrs.define
class RepeatingSender:
    """A model of dcSCTP: every SACK counts for every hole below what it newly acknowledges.

    Attributes:
        window: The congestion window in packets.
    """

    window: float = 10.0
    _next: int = 1
    _cumulative: int = 0
    _ahead: set[int] = attrs.Factory(set)
    _flight: dict[int, int] = attrs.Factory(dict)
    _lost: list[int] = attrs.Factory(list)
    _recovers_until: int = 0
    _threshold: float = math.inf

    def packets(self) -> list[int]:
        """Return the TSNs of the packets to send now."""
        tsns = []
        while len(self._flight) < self.window:
            if self._lost:
                tsn = heapq.heappop(self._lost)
            else:
                tsn, self._next = self._next, self._next + 1
            self._flight[tsn] = 0
            tsns.append(tsn)
        return tsns

    def acknowledge(self, sack: Sack) -> None:
        """Handle a SACK."""
        advanced = sack.cumulative_tsn > self._cumulative
        self._cumulative = max(self._cumulative, sack.cumulative_tsn)
        reported = {
            self._cumulative + offset for first, last in sack.gap_blocks for offset in range(first, last + 1)
        }
        acknowledged = [tsn for tsn in self._flight if tsn <= self._cumulative or tsn in reported]
        for tsn in acknowledged:
            del self._flight[tsn]
        self._lost = [tsn for tsn in self._lost if tsn > self._cumulative and tsn not in reported]
        highest = max(acknowledged, default=0)
        if advanced and self._cumulative < self._recovers_until:
            highest = max(reported, default=0)
        for tsn in [tsn for tsn in self._flight if tsn < highest]:
            self._flight[tsn] += 1
            if self._flight[tsn] >= MISSING_REPORTS:
                del self._flight[tsn]
                heapq.heappush(self._lost, tsn)
                if self._cumulative >= self._recovers_until:
                    self._recovers_until = self._next - 1
                    self._threshold = self.window = max(self.window / 2, 4)
        if self._cumulative >= self._recovers_until and acknowledged:
            self.window += 1 if self.window < self._threshold else 1 / self.window

    def time_out(self) -> None:
        """Handle the T3-rtx timer."""
        self._lost = sorted((*self._lost, *self._flight))
        self._flight.clear()
        self.window, self._threshold = 1.0, max(self.window / 2, 4)


def send_for(seconds: float) -> Counter[int]:
    """Send over a slow link; return the number of arrivals of each TSN."""
    sender, receiver = RepeatingSender(), make_receiver(1)
    arrived: Counter[int] = Counter()
    events: list[tuple[float, int, int | Sack]] = []
    order, now, free_at = itertools.count(), 0.0, 0.0
    while now < seconds:
        for tsn in sender.packets():
            if free_at - now <= QUEUE_SECONDS:
                free_at = max(free_at, now) + PACKET_BITS / LINK_RATE
                heapq.heappush(events, (free_at + DELAY, next(order), tsn))
        if not events:
            now += TIME_OUT
            sender.time_out()
            continue
        now, _, event = heapq.heappop(events)
        if isinstance(event, Sack):
            sender.acknowledge(event)
            continue
        arrived[event] += 1
        receiver.receive_data(bytes(12) + chunk(event, UNFRAGMENTED | UNORDERED, 1, 0, bytes(1100)), 12)
        receiver.finish_batch(now)
        while receiver.pop_message(1):
            pass
        if receiver.ack_due:
            heapq.heappush(events, (now + DELAY, next(order), receiver.make_sack()))
    return arrived


def test_full_queue_does_not_cause_repeated_retransmissions() -> None:
    arrived = send_for(8.0)
    assert arrived.total() < 1.1 * len(arrived)
    assert len(arrived) > 750


def test_lowest_blocks_are_reported() -> None:
    tracker = DataTracker(1)
    for tsn in range(2, 400, 2):
        tracker.add(tsn)
    assert tracker.gap_blocks() == tuple((number, number) for number in range(2, 2 * MAX_GAP_BLOCKS + 1, 2))
