"""What reception reports tell about a source (RFC 3550 sections 6.4.1, A.3 and A.8)."""

from typing import Final

import attrs

from trio_rtc.protocols.serial import serial_difference

# As many numbers missing at once as RFC 3550 appendix A.1 takes for a restart.
_JUMP: Final = 3000
# Longer than this, in seconds, a difference is a pause or a clock that was set, not jitter.
_MAX_DIFFERENCE: Final = 5
_CUMULATIVE_MAX: Final = (1 << 23) - 1
_CUMULATIVE_MIN: Final = -(1 << 23)


@attrs.frozen
class ReportBlockValues:
    """What a report block says about a source.

    Attributes:
        fraction_lost: Of 256: what part was lost since the last report.
        cumulative_lost: Since the beginning, within 24 bits with a sign; duplicates count against losses.
        highest_sequence_number: Extended by the count of wraps, 32 bits.
        jitter: In clock units.
    """

    fraction_lost: int
    cumulative_lost: int
    highest_sequence_number: int
    jitter: int


class ReceptionStatistics:
    """Counts the packets of one source.

    Attributes:
        packets: How many packets came, duplicates too.
        bytes: Their payload bytes, as far as told.
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
        """How many packets the source has sent, by its sequence numbers."""
        return 0 if self.highest is None else self.highest - self._base + 1

    @property
    def lost(self) -> int:
        """How many packets are missing; below zero when duplicates outnumber them."""
        return self.expected - self.packets

    @property
    def jitter(self) -> float:
        """The interarrival jitter in clock units (RFC 3550 section 6.4.1)."""
        return self._jitter

    @property
    def jitter_seconds(self) -> float:
        """The interarrival jitter in seconds."""
        return self._jitter / self._clock_rate if self._clock_rate else 0.0

    def received(
        self, sequence_number: int, timestamp: int, arrival: float, clock_rate: int, size: int = 0
    ) -> None:
        """Count a packet.

        Args:
            sequence_number: Unwrapped.
            timestamp: 32 bits or unwrapped.
            arrival: When it came.
            clock_rate: Units of ``timestamp`` in a second.
            size: Bytes of payload.
        """
        self.packets += 1
        self.bytes += size
        highest = self.highest
        if highest is not None and sequence_number <= highest:
            # What was sent before the first packet that came was expected, too.
            self._base = min(self._base, sequence_number)
            return
        if highest is None:
            self._base = sequence_number
        elif sequence_number - highest >= _JUMP:
            # The source has started again; nobody has lost what lies between (RFC 3550 appendix A.1).
            self._base += sequence_number - highest - 1
        self.highest = sequence_number
        timestamp &= 0xFFFFFFFF
        if clock_rate == self._clock_rate:
            # Packets of one frame share a timestamp but not the time they are sent at: only the first of a frame tells.
            units = serial_difference(timestamp, self._last_timestamp, 32)
            if not units:
                return
            self._measure((arrival - self._last_arrival) * clock_rate - units)
        # Another clock, as that of another payload type, makes the difference meaningless (RFC 7160).
        self._clock_rate = clock_rate
        self._last_timestamp = timestamp
        self._last_arrival = arrival

    def take_report(self) -> ReportBlockValues:
        """Return the values of a report block, and begin a new interval (RFC 3550 appendix A.3)."""
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
