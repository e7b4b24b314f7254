"""Two DTLS connections and a network between them, in virtual time."""

import functools
import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterable

from trio_rtc.protocols.dtls import (
    ECDSA_P256,
    RSA_2048,
    ApplicationDataReceived,
    Certificate,
    Connection,
    DtlsClosed,
    DtlsEvent,
    DtlsOptions,
    DtlsRole,
    Fingerprint,
    HandshakeCompleted,
)

WALL_CLOCK = 1.8e9
LATENCY = 0.01

# Maps a sender and the index of its datagram to the delays after which copies arrive; none: it is lost.
Treatment = Callable[[DtlsRole, int, bytes], Iterable[float]]


@functools.cache
def certificate(role: DtlsRole, algorithm: str = ECDSA_P256) -> Certificate:
    """Return the certificate of a role and algorithm, cached because generating RSA keys is slow."""
    seed = [*DtlsRole].index(role) + (10 if algorithm == RSA_2048 else 0)
    return Certificate.generate(random.Random(seed), WALL_CLOCK, algorithm=algorithm)


def make_connection(
    role: DtlsRole,
    options: DtlsOptions | None = None,
    *,
    own: Certificate | None = None,
    fingerprints: Iterable[Fingerprint] | None = None,
    seed: int = 0,
) -> Connection:
    """Return a connection that has not started and trusts the other role's certificate."""
    connection = Connection(
        options or DtlsOptions(),
        role=role,
        certificate=own or certificate(role),
        rng=random.Random(f"{role}{seed}"),
        wall_clock=WALL_CLOCK,
    )
    connection.set_remote_fingerprints(
        [certificate(role.other).fingerprint()] if fingerprints is None else list(fingerprints)
    )
    return connection


def seal_record(connection: Connection, content_type: int, plaintext: bytes) -> bytes:
    """Return a record protected with a connection's newest keys, in plaintext before there are any.

    There is no public way to send a record of another type than application data, and there should be none.
    """
    return connection._records.seal(connection._write_epoch, content_type, plaintext)


class Pair:
    """A client and a server.

    Attributes:
        client: The client.
        server: The server.
        now: Virtual time.
        sent: Every datagram that was sent, with its sender and time.
        log: Every event, by role.
    """

    def __init__(self, client: Connection, server: Connection, treatment: Treatment | None = None) -> None:
        self.client = client
        self.server = server
        self.now = 0.0
        self.sent: list[tuple[float, DtlsRole, bytes]] = []
        self.log: dict[DtlsRole, list[DtlsEvent]] = {role: [] for role in DtlsRole}
        self._treatment = treatment or (lambda role, index, datagram: (LATENCY,))
        self._counts = dict.fromkeys(DtlsRole, 0)
        self._arrivals: list[tuple[float, int, DtlsRole, bytes]] = []
        self._order = itertools.count()

    def of(self, role: DtlsRole) -> Connection:
        return self.client if role is DtlsRole.CLIENT else self.server

    def start(self) -> None:
        self.client.start(self.now)
        self.server.start(self.now)
        self.flush()

    def flush(self) -> None:
        for role in DtlsRole:
            for datagram in self.of(role).datagrams_to_send(self.now):
                self.sent.append((self.now, role, datagram))
                index = self._counts[role]
                self._counts[role] += 1
                for delay in self._treatment(role, index, datagram):
                    heapq.heappush(
                        self._arrivals, (self.now + delay, next(self._order), role.other, datagram)
                    )
            self.log[role] += self.of(role).events()

    def step(self) -> bool:
        """Run the next event; return ``False`` if there is none."""
        arrival = self._arrivals[0][0] if self._arrivals else math.inf
        timer = min(self.client.next_timer(), self.server.next_timer())
        if arrival == timer == math.inf:
            return False
        self.now = min(arrival, timer)
        if arrival <= timer:
            _, _, role, datagram = heapq.heappop(self._arrivals)
            self.of(role).receive([datagram], self.now)
        else:
            for connection in (self.client, self.server):
                connection.handle_timer(self.now)
                assert connection.next_timer() > self.now
        self.flush()
        return True

    def run(self, until: Callable[[], bool] | None = None, *, deadline: float = 1000.0) -> None:
        """Run until a condition holds or no event is left."""
        while not (until is not None and until()):
            if not self.step():
                assert until is None, "nothing more will happen"
                return
            assert self.now < deadline, "it takes too long"

    @property
    def completed(self) -> bool:
        return all(any(isinstance(event, HandshakeCompleted) for event in log) for log in self.log.values())

    @property
    def is_idle(self) -> bool:
        """Whether no datagram is in flight."""
        return not self._arrivals

    def connect(self) -> "Pair":
        """Start, and run until both sides are connected."""
        self.start()
        self.run(lambda: self.completed)
        self.run(lambda: self.is_idle)
        return self

    def data(self, role: DtlsRole) -> list[bytes]:
        """Return all application data that one side has received."""
        return [
            item
            for event in self.log[role]
            if isinstance(event, ApplicationDataReceived)
            for item in event.batch
        ]

    def closed(self, role: DtlsRole) -> DtlsClosed | None:
        """Return the last event of a side that has closed."""
        events = [event for event in self.log[role] if isinstance(event, DtlsClosed)]
        assert len(events) <= 1
        assert not events or self.log[role][-1] is events[0]
        return events[0] if events else None


def make_pair(
    client_options: DtlsOptions | None = None,
    server_options: DtlsOptions | None = None,
    treatment: Treatment | None = None,
) -> Pair:
    """Return two connections that trust each other."""
    return Pair(
        make_connection(DtlsRole.CLIENT, client_options),
        make_connection(DtlsRole.SERVER, server_options),
        treatment,
    )


def check_agreement(pair: Pair) -> None:
    """Require that both sides export the same keys and that data passes in both directions."""
    label = b"EXPORTER-agreement"
    keys = {pair.of(role).export_keying_material(label, None, 32) for role in DtlsRole}
    assert len(keys) == 1
    for role in DtlsRole:
        before = pair.data(role.other)
        message = f"from the {role}".encode()
        pair.of(role).send([message, b""], pair.now)
        pair.flush()
        pair.run(lambda: pair.is_idle)
        assert pair.data(role.other) == [*before, message, b""]
