"""Redundant audio data."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.fec.red import (
    RedBlock,
    RedEncoder,
    RedPayload,
    RedPayloadReader,
    build_red,
    parse_red,
)
from trio_rtc.protocols.rtp.options import MAX_RED_BLOCKS, RedOptions

BLOCKS = st.lists(
    st.builds(RedBlock, st.integers(0, 2**14 - 1), st.integers(0, 127), st.binary(max_size=50)), max_size=5
)


def test_payload_on_the_wire() -> None:
    payload = build_red([RedBlock(960, 111, b"old")], 111, b"new!")
    # RFC 2198 section 3: F=1, PT=111, offset 960 (14 bits), length 3 (10 bits); F=0, PT=111.
    assert payload == bytes([0xEF, 0x0F, 0x00, 0x03, 0x6F]) + b"oldnew!"
    assert parse_red(payload) == [RedBlock(960, 111, b"old"), RedBlock(0, 111, b"new!")]


@given(BLOCKS, st.integers(0, 127), st.binary(max_size=50))
def test_round_trip(redundant: list[RedBlock], payload_type: int, data: bytes) -> None:
    assert parse_red(build_red(redundant, payload_type, data)) == [
        *redundant,
        RedBlock(0, payload_type, data),
    ]


@pytest.mark.parametrize(
    "block", [RedBlock(2**14, 0, b""), RedBlock(-1, 0, b""), RedBlock(0, 0, bytes(1024))]
)
def test_block_that_does_not_fit_its_header(block: RedBlock) -> None:
    with pytest.raises(ValueError, match="a RED block can have"):
        build_red([block], 0, b"")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x80", b"\x80\0\0\0", b"\x80\0\0\x01\x6f", b"\x80\0\0\0" * (MAX_RED_BLOCKS + 1) + b"\0"],
)
def test_malformed(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_red(payload)


@given(st.binary(max_size=300))
def test_any_bytes(payload: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert b"".join(block.data for block in parse_red(payload)) in payload


@given(lost=st.sets(st.integers(1, 40)), redundancy=st.integers(0, 4))
def test_lost_payloads_are_recovered_from_the_next_packets(lost: set[int], redundancy: int) -> None:
    sender = RedEncoder(RedOptions(redundancy=redundancy))
    receiver = RedPayloadReader()
    played: list[RedPayload] = []
    for number in range(50):
        payload = sender.wrap(number * 960, 111, b"sound %d" % number)
        if number not in lost:
            played += receiver.received(number, number * 960, payload)
    gone = {n for n in lost if all(n + i in lost for i in range(redundancy + 1))}
    numbers = [payload.sequence_number for payload in played]
    assert numbers == [n for n in range(50) if n not in gone]
    for got in played:
        assert got.timestamp == got.sequence_number * 960
        assert got.payload == b"sound %d" % got.sequence_number
        assert got.recovered == (got.sequence_number in lost)
    assert receiver.recovered == len(lost - gone)


def test_audio_before_a_silence_is_not_played_twice() -> None:
    sender, receiver = RedEncoder(), RedPayloadReader()
    assert len(receiver.received(1, 0, sender.wrap(0, 111, b"a"))) == 1
    payload = sender.wrap(9600, 111, b"b")
    assert [block.payload for block in receiver.received(2, 9600, payload)] == [b"b"]
    # The sender has omitted a block: counted back, the block would be that of number 3.
    skipped = build_red([RedBlock(960, 111, b"b")], 111, b"c")
    assert [block.payload for block in receiver.received(4, 10560, skipped)] == [b"c"]
    assert [block.payload for block in receiver.received(3, 10000, build_red([], 101, b"tone"))] == [b"tone"]


def test_telephone_events_share_a_timestamp() -> None:
    receiver = RedPayloadReader()
    played = [receiver.received(n, 500, build_red([], 101, b"5")) for n in range(3)]
    assert [len(payloads) for payloads in played] == [1, 1, 1]


def test_redundancy_stops_at_a_payload_that_does_not_fit() -> None:
    sender = RedEncoder(RedOptions(redundancy=3, max_payload_size=200))
    sender.wrap(0, 111, b"a")
    sender.wrap(960, 111, bytes(150))
    assert [b.data for b in parse_red(sender.wrap(1920, 111, b"c" * 100))] == [b"c" * 100]
    assert [b.data for b in parse_red(sender.wrap(2880, 111, b"d"))] == [b"c" * 100, b"d"]
    assert [b.data for b in parse_red(sender.wrap(2880 + 2**14, 111, b"e"))] == [b"e"]


def test_memory_of_the_receiver_is_bounded() -> None:
    receiver = RedPayloadReader(RedOptions(max_remembered=32))
    for number in range(100):
        receiver.received(number, number, build_red([], 111, b"x"))
    assert len(receiver.received(0, 0, build_red([], 111, b"x"))) == 1
    assert receiver.received(99, 99, build_red([], 111, b"x")) == []
