import hashlib
import hmac
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.line_count import count_lines
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    StunAttribute,
    binding_request,
    error_response,
    is_stun,
    long_term_key,
    success_response,
)
from trio_rtc.protocols.stun.message import MAX_ATTRIBUTES, MAX_MESSAGE_SIZE

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")

# RFC 5769 sections 2.1 to 2.4.
SAMPLE_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
SAMPLE_IPV4_RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
SAMPLE_IPV6_RESPONSE = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)
SAMPLE_LONG_TERM_REQUEST = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
SAMPLES = (SAMPLE_REQUEST, SAMPLE_IPV4_RESPONSE, SAMPLE_IPV6_RESPONSE, SAMPLE_LONG_TERM_REQUEST)


def test_sample_request() -> None:
    message = Message.parse(SAMPLE_REQUEST)
    assert (message.method, message.message_class) == (Method.BINDING, MessageClass.REQUEST)
    assert message.transaction_id == TRANSACTION_ID
    assert message.software == "STUN test client"
    assert message.priority == 0x6E0001FF
    assert message.ice_controlled == 0x932FF9B151263B36
    assert message.ice_controlling is None
    assert message.username == "evtj:h6vY"
    assert not message.use_candidate
    assert message.has_valid_integrity(PASSWORD)
    assert not message.has_valid_integrity(PASSWORD + b"x")
    assert message.unknown_required_attributes() == ()


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (SAMPLE_IPV4_RESPONSE, Address("192.0.2.1", 32853)),
        (SAMPLE_IPV6_RESPONSE, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
    ids=["ipv4", "ipv6"],
)
def test_sample_responses(data: bytes, address: Address) -> None:
    message = Message.parse(data)
    assert message.message_class is MessageClass.SUCCESS_RESPONSE
    assert message.software == "test vector"
    assert message.mapped_address == address
    assert message.has_valid_integrity(PASSWORD)


def test_sample_request_with_long_term_credentials() -> None:
    message = Message.parse(SAMPLE_LONG_TERM_REQUEST)
    username = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"
    assert message.username == username
    assert message.realm == "example.org"
    assert message.nonce == b"f//499k954d6OL34oL9FSTvy64sA"
    key = long_term_key(username, "example.org", "TheMatrIX")
    assert message.has_valid_integrity(key)
    assert message.encode(key=key, fingerprint=False) == SAMPLE_LONG_TERM_REQUEST


@pytest.mark.parametrize("data", [SAMPLE_IPV4_RESPONSE, SAMPLE_IPV6_RESPONSE], ids=["ipv4", "ipv6"])
def test_encoding_gives_the_sample_except_for_padding(data: bytes) -> None:
    encoded = Message.parse(data).encode(key=PASSWORD)
    assert Message.parse(encoded) == Message.parse(data)
    assert len(encoded) == len(data)


@pytest.mark.parametrize("sample", SAMPLES, ids=["request", "ipv4", "ipv6", "long-term"])
def test_no_flipped_bit_changes_an_authentic_message(sample: bytes) -> None:
    key = PASSWORD
    if sample is SAMPLE_LONG_TERM_REQUEST:
        key = long_term_key("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org", "TheMatrIX")
    for index in range(len(sample) * 8):
        data = bytearray(sample)
        data[index // 8] ^= 1 << index % 8
        try:
            message = Message.parse(bytes(data))
        except ProtocolError:
            continue
        # Only the type of FINGERPRINT may change: attributes after the integrity are ignored.
        assert not message.has_valid_integrity(key) or message == Message.parse(sample)


def test_attributes_after_the_integrity_are_ignored() -> None:
    data = binding_request(TRANSACTION_ID).encode(key=PASSWORD, fingerprint=False)
    smuggled = struct.pack("!HH", AttributeType.USE_CANDIDATE, 0)
    data = data[:2] + struct.pack("!H", len(data) - 20 + 4) + data[4:] + smuggled
    message = Message.parse(data)
    assert message.has_valid_integrity(PASSWORD)
    assert not message.use_candidate


@pytest.mark.parametrize("size", [16, 20, 32])
def test_sha256_integrity_may_be_truncated_to_16_bytes(size: int) -> None:
    covered = b"\0\1" + struct.pack("!H", 4 + size) + bytes.fromhex("2112a442") + TRANSACTION_ID
    value = hmac.digest(PASSWORD, covered, "sha256")[:size]
    message = Message.parse(covered + struct.pack("!HH", 0x1C, size) + value)
    assert message.has_valid_integrity(PASSWORD)
    assert not message.has_valid_integrity(b"other")


@pytest.mark.parametrize("size", [0, 4, 12, 17, 18, 19, 30, 36])
def test_sha256_integrity_of_another_size_is_refused(size: int) -> None:
    """RFC 8489 section 14.6: from 16 to 32 bytes, a multiple of 4."""
    padding = bytes(-size % 4)
    header = b"\0\1" + struct.pack("!H", 4 + size + len(padding)) + HEADER_REST
    covered = header[:2] + struct.pack("!H", 4 + size) + header[4:]
    value = (hmac.digest(PASSWORD, covered, "sha256") + bytes(4))[:size] + padding
    assert not Message.parse(header + struct.pack("!HH", 0x1C, size) + value).has_valid_integrity(PASSWORD)


def test_the_stronger_integrity_is_verified() -> None:
    data = binding_request(TRANSACTION_ID).encode(key=PASSWORD, fingerprint=False)
    wrong = struct.pack("!HH", AttributeType.MESSAGE_INTEGRITY_SHA256, 32) + bytes(32)
    data = data[:2] + struct.pack("!H", len(data) - 20 + len(wrong)) + data[4:] + wrong
    assert not Message.parse(data).has_valid_integrity(PASSWORD)


@pytest.mark.parametrize("algorithm", list(IntegrityAlgorithm))
def test_both_integrity_algorithms_verify(algorithm: IntegrityAlgorithm) -> None:
    message = Message.parse(binding_request(TRANSACTION_ID).encode(key=PASSWORD, algorithm=algorithm))
    assert message.has_valid_integrity(PASSWORD)
    assert not message.has_valid_integrity(b"other")


def test_the_digest_of_long_term_credentials_is_computed_in_fips_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The protocol requires MD5, which OpenSSL otherwise refuses in FIPS mode."""
    md5 = hashlib.md5

    def restricted(data: bytes, *, usedforsecurity: bool = True) -> object:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return md5(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", restricted)
    assert long_term_key("user", "realm", "pass").hex() == "8493fbc53ba582fb4c044c456bdc40eb"


@pytest.mark.parametrize("name", ["ice_controlling", "ice_controlled"])
def test_tie_breakers_have_8_bytes(name: str) -> None:
    kind = AttributeType[name.upper()]
    for size in (7, 8, 9):
        message = binding_request(TRANSACTION_ID, [StunAttribute(kind, bytes(range(size)))])
        if size == 8:
            assert getattr(message, name) == 0x0001020304050607
        else:
            with pytest.raises(ProtocolError, match=f"{size} bytes instead of 8"):
                getattr(message, name)


def test_a_message_without_integrity_is_not_authentic() -> None:
    message = Message.parse(binding_request(TRANSACTION_ID).encode())
    assert not message.has_integrity
    assert not message.has_valid_integrity(b"")


def test_unknown_attributes_are_distinguished_by_comprehension() -> None:
    request = binding_request(
        TRANSACTION_ID,
        [StunAttribute(0x7777, b"1"), StunAttribute(0xC057, b"2"), StunAttribute(0x7777, b"3")],
    )
    assert Message.parse(request.encode()).unknown_required_attributes() == (0x7777,)
    response = Message.parse(error_response(request, ErrorCode(420, "Unknown Attribute"), (0x7777,)).encode())
    assert response.message_class is MessageClass.ERROR_RESPONSE
    assert response.error_code == ErrorCode(420, "Unknown Attribute")
    assert response.unknown_attributes == (0x7777,)


@pytest.mark.parametrize(
    "attribute",
    [
        StunAttribute(AttributeType.PRIORITY, b"123"),
        StunAttribute(AttributeType.ICE_CONTROLLING, b"1234"),
        StunAttribute(AttributeType.ICE_CONTROLLED, b""),
        StunAttribute(AttributeType.USERNAME, b"\xff"),
        StunAttribute(AttributeType.XOR_MAPPED_ADDRESS, b"\0\1\0"),
        StunAttribute(AttributeType.XOR_MAPPED_ADDRESS, b"\0\1\0\0\1\2\3\4\5"),
        StunAttribute(AttributeType.MAPPED_ADDRESS, b"\0\3\0\0\1\2\3\4"),
        StunAttribute(AttributeType.ERROR_CODE, b"\0\0\2\0"),
        StunAttribute(AttributeType.ERROR_CODE, b"\0\0\4\144"),
        StunAttribute(AttributeType.ERROR_CODE, b"\0\0"),
        StunAttribute(AttributeType.UNKNOWN_ATTRIBUTES, b"\0"),
    ],
)
def test_malformed_values_raise_on_access_only(attribute: StunAttribute) -> None:
    message = Message.parse(binding_request(TRANSACTION_ID, [attribute]).encode())
    with pytest.raises(ProtocolError):
        read_everything(message)


HEADER_REST = bytes.fromhex("2112a442") + TRANSACTION_ID


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "of 0 bytes, at least 20"),
        (SAMPLE_REQUEST[:19], "of 19 bytes, at least 20"),
        (SAMPLE_REQUEST[:-4], "104 bytes has length 88"),
        (SAMPLE_REQUEST + b"\0", "109 bytes has length 88"),
        (b"\x40" + SAMPLE_REQUEST[1:], "not a STUN message"),
        (b"\x80" + SAMPLE_REQUEST[1:], "not a STUN message"),
        (SAMPLE_REQUEST[:4] + b"\0" + SAMPLE_REQUEST[5:], "not a STUN message"),
        (SAMPLE_REQUEST[:-1] + b"\0", "FINGERPRINT does not match"),
        (
            bytes.fromhex("00010004") + HEADER_REST + bytes.fromhex("00060001"),
            "attribute 0x0006 exceeds the message",
        ),
        (
            bytes.fromhex("0001000c") + HEADER_REST + bytes.fromhex("802800040000000000060000"),
            "FINGERPRINT is not the last attribute",
        ),
        *(
            (
                bytes.fromhex("00010008") + HEADER_REST + struct.pack("!HHI", 0x8028, length, 0),
                "FINGERPRINT is not the last attribute, or not of 4 bytes",
            )
            for length in (1, 3)
        ),
    ],
)
def test_invalid_messages_raise(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        Message.parse(data)


def test_a_header_alone_is_a_message() -> None:
    assert Message.parse(bytes.fromhex("00110000") + HEADER_REST) == Message(
        Method.BINDING, MessageClass.INDICATION, TRANSACTION_ID
    )


@pytest.mark.parametrize("method", [0, *(1 << bit for bit in range(12)), 0xFFF])
@pytest.mark.parametrize("message_class", list(MessageClass))
def test_method_and_class_share_the_type_field(method: int, message_class: MessageClass) -> None:
    message = Message(method, message_class, TRANSACTION_ID)
    parsed = Message.parse(message.encode())
    assert (parsed.method, parsed.message_class) == (method, message_class)


def with_attributes(count: int, body: bytes = b"") -> bytes:
    attributes = b"\x70\x00\x00\x00" * count + body
    return struct.pack("!HHI12s", 1, len(attributes), 0x2112A442, bytes(12)) + attributes


def test_maximum_number_of_attributes() -> None:
    assert len(Message.parse(with_attributes(MAX_ATTRIBUTES)).attributes) == MAX_ATTRIBUTES
    with pytest.raises(ProtocolError, match="more than 32 attributes"):
        Message.parse(with_attributes(MAX_ATTRIBUTES + 1))


def test_maximum_message_size() -> None:
    room = MAX_MESSAGE_SIZE - 20 - 4
    long = with_attributes(0, struct.pack("!HH", 0x8022, room) + bytes(room))
    assert len(long) == MAX_MESSAGE_SIZE
    assert len(Message.parse(long).attributes[0].value) == room
    with pytest.raises(ProtocolError, match="2052 bytes is longer than 2048"):
        Message.parse(with_attributes(1, struct.pack("!HH", 0x8022, room) + bytes(room)))


def test_the_cost_of_refused_messages_is_bounded() -> None:
    """Parsing precedes authentication: 290 attributes fit into an Ethernet frame, 16,000 into a datagram."""

    def refuse(data: bytes) -> None:
        with pytest.raises(ProtocolError):
            Message.parse(data)

    def work(data: bytes) -> int:
        return count_lines(lambda: refuse(data))

    assert work(with_attributes(16_000)) < work(with_attributes(290)) == work(with_attributes(100))


def test_is_stun() -> None:
    """RFC 7983 section 7: the first byte is from 0 to 3. The magic cookie is in bytes 4 to 7."""
    assert all(is_stun(sample) for sample in SAMPLES)
    assert is_stun(SAMPLE_REQUEST[:20])
    assert not is_stun(SAMPLE_REQUEST[:19])
    for first in range(256):
        assert is_stun(bytes([first]) + SAMPLE_REQUEST[1:]) is (first < 4)
    for index in range(20):
        flipped = bytearray(SAMPLE_REQUEST[:20])
        flipped[index] ^= 1
        assert is_stun(bytes(flipped)) is (index not in (4, 5, 6, 7))


def read_everything(message: Message) -> None:
    """Read every typed attribute."""
    for name in (
        "username",
        "realm",
        "nonce",
        "software",
        "priority",
        "use_candidate",
        "ice_controlled",
        "ice_controlling",
        "mapped_address",
        "error_code",
        "unknown_attributes",
    ):
        getattr(message, name)


ADDRESSES = st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535)).filter(
    lambda address: not address.host.startswith("::ffff:")
)


@given(ADDRESSES, st.binary(min_size=12, max_size=12))
def test_addresses_round_trip(address: Address, transaction_id: bytes) -> None:
    response = success_response(binding_request(transaction_id), address)
    assert Message.parse(response.encode(key=PASSWORD)).mapped_address == address


@given(
    st.lists(
        st.builds(
            StunAttribute,
            st.integers(0, 0xFFFF).filter(lambda number: number not in (0x08, 0x1C, 0x8028)),
            st.binary(max_size=40),
        ),
        max_size=8,
    ),
    st.sampled_from(IntegrityAlgorithm),
    st.binary(max_size=30),
)
def test_messages_round_trip(
    attributes: list[StunAttribute], algorithm: IntegrityAlgorithm, key: bytes
) -> None:
    message = binding_request(TRANSACTION_ID, attributes)
    parsed = Message.parse(message.encode(key=key, algorithm=algorithm))
    assert parsed == message
    assert parsed.has_valid_integrity(key)


@given(st.binary(max_size=200))
@example(b"")
def test_arbitrary_bytes_raise_only_protocol_errors(data: bytes) -> None:
    check_parser(data)


@given(st.binary(max_size=120).map(lambda body: body[: len(body) & ~3]))
def test_arbitrary_attributes_raise_only_protocol_errors(body: bytes) -> None:
    check_parser(b"\0\1" + struct.pack("!H", len(body)) + bytes.fromhex("2112a442") + TRANSACTION_ID + body)


@given(st.sampled_from(SAMPLES), st.data())
def test_mutated_messages_raise_only_protocol_errors(sample: bytes, data: st.DataObject) -> None:
    mutated = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 6))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    check_parser(bytes(mutated[: data.draw(st.integers(0, len(mutated)))]))
    check_parser(bytes(mutated))


def check_parser(data: bytes) -> None:
    try:
        message = Message.parse(data)
        message.has_valid_integrity(PASSWORD)
        read_everything(message)
    except ProtocolError:
        pass


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6, 7])
def test_a_length_that_is_not_a_multiple_of_four_is_malformed(length: int) -> None:
    """RFC 8489 section 5: even if the datagram has this length."""
    header = binding_request(bytes(12)).encode()[:20]
    with pytest.raises(ProtocolError):
        Message.parse(header[:2] + length.to_bytes(2, "big") + header[4:] + bytes(length))


def test_unknown_attributes_have_their_number() -> None:
    """RFC 8489 section 14.13: 0x000A, and a list of types of 16 bits."""
    response = error_response(
        binding_request(bytes(12)), ErrorCode(420, "Unknown Attribute"), (0x7777, 0x1234)
    )
    assert bytes.fromhex("000a 0004 7777 1234") in response.encode()


@pytest.mark.parametrize("key", [None, b"key"])
@pytest.mark.parametrize("fingerprint", [True, False])
def test_the_length_in_the_header_is_that_of_the_attributes(key: bytes | None, fingerprint: bool) -> None:
    encoded = binding_request(TRANSACTION_ID).encode(key=key, fingerprint=fingerprint)
    assert len(encoded) == 20 + 24 * (key is not None) + 8 * fingerprint
    assert int.from_bytes(encoded[2:4], "big") == len(encoded) - 20
    assert encoded[4:20] == bytes.fromhex("2112a442") + TRANSACTION_ID
