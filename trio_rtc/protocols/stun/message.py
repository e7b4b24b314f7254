"""STUN messages: parsing, typed access to attributes, integrity and encoding (RFC 8489 sections 5 and 14).

Parsing only splits a message into its attributes. Their values are decoded on access, so that no value is interpreted
before :meth:`Message.has_valid_integrity` has authenticated the message.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable
from enum import IntEnum, StrEnum

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.checksum import stun_fingerprint

from .attributes import (
    COMPREHENDED,
    MAGIC_COOKIE,
    AttributeType,
    ErrorCode,
    StunAttribute,
    decode_address,
    decode_error_code,
    decode_integer,
    decode_text,
    decode_unknown_attributes,
    encode_address,
    encode_error_code,
    encode_unknown_attributes,
    is_comprehension_required,
    xor_address,
)

HEADER_SIZE = 20
MAX_MESSAGE_SIZE = 2048
"""RFC 8489 section 6.1 limits messages to the path MTU; libwebrtc embeds DTLS records in some of its checks."""
MAX_ATTRIBUTES = 32
"""Checks have about ten, and all of them are read before anything is authenticated."""
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE_HEADER = struct.Struct("!HH")
_LENGTH = struct.Struct("!H")
_SHA1_SIZE = 20
_SHA256_MINIMUM = 16
_SHA256_SIZE = 32
_FINGERPRINT_SIZE = 4
_INTEGRITY_TYPES = (int(AttributeType.MESSAGE_INTEGRITY), int(AttributeType.MESSAGE_INTEGRITY_SHA256))
_FINGERPRINT = int(AttributeType.FINGERPRINT)


class Method(IntEnum):
    """STUN methods (RFC 8489 section 18.2)."""

    BINDING = 1


class MessageClass(IntEnum):
    """STUN message classes (RFC 8489 section 5)."""

    REQUEST = 0b00
    INDICATION = 0b01
    SUCCESS_RESPONSE = 0b10
    ERROR_RESPONSE = 0b11


class IntegrityAlgorithm(StrEnum):
    """Hash of MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256."""

    SHA1 = "sha1"
    SHA256 = "sha256"


@attrs.frozen
class Message:
    """A STUN message.

    Attributes:
        method: The method, 12 bits; usually a :class:`Method`.
        message_class: Request, indication or one of the responses.
        transaction_id: 12 bytes.
        attributes: Attributes in order, without the integrity and fingerprint attributes.
        raw: Bytes from which it was parsed, empty for a constructed message.
    """

    method: int
    message_class: MessageClass
    transaction_id: bytes
    attributes: tuple[StunAttribute, ...] = ()
    raw: bytes = attrs.field(default=b"", repr=False, eq=False)
    _integrity: tuple[tuple[int, int], ...] = attrs.field(default=(), repr=False, eq=False)

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        """Split a datagram into header and attributes.

        Attributes after an integrity attribute are ignored (RFC 8489 section 14.5).

        Raises:
            ProtocolError: The bytes are not a STUN message, exceed ``MAX_MESSAGE_SIZE`` bytes or ``MAX_ATTRIBUTES``
                attributes, or have an invalid FINGERPRINT.
        """
        if len(data) > MAX_MESSAGE_SIZE:
            raise ProtocolError(f"a STUN message of {len(data)} bytes is longer than {MAX_MESSAGE_SIZE}")
        method, message_class, transaction_id = _parse_header(data)
        attributes: list[StunAttribute] = []
        integrity: list[tuple[int, int]] = []
        position = HEADER_SIZE
        end = len(data)
        count = 0
        while position < end:
            count += 1
            if count > MAX_ATTRIBUTES:
                raise ProtocolError(f"a STUN message with more than {MAX_ATTRIBUTES} attributes")
            attribute_type, length = _ATTRIBUTE_HEADER.unpack_from(data, position)
            value_start = position + 4
            next_position = value_start + ((length + 3) & ~3)
            if next_position > end:
                raise ProtocolError(f"attribute {attribute_type:#06x} exceeds the message")
            if attribute_type == _FINGERPRINT:
                _check_fingerprint(data, position, length)
            elif attribute_type in _INTEGRITY_TYPES:
                integrity.append((attribute_type, position))
            elif not integrity:
                attributes.append(StunAttribute(attribute_type, data[value_start : value_start + length]))
            position = next_position
        return cls(method, message_class, transaction_id, tuple(attributes), data, tuple(integrity))

    def encode(
        self,
        *,
        key: bytes | None = None,
        algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1,
        fingerprint: bool = True,
    ) -> bytes:
        """Encode the message.

        Args:
            key: Key of the integrity attribute; ``None``: no integrity attribute.
            algorithm: Hash of the integrity attribute.
            fingerprint: Whether to append FINGERPRINT, which ICE requires.
        """
        body = b"".join(_encode_attribute(attribute) for attribute in self.attributes)
        data = self._header(len(body)) + body
        if key is not None:
            data = _append_integrity(data, key, algorithm)
        if fingerprint:
            data = _with_length(data, len(data) + 4 + _FINGERPRINT_SIZE)
            value = stun_fingerprint(data).to_bytes(_FINGERPRINT_SIZE, "big")
            data += _encode_attribute(StunAttribute(AttributeType.FINGERPRINT, value))
        return data

    def _header(self, length: int) -> bytes:
        method, message_class = self.method, int(self.message_class)
        message_type = (
            (method & 0x000F)
            | (message_class & 1) << 4
            | (method & 0x0070) << 1
            | (message_class & 2) << 7
            | (method & 0x0F80) << 2
        )
        return _HEADER.pack(message_type, length, MAGIC_COOKIE, self.transaction_id)

    @property
    def has_integrity(self) -> bool:
        """Whether there is an integrity attribute, valid or not."""
        return bool(self._integrity)

    def has_valid_integrity(self, key: bytes) -> bool:
        """Return whether the message integrity is valid.

        If both integrity attributes are present, MESSAGE-INTEGRITY-SHA256 is verified (RFC 8489 section 9.1.3).
        """
        if not self._integrity:
            return False
        attribute_type, position = max(self._integrity)
        (length,) = _LENGTH.unpack_from(self.raw, position + 2)
        value = self.raw[position + 4 : position + 4 + length]
        covered = _with_length(self.raw[:position], position + 4 + length)
        if attribute_type == AttributeType.MESSAGE_INTEGRITY:
            return hmac.compare_digest(hmac.digest(key, covered, "sha1"), value)
        if not _SHA256_MINIMUM <= length <= _SHA256_SIZE or length % 4:
            return False
        return hmac.compare_digest(hmac.digest(key, covered, "sha256")[:length], value)

    def find(self, attribute_type: int) -> bytes | None:
        """Return the value of the first attribute of a type; later ones are ignored (RFC 8489 section 14)."""
        for attribute in self.attributes:
            if attribute.type == attribute_type:
                return attribute.value
        return None

    def unknown_required_attributes(self, comprehended: frozenset[int] = COMPREHENDED) -> tuple[int, ...]:
        """Return the comprehension-required attributes that are not in ``comprehended``, each once."""
        unknown = dict.fromkeys(
            attribute.type
            for attribute in self.attributes
            if is_comprehension_required(attribute.type) and attribute.type not in comprehended
        )
        return tuple(unknown)

    @property
    def username(self) -> str | None:
        """USERNAME."""
        return self._text(AttributeType.USERNAME)

    @property
    def realm(self) -> str | None:
        """REALM, of long-term credentials."""
        return self._text(AttributeType.REALM)

    @property
    def nonce(self) -> bytes | None:
        """NONCE, of long-term credentials."""
        return self.find(AttributeType.NONCE)

    @property
    def software(self) -> str | None:
        """SOFTWARE."""
        return self._text(AttributeType.SOFTWARE)

    @property
    def priority(self) -> int | None:
        """PRIORITY (RFC 8445 section 16.1)."""
        return self._integer(AttributeType.PRIORITY, 4)

    @property
    def use_candidate(self) -> bool:
        """Whether USE-CANDIDATE is present."""
        return self.find(AttributeType.USE_CANDIDATE) is not None

    @property
    def ice_controlled(self) -> int | None:
        """Tie-breaker in ICE-CONTROLLED."""
        return self._integer(AttributeType.ICE_CONTROLLED, 8)

    @property
    def ice_controlling(self) -> int | None:
        """Tie-breaker in ICE-CONTROLLING."""
        return self._integer(AttributeType.ICE_CONTROLLING, 8)

    @property
    def mapped_address(self) -> Address | None:
        """XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS from RFC 3489 servers."""
        value = self.find(AttributeType.XOR_MAPPED_ADDRESS)
        if value is not None:
            return decode_address(xor_address(value, self.transaction_id))
        value = self.find(AttributeType.MAPPED_ADDRESS)
        return None if value is None else decode_address(value)

    @property
    def error_code(self) -> ErrorCode | None:
        """ERROR-CODE."""
        value = self.find(AttributeType.ERROR_CODE)
        return None if value is None else decode_error_code(value)

    @property
    def unknown_attributes(self) -> tuple[int, ...] | None:
        """UNKNOWN-ATTRIBUTES."""
        value = self.find(AttributeType.UNKNOWN_ATTRIBUTES)
        return None if value is None else decode_unknown_attributes(value)

    def _text(self, attribute_type: int) -> str | None:
        value = self.find(attribute_type)
        return None if value is None else decode_text(value)

    def _integer(self, attribute_type: int, length: int) -> int | None:
        value = self.find(attribute_type)
        return None if value is None else decode_integer(value, length)


def is_stun(data: bytes) -> bool:
    """Return whether a datagram has the first byte (RFC 7983) and the magic cookie of STUN."""
    return len(data) >= HEADER_SIZE and data[0] < 4 and data[4:8] == b"\x21\x12\xa4\x42"


def binding_request(transaction_id: bytes, attributes: Iterable[StunAttribute] = ()) -> Message:
    """Return a Binding request."""
    return Message(Method.BINDING, MessageClass.REQUEST, transaction_id, tuple(attributes))


def success_response(request: Message, mapped_address: Address) -> Message:
    """Return a success response with XOR-MAPPED-ADDRESS."""
    value = xor_address(encode_address(mapped_address), request.transaction_id)
    attribute = StunAttribute(AttributeType.XOR_MAPPED_ADDRESS, value)
    return Message(request.method, MessageClass.SUCCESS_RESPONSE, request.transaction_id, (attribute,))


def error_response(request: Message, error: ErrorCode, unknown: tuple[int, ...] = ()) -> Message:
    """Return an error response; ``unknown`` lists the unknown attributes of a 420 response."""
    attributes = [StunAttribute(AttributeType.ERROR_CODE, encode_error_code(error))]
    if unknown:
        attributes.append(StunAttribute(AttributeType.UNKNOWN_ATTRIBUTES, encode_unknown_attributes(unknown)))
    return Message(request.method, MessageClass.ERROR_RESPONSE, request.transaction_id, tuple(attributes))


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """Return the key of long-term credentials with the MD5 algorithm (RFC 8489 section 9.2.2).

    The caller must prepare username, realm and password (OpaqueString profile).
    """
    text = f"{username}:{realm}:{password}".encode()
    return hashlib.md5(text, usedforsecurity=False).digest()


def _parse_header(data: bytes) -> tuple[int, MessageClass, bytes]:
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"a STUN message of {len(data)} bytes, at least {HEADER_SIZE}")
    message_type, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if message_type & 0xC000 or cookie != MAGIC_COOKIE:
        raise ProtocolError("not a STUN message")
    if length % 4 or length != len(data) - HEADER_SIZE:
        raise ProtocolError(f"a STUN message of {len(data)} bytes has length {length} in its header")
    message_class = (message_type >> 7) & 2 | (message_type >> 4) & 1
    method = message_type & 0x000F | (message_type >> 1) & 0x0070 | (message_type >> 2) & 0x0F80
    return method, MessageClass(message_class), transaction_id


def _check_fingerprint(data: bytes, position: int, length: int) -> None:
    if length != _FINGERPRINT_SIZE or position + 8 != len(data):
        raise ProtocolError("FINGERPRINT is not the last attribute, or not of 4 bytes")
    if stun_fingerprint(data[:position]) != int.from_bytes(data[position + 4 :], "big"):
        raise ProtocolError("FINGERPRINT does not match")


def _encode_attribute(attribute: StunAttribute) -> bytes:
    value = attribute.value
    return _ATTRIBUTE_HEADER.pack(attribute.type, len(value)) + value + bytes(-len(value) % 4)


def _append_integrity(data: bytes, key: bytes, algorithm: IntegrityAlgorithm) -> bytes:
    if algorithm is IntegrityAlgorithm.SHA1:
        attribute_type, size = AttributeType.MESSAGE_INTEGRITY, _SHA1_SIZE
    else:
        attribute_type, size = AttributeType.MESSAGE_INTEGRITY_SHA256, _SHA256_SIZE
    data = _with_length(data, len(data) + 4 + size)
    return data + _encode_attribute(StunAttribute(attribute_type, hmac.digest(key, data, algorithm.value)))


def _with_length(data: bytes, total: int) -> bytes:
    """Return ``data`` with the length field for a message of ``total`` bytes."""
    return data[:2] + _LENGTH.pack(total - HEADER_SIZE) + data[4:]
