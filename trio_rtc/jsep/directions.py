"""Directions: whether a side sends and whether it receives (RFC 3264 section 6.1)."""

from trio_rtc.enums import RTCRtpTransceiverDirection as Direction


def make_direction(*, sends: bool, receives: bool) -> Direction:
    """Return the direction of a side that does both, one or nothing."""
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


def reverse(direction: Direction) -> Direction:
    """Return the direction as the other side sees it."""
    return make_direction(sends=direction.receives, receives=direction.sends)


def intersect(one: Direction, other: Direction) -> Direction:
    """Return what both directions, seen from the same side, allow."""
    return make_direction(
        sends=one.sends and other.sends,
        receives=one.receives and other.receives,
    )
