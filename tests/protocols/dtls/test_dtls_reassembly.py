"""Reassembly of handshake messages from fragments."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.messages import HandshakeMessage
from trio_rtc.protocols.dtls.reassembly import (
    MAX_MESSAGES_AHEAD,
    Fragment,
    Outcome,
    Reassembler,
    parse_fragments,
)


def test_a_fragment_beyond_the_end_of_its_message_is_an_error() -> None:
    message = HandshakeMessage(1, 0, bytes(10))
    encoded = bytearray(message.encode_fragment(5, 5))
    assert parse_fragments(bytes(encoded)) == [Fragment(1, 10, 0, 5, bytes(5))]
    encoded[3] = 9
    with pytest.raises(ProtocolError, match="beyond"):
        parse_fragments(bytes(encoded))


def test_lengths_and_offsets_have_24_bits() -> None:
    message = HandshakeMessage(11, 0x1234, bytes(0x061234))
    fragment = message.encode_fragment(0x020304, 0x030405)
    assert fragment[:12] == bytes.fromhex("0b 061234 1234 020304 030405")
    assert parse_fragments(fragment) == [Fragment(11, 0x061234, 0x1234, 0x020304, bytes(0x030405))]


@given(
    body=st.binary(max_size=60),
    cuts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_fragments_in_any_order_with_overlaps(
    body: bytes, cuts: list[tuple[int, int]], order: random.Random
) -> None:
    message = HandshakeMessage(11, 0, body)
    ranges = [(min(a, len(body)), min(b, len(body))) for a, b in cuts]
    pieces = [(min(a, b), abs(b - a)) for a, b in ranges]
    # The last one makes sure that nothing is missing.
    half = len(body) // 2
    pieces += [(0, half), (half, len(body) - half)]
    order.shuffle(pieces)
    reassembler = Reassembler(100, 100)
    covered: set[int] = set()
    for count, (offset, length) in enumerate(pieces, start=1):
        (fragment,) = parse_fragments(message.encode_fragment(offset, length))
        assert reassembler.add_fragment(0, fragment) is Outcome.STORED
        covered.update(range(offset, offset + length))
        if len(covered) == len(body):
            assert reassembler.pop_message(0) == message
            break
        assert reassembler.pop_message(0) is None
        assert count < len(pieces)
    assert reassembler.add_fragment(0, Fragment(11, len(body), 0, 0, b"")) is Outcome.REPEATED


def test_messages_are_returned_in_order() -> None:
    reassembler = Reassembler(100, 1000)
    messages = [HandshakeMessage(sequence, sequence, bytes([sequence])) for sequence in range(5)]
    for message in reversed(messages):
        assert reassembler.pop_message(0) is None
        reassembler.add_fragment(0, *parse_fragments(message.encode()))
    assert [reassembler.pop_message(0) for _ in messages] == messages
    assert reassembler.pop_message(0) is None


def test_epochs_are_kept_apart() -> None:
    reassembler = Reassembler(100, 1000)
    protected, plain = HandshakeMessage(20, 0, b"genuine"), HandshakeMessage(20, 0, b"forged!")
    (half,) = parse_fragments(protected.encode_fragment(0, 3))
    reassembler.add_fragment(0, *parse_fragments(plain.encode()))
    reassembler.add_fragment(1, half)
    assert reassembler.pop_message(1) is None
    reassembler.add_fragment(1, *parse_fragments(protected.encode()))
    assert reassembler.pop_message(1) == protected
    assert reassembler.pop_message(0) is None


def test_memory_is_bounded() -> None:
    reassembler = Reassembler(100, 250)
    assert reassembler.add_fragment(0, Fragment(1, 101, 0, 0, b"")) is Outcome.REFUSED
    assert reassembler.add_fragment(0, Fragment(1, 100, 0, 0, b"")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 100, 1, 0, b"")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 51, 2, 0, b"")) is Outcome.REFUSED
    assert reassembler.add_fragment(0, Fragment(1, 50, 2, 0, b"")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 0, MAX_MESSAGES_AHEAD, 0, b"")) is Outcome.REFUSED
    # A message that was returned makes room.
    reassembler.add_fragment(0, Fragment(1, 100, 0, 0, bytes(100)))
    assert reassembler.pop_message(0) is not None
    assert reassembler.add_fragment(0, Fragment(1, 100, 3, 0, b"")) is Outcome.STORED


def test_an_earlier_message_replaces_the_last_one_when_memory_is_full() -> None:
    reassembler = Reassembler(100, 250)
    reassembler.add_fragment(0, Fragment(1, 100, 1, 0, bytes(100)))
    reassembler.add_fragment(0, Fragment(1, 100, 2, 0, bytes(100)))
    assert reassembler.add_fragment(0, Fragment(1, 100, 0, 0, bytes(100))) is Outcome.STORED
    taken = [reassembler.pop_message(0) for _ in range(3)]
    assert [message and message.sequence for message in taken] == [0, 1, None]


def test_a_contradicting_fragment_replaces_the_earlier_ones() -> None:
    for forged in (Fragment(1, 100, 0, 0, b"forged"), Fragment(2, 7, 0, 0, b"forged!")):
        # The replaced fragments use no memory any more.
        reassembler = Reassembler(100, 100)
        for fragment in (forged, Fragment(1, 7, 0, 0, b"genu"), Fragment(1, 7, 0, 4, b"ine")):
            assert reassembler.add_fragment(0, fragment) is Outcome.STORED
        assert reassembler.pop_message(0) == HandshakeMessage(1, 0, b"genuine")


def test_ranges_received_out_of_order_are_complete_together() -> None:
    reassembler = Reassembler(100, 100)
    for offset, length in ((10, 10), (0, 5), (5, 5), (25, 5), (20, 5)):
        assert reassembler.pop_message(0) is None
        reassembler.add_fragment(0, Fragment(1, 30, 0, offset, bytes(length)))
    assert reassembler.pop_message(0) == HandshakeMessage(1, 0, bytes(30))


def test_a_message_larger_than_the_memory_is_refused() -> None:
    reassembler = Reassembler(1000, 100)
    assert reassembler.add_fragment(0, Fragment(1, 101, 0, 0, b"x")) is Outcome.REFUSED
    assert reassembler.add_fragment(0, Fragment(1, 100, 0, 0, b"x")) is Outcome.STORED


def test_a_message_with_too_many_gaps_is_dropped() -> None:
    reassembler = Reassembler(1000, 1000)
    # Each of the first 63 pieces adds one gap. 64 are allowed.
    pieces = [Fragment(1, 1000, 0, offset, b"x") for offset in range(1, 256, 2)]
    outcomes = [reassembler.add_fragment(0, piece) for piece in pieces]
    assert outcomes == [*[Outcome.STORED] * 63, Outcome.REFUSED] * 2
    reassembler.add_fragment(0, Fragment(1, 1000, 0, 0, bytes(1000)))
    assert reassembler.pop_message(0) == HandshakeMessage(1, 0, bytes(1000))


def test_bounds_of_fragments() -> None:
    """At most 16 messages ahead, and at most 32 fragments in a datagram."""
    reassembler = Reassembler(100, 1000)
    assert reassembler.add_fragment(0, Fragment(1, 1, 15, 0, b"x")) is Outcome.STORED
    assert reassembler.add_fragment(0, Fragment(1, 1, 16, 0, b"x")) is Outcome.REFUSED
    reassembler.add_fragment(0, Fragment(1, 0, 0, 0, b""))
    assert reassembler.pop_message(0) == HandshakeMessage(1, 0, b"")
    assert reassembler.add_fragment(0, Fragment(1, 1, 16, 0, b"x")) is Outcome.STORED
    one = HandshakeMessage(1, 0, b"x").encode()
    assert len(parse_fragments(32 * one)) == 32
    assert len(parse_fragments(2 * one, 2)) == 2
    with pytest.raises(ProtocolError):
        parse_fragments(33 * one)
    for payload, limit in ((2 * one, 1), (one, 0), (b"", 32)):
        with pytest.raises(ProtocolError):
            parse_fragments(payload, limit)
