"""Directions of media."""

import itertools

import pytest

from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.jsep.directions import intersect, make_direction, reverse

DIRECTIONS = [Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_reversal(direction: Direction) -> None:
    turned = reverse(direction)
    assert (turned.sends, turned.receives) == (direction.receives, direction.sends)
    assert make_direction(sends=direction.sends, receives=direction.receives) is direction


@pytest.mark.parametrize(("one", "other"), [*itertools.product(DIRECTIONS, repeat=2)])
def test_intersection(one: Direction, other: Direction) -> None:
    common = intersect(one, other)
    assert common.sends == (one.sends and other.sends)
    assert common.receives == (one.receives and other.receives)
