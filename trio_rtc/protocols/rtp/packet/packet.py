"""RTP packets (RFC 3550 section 5.1) with their header extensions (RFC 8285), as bytes and as values.

A packet's extension elements are pairs of id and bytes. The meaning of an id is negotiated by each connection; so a
received packet refers to the map of its connection (:mod:`.extensions`). Elements are encoded in the one-byte form if
all fit it, else in the two-byte form.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .extensions import ExtensionMap, HeaderValues

VERSION: Final = 2
HEADER_SIZE: Final = 12
_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION_HEADER: Final = struct.Struct("!HH")
_ONE_BYTE_PROFILE: Final = 0xBEDE
# RFC 8285 section 4.3: the lower four bits are for the application, and are ignored.
_TWO_BYTE_PROFILE: Final = 0x1000
_TWO_BYTE_MASK: Final = 0xFFF0
_RESERVED_ONE_BYTE_ID: Final = 15
_MAX_CSRCS: Final = 15


@attrs.frozen
class RtpPacket:
    """An RTP packet.

    Attributes:
        payload_type: 0 to 127; its codec is negotiated.
        sequence_number: 16 bits.
        timestamp: 32 bits, in units of the clock rate of the payload type.
        ssrc: The synchronization source, 32 bits.
        payload: The payload without padding.
        marker: For video the end of a frame, for audio the beginning of a talkspurt.
        csrcs: Contributing sources, at most 15.
        extensions: Header extension elements: id and bytes.
        padding_size: Bytes of padding behind the payload, with the last one that contains the size, at most 255.
        extension_map: The meaning of the ids in ``extensions``; ``None`` if it is not known. It does not count for
            equality.
    """

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extensions: tuple[tuple[int, bytes], ...] = ()
    padding_size: int = 0
    extension_map: ExtensionMap | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def parse(cls, data: bytes, extension_map: ExtensionMap | None = None) -> "RtpPacket":
        """Parse a packet.

        Args:
            data: The bytes of the packet.
            extension_map: The negotiated extensions of its connection.

        Raises:
            ProtocolError: The packet is malformed.
        """
        size = len(data)
        if size < HEADER_SIZE:
            raise ProtocolError(f"an RTP packet must have at least {HEADER_SIZE} bytes, not {size}")
        first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != VERSION:
            raise ProtocolError(f"the RTP version must be {VERSION}, not {first >> 6}")
        start = HEADER_SIZE
        csrcs: tuple[int, ...] = ()
        if csrc_count := first & 0x0F:
            start += 4 * csrc_count
            if start > size:
                raise ProtocolError(
                    f"an RTP packet of {size} bytes is too short for {csrc_count} contributing sources"
                )
            csrcs = struct.unpack_from(f"!{csrc_count}I", data, HEADER_SIZE)
        extensions: tuple[tuple[int, bytes], ...] = ()
        if first & 0x10:
            extensions, start = _parse_extensions(data, start)
        end = size
        padding_size = 0
        if first & 0x20:
            padding_size = data[-1]
            end -= padding_size
            if not padding_size or end < start:
                raise ProtocolError(
                    f"an RTP packet with a body of {size - start} bytes cannot have {padding_size} bytes of padding"
                )
        return cls(
            second & 0x7F,
            sequence_number,
            timestamp,
            ssrc,
            data[start:end],
            second >= 0x80,
            csrcs,
            extensions,
            padding_size,
            extension_map,
        )

    def encode(self) -> bytes:
        """Return the bytes of the packet."""
        return self.encode_with(self.extensions)

    def encode_with(self, extensions: tuple[tuple[int, bytes], ...]) -> bytes:
        """Return the bytes of the packet with other header extension elements."""
        first = VERSION << 6 | len(self.csrcs)
        if extensions:
            first |= 0x10
        if self.padding_size:
            first |= 0x20
        second = self.payload_type | (0x80 if self.marker else 0)
        parts = [_HEADER.pack(first, second, self.sequence_number, self.timestamp, self.ssrc)]
        if self.csrcs:
            parts.append(struct.pack(f"!{len(self.csrcs)}I", *self.csrcs))
        if extensions:
            parts.append(_encode_extensions(extensions))
        parts.append(self.payload)
        if self.padding_size:
            parts.append(bytes(self.padding_size - 1) + bytes([self.padding_size]))
        return b"".join(parts)

    def with_extensions(self, extensions: tuple[tuple[int, bytes], ...]) -> "RtpPacket":
        """Return the packet with other header extension elements."""
        return RtpPacket(
            self.payload_type,
            self.sequence_number,
            self.timestamp,
            self.ssrc,
            self.payload,
            self.marker,
            self.csrcs,
            extensions,
            self.padding_size,
            self.extension_map,
        )

    def with_sequence_number(self, sequence_number: int) -> "RtpPacket":
        """Return the packet with another sequence number."""
        return RtpPacket(
            self.payload_type,
            sequence_number,
            self.timestamp,
            self.ssrc,
            self.payload,
            self.marker,
            self.csrcs,
            self.extensions,
            self.padding_size,
            self.extension_map,
        )

    def header_values(self) -> HeaderValues:
        """Return the values of the supported header extensions: audio level, orientation, times."""
        return HeaderValues() if self.extension_map is None else self.extension_map.read(self.extensions)

    def extension(self, number: int | None) -> bytes | None:
        """Return the bytes of an extension element, ``None`` if the packet does not have it."""
        for element, value in self.extensions:
            if element == number:
                return value
        return None


class MediaPacket(NamedTuple):
    """A received media packet.

    Attributes:
        number: Its unwrapped sequence number.
        timestamp: Its unwrapped timestamp.
        recovered: Whether it was received by retransmission, so that its arrival shows nothing about the network.
    """

    number: int
    timestamp: int
    packet: RtpPacket
    arrival: float
    recovered: bool


def check_csrcs(csrcs: Sequence[int], name: str) -> None:
    """Raise ``ValueError`` for contributing sources that do not fit the header, with the name of their field."""
    if csrcs and (len(csrcs) > _MAX_CSRCS or (min(csrcs) | max(csrcs)) >> 32):
        raise ValueError(
            f"{name} must be at most {_MAX_CSRCS} ints from 0 to {0xFFFF_FFFF}, not {csrcs!r:.200}"
        )


def _parse_extensions(data: bytes, start: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    """Return the elements of the header extension at ``start``, and the offset of the payload."""
    body = start + _EXTENSION_HEADER.size
    if body > len(data):
        raise ProtocolError("an RTP header extension exceeds the packet")
    profile, words = _EXTENSION_HEADER.unpack_from(data, start)
    end = body + 4 * words
    if end > len(data):
        raise ProtocolError("an RTP header extension exceeds the packet")
    if profile == _ONE_BYTE_PROFILE:
        return _parse_one_byte_elements(data, body, end), end
    if profile & _TWO_BYTE_MASK == _TWO_BYTE_PROFILE:
        return _parse_two_byte_elements(data, body, end), end
    # RFC 3550 section 5.3.1: an extension of an unknown profile is skipped.
    return (), end


def _parse_one_byte_elements(data: bytes, offset: int, end: int) -> tuple[tuple[int, bytes], ...]:
    elements = []
    while offset < end:
        head = data[offset]
        offset += 1
        if not head:
            continue
        number, length = head >> 4, (head & 0x0F) + 1
        if number == _RESERVED_ONE_BYTE_ID:
            # RFC 8285 section 4.2: elements behind it must not be processed.
            break
        if offset + length > end:
            raise ProtocolError(f"header extension element {number} exceeds the extension")
        elements.append((number, data[offset : offset + length]))
        offset += length
    return tuple(elements)


def _parse_two_byte_elements(data: bytes, offset: int, end: int) -> tuple[tuple[int, bytes], ...]:
    elements = []
    while offset < end:
        number = data[offset]
        offset += 1
        if not number:
            continue
        if offset >= end or offset + 1 + data[offset] > end:
            raise ProtocolError(f"header extension element {number} exceeds the extension")
        length = data[offset]
        offset += 1
        elements.append((number, data[offset : offset + length]))
        offset += length
    return tuple(elements)


def _encode_extensions(elements: tuple[tuple[int, bytes], ...]) -> bytes:
    profile, body = _ONE_BYTE_PROFILE, bytearray()
    for number, value in elements:
        size = len(value)
        if number >= _RESERVED_ONE_BYTE_ID or not 1 <= size <= 16:
            profile, body = _TWO_BYTE_PROFILE, _encode_two_byte_elements(elements)
            break
        body.append(number << 4 | size - 1)
        body += value
    body += bytes(-len(body) % 4)
    return _EXTENSION_HEADER.pack(profile, len(body) // 4) + body


def _encode_two_byte_elements(elements: tuple[tuple[int, bytes], ...]) -> bytearray:
    body = bytearray()
    for number, value in elements:
        body += bytes((number, len(value)))
        body += value
    return body
