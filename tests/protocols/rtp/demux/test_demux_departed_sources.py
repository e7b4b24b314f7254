"""Late packets of sources that have gone, and sources that have come back."""

from trio_rtc.protocols.rtp.demux.departed_sources import DepartedSources


def test_packets_are_late_for_half_a_second() -> None:
    departed = DepartedSources()
    assert not departed.is_late(1, 5.0)
    departed.add(1, 5.0)
    assert departed.is_late(1, 5.49)
    assert not departed.is_late(2, 5.0)
    assert not departed.is_late(1, 5.5)


def test_who_is_back_is_not_late() -> None:
    departed = DepartedSources()
    departed.add(1, 5.0)
    departed.discard(1)
    assert not departed.is_late(1, 5.1)
    departed.discard(1)


def test_of_too_many_the_first_is_forgotten() -> None:
    departed = DepartedSources()
    for ssrc in range(65):
        departed.add(ssrc, 5.0)
    assert [ssrc for ssrc in range(65) if not departed.is_late(ssrc, 5.1)] == [0]
