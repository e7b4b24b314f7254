"""The codec of DCEP."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.datachannel import ChannelParameters, messages
from trio_rtc.protocols.datachannel.messages import encode_open, parse_open

CHAT = ChannelParameters(label="chat")
OPEN = encode_open(CHAT)
short = st.integers(0, 65535)
texts = st.text(max_size=20)
reliabilities: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just({}),
    short.map(lambda number: {"max_retransmits": number}),
    short.map(lambda number: {"max_packet_life_time": number}),
)


def test_registered_values() -> None:
    """RFC 8831 section 8 and RFC 8832 section 8.2.1."""
    names = ("PPID_DCEP", "PPID_STRING", "PPID_BINARY", "PPID_STRING_EMPTY", "PPID_BINARY_EMPTY")
    assert [getattr(messages, name) for name in names] == [50, 51, 53, 56, 57]
    assert (messages.DATA_CHANNEL_ACK, messages.DATA_CHANNEL_OPEN) == (2, 3)


@given(texts, texts, st.booleans(), reliabilities, short)
def test_open_round_trip(
    label: str, protocol: str, ordered: bool, reliability: dict[str, int], priority: int
) -> None:
    parameters = ChannelParameters(label, protocol, ordered, priority=priority, **reliability)
    assert parse_open(encode_open(parameters)) == parameters


@given(st.binary(max_size=60))
@example(b"")
@example(OPEN[:-1])
@example(struct.pack("!BBHIHH", 3, 0x7F, 0, 0, 0, 0))
@example(struct.pack("!BBHIHH", 3, 0, 0, 0, 1, 0) + b"\xff")
def test_parser_raises_protocol_error_only(data: bytes) -> None:
    try:
        parameters = parse_open(data)
    except ProtocolError:
        return
    assert parse_open(encode_open(parameters)) == parameters


def test_open_of_rfc_8832_figure_1() -> None:
    assert bytes.fromhex("03 00 0100 00000000 0004 0000") + b"chat" == OPEN


@pytest.mark.parametrize(
    ("parameters", "channel_type", "reliability"),
    [
        (ChannelParameters("chat"), 0x00, 0),
        (ChannelParameters("chat", ordered=False), 0x80, 0),
        (ChannelParameters("chat", max_retransmits=7), 0x01, 7),
        (ChannelParameters("chat", ordered=False, max_retransmits=7), 0x81, 7),
        (ChannelParameters("chat", max_packet_life_time=9), 0x02, 9),
        (ChannelParameters("chat", ordered=False, max_packet_life_time=9), 0x82, 9),
    ],
)
def test_channel_types_of_rfc_8832_section_5_1(
    parameters: ChannelParameters, channel_type: int, reliability: int
) -> None:
    encoded = struct.pack("!BBHIHH", 3, channel_type, 256, reliability, 4, 0) + b"chat"
    assert encode_open(parameters) == encoded
    assert parse_open(encoded) == parameters
