"""Requests for lost packets of a received stream (generic NACK, RFC 4585 section 6.2.1), and for its keyframes.

A packet is missing when a later one has arrived. Its life has these steps:

1. *Tolerated*: packets may have been reordered. It is first requested when the reordering tolerance is over, which is
   as long as packets have lately been late without a request.
2. *Requested*: it is requested once in a round trip and that tolerance, each time a little later. Where many packets
   are lost, so are requests, and each is sent again a moment later; a sender answers one of the two.
3. It ends when the packet arrives, or it is given up: it was requested too often or too long, or too many packets are
   missing. :meth:`NackGenerator.take_gave_up` reports that once; the answer to it is a keyframe request.

The round-trip time is set from reports, now and then; in between it is measured by the answers to requests.

Sequence numbers are unwrapped.
"""

import math

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions, NackOptions
from trio_rtc.protocols.timer import Timer


@attrs.define(slots=True)
class _Missing:
    since: float
    next_request: float
    last_request: float = -math.inf
    requests: int = 0
    # Whether ``next_request`` is when the last request is sent again.
    repeats: bool = False


_TOLERANCE_DECAY = 0.98
_ROUND_TRIP_SMOOTHING = 1 / 8
_ROUND_TRIP_RISE = 1 / 2
_FIRST_LOSS_WINDOW, _LOSS_WINDOW = 64, 256
"""Packets over which the loss is averaged, at first and later."""
_LOSSY = 0.04
"""The lost part of the packets from which on requests are sent twice."""
_REPETITION = 0.01
"""Seconds between the two: less than a round trip, in which a sender answers only one of them."""
_TWO_ANSWERS = 2.5
"""Request intervals: one until the second request, one for its answer, and some for a queue before that."""
_ONE_ANSWER = 1.25
_KEYFRAME_BACKOFF = 1.5
"""Rare enough for a keyframe that takes long to arrive, frequent enough where requests are lost."""


class NackGenerator:
    """Maintains the missing packets of one stream.

    Attributes:
        requested: Requested sequence numbers, each counted at each request.
        given_up: Packets that were given up.
    """

    __slots__ = (
        "_gave_up",
        "_highest",
        "_loss",
        "_loss_window",
        "_missing",
        "_next",
        "_options",
        "_reordering",
        "_reported_round_trip",
        "_round_trip",
        "given_up",
        "requested",
    )

    def __init__(self, options: NackOptions | None = None) -> None:
        self._options = options or NackOptions()
        self._round_trip = self._reported_round_trip = self._options.initial_round_trip
        self._highest: int | None = None
        self._missing: dict[int, _Missing] = {}
        self._next = math.inf
        self._reordering = 0.0
        self._loss = 0.0
        self._loss_window = _FIRST_LOSS_WINDOW
        self._gave_up = False
        self.requested = 0
        self.given_up = 0

    @property
    def missing(self) -> int:
        return len(self._missing)

    @property
    def tolerance(self) -> float:
        """The reordering tolerance at present, in seconds."""
        options = self._options
        return min(max(options.min_tolerance, self._reordering), options.max_tolerance)

    @property
    def retransmission_timeout(self) -> float:
        """The time from the detection of a loss to the answer to the second request, in seconds.

        It is computed from the round-trip time of reports, not of answers: where answers are slow because many packets
        were lost at once, a keyframe arrives before all of them.
        """
        return self.tolerance + _TWO_ANSWERS * (self._reported_round_trip + self.tolerance)

    @property
    def first_answer(self) -> float:
        """The time from the detection of a loss to the answer to the first request, in seconds."""
        return self.tolerance + _ONE_ANSWER * (self._reported_round_trip + self.tolerance)

    def set_round_trip(self, round_trip: float) -> None:
        """Set the round-trip time in seconds, which paces requests."""
        self._round_trip = self._reported_round_trip = round_trip

    def is_missing(self, sequence_number: int) -> bool:
        """Return whether a packet is missing and was not given up."""
        return sequence_number in self._missing

    def packet_received(
        self, sequence_number: int, now: float, *, recovered: bool = False, retransmitted: bool = False
    ) -> None:
        """Record a packet.

        Args:
            sequence_number: Its unwrapped sequence number.
            now: Its arrival time.
            recovered: It was recovered by redundancy or error correction: its arrival shows neither reordering nor the
                time that an answer takes.
            retransmitted: It was received by RTX, and so is the answer to a request.
        """
        highest = self._highest
        if highest is None:
            self._highest = sequence_number
            return
        if sequence_number > highest:
            self._loss -= self._loss / self._loss_window
            if self._loss_window < _LOSS_WINDOW:
                self._loss_window += 1
            if sequence_number > highest + 1:
                self._skip(highest + 1, sequence_number, now)
            self._highest = sequence_number
            return
        entry = self._missing.pop(sequence_number, None)
        if entry is not None and retransmitted:
            if entry.requests == 1:
                self._update_round_trip(now - entry.last_request)
        elif entry is not None and not recovered:
            self._loss = max(self._loss - 1 / self._loss_window, 0.0)
            self._update_reordering(entry, now)
        if not self._missing:
            self._next = math.inf

    def due(self, now: float) -> list[int]:
        """Return the sequence numbers to request now, in order, and record them as requested."""
        if now < self._next:
            return []
        options = self._options
        # An answer may be reordered like any other packet.
        interval = max(options.min_interval, self._round_trip + self.tolerance)
        numbers: list[int] = []
        lost: list[int] = []
        soonest = math.inf
        for sequence_number, entry in self._missing.items():
            if entry.next_request <= now and entry.repeats:
                numbers.append(sequence_number)
                entry.repeats = False
                next_request = entry.last_request + interval * options.backoff ** (entry.requests - 1)
                entry.next_request = max(next_request, now + _REPETITION)
            elif entry.next_request <= now:
                if entry.requests >= options.max_requests or now - entry.since >= options.max_age:
                    lost.append(sequence_number)
                    continue
                numbers.append(sequence_number)
                entry.next_request = now + interval * options.backoff**entry.requests
                entry.requests += 1
                entry.last_request = now
                if self._loss > _LOSSY and interval > 2 * _REPETITION:
                    entry.repeats = True
                    entry.next_request = now + _REPETITION
            soonest = min(soonest, entry.next_request)
        for sequence_number in lost:
            del self._missing[sequence_number]
        self._give_up(len(lost))
        self._next = soonest
        self.requested += len(numbers)
        return numbers

    def next_timer(self) -> float:
        """Return when to call :meth:`due`, ``math.inf`` if nothing is missing."""
        return self._next

    def take_gave_up(self) -> bool:
        """Return whether packets were given up since the last call."""
        gave_up = self._gave_up
        self._gave_up = False
        return gave_up

    def forget_below(self, sequence_number: int) -> None:
        """Remove the missing packets below a number, which are not needed, as after a keyframe."""
        # Losses are detected in ascending order, so the dictionary is sorted.
        unneeded = []
        for missing in self._missing:
            if missing >= sequence_number:
                break
            unneeded.append(missing)
        for missing in unneeded:
            del self._missing[missing]
        if not self._missing:
            self._next = math.inf

    def _skip(self, first: int, end: int, now: float) -> None:
        count = end - first
        self._loss = 1 - (1 - self._loss) * (1 - 1 / self._loss_window) ** count
        if len(self._missing) + count > self._options.max_missing:
            # So many lost packets are an outage or a restart of the sender; a keyframe is cheaper than retransmissions.
            self._give_up(len(self._missing) + count)
            self._missing.clear()
            self._next = math.inf
            return
        due = now + self.tolerance
        for sequence_number in range(first, end):
            self._missing[sequence_number] = _Missing(now, due)
        self._next = min(self._next, due)
        self._reordering *= _TOLERANCE_DECAY

    def _update_reordering(self, entry: _Missing, now: float) -> None:
        """Update the measured reordering from a late packet that was not retransmitted by RTX."""
        # A packet long after a request may be a retransmission on the same stream (RFC 4585 without RTX).
        if now - entry.last_request < self._round_trip / 2 or not entry.requests:
            self._reordering = max(self._reordering, now - entry.since)

    def _update_round_trip(self, answered_after: float) -> None:
        """Update the round-trip time from a packet requested exactly once (Karn's algorithm).

        Reports are rare, and a queue on the path soon makes a round trip many times as long.
        """
        beyond_reordering = answered_after > self._round_trip + self.tolerance
        smoothing = _ROUND_TRIP_RISE if beyond_reordering else _ROUND_TRIP_SMOOTHING
        self._round_trip += smoothing * (answered_after - self._round_trip)

    def _give_up(self, count: int) -> None:
        if count:
            self.given_up += count
            self._gave_up = True


class KeyframeRequests:
    """Requests a keyframe when one is needed, and repeats the request with backoff until it arrives."""

    __slots__ = ("_answer_time", "_interval", "_requested_at", "_timer", "_wanted", "requests")

    def __init__(self, options: FrameAssemblerOptions) -> None:
        self._interval = options.keyframe_interval
        self._timer = Timer(options.keyframe_interval, _KEYFRAME_BACKOFF, options.max_keyframe_interval)
        self._answer_time = 0.0
        self._requested_at = -math.inf
        self._wanted = False
        self.requests = 0

    @property
    def running(self) -> bool:
        """Whether a keyframe was requested and has not arrived."""
        return self._timer.running

    @property
    def deadline(self) -> float:
        return self._timer.deadline

    def set_answer_time(self, seconds: float) -> None:
        """Set the time that the answer to a request takes at present: the request is not repeated before that.

        A keyframe is the largest of frames: one more on a link whose queue is full makes all others later.
        """
        self._answer_time = seconds
        self._timer.duration = max(self._interval, seconds)
        if self._timer.running and not self._timer.expirations:
            self._timer.start(self._requested_at)

    def need(self, now: float) -> None:
        """Request a keyframe, unless one is pending or in flight."""
        if self._timer.running:
            return
        if now < self._requested_at + self._answer_time:
            self._timer.start(self._requested_at)
            return
        self._timer.start(now)
        self._request(now)

    def handle_timer(self, now: float) -> None:
        if self._timer.expire(now):
            self._request(now)

    def satisfied(self) -> None:
        self._timer.stop()
        self._wanted = False
        self._requested_at = -math.inf

    def withdraw(self) -> None:
        """Record that none is needed: the missing packets have arrived. The requested one may arrive all the same."""
        self._timer.stop()
        if self._wanted:
            self._wanted = False
            self._requested_at = -math.inf

    def take_request(self) -> bool:
        wanted = self._wanted
        self._wanted = False
        return wanted

    def _request(self, now: float) -> None:
        self._requested_at = now
        self._wanted = True
        self.requests += 1


class KeyframeRequestLimiter:
    """Limits the keyframe requests to one in an interval.

    Args:
        interval: Seconds.

    Attributes:
        is_wanted: Whether a keyframe is wanted that was not requested yet.
    """

    __slots__ = ("_interval", "_requested_at", "is_wanted")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._requested_at = -math.inf
        self.is_wanted = False

    def take_request(self, now: float) -> bool:
        if not self.is_wanted or now < self._requested_at + self._interval:
            return False
        self.is_wanted = False
        self._requested_at = now
        return True

    def next_timer(self) -> float:
        """Return when to send a request, ``math.inf`` if no keyframe is wanted."""
        return self._requested_at + self._interval if self.is_wanted else math.inf
