"""RTCP datagrams: framing, padding and compound packets; parsers raise only ProtocolError."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.mutations import mutated
from tests.strategies.rtcp_packets import KINDS, packets
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtcp import (
    ApplicationDefined,
    Bye,
    GenericNack,
    PictureLossIndication,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SourceDescription,
    SourceDescriptionChunk,
    UnknownPacket,
    encode,
    encode_datagrams,
    parse,
)

PLI = PictureLossIndication(0x01020304, 0x05060708)
PLI_BYTES = bytes.fromhex("81ce0002 01020304 05060708")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_packet_type_round_trips(kind: type) -> None:
    @given(KINDS[kind])
    def round_trips(packet: RtcpPacket) -> None:
        data = encode([packet])
        assert len(data) % 4 == 0
        assert parse(data) == [packet]
        assert type(parse(data)[0]) is kind

    round_trips()


@given(st.lists(packets, min_size=1, max_size=5))
def test_compound_packets_round_trip(compound: list[RtcpPacket]) -> None:
    assert parse(encode(compound)) == compound


@given(st.binary(max_size=200))
def test_random_bytes_raise_protocol_error_only(data: bytes) -> None:
    try:
        parse(data)
    except ProtocolError:
        return


@given(st.integers(0, 31), st.integers(200, 207), st.binary(max_size=50))
def test_random_bodies_raise_protocol_error_only(count: int, packet_type: int, body: bytes) -> None:
    body += bytes(-len(body) % 4)
    try:
        read = parse(bytes([0x80 | count, packet_type, 0, len(body) // 4]) + body)
    except ProtocolError:
        return
    assert len(read) == 1


@given(mutated(st.lists(packets, min_size=1, max_size=3).map(encode)))
def test_mutated_bytes_raise_protocol_error_only(data: bytes) -> None:
    try:
        read = parse(data)
    except ProtocolError:
        return
    assert len(read) <= len(data) // 4


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_truncation_is_rejected(kind: type) -> None:
    @given(KINDS[kind])
    def is_rejected(packet: RtcpPacket) -> None:
        data = encode([packet])
        for length in range(min(len(data), 64)):
            with pytest.raises(ProtocolError):
                parse(data[:length])

    is_rejected()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="empty"),
        pytest.param("81ce00", id="header-cut"),
        pytest.param("01ce0002 01020304 05060708", id="version-0"),
        pytest.param("81ce0003 01020304 05060708", id="length-over-the-end"),
        pytest.param("a1ce0002 01020304 05060700", id="padding-0"),
        pytest.param("a1ce0002 01020304 05060709", id="padding-over-the-body"),
        pytest.param("a1ce0002 01020304 05060704", id="padding-over-the-fields"),
        pytest.param("a1ce0000", id="padding-without-a-body"),
        pytest.param("81ce0001 01020304", id="feedback-too-short"),
        pytest.param("81ce0002 01020304 05060708 00", id="a-byte-behind"),
        pytest.param("81c80006 00000001 00000002 00000003 00000004 00000005 00000006", id="sr-block-missing"),
        pytest.param("80c80004 00000001 00000002 00000003 00000004", id="sr-too-short"),
        pytest.param("82c90007 00000001" + 6 * "00000000", id="rr-block-missing"),
        pytest.param("80c90000", id="rr-empty"),
        pytest.param("81ca0002 00000001 01026162", id="sdes-without-end"),
        pytest.param("81ca0002 00000001 01046162", id="sdes-item-over-the-end"),
        pytest.param("82ca0002 00000001 01016100", id="sdes-chunk-missing"),
        pytest.param("82cb0001 00000001", id="bye-source-missing"),
        pytest.param("81cb0002 00000001 04616263", id="bye-reason-over-the-end"),
        pytest.param("80cc0001 00000001", id="app-without-name"),
        pytest.param("a1cd0003 00000001 00000002 00010001", id="nack-within-an-entry"),
        pytest.param("84ce0003 00000001 00000000 00000002", id="fir-within-an-entry"),
        pytest.param("8fce0003 00000001 00000000 52454d42", id="remb-too-short"),
        pytest.param("8fce0004 00000001 00000000 52454d42 01000000", id="remb-source-missing"),
        pytest.param("8fce0004 00000001 00000000 52454d42 00ffffff", id="remb-over-64-bits"),
        pytest.param("80cf0000", id="xr-empty"),
        pytest.param("80cf0002 00000001 04000002", id="xr-block-over-the-end"),
        pytest.param("80cf0003 00000001 04000001 00000000", id="xr-rrtr-of-a-word"),
        pytest.param("80cf0003 00000001 05000001 00000000", id="xr-dlrr-within-a-sub-block"),
        pytest.param("a0cf0003 00000001 04000000 00000001", id="xr-within-a-block-header"),
    ],
)
def test_malformed_datagrams(data: str) -> None:
    with pytest.raises(ProtocolError):
        parse(bytes.fromhex(data))


def test_padding_is_removed() -> None:
    padded = bytes.fromhex("a1ce0003 01020304 05060708 00000004")
    assert parse(padded) == [PLI]
    assert parse(PLI_BYTES + padded) == [PLI, PLI]


def test_reduced_size_datagrams_need_no_report() -> None:
    assert parse(PLI_BYTES) == [PLI]


def test_compound_begins_with_a_report() -> None:
    compound: list[RtcpPacket] = [
        ReceiverReport(7),
        SourceDescription((SourceDescriptionChunk(7, ((1, b"a@b"),)),)),
        PLI,
    ]
    data = bytes.fromhex("80c90001 00000007 81ca0003 00000007 0103614062 000000") + PLI_BYTES
    assert encode(compound) == data
    assert parse(data) == compound


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        ("82cd0002 00000001 00000002", UnknownPacket(205, 2, bytes.fromhex("0000000100000002"))),
        ("82ce0002 00000001 00000002", UnknownPacket(206, 2, bytes.fromhex("0000000100000002"))),
        (
            "8fce0003 00000001 00000002 41424344",
            UnknownPacket(206, 15, bytes.fromhex("000000010000000241424344")),
        ),
        ("80c00000", UnknownPacket(192, 0, b"")),
    ],
)
def test_unknown_packets_are_kept(data: str, packet: UnknownPacket) -> None:
    assert parse(bytes.fromhex(data)) == [packet]
    assert encode([packet]) == bytes.fromhex(data)


@pytest.mark.parametrize(
    "packet",
    [
        PictureLossIndication(-1, 0),
        PictureLossIndication(0, 1 << 32),
        ReceiverReport(1, (ReportBlock(1),) * 32),
        ReceiverReport(1, (ReportBlock(1, fraction_lost=256),)),
        SourceDescription((SourceDescriptionChunk(1, ((0, b"a"),)),)),
        SourceDescription((SourceDescriptionChunk(1, ((1, bytes(256)),)),)),
        Bye((1,) * 32),
        Bye((1,), bytes(256)),
        ApplicationDefined(0, 1, b"abc"),
        ApplicationDefined(0, 1, b"abcd", b"x"),
        ApplicationDefined(32, 1, b"abcd"),
        UnknownPacket(300, 0, b""),
        UnknownPacket(192, 0, b"abc"),
    ],
)
def test_values_out_of_range_are_rejected(packet: RtcpPacket) -> None:
    with pytest.raises(ValueError, match=r"must have|out of its field's range"):
        encode([packet])


@given(st.lists(packets, max_size=8), st.integers(100, 1500))
@example([PLI, PLI], 100)
def test_datagrams_keep_size_limit_and_order(many: list[RtcpPacket], max_size: int) -> None:
    if any(len(encode([packet])) > max_size for packet in many):
        with pytest.raises(ValueError, match="max_size must be at least"):
            encode_datagrams(many, max_size)
        return
    datagrams = encode_datagrams(many, max_size)
    assert all(len(datagram) <= max_size for datagram in datagrams)
    assert [packet for datagram in datagrams for packet in parse(datagram)] == many


def test_small_packets_share_a_datagram() -> None:
    assert encode_datagrams([PLI] * 5, 24) == [PLI_BYTES * 2, PLI_BYTES * 2, PLI_BYTES]


def test_hostile_datagram_does_not_amplify() -> None:
    headers = bytes.fromhex("80cb0000") * 300
    assert len(parse(headers)) == 300
    nack = GenericNack(1, 2, ((0, 0xFFFF),) * 300)
    assert len(nack.sequence_numbers) == 300 * 17
