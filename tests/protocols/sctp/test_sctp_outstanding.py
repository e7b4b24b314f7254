"""Outstanding chunks: acknowledgement, loss, reneging, abandoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn
from trio_rtc.protocols.sctp.tx.outstanding import MAX_RENEGED, Outstanding
from trio_rtc.protocols.sctp.tx.send_queue import make_reliability


def outstanding(count: int, size: int = 100, initial_tsn: int = 1) -> Outstanding:
    made = Outstanding(initial_tsn, 1000)
    for tsn in range(initial_tsn, initial_tsn + count):
        made.chunks[tsn] = (bytes(size), None)
    made.next_tsn = initial_tsn + count
    made.flight = count * size
    return made


def flight_of(made: Outstanding) -> int:
    return sum(
        len(chunk)
        for tsn, (chunk, _) in made.chunks.items()
        if tsn not in made.gap_acked and tsn not in made.lost and tsn not in made.abandoned
    )


@given(st.data(), st.integers(1, 30))
def test_flight_excludes_acknowledged_lost_and_abandoned_chunks(data: st.DataObject, count: int) -> None:
    made = outstanding(0)
    for tsn in range(1, count + 1):
        reliability = data.draw(
            st.sampled_from([None, make_reliability(1, ordered=True, max_retransmits=1, expires_at=None)])
        )
        if reliability is not None:
            reliability.record_sent(tsn, tsn)
        made.chunks[tsn] = (bytes(100 + tsn), reliability)
        made.next_tsn = tsn + 1
        made.flight += 100 + tsn
    for _ in range(12):
        match data.draw(st.sampled_from(["ack", "gaps", "lose", "resend", "forward"])):
            case "ack":
                last = made.next_tsn - 1
                made.acknowledge(data.draw(st.integers(made.cumulative_tsn, last)))
                made.acknowledge_gaps([])
            case "gaps":
                above = list(range(made.cumulative_tsn + 2, made.next_tsn))
                chosen = sorted(data.draw(st.sets(st.sampled_from(above)))) if above else []
                newly = made.acknowledge_gaps([(tsn, tsn) for tsn in chosen])
                if newly:
                    made.report_missing(newly, newly[-1][0], 0.0, early=False)
            case "lose":
                made.mark_all_lost(0.0)
            case "resend":
                if (lost := made.next_lost()) is not None:
                    made.retransmit(lost)
            case "forward":
                forward = made.forward_tsn()
                if forward is not None:
                    assert forward.new_cumulative_tsn > made.cumulative_tsn
            case other:
                raise AssertionError(other)
        assert made.flight == flight_of(made) >= 0
        assert made.lost.isdisjoint(made.gap_acked)
        assert set(made.chunks) == set(range(made.cumulative_tsn + 1, made.next_tsn))
        assert made.gap_acked <= set(made.chunks)
        assert made.lost <= set(made.chunks)
    made.acknowledge(made.next_tsn - 1)
    assert made.flight == 0
    assert made.gap_acked == made.lost == made.abandoned == set()
    assert made.retransmissions == {}


def test_only_tsns_added_by_a_gap_block_are_newly_acknowledged() -> None:
    """A SACK without newly acknowledged TSNs is no miss indication."""
    made = outstanding(10)
    assert made.acknowledge_gaps([(2, 3)]) == [(3, 200)]
    assert made.acknowledge_gaps([(2, 5)]) == [(5, 200)]
    assert made.acknowledge_gaps([(2, 4)]) == []


def test_three_reports_make_a_loss() -> None:
    made = outstanding(10)
    for last in (2, 3, 4):
        newly = made.acknowledge_gaps([(2, last)])
        lost, _ = made.report_missing(newly, last, 0.0, early=False)
        assert lost is (last == 4)
    assert made.next_lost() == 1


def test_a_batch_counts_for_its_packets() -> None:
    made = outstanding(10, size=1000)
    newly = made.acknowledge_gaps([(2, 4)])
    assert made.report_missing(newly, 4, 0.0, early=False)[0]
    made = outstanding(10, size=100)
    newly = made.acknowledge_gaps([(2, 4)])
    assert not made.report_missing(newly, 4, 0.0, early=False)[0], "they were all in one packet"


def test_one_sack_reports_a_bounded_number_of_chunks_over_all_its_holes() -> None:
    made = outstanding(5000, size=1000)
    newly = made.acknowledge_gaps([(1501, 1600), (3101, 3200)])
    made.report_missing(newly, 3200, 0.0, early=False)
    assert made.lost == set(range(1, 1025))


def test_every_gap_block_above_a_hole_counts_for_its_packets() -> None:
    made = outstanding(8, size=1000)
    newly = made.acknowledge_gaps([(2, 2), (4, 4), (6, 6)])
    made.report_missing(newly, 6, 0.0, early=False)
    assert made.lost == {1}


def test_small_chunks_count_as_one_report_a_sack() -> None:
    made = outstanding(8, size=20)
    lost_after: dict[int, set[int]] = {2: set(), 3: set(), 4: {1}}
    for last, lost in lost_after.items():
        newly = made.acknowledge_gaps([(2, last)])
        made.report_missing(newly, last, 0.0, early=False)
        assert made.lost == lost


def test_the_chunk_after_the_cumulative_tsn_may_be_reneged() -> None:
    made = outstanding(8)
    made.acknowledge_gaps([(1, 3)])
    assert made.flight == 500
    made.acknowledge_gaps([(2, 2)])
    assert made.flight == 700
    assert made.gap_acked == {2}


def test_retransmissions_are_counted() -> None:
    made = outstanding(1)
    for count in (1, 2, 3):
        made.mark_all_lost(0.0)
        made.retransmit(1)
        assert made.retransmissions == {1: count}


def test_a_forward_tsn_names_a_hundred_streams_at_most() -> None:
    made = outstanding(150)
    for tsn in range(1, 151):
        reliability = make_reliability(1000 + tsn, ordered=True, max_retransmits=0, expires_at=None)
        assert reliability is not None
        reliability.record_sent(tsn, 5)
        made.chunks[tsn] = (bytes(100), reliability)
        made.abandon(reliability)
    forward = made.forward_tsn()
    assert forward == ForwardTsn(100, tuple((1000 + tsn, 5) for tsn in range(1, 101)))


def test_early_retransmit_when_three_reports_cannot_come() -> None:
    made = outstanding(2)
    newly = made.acknowledge_gaps([(2, 2)])
    assert made.report_missing(newly, 2, 0.0, early=True)[0]


def test_reneged_chunks_are_in_flight_again() -> None:
    made = outstanding(5)
    made.acknowledge_gaps([(3, 5)])
    assert made.flight == 200
    made.acknowledge_gaps([(3, 3)])
    assert made.flight == 400
    made.mark_all_lost(0.0)
    assert made.lost == {1, 2, 4, 5}


@pytest.mark.parametrize("left", [[], [(1500, 1600)], [(3, 3), (2800, 3000)]])
def test_many_chunks_are_reneged_in_steps(left: list[tuple[int, int]]) -> None:
    """The cost of a SACK is bounded; each following one reneges on the next chunks."""
    made = outstanding(3000)
    made.acknowledge_gaps([(2, 3000)])
    reported = sum(last - first + 1 for first, last in left)
    reneged = 2999 - reported
    for number in range(1, 5):
        assert made.acknowledge_gaps(left) == []
        assert made.flight == flight_of(made) == 100 * (1 + min(number * MAX_RENEGED, reneged))
    assert len(made.gap_acked) == reported
    # The same chunks may be acknowledged again.
    assert sum(size for _, size in made.acknowledge_gaps([(2, 3000)])) == 100 * reneged


def test_chunks_not_yet_reneged_may_be_acknowledged() -> None:
    made = outstanding(3000)
    made.acknowledge_gaps([(2, 3000)])
    made.acknowledge_gaps([])
    assert made.acknowledge(2500) == 100 * (1 + MAX_RENEGED)
    made.acknowledge_gaps([])
    assert made.flight == flight_of(made) == 100 * 500


def test_missing_reports_of_a_chunk_start_again_when_it_was_acknowledged_meanwhile() -> None:
    made = outstanding(12)

    def acknowledge(*ranges: tuple[int, int]) -> set[int]:
        newly = made.acknowledge_gaps(list(ranges))
        if newly:
            made.report_missing(newly, newly[-1][0], 0.0, early=False)
        return made.lost

    acknowledge((3, 3), (5, 5))
    acknowledge((3, 3), (5, 6))
    acknowledge((3, 6))
    # The peer reneges on 4, which then is missing again.
    acknowledge((3, 3), (5, 6))
    assert 4 not in acknowledge((3, 3), (5, 7))
    assert 4 not in acknowledge((3, 3), (5, 8))
    assert 4 in acknowledge((3, 3), (5, 9))


@pytest.mark.parametrize(("count", "reports"), [(2, 1), (3, 2), (4, 3), (5, 3), (9, 3)])
@pytest.mark.parametrize("early", [True, False])
def test_how_many_reports_make_a_loss(count: int, reports: int, early: bool) -> None:
    """Three, or when no new data can be sent, as many as the chunks above the hole can bring (RFC 5827)."""
    needed = reports if early else 3
    made = outstanding(count)
    for number in range(1, min(needed, count - 1) + 1):
        newly = made.acknowledge_gaps([(2, 1 + number)])
        lost, abandoned = made.report_missing(newly, 1 + number, 0.0, early=early)
        assert lost is (number == needed)
        assert abandoned == []


def ranges_of(mask: int) -> list[tuple[int, int]]:
    """Return the stretches of set bits, of which the lowest is the TSN 2."""
    ranges: list[tuple[int, int]] = []
    for tsn in range(2, 8):
        if mask >> (tsn - 2) & 1:
            if ranges and ranges[-1][1] == tsn - 1:
                ranges[-1] = (ranges[-1][0], tsn)
            else:
                ranges.append((tsn, tsn))
    return ranges


def test_any_gap_blocks_may_follow_any_others() -> None:
    """Gap blocks in both reports change nothing; those in the first only are in flight again."""
    ranges = [ranges_of(mask) for mask in range(64)]
    for before in range(64):
        for after in range(64):
            made = outstanding(7)
            made.acknowledge_gaps(ranges[before])
            newly = made.acknowledge_gaps(ranges[after])
            news = after & ~before
            assert sum(size for _, size in newly) == 100 * news.bit_count()
            assert {last for last, _ in newly} == {last for _, last in ranges_of(news)}
            assert made.gap_acked == {tsn for tsn in range(2, 8) if after >> (tsn - 2) & 1}
            assert made.flight == 100 * (7 - after.bit_count())


@pytest.mark.parametrize("unusual", ["gap_acked", "lost", "abandoned", "retransmitted", "reported"])
def test_side_tables_forget_acknowledged_chunks(unusual: str) -> None:
    """Nothing is counted twice, and nothing remains, in any combination of the tables."""
    made = outstanding(4)
    reliability = make_reliability(1, ordered=True, max_retransmits=9, expires_at=None)
    assert reliability is not None
    match unusual:
        case "gap_acked":
            made.acknowledge_gaps([(2, 2)])
        case "lost" | "retransmitted":
            made.mark_all_lost(0.0)
            for tsn in range(1, 5) if unusual == "retransmitted" else ():
                made.retransmit(tsn)
        case "abandoned":
            reliability.record_sent(2, 0)
            made.abandon(reliability)
        case _:
            made.report_missing(made.acknowledge_gaps([(3, 3)]), 3, 0.0, early=False)
            made.acknowledge_gaps([])
            assert made.lost == set()
    counted = {"gap_acked": 100, "abandoned": 100}.get(unusual, 200)
    assert made.acknowledge(2) == counted
    assert made.flight == (0 if unusual == "lost" else 200)
    assert made.acknowledge(4) == 200
    assert made.flight == 0
    for table in ("chunks", "gap_acked", "lost", "abandoned", "retransmissions", "_misses", "_resent_before"):
        assert not getattr(made, table), table


def test_a_message_that_one_chunk_abandons_is_not_lost_in_its_others() -> None:
    made = outstanding(3)
    reliability = make_reliability(1, ordered=True, max_retransmits=1, expires_at=None)
    assert reliability is not None
    for tsn in (1, 2):
        reliability.record_sent(tsn, 0)
        made.chunks[tsn] = (bytes(100), reliability)
    made.retransmissions[1] = 1
    assert made.mark_all_lost(0.0) == [reliability]
    assert (made.abandoned, made.lost, made.flight) == ({1, 2}, {3}, 0)
