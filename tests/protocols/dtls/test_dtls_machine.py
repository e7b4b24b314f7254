"""State machine test: a client and a server with a hostile network between them.

The network may lose, replay, reorder and delay datagrams, alter protected records, and inject anything but well-formed
handshake messages in the clear, which can fail a DTLS 1.2 handshake. Afterwards, over a network without losses, both
sides connect with the same keys, and data passes.
"""

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.strategies.dtls_pair import LATENCY, make_connection
from trio_rtc.enums import RTCDtlsTransportState
from trio_rtc.protocols.dtls import (
    ApplicationDataReceived,
    Connection,
    DtlsClosed,
    DtlsOptions,
    DtlsRole,
    FinalFlightRetransmitted,
    HandshakeCompleted,
)
from trio_rtc.protocols.dtls.record.codec import HEADER, ContentType

MAX_IN_FLIGHT = 40

roles = st.sampled_from(DtlsRole)


@attrs.define
class Side:
    """One side.

    Attributes:
        connection: The connection.
        mtu: Its option ``mtu``.
        inbound: Datagrams in flight to it.
        history: All datagrams ever sent to it.
        sent: Application data sent.
        received: Application data received.
        started: Whether it was started.
        completions: Number of its HandshakeCompleted events.
    """

    connection: Connection
    mtu: int
    inbound: list[bytes] = attrs.field(factory=list)
    history: list[bytes] = attrs.field(factory=list)
    sent: list[bytes] = attrs.field(factory=list)
    received: list[bytes] = attrs.field(factory=list)
    started: bool = False
    completions: int = 0


class HostileNetwork(RuleBasedStateMachine):
    """Two sides with the network between them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.sides: dict[DtlsRole, Side] = {}

    @initialize(
        mtus=st.tuples(*[st.sampled_from([100, 150, 400, 1200])] * 2),
        cookie=st.booleans(),
        window=st.sampled_from([32, 64]),
    )
    def make(self, mtus: tuple[int, int], cookie: bool, window: int) -> None:
        for role, mtu in zip(DtlsRole, mtus, strict=True):
            options = DtlsOptions(
                mtu=mtu,
                require_cookie=cookie,
                replay_window=window,
                max_early_records=4,
                handshake_timeout=1e6,
                unauthenticated_alert_grace=1e6,
            )
            self.sides[role] = Side(make_connection(role, options), mtu)

    def connected(self, role: DtlsRole) -> bool:
        return self.sides[role].connection.state is RTCDtlsTransportState.CONNECTED

    def flush(self) -> None:
        for role, side in self.sides.items():
            datagrams = side.connection.datagrams_to_send(self.now)
            assert side.connection.datagrams_to_send(self.now) == []
            assert all(len(datagram) <= side.mtu for datagram in datagrams)
            other = self.sides[role.other]
            other.history += datagrams
            other.inbound = (other.inbound + datagrams)[-MAX_IN_FLIGHT:]
            for event in side.connection.events():
                match event:
                    case HandshakeCompleted():
                        side.completions += 1
                    case ApplicationDataReceived(batch):
                        assert side.completions == 1
                        side.received += batch
                    case FinalFlightRetransmitted(waited):
                        assert side.completions == 1
                        assert waited > 0
                    case DtlsClosed():
                        raise AssertionError(f"the network has closed a connection: {event}")

    def receive(self, role: DtlsRole, *datagrams: bytes) -> None:
        self.sides[role].connection.receive(datagrams, self.now)
        self.flush()

    # Rules: applications

    @rule(role=roles)
    def start(self, role: DtlsRole) -> None:
        side = self.sides[role]
        if not side.started:
            side.started = True
            side.connection.start(self.now)
            self.flush()

    @precondition(lambda self: any(self.connected(role) for role in self.sides))
    @rule(role=roles, sizes=st.lists(st.integers(0, 40), min_size=1, max_size=5))
    def send(self, role: DtlsRole, sizes: list[int]) -> None:
        if self.connected(role):
            side = self.sides[role]
            first = len(side.sent)
            batch = [
                b"%s %d " % (role.encode(), first + index) + bytes(size) for index, size in enumerate(sizes)
            ]
            side.sent += batch
            side.connection.send(batch, self.now)
            self.flush()

    # Rules: network

    @rule(role=roles, data=st.data())
    def deliver(self, role: DtlsRole, data: st.DataObject) -> None:
        if inbound := self.sides[role].inbound:
            self.receive(role, inbound.pop(data.draw(st.integers(0, len(inbound) - 1))))

    @rule(role=roles)
    def deliver_everything(self, role: DtlsRole) -> None:
        inbound, self.sides[role].inbound = self.sides[role].inbound, []
        self.receive(role, *inbound)

    @rule(role=roles, data=st.data())
    def lose(self, role: DtlsRole, data: st.DataObject) -> None:
        if inbound := self.sides[role].inbound:
            inbound.pop(data.draw(st.integers(0, len(inbound) - 1)))

    @rule(role=roles, data=st.data())
    def replay(self, role: DtlsRole, data: st.DataObject) -> None:
        if history := self.sides[role].history:
            self.receive(role, history[data.draw(st.integers(0, len(history) - 1))])

    @rule(role=roles, data=st.data(), position=st.integers(0, 2000), bit=st.integers(0, 7))
    def alter_a_protected_record(self, role: DtlsRole, data: st.DataObject, position: int, bit: int) -> None:
        history = self.sides[role].history
        protected = [datagram for datagram in history if datagram[3:5] == b"\0\1"]
        if protected:
            changed = bytearray(data.draw(st.sampled_from(protected)))
            # The epoch is kept: records in the clear are injected by another rule.
            position %= len(changed)
            if position not in (3, 4):
                changed[position] ^= 1 << bit
            self.receive(role, bytes(changed))

    @rule(role=roles, garbage=st.binary(max_size=60))
    def inject_garbage(self, role: DtlsRole, garbage: bytes) -> None:
        self.receive(role, b"\x17" + garbage)

    @rule(
        role=roles,
        kind=st.sampled_from(
            [ContentType.CHANGE_CIPHER_SPEC, ContentType.ALERT, ContentType.APPLICATION_DATA]
        ),
        body=st.binary(max_size=3),
    )
    def inject_in_the_clear(self, role: DtlsRole, kind: ContentType, body: bytes) -> None:
        self.receive(role, HEADER.pack(kind, 0xFEFD, 0, len(body)) + body)

    @rule(
        role=roles,
        kind=st.sampled_from(ContentType),
        sequence=st.integers(0, 2**48 - 1),
        body=st.binary(max_size=60),
    )
    def inject_a_forged_record(self, role: DtlsRole, kind: ContentType, sequence: int, body: bytes) -> None:
        self.receive(role, HEADER.pack(kind, 0xFEFD, 1 << 48 | sequence, len(body)) + body)

    @rule(seconds=st.floats(0.0, 2.0))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.expire()

    def expire(self) -> None:
        for side in self.sides.values():
            side.connection.handle_timer(self.now)
            assert side.connection.next_timer() > self.now
        self.flush()

    # Invariants

    @invariant()
    def received_data_was_sent_and_is_not_duplicated(self) -> None:
        for role, side in self.sides.items():
            assert len(set(side.received)) == len(side.received)
            assert set(side.received) <= set(self.sides[role.other].sent)
            assert side.completions == (1 if self.connected(role) else 0)

    def teardown(self) -> None:
        if not self.sides:
            return
        for role in DtlsRole:
            self.start(role)
        for _ in range(200):
            if all(self.connected(role) for role in DtlsRole):
                break
            timer = min(side.connection.next_timer() for side in self.sides.values())
            self.now = (
                min(timer, self.now + LATENCY) if any(s.inbound for s in self.sides.values()) else timer
            )
            for role in DtlsRole:
                self.deliver_everything(role)
            self.expire()
        exported = {side.connection.export_keying_material(b"x", None, 32) for side in self.sides.values()}
        assert len(exported) == 1
        for role in DtlsRole:
            self.sides[role].inbound.clear()
            self.send(role, [1])
            self.deliver_everything(role.other)
            assert self.sides[role].sent[-1] in self.sides[role.other].received


TestHostileNetwork = HostileNetwork.TestCase
