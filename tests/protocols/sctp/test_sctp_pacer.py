"""The pacer of the sending side."""

import math

import pytest

from trio_rtc.protocols.sctp.tx.pacer import Pacer

RATE = 100_000.0


def test_a_new_pacer_lets_one_packet_leave_at_once() -> None:
    pacer = Pacer(1000)
    assert pacer.departure == -math.inf
    assert pacer.count_due(RATE, 5.0) == 1


def test_each_packet_waits_for_the_transmission_time_of_the_previous_one() -> None:
    pacer = Pacer(1000)
    pacer.record_sent(500, RATE, False, 5.0)
    assert pacer.departure == pacer.next_burst == pytest.approx(5.005)
    assert pacer.count_due(RATE, 5.0049) == 0
    assert pacer.count_due(RATE, pacer.departure) == 1


def test_packets_of_a_millisecond_leave_together() -> None:
    pacer = Pacer(1000)
    pacer.record_sent(1000, 10e6, False, 5.0)
    assert pacer.departure == pytest.approx(5.0001)
    assert pacer.next_burst == pytest.approx(5.001)
    assert pacer.count_due(10e6, 5.00105) == 10


@pytest.mark.parametrize(("application_limited", "departure"), [(False, 5.069), (True, 5.07)])
def test_a_late_burst_catches_up_for_a_millisecond_unless_the_application_was_late(
    application_limited: bool, departure: float
) -> None:
    pacer = Pacer(1000)
    pacer.record_sent(1000, RATE, application_limited, 5.0)
    assert pacer.count_due(RATE, 5.06) == 1
    pacer.record_sent(1000, RATE, application_limited, 5.06)
    assert pacer.departure == pytest.approx(departure)


def test_a_changed_rate_counts_from_the_next_burst() -> None:
    pacer = Pacer(1000)
    pacer.record_sent(1000, RATE, False, 5.0)
    pacer.record_sent(1000, 10 * RATE, False, 5.01)
    assert pacer.departure == pytest.approx(5.011)
