"""Admission and displacement of connections, and allowed origins, without I/O."""

import math
from http import HTTPStatus

import pytest

from trio_rtc.signaling import ServerOptions
from trio_rtc.signaling.admission import (
    MAX_RATED_SOURCES,
    ConnectionRateLimiter,
    ConnectionTable,
    TrackedConnection,
    source_of,
)
from trio_rtc.signaling.origin import OriginPolicy, normalize_names


class Arrivals:
    """Connections by name, and the displaced ones in order."""

    def __init__(self, options: ServerOptions) -> None:
        self.table = ConnectionTable(options)
        self.displaced: list[str] = []

    def add(self, name: str, source: str | None) -> TrackedConnection:
        return self.table.add(source, lambda: self.displaced.append(name))


def test_new_connection_displaces_the_oldest_of_its_address() -> None:
    arrivals = Arrivals(ServerOptions(max_handshakes_per_address=2, max_handshakes=10))
    for name, source in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a"), ("a4", "a")):
        arrivals.add(name, source)
    assert arrivals.displaced == ["a1", "a2"]


def test_full_table_displaces_the_oldest_of_the_address_with_the_most() -> None:
    arrivals = Arrivals(ServerOptions(max_handshakes_per_address=4, max_handshakes=5))
    for name, source in (
        ("b1", "b"),
        ("a1", "a"),
        ("a2", "a"),
        ("b2", "b"),
        ("a3", "a"),
        ("c1", "c"),
        ("d1", "d"),
    ):
        arrivals.add(name, source)
    assert arrivals.displaced == ["a1", "b1"]


def test_open_and_ended_connections_are_never_displaced() -> None:
    arrivals = Arrivals(ServerOptions(max_handshakes_per_address=1, max_handshakes=2))
    opened = arrivals.add("a1", "a")
    assert arrivals.table.open(opened) is None
    ended = arrivals.add("a2", "a")
    arrivals.table.remove(ended)
    arrivals.table.remove(ended)
    arrivals.add("a3", "a")
    assert arrivals.displaced == []
    arrivals.add("a4", "a")
    assert arrivals.displaced == ["a3"]


def test_open_connections_are_bounded_per_address_and_in_total() -> None:
    table = ConnectionTable(ServerOptions(max_connections_per_address=2, max_connections=3))

    def open_one(source: str | None) -> tuple[TrackedConnection, HTTPStatus | None]:
        admitted = table.add(source, lambda: None)
        return admitted, table.open(admitted)

    first, status = open_one("a")
    assert (status, open_one("a")[1]) == (None, None)
    refused, status = open_one("a")
    assert status is HTTPStatus.TOO_MANY_REQUESTS
    table.remove(refused)
    assert [open_one("b")[1], open_one("c")[1]] == [None, HTTPStatus.SERVICE_UNAVAILABLE]
    table.remove(first)
    assert [open_one("a")[1], open_one("d")[1]] == [None, HTTPStatus.SERVICE_UNAVAILABLE]


def test_connections_without_an_address_are_bounded_in_total_only() -> None:
    arrivals = Arrivals(ServerOptions(max_handshakes_per_address=1, max_connections_per_address=1))
    for number in range(20):
        assert arrivals.table.open(arrivals.add(str(number), None)) is None
    assert arrivals.displaced == []


def test_address_may_connect_at_the_allowed_rate_while_it_keeps_trying() -> None:
    rates = ConnectionRateLimiter(ServerOptions(connection_rate=10, connection_burst=25))
    assert sum(rates.admit("a", 5.0) for _ in range(1000)) == 25
    # A hundred tries a second, for four seconds.
    assert sum(rates.admit("a", 5.0 + number / 100) for number in range(1, 401)) == 40
    assert sum(rates.admit("b", 9.0) for _ in range(1000)) == 25
    assert sum(rates.admit("a", 1000.0) for _ in range(1000)) == 25
    assert len(rates) == 2


def test_rate_is_unlimited_without_an_address_or_with_an_infinite_burst() -> None:
    rates = ConnectionRateLimiter(ServerOptions(connection_rate=1, connection_burst=1))
    assert all(rates.admit(None, 0.0) for _ in range(1000))
    assert len(rates) == 0
    rates = ConnectionRateLimiter(ServerOptions(connection_burst=math.inf))
    assert all(rates.admit("proxy", number / 1000) for number in range(1000))


def test_recorded_rates_are_bounded_and_keep_a_flooding_address() -> None:
    rates = ConnectionRateLimiter(ServerOptions(connection_rate=1, connection_burst=1))
    assert rates.admit("flood", 0.0)
    for number in range(3 * MAX_RATED_SOURCES):
        assert rates.admit(str(number), 0.0)
        if number % 1000 == 0:
            assert not rates.admit("flood", 0.0)
    assert len(rates) == MAX_RATED_SOURCES
    # Of the others, the latest are recorded.
    assert not rates.admit(str(2 * MAX_RATED_SOURCES + 2), 0.0)
    assert rates.admit("0", 0.0)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a name", "a name"),
        (None, None),
    ],
)
def test_ipv6_network_counts_as_one_address(address: str | None, source: str | None) -> None:
    assert source_of(address) == source


@pytest.mark.parametrize(
    ("origin", "host", "secure", "admitted"),
    [
        (None, "evil.example", False, True),  # a program, to which the origin policy does not apply
        ("http://127.0.0.1:8080", "127.0.0.1:8080", False, True),
        ("http://[::1]:8080", "[::1]:8080", False, True),
        ("http://localhost:8080", "localhost:8080", False, True),
        ("http://app.localhost", "app.localhost", False, True),
        ("https://ours.example", "ours.example", False, True),
        ("https://ours.example", "ours.example:443", True, True),
        ("http://ours.example:80", "ours.example", False, True),
        ("http://OURS.example", "ours.example", False, True),
        ("http://ours.example.", "ours.example.", False, True),
        # DNS rebinding: the page's host equals the server's, but the name is not the server's own.
        ("http://evil.example", "evil.example", False, False),
        ("http://evil.example:8080", "evil.example:8080", False, False),
        ("http://127.0.0.1.evil.example", "127.0.0.1.evil.example", False, False),
        ("http://localhost.evil.example", "localhost.evil.example", False, False),
        ("http://notlocalhost", "notlocalhost", False, False),
        ("http://127.1", "127.1", False, False),
        # Another host, port or scheme.
        ("http://evil.example", "127.0.0.1", False, False),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False, False),
        ("http://ours.example", "ours.example:443", False, False),
        ("http://ours.example", "ours.example", True, False),
        ("chrome-extension://ours.example", "ours.example", False, False),
        # Invalid origins or hosts.
        ("null", "ours.example", False, False),
        ("", "", False, False),
        ("http://", "", False, False),
        ("http://[", "[", False, False),
        ("http://ours.example:99999", "ours.example:99999", False, False),
        ("http://ours.example@evil.example", "evil.example", False, False),
        ("http://ours.example", "ours.example@evil.example", False, False),
        ("http://ours.example, http://evil.example", "ours.example", False, False),
    ],
)
def test_page_may_connect_to_its_own_host_under_a_known_name(
    origin: str | None, host: str, secure: bool, admitted: bool
) -> None:
    policy = OriginPolicy(None, normalize_names(["Ours.example."]))
    assert policy.allows(origin, host, secure=secure) is admitted


def test_listed_origins_need_no_host() -> None:
    policy = OriginPolicy(frozenset({"https://app.example"}), normalize_names([]))
    assert policy.allows("https://app.example", "anything", secure=False)
    assert not policy.allows("http://localhost", "localhost", secure=False)
    assert OriginPolicy(None, normalize_names(["*"])).allows(
        "http://any.example", "any.example", secure=False
    )
