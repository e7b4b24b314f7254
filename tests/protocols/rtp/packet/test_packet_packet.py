"""RTP packets and their header extension elements, byte for byte after RFC 3550 and RFC 8285."""

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.mutations import mutated
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.packet.extensions import AUDIO_LEVEL, ExtensionMap

uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFF_FFFF)
one_byte_elements = st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=6)
two_byte_elements = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=6)
packets = st.builds(
    RtpPacket,
    st.integers(0, 127),
    uint16,
    uint32,
    uint32,
    st.binary(max_size=60),
    st.booleans(),
    st.lists(uint32, max_size=15).map(tuple),
    (one_byte_elements | two_byte_elements).map(tuple),
    st.integers(0, 255),
)

VECTORS = [
    pytest.param(RtpPacket(0, 1, 2, 3), "80 00 0001 00000002 00000003", id="header-only"),
    pytest.param(
        RtpPacket(111, 0xFFFE, 0xFFFFFFFD, 0xFFFFFFFC, b"abc", marker=True),
        "80 ef fffe fffffffd fffffffc 616263",
        id="payload-and-marker",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"z", csrcs=(4, 5)),
        "82 60 0001 00000002 00000003 00000004 00000005 7a",
        id="sources",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"z", padding_size=3), "a0 60 0001 00000002 00000003 7a 000003", id="padding"
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"", padding_size=1), "a0 60 0001 00000002 00000003 01", id="padding-only"
    ),
    pytest.param(
        # RFC 8285 section 4.2: elements of one, two and four bytes, here without padding between them.
        RtpPacket(96, 1, 2, 3, b"z", extensions=((1, b"a"), (2, b"bc"), (3, b"defg"))),
        "90 60 0001 00000002 00000003 bede0003 10 61 21 6263 33 64656667 0000 7a",
        id="one-byte-elements",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"z", extensions=((14, bytes(range(16))),)),
        "90 60 0001 00000002 00000003 bede0005 ef 000102030405060708090a0b0c0d0e0f 000000 7a",
        id="longest-one-byte-element",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"z", extensions=((1, b""), (2, b"b"), (3, b"cdef"))),
        "90 60 0001 00000002 00000003 10000003 0100 020162 030463646566 00 7a",
        id="two-byte-elements",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"", extensions=((15, b"a"),)),
        "90 60 0001 00000002 00000003 10000001 0f0161 00",
        id="number-15-needs-two-bytes",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"", extensions=((1, bytes(17)),)),
        "90 60 0001 00000002 00000003 10000005 0111" + "00" * 18,
        id="17-bytes-need-two-bytes",
    ),
    pytest.param(
        RtpPacket(96, 1, 2, 3, b"z", csrcs=(4,), extensions=((1, b"a"),), padding_size=2),
        "b1 60 0001 00000002 00000003 00000004 bede0001 1061 0000 7a 0002",
        id="everything",
    ),
]


@pytest.mark.parametrize(("packet", "data"), VECTORS)
def test_bytes(packet: RtpPacket, data: str) -> None:
    assert packet.encode() == bytes.fromhex(data)
    assert RtpPacket.parse(bytes.fromhex(data)) == packet


READ_ONLY = [
    pytest.param(
        "bede0003 1061 0000 216263 0000 3064 00", ((1, b"a"), (2, b"bc"), (3, b"d")), id="padding-between"
    ),
    pytest.param("bede0002 1061 f0ff 2162 6300", ((1, b"a"),), id="nothing-behind-number-15"),
    pytest.param("bede0000", (), id="no-element"),
    pytest.param("10050001 0101 61 00", ((1, b"a"),), id="application-bits"),
    pytest.param("abcd0001 deadbeef", (), id="another-kind"),
    pytest.param("bede0001 00106100", ((1, b"a"),), id="padding-first"),
]


@pytest.mark.parametrize(("extension", "elements"), READ_ONLY)
def test_extensions_that_we_do_not_write(extension: str, elements: tuple[tuple[int, bytes], ...]) -> None:
    packet = RtpPacket.parse(bytes.fromhex("90 60 0001 00000002 00000003" + extension + "7a"))
    assert packet.extensions == elements
    assert packet.payload == b"z"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="empty"),
        pytest.param("80 60 0001 00000002 000000", id="header-cut"),
        pytest.param("40 60 0001 00000002 00000003", id="version-1"),
        pytest.param("81 60 0001 00000002 00000003 000000", id="source-cut"),
        pytest.param("90 60 0001 00000002 00000003 bede00", id="extension-header-cut"),
        pytest.param("90 60 0001 00000002 00000003 bede0002 10610000", id="extension-cut"),
        pytest.param("90 60 0001 00000002 00000003 bede0001 13616263", id="one-byte-element-over-the-end"),
        pytest.param("90 60 0001 00000002 00000003 10000001 01036162", id="two-byte-element-over-the-end"),
        pytest.param("90 60 0001 00000002 00000003 10000001 00000001", id="two-byte-element-without-length"),
        pytest.param("a0 60 0001 00000002 00000003 00", id="padding-of-0"),
        pytest.param("a0 60 0001 00000002 00000003 02", id="padding-over-the-payload"),
        pytest.param("a0 60 0001 00000002 00000003", id="padding-without-payload"),
    ],
)
def test_malformed_packets(data: str) -> None:
    with pytest.raises(ProtocolError):
        RtpPacket.parse(bytes.fromhex(data))


@given(packets)
@example(RtpPacket(127, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, b"", True, (1,) * 15, ((14, bytes(16)),), 255))
def test_packets_survive_the_wire(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.encode()) == packet


@given(st.binary(max_size=120) | st.binary(max_size=120).map(lambda data: b"\xb1" + data))
def test_random_bytes_raise_protocol_error_only(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except ProtocolError:
        return
    assert len(packet.payload) <= len(data)


@given(mutated(packets.map(RtpPacket.encode)))
def test_mutated_bytes_raise_protocol_error_only(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except ProtocolError:
        return
    # A parsed packet can be encoded, and is parsed to the same values.
    assert RtpPacket.parse(packet.encode()) == packet


def test_elements_are_found_by_number() -> None:
    packet = RtpPacket(96, 1, 2, 3, extensions=((1, b"a"), (2, b"b"), (1, b"c")))
    assert packet.extension(1) == b"a"
    assert packet.extension(3) is None
    assert packet.extension(None) is None


@given(packets, st.integers(0, 0xFFFF))
def test_a_changed_field_leaves_the_others(packet: RtpPacket, number: int) -> None:
    packet = attrs.evolve(packet, extension_map=ExtensionMap({1: AUDIO_LEVEL}))
    for changed, expected in (
        (packet.with_sequence_number(number), attrs.evolve(packet, sequence_number=number)),
        (packet.with_extensions(((9, b"x"),)), attrs.evolve(packet, extensions=((9, b"x"),))),
    ):
        assert changed == expected
        assert changed.extension_map is packet.extension_map
    assert packet.encode_with(()) == attrs.evolve(packet, extensions=()).encode()


def test_elements_are_read_by_the_map_of_their_connection() -> None:
    data = RtpPacket(96, 1, 2, 3, extensions=((1, b"\x9e"),)).encode()
    assert RtpPacket.parse(data, ExtensionMap({1: AUDIO_LEVEL})).header_values().audio_level == 30
    assert RtpPacket.parse(data, ExtensionMap({2: AUDIO_LEVEL})).header_values().audio_level is None
    assert RtpPacket.parse(data).header_values().audio_level is None
