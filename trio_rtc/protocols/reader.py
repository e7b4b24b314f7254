"""A bounds-checked cursor over bytes, so that every length from a peer is checked in one place."""

from trio_rtc.errors import ProtocolError


class Reader:
    """Reads big-endian integers and vectors; raises ``ProtocolError`` at the end of the data."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        return self._end - self.position

    def read(self, length: int) -> bytes:
        """Return the next ``length`` bytes."""
        start = self.position
        if length < 0 or length > self._end - start:
            raise ProtocolError(f"{length} bytes expected at offset {start}, {self._end - start} left")
        self.position = start + length
        return self._data[start : self.position]

    def read_integer(self, length: int) -> int:
        """Return the next unsigned big-endian integer of ``length`` bytes."""
        return int.from_bytes(self.read(length), "big")

    def read_vector(self, length_size: int) -> bytes:
        """Return the next vector, preceded by its length in ``length_size`` bytes (RFC 5246 section 4.3)."""
        return self.read(self.read_integer(length_size))

    def rest(self) -> bytes:
        return self.read(self._end - self.position)

    def expect_end(self, what: str) -> None:
        """Raise ``ProtocolError`` if bytes are left; ``what`` names the structure before them."""
        if self.position != self._end:
            raise ProtocolError(f"{self._end - self.position} bytes left behind {what}")
