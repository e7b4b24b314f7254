"""Asking for lost packets (generic NACK, RFC 4585 section 6.2.1): which to ask for, when, and when to give up.

A number that is skipped is missing. It is first asked for when the reordering tolerance has passed: as long as packets
have lately come late of their own accord, so long a hole is left alone. Then it is asked for once in a round trip
and that tolerance, each time a little later, until it comes, has been asked for too often, or is too old. Giving up is
told once by :meth:`NackGenerator.take_gave_up`; the answer to it is to ask for a keyframe. How long a round trip takes
is told from outside, now and then; in between the answers tell it.

Sequence numbers are unwrapped.
"""

import math

import attrs

from trio_rtc.protocols.rtp.options import NackOptions


@attrs.define(slots=True)
class _Missing:
    since: float
    next_request: float
    last_request: float = -math.inf
    requests: int = 0


_TOLERANCE_DECAY = 0.98
_ROUND_TRIP_SMOOTHING = 1 / 8
_ROUND_TRIP_RISE = 1 / 2
_TWO_ANSWERS = 2.5
"""Intervals between requests: one until the second is made, one for its answer, and some for a queue before that."""
_ONE_ANSWER = 1.25


class NackGenerator:
    """Keeps the list of missing packets of one stream.

    Attributes:
        requested: How many requests there were, each number counted at each request.
        given_up: How many packets were given up.
    """

    __slots__ = (
        "_gave_up",
        "_highest",
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
        self._gave_up = False
        self.requested = 0
        self.given_up = 0

    @property
    def missing(self) -> int:
        """How many packets are being waited for."""
        return len(self._missing)

    @property
    def tolerance(self) -> float:
        """How long a hole is left alone at present, in seconds."""
        options = self._options
        return min(max(options.min_tolerance, self._reordering), options.max_tolerance)

    @property
    def retransmission_timeout(self) -> float:
        """How long after a hole has shown the second request for what is missing is answered at last, in seconds.

        That goes by the reports, not by the answers: where those are slow because much was lost at once, a keyframe is
        here sooner than all of them.
        """
        return self.tolerance + _TWO_ANSWERS * (self._reported_round_trip + self.tolerance)

    @property
    def first_answer(self) -> float:
        """How long after a hole has shown the first request for what is missing is answered, in seconds."""
        return self.tolerance + _ONE_ANSWER * (self._reported_round_trip + self.tolerance)

    def set_round_trip(self, round_trip: float) -> None:
        """Tell the round-trip time, in seconds, by which requests are paced."""
        self._round_trip = self._reported_round_trip = round_trip

    def is_missing(self, sequence_number: int) -> bool:
        """Return whether the packet is still being waited for."""
        return sequence_number in self._missing

    def received(
        self, sequence_number: int, now: float, *, recovered: bool = False, repeated: bool = False
    ) -> None:
        """Hear that a packet has come.

        Args:
            sequence_number: Unwrapped.
            now: When.
            recovered: It came by redundancy, or out of forward error correction, and tells nothing about reordering,
                nor about requests.
            repeated: It came by retransmission, and so is the answer to a request.
        """
        highest = self._highest
        if highest is None:
            self._highest = sequence_number
            return
        if sequence_number > highest:
            if sequence_number > highest + 1:
                self._skip(highest + 1, sequence_number, now)
            self._highest = sequence_number
            return
        entry = self._missing.pop(sequence_number, None)
        if entry is not None and repeated:
            if entry.requests == 1:
                self._measure(now - entry.last_request)
        elif entry is not None and not recovered:
            self._learn(entry, now)
        if not self._missing:
            self._next = math.inf

    def due(self, now: float) -> list[int]:
        """Return the numbers to ask for now, in order. They count as asked for."""
        if now < self._next:
            return []
        options = self._options
        # An answer may come as much out of order as anything else.
        interval = max(options.min_interval, self._round_trip + self.tolerance)
        numbers: list[int] = []
        lost: list[int] = []
        soonest = math.inf
        for sequence_number, entry in self._missing.items():
            if entry.next_request <= now:
                if entry.requests >= options.max_requests or now - entry.since >= options.max_age:
                    lost.append(sequence_number)
                    continue
                numbers.append(sequence_number)
                entry.next_request = now + interval * options.backoff**entry.requests
                entry.requests += 1
                entry.last_request = now
            soonest = min(soonest, entry.next_request)
        for sequence_number in lost:
            del self._missing[sequence_number]
        self._give_up(len(lost))
        self._next = soonest
        self.requested += len(numbers)
        return numbers

    def next_timer(self) -> float:
        """Return when :meth:`due` has something to do, ``math.inf`` if never."""
        return self._next

    def take_gave_up(self) -> bool:
        """Return whether packets were given up since the last call."""
        gave_up = self._gave_up
        self._gave_up = False
        return gave_up

    def forget_below(self, sequence_number: int) -> None:
        """Wait no more for packets below a number, which nobody needs, as after a keyframe."""
        # Holes are found in ascending order, so the dictionary is sorted.
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
        if len(self._missing) + count > self._options.max_missing:
            # So large a hole is an outage or a restart of the sender; a keyframe is cheaper than what was lost.
            self._give_up(len(self._missing) + count)
            self._missing.clear()
            self._next = math.inf
            return
        due = now + self.tolerance
        for sequence_number in range(first, end):
            self._missing[sequence_number] = _Missing(now, due)
        self._next = min(self._next, due)
        self._reordering *= _TOLERANCE_DECAY

    def _learn(self, entry: _Missing, now: float) -> None:
        """Take the lateness of a packet that came by itself as a measure of reordering."""
        # One that came long after a request may have been sent again on the same stream (RFC 4585 without RTX).
        if now - entry.last_request < self._round_trip / 2 or not entry.requests:
            self._reordering = max(self._reordering, now - entry.since)

    def _measure(self, answered_after: float) -> None:
        """Take how long the answer to a request took that was made once: which of several it answers, nobody knows.

        Reports come seldom, and a queue on the path soon makes a round trip many times as long.
        """
        beyond_reordering = answered_after > self._round_trip + self.tolerance
        smoothing = _ROUND_TRIP_RISE if beyond_reordering else _ROUND_TRIP_SMOOTHING
        self._round_trip += smoothing * (answered_after - self._round_trip)

    def _give_up(self, count: int) -> None:
        if count:
            self.given_up += count
            self._gave_up = True
