"""Feedback at the receiver: arrival times, and when to report them (TWCC section 4).

Feedback is due every 50 to 100 ms, less often if it would use more than 5 % of the received bandwidth or report very
few packets, because each feedback costs both sides the same work. Each feedback starts after the end of the last one,
or earlier if a packet that was reported as missing has arrived since, and has an entry for every sequence number.
"""

import math
from collections import OrderedDict

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions

# Size of a feedback on the wire: headers of IP, UDP, SRTCP and RTCP, a few chunks and deltas (libwebrtc: 68 bytes).
_MESSAGE_BITS = 68 * 8
_RATE_SMOOTHING = 0.3


@attrs.frozen
class FeedbackToSend:
    """One feedback message to encode.

    Attributes:
        feedback_count: Feedback packet count from 0 on, unwrapped.
        arrivals: Consecutive unwrapped sequence numbers, each with its arrival time or ``None``.
    """

    feedback_count: int
    arrivals: list[tuple[int, float | None]]


class FeedbackGenerator:
    """Collects arrival times and creates feedback when it is due.

    At most ``feedback_pending`` sequence numbers are kept; the oldest are discarded. A larger jump of sequence numbers
    resets the generator. A discarded number is not reported, which the sender counts neither as received nor as lost.

    Attributes:
        forgotten: Number of arrivals discarded before they were reported.
        jumps: Number of resets.
    """

    def __init__(self, options: BandwidthEstimationOptions | None = None) -> None:
        options = options or BandwidthEstimationOptions()
        self._options = options
        self._arrivals: OrderedDict[int, float] = OrderedDict()
        self._base: int | None = None
        self._highest = -1
        self._newest = -math.inf
        self._count = 0
        self._unreported = 0
        self._deadline = math.inf
        self._sent_at: float | None = None
        self._bytes = 0
        self._rate: float | None = None
        self._packet_interval = 0.0
        self.forgotten = 0
        self.jumps = 0

    def record_arrival(self, sequence_number: int, arrival_time: float, size: int, now: float) -> None:
        """Record the arrival of a packet.

        Args:
            sequence_number: Transport-wide sequence number, unwrapped.
            arrival_time: In seconds, of any clock that does not jump.
            size: Bytes on the wire.
            now: Monotonic time in seconds.
        """
        self._bytes += size
        if self._sent_at is None:
            self._sent_at = now
        if self._base is not None and abs(sequence_number - self._highest) > self._options.feedback_pending:
            self._reset()
        if self._base is None:
            self._base = self._highest = sequence_number
        arrivals, pending = self._arrivals, self._options.feedback_pending
        if sequence_number in arrivals:
            return
        arrivals[sequence_number] = arrival_time
        self._unreported += 1
        self._newest = max(self._newest, arrival_time)
        if sequence_number > self._highest:
            self._highest = sequence_number
        elif sequence_number < self._base:
            self._base = sequence_number
        if len(arrivals) > pending:
            arrivals.popitem(last=False)
            self.forgotten += 1
        self._base = max(self._base, self._highest - pending)
        if self._deadline == math.inf:
            self._deadline = max(now, self._sent_at + self._interval())

    def next_timer(self) -> float:
        """Return when feedback is due; ``math.inf`` if there is nothing to report."""
        return self._deadline

    def feedback_to_send(self, now: float) -> list[FeedbackToSend]:
        """Return and remove the feedback that is due; none before ``next_timer``."""
        if now < self._deadline or self._base is None:
            return []
        self._measure(now)
        self._deadline = math.inf
        self._unreported = 0
        step = self._options.feedback_max_packets
        messages: list[FeedbackToSend] = []
        get = self._arrivals.get
        for base in range(self._base, self._highest + 1, step):
            end = min(base + step, self._highest + 1)
            arrivals = [(number, get(number)) for number in range(base, end)]
            messages.append(FeedbackToSend(self._count, arrivals))
            self._count += 1
        self._base = self._highest + 1
        self._discard_reported()
        return messages

    def _reset(self) -> None:
        self.jumps += 1
        self.forgotten += self._unreported
        self._arrivals.clear()
        self._unreported = 0
        self._base = None

    def _measure(self, now: float) -> None:
        assert self._sent_at is not None
        elapsed = now - self._sent_at
        if elapsed > 0:
            rate = 8 * self._bytes / elapsed
            self._rate = rate if self._rate is None else self._rate + _RATE_SMOOTHING * (rate - self._rate)
            interval = elapsed / max(self._unreported, 1)
            self._packet_interval += _RATE_SMOOTHING * (interval - self._packet_interval)
        self._bytes = 0
        self._sent_at = now

    def _interval(self) -> float:
        options = self._options
        if not self._rate:
            return options.feedback_interval_min
        affordable = _MESSAGE_BITS / (options.feedback_bandwidth * self._rate)
        worthwhile = options.feedback_packets * self._packet_interval
        interval = max(affordable, worthwhile, options.feedback_interval_min)
        return min(interval, options.feedback_interval_max)

    def _discard_reported(self) -> None:
        # Arrival times may be of another clock than ``now``, so age is relative to the newest.
        arrivals, oldest = self._arrivals, self._newest - self._options.feedback_history
        while arrivals and next(iter(arrivals.values())) < oldest:
            arrivals.popitem(last=False)
