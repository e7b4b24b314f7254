"""Alerts: forged ones in the clear, and authentic ones."""

import pytest

from tests.strategies.dtls_pair import check_agreement, make_connection, make_pair, seal_record
from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.protocols.dtls import AlertDescription, DtlsClosed, DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.record.codec import ContentType


def plain_alert(level: int, description: int) -> bytes:
    return bytes((21, 0xFE, 0xFD)) + bytes(8) + b"\0\2" + bytes((level, description))


FORGERIES = [plain_alert(2, 40), plain_alert(1, 0), plain_alert(2, 255), plain_alert(1, 90)]


def test_forged_alerts_do_not_stop_a_handshake() -> None:
    pair = make_pair()
    pair.start()
    while not pair.completed:
        for connection in (pair.client, pair.server):
            connection.receive(FORGERIES, pair.now)
        pair.step()
    check_agreement(pair)


@pytest.mark.parametrize(
    ("round_trip_time", "effective_at"), [(0.01, 0.8), (0.2, 0.8), (0.3, 1.0), (1.2, 3.7), (None, 3.1)]
)
def test_an_alert_in_the_clear_takes_effect_when_the_peer_is_silent(
    round_trip_time: float | None, effective_at: float
) -> None:
    """After three round trips, or the longest retransmission interval, and at least the grace time."""
    client = make_connection(DtlsRole.CLIENT, DtlsOptions(unauthenticated_alert_grace=0.7))
    client.start(0.0, round_trip_time=round_trip_time)
    client.receive([plain_alert(2, 40)], 0.1)
    client.receive([plain_alert(2, 47)], 0.5)
    # Meanwhile the ClientHello is retransmitted by its timer.
    assert client.next_timer() == 0.05
    now = 0.5
    while not client.closed:
        now = client.next_timer()
        client.handle_timer(now)
    assert now == pytest.approx(effective_at)
    (closed,) = client.events()
    assert isinstance(closed, DtlsClosed)
    assert closed.error is not None
    assert closed.error.received_alert == AlertDescription.HANDSHAKE_FAILURE
    assert closed.error.detail is RTCErrorDetailType.DTLS_FAILURE


@pytest.mark.parametrize("victim", DtlsRole)
@pytest.mark.parametrize("latency", [0.6, 1.4])
def test_forged_alerts_do_not_stop_a_handshake_over_a_long_path(victim: DtlsRole, latency: float) -> None:
    """The round trip, twice ``latency``, is unknown when the handshake starts."""
    pair = make_pair(treatment=lambda role, index, datagram: (latency,))
    pair.start()
    while not pair.completed:
        pair.of(victim).receive(FORGERIES, pair.now)
        assert pair.step()
    check_agreement(pair)


def test_an_alert_before_the_first_client_hello_is_ignored() -> None:
    server = make_connection(DtlsRole.SERVER)
    server.start(0.0)
    server.receive(FORGERIES, 0.0)
    assert server.next_timer() == float("inf")
    # One of them is a warning, which ends nothing.
    assert server.counters == DtlsCounters(records_received=4, unexpected=3)


def test_alerts_in_the_clear_are_ignored_once_connected() -> None:
    pair = make_pair().connect()
    pair.server.receive(FORGERIES, pair.now)
    assert pair.server.state is RTCDtlsTransportState.CONNECTED
    assert pair.server.next_timer() == float("inf")
    check_agreement(pair)


@pytest.mark.parametrize(("level", "description"), [(1, 0), (2, 0), (2, 90), (2, 255), (0, 80)])
def test_an_authentic_alert_ends_the_connection_at_once(level: int, description: int) -> None:
    pair = make_pair().connect()
    pair.server.receive([seal_record(pair.client, ContentType.ALERT, bytes((level, description)))], pair.now)
    (closed,) = pair.server.events()
    assert isinstance(closed, DtlsClosed)
    assert (closed.error and closed.error.received_alert) == (description or None)
    # Only close_notify is answered, with close_notify.
    assert len(pair.server.datagrams_to_send(pair.now)) == (not description)


def test_authentic_warnings_are_ignored() -> None:
    pair = make_pair().connect()
    for description in (90, 100, 255):
        pair.server.receive([seal_record(pair.client, ContentType.ALERT, bytes((1, description)))], pair.now)
    assert pair.server.datagrams_to_send(pair.now) == []
    check_agreement(pair)
