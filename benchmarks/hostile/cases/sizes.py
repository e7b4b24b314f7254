"""Sizes of inputs."""

MAX_DATAGRAM = 2048
"""Bytes of the largest datagram accepted from the network."""
MAX_PACKET = MAX_DATAGRAM - 48
"""Bytes of the largest packet of SCTP in such a datagram."""
MAX_SRTP = 1352
"""Bytes of the largest packet of RTP or RTCP that SRTP encrypts here; it decrypts a tenth more at most."""


def doubling(largest: int, count: int = 4) -> tuple[int, ...]:
    """Return sizes of which each is twice the one before it, up to ``largest``."""
    return tuple(max(1, largest >> step) for step in range(count - 1, -1, -1))
