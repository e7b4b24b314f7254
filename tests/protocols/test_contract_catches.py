"""The checks of cores detect the faults that they are for."""

import math
import random
from collections.abc import Callable, Sequence
from enum import StrEnum

import attrs
import pytest

from tests.protocols.contract import (
    AnyCore,
    Garbage,
    NetworkAction,
    Replayed,
    Stage,
    Subject,
    check_closing,
    check_collecting_twice_is_empty,
    check_determinism,
    check_empty_batch,
    check_hostile_packets,
    check_lower_closing,
    check_sizes,
    check_timer_does_not_spin,
    make_fixture,
)


class Fault(StrEnum):
    NONE = "none"
    RAISES = "raises because of a packet"
    REPEATS = "returns packets twice"
    SPINS = "leaves a deadline in the past"
    HASTY = "acts before the deadline"
    CHANCE = "uses its own randomness"
    ANSWERS_WHEN_CLOSED = "answers when closed"
    CLOSES_TWICE = "sends a closing message twice"
    STAYS = "does not close"
    SENDS_AT_END = "sends when the layer below is closed"
    OVERSIZED = "exceeds the MTU"
    TIMER_WHEN_CLOSED = "keeps a deadline when closed"


@attrs.frozen
class Closed:
    error: Exception | None = None


class Beacon:
    """A core that sends a byte each second, answers packets that begin with a zero, and has a fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.closed = False
        self._due = math.inf
        self._outgoing: list[bytes] = []
        self._events: list[Closed] = []

    def start(self, now: float) -> None:
        self._due = now + 1
        self._outgoing.append(self._message())

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        if self.closed and self.fault is not Fault.ANSWERS_WHEN_CLOSED:
            return
        for data in batch:
            if self.fault is Fault.RAISES and data[:1] == b"\xff":
                raise IndexError
            if data[:1] == b"\x00":
                self._outgoing.append(self._message())

    def _message(self) -> bytes:
        if self.fault is Fault.CHANCE:
            return random.randbytes(8)
        return b"\x01" * (2000 if self.fault is Fault.OVERSIZED else 1)

    def handle_timer(self, now: float) -> None:
        if now >= self._due or (self.fault is Fault.HASTY and self._due < math.inf):
            self._outgoing.append(self._message())
            self._due = now + (0 if self.fault is Fault.SPINS else 1)

    def next_timer(self) -> float:
        return self._due

    def datagrams_to_send(self, now: float) -> list[bytes]:
        outgoing = self._outgoing
        if self.fault is not Fault.REPEATS:
            self._outgoing = []
        return list(outgoing)

    def events(self) -> list[Closed]:
        events, self._events = self._events, []
        return events

    def close(self, now: float) -> None:
        if not self.closed or self.fault is Fault.CLOSES_TWICE:
            self._outgoing.append(b"close")
            self._end()

    def lower_closed(self, now: float) -> None:
        if self.closed:
            return
        if self.fault is Fault.SENDS_AT_END:
            self._outgoing.append(b"close")
        self._end()

    def _end(self) -> None:
        if not self.closed:
            self._events.append(Closed())
        self.closed = self.fault is not Fault.STAYS
        if self.fault is not Fault.TIMER_WHEN_CLOSED:
            self._due = math.inf


def subject(fault: Fault) -> Subject:
    def make(rng: random.Random) -> tuple[AnyCore, AnyCore]:
        return Beacon(fault), Beacon(Fault.NONE)

    def start(core: AnyCore, peer: AnyCore, now: float) -> None:
        for beacon in (core, peer):
            assert isinstance(beacon, Beacon)
            beacon.start(now)

    return Subject(name=fault, make=make, start=start)


HOSTILITIES: list[NetworkAction] = [Garbage(b"\xff"), Garbage(b"\x00"), Replayed(0)]
CHECKS: dict[str, Callable[[Subject], None]] = {
    "hostile packets": lambda subject: check_hostile_packets(subject, Stage.STARTED, HOSTILITIES),
    "determinism": lambda subject: check_determinism(subject, Stage.UP, HOSTILITIES),
    "collecting twice": lambda subject: check_collecting_twice_is_empty(make_fixture(subject, Stage.STARTED)),
    "timer": lambda subject: check_timer_does_not_spin(make_fixture(subject, Stage.STARTED)),
    "closing": lambda subject: check_closing(subject, Stage.UP),
    "lower closing": lambda subject: check_lower_closing(subject, Stage.STARTED),
    "sizes": lambda subject: check_sizes(subject, Stage.UP),
    "empty batch": lambda subject: check_empty_batch(subject, Stage.UP),
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_core_without_fault_passes(check: Callable[[Subject], None]) -> None:
    check(subject(Fault.NONE))


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Fault.RAISES, "hostile packets"),
        (Fault.OVERSIZED, "hostile packets"),
        (Fault.REPEATS, "collecting twice"),
        (Fault.SPINS, "timer"),
        (Fault.HASTY, "empty batch"),
        (Fault.CHANCE, "determinism"),
        (Fault.ANSWERS_WHEN_CLOSED, "closing"),
        (Fault.CLOSES_TWICE, "closing"),
        (Fault.STAYS, "closing"),
        (Fault.STAYS, "lower closing"),
        (Fault.TIMER_WHEN_CLOSED, "closing"),
        (Fault.SENDS_AT_END, "lower closing"),
        (Fault.OVERSIZED, "sizes"),
    ],
)
def test_a_fault_is_detected(fault: Fault, check: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        CHECKS[check](subject(fault))
