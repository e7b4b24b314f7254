"""What the statistics need: records, and why some were dropped."""

import attrs


@attrs.define
class DtlsCounters:
    """Counts of records since the connection was made.

    Attributes:
        records_sent: Records of any kind.
        records_received: Records that were authentic, or in the clear where that is right.
        replayed: Dropped: seen before, or older than the window.
        forged: Dropped: not authentic.
        malformed: Dropped: not a record, or contents that do not parse.
        wrong_epoch: Dropped: of an epoch that is over, or has no keys yet when the buffer for early records
            is full.
        unexpected: Dropped: authentic or in the clear, but nothing that is awaited now.
        overflowed: Handshake fragments dropped because a limit of memory or size was reached.
        flights_retransmitted: Flights that were sent again.
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
