"""The codec of SCTP: known bytes, round trips, and bytes that are no SCTP."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.cookie import Capabilities, StateCookie, parse_cookie
from trio_rtc.protocols.sctp.packet import chunks
from trio_rtc.protocols.sctp.packet.causes import CauseCode, describe_causes, user_initiated_abort
from trio_rtc.protocols.sctp.packet.data import DATA_HEADER, DATA_HEADER_SIZE
from trio_rtc.protocols.sctp.packet.header import (
    CommonHeader,
    add_checksum,
    encode_header,
    encode_packet,
    has_valid_checksum,
    parse_header,
)
from trio_rtc.protocols.sctp.packet.parameters import Parameter, encode_parameters, parse_parameters
from trio_rtc.protocols.sctp.packet.reconfiguration import (
    OutgoingResetRequest,
    ReconfigurationResponse,
    Result,
    parse_reconfiguration,
)


def test_causes_have_the_numbers_of_rfc_9260() -> None:
    """Section 3.3.10, in its order."""
    assert [cause.value for cause in CauseCode] == list(range(1, 14))


bits16 = st.integers(0, 0xFFFF)
bits32 = st.integers(0, 0xFFFFFFFF)
parameters = st.lists(st.builds(Parameter, bits16, st.binary(max_size=20)), max_size=4).map(tuple)


@st.composite
def gap_blocks(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    edges = sorted(draw(st.sets(st.integers(1, 0xFFFF), max_size=12)))
    return tuple(zip(edges[::2], edges[1::2], strict=False))


all_chunks = st.one_of(
    st.builds(chunks.Init, bits32, bits32, bits16, bits16, bits32, parameters),
    st.builds(chunks.InitAck, bits32, bits32, bits16, bits16, bits32, parameters),
    st.builds(chunks.Sack, bits32, bits32, gap_blocks(), st.lists(bits32, max_size=4).map(tuple)),
    st.builds(chunks.Heartbeat, st.binary(max_size=40)),
    st.builds(chunks.HeartbeatAck, st.binary(max_size=40)),
    st.builds(chunks.Abort, parameters, st.booleans()),
    st.builds(chunks.Shutdown, bits32),
    st.builds(chunks.ShutdownAck),
    st.builds(chunks.Error, parameters),
    st.builds(chunks.CookieEcho, st.binary(max_size=100)),
    st.builds(chunks.CookieAck),
    st.builds(chunks.ShutdownComplete, st.booleans()),
    st.builds(chunks.ReConfig, parameters.filter(lambda found: 1 <= len(found) <= 2)),
    st.builds(chunks.ForwardTsn, bits32, st.lists(st.tuples(bits16, bits16), max_size=5).map(tuple)),
    st.builds(chunks.UnknownChunk, st.integers(15, 120), st.integers(0, 255), st.binary(max_size=20)),
)


@given(st.lists(all_chunks, min_size=1, max_size=3))
def test_chunks_survive_the_wire(sent: list[chunks.Chunk]) -> None:
    packet = encode_packet(encode_header(5000, 5001, 7), [chunk.encode() for chunk in sent])
    assert len(packet) % 4 == 0
    assert has_valid_checksum(packet)
    assert parse_header(packet) == CommonHeader(5000, 5001, 7)
    offset = 12
    received = []
    while offset < len(packet):
        chunk, offset = chunks.parse_chunk(packet, offset)
        received.append(chunk)
    assert received == sent
    assert [type(chunk) for chunk in received] == [type(chunk) for chunk in sent]


@given(st.binary(max_size=80), st.integers(0, 8))
@example(b"\x03\x00\x00\x14" + bytes(8) + b"\0\1\0\0" + b"\0\2\0\1", 0)
@example(b"\x82\x00\x00\x04", 0)
def test_a_parser_raises_only_protocol_errors(data: bytes, offset: int) -> None:
    try:
        chunk, end = chunks.parse_chunk(data, min(offset, len(data)))
    except ProtocolError:
        return
    assert end <= len(data) + 3
    assert isinstance(chunk.encode(), bytes)


@given(all_chunks, st.data())
def test_a_parser_survives_changed_chunks(chunk: chunks.Chunk, data: st.DataObject) -> None:
    encoded = bytearray(chunk.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    test: Any = test_a_parser_raises_only_protocol_errors.hypothesis.inner_test  # type: ignore[attr-defined]
    test(bytes(encoded), 0)


def test_init_in_the_bytes_of_the_specification() -> None:
    chunk = chunks.Init(
        0x0E1C3B5A,
        131072,
        1024,
        2048,
        0xC33A49F8,
        (Parameter(0xC000, b""), Parameter(0x8008, b"\xc0\x82\x0f")),
    )
    assert chunk.encode().hex(" ", 4) == (
        "0100001f 0e1c3b5a 00020000 04000800 c33a49f8 c0000004 80080007 c0820f00"
    )
    assert chunks.parse_chunk(chunk.encode(), 0) == (chunk, 32)


def test_sack_in_the_bytes_of_the_specification() -> None:
    chunk = chunks.Sack(0x12345678, 65536, ((2, 3), (5, 5)), (0x12345670,))
    assert chunk.encode().hex(" ", 4) == "0300001c 12345678 00010000 00020001 00020003 00050005 12345670"
    assert chunks.Sack(1, 2).encode().hex(" ", 4) == "03000010 00000001 00000002 00000000"


def test_data_header_is_sixteen_bytes() -> None:
    header = DATA_HEADER.pack(0, 3, 21, 0x01020304, 5, 6, 51)
    assert len(header) == DATA_HEADER_SIZE
    assert header.hex(" ", 4) == "00030015 01020304 00050006 00000033"


def test_checksum_is_crc32c_stored_in_little_endian() -> None:
    """The CRC32c of "123456789" is e3069283 in every catalogue; here it stands over a header and its chunk."""
    packet = add_checksum(encode_header(1, 2, 3) + chunks.CookieAck().encode())
    assert has_valid_checksum(packet)
    for position in range(len(packet)):
        changed = packet[:position] + bytes([packet[position] ^ 1]) + packet[position + 1 :]
        assert not has_valid_checksum(changed)


def test_the_last_parameter_is_not_padded_and_the_others_are() -> None:
    found = (Parameter(1, b"a"), Parameter(2, b"bc"))
    encoded = encode_parameters(found)
    assert encoded == b"\0\1\0\5a\0\0\0" + b"\0\2\0\6bc"
    assert tuple(parse_parameters(encoded)) == found
    assert tuple(parse_parameters(encoded + b"\0\0")) == found


@pytest.mark.parametrize("data", [b"\0\1\0\3", b"\0\1\0\x09abcd", b"\0\1"])
def test_bad_parameters(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_parameters(data)


@pytest.mark.parametrize("packet", [b"", bytes(12), bytes(15), bytes(17)])
def test_packets_too_short_or_not_aligned(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_header(packet)


@given(bits32, bits32, bits32, st.lists(bits16, max_size=5).map(tuple), st.sampled_from(Result))
def test_reconfiguration_survives_the_wire(
    request: int, response: int, tsn: int, streams: tuple[int, ...], result: Result
) -> None:
    for sent in (
        OutgoingResetRequest(request, response, tsn, streams),
        ReconfigurationResponse(response, result),
    ):
        assert parse_reconfiguration(sent.encode()) == sent


@given(st.sampled_from([13, 14, 15, 16, 17, 18, 99]), st.binary(max_size=20))
def test_reconfiguration_of_any_bytes(kind: int, value: bytes) -> None:
    try:
        parse_reconfiguration(Parameter(kind, value))
    except ProtocolError:
        assert kind != 99


def test_what_a_peer_writes_is_made_printable() -> None:
    assert describe_causes((user_initiated_abort("bye\x1b[31m"),)) == "user initiated abort: bye?[31m"
    assert describe_causes((Parameter(999, b""),)) == "cause 999"
    assert describe_causes(()) == "no cause given"


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
