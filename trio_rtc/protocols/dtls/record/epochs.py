"""The epochs of a connection: keys by epoch, in both directions, and records that arrive before their keys.

Epoch 0 is in the clear. A handshake installs further epochs: epoch 1 in DTLS 1.2, epochs 2 and 3 in DTLS 1.3. Old
writers remain, because the final flight may have to be retransmitted; the handshake says when old readers go.

UDP reorders: Finished or application data may overtake the handshake messages from which their keys are derived. Up
to ``max_early_records`` records of the epochs that a version will install are therefore kept until there are keys.
"""

from collections.abc import Collection

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.dtls.counters import DtlsCounters

from .codec import Record
from .protection import EpochReader, EpochWriter, NullProtection, Protection, ReplayWindow


@attrs.frozen
class EpochKeys:
    """Keys of a new epoch.

    Attributes:
        epoch: Number of the epoch.
        read: Protection of incoming records, or None if only the other direction changes.
        write: Protection of outgoing records, or None.
    """

    epoch: int
    read: Protection | None = None
    write: Protection | None = None


class RecordLayer:
    """Opens and seals records with the keys of their epochs.

    Args:
        replay_window: Size of the anti-replay window of each epoch, in records.
        early_epochs: Epochs whose records are kept while there are no keys for them.
    """

    def __init__(
        self,
        replay_window: int,
        early_epochs: Collection[int],
        max_early_records: int,
        counters: DtlsCounters,
    ) -> None:
        self._replay_window = replay_window
        self._early_epochs = early_epochs
        self._max_early_records = max_early_records
        self._counters = counters
        self.newest_reader = EpochReader(0, NullProtection(), None, counters)
        self.newest_writer = EpochWriter(0, NullProtection(), counters)
        self._readers = {0: self.newest_reader}
        self._writers = {0: self.newest_writer}
        self._early_records: list[Record] = []

    def install_keys(self, keys: EpochKeys) -> None:
        """Begin a new epoch, in one direction or both. Older epochs remain."""
        epoch, counters = keys.epoch, self._counters
        if keys.read is not None:
            window = ReplayWindow(self._replay_window)
            self.newest_reader = self._readers[epoch] = EpochReader(epoch, keys.read, window, counters)
        if keys.write is not None:
            self.newest_writer = self._writers[epoch] = EpochWriter(epoch, keys.write, counters)

    def retire_readers(self, before: int) -> None:
        """Drop the readers of all epochs before an epoch: their records are no longer accepted."""
        self._readers = {epoch: reader for epoch, reader in self._readers.items() if epoch >= before}

    def overhead(self, epoch: int) -> int:
        return self._writers[epoch].overhead

    def seal(self, epoch: int, content_type: int, plaintext: bytes) -> bytes:
        return self._writers[epoch].seal(content_type, plaintext)

    def open(self, record: Record) -> tuple[int, bytes] | None:
        """Return content type and plaintext of a record, or None if it is dropped or kept for later."""
        reader = self._readers.get(record.epoch)
        if reader is not None:
            return reader.open(record)
        if record.epoch in self._early_epochs and len(self._early_records) < self._max_early_records:
            self._early_records.append(record)
        else:
            self._counters.wrong_epoch += 1
        return None

    def pop_early_records(self) -> list[Record]:
        """Remove and return the records that were kept and whose keys have been installed since."""
        if not self._early_records:
            return []
        ready = [record for record in self._early_records if record.epoch in self._readers]
        if ready:
            self._early_records = [each for each in self._early_records if each.epoch not in self._readers]
        return ready
