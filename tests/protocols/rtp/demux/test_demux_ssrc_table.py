"""The table of SSRCs: its states, its bound and its eviction."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp import ReceiveParameters
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections, Route
from trio_rtc.protocols.rtp.demux.ssrc_table import SsrcEntry, SsrcState, SsrcTable

SECTION = ReceiveParameters("0", "video", ())


def active(table: SsrcTable[str], ssrc: int) -> SsrcEntry[str]:
    entry = table.record_use(ssrc)
    table.activate(entry, f"stream {ssrc}")
    return entry


@given(st.lists(st.integers(0, 10)))
def test_the_record_without_a_stream_that_was_used_longest_ago_is_evicted(uses: list[int]) -> None:
    table: SsrcTable[str] = SsrcTable(3)
    kept: list[int] = []
    for ssrc in uses:
        kept = [each for each in kept if each != ssrc] + [ssrc]
        expected = [kept.pop(0)] if len(kept) > 3 else []
        assert table.record_use(ssrc).ssrc == ssrc
        assert table.take_evicted() == expected
        assert table.take_evicted() == []
    assert table.entries.keys() == set(kept)


def test_records_with_a_stream_are_not_evicted() -> None:
    table: SsrcTable[str] = SsrcTable(2)
    active(table, 1)
    active(table, 2)
    for ssrc in (1, 3, 4, 5):
        table.record_use(ssrc)
    assert table.entries.keys() == {1, 2, 4, 5}
    assert table.streams == {1: "stream 1", 2: "stream 2"}
    assert table.take_evicted() == [3]


def test_a_released_record_is_the_last_to_be_evicted() -> None:
    table: SsrcTable[str] = SsrcTable(2)
    entry = active(table, 1)
    entry.route = entry.learned = Route(SECTION)
    table.record_use(2)
    table.record_use(3)
    table.release(1)
    assert table.entries.keys() == {3, 1}
    assert (entry.state, entry.stream, entry.route, entry.learned) == (SsrcState.IDLE, None, None, None)
    assert not table.streams
    assert not entry.is_late(0.0)


def test_a_record_that_was_evicted_and_is_back_is_not_reported() -> None:
    table: SsrcTable[str] = SsrcTable(1)
    entry = table.record_use(1)
    table.record_use(2)
    table.activate(entry, "stream 1")
    assert table.entries.keys() == {1, 2}
    assert table.take_evicted() == []


def test_packets_are_late_for_half_a_second_after_the_stream_has_departed() -> None:
    table: SsrcTable[str] = SsrcTable(8)
    entry = active(table, 1)
    assert not entry.is_late(5.0)
    table.release(1, 5.0)
    assert entry.state is SsrcState.DEPARTED
    assert entry.is_late(5.49)
    assert not table.record_use(2).is_late(5.0)
    assert not entry.is_late(5.5)


def test_packets_of_an_ssrc_that_is_back_are_not_late() -> None:
    table: SsrcTable[str] = SsrcTable(8)
    entry = active(table, 1)
    table.release(1, 5.0)
    table.activate(entry, "another stream")
    assert not entry.is_late(5.1)


def test_departed_records_are_evicted_like_others() -> None:
    table: SsrcTable[str] = SsrcTable(64)
    for ssrc in range(65):
        active(table, ssrc)
    for ssrc in range(65):
        table.release(ssrc, 5.0)
    late = [ssrc for ssrc in range(65) if ssrc in table.entries and table.entries[ssrc].is_late(5.1)]
    assert late == list(range(1, 65))
    assert table.take_evicted() == [0]


def test_learned_routes_are_kept_as_far_as_their_section_is() -> None:
    table: SsrcTable[str] = SsrcTable(8)
    kept, lost, announced = (table.record_use(ssrc) for ssrc in (1, 2, 3))
    kept.route = kept.learned = Route(SECTION, "q")
    lost.route = lost.learned = Route(ReceiveParameters("1", "video", ()))
    announced.route = Route(SECTION)
    negotiated = ReceiveParameters("0", "video", (), active=True, sync_group="talk")
    table.reset_routes(ReceiveSections([negotiated]))
    assert kept.learned == Route(negotiated, "q")
    assert kept.learned.section is negotiated
    assert lost.learned is announced.learned is None
    assert kept.route is lost.route is announced.route is None
