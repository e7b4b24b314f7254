"""The round trip time of the handshake."""

import pytest

from tests.strategies.dtls_pair import make_connection, make_pair
from trio_rtc.protocols.dtls import DtlsOptions, DtlsRole


def plain_alert(level: int, description: int) -> bytes:
    return bytes((21, 0xFE, 0xFD)) + bytes(8) + b"\0\2" + bytes((level, description))


FORGERIES = [plain_alert(2, 40), plain_alert(1, 0), plain_alert(2, 255), plain_alert(1, 90)]


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
