"""The bounds-checked cursor over bytes."""

from collections.abc import Callable

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader


def test_integers_vectors_and_the_rest() -> None:
    reader = Reader(b"\1\2\3\0\2abrest")
    assert reader.read_integer(3) == 0x010203
    assert reader.read_vector(2) == b"ab"
    assert (reader.position, reader.remaining) == (7, 4)
    assert reader.rest() == b"rest"
    assert reader.rest() == b""
    reader.expect_end("the message")


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.read(4),
        lambda reader: reader.read(-1),
        lambda reader: reader.read_integer(4),
        lambda reader: reader.read_vector(1),
        lambda reader: reader.expect_end("the message"),
    ],
)
def test_reading_beyond_the_end_is_an_error_and_consumes_nothing(read: Callable[[Reader], object]) -> None:
    reader = Reader(b"\3ab")
    with pytest.raises(ProtocolError):
        read(reader)
    assert reader.position <= 1


def test_an_error_names_the_offset() -> None:
    reader = Reader(bytes(5))
    reader.read(3)
    with pytest.raises(ProtocolError, match="4 bytes expected at offset 3, 2 left"):
        reader.read(4)
    with pytest.raises(ProtocolError, match="2 bytes left behind the message"):
        reader.expect_end("the message")
