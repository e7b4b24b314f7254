"""Handshakes over networks that lose, duplicate, delay and reorder."""

import itertools
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.dtls_pair import LATENCY, Pair, Treatment, check_agreement, make_connection, make_pair
from trio_rtc.enums import RTCDtlsTransportState
from trio_rtc.protocols.dtls import AlertDescription, DtlsOptions, DtlsRole, FinalFlightRetransmitted

COOKIE = DtlsOptions(require_cookie=True)
# So small that each flight takes many datagrams.
TINY = DtlsOptions(mtu=120)


def drop(*lost: tuple[DtlsRole, int]) -> Treatment:
    return lambda role, index, datagram: () if (role, index) in lost else (LATENCY,)


def every_datagram(client_options: DtlsOptions, server_options: DtlsOptions) -> list[tuple[DtlsRole, int]]:
    """Return sender and index of each datagram of a handshake without losses."""
    sent = make_pair(client_options, server_options).connect().sent
    senders = [role for _, role, _ in sent]
    return [(role, index) for role in DtlsRole for index in range(senders.count(role))]


HANDSHAKES = {
    "plain": (DtlsOptions(), DtlsOptions()),
    "cookie": (DtlsOptions(), COOKIE),
    "tiny datagrams": (TINY, TINY),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_loss_of_every_datagram_in_turn(name: str) -> None:
    for lost in every_datagram(*HANDSHAKES[name]):
        pair = make_pair(*HANDSHAKES[name], treatment=drop(lost)).connect()
        assert pair.now < 0.2, lost
        check_agreement(pair)


@pytest.mark.parametrize("role", DtlsRole)
def test_retransmission_backs_off(role: DtlsRole) -> None:
    pair = make_pair(treatment=drop(*((role, index) for index in range(5))))
    pair.start()
    pair.run(lambda: pair.completed)
    check_agreement(pair)
    times = [time for time, sender, _ in pair.sent if sender is role][:6]
    gaps = [round(later - earlier, 6) for earlier, later in itertools.pairwise(times)]
    if role is DtlsRole.CLIENT:
        assert gaps == [0.05, 0.1, 0.2, 0.4, 0.8]
    else:
        assert all(gap >= 0.025 for gap in gaps)


def test_the_retransmission_interval_is_bounded_and_the_handshake_times_out() -> None:
    options = DtlsOptions(retransmission_initial=0.1, retransmission_maximum=0.4, handshake_timeout=2.0)
    pair = make_pair(options, treatment=lambda role, *_: () if role is DtlsRole.CLIENT else (LATENCY,))
    pair.start()
    pair.run()
    assert [round(time, 6) for time, _, _ in pair.sent[:-1]] == [0, 0.1, 0.3, 0.7, 1.1, 1.5, 1.9]
    closed = pair.closed(DtlsRole.CLIENT)
    assert closed is not None
    assert closed.error is not None
    assert closed.error.sent_alert == AlertDescription.USER_CANCELED
    assert pair.client.state is RTCDtlsTransportState.FAILED
    assert pair.now == 2.0
    # The server has received nothing, so it still waits.
    assert pair.server.state is RTCDtlsTransportState.CONNECTING
    assert pair.server.next_timer() == float("inf")


def test_the_final_flight_is_retransmitted_only_when_the_peer_retransmits() -> None:
    pair = make_pair(treatment=drop((DtlsRole.SERVER, 1)))
    pair.start()
    pair.run(lambda: pair.server.state is RTCDtlsTransportState.CONNECTED)
    assert pair.server.next_timer() == float("inf")
    assert pair.client.state is RTCDtlsTransportState.CONNECTING
    pair.run(lambda: pair.completed)
    assert pair.server.counters.flights_retransmitted == 1
    [repeated] = [event for event in pair.log[DtlsRole.SERVER] if isinstance(event, FinalFlightRetransmitted)]
    # The client's timeout of 50 ms starts one latency before our flight and ends one before its retransmission.
    assert repeated.waited == pytest.approx(0.05)
    check_agreement(pair)


def test_a_replayed_flight_triggers_no_retransmission() -> None:
    pair = make_pair().connect()
    flight = [datagram for _, role, datagram in pair.sent if role is DtlsRole.CLIENT][-1]
    pair.server.receive([flight], pair.now + 10)
    assert pair.server.datagrams_to_send(pair.now + 10) == []
    assert pair.server.counters.replayed == 1


def test_duplicated_datagrams_trigger_no_retransmission() -> None:
    pair = make_pair(COOKIE, COOKIE, treatment=lambda *_: (LATENCY, LATENCY + 0.001))
    pair.start()
    pair.run(lambda: pair.completed)
    check_agreement(pair)
    assert pair.client.counters.flights_retransmitted == pair.server.counters.flights_retransmitted == 0


def test_two_sides_that_lose_the_same_part_do_not_trigger_each_other() -> None:
    # The second datagram of each client flight is lost for ten seconds: the server receives repetitions only.
    def treat(role: DtlsRole, index: int, datagram: bytes) -> Iterable[float]:
        lost = role is DtlsRole.CLIENT and index > 0 and len(datagram) < 500 and clock() < 10
        return () if lost else (LATENCY,)

    pair = make_pair(DtlsOptions(mtu=520), treatment=treat)

    def clock() -> float:
        return pair.now

    pair.start()
    pair.run(lambda: pair.completed)
    assert len(pair.sent) < 60
    check_agreement(pair)


def test_data_that_overtakes_the_final_flight_is_delivered_after_it() -> None:
    def treat(role: DtlsRole, index: int, datagram: bytes) -> Iterable[float]:
        return (0.03,) if (role, index) == (DtlsRole.SERVER, 1) else (0.001,)

    pair = make_pair(treatment=treat)
    pair.start()
    pair.run(lambda: pair.server.state is RTCDtlsTransportState.CONNECTED)
    pair.server.send([b"early", b"bird"], pair.now)
    pair.flush()
    before = pair.client.counters.records_received
    pair.run(lambda: pair.client.counters.records_received == before + 2)
    assert pair.client.state is RTCDtlsTransportState.CONNECTING
    assert pair.log[DtlsRole.CLIENT] == []
    pair.run(lambda: pair.completed)
    assert pair.data(DtlsRole.CLIENT) == [b"early", b"bird"]


@pytest.mark.parametrize("most", [0, 3])
def test_early_data_is_bounded(most: int) -> None:
    """Of a peer whose Finished is lost, the oldest data is kept."""
    client, server = (
        make_connection(role, DtlsOptions(max_early_records=most))
        for role in (DtlsRole.CLIENT, DtlsRole.SERVER)
    )
    pair = Pair(client, server, drop((DtlsRole.SERVER, 1)))
    pair.start()
    pair.run(lambda: server.state is RTCDtlsTransportState.CONNECTED)
    server.send([b"1", b"2", b"3", b"4"], pair.now)
    pair.flush()
    pair.run(lambda: pair.completed)
    pair.run(lambda: pair.is_idle)
    assert pair.data(DtlsRole.CLIENT) == [b"1", b"2", b"3", b"4"][:most]
    assert client.counters.unexpected == 4 - most


def test_a_flight_of_many_datagrams_is_not_a_retransmission() -> None:
    """The path takes longer than the pause after a flight, and less than the timeout."""
    pair = make_pair(TINY, TINY, treatment=lambda *_: (0.018,)).connect()
    assert len(pair.sent) > 10
    for connection in (pair.client, pair.server):
        assert connection.counters.flights_retransmitted == 0


def test_finished_overtakes_the_key_exchange() -> None:
    # The client's final flight, in many datagrams, arrives in reverse order: Finished precedes the keys.
    client, server = make_connection(DtlsRole.CLIENT, TINY), make_connection(DtlsRole.SERVER)
    client.start(0.0)
    server.start(0.0)
    server.receive(client.datagrams_to_send(0.0), 0.0)
    client.receive(server.datagrams_to_send(0.0), 0.0)
    flight = client.datagrams_to_send(0.0)
    assert len(flight) > 4
    for datagram in reversed(flight):
        server.receive([datagram], 0.0)
    assert server.state is RTCDtlsTransportState.CONNECTED
    assert server.counters.wrong_epoch == 0
    client.receive(server.datagrams_to_send(0.0), 0.0)
    assert client.state is RTCDtlsTransportState.CONNECTED


@pytest.mark.parametrize("mtu", [96, 97, 120, 200, 333, 1200, 65535])
def test_no_datagram_exceeds_the_mtu(mtu: int) -> None:
    options = DtlsOptions(mtu=mtu, retransmission_initial=0.5)
    pair = make_pair(options, options).connect()
    assert max(len(datagram) for _, _, datagram in pair.sent) <= mtu
    check_agreement(pair)
    assert pair.client.counters.flights_retransmitted == 0


@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.5]),
    mtu=st.sampled_from([120, 300, 1200]),
    cookie=st.booleans(),
)
def test_handshakes_over_arbitrary_networks(seed: int, loss: float, mtu: int, cookie: bool) -> None:
    rng = random.Random(seed)

    def treat(role: DtlsRole, index: int, datagram: bytes) -> Iterable[float]:
        copies = 0 if rng.random() < loss else 2 if rng.random() < 0.1 else 1
        return [rng.uniform(0.001, 0.1) for _ in range(copies)]

    client = make_connection(DtlsRole.CLIENT, DtlsOptions(mtu=mtu, handshake_timeout=900))
    server = make_connection(DtlsRole.SERVER, DtlsOptions(require_cookie=cookie, handshake_timeout=900))
    pair = Pair(client, server, treat)
    pair.start()
    pair.run(lambda: pair.completed)
    assert client.export_keying_material(b"x", None, 32) == server.export_keying_material(b"x", None, 32)
