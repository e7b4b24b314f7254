"""Redundant audio data (RED, RFC 2198): each packet carries the payloads of the packets before it again.

A payload is a list of blocks. All but the last are redundant and have a header of four bytes: a bit that is 1 because
another header follows, the payload type, the timestamp offset in clock units, and the length. The last, primary one has
only its payload type.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.codec import Codec, CodecRole
from trio_rtc.protocols.rtp.options import MAX_RED_BLOCKS, RedOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.stats import FecCounters

from .decoder import FecDecoder
from .ulpfec import parse_ulpfec, unwrap_red

_FOLLOWS: Final = 0x80
MAX_OFFSET: Final = (1 << 14) - 1
MAX_BLOCK_SIZE: Final = (1 << 10) - 1
_BLOCK_HEADER_SIZE: Final = 4


class RedBlock(NamedTuple):
    """A block of a payload.

    Attributes:
        timestamp_offset: Clock units by which it is older than the packet; 0 for the primary one.
        payload_type: The payload type of ``data``.
        data: The payload.
    """

    timestamp_offset: int
    payload_type: int
    data: bytes


def build_red(redundant: Sequence[RedBlock], payload_type: int, data: bytes) -> bytes:
    """Return a payload with redundant blocks, the oldest first, and the primary one behind them.

    Raises:
        ValueError: A redundant block is older or larger than its header can express.
    """
    headers = []
    for block in redundant:
        if not 0 <= block.timestamp_offset <= MAX_OFFSET or len(block.data) > MAX_BLOCK_SIZE:
            raise ValueError(
                f"a RED block can have at most {MAX_BLOCK_SIZE} bytes and an offset up to {MAX_OFFSET}, not "
                f"{len(block.data)} and {block.timestamp_offset}"
            )
        word = (_FOLLOWS | block.payload_type) << 24 | block.timestamp_offset << 10 | len(block.data)
        headers.append(word.to_bytes(_BLOCK_HEADER_SIZE, "big"))
    return b"".join([*headers, bytes([payload_type]), *(block.data for block in redundant), data])


def parse_red(payload: bytes) -> list[RedBlock]:
    """Return the blocks of a payload, the primary one last.

    Raises:
        ProtocolError: It is malformed.
    """
    headers: list[tuple[int, int, int]] = []
    offset = 0
    size = len(payload)
    while True:
        if offset >= size:
            raise ProtocolError("a RED payload ends within its headers")
        if not payload[offset] & _FOLLOWS:
            break
        if offset + _BLOCK_HEADER_SIZE > size or len(headers) >= MAX_RED_BLOCKS:
            raise ProtocolError(f"a RED payload must have at most {MAX_RED_BLOCKS} complete headers")
        header = int.from_bytes(payload[offset : offset + _BLOCK_HEADER_SIZE], "big")
        headers.append((header >> 10 & MAX_OFFSET, header >> 24 & 0x7F, header & MAX_BLOCK_SIZE))
        offset += _BLOCK_HEADER_SIZE
    primary_type = payload[offset]
    offset += 1
    blocks = []
    for timestamp_offset, payload_type, length in headers:
        if offset + length > size:
            raise ProtocolError(f"a RED block of {length} bytes exceeds the payload")
        blocks.append(RedBlock(timestamp_offset, payload_type, payload[offset : offset + length]))
        offset += length
    blocks.append(RedBlock(0, primary_type, payload[offset:]))
    return blocks


class RedEncoder:
    """Adds to each payload of one stream the payloads before it."""

    __slots__ = ("_earlier", "_options")

    def __init__(self, options: RedOptions | None = None) -> None:
        self._options = options or RedOptions()
        self._earlier: deque[tuple[int, int, bytes]] = deque(maxlen=self._options.redundancy)

    def wrap(self, timestamp: int, payload_type: int, payload: bytes) -> bytes:
        """Return the RED payload that carries ``payload``; the timestamp is unwrapped."""
        redundant: list[RedBlock] = []
        room = self._options.max_payload_size - len(payload) - 1
        for earlier, earlier_type, data in reversed(self._earlier):
            offset = timestamp - earlier
            room -= len(data) + _BLOCK_HEADER_SIZE
            # A block that does not fit ends the loop: the receiver counts sequence numbers back block by block.
            if not 0 < offset <= MAX_OFFSET or not 0 < len(data) <= MAX_BLOCK_SIZE or room < 0:
                break
            redundant.append(RedBlock(offset, earlier_type, data))
        self._earlier.append((timestamp, payload_type, payload))
        return build_red(redundant[::-1], payload_type, payload)


class RedPayload(NamedTuple):
    """A payload unpacked from a RED packet.

    Attributes:
        sequence_number: The unwrapped number of the packet whose primary payload it is.
        timestamp: The unwrapped timestamp.
        payload_type: The payload type of ``payload``.
        recovered: Whether that packet was not received.
    """

    sequence_number: int
    timestamp: int
    payload_type: int
    payload: bytes
    recovered: bool


class RedPayloadReader:
    """Unpacks the new payloads of the RED packets of one stream.

    The n-th redundant block before the primary one belongs to the packet with the sequence number n below. It is
    dropped if that packet was received, or any payload with its timestamp: a sender that omits a block, or was silent
    in between, must not cause audio to be played twice.

    Attributes:
        duplicates: Redundant blocks that were not needed.
    """

    __slots__ = ("_numbers", "_options", "_order", "_timestamps", "duplicates", "recovered")

    def __init__(self, options: RedOptions | None = None) -> None:
        self._options = options or RedOptions()
        self._order: deque[tuple[int, int]] = deque()
        self._numbers: set[int] = set()
        self._timestamps: dict[int, int] = {}
        self.recovered = 0
        self.duplicates = 0

    def received(
        self, sequence_number: int, timestamp: int, payload: bytes, counters: FecCounters | None = None
    ) -> list[RedPayload]:
        """Return the new payloads of a packet, the oldest first; its number and timestamp are unwrapped.

        Raises:
            ProtocolError: The payload is malformed.
        """
        counters = counters or FecCounters()
        blocks = parse_red(payload)
        new: list[RedPayload] = []
        distance = len(blocks) - 1
        for block in blocks:
            number, block_timestamp = sequence_number - distance, timestamp - block.timestamp_offset
            redundant = distance > 0
            distance -= 1
            if not block.data:
                continue
            counters.packets += redundant
            counters.bytes += len(block.data) * redundant
            number_known, timestamp_known = number in self._numbers, block_timestamp in self._timestamps
            # The number of a redundant payload is only counted back; that of a primary one is its packet's.
            if (number_known or timestamp_known) if redundant else (number_known and timestamp_known):
                self.duplicates += 1
                counters.discarded += redundant
                continue
            self._record(number, block_timestamp)
            self.recovered += redundant
            new.append(RedPayload(number, block_timestamp, block.payload_type, block.data, redundant))
        return new

    def media_received(self, sequence_number: int, timestamp: int) -> None:
        """Record a packet that was received without RED; sequence number and timestamp are unwrapped."""
        if sequence_number not in self._numbers:
            self._record(sequence_number, timestamp)

    def _record(self, sequence_number: int, timestamp: int) -> None:
        self._order.append((sequence_number, timestamp))
        self._numbers.add(sequence_number)
        self._timestamps[timestamp] = self._timestamps.get(timestamp, 0) + 1
        if len(self._order) > self._options.max_remembered:
            oldest, oldest_timestamp = self._order.popleft()
            self._numbers.discard(oldest)
            count = self._timestamps[oldest_timestamp] - 1
            if count:
                self._timestamps[oldest_timestamp] = count
            else:
                del self._timestamps[oldest_timestamp]


class UnpackedPacket(NamedTuple):
    """A media packet from a RED packet.

    Attributes:
        packet: The packet as it would be without RED.
        recovered: Whether it is another packet than the received one.
    """

    packet: RtpPacket
    recovered: bool


class RedDecoder:
    """Decodes the RED packets of one audio stream."""

    def __init__(self, options: RedOptions) -> None:
        self._receiver = RedPayloadReader(options)

    def media_received(self, number: int, timestamp: int) -> None:
        """Record a packet that was received without RED."""
        self._receiver.media_received(number, timestamp)

    def counters(self) -> dict[str, float]:
        return {"red_recovered": self._receiver.recovered, "red_duplicates": self._receiver.duplicates}

    def unpack(
        self,
        packet: RtpPacket,
        number: int,
        timestamp: int,
        codecs: Mapping[int, Codec],
        counters: FecCounters,
    ) -> list[UnpackedPacket]:
        """Return the new media packets of a RED packet, the oldest first; its number and timestamp are unwrapped.

        Raises:
            ProtocolError: Its payload is malformed.
        """
        unpacked = []
        for part in self._receiver.received(number, timestamp, packet.payload, counters):
            codec = codecs.get(part.payload_type)
            if codec is None or codec.role is not CodecRole.MEDIA:
                continue
            own = not part.recovered
            media = RtpPacket(
                part.payload_type,
                part.sequence_number & 0xFFFF,
                part.timestamp & 0xFFFFFFFF,
                packet.ssrc,
                part.payload,
                packet.marker and own,
                packet.csrcs,
                packet.extensions if own else (),
            )
            unpacked.append(UnpackedPacket(media, part.recovered))
        return unpacked


class UlpfecDecoder:
    """Decodes the RED packets of one video stream that is protected by ULPFEC."""

    def __init__(self, ulpfec: int, decoder: FecDecoder) -> None:
        self._ulpfec = ulpfec
        self._decoder = decoder

    def end(self) -> None:
        """Release the packets kept for recovery."""
        self._decoder.discard()

    def counters(self) -> dict[str, float]:
        return fec_counters("ulpfec", self._decoder)

    def unpack(
        self, packet: RtpPacket, data: bytes, codecs: Mapping[int, Codec], counters: FecCounters
    ) -> list[UnpackedPacket]:
        """Return the media packet in a RED packet, unless it is an FEC packet, and the packets that it recovers.

        Raises:
            ProtocolError: Its payload is malformed.
        """
        inner = unwrap_red(data)
        own = RtpPacket.parse(inner)
        packets: list[UnpackedPacket] = []
        if own.payload_type == self._ulpfec:
            counters.packets += 1
            counters.bytes += len(own.payload)
            recovered = self._decoder.fec_received(parse_ulpfec(own.payload, own.ssrc), counters)
        else:
            packets.append(UnpackedPacket(own, False))
            recovered = self._decoder.media_received(inner)
        packets += (UnpackedPacket(RtpPacket.parse(each), True) for each in recovered)
        return [
            each
            for each in packets
            if (codec := codecs.get(each.packet.payload_type)) is not None
            and codec.role is CodecRole.MEDIA
            and each.packet.ssrc == packet.ssrc
        ]


def fec_counters(name: str, decoder: FecDecoder) -> dict[str, float]:
    return {
        f"{name}_recovered": decoder.recovered,
        f"{name}_repairs": decoder.fec_packets,
        f"{name}_unused": decoder.unused,
    }
