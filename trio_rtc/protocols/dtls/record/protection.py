"""Protection of records, and the reader with its anti-replay window and the writer of one epoch.

This is the hot path: each packet of user data passes ``Protection.seal_batch`` and ``EpochReader.open_run`` once.
"""

from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.counters import DtlsCounters

from .codec import HEADER, HEADER_LENGTH, MAX_PLAINTEXT, MAX_SEQUENCE, VERSION_1_2, ContentType, Record

_APPLICATION_DATA = int(
    ContentType.APPLICATION_DATA
)  # a member of an enumeration costs a look-up in the hot path


class Protection(Protocol):
    """Encryption and decryption of records under one key, or none."""

    @property
    def overhead(self) -> int:
        """Bytes that a record adds to its plaintext, header included."""

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        """Return a complete record for each plaintext.

        Args:
            content_type: Content type of all of them.
            number: Epoch (16 bits) and sequence number (48 bits) of the first.
            batch: The plaintexts.
        """

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        """Return the plaintext of the fragment ``datagram[start:end]``.

        Raises:
            InvalidTag: The fragment is not authentic.
            ProtocolError: Its length is impossible.
        """


@attrs.frozen
class NullProtection:
    """Protection of epoch 0: none."""

    @property
    def overhead(self) -> int:
        return HEADER_LENGTH

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        return [
            HEADER.pack(content_type, VERSION_1_2, number + index, len(item)) + item
            for index, item in enumerate(batch)
        ]

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        if end - start > MAX_PLAINTEXT:
            raise ProtocolError(f"plaintext of {end - start} bytes, at most {MAX_PLAINTEXT}")
        return datagram[start:end]


class EpochWriter:
    """Numbers and protects outgoing records of one epoch."""

    __slots__ = ("_next_number", "_protection", "counters", "epoch")

    def __init__(self, epoch: int, protection: Protection, counters: DtlsCounters) -> None:
        self.epoch = epoch
        self.counters = counters
        self._protection = protection
        self._next_number = epoch << 48

    @property
    def overhead(self) -> int:
        return self._protection.overhead

    @property
    def records_left(self) -> int:
        """Number of records for which this epoch still has sequence numbers."""
        return MAX_SEQUENCE - (self._next_number & MAX_SEQUENCE)

    def seal_batch(self, content_type: int, batch: Sequence[bytes]) -> list[bytes]:
        number = self._next_number
        self._next_number = number + len(batch)
        self.counters.records_sent += len(batch)
        return self._protection.seal_batch(content_type, number, batch)

    def seal(self, content_type: int, plaintext: bytes) -> bytes:
        return self.seal_batch(content_type, (plaintext,))[0]


class ReplayWindow:
    """Anti-replay window (RFC 6347 section 4.1.2.6, after RFC 4303 section 3.4.3): the sequence numbers received.

    ``is_fresh`` is called before a record is opened, ``mark`` only when it has proved authentic: otherwise a forged
    record could move the window past genuine ones.
    """

    __slots__ = ("_bitmap", "_mask", "_size", "highest")

    def __init__(self, size: int) -> None:
        self._size = size
        self._mask = (1 << size) - 1
        self._bitmap = 0  # bit i stands for the record number ``highest - i``
        self.highest = -1

    def is_fresh(self, sequence: int) -> bool:
        """Return whether ``sequence`` is new: neither received before nor older than the window."""
        behind = self.highest - sequence
        return behind < 0 or (behind < self._size and not self._bitmap >> behind & 1)

    def mark(self, sequence: int) -> None:
        ahead = sequence - self.highest
        if ahead <= 0:
            self._bitmap |= 1 << -ahead
            return
        # A jump beyond the window clears it; shifting by the distance would cost memory that a peer controls.
        self._bitmap = (self._bitmap << ahead | 1) & self._mask if ahead < self._size else 1
        self.highest = sequence


class EpochReader:
    """Opens incoming records of one epoch; drops and counts replayed and forged ones."""

    __slots__ = ("_counters", "_protection", "_window", "epoch")

    def __init__(
        self, epoch: int, protection: Protection, window: ReplayWindow | None, counters: DtlsCounters
    ) -> None:
        self.epoch = epoch
        self._protection = protection
        # Epoch 0 has no window: one forged record with a high number would shut out all genuine ones.
        self._window = window
        self._counters = counters

    def open(self, record: Record) -> tuple[int, bytes] | None:
        """Return content type and plaintext of a record of this epoch, or None if it was dropped."""
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
        return record.content_type, plaintext

    def open_run(self, batch: Sequence[bytes], index: int, plaintexts: list[bytes]) -> int:
        """Open datagrams from ``batch[index]`` on, as long as each is one record of application data.

        Appends the plaintexts.

        Returns:
            The index of the first datagram that is anything else, which takes the general path; ``len(batch)`` if
            there is none.
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
