"""Serial number arithmetic (RFC 1982): sequence numbers that wrap around.

``Unwrapper`` maps them to integers that do not wrap, so that only codecs deal with the wrap.
"""

from trio_rtc import _attrs as attrs


def serial_add(value: int, increment: int, bits: int) -> int:
    """Return ``value + increment`` in the number space of ``bits`` bits."""
    return (value + increment) & ((1 << bits) - 1)


def serial_difference(left: int, right: int, bits: int) -> int:
    """Return the signed difference ``left - right``, from ``-2**(bits-1)`` to ``2**(bits-1) - 1``."""
    half = 1 << (bits - 1)
    return ((left - right + half) & ((1 << bits) - 1)) - half


def serial_less(left: int, right: int, bits: int) -> bool:
    """Return whether ``left`` is before ``right`` (RFC 1982 section 3.2)."""
    return serial_difference(left, right, bits) < 0


@attrs.define
class Unwrapper:
    """Maps wrapping serial numbers to integers near the last one.

    Attributes:
        bits: Width of the serial number.
        last: The integer returned last, relative to which numbers are unwrapped.
    """

    bits: int
    last: int = 0

    def unwrap(self, value: int) -> int:
        """Return the integer congruent to ``value`` nearest to ``last``, which it becomes."""
        # As ``peek``, without the calls: this runs for every packet.
        half = 1 << (self.bits - 1)
        last = self.last
        self.last = last = last + ((value - last + half) & (2 * half - 1)) - half
        return last

    def peek(self, value: int) -> int:
        """Return the result of ``unwrap`` without changing ``last``."""
        return self.last + serial_difference(value, self.last & ((1 << self.bits) - 1), self.bits)
