"""Sequence numbers and reception statistics of one SSRC (RFC 3550 section 6.4.1, appendices A.1, A.3 and A.8)."""

from typing import Final

import attrs

from trio_rtc.protocols.rtp.options import StatisticsOptions
from trio_rtc.protocols.serial import serial_difference

_BITS: Final = 16
_MASK: Final = (1 << _BITS) - 1
_HALF: Final = 1 << (_BITS - 1)
_JUMP: Final = 3000
"""Numbers missing at once that RFC 3550 appendix A.1 takes for a restart."""
_MAX_DIFFERENCE: Final = 5
"""Seconds; a longer difference is a pause or a clock that was set, not jitter."""
_CUMULATIVE_MAX: Final = (1 << 23) - 1
_CUMULATIVE_MIN: Final = -(1 << 23)


class SequenceUnwrapper:
    """Unwraps the sequence numbers of one SSRC, which may start anywhere, and may restart (RFC 3550 appendix A.1).

    A packet that is far from the others is rejected; when the next one follows it, the sender has restarted, and the
    unwrapped numbers continue above all those before, so that order is kept. Numbers of retransmitted or recovered
    packets are unwrapped with :meth:`nearest`: they may be far behind without a restart.

    Attributes:
        highest: The highest number so far, ``None`` before the first.
        restarts: How often the sender has restarted.
        rejected: How many packets were rejected.
    """

    __slots__ = ("_confirming", "_options", "_probation", "highest", "rejected", "restarts")

    def __init__(self, options: StatisticsOptions | None = None) -> None:
        self._options = options or StatisticsOptions()
        self._probation = self._options.min_sequential - 1
        # The number after the last rejected one: it would end the probation, or confirm a jump.
        self._confirming: int | None = None
        self.highest: int | None = None
        self.restarts = 0
        self.rejected = 0

    def unwrap(self, value: int) -> int | None:
        """Return the unwrapped number of a packet, ``None`` if it is rejected."""
        highest = self.highest
        if highest is None:
            return self._begin(value)
        difference = ((value - highest + _HALF) & _MASK) - _HALF
        if -self._options.max_misorder < difference < self._options.max_dropout:
            if difference > 0:
                self._confirming = None
                self.highest = highest + difference
            return highest + difference
        if value != self._confirming:
            self._confirming = (value + 1) & _MASK
            self.rejected += 1
            return None
        self._confirming = None
        self.restarts += 1
        self.highest = highest + ((value - highest) & _MASK)
        return self.highest

    def nearest(self, value: int) -> int | None:
        """Return the number nearest to the highest so far, without recording it; ``None`` before the first."""
        highest = self.highest
        return None if highest is None else highest + ((value - highest + _HALF) & _MASK) - _HALF

    def _begin(self, value: int) -> int | None:
        if self._probation:
            if self._confirming is not None and value != self._confirming:
                self._probation = self._options.min_sequential - 1
            elif self._confirming is not None:
                self._probation -= 1
            self._confirming = (value + 1) & _MASK
            if self._probation:
                self.rejected += 1
                return None
        self._confirming = None
        self.highest = value
        return value


@attrs.frozen
class ReportBlockValues:
    """The fields of a report block.

    Attributes:
        fraction_lost: The part lost since the last report, in 1/256.
        cumulative_lost: Packets lost since the beginning, signed 24 bits; duplicates count against losses.
        highest_sequence_number: Extended by the number of wraps, 32 bits.
        jitter: In clock units.
    """

    fraction_lost: int
    cumulative_lost: int
    highest_sequence_number: int
    jitter: int


class ReceptionStatistics:
    """Counts the packets of one SSRC.

    Attributes:
        packets: The packets received, with duplicates.
        bytes: Their payload bytes.
        highest: The highest sequence number, unwrapped; ``None`` before the first packet.
    """

    __slots__ = (
        "_base",
        "_clock_rate",
        "_expected_prior",
        "_jitter",
        "_last_arrival",
        "_last_timestamp",
        "_received_prior",
        "bytes",
        "highest",
        "packets",
    )

    def __init__(self) -> None:
        self._base = 0
        self._clock_rate = 0
        self._jitter = 0.0
        self._last_timestamp = 0
        self._expected_prior = 0
        self._received_prior = 0
        self.highest: int | None = None
        self.packets = 0
        self.bytes = 0
        self._last_arrival = 0.0

    @property
    def expected(self) -> int:
        """The packets that the source has sent, by its sequence numbers."""
        return 0 if self.highest is None else self.highest - self._base + 1

    @property
    def lost(self) -> int:
        """The missing packets; negative when duplicates outnumber them."""
        return self.expected - self.packets

    @property
    def jitter(self) -> float:
        """The interarrival jitter in clock units (RFC 3550 section 6.4.1)."""
        return self._jitter

    @property
    def jitter_seconds(self) -> float:
        """The interarrival jitter in seconds."""
        return self._jitter / self._clock_rate if self._clock_rate else 0.0

    def record(
        self, sequence_number: int, timestamp: int, arrival: float, clock_rate: int, size: int = 0
    ) -> None:
        """Count a packet.

        Args:
            sequence_number: Unwrapped.
            timestamp: 32 bits or unwrapped.
            arrival: Its arrival time.
            clock_rate: Units of ``timestamp`` per second.
            size: Bytes of payload.
        """
        self.packets += 1
        self.bytes += size
        highest = self.highest
        if highest is not None and sequence_number <= highest:
            # Packets sent before the first received one were expected, too.
            self._base = min(self._base, sequence_number)
            return
        if highest is None:
            self._base = sequence_number
        elif sequence_number - highest >= _JUMP:
            # The source has restarted; the numbers in between are not lost (RFC 3550 appendix A.1).
            self._base += sequence_number - highest - 1
        self.highest = sequence_number
        timestamp &= 0xFFFFFFFF
        if clock_rate == self._clock_rate:
            # Packets of one frame share a timestamp but not their send time: only the first of a frame is measured.
            units = serial_difference(timestamp, self._last_timestamp, 32)
            if not units:
                return
            self._measure((arrival - self._last_arrival) * clock_rate - units)
        # A difference between two clock rates, as of two payload types, is meaningless (RFC 7160).
        self._clock_rate = clock_rate
        self._last_timestamp = timestamp
        self._last_arrival = arrival

    def take_report(self) -> ReportBlockValues:
        """Return the fields of a report block, and start a new interval (RFC 3550 appendix A.3)."""
        expected = self.expected
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (self.packets - self._received_prior)
        self._expected_prior = expected
        self._received_prior = self.packets
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // expected_interval)
        return ReportBlockValues(
            fraction_lost=fraction,
            cumulative_lost=max(_CUMULATIVE_MIN, min(_CUMULATIVE_MAX, expected - self.packets)),
            highest_sequence_number=(self.highest or 0) & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
        )

    def _measure(self, difference: float) -> None:
        if abs(difference) < _MAX_DIFFERENCE * self._clock_rate:
            self._jitter += (abs(difference) - self._jitter) / 16
