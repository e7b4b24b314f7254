"""The epochs of a connection: which keys open and protect which record, and what to do with early ones."""

from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.handshake import EpochKeys
from trio_rtc.protocols.dtls.options import DtlsOptions

from .codec import Record
from .protection import EpochReader, EpochWriter, NullProtection
from .replay import ReplayWindow


class RecordLayer:
    """Reads and writes records in the epochs that there are keys for."""

    def __init__(self, options: DtlsOptions, counters: DtlsCounters) -> None:
        self._replay_window = options.replay_window
        self._max_early_records = options.max_early_records
        self._counters = counters
        self._readers = {0: EpochReader(0, NullProtection(), None, counters)}
        self._writers = {0: EpochWriter(0, NullProtection(), counters)}
        self._newest_epoch = 0
        self._early_records: list[Record] = []

    def install(self, keys: EpochKeys) -> None:
        """Begin a new epoch in both directions. Older ones stay until ``retire_readers``."""
        window = ReplayWindow(self._replay_window)
        self._readers[keys.epoch] = EpochReader(keys.epoch, keys.read, window, self._counters)
        self._writers[keys.epoch] = EpochWriter(keys.epoch, keys.write, self._counters)
        self._newest_epoch = keys.epoch

    def retire_readers(self) -> None:
        """Stop reading all epochs but the newest. Writers stay: a last flight may have to be sent again."""
        self._readers = {self._newest_epoch: self._readers[self._newest_epoch]}

    @property
    def newest_reader(self) -> EpochReader:
        """The reader of the newest epoch."""
        return self._readers[self._newest_epoch]

    @property
    def newest_writer(self) -> EpochWriter:
        """The writer of the newest epoch."""
        return self._writers[self._newest_epoch]

    def overhead(self, epoch: int) -> int:
        """Return how many bytes a record of an epoch adds to its plaintext."""
        return self._writers[epoch].overhead

    def seal(self, epoch: int, content_type: int, plaintext: bytes) -> bytes:
        """Return a record."""
        return self._writers[epoch].seal(content_type, plaintext)

    def open(self, record: Record) -> bytes | None:
        """Return the plaintext of a record, or None if it is dropped or kept for later.

        Raises:
            ProtocolError: Its length is impossible.
        """
        reader = self._readers.get(record.epoch)
        if reader is not None:
            return reader.open(record)
        if record.epoch == self._newest_epoch + 1 == 1 and len(self._early_records) < self._max_early_records:
            # UDP reorders: Finished or data may overtake the messages that the keys come from.
            self._early_records.append(record)
        else:
            self._counters.wrong_epoch += 1
        return None

    def take_early_records(self) -> list[Record]:
        """Take the records that were kept, if there are keys for them by now."""
        if not self._newest_epoch:
            return []
        records, self._early_records = self._early_records, []
        return records
