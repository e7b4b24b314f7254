"""How large inputs are."""

MAX_DATAGRAM = 2048
"""Bytes of the largest datagram that reaches a core from the network."""
MAX_PACKET = MAX_DATAGRAM - 48
"""Bytes of the largest packet in a datagram of DTLS or SRTP."""


def doubling(largest: int, count: int = 4) -> tuple[int, ...]:
    """Return sizes of which each is twice the one before it, up to ``largest``."""
    return tuple(max(1, largest >> step) for step in range(count - 1, -1, -1))
