"""Serial number arithmetic (RFC 1982): sequence numbers that wrap around.

``Unwrapper`` turns wrapping numbers into ever-growing integers, so that the inside of a protocol can
compare and subtract as usual and only the codec knows about the wrap.
"""

import attrs


def serial_add(value: int, increment: int, bits: int) -> int:
    """Return ``value + increment`` in the number space of ``bits`` bits."""
    return (value + increment) & ((1 << bits) - 1)


def serial_difference(left: int, right: int, bits: int) -> int:
    """Return the signed distance ``left - right``, between ``-2**(bits-1)`` and ``2**(bits-1) - 1``."""
    half = 1 << (bits - 1)
    return ((left - right + half) & ((1 << bits) - 1)) - half


def serial_less(left: int, right: int, bits: int) -> bool:
    """Return whether ``left`` comes before ``right`` (RFC 1982 section 3.2)."""
    return serial_difference(left, right, bits) < 0


@attrs.define
class Unwrapper:
    """Maps wrapping serial numbers to integers near the last one that was seen.

    Attributes:
        bits: Width of the serial number.
        last: The integer that was returned last; new numbers are unwrapped relative to it.
    """

    bits: int
    last: int = 0

    def unwrap(self, value: int) -> int:
        """Return the integer congruent to ``value`` nearest to ``last``, and remember it."""
        # As ``peek`` does, without the calls: this is on the way of every packet.
        half = 1 << (self.bits - 1)
        last = self.last
        self.last = last = last + ((value - last + half) & (2 * half - 1)) - half
        return last

    def peek(self, value: int) -> int:
        """Return what ``unwrap`` would, without remembering it."""
        return self.last + serial_difference(value, self.last & ((1 << self.bits) - 1), self.bits)
