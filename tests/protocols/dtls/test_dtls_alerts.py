"""Alerts: forged ones in the clear, and authentic ones."""

import pytest

from tests.strategies.dtls_pair import check_agreement, make_connection, make_pair, seal_record
from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import (
    AlertDescription,
    DtlsClosed,
    DtlsOptions,
    DtlsRole,
)
from trio_rtc.protocols.dtls.alert import Alert
from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.record.codec import (
    ContentType,
)


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


@pytest.mark.parametrize("role", DtlsRole)
def test_the_round_trip_time_of_the_handshake_replaces_a_shorter_one(role: DtlsRole) -> None:
    """The path has become slower since ICE measured it."""
    latency = 2.0
    pair = make_pair(
        DtlsOptions(require_cookie=True), DtlsOptions(require_cookie=True), lambda *_: (latency,)
    )
    pair.client.start(0.0, round_trip_time=0.02)
    pair.server.start(0.0, round_trip_time=0.02)
    pair.flush()
    # The client's second ClientHello is answered, and so is the server's flight behind it.
    pair.run(lambda: pair.now >= (2 if role is DtlsRole.CLIENT else 4) * latency)
    silent = pair.of(role)
    forged_at = pair.now
    silent.receive(FORGERIES[:1], forged_at)
    now = forged_at
    while not silent.closed:
        now = silent.next_timer()
        silent.handle_timer(now)
    assert now == pytest.approx(forged_at + 3 * 2 * latency)


@pytest.mark.parametrize(("measured", "grace"), [(None, 3 * 0.25), (0.125, 3 * 0.25), (0.5, 3 * 0.5)])
def test_the_first_message_of_an_answer_samples_the_round_trip_time(
    measured: float | None, grace: float
) -> None:
    """The rest of the answer may have been lost and retransmitted."""
    options = DtlsOptions(unauthenticated_alert_grace=0.1, retransmission_initial=8, retransmission_maximum=8)
    client = make_connection(DtlsRole.CLIENT, options)
    server = make_connection(DtlsRole.SERVER, DtlsOptions(mtu=120))
    client.start(0.0, round_trip_time=measured)
    server.start(0.0)
    server.receive(client.datagrams_to_send(0.0), 0.0)
    flight = server.datagrams_to_send(0.0)
    client.receive(flight[:2], 0.25)
    client.receive(flight[2:-1], 2.0)
    client.receive(FORGERIES[:1], 3.0)
    assert client.next_timer() == 3.0 + grace


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


def test_an_unknown_alert_has_a_name() -> None:
    assert Alert(2, 255).name == "alert 255"
    assert Alert(2, 40).name == "handshake_failure"


def test_an_alert_has_a_level_and_a_description() -> None:
    assert Alert.parse(b"\1\x5a") == Alert(1, 90)
    assert Alert(1, 90).encode() == b"\1\x5a"
    for wrong in (b"", b"\1", b"\1\0\1"):
        with pytest.raises(ProtocolError, match=f"alert of {len(wrong)} bytes"):
            Alert.parse(wrong)


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
