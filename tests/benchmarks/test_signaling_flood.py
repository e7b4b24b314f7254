"""The verdict of the benchmark of a flooded signaling server."""

import pytest

from benchmarks.signaling_flood import MANY_CLIENTS, ONE_CLIENT, RoundTrips, faults_of

QUIET = RoundTrips(3.0, 10.0, 12.0)


def test_the_figures_of_round_trips() -> None:
    trips = RoundTrips.of([*range(100), 1000.0])
    assert (trips.median, trips.longest) == (50, 1000)
    assert 94 <= trips.most <= 96


@pytest.mark.parametrize(("clients", "bounds"), [(1, ONE_CLIENT), (20, MANY_CLIENTS), (300, MANY_CLIENTS)])
def test_each_bound_is_checked(clients: int, bounds: RoundTrips) -> None:
    assert faults_of(clients, "pings", bounds, QUIET) == []
    assert faults_of(clients, "pings", RoundTrips(bounds.median + 1, bounds.most, 9e9), QUIET) == [
        f"{clients} pings: half of the round trips take up to {bounds.median + 1:.0f} ms,"
        f" more than {bounds.median:.0f} ms"
    ]
    assert faults_of(clients, "pings", RoundTrips(bounds.median, bounds.most + 1), QUIET) == [
        f"{clients} pings: 95 of 100 of the round trips take up to {bounds.most + 1:.0f} ms,"
        f" more than {bounds.most:.0f} ms"
    ]


def test_a_server_without_rates_fails() -> None:
    assert len(faults_of(1, "fragments", RoundTrips(115.0, 160.0), QUIET)) == 2
    assert len(faults_of(20, "fragments", RoundTrips(1200.0, 1500.0), QUIET)) == 2


def test_a_slow_machine_has_higher_bounds() -> None:
    slow = RoundTrips(30.0, 200.0)
    assert len(faults_of(1, "pings", slow, RoundTrips(5.0, 20.0))) == 2
    assert faults_of(1, "pings", slow, RoundTrips(10.0, 20.0)) == []
