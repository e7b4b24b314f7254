"""When outstanding chunks were sent."""

from trio_rtc.protocols.sctp.tx.sent_bursts import SentBursts


def test_chunks_of_a_burst_share_their_time() -> None:
    bursts = SentBursts()
    assert bursts.find(1) is None
    for last_tsn, now, limited in ((3, 1.0, False), (4, 2.0, True), (9, 3.0, False)):
        bursts.record(last_tsn, now, limited)
    assert [bursts.find(tsn) for tsn in (1, 3)] == [(1.0, False)] * 2
    assert bursts.find(4) == (2.0, True)
    assert [bursts.find(tsn) for tsn in (5, 9)] == [(3.0, False)] * 2
    assert bursts.find(10) is None


def test_a_burst_is_forgotten_with_its_last_chunk() -> None:
    bursts = SentBursts()
    bursts.record(3, 1.0, False)
    bursts.record(9, 2.0, False)
    bursts.discard_before(3)
    assert bursts.find(3) == (1.0, False)
    bursts.discard_before(4)
    assert bursts.find(3) == (2.0, False), "the oldest that is left"
    bursts.discard_before(10)
    assert bursts.find(9) is None


def test_times_are_not_compared_with_tsns() -> None:
    bursts = SentBursts()
    bursts.record(3, 100.0, False)
    bursts.record(9, 200.0, True)
    assert bursts.find(5) == (200.0, True)
