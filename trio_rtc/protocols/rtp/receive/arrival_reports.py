"""Telling the peer when each packet of each source arrived (RFC 8888), for those who negotiate ``ack ccfb``.

A report is made some time after the first packet that it tells of. It begins at the highest packet that the report
before has told, so that what is missing in between shows as lost (section 3.1: reports may overlap).
"""

import math

from trio_rtc.protocols.rtcp import CongestionControlFeedback
from trio_rtc.protocols.serial import Unwrapper

_INTERVAL = 0.05
_MAX_PENDING = 2048
"""Packets of one source that wait to be told; the oldest are forgotten, and count neither as received nor as lost."""
_MAX_ALL_PENDING = 16_384
"""The same, of all sources together: the source that adds one forgets its own oldest."""
_LEAST_SPAN = 64
_SPAN_FACTOR = 8
"""How many numbers a report may tell of, and for each packet that came: a jump must not make it long."""


class _Source:
    __slots__ = ("anchor", "arrivals", "numbers")

    def __init__(self, first: int) -> None:
        self.numbers = Unwrapper(16, first)
        self.arrivals: dict[int, float] = {}
        self.anchor: tuple[int, float] | None = None


class ArrivalReporter:
    """Collects arrivals, and gives them out when a report is due.

    Args:
        max_sources: How many sources are told of. Packets of further ones are not.
    """

    def __init__(self, max_sources: int) -> None:
        self._max_sources = max_sources
        self._sources: dict[int, _Source] = {}
        self._pending = 0
        self._due = math.inf

    def packet_arrived(self, ssrc: int, sequence_number: int, now: float) -> None:
        """Take a packet; its sequence number has 16 bits."""
        source = self._sources.get(ssrc)
        if source is None:
            if len(self._sources) >= self._max_sources:
                return
            source = self._sources[ssrc] = _Source(sequence_number)
        number = source.numbers.unwrap(sequence_number)
        arrivals = source.arrivals
        if number not in arrivals:
            arrivals[number] = now
            self._pending += 1
            if len(arrivals) > _MAX_PENDING or self._pending > _MAX_ALL_PENDING:
                del arrivals[next(iter(arrivals))]
                self._pending -= 1
        if self._due == math.inf:
            self._due = now + _INTERVAL

    def forget(self, ssrc: int) -> None:
        """Tell no more of a source."""
        source = self._sources.pop(ssrc, None)
        if source is not None:
            self._pending -= len(source.arrivals)

    def next_timer(self) -> float:
        """Return when a report is due, ``math.inf`` if there is nothing to tell."""
        return self._due

    def take(
        self, own_ssrc: int, report_time: int, now: float, max_size: int
    ) -> list[CongestionControlFeedback]:
        """Take the report that is due, in as many packets as it needs.

        Args:
            own_ssrc: Who reports.
            report_time: The middle 32 bits of the NTP time that is ``now``.
            now: Seconds.
            max_size: Bytes of a packet at most.
        """
        if now < self._due:
            return []
        self._due = math.inf
        self._pending = 0
        told = {ssrc: self._take(source) for ssrc, source in self._sources.items() if source.arrivals}
        return CongestionControlFeedback.build(own_ssrc, report_time, now, told, max_size)

    @staticmethod
    def _take(source: _Source) -> list[tuple[int, float, int]]:
        arrivals, source.arrivals = source.arrivals, {}
        told = [(number, at, 0) for number, at in arrivals.items()]
        if source.anchor is not None and source.anchor[0] not in arrivals:
            told.append((*source.anchor, 0))
        highest = max(number for number, _, _ in told)
        lowest = highest - _LEAST_SPAN - _SPAN_FACTOR * len(told)
        told = [each for each in told if each[0] > lowest]
        if highest in arrivals:
            source.anchor = highest, arrivals[highest]
        return told
