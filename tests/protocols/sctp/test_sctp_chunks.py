"""Control chunks: round trips, bytes of the specifications, lengths."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet import chunks
from trio_rtc.protocols.sctp.packet.data import DATA_HEADER, DATA_HEADER_SIZE
from trio_rtc.protocols.sctp.packet.header import (
    CommonHeader,
    encode_header,
    encode_packet,
    has_valid_checksum,
    parse_header,
)
from trio_rtc.protocols.sctp.packet.parameters import Parameter

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
def test_chunks_survive_a_round_trip(sent: list[chunks.Chunk]) -> None:
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


def test_numbers_of_chunks() -> None:
    """RFC 9260 section 3.2, RFC 3758, RFC 6525."""
    kinds = {
        name: getattr(thing, "kind", None)
        for name, thing in vars(chunks).items()
        if isinstance(thing, type) and isinstance(getattr(thing, "kind", None), int)
    }
    assert kinds == {
        "Init": 1,
        "InitAck": 2,
        "Sack": 3,
        "Heartbeat": 4,
        "HeartbeatAck": 5,
        "Abort": 6,
        "Shutdown": 7,
        "ShutdownAck": 8,
        "Error": 9,
        "CookieEcho": 10,
        "CookieAck": 11,
        "ShutdownComplete": 14,
        "ReConfig": 130,
        "ForwardTsn": 192,
    }


@pytest.mark.parametrize(
    ("blocks", "is_good"),
    [
        *((((1, 1),), True), (((0, 1),), False), (((2, 1),), False), (((2, 2), (3, 4)), True)),
        *((((2, 3), (3, 4)), False), (((2, 3), (4, 4), (9, 20)), True), (((5, 6), (2, 3)), False)),
    ],
)
def test_gap_blocks_ascend_and_do_not_overlap(blocks: tuple[tuple[int, int], ...], is_good: bool) -> None:
    sack = chunks.Sack(7, 1000, blocks, (5, 6))
    if is_good:
        assert chunks.parse_chunk(sack.encode(), 0) == (sack, 16 + 4 * len(blocks) + 8)
    else:
        with pytest.raises(ProtocolError):
            chunks.parse_chunk(sack.encode(), 0)


@pytest.mark.parametrize(("gaps", "duplicates"), [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_a_sack_has_the_length_of_its_counts(gaps: int, duplicates: int) -> None:
    blocks = tuple((2 * number + 1, 2 * number + 1) for number in range(gaps))
    sack = chunks.Sack(7, 1000, blocks, tuple(range(duplicates)))
    encoded = sack.encode()
    assert chunks.parse_chunk(encoded, 0)[0] == sack
    if gaps or duplicates:
        short = encoded[:2] + (len(encoded) - 4).to_bytes(2, "big") + encoded[4:-4]
        with pytest.raises(ProtocolError):
            chunks.parse_chunk(short, 0)


@pytest.mark.parametrize("chunk", [chunks.Abort, chunks.ShutdownComplete])
def test_the_t_bit_is_the_lowest_flag(chunk: type[chunks.Abort] | type[chunks.ShutdownComplete]) -> None:
    for flags in (0, 1, 2, 255):
        parsed, _ = chunks.parse_chunk(chunks.encode_chunk(chunk.kind, flags, b""), 0)
        assert parsed == chunk(reflected=bool(flags & 1))
        assert parsed.encode()[1] == flags & 1


@given(all_chunks)
def test_no_other_flag_is_set(chunk: chunks.Chunk) -> None:
    """RFC 9260 section 3.3: reserved flags are zero."""
    if not isinstance(chunk, chunks.Abort | chunks.ShutdownComplete | chunks.UnknownChunk):
        assert chunk.encode()[1] == 0


def parameters_of(*kinds: int) -> bytes:
    return b"".join(Parameter(kind, b"info").encode() for kind in kinds)


@pytest.mark.parametrize(
    ("kind", "value", "is_good"),
    [
        *((1, bytes(15), False), (1, bytes(16), True), (2, bytes(15), False), (2, bytes(16), True)),
        *((3, bytes(11), False), (3, bytes(12), True)),
        # HEARTBEAT has one parameter, its info.
        *((4, parameters_of(1), True), (4, b"", False), (4, parameters_of(1, 1), False)),
        *((4, parameters_of(2), False), (5, parameters_of(1), True), (5, parameters_of(2), False)),
        *((6, b"", True), (6, bytes(2), False), (9, b"", True), (9, bytes(3), False)),
        *((7, bytes(3), False), (7, bytes(4), True), (7, bytes(5), False)),
        # RE-CONFIG has one or two (RFC 6525 section 3.1).
        *((130, b"", False), (130, parameters_of(13), True), (130, parameters_of(13, 13), True)),
        (130, parameters_of(13, 13, 13), False),
        # FORWARD-TSN has a TSN, and four bytes for each stream (RFC 3758 section 3.2).
        *((192, b"", False), (192, bytes(3), False), (192, bytes(4), True), (192, bytes(5), False)),
        *((192, bytes(6), False), (192, bytes(8), True), (192, bytes(12), True)),
    ],
)
def test_how_long_chunks_may_be(kind: int, value: bytes, is_good: bool) -> None:
    encoded = chunks.encode_chunk(kind, 0, value)
    if is_good:
        chunk, end = chunks.parse_chunk(encoded, 0)
        assert (chunk.kind, end) == (kind, len(encoded))
    else:
        with pytest.raises(ProtocolError):
            chunks.parse_chunk(encoded, 0)


@pytest.mark.parametrize(
    ("encoded", "is_good"),
    [
        *((b"\x0b\x00\x00\x04", True), (b"\x0b\x00\x00\x03", False), (b"\x0b\x00\x00", False)),
        *((b"\x0a\x00\x00\x05x", True), (b"\x0a\x00\x00\x05", False), (b"\x0a\x00\x00\x05x\0\0\0", True)),
    ],
)
def test_a_chunk_ends_within_its_packet(encoded: bytes, is_good: bool) -> None:
    if is_good:
        _, end = chunks.parse_chunk(b"before" + encoded, 6)
        assert end == 6 + (4 if len(encoded) == 4 else 8)
    else:
        with pytest.raises(ProtocolError):
            chunks.parse_chunk(b"before" + encoded, 6)
