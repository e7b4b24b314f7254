"""The contract of ``trio_rtc/protocols/_contract.py`` as tests for any core.

A core takes part as a ``Subject``: how to make it and a peer of it, how to set the two going, and what to do with
them once they are up. ``exhibit`` brings it into any ``Stage`` of its life; the ``check_*`` functions then hold
it to the contract there. ``test_contract.py`` has the subjects.
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
    """How far a core has come when it is looked at."""

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
    """A core as it takes part.

    Attributes:
        name: Names it in the tests.
        make: Makes the core and a peer for it, both fresh, from one source of chance.
        start: Sets the two going.
        use: What the application does with a core that is up.
        mtu: No packet may be larger.
        packet: Makes a packet for the core out of bytes.
        payload: The bytes of a packet.
        carry: What a packet that one has sent looks like to the other.
        seal: Makes a packet for the core that has content of arbitrary bytes and passes for authentic.
        tells_closed: Whether an event ``Closed`` tells the end.
    """

    name: str
    make: Callable[[random.Random], tuple[AnyCore, AnyCore]]
    start: Callable[[AnyCore, AnyCore, float], None]
    use: Callable[[AnyCore, float], None] = _nothing
    mtu: int = 1200
    packet: Callable[[bytes], Any] = bytes
    payload: Callable[[Any], bytes] = bytes
    carry: Callable[[Any], Any] = attrs.field(default=lambda packet: packet)
    seal: "Callable[[Exhibit, bytes], Any]" = attrs.field(
        default=lambda shown, data: shown.subject.packet(data)
    )
    tells_closed: bool = True


@attrs.define
class Exhibit:
    """A core in some stage of its life, everything taken out of it.

    Attributes:
        subject: How it takes part.
        core: The core.
        peer: What it talks to.
        now: The time.
        corpus: Packets that it has received, and thus understands.
        sent: Packets that it has sent.
        told: Events that it has told.
    """

    subject: Subject
    core: AnyCore
    peer: AnyCore
    now: float = START
    corpus: list[Any] = attrs.Factory(list)
    sent: list[Any] = attrs.Factory(list)
    told: list[Any] = attrs.Factory(list)

    def take(self) -> tuple[list[Any], list[Any]]:
        """Take packets and events out of the core, remember and return them."""
        packets, events = list(self.core.datagrams_to_send(self.now)), list(self.core.events())
        self.sent += packets
        self.told += events
        return packets, events

    def exchange(self, tamper: Callable[[Any], Any] = lambda packet: packet) -> bool:
        """Deliver the packets of each side to the other one; return whether there were any.

        Args:
            tamper: Replaces each packet on its way to the core.
        """
        self.now += STEP
        for core in (self.core, self.peer):
            if core.next_timer() <= self.now:
                core.handle_timer(self.now)
        to_peer, _ = self.take()
        to_core = [self.subject.carry(packet) for packet in self.peer.datagrams_to_send(self.now)]
        self.peer.events()
        self.corpus += to_core
        if to_peer:
            self.peer.receive([self.subject.carry(packet) for packet in to_peer], self.now)
        if to_core:
            self.core.receive([tamper(packet) for packet in to_core], self.now)
        return bool(to_peer or to_core)


def exhibit(subject: Subject, stage: Stage, seed: int = 0) -> Exhibit:
    """Bring a new core into a stage; the same seed brings it there in the same way."""
    shown = Exhibit(subject, *subject.make(random.Random(seed)))
    if stage is not Stage.NEW:
        subject.start(shown.core, shown.peer, shown.now)
    for _ in range(_EXCHANGES.get(stage, 0)):
        shown.exchange()
    if stage in {Stage.UP, Stage.BUSY, *ENDED}:
        for _ in range(SETTLING_STEPS):
            shown.exchange()
    if stage is Stage.BUSY:
        subject.use(shown.core, shown.now)
    if stage is Stage.CLOSED:
        shown.core.close(shown.now)
    if stage is Stage.LOWER_CLOSED:
        shown.take()
        shown.core.lower_closed(shown.now)
    shown.take()
    return shown


# What a hostile network does: each element is one batch for the core, or seconds that pass.


@attrs.frozen
class Garbage:
    """A packet of arbitrary bytes."""

    data: bytes


@attrs.frozen
class Replayed:
    """A packet that was received before, by its place in the corpus."""

    index: int


@attrs.frozen
class Mutated:
    """A packet that was received before, with bytes changed and its end cut off.

    Attributes:
        index: Which.
        edits: Positions and new values.
        kept: How many bytes are left over.
    """

    index: int
    edits: tuple[tuple[int, int], ...]
    kept: int


@attrs.frozen
class Sealed:
    """A packet of arbitrary content that passes for authentic, as far as the peer has the keys by now."""

    data: bytes


@attrs.frozen
class Elapsed:
    """Time passes, and the core's timer may be looked after."""

    seconds: float


@attrs.frozen
class Exchanged:
    """Each side receives what the other one has sent."""


@attrs.frozen
class Tampered:
    """Each side receives what the other one has sent, the core with bytes changed and ends cut off.

    Attributes:
        edits: Positions and new values, in each packet.
        kept: How many bytes of each packet are left over.
    """

    edits: tuple[tuple[int, int], ...]
    kept: int


Hostility = Garbage | Replayed | Mutated | Sealed | Elapsed | Exchanged | Tampered

_edits = st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=3).map(tuple)

hostilities = st.lists(
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


def _edited(shown: Exhibit, original: Any, edits: Sequence[tuple[int, int]], kept: int) -> Any:
    data = bytearray(shown.subject.payload(original))
    for position, value in edits:
        if data:
            data[position % len(data)] = value
    return shown.subject.packet(bytes(data[:kept]))


def _hostile_packet(shown: Exhibit, hostility: Garbage | Replayed | Mutated | Sealed) -> Any:
    if isinstance(hostility, Sealed):
        return shown.subject.seal(shown, hostility.data)
    if isinstance(hostility, Garbage) or not shown.corpus:
        return shown.subject.packet(hostility.data if isinstance(hostility, Garbage) else b"")
    original = shown.corpus[hostility.index % len(shown.corpus)]
    if isinstance(hostility, Replayed):
        return original
    return _edited(shown, original, hostility.edits, hostility.kept)


def suffer(shown: Exhibit, script: Sequence[Hostility]) -> None:
    """Let a hostile network have its way with the core."""
    for hostility in script:
        match hostility:
            case Elapsed(seconds):
                shown.now += seconds
                shown.core.handle_timer(shown.now)
            case Exchanged():
                shown.exchange()
            case Tampered(edits, kept):
                shown.exchange(functools.partial(_edited, shown, edits=edits, kept=kept))
            case _:
                shown.core.receive([_hostile_packet(shown, hostility)], shown.now)
        shown.take()


def _sizes(shown: Exhibit) -> list[int]:
    return [len(shown.subject.payload(packet)) for packet in shown.sent]


def _is_closed(event: object) -> bool:
    name = type(event).__name__
    return name.endswith("Closed") and not name.startswith("Channel")


def _closed_events(events: Sequence[Any]) -> list[Any]:
    return [event for event in events if _is_closed(event)]


def check_hostile_packets(subject: Subject, stage: Stage, script: Sequence[Hostility]) -> None:
    """Nothing that a network brings makes a core raise, spin, send too much or say it twice."""
    shown = exhibit(subject, stage)
    suffer(shown, script)
    assert max(_sizes(shown), default=0) <= subject.mtu
    check_taking_twice_is_empty(shown)
    check_timer_does_not_spin(shown)
    assert len(_closed_events(shown.told)) <= 1
    if shown.core.closed:
        check_nothing_comes_out(shown)


def check_determinism(subject: Subject, stage: Stage, script: Sequence[Hostility]) -> None:
    """The same seed and the same inputs give the same bytes and events at the same times."""
    twins = [exhibit(subject, stage, seed=7) for _ in range(2)]
    for shown in twins:
        suffer(shown, script)
        shown.core.close(shown.now)
        shown.take()
    first, second = twins
    assert first.sent == second.sent
    # By their text, since an error in an event equals only itself.
    assert repr(first.told) == repr(second.told)
    assert first.core.next_timer() == second.core.next_timer()


def transcript(subject: Subject, stage: Stage) -> str:
    """Return all that a core says until it is closed, as text."""
    shown = exhibit(subject, stage)
    check_timer_does_not_spin(shown)
    shown.core.close(shown.now)
    shown.take()
    return repr((subject.name, stage.value, shown.sent, shown.told))


def check_taking_twice_is_empty(shown: Exhibit) -> None:
    """What was taken is gone."""
    shown.take()
    assert list(shown.core.datagrams_to_send(shown.now)) == []
    assert list(shown.core.events()) == []


def check_timer_does_not_spin(shown: Exhibit) -> None:
    """Looking after the timer moves it on, and nothing happens before it is due."""
    core = shown.core
    core.handle_timer(shown.now)
    shown.take()
    for _ in range(TIMERS_CHECKED):
        assert core.next_timer() > shown.now
        core.handle_timer(shown.now)
        assert shown.take() == ([], [])
        if core.next_timer() == math.inf:
            return
        shown.now = core.next_timer()
        core.handle_timer(shown.now)
        shown.take()


def check_nothing_comes_out(shown: Exhibit) -> None:
    """A closed core says nothing any more, whatever it hears."""
    core = shown.core
    assert core.closed
    assert core.next_timer() == math.inf
    core.receive([shown.subject.packet(b""), shown.subject.packet(bytes(100)), *shown.corpus], shown.now)
    core.handle_timer(shown.now + 1000)
    core.close(shown.now + 1000)
    core.lower_closed(shown.now + 1000)
    assert shown.take() == ([], [])
    assert core.closed
    assert core.next_timer() == math.inf


def check_closing(subject: Subject, stage: Stage) -> None:
    """``close`` ends the core in every state, once."""
    shown = exhibit(subject, stage)
    told_before = _closed_events(shown.told)
    shown.core.close(shown.now)
    shown.take()
    assert len(told_before) == (subject.tells_closed and stage in ENDED)
    assert len(_closed_events(shown.told)) == subject.tells_closed
    assert max(_sizes(shown), default=0) <= subject.mtu
    shown.core.close(shown.now)
    assert shown.take() == ([], [])
    check_nothing_comes_out(shown)


def check_lower_closing(subject: Subject, stage: Stage) -> None:
    """``lower_closed`` ends the core in every state, once and without a packet."""
    shown = exhibit(subject, stage)
    shown.core.lower_closed(shown.now)
    packets, _ = shown.take()
    assert packets == []
    assert len(_closed_events(shown.told)) == subject.tells_closed
    check_nothing_comes_out(shown)


def check_sizes(subject: Subject, stage: Stage) -> None:
    """Nothing that is sent exceeds the MTU, retransmissions included."""
    shown = exhibit(subject, stage)
    check_timer_does_not_spin(shown)
    assert max(_sizes(shown), default=0) <= subject.mtu


def check_empty_batch(subject: Subject, stage: Stage) -> None:
    """Hearing nothing, or looking after a timer that is not due, changes nothing."""
    shown = exhibit(subject, stage)
    shown.core.receive([], shown.now)
    before = shown.core.next_timer()
    if before > shown.now:
        shown.core.handle_timer(shown.now)
        assert shown.take() == ([], [])
        assert shown.core.next_timer() == before
