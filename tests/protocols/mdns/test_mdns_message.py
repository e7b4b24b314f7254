"""DNS messages of multicast DNS."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.line_count import count_lines
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.mdns import AddressRecord, DnsMessage, Question, RecordType, name_from_text
from trio_rtc.protocols.mdns.message import MAX_ENTRIES

labels = st.binary(min_size=1, max_size=20).map(bytes.lower)
names = st.lists(labels, min_size=1, max_size=6).map(tuple)
hosts = st.ip_addresses().map(str)
messages = st.builds(
    DnsMessage,
    is_response=st.booleans(),
    questions=st.lists(
        st.builds(Question, names, st.sampled_from(RecordType).map(int), st.booleans()), max_size=4
    ).map(tuple),
    addresses=st.lists(st.builds(AddressRecord, names, hosts, st.integers(0, 2**32 - 1)), max_size=4).map(
        tuple
    ),
)

HEADER = bytes.fromhex("0000 8400 0000 0001 0000 0000")
FIXED_A = bytes.fromhex("0001 8001 00000078 0004")


@given(messages)
def test_messages_round_trip(message: DnsMessage) -> None:
    assert DnsMessage.parse(message.encode()) == message


def test_query_bytes() -> None:
    message = DnsMessage(
        is_response=False, questions=(Question(name_from_text("Ab.local."), RecordType.A, True),)
    )
    assert message.encode() == bytes.fromhex("0000 0000 0001 0000 0000 0000 02") + b"ab\x05local\x00" + (
        bytes.fromhex("0001 8001")
    )


def test_response_bytes() -> None:
    message = DnsMessage(is_response=True, addresses=(AddressRecord((b"ab", b"local"), "192.0.2.1", 120),))
    assert message.encode() == HEADER + b"\x02ab\x05local\x00" + FIXED_A + bytes([192, 0, 2, 1])


def test_compressed_names_are_followed() -> None:
    data = (
        bytes.fromhex("0000 8400 0001 0001 0000 0001")
        + b"\x02ab\x05local\x00\x00\x01\x00\x01"  # the question, at 12
        + b"\xc0\x0c"
        + FIXED_A
        + bytes([192, 0, 2, 1])
        + b"\x02CD\xc0\x0f"
        + FIXED_A
        + bytes([192, 0, 2, 2])
    )
    assert DnsMessage.parse(data).addresses == (
        AddressRecord((b"ab", b"local"), "192.0.2.1", 120),
        AddressRecord((b"cd", b"local"), "192.0.2.2", 120),
    )


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("points forward", HEADER + b"\xc0\x0c" + FIXED_A + bytes(4)),
        ("points forward", HEADER + b"\x01a\xc0\x0c" + FIXED_A + bytes(4)),
        ("points forward", HEADER + b"\xc0\xff" + FIXED_A + bytes(4)),
        ("ends at offset", HEADER + b"\x05ab"),
        ("label of type", HEADER + b"\x40" + bytes(70)),
        ("longer than 255 bytes", HEADER + (b"\x3f" + bytes(63)) * 5 + b"\x00" + FIXED_A + bytes(4)),
        ("an address of 3 bytes", HEADER + b"\x00" + FIXED_A[:-1] + b"\x03" + bytes(3)),
        ("flags", bytes.fromhex("0000 8403 0000 0000 0000 0000")),
        ("flags", bytes.fromhex("0000 2800 0000 0000 0000 0000")),
        ("at most 9000", bytes(9001)),
        ("expected", bytes(11)),
        ("ends at offset", bytes.fromhex("0000 8400 ffff ffff ffff ffff")),
    ],
)
def test_malformed_messages_are_refused(what: str, data: bytes) -> None:
    with pytest.raises(ProtocolError, match=what):
        DnsMessage.parse(data)


def test_long_chains_of_pointers_are_refused() -> None:
    question = b"\x00" + bytes.fromhex("0001 0001")  # its name, the root, is at 12
    start = (
        12 + len(question) + 11
    )  # offset of the value of the next record: a pointer to 12, one to that pointer, ...
    targets = [12, *range(start, start + 78, 2)]
    pointers = b"".join((0xC000 | target).to_bytes(2, "big") for target in targets)
    hidden = b"\x00" + bytes.fromhex("0010 0001 00000000") + len(pointers).to_bytes(2, "big") + pointers
    entering = (0xC000 | (start + 78)).to_bytes(2, "big") + FIXED_A + bytes(4)
    with pytest.raises(ProtocolError, match="compression pointers"):
        DnsMessage.parse(bytes.fromhex("0000 8400 0001 0002 0000 0000") + question + hidden + entering)


def test_records_of_other_types_and_classes_are_omitted() -> None:
    text_record = b"\x01a\x00" + bytes.fromhex("0010 0001 00000078 0003") + b"\x02hi"
    chaos_record = b"\x01a\x00" + bytes.fromhex("0001 0003 00000078 0004") + bytes(4)
    data = bytes.fromhex("0000 8400 0000 0002 0000 0000") + text_record + chaos_record
    assert DnsMessage.parse(data) == DnsMessage(is_response=True)


@given(st.binary(max_size=200))
@example(HEADER + b"\xc0")
def test_arbitrary_bytes_raise_only_protocol_errors(data: bytes) -> None:
    try:
        DnsMessage.parse(data)
    except ProtocolError:
        return


@given(messages, st.data())
def test_mutated_messages_raise_only_protocol_errors(message: DnsMessage, data: st.DataObject) -> None:
    mutated = bytearray(message.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    del mutated[data.draw(st.integers(0, len(mutated))) :]
    try:
        DnsMessage.parse(bytes(mutated))
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "text", ["", ".", "a..local", "ä.local", "a" * 64 + ".local", ".".join(["a" * 60] * 5)]
)
def test_invalid_names_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="host name"):
        name_from_text(text)


def questions_about(name: bytes, count: int) -> bytes:
    """Return a query whose questions point to different labels of one long name."""
    pointers = b"".join(
        (0xC000 | 12 + 8 * (index % 100)).to_bytes(2, "big") + b"\0\1\0\1" for index in range(count)
    )
    return bytes(4) + (count + 1).to_bytes(2, "big") + bytes(6) + name + b"\0\1\0\1" + pointers


def test_a_name_with_many_pointers_is_read_once() -> None:
    name = b"\1a" * 126 + b"\0"
    once, often = (questions_about(name, count) for count in (1, MAX_ENTRIES - 1))
    message = DnsMessage.parse(often)
    assert len(message.questions) == MAX_ENTRIES
    assert message.questions[0].name == message.questions[1].name == (b"a",) * 126
    assert message.questions[10].name == (b"a",) * 90
    work = count_lines(lambda: DnsMessage.parse(often)) - count_lines(lambda: DnsMessage.parse(once))
    assert work < MAX_ENTRIES * 80


def test_only_the_first_entries_of_a_long_message_are_read() -> None:
    """Any host on the link can send one, with responses for others."""
    name = b"\1a\5local\0"
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 120, 4)

    def answers(count: int) -> bytes:
        records = b"".join(record + bytes([10, 0, index // 250, index % 250]) for index in range(count))
        return struct.pack("!6H", 0, 0x8400, 1, count, 0, 0) + name + b"\0\1\0\1" + records

    message = DnsMessage.parse(answers(500))
    assert [address.host for address in message.addresses] == [f"10.0.0.{n}" for n in range(MAX_ENTRIES - 1)]
    assert message.addresses[0].name == (b"a", b"local")
    many, few = answers(500), answers(MAX_ENTRIES - 1)
    assert count_lines(lambda: DnsMessage.parse(many)) == count_lines(lambda: DnsMessage.parse(few))


def test_names_with_too_many_labels_are_refused() -> None:
    names = b"".join(bytes([1, 97 + index]) * 60 + b"\0" + b"\0\1\0\1" for index in range(3))
    with pytest.raises(ProtocolError, match="more than 128 labels"):
        DnsMessage.parse(struct.pack("!6H", 0, 0, 3, 0, 0, 0) + names)


def test_a_name_that_exceeds_255_bytes_by_a_pointer_is_refused() -> None:
    rest = b"\1a" * 126 + b"\0"
    data = (
        bytes.fromhex("0000 0000 0002 0000 0000 0000") + rest + b"\0\1\0\1" + b"\x03abc\xc0\x0c" + b"\0\1\0\1"
    )
    with pytest.raises(ProtocolError, match="longer than 255"):
        DnsMessage.parse(data)
