"""Peers that violate the handshake: each violation has its alert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.dtls_messages import HELLO, OWN_CHAIN, SERVER_HELLO, deliver, record
from tests.strategies.dtls_pair import WALL_CLOCK, make_connection
from trio_rtc.protocols.dtls import DtlsRole
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.record.codec import HEADER


@pytest.mark.parametrize("role", DtlsRole)
def test_a_finished_in_the_clear_is_ignored(role: DtlsRole) -> None:
    """Finished counts only under the new keys."""
    client, server = make_connection(DtlsRole.CLIENT), make_connection(DtlsRole.SERVER)
    client.start(0.0)
    server.start(0.0)
    server.receive(client.datagrams_to_send(0.0), 0.0)
    client.receive(server.datagrams_to_send(0.0), 0.0)
    victim = client
    sequence = 5
    if role is DtlsRole.SERVER:
        victim, sequence = server, 4
        (flight,) = client.datagrams_to_send(0.0)
        # Everything but the last record, which is Finished.
        server.receive([flight[: -(HEADER.size + 8 + 24 + 16)]], 0.0)
    victim.receive([record(HandshakeMessage(HandshakeType.FINISHED, sequence, bytes(12)))], 0.0)
    assert not victim.closed
    assert victim.events() == []


@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from([*HandshakeType, 99]),
    sequence=st.integers(0, 3),
    role=st.sampled_from(DtlsRole),
)
def test_any_message_at_any_time_never_raises(body: bytes, kind: int, sequence: int, role: DtlsRole) -> None:
    connection = make_connection(role)
    connection.start(WALL_CLOCK)
    good = {
        DtlsRole.SERVER: [(HandshakeType.CLIENT_HELLO, HELLO.encode())],
        DtlsRole.CLIENT: [
            (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
            (HandshakeType.CERTIFICATE, OWN_CHAIN),
        ],
    }[role]
    deliver(connection, *good[:sequence])
    connection.receive([record(HandshakeMessage(kind, min(sequence, len(good)), body))], 0.0)
    connection.datagrams_to_send(0.0)
