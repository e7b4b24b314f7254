"""The state cookie."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.sctp.cookie import Capabilities, StateCookie, parse_cookie

bits16 = st.integers(0, 0xFFFF)
bits32 = st.integers(0, 0xFFFFFFFF)


@given(bits32, bits16, st.booleans(), st.booleans(), st.integers(0, 100), st.integers(1, 255))
def test_a_cookie_is_believed_only_as_it_was_made(
    number: int, streams: int, first: bool, second: bool, position: int, change: int
) -> None:
    cookie = StateCookie(
        number, 1, number ^ 5, 2, 3, streams, 9, Capabilities(first, second, not first), created=12.5
    )
    encoded = cookie.encode(b"secret")
    assert parse_cookie(encoded, b"secret") == cookie
    assert parse_cookie(encoded, b"other") is None
    position %= len(encoded)
    forged = encoded[:position] + bytes([encoded[position] ^ change]) + encoded[position + 1 :]
    assert parse_cookie(forged, b"secret") is None
    assert parse_cookie(encoded[:position], b"secret") is None
