"""Directions of media (RFC 3264 section 6.1)."""

from trio_rtc.enums import RTCRtpTransceiverDirection as Direction


def make_direction(*, sends: bool, receives: bool) -> Direction:
    """Return the direction of a side."""
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


def reverse(direction: Direction) -> Direction:
    """Return the direction from the other side's point of view."""
    return make_direction(sends=direction.receives, receives=direction.sends)


def intersect(one: Direction, other: Direction) -> Direction:
    """Return the direction that two directions of the same side allow."""
    return make_direction(
        sends=one.sends and other.sends,
        receives=one.receives and other.receives,
    )
