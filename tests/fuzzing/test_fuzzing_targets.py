"""Every target runs over its corpus, and over arbitrary bytes, without the fuzzer.

A finding of the fuzzer becomes an ``@example`` here, or of the core's ``test_hostile_packets`` in
``tests/protocols/test_contract.py``.
"""

import importlib.util
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing.cores import CORES, decode_script, encode_script
from tests.fuzzing.parsers import PARSERS
from tests.fuzzing.target import Target, parser
from tests.fuzzing.targets import TARGETS
from tests.protocols.contract import (
    CoreFixture,
    Elapsed,
    Exchanged,
    Garbage,
    Mutated,
    NetworkAction,
    Replayed,
    Sealed,
    Stage,
    Tampered,
    apply_actions,
    make_fixture,
)
from tests.protocols.test_contract import SUBJECTS
from trio_rtc.protocols.rtcp import ReceiverReport, encode
from trio_rtc.protocols.rtp import RtpSession
from trio_rtc.protocols.srtp import PacketCounters
from trio_rtc.protocols.stun import Message, MessageClass

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
every_parser = pytest.mark.parametrize("target", PARSERS, ids=lambda target: target.name)


def damaged(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randint(1, len(data) + 1)])


@every_target
def test_the_modules_of_a_target_exist(target: Target) -> None:
    assert target.modules
    for module in target.modules:
        assert importlib.util.find_spec(module) is not None, module


@every_target
def test_the_corpus_is_processed(target: Target) -> None:
    seeds = list(target.seeds())
    assert seeds
    rng = random.Random(target.name)
    # Setting up a live core takes milliseconds.
    for seed in seeds[:6] if target in CORES else seeds[:40]:
        target.run(seed)
        target.run(damaged(seed, rng))


@every_parser
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes(target: Target, data: bytes) -> None:
    target.run(data)


@every_parser
def test_seeds_are_valid(target: Target) -> None:
    """Fuzzing that begins with rejected inputs would not get beyond the first check."""
    refused = 0
    seeds = list(target.seeds())
    for seed in seeds:
        try:
            target.feed(seed)
        except target.documented:
            refused += 1
    assert refused <= len(seeds) // 2


def test_an_undocumented_exception_of_a_parser_is_a_finding() -> None:
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
def test_scripts_are_written_in_bytes(stage: Stage, script: list[NetworkAction]) -> None:
    stages = tuple(Stage)
    assert decode_script(encode_script(stage, script, stages), stages) == (stage, script)


def receive_sealed(name: str, data: bytes) -> CoreFixture:
    """Return a connected core that has received this content in an authenticated packet."""
    (subject,) = [subject for subject in SUBJECTS if subject.name == name]
    fixture = make_fixture(subject, Stage.UP)
    fixture.sent.clear()
    apply_actions(fixture, [Sealed(data)])
    return fixture


def test_sealed_chunks_are_of_the_association() -> None:
    # ABORT (RFC 9260 section 3.3.7) without causes.
    assert receive_sealed("sctp listening", bytes.fromhex("06000004")).core.closed


def test_a_sealed_record_is_of_the_newest_epoch() -> None:
    # An alert, type 21: close_notify (RFC 5246 section 7.2.1).
    assert receive_sealed("dtls client", bytes([1, 1, 0])).core.closed


def test_a_sealed_check_is_answered() -> None:
    # PRIORITY and ICE-CONTROLLED (RFC 8445 section 16.1).
    attributes = bytes.fromhex("0024046e7fffff 8029080000000000000001")
    fixture = receive_sealed("ice controlling", bytes([0, 1, 1]) + attributes)
    (answer,) = [Message.parse(datagram.data) for datagram in fixture.sent]
    assert answer.message_class is MessageClass.SUCCESS_RESPONSE
    assert answer.transaction_id == bytes([1]) * 12


def test_sealed_rtcp_is_decrypted() -> None:
    def counters_after(data: bytes) -> PacketCounters:
        session = receive_sealed("rtp both ways", data).core
        assert isinstance(session, RtpSession)
        assert session.srtp is not None
        return session.srtp.counters.rtcp

    received = counters_after(encode([ReceiverReport(1)]))
    assert received.unprotected == counters_after(b"").unprotected + 1
