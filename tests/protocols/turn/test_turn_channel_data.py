"""ChannelData, and the framing over a stream (RFC 8656 section 12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.stun import binding_request
from trio_rtc.protocols.turn import StreamFramer, encode_channel_data, parse_channel_data
from trio_rtc.protocols.turn.channel_data import is_channel_data

STUN = binding_request(bytes(12)).encode()


@pytest.mark.parametrize(
    ("padded", "expected"), [(False, "4001000568656c6c6f"), (True, "4001000568656c6c6f000000")]
)
def test_channel_data_is_padded_only_over_a_stream(padded: bool, expected: str) -> None:
    encoded = encode_channel_data(0x4001, b"hello", padded=padded)
    assert encoded.hex() == expected
    assert parse_channel_data(encoded) == (0x4001, b"hello")


def test_a_length_beyond_the_packet_is_malformed() -> None:
    with pytest.raises(ProtocolError, match="length 6"):
        parse_channel_data(bytes.fromhex("4001000668656c6c6f"))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (b"\x40\x00\x00\x00", True),
        (b"\x4f\xff\x00\x00", True),
        (b"\x50\x00\x00\x00", False),
        (b"\x40\x00", False),
        (STUN, False),
    ],
)
def test_channel_data_is_recognized_by_its_first_byte(packet: bytes, expected: bool) -> None:
    assert is_channel_data(packet) is expected


messages = st.lists(
    st.one_of(
        st.just(STUN),
        st.binary(max_size=100).map(lambda data: encode_channel_data(0x4000, data, padded=True)),
    ),
    max_size=8,
)


@given(messages, st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_a_stream_is_split_at_the_same_places_whatever_arrives_together(
    sent: list[bytes], sizes: list[int]
) -> None:
    framer, stream, received = StreamFramer(), b"".join(sent), []
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        received += framer.receive(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert received == sent


@pytest.mark.parametrize(
    "stream", [b"\x50\x00\x00\x00", b"HTTP/1.1 400", b"\x00\x01\xff\xff", b"\x40\x00\xff\xff"]
)
def test_another_protocol_or_a_message_that_is_too_long_ends_the_stream(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        StreamFramer().receive(stream)
