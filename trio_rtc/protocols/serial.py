"""Serial number arithmetic (RFC 1982): sequence numbers that wrap around."""


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
