"""How the records of one epoch are protected, written and read.

This is the hot path: each user packet passes ``AeadProtection.seal_batch`` or ``EpochReader.open_run`` once.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Protocol

import attrs
from cryptography.exceptions import InvalidTag

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.crypto.cipher_suites import AeadAlgorithm

from .codec import HEADER, HEADER_LENGTH, MAX_PLAINTEXT, MAX_SEQUENCE, VERSION_1_2, ContentType, Record
from .replay import ReplayWindow

TAG_LENGTH = 16
_APPLICATION_DATA = int(ContentType.APPLICATION_DATA)  # an enum's member costs a look-up in the hot path
_ADDITIONAL_DATA = Struct(">QBHH")
_HEADER_WITH_NONCE = Struct(">BHQHQ")


class Protection(Protocol):
    """What stands between the plaintext of a record and the wire."""

    @property
    def overhead(self) -> int:
        """Bytes that a record adds to its plaintext, header included."""

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        """Return a whole record for each item; ``number`` is epoch and sequence number of the first."""

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        """Return the plaintext of the fragment at ``datagram[start:end]``.

        Raises:
            InvalidTag: It is not authentic.
            ProtocolError: It is too short, or longer than a record may be.
        """


@attrs.frozen
class NullProtection:
    """Epoch 0: records in the clear.

    Attributes:
        version: The version in the record header: a first hello goes out as DTLS 1.0 (RFC 6347 section 4.2.1).
    """

    version: int = VERSION_1_2

    @property
    def overhead(self) -> int:
        """Bytes that a record adds to its plaintext, header included."""
        return HEADER_LENGTH

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        """Return a whole record for each item; ``number`` is epoch and sequence number of the first."""
        return [
            HEADER.pack(content_type, self.version, number + index, len(item)) + item
            for index, item in enumerate(batch)
        ]

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        """Return the fragment at ``datagram[start:end]`` as it is.

        Raises:
            ProtocolError: It is longer than a record may be.
        """
        if end - start > MAX_PLAINTEXT:
            raise ProtocolError("a plaintext of more than 16,384 bytes")
        return datagram[start:end]


class AeadProtection:
    """An AEAD cipher with the nonces of RFC 5288 (AES-GCM) or RFC 7905 (ChaCha20-Poly1305).

    Both nonces are twelve bytes into which the 64 bits of epoch and sequence number are put with an
    exclusive or; with AES-GCM the last eight bytes of the fixed part are zero, and they travel in the record.
    """

    __slots__ = ("_decrypt", "_encrypt", "_explicit_length", "_fixed_iv", "_iv", "overhead")

    def __init__(self, algorithm: AeadAlgorithm, key: bytes, fixed_iv: bytes) -> None:
        aead = algorithm.create(key)
        self._encrypt = aead.encrypt
        self._decrypt = aead.decrypt
        self._explicit_length = algorithm.explicit_nonce_length
        self._fixed_iv = fixed_iv
        self._iv = int.from_bytes(fixed_iv.ljust(12, b"\0"), "big")
        self.overhead = HEADER_LENGTH + self._explicit_length + TAG_LENGTH

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        """Return a whole record for each item; ``number`` is epoch and sequence number of the first."""
        records: list[bytes] = []
        append, encrypt, iv = records.append, self._encrypt, self._iv
        pack_additional, version = _ADDITIONAL_DATA.pack, VERSION_1_2
        explicit, expansion = self._explicit_length, self._explicit_length + TAG_LENGTH
        pack_header, pack_header_with_nonce = HEADER.pack, _HEADER_WITH_NONCE.pack
        for plaintext in batch:
            length = len(plaintext)
            sealed = encrypt(
                (iv ^ number).to_bytes(12, "big"),
                plaintext,
                pack_additional(number, content_type, version, length),
            )
            if explicit:
                append(
                    pack_header_with_nonce(content_type, version, number, length + expansion, number) + sealed
                )
            else:
                append(pack_header(content_type, version, number, length + expansion) + sealed)
            number += 1
        return records

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        """Return the plaintext of the fragment at ``datagram[start:end]``.

        Raises:
            InvalidTag: It is not authentic.
            ProtocolError: It is too short, or longer than a record may be.
        """
        length = end - start - self._explicit_length - TAG_LENGTH
        if not 0 <= length <= MAX_PLAINTEXT:
            raise ProtocolError(f"a protected fragment of {end - start} bytes")
        if self._explicit_length:
            body = start + self._explicit_length
            nonce = self._fixed_iv + datagram[start:body]
        else:
            body = start
            nonce = (self._iv ^ number).to_bytes(12, "big")
        additional_data = _ADDITIONAL_DATA.pack(number, content_type, VERSION_1_2, length)
        return self._decrypt(nonce, datagram[body:end], additional_data)


class EpochWriter:
    """Numbers and protects the records that go out in one epoch."""

    __slots__ = ("_next_number", "_protection", "counters", "epoch")

    def __init__(self, epoch: int, protection: Protection, counters: DtlsCounters) -> None:
        self.epoch = epoch
        self.counters = counters
        self._protection = protection
        self._next_number = epoch << 48

    @property
    def overhead(self) -> int:
        """Bytes that a record adds to its plaintext."""
        return self._protection.overhead

    @property
    def records_left(self) -> int:
        """How many records can still be numbered in this epoch."""
        return MAX_SEQUENCE - (self._next_number & MAX_SEQUENCE)

    def seal_batch(self, content_type: int, batch: Sequence[bytes]) -> list[bytes]:
        """Return a record for each item."""
        number = self._next_number
        self._next_number = number + len(batch)
        self.counters.records_sent += len(batch)
        return self._protection.seal_batch(content_type, number, batch)

    def seal(self, content_type: int, plaintext: bytes) -> bytes:
        """Return one record."""
        return self.seal_batch(content_type, (plaintext,))[0]


class EpochReader:
    """Opens the records that come in in one epoch, drops replayed and forged ones and counts them."""

    __slots__ = ("_counters", "_protection", "_window", "epoch")

    def __init__(
        self, epoch: int, protection: Protection, window: ReplayWindow | None, counters: DtlsCounters
    ) -> None:
        self.epoch = epoch
        self._protection = protection
        # Epoch 0 has no window: one forged record with a high number would shut out all genuine ones.
        self._window = window
        self._counters = counters

    def open(self, record: Record) -> bytes | None:
        """Return the plaintext of a record of this epoch, or None if it was dropped."""
        window = self._window
        if window is not None and not window.is_fresh(record.sequence):
            self._counters.replayed += 1
            return None
        number = record.epoch << 48 | record.sequence
        try:
            plaintext = self._protection.open(
                record.content_type, number, record.datagram, record.start, record.end
            )
        except InvalidTag:
            self._counters.forged += 1
            return None
        if window is not None:
            window.mark(record.sequence)
        self._counters.records_received += 1
        return plaintext

    def open_run(self, batch: Sequence[bytes], index: int, plaintexts: list[bytes]) -> int:
        """Open datagrams from ``batch[index]`` on that are one record of application data each.

        Appends the plaintexts and returns the index of the first datagram that is something else, which is
        for the general path; ``len(batch)`` when there is none.
        """
        window, epoch, counters = self._window, self.epoch, self._counters
        assert window is not None
        unpack, open_fragment, append = HEADER.unpack_from, self._protection.open, plaintexts.append
        is_fresh, mark = window.is_fresh, window.mark
        before = len(plaintexts)
        for position in range(index, len(batch)):
            datagram = batch[position]
            size = len(datagram)
            if size < HEADER_LENGTH:
                break
            content_type, version, number, length = unpack(datagram)
            if (
                content_type != _APPLICATION_DATA
                or length != size - HEADER_LENGTH
                or number >> 48 != epoch
                or version != VERSION_1_2
            ):
                break
            sequence = number & MAX_SEQUENCE
            if not is_fresh(sequence):
                counters.replayed += 1
                continue
            try:
                append(open_fragment(content_type, number, datagram, HEADER_LENGTH, size))
            except InvalidTag:
                counters.forged += 1
            except ProtocolError:
                counters.malformed += 1
            else:
                mark(sequence)
        else:
            position = len(batch)
        counters.records_received += len(plaintexts) - before
        return position
