"""Protection of records: sizes, numbers, counters and the anti-replay window."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    CipherSuite,
)
from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.record.codec import (
    HEADER,
    ContentType,
    parse_records,
)
from trio_rtc.protocols.dtls.record.protection import EpochWriter, NullProtection, ReplayWindow
from trio_rtc.protocols.dtls.tls12.protection import AeadProtection

SUITES = pytest.mark.parametrize("suite", CIPHER_SUITES[::2], ids=lambda suite: suite.name)


def test_the_largest_plaintext() -> None:
    """RFC 6347 section 4.1: at most 2 ** 14 bytes."""
    datagram = bytes(20) + bytes(range(256)) * 65
    protection = NullProtection()
    assert protection.open(ContentType.HANDSHAKE, 0, datagram, 20, 20 + 16_384) == datagram[20 : 20 + 16_384]
    with pytest.raises(ProtocolError, match="plaintext of 16385 bytes"):
        protection.open(ContentType.HANDSHAKE, 0, datagram, 20, 20 + 16_385)


@SUITES
def test_the_largest_protected_plaintext(suite: CipherSuite) -> None:
    aead = suite.aead
    protection = AeadProtection(aead, bytes(aead.key_length), bytes(aead.fixed_iv_length))
    for size in (0, 16_384):
        (sealed,) = protection.seal_batch(ContentType.HANDSHAKE, 7, [bytes(size)])
        assert protection.open(ContentType.HANDSHAKE, 7, sealed, HEADER.size, len(sealed)) == bytes(size)
    (sealed,) = protection.seal_batch(ContentType.HANDSHAKE, 7, [bytes(16_385)])
    for end in (len(sealed), protection.overhead - 1):
        with pytest.raises(ProtocolError, match="protected fragment of"):
            protection.open(ContentType.HANDSHAKE, 7, sealed, HEADER.size, end)


def test_every_record_of_a_batch_is_numbered_and_counted() -> None:
    counters = DtlsCounters()
    writer = EpochWriter(1, NullProtection(), counters)
    batches = [writer.seal_batch(ContentType.APPLICATION_DATA, [b"a", b"b"]), [writer.seal(22, b"c")]]
    sequences = [record.sequence for batch in batches for (record,) in map(parse_records, batch)]
    assert sequences == [0, 1, 2]
    assert counters.records_sent == 3


@given(size=st.integers(32, 100), sequences=st.lists(st.integers(0, 300), max_size=200))
def test_the_window_agrees_with_a_set(size: int, sequences: list[int]) -> None:
    window = ReplayWindow(size)
    seen: set[int] = set()
    for sequence in sequences:
        too_old = bool(seen) and sequence <= max(seen) - size
        assert window.is_fresh(sequence) is (sequence not in seen and not too_old)
        if window.is_fresh(sequence):
            window.mark(sequence)
            seen.add(sequence)


@pytest.mark.parametrize("size", [32, 33, 100])
def test_the_window_after_every_record(size: int) -> None:
    rng = random.Random(size)
    window = ReplayWindow(size)
    seen: set[int] = set()
    highest = -1
    steps = [1, 2, size - 1, size, size + 1, 3 * size]
    for _ in range(150):
        ahead = rng.choice(steps) if rng.random() < 0.3 else -rng.randrange(size)
        sequence = max(0, highest + ahead)
        if window.is_fresh(sequence):
            window.mark(sequence)
            seen.add(sequence)
            highest = max(highest, sequence)
        around = range(max(0, highest - size - 2), highest + 3)
        fresh = [number for number in around if window.is_fresh(number)]
        assert fresh == [number for number in around if number > highest - size and number not in seen]


def test_the_memory_of_a_window_does_not_grow() -> None:
    window = ReplayWindow(64)
    window.mark(0)
    tracemalloc.start()
    try:
        for sequence in range(1, 100_000, 50):
            window.mark(sequence)
        remembered, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert remembered < 1000


def test_a_jump_beyond_the_window_clears_it() -> None:
    window = ReplayWindow(64)
    window.mark(0)
    window.mark((1 << 48) - 1)
    assert not window.is_fresh((1 << 48) - 1)
    assert not window.is_fresh(0)
    assert window.is_fresh((1 << 48) - 2)
