"""Protection of records: sizes, numbers and counters."""

import pytest

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
from trio_rtc.protocols.dtls.record.protection import EpochWriter, NullProtection
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
