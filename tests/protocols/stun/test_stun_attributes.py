"""Values of STUN attributes (RFC 8489 section 14)."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    MessageClass,
    Method,
)
from trio_rtc.protocols.stun.attributes import (
    decode_address,
    decode_error_code,
    decode_integer,
    decode_unknown_attributes,
    encode_address,
    encode_error_code,
    is_comprehension_required,
    xor_address,
)

TRANSACTION_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")


def test_types_from_0x8000_are_comprehension_optional() -> None:
    """RFC 8489 section 14."""
    assert is_comprehension_required(0x7FFF)
    assert not is_comprehension_required(0x8000)


def test_an_error_code_may_have_no_reason_phrase() -> None:
    assert decode_error_code(bytes((0, 0, 4, 87))) == ErrorCode(487, "")
    with pytest.raises(ProtocolError, match="of 3 bytes"):
        decode_error_code(bytes((0, 0, 4)))


def test_numbers_of_the_specifications() -> None:
    """RFC 8489 section 18.3, RFC 8445 section 20.2."""
    assert {attribute.name: int(attribute) for attribute in AttributeType} == {
        "MAPPED_ADDRESS": 0x0001,
        "USERNAME": 0x0006,
        "MESSAGE_INTEGRITY": 0x0008,
        "ERROR_CODE": 0x0009,
        "UNKNOWN_ATTRIBUTES": 0x000A,
        "REALM": 0x0014,
        "NONCE": 0x0015,
        "MESSAGE_INTEGRITY_SHA256": 0x001C,
        "PASSWORD_ALGORITHM": 0x001D,
        "USERHASH": 0x001E,
        "XOR_MAPPED_ADDRESS": 0x0020,
        "PRIORITY": 0x0024,
        "USE_CANDIDATE": 0x0025,
        "PASSWORD_ALGORITHMS": 0x8002,
        "ALTERNATE_DOMAIN": 0x8003,
        "SOFTWARE": 0x8022,
        "ALTERNATE_SERVER": 0x8023,
        "FINGERPRINT": 0x8028,
        "ICE_CONTROLLED": 0x8029,
        "ICE_CONTROLLING": 0x802A,
    }
    assert {method.name: int(method) for method in Method}["BINDING"] == 1
    assert [int(kind) for kind in MessageClass] == [0, 1, 2, 3]
    assert not is_comprehension_required(0x8000)
    assert is_comprehension_required(0x7FFF)


@pytest.mark.parametrize(
    ("value", "is_good"),
    [
        *((bytes((0, 1, 0, 7, 1, 2, 3, 4)), True), (bytes((0, 1, 0, 7, 1, 2, 3)), False)),
        *((bytes((0, 1, 0, 7, 1, 2, 3, 4, 5)), False), (bytes((0, 2, 0, 7, *range(16))), True)),
        *((bytes((0, 2, 0, 7, *range(15))), False), (bytes((0, 2, 0, 7, 1, 2, 3, 4)), False)),
        *((bytes((0, 3, 0, 7, 1, 2, 3, 4)), False), (bytes(3), False), (bytes((0, 1, 0, 7)), False)),
        *((bytes((0, 0, 0, 7, *range(16))), False), (bytes((0, 1, 0, 7, *range(16))), False)),
    ],
)
def test_lengths_of_addresses(value: bytes, is_good: bool) -> None:
    if is_good:
        address = decode_address(value)
        assert address.port == 7
        assert encode_address(address) == value
    else:
        with pytest.raises(ProtocolError):
            decode_address(value)


@pytest.mark.parametrize("size", [0, 3])
def test_short_addresses_are_reported_with_their_length(size: int) -> None:
    with pytest.raises(ProtocolError, match=f"attribute of {size} bytes"):
        decode_address(bytes(size))
    # Four bytes are a header, so that the error shows the family.
    with pytest.raises(ProtocolError, match="family 0 with 0 bytes"):
        decode_address(bytes(4))


@pytest.mark.parametrize(
    ("code", "is_good"),
    [(299, False), (300, True), (399, True), (400, True), (600, True), (699, True), (700, False)],
)
def test_classes_of_error_codes(code: int, is_good: bool) -> None:
    value = encode_error_code(ErrorCode(code, "why"))
    if is_good:
        assert decode_error_code(value) == ErrorCode(code, "why")
    else:
        with pytest.raises(ProtocolError, match=f"class {code // 100} and number {code % 100}"):
            decode_error_code(value)


@pytest.mark.parametrize(("number", "is_good"), [(0, True), (99, True), (100, False)])
def test_numbers_of_error_codes(number: int, is_good: bool) -> None:
    value = bytes((0xFF, 0xFF, 0xF8 | 4, number))
    if is_good:
        assert decode_error_code(value) == ErrorCode(400 + number, "")
    else:
        with pytest.raises(ProtocolError):
            decode_error_code(value)
    for size in range(4):
        with pytest.raises(ProtocolError, match=f"ERROR-CODE of {size} bytes"):
            decode_error_code(value[:size])


def test_an_error_code_begins_with_two_reserved_bytes() -> None:
    """RFC 8489 section 14.8."""
    assert encode_error_code(ErrorCode(487, "Role Conflict")) == b"\0\0\4\x57Role Conflict"


def test_a_reason_phrase_is_truncated_to_763_bytes() -> None:
    """RFC 8489 section 14.8."""
    assert len(encode_error_code(ErrorCode(400, "x" * 800))) == 4 + 763


@pytest.mark.parametrize("size", range(6))
def test_lengths_of_integers_and_of_lists(size: int) -> None:
    if size == 4:
        assert decode_integer(b"\0\0\1\2", 4) == 258
    else:
        with pytest.raises(ProtocolError):
            decode_integer(bytes(size), 4)
    if size % 2:
        with pytest.raises(ProtocolError):
            decode_unknown_attributes(bytes(size))
    else:
        assert decode_unknown_attributes(bytes(size)) == (0,) * (size // 2)


@pytest.mark.parametrize("address", [Address("1.2.3.4", 5), Address("2001:db8::7", 65535)])
def test_an_address_is_masked_with_the_cookie_and_the_transaction(address: Address) -> None:
    value = encode_address(address)
    masked = xor_address(value, TRANSACTION_ID)
    assert masked[:2] == value[:2]
    assert int.from_bytes(masked[2:4], "big") == address.port ^ 0x2112
    mask = bytes.fromhex("2112a442") + TRANSACTION_ID
    assert masked[4:] == bytes(one ^ other for one, other in zip(value[4:], mask, strict=False))
    assert xor_address(masked, TRANSACTION_ID) == value
