"""The anti-replay window (RFC 6347 section 4.1.2.6, after RFC 4303 section 3.4.3)."""


class ReplayWindow:
    """Sliding window over the sequence numbers that have been received.

    ``is_fresh`` is called before a record is opened, ``mark`` only when it has proved authentic: otherwise a forged
    record could move the window past genuine ones.
    """

    __slots__ = ("_bitmap", "_mask", "_size", "highest")

    def __init__(self, size: int) -> None:
        self._size = size
        self._mask = (1 << size) - 1
        self._bitmap = 0  # bit i stands for the record number ``highest - i``
        self.highest = -1

    def is_fresh(self, sequence: int) -> bool:
        """Return whether ``sequence`` is new: neither received before nor older than the window."""
        behind = self.highest - sequence
        return behind < 0 or (behind < self._size and not self._bitmap >> behind & 1)

    def mark(self, sequence: int) -> None:
        """Record a fresh sequence number as received."""
        ahead = sequence - self.highest
        if ahead <= 0:
            self._bitmap |= 1 << -ahead
            return
        # A jump beyond the window clears it; shifting by the distance would cost memory that a peer controls.
        self._bitmap = (self._bitmap << ahead | 1) & self._mask if ahead < self._size else 1
        self.highest = sequence
