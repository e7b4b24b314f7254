"""Who the sources are, and that they leave: SDES, BYE, APP (RFC 3550 sections 6.5 to 6.7)."""

import struct
from enum import IntEnum
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .framing import PacketType, frame

_SSRC: Final = struct.Struct("!I")
_APPLICATION: Final = struct.Struct("!I4s")


class ItemType(IntEnum):
    """IANA's registry "RTP SDES Item Types"; others are kept as their number."""

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
    """What is told of one source.

    Attributes:
        ssrc: The source.
        items: Type, which is not 0, and text in UTF-8 of at most 255 bytes.
    """

    ssrc: int
    items: tuple[tuple[int, bytes], ...] = ()

    def item(self, item_type: int) -> str | None:
        """Return the text of the first item of a type, ``None`` without one or when it is not UTF-8."""
        for number, value in self.items:
            if number == item_type:
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return None
        return None

    @property
    def cname(self) -> str | None:
        """The canonical name, which joins the sources of one sender."""
        return self.item(ItemType.CNAME)

    def encode(self) -> bytes:
        """Return the bytes, ended by one to four zeros up to a whole word."""
        parts = [_SSRC.pack(self.ssrc)]
        for number, value in self.items:
            if not 0 < number < 256 or len(value) > 255:
                raise ValueError(f"item {number} of {len(value)} bytes does not fit a source description")
            parts.append(bytes([number, len(value)]) + value)
        body = b"".join(parts)
        return body + bytes(4 - len(body) % 4)


@attrs.frozen
class SourceDescription:
    """SDES.

    Attributes:
        chunks: One for each source, at most 31.
    """

    chunks: tuple[SourceDescriptionChunk, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> "SourceDescription":
        """Read the body of a packet."""
        reader = Reader(body)
        return cls(tuple([_parse_chunk(reader) for _ in range(count)]))

    def encode(self) -> bytes:
        """Return the packet."""
        body = b"".join([chunk.encode() for chunk in self.chunks])
        return frame(PacketType.SOURCE_DESCRIPTION, len(self.chunks), body)


def _parse_chunk(reader: Reader) -> SourceDescriptionChunk:
    ssrc = reader.read_integer(4)
    items = []
    while number := reader.read_integer(1):
        items.append((number, reader.read_vector(1)))
    # RFC 3550 section 6.5: the list ends with a zero, and more of them up to the next word.
    reader.read(-reader.position % 4)
    return SourceDescriptionChunk(ssrc, tuple(items))


@attrs.frozen
class Goodbye:
    """BYE.

    Attributes:
        ssrcs: The sources that leave, at most 31.
        reason: Why, in UTF-8 of at most 255 bytes; ``None`` when it is not told.
    """

    ssrcs: tuple[int, ...]
    reason: bytes | None = None

    @classmethod
    def parse(cls, count: int, body: bytes) -> "Goodbye":
        """Read the body of a packet."""
        reader = Reader(body)
        ssrcs = struct.unpack(f"!{count}I", reader.read(4 * count))
        return cls(ssrcs, reader.read_vector(1) if reader.remaining else None)

    def encode(self) -> bytes:
        """Return the packet."""
        body = struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        if self.reason is not None:
            if len(self.reason) > 255:
                raise ValueError(f"a reason of {len(self.reason)} bytes does not fit a goodbye")
            body += bytes([len(self.reason)]) + self.reason
        return frame(PacketType.GOODBYE, len(self.ssrcs), body + bytes(-len(body) % 4))


@attrs.frozen
class ApplicationDefined:
    """APP.

    Attributes:
        subtype: 0 to 31.
        ssrc: Who sends it.
        name: Four bytes of ASCII.
        data: In whole words.
    """

    subtype: int
    ssrc: int
    name: bytes
    data: bytes = b""

    @classmethod
    def parse(cls, count: int, body: bytes) -> "ApplicationDefined":
        """Read the body of a packet."""
        if len(body) < _APPLICATION.size:
            raise ProtocolError("an application-defined packet is too short")
        ssrc, name = _APPLICATION.unpack_from(body)
        return cls(count, ssrc, name, body[_APPLICATION.size :])

    def encode(self) -> bytes:
        """Return the packet."""
        if len(self.name) != 4:
            raise ValueError(f"the name of an application-defined packet has 4 bytes, not {len(self.name)}")
        body = _APPLICATION.pack(self.ssrc, self.name) + self.data
        return frame(PacketType.APPLICATION_DEFINED, self.subtype, body)
