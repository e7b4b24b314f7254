"""Packets of the simulated network and their trace."""

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.testing import DropReason, Packet, Trace, TraceKind

ALICE, BOB = Address("10.0.0.1", 1000), Address("10.0.0.2", 2000)
PACKET = Packet(b"data", ALICE, BOB, "alice", 7)


def test_changed_packets_keep_their_sender_and_number() -> None:
    assert PACKET.with_data(b"other") == Packet(b"other", ALICE, BOB, "alice", 7)
    assert PACKET.with_source(BOB) == Packet(b"data", BOB, BOB, "alice", 7)
    assert PACKET.with_destination(ALICE) == Packet(b"data", ALICE, ALICE, "alice", 7)


def filled(limit: int = 10) -> Trace:
    trace = Trace(limit)
    trace.record_sent(PACKET, 1.0)
    trace.record_delivered(PACKET.with_source(BOB), 2.0)
    trace.record_sent(PACKET._replace(sender="bob"), 3.0)
    trace.record_dropped(PACKET._replace(sender="bob"), DropReason.LOSS, 4.0)
    return trace


def test_events_are_recorded_in_order_and_counted() -> None:
    trace = filled()
    assert [(entry.time, entry.kind, entry.reason) for entry in trace] == [
        (1.0, TraceKind.SENT, None),
        (2.0, TraceKind.DELIVERED, None),
        (3.0, TraceKind.SENT, None),
        (4.0, TraceKind.DROPPED, DropReason.LOSS),
    ]
    assert (trace.sent, trace.delivered, trace.dropped) == (2, 1, {DropReason.LOSS: 1})


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_entries_are_bounded_but_counts_are_complete(limit: int) -> None:
    trace = filled(limit)
    assert len(trace) == len(list(trace)) == limit
    assert [entry.time for entry in trace] == [1.0, 2.0, 3.0, 4.0][4 - limit :]
    assert (trace.sent, trace.delivered, trace.dropped.total()) == (2, 1, 1)


def test_packets_by_kind_and_sender() -> None:
    trace = filled()
    assert [packet.sender for packet in trace.packets(TraceKind.SENT)] == ["alice", "bob"]
    assert [packet.sender for packet in trace.packets(TraceKind.SENT, sender="bob")] == ["bob"]
    assert trace.packets(TraceKind.DELIVERED, sender="bob") == []


def test_a_trace_may_grow_while_it_is_read() -> None:
    trace = filled()
    for entry in trace:
        trace.record_sent(entry.packet, 9.0)
    assert len(trace) == 8


def test_digest_covers_every_part_of_an_entry() -> None:
    digests = {filled().digest()}
    assert digests == {filled().digest()}
    for time, packet in (
        (1.5, PACKET),
        (1.0, PACKET.with_data(b"x")),
        (1.0, PACKET.with_source(BOB)),
        (1.0, PACKET.with_destination(ALICE)),
    ):
        trace = filled()
        trace.record_sent(packet, time)
        digests.add(trace.digest())
    for reason in (DropReason.LOSS, DropReason.NO_ROUTE):
        trace = filled()
        trace.record_dropped(PACKET, reason, 1.0)
        digests.add(trace.digest())
    assert len(digests) == 7
