"""Reassembly of messages from chunks in any order."""

import pytest

from trio_rtc.protocols.sctp.packet.data import BEGIN, END, UNORDERED, DataHeader
from trio_rtc.protocols.sctp.rx.reassembly import OVERHEAD, MessageViolation, Reassembly

WHOLE = BEGIN | END


def test_ssn_wraps() -> None:
    reassembly = Reassembly(100)
    for number in range(0x10005):
        reassembly.add(number, (0, WHOLE, 20, 0, 1, number & 0xFFFF, 51), b"%d" % number)
        assert reassembly.pop_message(1) == (51, b"%d" % number)


def test_a_stale_ssn_is_dropped_and_counted() -> None:
    reassembly = Reassembly(100)
    for tsn, ssn in ((1, 0), (2, 0), (3, 2), (4, 2)):
        reassembly.add(tsn, (0, WHOLE, 20, 0, 1, ssn, 51), b"x")
    assert reassembly.stale == 2
    assert reassembly.charged == 2 * (OVERHEAD + 1)


@pytest.mark.parametrize(
    "second",
    [(0, END, 20, 0, 2, 0, 51), (0, END, 20, 0, 1, 1, 51), (0, END | UNORDERED, 20, 0, 1, 0, 51)],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_fragments_that_contradict_each_other(second: tuple[int, ...], reverse: bool) -> None:
    reassembly = Reassembly(100)
    pieces = [(1, (0, BEGIN, 20, 0, 1, 0, 51)), (2, second)]
    with pytest.raises(MessageViolation, match="different messages"):  # noqa: PT012
        for tsn, header in reversed(pieces) if reverse else pieces:
            reassembly.add(tsn, header, b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize(("fragments", "allowed"), [(2048, True), (2049, False)])
def test_the_smallest_fragments(fragments: int, allowed: bool) -> None:
    """2,048 fragments may be of any size, and one more for each 128 bytes."""
    reassembly = Reassembly(1 << 20)
    for tsn in range(fragments - 1):
        reassembly.add(tsn, (0, 0, 0, tsn, 1, 0, 51), b"")
    if allowed:
        reassembly.add(fragments, (0, 0, 0, 1, 1, 0, 51), bytes(127))
        reassembly.add(fragments - 1, (0, 0, 0, 1, 1, 0, 51), b"x")
    else:
        with pytest.raises(MessageViolation):
            reassembly.add(fragments - 1, (0, 0, 0, 1, 1, 0, 51), bytes(127))


@pytest.mark.parametrize(
    ("tsn", "flags", "ssn", "proceeds"),
    [
        *(
            (20, WHOLE | UNORDERED, 0, True),
            (20, WHOLE, 1, True),
            (20, WHOLE, 0, False),
            (20, WHOLE, 2, False),
        ),
        # Beside the fragments 12 and 13.
        *((10, 0, 1, False), (11, 0, 1, True), (14, 0, 1, True), (15, 0, 1, False)),
    ],
)
def test_chunks_accepted_when_much_is_held(tsn: int, flags: int, ssn: int, proceeds: bool) -> None:
    reassembly = Reassembly(10_000)
    for number, kind, own in ((9, WHOLE, 0), (12, 0, 1), (13, 0, 1)):
        reassembly.add(number, (0, kind, 0, number, 1, own, 51), b"x")
    assert reassembly.can_proceed_with(tsn, (0, flags, 0, tsn, 1, ssn, 51)) is proceeds


@pytest.mark.parametrize(("messages", "crowded"), [(4093, False), (4094, True)])
def test_how_much_is_held(messages: int, crowded: bool) -> None:
    """Messages out of turn count for one, fragments without a hole for two: 4,096 are the bound."""
    reassembly = Reassembly(10_000)
    reassembly.add(1, (0, BEGIN, 0, 1, 1, 0, 51), b"x")
    for number in range(messages):
        reassembly.add(10 + number, (0, WHOLE, 0, 10 + number, 2, 1 + number, 51), b"x")
    assert reassembly.is_crowded is crowded


def test_a_message_out_of_order_that_arrives_twice_or_too_late_is_stale() -> None:
    reassembly = Reassembly(10_000)
    for number, (ssn, stale) in enumerate(((2, 0), (2, 1), (0, 1), (0, 2), (0xFFFF, 3), (1, 3))):
        reassembly.add(number, (0, WHOLE, 0, number, 1, ssn, 51), bytes((ssn & 0xFF,)))
        assert reassembly.stale == stale
    assert [reassembly.pop_message(1) for _ in range(4)] == [(51, b"\0"), (51, b"\1"), (51, b"\2"), None]
    assert reassembly.charged == 0


def test_messages_released_by_a_forward_tsn_is_no_longer_held() -> None:
    reassembly = Reassembly(10_000)
    for number, ssn in enumerate((1, 3, 4, 9)):
        reassembly.add(number, (0, WHOLE, 0, number, 1, ssn, 51), b"x")
    reassembly.add(20, (0, BEGIN, 0, 20, 2, 0, 51), b"x")
    assert reassembly._waiting_count == 4
    reassembly.skip_to(20, ((1, 2),))
    assert [reassembly.pop_message(1) for _ in range(4)] == [(51, b"x")] * 3 + [None]
    assert reassembly._waiting_count == 1
    assert reassembly.charged == 1 + OVERHEAD
    assert reassembly._runs_by_first == reassembly._runs_by_last == {}
    reassembly.skip_to(20, ((1, 20),))
    assert reassembly.pop_message(1) == (51, b"x")
    assert reassembly._waiting_count == reassembly.charged == 0
    assert reassembly._waiting == {}


def piece(tsn: int, flags: int, ssn: int = 0) -> tuple[int, DataHeader, bytes]:
    """Return a fragment whose data is its TSN."""
    return tsn, (0, flags, 0, tsn, 1, ssn, 51), str(tsn).encode()


@pytest.mark.parametrize(
    ("arrivals", "messages"),
    [
        # A beginning right after an unfinished message belongs to another message.
        ((piece(1, BEGIN | UNORDERED), piece(2, BEGIN | UNORDERED), piece(3, END | UNORDERED)), [b"23"]),
        ((piece(2, BEGIN | UNORDERED), piece(1, BEGIN | UNORDERED), piece(3, END | UNORDERED)), [b"23"]),
        # Only a beginning may follow an end.
        ((piece(2, END | UNORDERED), piece(3, UNORDERED), piece(1, BEGIN | UNORDERED)), [b"12"]),
        ((piece(3, UNORDERED), piece(2, END | UNORDERED), piece(1, BEGIN | UNORDERED)), [b"12"]),
        ((piece(3, UNORDERED), piece(1, BEGIN | UNORDERED), piece(2, END | UNORDERED)), [b"12"]),
        # The SSNs of unordered fragments mean nothing (RFC 9260 section 3.3.1).
        ((piece(1, BEGIN | UNORDERED, 5), piece(2, UNORDERED, 6), piece(3, END | UNORDERED, 7)), [b"123"]),
        ((piece(3, END | UNORDERED, 5), piece(2, UNORDERED, 6), piece(1, BEGIN | UNORDERED, 7)), [b"123"]),
    ],
)
def test_fragments_of_messages_that_touch(
    arrivals: tuple[tuple[int, DataHeader, bytes], ...], messages: list[bytes]
) -> None:
    reassembly = Reassembly(10_000)
    for arrival in arrivals:
        reassembly.add(*arrival)
    taken = []
    while (message := reassembly.pop_message(1)) is not None:
        taken.append(message[1])
    assert taken == messages


@pytest.mark.parametrize(("ssn", "proceeds"), [(0, True), (1, False)])
def test_the_first_message_of_a_stream_is_accepted_when_much_is_held(ssn: int, proceeds: bool) -> None:
    reassembly = Reassembly(10_000)
    assert reassembly.can_proceed_with(20, (0, WHOLE, 0, 20, 1, ssn, 51)) is proceeds


def test_streams_with_messages_are_reported_in_order() -> None:
    reassembly = Reassembly(10_000)
    for streams in ((8, 1), (64, 8, 1), (7,), ()):
        for number, stream in enumerate(streams):
            reassembly.add(number, (0, WHOLE | UNORDERED, 0, number, stream, 0, 51), b"x")
        assert reassembly.take_ready_streams() == tuple(sorted(streams))


def test_a_skip_over_the_wrap_of_the_ssn() -> None:
    reassembly = Reassembly(10_000)
    reassembly.skip_to(1, ((1, 30_000),))
    reassembly.skip_to(2, ((1, 60_000),))
    reassembly.add(4, (0, WHOLE, 0, 4, 1, 5, 51), b"five")
    reassembly.skip_to(3, ((1, 3),))
    assert reassembly.pop_message(1) is None
    for _ in range(2):
        reassembly.skip_to(3, ((1, 4),))
    assert reassembly.pop_message(1) == (51, b"five")
    reassembly.skip_to(3, ((1, 4),))
    reassembly.add(5, (0, WHOLE, 0, 5, 1, 6, 51), b"six")
    assert reassembly.pop_message(1) == (51, b"six")
    assert reassembly.stale == 0


def test_messages_dropped_by_a_reset_are_no_longer_held() -> None:
    reassembly = Reassembly(10_000)
    for streams in ((1,), ()):
        for number in range(4096):
            assert not reassembly.is_crowded
            reassembly.add(10 + number, (0, WHOLE, 0, 10 + number, 1, 1 + number, 51), b"x")
        assert reassembly.is_crowded
        reassembly.reset(streams)
        assert reassembly.charged == 0


def test_memory_of_complete_messages_is_bounded() -> None:
    """Of each message in two fragments, where it began; of the last 66 at most."""
    reassembly = Reassembly(10_000)
    most = 0
    for tsn in range(0, 1000, 2):
        reassembly.add(*piece(tsn, BEGIN | UNORDERED))
        most = max(most, len(reassembly._begun))
        reassembly.add(*piece(tsn + 1, END | UNORDERED))
    assert most == 67
    # With that of four that are not complete.
    for tsn in range(2000, 2008, 2):
        reassembly.add(*piece(tsn, BEGIN | UNORDERED))
    for tsn in range(3000, 4000, 2):
        reassembly.add(*piece(tsn, BEGIN | UNORDERED))
        most = max(most, len(reassembly._begun))
        reassembly.add(*piece(tsn + 1, END | UNORDERED))
    assert most == 67 + 2 * 4
    reassembly.skip_to(4000, ())
    assert reassembly._begun == []
    assert not reassembly.is_crowded
