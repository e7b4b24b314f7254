"""Every target runs over its corpus, and over arbitrary bytes, without the fuzzer.

A finding of the fuzzer becomes an ``@example`` here, or of the core's ``test_hostile_packets`` in
``tests/protocols/test_contract.py``.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing.cores import CORES, decode_script, encode_script
from tests.fuzzing.parsers import PARSERS
from tests.fuzzing.target import Target, parser
from tests.fuzzing.targets import TARGETS
from tests.protocols.contract import (
    Elapsed,
    Exchanged,
    Garbage,
    Hostility,
    Mutated,
    Replayed,
    Sealed,
    Stage,
    Tampered,
    exhibit,
    suffer,
)
from tests.protocols.test_contract import SUBJECTS

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
every_parser = pytest.mark.parametrize("target", PARSERS, ids=lambda target: target.name)


def damaged(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randint(1, len(data) + 1)])


@every_target
def test_the_corpus_is_processed(target: Target) -> None:
    seeds = list(target.seeds())
    assert seeds
    rng = random.Random(target.name)
    # A live core takes milliseconds to come to life.
    for seed in seeds[:6] if target in CORES else seeds[:40]:
        target.run(seed)
        target.run(damaged(seed, rng))


@every_parser
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes(target: Target, data: bytes) -> None:
    target.run(data)


@every_parser
def test_seeds_are_valid(target: Target) -> None:
    """Fuzzing that begins with refused inputs would stay at the first check."""
    refused = 0
    seeds = list(target.seeds())
    for seed in seeds:
        try:
            target.feed(seed)
        except target.documented:
            refused += 1
    assert refused <= len(seeds) // 2


def test_what_a_parser_must_not_raise_is_a_finding() -> None:
    target = parser("toy", lambda data: data[3], lambda: [bytes(4)])
    target.run(bytes(4))
    with pytest.raises(IndexError):
        target.run(b"")


@given(
    stage=st.sampled_from(Stage),
    script=st.lists(
        st.builds(Garbage, st.binary(max_size=50))
        | st.builds(Sealed, st.binary(max_size=50))
        | st.builds(Replayed, st.integers(0, 255))
        | st.builds(Elapsed, st.sampled_from([0.0, 0.5, 40.0]))
        | st.builds(Exchanged)
        | st.builds(
            Mutated,
            st.integers(0, 255),
            st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=3).map(tuple),
            st.integers(1, 1500),
        )
        | st.builds(
            Tampered,
            st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=3).map(tuple),
            st.integers(1, 1500),
        ),
        max_size=12,
    ),
)
def test_scripts_are_written_in_bytes(stage: Stage, script: list[Hostility]) -> None:
    stages = tuple(Stage)
    assert decode_script(encode_script(stage, script, stages), stages) == (stage, script)


def test_a_core_receives_what_is_sealed() -> None:
    """A record, a packet or a message that a peer could have sent passes authentication."""
    (sctp,) = [subject for subject in SUBJECTS if subject.name == "sctp listening"]
    shown = exhibit(sctp, Stage.UP)
    # ABORT (RFC 9260 section 3.3.7) without causes.
    suffer(shown, [Sealed(bytes.fromhex("06000004"))])
    assert shown.core.closed
    (dtls,) = [subject for subject in SUBJECTS if subject.name == "dtls client"]
    shown = exhibit(dtls, Stage.UP)
    # An alert, type 21: close_notify (RFC 5246 section 7.2.1).
    suffer(shown, [Sealed(bytes([1, 1, 0]))])
    assert shown.core.closed
