"""DNS messages with address records, for multicast DNS (RFC 1035 section 4, RFC 6762 section 18)."""

import ipaddress
import struct
from collections.abc import Iterable
from enum import IntEnum

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

MAX_MESSAGE_SIZE = 9000
"""Maximum message size in bytes (RFC 6762 section 17, which includes IP and UDP headers)."""

MAX_ENTRIES = 16
"""Maximum number of questions and records that are parsed; a response to our queries has two or three, and Chromium
parses one question. Further ones are ignored, because any host on the link can send messages of 9,000 bytes."""

MAX_LABELS = 128
"""Maximum number of labels in the parsed part of a message: as many as in the longest name. Our queries have two."""

Name = tuple[bytes, ...]
"""Labels in lower case."""

_Suffixes = dict[int, tuple[Name, int]]

_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_RESPONSE = 0x8000
_AUTHORITATIVE = 0x0400
_OPCODE_AND_RCODE = 0x780F
_CLASS_IN = 1
_CLASS_MASK = 0x7FFF
_TOP_BIT = 0x8000
_MAX_NAME = 255
_MAX_LABEL = 63
_POINTER = 0xC0
_MAX_POINTERS = 16


class RecordType(IntEnum):
    """Types of resource records (RFC 1035 section 3.2.2, RFC 3596)."""

    A = 1
    AAAA = 28
    ANY = 255


@attrs.frozen
class Question:
    """A question.

    Attributes:
        type: Type of the record, usually a ``RecordType``.
        unicast_response: Whether a unicast response is requested (RFC 6762 section 5.4).
    """

    name: Name
    type: int
    unicast_response: bool = False


@attrs.frozen
class AddressRecord:
    """An A or AAAA record.

    Attributes:
        host: Numeric address.
        ttl: Time to live in seconds; 0 withdraws the record.
    """

    name: Name
    host: str
    ttl: int


@attrs.frozen
class DnsMessage:
    """A DNS message with questions, and with address records of all sections.

    Attributes:
        is_response: Whether it is a response; otherwise a query.
        questions: Questions of the Internet class.
        addresses: Address records of the Internet class; other records are omitted. A parsed message has those among
            its first ``MAX_ENTRIES`` questions and records.
    """

    is_response: bool
    questions: tuple[Question, ...] = ()
    addresses: tuple[AddressRecord, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> "DnsMessage":
        """Parse a message.

        Raises:
            ProtocolError: It is malformed or too long, or its opcode or response code is not 0.
        """
        if len(data) > MAX_MESSAGE_SIZE:
            raise ProtocolError(f"a DNS message of {len(data)} bytes, at most {MAX_MESSAGE_SIZE}")
        reader = Reader(data)
        _, flags, question_count, *record_counts = _HEADER.unpack(reader.read(_HEADER.size))
        if flags & _OPCODE_AND_RCODE:  # RFC 6762 sections 18.3 and 18.11: MUST be ignored
            raise ProtocolError(f"a DNS message with flags {flags:#06x}")
        known: _Suffixes = {}
        question_count = min(question_count, MAX_ENTRIES)
        record_count = min(sum(record_counts), MAX_ENTRIES - question_count)
        questions = [_read_question(reader, data, known) for _ in range(question_count)]
        records = [_read_record(reader, data, known) for _ in range(record_count)]
        return cls(
            bool(flags & _RESPONSE),
            tuple(question for question in questions if question is not None),
            tuple(record for record in records if record is not None),
        )

    def encode(self) -> bytes:
        """Encode the message with ID 0 (RFC 6762 section 18.1) and the addresses in the answer section."""
        flags = _RESPONSE | _AUTHORITATIVE if self.is_response else 0
        parts = [_HEADER.pack(0, flags, len(self.questions), len(self.addresses), 0, 0)]
        for question in self.questions:
            class_ = _CLASS_IN | (_TOP_BIT if question.unicast_response else 0)
            parts.append(_encode_name(question.name) + _QUESTION.pack(question.type, class_))
        for record in self.addresses:
            address = ipaddress.ip_address(record.host)
            record_type = RecordType.A if address.version == 4 else RecordType.AAAA
            # The top bit of the class is the cache-flush bit (RFC 6762 section 10.2).
            fixed = _RECORD.pack(record_type, _CLASS_IN | _TOP_BIT, record.ttl, len(address.packed))
            parts.append(_encode_name(record.name) + fixed + address.packed)
        return b"".join(parts)


def name_from_text(text: str) -> Name:
    """Return the labels of a dotted name.

    Raises:
        ProtocolError: The text is not a host name.
    """
    try:
        name = tuple(text.lower().removesuffix(".").encode("ascii").split(b"."))
    except UnicodeEncodeError:
        raise ProtocolError(f"{text!r} is not a host name in ASCII") from None
    if not all(0 < len(label) <= _MAX_LABEL for label in name) or _encoded_length(name) > _MAX_NAME:
        raise ProtocolError(f"{text!r} is not a host name")
    return name


def _encoded_length(name: Iterable[bytes]) -> int:
    return 1 + sum(1 + len(label) for label in name)


def _encode_name(name: Name) -> bytes:
    return b"".join(len(label).to_bytes(1, "big") + label for label in name) + b"\0"


def _read_name(reader: Reader, data: bytes, known: _Suffixes) -> Name:
    """Read a name with compression pointers (RFC 1035 section 4.1.4).

    A pointer must point before the start of the sequence of labels that it ends, so that parsing terminates; the number
    of pointers is limited, because compression makes no long chains. ``known`` has the rest of the name and its length
    for every label read in the message, so that none is read twice: all names of a packet may point to one long name.
    """
    labels: list[tuple[int, bytes]] = []
    rest: Name = ()
    length = 1
    position = start = reader.position
    behind = pointers = 0
    while size := _byte(data, position):
        if size < _POINTER:
            if size > _MAX_LABEL:
                raise ProtocolError(f"a DNS label of type {size:#04x}")
            label = data[position + 1 : position + 1 + size].lower()
            labels.append((position, label))
            position += 1 + size
            if len(known) + len(labels) > MAX_LABELS:
                raise ProtocolError(f"a DNS message with more than {MAX_LABELS} labels")
            continue
        target = (size & ~_POINTER) << 8 | _byte(data, position + 1)
        behind = behind or position + 2
        if target >= start:
            raise ProtocolError("a compressed DNS name points forward")
        if target in known:
            rest, length = known[target]
            break
        pointers += 1
        if pointers > _MAX_POINTERS:
            raise ProtocolError(f"a DNS name has more than {_MAX_POINTERS} compression pointers")
        position = start = target
    reader.read((behind or position + 1) - reader.position)
    name = (*(label for _, label in labels), *rest)
    for index in range(len(labels) - 1, -1, -1):
        position, label = labels[index]
        length += 1 + len(label)
        if length > _MAX_NAME:
            raise ProtocolError(f"a DNS name is longer than {_MAX_NAME} bytes")
        known[position] = name[index:], length
    return name


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise ProtocolError(f"a DNS name ends at offset {position}")
    return data[position]


def _read_question(reader: Reader, data: bytes, known: _Suffixes) -> Question | None:
    name = _read_name(reader, data, known)
    question_type, class_ = _QUESTION.unpack(reader.read(_QUESTION.size))
    if class_ & _CLASS_MASK != _CLASS_IN:
        return None
    return Question(name, question_type, bool(class_ & _TOP_BIT))


def _read_record(reader: Reader, data: bytes, known: _Suffixes) -> AddressRecord | None:
    name = _read_name(reader, data, known)
    record_type, class_, ttl, length = _RECORD.unpack(reader.read(_RECORD.size))
    value = reader.read(length)
    if class_ & _CLASS_MASK != _CLASS_IN:
        return None
    match record_type, length:
        case RecordType.A, 4:
            return AddressRecord(name, str(ipaddress.IPv4Address(value)), ttl)
        case RecordType.AAAA, 16:
            return AddressRecord(name, str(ipaddress.IPv6Address(value)), ttl)
        case ((RecordType.A | RecordType.AAAA), _):
            raise ProtocolError(f"an address of {length} bytes in a DNS record")
        case _:
            return None
