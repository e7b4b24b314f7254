"""Splitting of frames into pieces of about equal size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.payload._format import split_evenly


@given(st.binary(max_size=300), st.integers(1, 100))
def test_the_fewest_pieces_of_about_equal_size(data: bytes, max_size: int) -> None:
    pieces = split_evenly(data, max_size)
    assert b"".join(pieces) == data
    assert len(pieces) == -(-len(data) // max_size)
    sizes = [len(piece) for piece in pieces] or [0]
    assert max(sizes) <= max_size
    assert max(sizes) - min(sizes) <= 1


def test_a_piece_has_at_least_one_byte() -> None:
    with pytest.raises(ValueError, match="at least 1 byte"):
        split_evenly(b"a", 0)
