"""What FlexFEC and ULPFEC share: exclusive-or over packets, and getting back what is missing from it.

Of each protected packet goes into the sum: the first two bytes of its header without the version, how long it is beyond
the fixed header, its timestamp, and everything behind the fixed header (RFC 5109 section 8.1, and the FlexFEC drafts).
Here that is one integer, the first byte the least significant, so that packets of different length line up and
trailing zeros cost nothing. Sequence number and source of a packet that is got back come from the mask.

Some header extension elements are written when a packet is on its way out (send time, transport-wide sequence number).
Their bytes count as zero on both sides.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import attrs
from attrs import validators

from trio_rtc.errors import ProtocolError

from .packet import HEADER_SIZE

# What of a packet precedes its body in the sum.
RECOVERY_HEADER: Final = struct.Struct("!BBHI")
_TIMESTAMP: Final = struct.Struct("!I")
_RTP_START: Final = struct.Struct("!BBHII")
_SEQUENCE_AND_SSRC: Final = struct.Struct("!2xH4xI")
_VERSION_2: Final = 0x80
_WITHOUT_VERSION: Final = 0x3F
_EXTENSION_BIT: Final = 0x10


@attrs.frozen
class FecOptions:
    """How packets are protected, and how much is kept to get them back.

    Attributes:
        protection: Repair packets for each media packet, 0 to 1.
        max_frames: After so many frames repair packets are made, even if there is less than one to make.
        max_packets: How many media packets are kept to get others back; the oldest is forgotten. Less than half of
            the sequence numbers there are.
        max_repairs: How many repair packets are kept that cannot be used yet; the oldest is forgotten.
    """

    protection: float = attrs.field(default=0.2, validator=[validators.ge(0), validators.le(1)])
    max_frames: int = attrs.field(default=4, validator=validators.ge(1))
    max_packets: int = attrs.field(default=512, validator=[validators.ge(2), validators.lt(1 << 15)])
    max_repairs: int = attrs.field(default=64, validator=validators.ge(1))


class MediaKey(NamedTuple):
    """Which packet: its source and its sequence number of 16 bits."""

    ssrc: int
    sequence_number: int


def media_key(data: bytes) -> MediaKey:
    """Return which packet these bytes are.

    Raises:
        ProtocolError: There are too few bytes.
    """
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"{len(data)} bytes are too few for an RTP packet")
    sequence_number, ssrc = _SEQUENCE_AND_SSRC.unpack_from(data)
    return MediaKey(ssrc, sequence_number)


def media_bits(data: bytes) -> int:
    """Return what of a packet goes into the sum."""
    (timestamp,) = _TIMESTAMP.unpack_from(data, 4)
    head = RECOVERY_HEADER.pack(data[0] & _WITHOUT_VERSION, data[1], len(data) - HEADER_SIZE, timestamp)
    return int.from_bytes(head + data[HEADER_SIZE:], "little")


def repair_bits(first: int, second: int, length: int, timestamp: int, body: bytes) -> int:
    """Return the sum that the header fields of a repair packet and its body tell."""
    head = RECOVERY_HEADER.pack(first & _WITHOUT_VERSION, second, length, timestamp)
    return int.from_bytes(head + body, "little")


def split_bits(bits: int, size: int) -> tuple[int, int, int, int, bytes]:
    """Return the header fields and the body that a sum over packets is sent as.

    Args:
        bits: The sum.
        size: Bytes of the body: those of the longest packet beyond its fixed header.
    """
    data = bits.to_bytes(RECOVERY_HEADER.size + size, "little")
    first, second, length, timestamp = RECOVERY_HEADER.unpack_from(data)
    return first, second, length, timestamp, data[RECOVERY_HEADER.size :]


def restore_packet(bits: int, size: int, key: MediaKey) -> bytes:
    """Return the packet that is left of a sum.

    Args:
        bits: What is left.
        size: Bytes of the sum's body.
        key: Which packet it is.

    Raises:
        ProtocolError: It is not a packet: what it was got from does not belong together.
    """
    first, second, length, timestamp, body = split_bits(bits, size)
    if length > size or any(body[length:]):
        raise ProtocolError(f"a recovered packet of {length} bytes from a repair packet of {size}")
    return (
        _RTP_START.pack(first | _VERSION_2, second, key.sequence_number, timestamp, key.ssrc) + body[:length]
    )


def zero_elements(data: bytes, numbers: frozenset[int]) -> bytes:
    """Return the packet with the bytes of some header extension elements set to zero.

    Raises:
        ProtocolError: Its header runs over its end.
    """
    if not numbers or not data[0] & _EXTENSION_BIT:
        return data
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if len(data) < start + 4:
        raise ProtocolError("a header extension runs over the end of the packet")
    profile = int.from_bytes(data[start : start + 2], "big")
    offset = start + 4
    end = offset + 4 * int.from_bytes(data[start + 2 : offset], "big")
    if end > len(data):
        raise ProtocolError("a header extension runs over the end of the packet")
    if profile != 0xBEDE and profile & 0xFFF0 != 0x1000:
        return data
    changed = bytearray(data)
    while offset < end:
        head = data[offset]
        if profile == 0xBEDE:
            number, length, body = head >> 4, (head & 0x0F) + 1, offset + 1
            if number == 15:
                break
        else:
            number, length, body = head, data[offset + 1] if head and offset + 1 < end else 0, offset + 2
        if not head:
            # Padding between elements is one byte, whatever the form.
            offset += 1
            continue
        if body + length > end:
            raise ProtocolError(f"header extension element {number} runs over the end of the extension")
        if number in numbers:
            changed[body : body + length] = bytes(length)
        offset = body + length
    return bytes(changed)


class _Repair:
    """A repair packet that cannot be used yet."""

    __slots__ = ("bits", "born", "keys", "missing", "size")

    def __init__(
        self, keys: Sequence[MediaKey], missing: set[MediaKey], bits: int, size: int, born: int
    ) -> None:
        self.keys = keys
        self.missing = missing
        self.bits = bits
        self.size = size
        self.born = born


class ErasureDecoder:
    """Gets back packets from those that have come and sums over them.

    Attributes:
        recovered: How many packets were got back.
        repairs: How many repair packets came.
        unused: How many of them were of no use: nothing was missing, or too much for too long.
    """

    __slots__ = ("_count", "_media", "_options", "_repairs", "_waiting", "recovered", "repairs", "unused")

    def __init__(self, options: FecOptions) -> None:
        self._options = options
        # Its front is at hand even when much was taken from there, unlike that of a plain dictionary.
        self._media: OrderedDict[MediaKey, bytes] = OrderedDict()
        self._count = 0
        # In order of arrival; a dictionary, so that any can be taken out.
        self._repairs: dict[_Repair, None] = {}
        self._waiting: dict[MediaKey, list[_Repair]] = {}
        self.recovered = 0
        self.repairs = 0
        self.unused = 0

    def media_received(self, key: MediaKey, data: bytes) -> list[bytes]:
        """Take a packet that came, with mutable elements zeroed; return what can be got back with it."""
        if key in self._media:
            return []
        self._keep(key, data)
        if key not in self._waiting:
            return []
        return self._resolve([key])

    def repair_received(self, keys: Sequence[MediaKey], bits: int, size: int) -> list[bytes]:
        """Take a sum over packets; return what can be got back with it.

        Args:
            keys: Of the packets that are in it.
            bits: The sum.
            size: Bytes of its body.
        """
        self.repairs += 1
        missing = {key for key in keys if key not in self._media}
        if not missing:
            self.unused += 1
            return []
        repair = _Repair(keys, missing, bits, size, self._count)
        if len(missing) == 1:
            return self._recover(repair)
        self._repairs[repair] = None
        for key in missing:
            self._waiting.setdefault(key, []).append(repair)
        if len(self._repairs) > self._options.max_repairs:
            self._give_up(next(iter(self._repairs)))
        return []

    def _keep(self, key: MediaKey, data: bytes) -> None:
        self._media[key] = data
        self._count += 1
        if len(self._media) > self._options.max_packets:
            self._media.popitem(last=False)
        if self._repairs:
            oldest = next(iter(self._repairs))
            # What it could be used with is forgotten by now, and its sequence numbers will come again.
            if self._count - oldest.born > self._options.max_packets:
                self._give_up(oldest)

    def _recover(self, repair: _Repair) -> list[bytes]:
        (key,) = repair.missing
        bits = repair.bits
        for other in repair.keys:
            if other != key:
                data = self._media.get(other)
                if data is None:
                    self.unused += 1
                    return []
                bits ^= media_bits(data)
        try:
            data = restore_packet(bits, repair.size, key)
        except (ProtocolError, OverflowError):
            self.unused += 1
            return []
        self.recovered += 1
        self._keep(key, data)
        return [data, *self._resolve([key])]

    def _resolve(self, keys: list[MediaKey]) -> list[bytes]:
        """Strike packets that have come off what waits for them; get back what is then the only one missing."""
        recovered: list[bytes] = []
        for key in keys:
            for repair in self._waiting.pop(key, ()):
                repair.missing.discard(key)
                if len(repair.missing) == 1:
                    (last,) = repair.missing
                    self._forget(repair)
                    if last not in self._media:
                        recovered += self._recover(repair)
        return recovered

    def _give_up(self, repair: _Repair) -> None:
        self.unused += 1
        self._forget(repair)

    def _forget(self, repair: _Repair) -> None:
        self._repairs.pop(repair, None)
        for key in repair.missing:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.remove(repair)
                if not waiting:
                    del self._waiting[key]


class RepairRow(NamedTuple):
    """What one repair packet protects.

    Attributes:
        keys: Of the packets.
        bits: The sum over them.
        size: Bytes of its body.
    """

    keys: list[MediaKey]
    bits: int
    size: int


class ProtectionBlock:
    """Gathers the packets of one or several frames and sums them up.

    Repair packet ``r`` of ``n`` protects every ``n``-th packet, from the ``r``-th on, so that as many lost in a row as
    there are repair packets can be got back.
    """

    __slots__ = ("_bases", "_frames", "_max_span", "_options", "_packets", "protection")

    def __init__(self, options: FecOptions, max_span: int) -> None:
        """Begin.

        Args:
            options: How packets are protected.
            max_span: How far from the first sequence number a mask reaches.
        """
        self._options = options
        self._max_span = max_span
        self._packets: list[tuple[MediaKey, int, int]] = []
        self._bases: dict[int, int] = {}
        self._frames = 0
        self.protection = options.protection

    def add(self, data: bytes, *, marker: bool) -> list[RepairRow]:
        """Take a packet, with mutable elements zeroed; return what is to be sent behind it to protect it."""
        if not self.protection:
            self._packets.clear()
            return []
        key = media_key(data)
        rows: list[RepairRow] = []
        base = self._bases.setdefault(key.ssrc, key.sequence_number)
        if (key.sequence_number - base) & 0xFFFF >= self._max_span:
            rows = self.flush()
            self._bases[key.ssrc] = key.sequence_number
        self._packets.append((key, media_bits(data), len(data) - HEADER_SIZE))
        if marker:
            self._frames += 1
            # Less than one repair packet is none; then some more frames are protected together.
            if len(self._packets) * self.protection >= 0.75 or self._frames >= self._options.max_frames:
                rows += self.flush()
        return rows

    def flush(self) -> list[RepairRow]:
        """Return what protects the packets since the last time."""
        packets = self._packets
        self._packets = []
        self._bases = {}
        self._frames = 0
        if not packets or not self.protection:
            return []
        count = min(len(packets), max(1, round(len(packets) * self.protection)))
        return [_sum_up(packets[row::count]) for row in range(count)]


def _sum_up(packets: Iterable[tuple[MediaKey, int, int]]) -> RepairRow:
    keys = []
    bits = size = 0
    for key, packet_bits, packet_size in packets:
        keys.append(key)
        bits ^= packet_bits
        size = max(size, packet_size)
    return RepairRow(keys, bits, size)
