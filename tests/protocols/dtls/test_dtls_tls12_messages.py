"""Messages that only DTLS 1.2 has: Certificate and ClientKeyExchange."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.tls12.messages import (
    encode_certificates,
    encode_client_key_exchange,
    parse_certificates,
    parse_client_key_exchange,
)


def test_truncated_and_trailing_bytes_of_certificates_and_keys_are_errors() -> None:
    for parse, encoded in (
        (parse_certificates, encode_certificates([b"one", b"other"])),
        (parse_client_key_exchange, encode_client_key_exchange(bytes(32))),
    ):
        parse(encoded)
        for wrong in (encoded + b"\0", encoded[:-1]):
            with pytest.raises(ProtocolError):
                parse(wrong)


@given(st.lists(st.binary(max_size=100), max_size=10).map(tuple))
def test_certificates_parse_to_themselves(chain: tuple[bytes, ...]) -> None:
    assert parse_certificates(encode_certificates(chain)) == chain


def test_more_than_ten_certificates_are_an_error() -> None:
    with pytest.raises(ProtocolError):
        parse_certificates(encode_certificates([b"x"] * 11))


@given(st.binary(max_size=255))
def test_a_client_key_exchange_parses_to_itself(public_bytes: bytes) -> None:
    assert parse_client_key_exchange(encode_client_key_exchange(public_bytes)) == public_bytes
