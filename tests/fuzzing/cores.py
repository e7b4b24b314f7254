"""The targets of the live cores: each is brought into a stage and then receives hostile packets.

An input is a script of the contract's tests (``tests/protocols/contract.py``) in bytes. A finding becomes
an ``@example`` of ``test_hostile_packets`` by copying the result of ``decode_script``.

The first byte selects the stage. Then follow steps: a byte for the kind, and its arguments.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from tests.protocols.contract import (
    Elapsed,
    Exchanged,
    Garbage,
    Mutated,
    NetworkAction,
    Replayed,
    Sealed,
    Stage,
    Subject,
    Tampered,
    apply_actions,
    make_fixture,
)
from tests.protocols.test_contract import RTP_SECTIONS, SUBJECTS
from trio_rtc.protocols.datachannel.messages import ChannelParameters, encode_ack, encode_open

from . import captures
from .target import Target

MAX_STEPS: Final = 12
_KINDS: Final = (Garbage, Sealed, Replayed, Mutated, Elapsed, Exchanged, Tampered)
_SECONDS: Final = (0.0, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 40.0)
_KEPT: Final = 1500
_CHEAP_STAGES: Final = (Stage.STARTED, Stage.FIRST_EXCHANGE, Stage.SECOND_EXCHANGE)
"""Stages of RTP; further ones take_bytes a tenth of a second, but exchanges in a script may reach them."""


@attrs.define
class _Bytes:
    """Reader of an input, which continues with zeros."""

    data: bytes
    position: int = 0

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take_bytes(size).ljust(size, b"\0"), "big")

    def take_bytes(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        return self.data[start : self.position]

    def edits(self) -> tuple[tuple[int, int], ...]:
        return tuple((self.number(2), self.number()) for _ in range(self.number() % 4))


def decode_script(data: bytes, stages: Sequence[Stage]) -> tuple[Stage, list[NetworkAction]]:
    """Return the stage and the script of an input."""
    source = _Bytes(data)
    stage = stages[source.number() % len(stages)]
    script: list[NetworkAction] = []
    while source.position < len(data) and len(script) < MAX_STEPS:
        script.append(_decode_step(source))
    return stage, script


def _decode_step(source: _Bytes) -> NetworkAction:
    kind = _KINDS[source.number() % len(_KINDS)]
    if kind is Garbage or kind is Sealed:
        data = source.take_bytes(source.number(2) % 2048)
        return Sealed(data) if kind is Sealed else Garbage(data)
    if kind is Replayed:
        return Replayed(source.number())
    if kind is Mutated:
        return Mutated(source.number(), source.edits(), source.number(2) or _KEPT)
    if kind is Elapsed:
        return Elapsed(_SECONDS[source.number() % len(_SECONDS)])
    return Exchanged() if kind is Exchanged else Tampered(source.edits(), source.number(2) or _KEPT)


def encode_script(stage: Stage, script: Iterable[NetworkAction], stages: Sequence[Stage]) -> bytes:
    """Return the input of a stage and a script; seconds are rounded to those that an input can express."""
    return bytes([stages.index(stage)]) + b"".join(map(_encode_step, script))


def _encode_step(step: NetworkAction) -> bytes:
    kind = bytes([_KINDS.index(type(step))])
    match step:
        case Garbage(data) | Sealed(data):
            return kind + len(data).to_bytes(2, "big") + data
        case Replayed(index):
            return kind + bytes([index])
        case Mutated(index, edits, kept):
            return kind + bytes([index]) + _encode_edits(edits) + kept.to_bytes(2, "big")
        case Elapsed(seconds):
            return kind + bytes([_SECONDS.index(seconds)])
        case Tampered(edits, kept):
            return kind + _encode_edits(edits) + kept.to_bytes(2, "big")
        case Exchanged():
            return kind


def _encode_edits(edits: Sequence[tuple[int, int]]) -> bytes:
    steps = (position.to_bytes(2, "big") + bytes([value]) for position, value in edits)
    return bytes([len(edits)]) + b"".join(steps)


def stages_of(subject: Subject) -> tuple[Stage, ...]:
    """Return the stages in which a core is fuzzed."""
    return _CHEAP_STAGES if subject.name.startswith("rtp") else tuple(Stage)


def run_script(subject: Subject, data: bytes) -> None:
    """Run a script on a core in its stage, and require packets within the size limit and an advancing timer."""
    stage, script = decode_script(data, stages_of(subject))
    fixture = make_fixture(subject, stage)
    apply_actions(fixture, script)
    assert all(len(subject.payload(packet)) <= subject.mtu for packet in fixture.sent)
    for _ in range(3):
        fixture.core.handle_timer(fixture.now)
        fixture.collect()
        assert fixture.core.next_timer() > fixture.now
        fixture.now = min(fixture.core.next_timer(), fixture.now + 100)


def _sealed_seeds(subject: Subject) -> list[bytes]:
    """Return valid and nearly valid contents for ``Sealed``."""
    name = subject.name
    if name.startswith("sctp"):
        return [packet[12:] for packet in captures.exchanged_packets(name)]
    if name.startswith("rtp"):
        packets = captures.rtp_packets()[:8]
        sections = [(section.encodings[0].ssrc, section.codecs) for section in RTP_SECTIONS]
        return packets + [
            bytes([packet[0], codec.payload_type]) + packet[2:8] + ssrc.to_bytes(4, "big") + packet[12:]
            for packet in packets[:2]
            for ssrc, codecs in sections
            for codec in codecs
        ]
    if name.startswith(("ice", "stun")):
        priority, role = bytes.fromhex("0024046e7fffff"), bytes.fromhex("8029080000000000000001")
        mapped = bytes.fromhex("00200800010001c0000202")
        error = bytes.fromhex("00090400000457")
        return [
            bytes([0, 1, 1]) + priority + role,
            bytes([0, 1, 2]) + priority + role + b"\0\x25\0",
            bytes([2, 1, 0]) + mapped,
            bytes([2, 1, 1]) + mapped,
            bytes([3, 1, 0]) + error,
        ]
    if name.startswith("turn"):
        return list(captures.exchanged_packets(name))
    if name.startswith("dtls"):
        return [b"\x03data", b"\x01\x01\x00", b"\x01\x02\x28", b"\x02" + bytes(12), b"\x00\x01"]
    return [encode_open(ChannelParameters("label")), encode_ack()]


def _seeds(subject: Subject) -> list[bytes]:
    stages = stages_of(subject)
    scripts: list[list[NetworkAction]] = [
        [],
        [Replayed(0), Elapsed(0.5), Replayed(1)],
        [Mutated(0, ((20, 255),), _KEPT), Exchanged(), Elapsed(3.0)],
        [Tampered(((30, 1),), _KEPT), Exchanged(), Tampered((), 40)],
        [Exchanged(), Elapsed(10.0), Exchanged(), Elapsed(40.0)],
    ]
    scripts += ([Sealed(data), Exchanged(), Elapsed(0.1)] for data in _sealed_seeds(subject))
    chosen = [stages[index % len(stages)] for index in range(len(scripts))]
    everywhere = [encode_script(stage, script, stages) for stage, script in zip(chosen, scripts, strict=True)]
    busiest = stages[min(len(stages) - 1, 5)]
    return [*everywhere, *(encode_script(busiest, script, stages) for script in scripts[5:])]


_PACKAGES: Final = {
    "ice controlling": "ice",
    "ice controlled": "ice",
    "dtls client": "dtls",
    "dtls server": "dtls",
    "dtls server with cookies": "dtls",
    "sctp connecting": "sctp",
    "sctp listening": "sctp",
    "data channels": "datachannel",
    "rtp both ways": "rtp",
    "stun client": "stun",
    "turn over udp": "turn",
    "turn over tcp": "turn",
    "mdns resolver": "mdns",
    "mdns responder": "mdns",
}

CORE_SUBJECTS: Final = {
    f"core-{subject.name.replace(' ', '-')}": subject for subject in SUBJECTS if subject.name in _PACKAGES
}
"""The fuzzed cores by the names of their targets."""

CORES: Final = tuple(
    Target(
        name,
        functools.partial(run_script, subject),
        functools.partial(_seeds, subject),
        (f"trio_rtc.protocols.{_PACKAGES[subject.name]}",),
    )
    for name, subject in CORE_SUBJECTS.items()
)
