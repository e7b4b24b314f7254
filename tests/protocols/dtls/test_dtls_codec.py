"""The codec of records."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.record.codec import (
    HEADER,
    MAX_FRAGMENT,
    VERSION_1_2,
    ContentType,
    Record,
    parse_records,
)


def test_at_most_32_records_of_a_datagram_are_parsed() -> None:
    record = HEADER.pack(ContentType.HANDSHAKE, VERSION_1_2, 0, 1) + b"x"
    assert len(list(parse_records(32 * record))) == 32
    records = parse_records(33 * record)
    assert len(list(itertools.islice(records, 32))) == 32
    with pytest.raises(ProtocolError, match="more than 32 records"):
        next(records)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_records_or_raise_protocol_error(datagram: bytes) -> None:
    try:
        records = list(parse_records(datagram))
    except ProtocolError:
        return
    assert sum(HEADER.size + record.end - record.start for record in records) == len(datagram)


@pytest.mark.parametrize(
    "header",
    [
        HEADER.pack(19, 0xFEFD, 0, 1),
        HEADER.pack(24, 0xFEFD, 0, 1),
        HEADER.pack(22, 0xFEFC, 0, 1),
        HEADER.pack(22, 0x0303, 0, 1),
        HEADER.pack(22, 0xFEFF, 1 << 48, 1),
        HEADER.pack(22, 0xFEFD, 0, MAX_FRAGMENT + 1),
        HEADER.pack(22, 0xFEFD, 0, 60000),
    ],
)
def test_invalid_headers(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        next(parse_records(header + bytes(MAX_FRAGMENT + 1)))


@pytest.mark.parametrize(
    ("version", "epoch", "length"),
    [(0xFEFD, 0, 0), (0xFEFD, 0, 1), (0xFEFD, 1, 1), (0xFEFD, 65535, 2048 + 16384), (0xFEFF, 0, 1)],
)
def test_valid_headers(version: int, epoch: int, length: int) -> None:
    """In epoch 0 the version may be 1.0, as in the first ClientHello of many clients."""
    datagram = HEADER.pack(22, version, epoch << 48 | 5, length) + bytes(length)
    assert list(parse_records(datagram)) == [Record(22, epoch, 5, datagram, 13, 13 + length)]
    if length:
        with pytest.raises(ProtocolError, match="are left"):
            next(parse_records(datagram[:-1]))
