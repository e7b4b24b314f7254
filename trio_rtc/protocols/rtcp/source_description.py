"""Source description, BYE and application-defined packets (RFC 3550 sections 6.5 to 6.7)."""

import struct
from enum import IntEnum
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .framing import PacketType, add_header

_SSRC: Final = struct.Struct("!I")
_APPLICATION: Final = struct.Struct("!I4s")


class ItemType(IntEnum):
    """IANA's registry "RTP SDES Item Types"; other types are kept as numbers."""

    CNAME = 1
    NAME = 2
    EMAIL = 3
    PHONE = 4
    LOC = 5
    TOOL = 6
    NOTE = 7
    PRIV = 8
    RTP_STREAM_ID = 12
    REPAIRED_RTP_STREAM_ID = 13
    MID = 15


@attrs.frozen
class SourceDescriptionChunk:
    """The SDES items of one source.

    Attributes:
        items: Pairs of a nonzero type and a UTF-8 text of at most 255 bytes.
    """

    ssrc: int
    items: tuple[tuple[int, bytes], ...] = ()

    def item(self, item_type: int) -> str | None:
        """Return the text of the first item of a type, ``None`` if there is none or it is not UTF-8."""
        for number, value in self.items:
            if number == item_type:
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return None
        return None

    @property
    def cname(self) -> str | None:
        """The canonical name, shared by all sources of one sender."""
        return self.item(ItemType.CNAME)

    def encode(self) -> bytes:
        """Return the encoded chunk, terminated by one to four zeros up to a whole 32-bit word."""
        parts = [_SSRC.pack(self.ssrc)]
        for number, value in self.items:
            if not 0 < number < 256 or len(value) > 255:
                raise ValueError(
                    f"an SDES item must have a type of 1 to 255 and at most 255 bytes,"
                    f" not type {number} and {len(value)} bytes"
                )
            parts.append(bytes([number, len(value)]) + value)
        body = b"".join(parts)
        return body + bytes(4 - len(body) % 4)


@attrs.frozen
class SourceDescription:
    """SDES, with at most 31 chunks, one for each source."""

    chunks: tuple[SourceDescriptionChunk, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> "SourceDescription":
        """Parse the body of a packet."""
        reader = Reader(body)
        return cls(tuple([_parse_chunk(reader) for _ in range(count)]))

    def encode(self) -> bytes:
        """Return the encoded packet."""
        body = b"".join([chunk.encode() for chunk in self.chunks])
        return add_header(PacketType.SOURCE_DESCRIPTION, len(self.chunks), body)


def _parse_chunk(reader: Reader) -> SourceDescriptionChunk:
    ssrc = reader.read_integer(4)
    items = []
    while number := reader.read_integer(1):
        items.append((number, reader.read_vector(1)))
    # RFC 3550 section 6.5: a zero terminates the list; zeros pad it to the next 32-bit boundary.
    reader.read(-reader.position % 4)
    return SourceDescriptionChunk(ssrc, tuple(items))


@attrs.frozen
class Bye:
    """BYE.

    Attributes:
        ssrcs: The sources that leave, at most 31.
        reason: The reason for leaving in UTF-8, at most 255 bytes; ``None`` if not stated.
    """

    ssrcs: tuple[int, ...]
    reason: bytes | None = None

    @classmethod
    def parse(cls, count: int, body: bytes) -> "Bye":
        """Parse the body of a packet."""
        reader = Reader(body)
        ssrcs = struct.unpack(f"!{count}I", reader.read(4 * count))
        return cls(ssrcs, reader.read_vector(1) if reader.remaining else None)

    def encode(self) -> bytes:
        """Return the encoded packet."""
        body = struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        if self.reason is not None:
            if len(self.reason) > 255:
                raise ValueError(f"reason of a BYE must have at most 255 bytes, not {len(self.reason)}")
            body += bytes([len(self.reason)]) + self.reason
        return add_header(PacketType.BYE, len(self.ssrcs), body + bytes(-len(body) % 4))


@attrs.frozen
class ApplicationDefined:
    """APP.

    Attributes:
        subtype: 0 to 31.
        ssrc: The sender.
        name: Four bytes of ASCII.
        data: A whole number of 32-bit words.
    """

    subtype: int
    ssrc: int
    name: bytes
    data: bytes = b""

    @classmethod
    def parse(cls, count: int, body: bytes) -> "ApplicationDefined":
        """Parse the body of a packet."""
        if len(body) < _APPLICATION.size:
            raise ProtocolError(f"RTCP APP packet has {len(body)} bytes, fewer than {_APPLICATION.size}")
        ssrc, name = _APPLICATION.unpack_from(body)
        return cls(count, ssrc, name, body[_APPLICATION.size :])

    def encode(self) -> bytes:
        """Return the encoded packet."""
        if len(self.name) != 4:
            raise ValueError(f"name of an APP packet must have 4 bytes, not {len(self.name)}")
        body = _APPLICATION.pack(self.ssrc, self.name) + self.data
        return add_header(PacketType.APPLICATION_DEFINED, self.subtype, body)
