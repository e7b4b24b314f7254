"""The congestion controller of RFC 9260 section 7.2."""

from collections.abc import Callable

import pytest

from trio_rtc.protocols.sctp.tx.congestion_reno import RenoController


def acknowledge(
    controller: RenoController, size: int, flight: int, *, advanced: bool = True, in_recovery: bool = False
) -> None:
    """Report a SACK of ``size`` bytes with ``flight`` bytes in flight before it."""
    controller.on_acknowledged(
        size,
        flight_before=flight,
        cumulative_advanced=advanced,
        in_recovery=in_recovery,
        smoothed_round_trip=None,
        sample=None,
        now=0.0,
    )


def lose(controller: RenoController) -> None:
    controller.on_lost(1, True, 0.0)


def expire(controller: RenoController) -> None:
    controller.on_timeout(1, 1, 0.0)


def test_congestion_avoidance_grows_by_a_packet_for_each_window() -> None:
    controller = RenoController(1000, 10_000, 1 << 20)
    lose(controller)
    assert controller.congestion_window == controller.slow_start_threshold == 5000
    acknowledge(controller, 1, 5000)
    assert controller.congestion_window == 5001, "at the threshold it is slow start still"
    for _ in range(6):
        acknowledge(controller, 1000, 5000)
    assert controller.congestion_window == 6001
    acknowledge(controller, 1000, 0)
    assert controller.congestion_window == 6001, "a window that is not in use does not grow"
    controller.on_idle(100)
    assert controller.congestion_window == 4000
    expire(controller)
    assert controller.congestion_window == 1000


@pytest.mark.parametrize(
    ("flight", "grows"), [(9000, True), (8999, False), (10_000, True), (12_000, True), (0, False)]
)
def test_a_window_grows_only_if_less_than_a_packet_of_it_was_free(flight: int, grows: bool) -> None:
    controller = RenoController(1000, 10_000, 1 << 20)
    acknowledge(controller, 500, flight)
    assert controller.congestion_window == (10_500 if grows else 10_000)


@pytest.mark.parametrize("event", [lose, expire])
def test_congestion_avoidance_begins_again_after_a_loss(event: Callable[[RenoController], None]) -> None:
    controller = RenoController(1000, 20_000, 1 << 20)
    controller.slow_start_threshold = 1
    acknowledge(controller, 19_999, 20_000)
    event(controller)
    controller.congestion_window, controller.slow_start_threshold = 10_000, 1
    acknowledge(controller, 9999, 10_000)
    assert controller.congestion_window == 10_000
    acknowledge(controller, 1, 10_000)
    assert controller.congestion_window == 11_000


def test_congestion_windows_are_bounded() -> None:
    controller = RenoController(1000, 10_000, 12_000)
    assert controller.slow_start_threshold == 12_000
    acknowledge(controller, 5000, 10_000)
    assert controller.congestion_window == 12_000
    for event in (lose, expire):
        controller.congestion_window = 9000
        event(controller)
        assert controller.slow_start_threshold == 4500
        controller.congestion_window = 7999
        event(controller)
        assert controller.slow_start_threshold == 4000
    assert controller.congestion_window == 1000


def test_congestion_avoidance_counts_the_bytes_of_a_window() -> None:
    controller = RenoController(1000, 10_000, 10_500)
    controller.slow_start_threshold = 9999
    acknowledge(controller, 9999, 10_000)
    assert controller.congestion_window == 10_000
    acknowledge(controller, 2, 10_000)
    assert controller.congestion_window == 10_500
    # The byte above the window counts for the next one.
    acknowledge(controller, 10_498, 10_500)
    controller.slow_start_threshold, controller.maximum_window = 0, 20_000
    assert controller.congestion_window == 10_500
    acknowledge(controller, 1, 10_500)
    assert controller.congestion_window == 11_500


@pytest.mark.parametrize(
    ("window", "periods", "after"),
    [(64_000, 0, 64_000), (64_000, 1, 32_000), (64_000, 3, 8000), (64_000, 9, 4000), (7000, 1, 4000)],
)
def test_idle_time_halves_the_window_down_to_four_packets(window: int, periods: int, after: int) -> None:
    controller = RenoController(1000, window, 1 << 20)
    controller.on_idle(periods)
    assert controller.congestion_window == after


def test_idle_time_counts_for_32_timeouts_at_most_and_enlarges_nothing() -> None:
    controller = RenoController(1, 1 << 40, 1 << 50)
    controller.on_idle(100)
    assert controller.congestion_window == 1 << 8
    small = RenoController(1000, 3000, 1 << 20)
    small.on_idle(1)
    assert small.congestion_window == 3000


@pytest.mark.parametrize(("advanced", "in_recovery"), [(False, False), (True, True)])
def test_a_window_grows_only_outside_of_recovery_when_the_cumulative_tsn_advances(
    advanced: bool, in_recovery: bool
) -> None:
    controller = RenoController(1000, 10_000, 1 << 20)
    acknowledge(controller, 5000, 10_000, advanced=advanced, in_recovery=in_recovery)
    assert controller.congestion_window == 10_000


def test_only_the_first_loss_of_a_recovery_and_the_first_timeout_in_a_row_shrink_the_window() -> None:
    controller = RenoController(1000, 20_000, 1 << 20)
    controller.on_lost(1000, False, 0.0)
    controller.on_timeout(1000, 2, 0.0)
    assert controller.congestion_window == 20_000
    assert controller.slow_start_threshold == 1 << 20
