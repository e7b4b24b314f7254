"""The record layer's codec (RFC 6347 section 4.1)."""

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
"""Records of a datagram that are looked at: a flight has fewer, and before there are keys anybody can send them."""
MAX_SEQUENCE = (1 << 48) - 1

# Content type, version, then epoch (16 bits) and sequence number (48 bits) as the one 64-bit number that the
# nonce and the additional data are made of, then the length.
HEADER = Struct(">BHQH")
HEADER_LENGTH = HEADER.size


class ContentType(IntEnum):
    """What a record carries."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class Record(NamedTuple):
    """A record as it lies in a datagram, still protected.

    Attributes:
        content_type: One of ``ContentType``.
        epoch: Which keys protect it; 0 is in the clear.
        sequence: Its number within the epoch.
        datagram: The datagram that it lies in.
        start: Where its fragment starts there.
        end: Where it ends.
    """

    content_type: int
    epoch: int
    sequence: int
    datagram: bytes
    start: int
    end: int


def parse_records(datagram: bytes) -> Iterator[Record]:
    """Yield the records of a datagram, in order.

    Raises:
        ProtocolError: From here on the datagram holds no record that DTLS 1.2 knows. RFC 6347 section 4.1.2.7
            has such records discarded silently, and since the length cannot be trusted either, the rest of
            the datagram goes with it.
    """
    position, size = 0, len(datagram)
    count = 0
    while position < size:
        count += 1
        if count > MAX_RECORDS:
            raise ProtocolError(f"more than {MAX_RECORDS} records in a datagram")
        if size - position < HEADER_LENGTH:
            raise ProtocolError("a truncated record header")
        content_type, version, number, length = HEADER.unpack_from(datagram, position)
        epoch = number >> 48
        if not ContentType.CHANGE_CIPHER_SPEC <= content_type <= ContentType.APPLICATION_DATA:
            raise ProtocolError(f"content type {content_type}")
        # The first hello goes out as 1.0 for the sake of old middleboxes; once there are keys it is 1.2.
        if version != VERSION_1_2 and (version != VERSION_1_0 or epoch):
            raise ProtocolError(f"record version {version:#06x}")
        start = position + HEADER_LENGTH
        position = start + length
        if length > MAX_FRAGMENT or position > size:
            raise ProtocolError(f"a record of {length} bytes where {size - start} are left")
        yield Record(content_type, epoch, number & MAX_SEQUENCE, datagram, start, position)
