"""Counters of records for the statistics."""

from trio_rtc import _attrs as attrs


@attrs.define
class DtlsCounters:
    """Counts of records over the life of a connection.

    Attributes:
        records_sent: Records of any content type.
        records_received: Authentic records, and those in the clear where that is allowed.
        replayed: Dropped because received before, or older than the replay window.
        forged: Dropped because not authentic.
        malformed: Dropped because the record or its contents do not parse.
        wrong_epoch: Dropped because their epoch is over, or has no keys yet and the buffer for early records is full.
        unexpected: Dropped because not expected in the present state.
        overflowed: Handshake fragments dropped because a bound of memory or size was reached.
        flights_retransmitted: Flights that were retransmitted.
    """

    records_sent: int = 0
    records_received: int = 0
    replayed: int = 0
    forged: int = 0
    malformed: int = 0
    wrong_epoch: int = 0
    unexpected: int = 0
    overflowed: int = 0
    flights_retransmitted: int = 0
