"""Serial number arithmetic (RFC 1982): sequence numbers that wrap around."""


def serial_add(value: int, increment: int, bits: int) -> int:
    """Return ``value + increment`` in the number space of ``bits`` bits."""
    return (value + increment) & ((1 << bits) - 1)


def serial_difference(left: int, right: int, bits: int) -> int:
    """Return the signed difference ``left - right``, from ``-2**(bits-1)`` to ``2**(bits-1) - 1``."""
    half = 1 << (bits - 1)
    return ((left - right + half) & ((1 << bits) - 1)) - half
