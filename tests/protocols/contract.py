"""Checks of the interface of ``trio_rtc/protocols/_contract.py``, for any core.

A ``Subject`` describes a core: how to create it with a peer, how to start both, and how to use them once connected.
``make_fixture`` brings it into any ``Stage``, and the ``check_*`` functions check it there. The subjects are in
``test_contract.py``.
"""

import functools
import math
import random
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import attrs
from hypothesis import strategies as st

from trio_rtc.protocols._contract import Core

AnyCore = Core[Any, Any]

START = 1000.0
STEP = 0.01
SETTLING_STEPS = 100
TIMERS_CHECKED = 300


class Stage(StrEnum):
    """Stage of a core at which it is checked."""

    NEW = "new"
    STARTED = "started"
    FIRST_EXCHANGE = "first exchange"
    SECOND_EXCHANGE = "second exchange"
    UP = "up"
    BUSY = "busy"
    CLOSED = "closed"
    LOWER_CLOSED = "lower closed"


ENDED = (Stage.CLOSED, Stage.LOWER_CLOSED)
_EXCHANGES = {Stage.FIRST_EXCHANGE: 1, Stage.SECOND_EXCHANGE: 2}


def _nothing(core: AnyCore, now: float) -> None:
    """Do nothing."""


@attrs.frozen(kw_only=True)
class Subject:
    """A kind of core.

    Attributes:
        name: Name in the tests.
        make: Creates the core and a peer with one source of randomness.
        start: Starts both.
        use: Uses a connected core as an application does.
        mtu: Largest packet.
        packet: Returns a packet for the core with these bytes.
        payload: Returns the bytes of a packet.
        as_received: Returns a sent packet in the form in which the other side receives it.
        seal: Returns an authentic packet for the core with arbitrary contents.
        reports_closed: Whether an event reports the end.
    """

    name: str
    make: Callable[[random.Random], tuple[AnyCore, AnyCore]]
    start: Callable[[AnyCore, AnyCore, float], None]
    use: Callable[[AnyCore, float], None] = _nothing
    mtu: int = 1200
    packet: Callable[[bytes], Any] = bytes
    payload: Callable[[Any], bytes] = bytes
    as_received: Callable[[Any], Any] = attrs.field(default=lambda packet: packet)
    seal: "Callable[[CoreFixture, bytes], Any]" = attrs.field(
        default=lambda fixture, data: fixture.subject.packet(data)
    )
    reports_closed: bool = True


@attrs.define
class CoreFixture:
    """A core in some stage, with its packets and events.

    Attributes:
        subject: The kind of core.
        core: The core.
        peer: Its peer.
        now: The time.
        corpus: Packets that it has received.
        sent: Packets that it has sent.
        events: Events that it has reported.
    """

    subject: Subject
    core: AnyCore
    peer: AnyCore
    now: float = START
    corpus: list[Any] = attrs.Factory(list)
    sent: list[Any] = attrs.Factory(list)
    events: list[Any] = attrs.Factory(list)

    def collect(self) -> tuple[list[Any], list[Any]]:
        """Collect packets and events of the core, record and return them."""
        packets, events = list(self.core.datagrams_to_send(self.now)), list(self.core.events())
        self.sent += packets
        self.events += events
        return packets, events

    def exchange(self, tamper: Callable[[Any], Any] = lambda packet: packet) -> bool:
        """Deliver the packets of each side to the other; return whether there were any.

        Args:
            tamper: Alters each packet for the core.
        """
        self.now += STEP
        for core in (self.core, self.peer):
            if core.next_timer() <= self.now:
                core.handle_timer(self.now)
        to_peer, _ = self.collect()
        to_core = [self.subject.as_received(packet) for packet in self.peer.datagrams_to_send(self.now)]
        self.peer.events()
        self.corpus += to_core
        if to_peer:
            self.peer.receive([self.subject.as_received(packet) for packet in to_peer], self.now)
        if to_core:
            self.core.receive([tamper(packet) for packet in to_core], self.now)
        return bool(to_peer or to_core)


def make_fixture(subject: Subject, stage: Stage, seed: int = 0) -> CoreFixture:
    """Return a new core in a stage, deterministically by the seed."""
    fixture = CoreFixture(subject, *subject.make(random.Random(seed)))
    if stage is not Stage.NEW:
        subject.start(fixture.core, fixture.peer, fixture.now)
    for _ in range(_EXCHANGES.get(stage, 0)):
        fixture.exchange()
    if stage in {Stage.UP, Stage.BUSY, *ENDED}:
        for _ in range(SETTLING_STEPS):
            fixture.exchange()
    if stage is Stage.BUSY:
        subject.use(fixture.core, fixture.now)
    if stage is Stage.CLOSED:
        fixture.core.close(fixture.now)
    if stage is Stage.LOWER_CLOSED:
        fixture.collect()
        fixture.core.lower_closed(fixture.now)
    fixture.collect()
    return fixture


# Actions of a hostile network.


@attrs.frozen
class Garbage:
    """A packet of arbitrary bytes."""

    data: bytes


@attrs.frozen
class Replayed:
    """A packet that was received before, by its index in the corpus."""

    index: int


@attrs.frozen
class Mutated:
    """A packet that was received before, altered and truncated.

    Attributes:
        index: Its index in the corpus.
        edits: Positions and new values.
        kept: Number of bytes kept.
    """

    index: int
    edits: tuple[tuple[int, int], ...]
    kept: int


@attrs.frozen
class Sealed:
    """A packet of arbitrary contents, authentic if the peer has the keys."""

    data: bytes


@attrs.frozen
class Elapsed:
    """Seconds pass, and the timer is handled."""

    seconds: float


@attrs.frozen
class Exchanged:
    """Each side receives the packets of the other."""


@attrs.frozen
class Tampered:
    """Each side receives the packets of the other; those for the core are altered and truncated.

    Attributes:
        edits: Positions and new values, in each packet.
        kept: Number of bytes kept of each packet.
    """

    edits: tuple[tuple[int, int], ...]
    kept: int


NetworkAction = Garbage | Replayed | Mutated | Sealed | Elapsed | Exchanged | Tampered

_edits = st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=3).map(tuple)

network_actions = st.lists(
    st.builds(Garbage, st.binary(max_size=100))
    | st.builds(Replayed, st.integers(0, 1000))
    | st.builds(
        Mutated,
        st.integers(0, 1000),
        _edits,
        st.integers(1, 1500),
    )
    | st.builds(Sealed, st.binary(max_size=100))
    | st.builds(Elapsed, st.floats(0, 40))
    | st.builds(Exchanged)
    | st.builds(Tampered, _edits, st.integers(1, 1500)),
    max_size=12,
)


def _edited(fixture: CoreFixture, original: Any, edits: Sequence[tuple[int, int]], kept: int) -> Any:
    data = bytearray(fixture.subject.payload(original))
    for position, value in edits:
        if data:
            data[position % len(data)] = value
    return fixture.subject.packet(bytes(data[:kept]))


def _hostile_packet(fixture: CoreFixture, action: Garbage | Replayed | Mutated | Sealed) -> Any:
    if isinstance(action, Sealed):
        return fixture.subject.seal(fixture, action.data)
    if isinstance(action, Garbage) or not fixture.corpus:
        return fixture.subject.packet(action.data if isinstance(action, Garbage) else b"")
    original = fixture.corpus[action.index % len(fixture.corpus)]
    if isinstance(action, Replayed):
        return original
    return _edited(fixture, original, action.edits, action.kept)


def apply_actions(fixture: CoreFixture, script: Sequence[NetworkAction]) -> None:
    """Perform the actions of a hostile network."""
    for action in script:
        match action:
            case Elapsed(seconds):
                fixture.now += seconds
                fixture.core.handle_timer(fixture.now)
            case Exchanged():
                fixture.exchange()
            case Tampered(edits, kept):
                fixture.exchange(functools.partial(_edited, fixture, edits=edits, kept=kept))
            case _:
                fixture.core.receive([_hostile_packet(fixture, action)], fixture.now)
        fixture.collect()


def _sizes(fixture: CoreFixture) -> list[int]:
    return [len(fixture.subject.payload(packet)) for packet in fixture.sent]


def _is_closed(event: object) -> bool:
    name = type(event).__name__
    return name.endswith("Closed") and not name.startswith("Channel")


def _closed_events(events: Sequence[Any]) -> list[Any]:
    return [event for event in events if _is_closed(event)]


def check_hostile_packets(subject: Subject, stage: Stage, script: Sequence[NetworkAction]) -> None:
    """No packet makes a core raise, spin, exceed the MTU or report its end twice."""
    fixture = make_fixture(subject, stage)
    apply_actions(fixture, script)
    assert max(_sizes(fixture), default=0) <= subject.mtu
    check_collecting_twice_is_empty(fixture)
    check_timer_does_not_spin(fixture)
    assert len(_closed_events(fixture.events)) <= 1
    if fixture.core.closed:
        check_stays_closed(fixture)


def check_determinism(subject: Subject, stage: Stage, script: Sequence[NetworkAction]) -> None:
    """The same seed and inputs produce the same packets and events at the same times."""
    twins = [make_fixture(subject, stage, seed=7) for _ in range(2)]
    for fixture in twins:
        apply_actions(fixture, script)
        fixture.core.close(fixture.now)
        fixture.collect()
    first, second = twins
    assert first.sent == second.sent
    # Compared as text, since an exception in an event equals only itself.
    assert repr(first.events) == repr(second.events)
    assert first.core.next_timer() == second.core.next_timer()


def transcript(subject: Subject, stage: Stage) -> str:
    """Return all packets and events of a core until it is closed, as text."""
    fixture = make_fixture(subject, stage)
    check_timer_does_not_spin(fixture)
    fixture.core.close(fixture.now)
    fixture.collect()
    return repr((subject.name, stage.value, fixture.sent, fixture.events))


def check_collecting_twice_is_empty(fixture: CoreFixture) -> None:
    """Packets and events are returned once."""
    fixture.collect()
    assert list(fixture.core.datagrams_to_send(fixture.now)) == []
    assert list(fixture.core.events()) == []


def check_timer_does_not_spin(fixture: CoreFixture) -> None:
    """``handle_timer`` sets a later deadline, and does nothing before the deadline."""
    core = fixture.core
    core.handle_timer(fixture.now)
    fixture.collect()
    for _ in range(TIMERS_CHECKED):
        assert core.next_timer() > fixture.now
        core.handle_timer(fixture.now)
        assert fixture.collect() == ([], [])
        if core.next_timer() == math.inf:
            return
        fixture.now = core.next_timer()
        core.handle_timer(fixture.now)
        fixture.collect()


def check_stays_closed(fixture: CoreFixture) -> None:
    """A closed core sends and reports nothing any more."""
    core = fixture.core
    assert core.closed
    assert core.next_timer() == math.inf
    core.receive(
        [fixture.subject.packet(b""), fixture.subject.packet(bytes(100)), *fixture.corpus], fixture.now
    )
    core.handle_timer(fixture.now + 1000)
    core.close(fixture.now + 1000)
    core.lower_closed(fixture.now + 1000)
    assert fixture.collect() == ([], [])
    assert core.closed
    assert core.next_timer() == math.inf


def check_closing(subject: Subject, stage: Stage) -> None:
    """``close`` ends the core in every state, once."""
    fixture = make_fixture(subject, stage)
    closed_before = _closed_events(fixture.events)
    fixture.core.close(fixture.now)
    fixture.collect()
    assert len(closed_before) == (subject.reports_closed and stage in ENDED)
    assert len(_closed_events(fixture.events)) == subject.reports_closed
    assert max(_sizes(fixture), default=0) <= subject.mtu
    fixture.core.close(fixture.now)
    assert fixture.collect() == ([], [])
    check_stays_closed(fixture)


def check_lower_closing(subject: Subject, stage: Stage) -> None:
    """``lower_closed`` ends the core in every state, once and without a packet."""
    fixture = make_fixture(subject, stage)
    fixture.core.lower_closed(fixture.now)
    packets, _ = fixture.collect()
    assert packets == []
    assert len(_closed_events(fixture.events)) == subject.reports_closed
    check_stays_closed(fixture)


def check_sizes(subject: Subject, stage: Stage) -> None:
    """No packet exceeds the MTU, retransmissions included."""
    fixture = make_fixture(subject, stage)
    check_timer_does_not_spin(fixture)
    assert max(_sizes(fixture), default=0) <= subject.mtu


def check_empty_batch(subject: Subject, stage: Stage) -> None:
    """An empty batch, or a timer that is not due, changes nothing."""
    fixture = make_fixture(subject, stage)
    fixture.core.receive([], fixture.now)
    before = fixture.core.next_timer()
    if before > fixture.now:
        fixture.core.handle_timer(fixture.now)
        assert fixture.collect() == ([], [])
        assert fixture.core.next_timer() == before
