"""The codec of extensions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.extensions import (
    MAX_EXTENSIONS,
    encode_extensions,
    encode_use_srtp,
    parse_extensions,
    parse_number_list,
    parse_use_srtp,
)
from trio_rtc.protocols.dtls.messages import ServerHello
from trio_rtc.protocols.reader import Reader

numbers = st.integers(0, 0xFFFF)
number_lists = st.lists(numbers, min_size=1, max_size=20).map(tuple)


def test_truncated_and_trailing_bytes_of_an_extension_are_errors() -> None:
    lists = (parse_number_list, b"\0\4\0\1\0\2", (1, 2))
    profiles = (parse_use_srtp, b"\0\2\0\7\1x", ((7,), b"x"))
    for parse, encoded, parsed in (lists, profiles):
        assert parse(encoded) == parsed
        for wrong in (encoded + b"\0", encoded[:-1]):
            with pytest.raises(ProtocolError):
                parse(wrong)


@given(number_lists)
def test_srtp_profiles_parse_to_themselves(profiles: tuple[int, ...]) -> None:
    assert parse_use_srtp(encode_use_srtp(profiles)) == (profiles, b"")


def test_a_duplicate_extension_is_an_error() -> None:
    hello = ServerHello(bytes(32), 1, {5: b"x"}).encode()
    block = hello[-5:]
    with pytest.raises(ProtocolError, match="twice"):
        ServerHello.parse(hello[:-7] + b"\0\x0a" + block + block)


def test_the_extensions_of_a_hello_are_bounded() -> None:
    extensions = dict.fromkeys(range(MAX_EXTENSIONS), b"")
    assert parse_extensions(Reader(encode_extensions(extensions))) == extensions
    with pytest.raises(ProtocolError, match="more than 128 extensions"):
        parse_extensions(Reader(encode_extensions({**extensions, MAX_EXTENSIONS: b""})))
