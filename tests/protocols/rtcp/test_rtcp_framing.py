"""The common header of RTCP packets (RFC 3550 section 6.4.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtcp.framing import MAX_COUNT, PacketType, add_header, split_packets

WORDS = st.binary(max_size=40).map(lambda data: data[: len(data) & ~3])
PACKETS = st.tuples(st.integers(0, 255), st.integers(0, MAX_COUNT), WORDS)


def test_header() -> None:
    assert add_header(PacketType.SENDER_REPORT, 0, b"") == bytes.fromhex("80c80000")
    assert add_header(207, 31, bytes(8)) == bytes.fromhex("9fcf0002") + bytes(8)


@pytest.mark.parametrize(("count", "size"), [(-1, 4), (32, 4), (0, 1), (0, 2), (0, 3), (31, 5)])
def test_header_of_an_impossible_packet(count: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size} bytes and a count of {count}"):
        add_header(200, count, bytes(size))


@given(st.lists(PACKETS, max_size=5))
def test_packets_of_a_datagram(packets: list[tuple[int, int, bytes]]) -> None:
    assert list(split_packets(b"".join(add_header(*packet) for packet in packets))) == packets


@pytest.mark.parametrize("padding", range(1, 9))
def test_padding_of_any_size_is_removed(padding: int) -> None:
    """RFC 3550 requires whole words of padding; libwebrtc fills transport-wide feedback to one."""
    body = bytes(range(1, 9))
    data = bytes.fromhex("a5ce0002") + body[:-1] + bytes([padding])
    assert list(split_packets(data)) == [(206, 5, body[: 8 - padding])]


def test_padding_of_a_packet_within_a_datagram() -> None:
    data = bytes.fromhex("a0cb0001 00000004 80cb0000")
    assert list(split_packets(data)) == [(203, 0, b""), (203, 0, b"")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("80", "has 1 bytes, fewer than 4"),
        ("80c80000 80c900", "has 3 bytes, fewer than 4"),
        ("00c80000", "version is 0 instead of 2"),
        ("40c80000", "version is 1 instead of 2"),
        ("c0c80000", "version is 3 instead of 2"),
        ("80c80001", "of 8 bytes exceeds the datagram"),
        ("80c8ffff", "of 262144 bytes exceeds the datagram"),
        ("a0c80000", "0 bytes of padding in a body of 0 bytes"),
        ("a0c80001 00000000", "0 bytes of padding in a body of 4 bytes"),
        ("a0c80001 00000005", "5 bytes of padding in a body of 4 bytes"),
        ("80c80000 a0c80001 000000ff", "255 bytes of padding in a body of 4 bytes"),
    ],
)
def test_malformed_packets(data: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        list(split_packets(bytes.fromhex(data)))


def test_packets_before_a_malformed_one_are_yielded() -> None:
    packets = split_packets(bytes.fromhex("81cb0001 00000007 00cb0000"))
    assert next(packets) == (203, 1, bytes.fromhex("00000007"))
    with pytest.raises(ProtocolError):
        next(packets)


@given(st.binary(max_size=100))
def test_arbitrary_bytes(data: bytes) -> None:
    try:
        packets = list(split_packets(data))
    except ProtocolError:
        return
    assert sum(4 + len(body) for _, _, body in packets) <= len(data)
