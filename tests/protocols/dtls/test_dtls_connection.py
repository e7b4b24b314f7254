"""Calls in each state, application data, closing."""

import attrs
import pytest

from tests.strategies.dtls_pair import make_connection, make_pair
from trio_rtc.enums import RTCDtlsTransportState
from trio_rtc.errors import InvalidStateError
from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    ApplicationDataReceived,
    CipherSuite,
    DtlsClosed,
    DtlsOptions,
    DtlsRole,
)
from trio_rtc.protocols.dtls.record import protection


def test_datagrams_before_the_start_are_kept() -> None:
    pair = make_pair()
    pair.client.start(0.0)
    pair.server.receive(pair.client.datagrams_to_send(0.0), 0.0)
    assert pair.server.state is RTCDtlsTransportState.NEW
    assert pair.server.datagrams_to_send(0.0) == []
    pair.server.start(0.0)
    pair.flush()
    pair.run(lambda: pair.completed)
    assert pair.client.counters.flights_retransmitted == 0


def test_datagrams_kept_before_the_start_are_bounded() -> None:
    server = make_connection(DtlsRole.SERVER, DtlsOptions(max_early_records=3))
    server.receive([b"x"] * 5, 0.0)
    assert server.counters.unexpected == 2


# Wrong calls


def test_calls_in_the_wrong_state_raise() -> None:
    connection = make_connection(DtlsRole.CLIENT)
    with pytest.raises(InvalidStateError):
        connection.send([b"x"], 0.0)
    with pytest.raises(InvalidStateError):
        connection.export_keying_material(b"x", None, 1)
    with pytest.raises(InvalidStateError):
        connection.srtp_keys()
    connection.start(0.0)
    with pytest.raises(InvalidStateError):
        connection.start(0.0)
    with pytest.raises(InvalidStateError):
        connection.set_remote_fingerprints([])
    with pytest.raises(InvalidStateError):
        connection.send([b"x"], 0.0)
    with pytest.raises(ValueError, match="fingerprints"):
        make_connection(DtlsRole.CLIENT, fingerprints=[]).start(0.0)


@pytest.mark.parametrize("suite", [CIPHER_SUITES[0], CIPHER_SUITES[4]], ids=lambda suite: suite.name)
def test_the_largest_application_data_fills_a_datagram(suite: CipherSuite) -> None:
    pair = make_pair(DtlsOptions(cipher_suites=(suite,), mtu=777)).connect()
    largest = bytes(pair.client.max_application_data)
    with pytest.raises(ValueError, match="must be at most"):
        pair.client.send([b"", largest + b"x"], pair.now)
    assert pair.client.datagrams_to_send(pair.now) == []
    pair.client.send([largest], pair.now)
    (datagram,) = pair.client.datagrams_to_send(pair.now)
    assert len(datagram) == 777
    pair.server.receive([datagram], pair.now)
    (data,) = pair.server.events()
    assert isinstance(data, ApplicationDataReceived)
    assert data.batch == [largest]


def test_an_empty_batch_sends_nothing() -> None:
    pair = make_pair().connect()
    pair.client.send([], pair.now)
    assert pair.client.datagrams_to_send(pair.now) == []


def test_a_connection_closes_before_its_record_numbers_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6347 section 4.1. Here, they have four bits instead of 48."""
    monkeypatch.setattr(protection, "MAX_SEQUENCE", 15)
    pair = make_pair().connect()
    # Finished was number 0; number 15 remains for the alert.
    for sizes in (10, 3):
        pair.client.send([b"x"] * sizes, pair.now)
    assert not pair.client.closed
    pair.client.send([b"x"], pair.now)
    assert pair.client.closed
    pair.flush()
    pair.run(lambda: pair.is_idle)
    assert pair.data(DtlsRole.SERVER) == [b"x"] * 13
    assert pair.closed(DtlsRole.SERVER) == DtlsClosed(None)


# Closing


@pytest.mark.parametrize("role", DtlsRole)
def test_close_notify_is_answered(role: DtlsRole) -> None:
    pair = make_pair().connect()
    pair.of(role).send([b"last words"], pair.now)
    pair.of(role).close(pair.now)
    pair.of(role).close(pair.now)
    pair.flush()
    pair.run()
    assert pair.data(role.other) == [b"last words"]
    assert pair.closed(DtlsRole.CLIENT) == pair.closed(DtlsRole.SERVER) == DtlsClosed(None)
    assert [datagram[0] for _, _, datagram in pair.sent[-2:]] == [21, 21]
    assert pair.client.state is pair.server.state is RTCDtlsTransportState.CLOSED


def test_data_and_close_notify_in_one_batch_keep_their_order() -> None:
    pair = make_pair().connect()
    pair.client.send([b"one", b"two"], pair.now)
    pair.client.close(pair.now)
    pair.server.receive(pair.client.datagrams_to_send(pair.now), pair.now)
    data, closed = pair.server.events()
    assert isinstance(data, ApplicationDataReceived)
    assert data.batch == [b"one", b"two"]
    assert closed == DtlsClosed(None)


def test_closing_before_the_start_sends_nothing() -> None:
    connection = make_connection(DtlsRole.CLIENT)
    connection.close(0.0)
    assert connection.closed
    assert connection.datagrams_to_send(0.0) == []
    assert connection.events() == [DtlsClosed(None)]


def test_closing_during_the_handshake_closes_the_peer() -> None:
    pair = make_pair()
    pair.start()
    pair.run(lambda: pair.server.next_timer() < float("inf"))
    pair.client.close(pair.now)
    pair.flush()
    pair.run()
    assert pair.closed(DtlsRole.SERVER) == DtlsClosed(None)


def test_a_closed_lower_layer_ends_the_connection() -> None:
    pair = make_pair().connect()
    pair.client.send([b"never"], pair.now)
    pair.client.lower_closed(pair.now)
    assert pair.client.datagrams_to_send(pair.now) == []
    assert pair.client.events() == [DtlsClosed(None)]
    counters = attrs.evolve(pair.client.counters)
    pair.client.receive([b"x"], pair.now)
    pair.client.handle_timer(pair.now)
    assert pair.client.events() == []
    assert pair.client.counters == counters
    assert pair.client.next_timer() == float("inf")
