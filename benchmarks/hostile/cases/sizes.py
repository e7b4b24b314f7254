"""How large inputs are."""

MAX_PACKET = 2000
"""Bytes of the largest packet of SCTP: more than any path carries."""
MAX_SRTP = 1352
"""Bytes of the largest packet of RTP or RTCP that SRTP encrypts here; it decrypts a tenth more at most."""


def doubling(largest: int, count: int = 4) -> tuple[int, ...]:
    """Return sizes of which each is twice the one before it, up to ``largest``."""
    return tuple(max(1, largest >> step) for step in range(count - 1, -1, -1))
