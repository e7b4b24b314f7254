"""Codec of records with the header of DTLS 1.2 (RFC 6347 section 4.1), which DTLS 1.3 has too while there are no keys.

Parsed are content type, version, epoch, sequence number and length; several records may share a datagram. A record
that is malformed ends its datagram (RFC 6347 section 4.1.2.7): the length in it cannot be trusted either.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from trio_rtc.errors import ProtocolError

VERSION_1_0 = 0xFEFF
VERSION_1_2 = 0xFEFD

MAX_PLAINTEXT = 1 << 14
MAX_FRAGMENT = MAX_PLAINTEXT + 2048  # RFC 5246 section 6.2.3
MAX_RECORDS = 32
"""Records parsed of one datagram: no flight has more, and without keys anybody on the path can send them."""
MAX_SEQUENCE = (1 << 48) - 1

# Content type, version, then epoch (16 bits) and sequence number (48 bits) as one 64-bit number, from which the nonce
# and the additional data are made, then the length.
HEADER = Struct(">BHQH")
HEADER_LENGTH = HEADER.size


class ContentType(IntEnum):
    """Content types of IANA's registry "TLS ContentType"."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    ACK = 26


_CONTENT_TYPES = frozenset(map(int, ContentType))


class Record(NamedTuple):
    """A record in its datagram, still protected.

    Attributes:
        content_type: One of ``ContentType``.
        epoch: The epoch whose keys protect it; epoch 0 is in the clear.
        sequence: Sequence number within the epoch.
        start: Offset of its fragment in the datagram.
        end: Offset of the first byte behind its fragment.
    """

    content_type: int
    epoch: int
    sequence: int
    datagram: bytes
    start: int
    end: int


def parse_records(datagram: bytes) -> Iterator[Record]:
    """Yield at most ``MAX_RECORDS`` records in order; ``ProtocolError`` if the rest of the datagram is not one."""
    position, size = 0, len(datagram)
    count = 0
    while position < size:
        count += 1
        if count > MAX_RECORDS:
            raise ProtocolError(f"more than {MAX_RECORDS} records in a datagram")
        if size - position < HEADER_LENGTH:
            raise ProtocolError(f"record header: {size - position} bytes, must be {HEADER_LENGTH}")
        content_type, version, number, length = HEADER.unpack_from(datagram, position)
        epoch = number >> 48
        if content_type not in _CONTENT_TYPES:
            raise ProtocolError(f"unknown content type {content_type}")
        # RFC 6347 section 4.2.1: the first ClientHello may have version 1.0; records under keys have 1.2.
        if version != VERSION_1_2 and (version != VERSION_1_0 or epoch):
            raise ProtocolError(f"record version {version:#06x}, must be {VERSION_1_2:#06x}")
        start = position + HEADER_LENGTH
        position = start + length
        if length > MAX_FRAGMENT or position > size:
            raise ProtocolError(f"record length {length}, but {size - start} bytes are left")
        yield Record(content_type, epoch, number & MAX_SEQUENCE, datagram, start, position)
