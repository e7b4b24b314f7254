"""Forward error correction: FlexFEC-03 and ULPFEC."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.fec import flexfec, ulpfec
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.encoder import FecEncoder
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey, media_bits, zero_elements
from trio_rtc.protocols.rtp.fec.flexfec import build_flexfec, parse_flexfec
from trio_rtc.protocols.rtp.fec.red import build_red
from trio_rtc.protocols.rtp.fec.ulpfec import build_ulpfec, parse_ulpfec, unwrap_red
from trio_rtc.protocols.rtp.options import FecOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.stats import FecCounters

SSRC, FEC_TYPE, RED_TYPE, MEDIA_TYPE = 0x01020304, 117, 116, 96
SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=30)


def flexfec_encoder(options: FecOptions, mutable_extensions: frozenset[int] = frozenset()) -> FecEncoder:
    return FecEncoder(build_flexfec, flexfec.MAX_SPAN, options, mutable_extensions=mutable_extensions)


def ulpfec_encoder(options: FecOptions) -> FecEncoder:
    return FecEncoder(build_ulpfec, ulpfec.MAX_SPAN, options)


def media(number: int, size: int = 20, *, marker: bool = False, ssrc: int = SSRC) -> bytes:
    payload = bytes((number + i) & 0xFF for i in range(size))
    csrcs = (5,) if number % 3 == 0 else ()
    extensions = ((1, b"ab"), (2, b"xyz")) if number % 2 else ()
    padding = 7 if number % 5 == 0 else 0
    return RtpPacket(
        MEDIA_TYPE, number & 0xFFFF, 3000 * (number // 4), ssrc, payload, marker, csrcs, extensions, padding
    ).encode()


def row_of(*packets: bytes) -> FecPacket:
    bits = 0
    for data in packets:
        bits ^= media_bits(data)
    keys = [MediaKey(RtpPacket.parse(data).ssrc, RtpPacket.parse(data).sequence_number) for data in packets]
    return FecPacket(keys, bits, max(len(data) for data in packets) - 12)


def test_flexfec_on_the_wire() -> None:
    packet = bytes.fromhex("80e0 0010 00000005 01020304 aabbcc")
    # One SSRC, mask of 15 bits: the end bit, then the bit of the first packet.
    assert build_flexfec(row_of(packet)) == bytes.fromhex(
        "00e0 0003 00000005 01 000000 01020304 0010 c000 aabbcc"
    )


@pytest.mark.parametrize(
    ("offsets", "mask"),
    [
        ([0, 14], "c001"),
        ([0, 15], "4000 c0000000"),
        ([0, 45], "4000 80000001"),
        ([0, 46], "4000 00000000 c000000000000000"),
        ([0, 15, 108], "4000 40000000 8000000000000001"),
    ],
)
def test_masks_of_flexfec(offsets: list[int], mask: str) -> None:
    row = FecPacket([MediaKey(SSRC, (0xFFF0 + offset) & 0xFFFF) for offset in offsets], 0, 0)
    payload = build_flexfec(row)
    assert payload[18:] == bytes.fromhex(mask)
    assert parse_flexfec(payload).keys == row.keys


def test_ulpfec_on_the_wire() -> None:
    packet = bytes.fromhex("80e0 0010 00000005 01020304 aabbcc")
    assert build_ulpfec(row_of(packet)) == bytes.fromhex("00e0 0010 00000005 0003 0003 8000 aabbcc")
    row = FecPacket([MediaKey(SSRC, 0xFFFF), MediaKey(SSRC, 15)], 0, 0)
    assert build_ulpfec(row)[0] == 0x40
    assert build_ulpfec(row)[12:] == bytes.fromhex("8000 8000 0000")
    assert parse_ulpfec(build_ulpfec(row), SSRC).keys == row.keys


def test_rows_that_no_mask_can_hold() -> None:
    with pytest.raises(ValueError, match="apart"):
        build_flexfec(FecPacket([MediaKey(SSRC, 0), MediaKey(SSRC, 109)], 0, 0))
    with pytest.raises(ValueError, match="apart"):
        build_ulpfec(FecPacket([MediaKey(SSRC, 0), MediaKey(SSRC, 48)], 0, 0))
    with pytest.raises(ValueError, match="1 to 16 SSRCs"):
        build_flexfec(FecPacket([MediaKey(ssrc, 0) for ssrc in range(17)], 0, 0))


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "00e00003000000050100000001020304",
        "80e0 0003 00000005 01 000000 01020304 0010 c000",
        "40e0 0003 00000005 01 000000 01020304 0010 c000",
        "00e0 0003 00000005 00 000000 01020304 0010 c000",
        "00e0 0003 00000005 11 000000 01020304 0010 c000",
        "00e0 0003 00000005 01 000000 01020304 0010 8000",
        "00e0 0003 00000005 01 000000 01020304 0010 4000 40000000 4000000000000000",
    ],
)
def test_malformed_flexfec(payload: str) -> None:
    with pytest.raises(ProtocolError):
        parse_flexfec(bytes.fromhex(payload))


@given(sizes=SIZES, start=st.integers(0, 0xFFFF), data=st.data())
def test_flexfec_recovers_bursts_as_long_as_its_fec_packets(
    sizes: list[int], start: int, data: st.DataObject
) -> None:
    encoder = flexfec_encoder(FecOptions(protection=data.draw(st.floats(0.1, 1)), max_frames=1))
    packets = [media(start + i, size, marker=i == len(sizes) - 1) for i, size in enumerate(sizes)]
    repairs = [repair for packet in packets for repair in encoder.protect(packet, marker=packet[1] >= 0x80)]
    assert repairs
    burst = data.draw(st.integers(0, min(len(repairs), len(packets))))
    first = data.draw(st.integers(0, len(packets) - burst))
    lost = packets[first : first + burst]
    arriving = [(False, p) for p in packets if p not in lost] + [(True, r) for r in repairs]
    decoder = FecDecoder()
    recovered: list[bytes] = []
    for is_repair, item in data.draw(st.permutations(arriving)):
        recovered += decoder.fec_received(parse_flexfec(item)) if is_repair else decoder.media_received(item)
    assert set(recovered) >= set(lost)
    assert decoder.recovered == len(recovered)


def test_two_packets_lost_at_random_are_recovered() -> None:
    """Hardly two packets are protected by the same set of FEC packets."""
    encoder = flexfec_encoder(FecOptions(protection=0.5, max_frames=1))
    packets = [media(n, marker=n == 11) for n in range(12)]
    repairs = [repair for packet in packets for repair in encoder.protect(packet, marker=packet[1] >= 0x80)]
    assert len(repairs) == 6
    pairs = list(itertools.combinations(packets, 2))
    incomplete = 0
    for lost in pairs:
        decoder = FecDecoder()
        recovered = [
            got for packet in packets if packet not in lost for got in decoder.media_received(packet)
        ]
        recovered += [got for repair in repairs for got in decoder.fec_received(parse_flexfec(repair))]
        incomplete += set(recovered) != set(lost)
    # Only the last packets of the two rounds are in the same row and in no other.
    assert (incomplete, len(pairs)) == (1, 66)


def test_flexfec_protects_several_streams_together() -> None:
    encoder = flexfec_encoder(FecOptions(protection=0.25, max_frames=1))
    packets = [
        media(n, ssrc=ssrc, marker=(n, ssrc) == (65537, 2)) for n in range(65534, 65538) for ssrc in (1, 2)
    ]
    repairs = [repair for packet in packets for repair in encoder.protect(packet, marker=packet[1] >= 0x80)]
    assert len(repairs) == 2
    assert {key.ssrc for repair in repairs for key in parse_flexfec(repair).keys} == {1, 2}
    for lost in packets:
        decoder = FecDecoder()
        recovered = [got for packet in packets if packet != lost for got in decoder.media_received(packet)]
        recovered += [got for repair in repairs for got in decoder.fec_received(parse_flexfec(repair))]
        assert recovered == [lost]


def test_one_recovered_packet_helps_to_recover_another() -> None:
    first, second, third = media(1), media(2), media(3)
    decoder = FecDecoder()
    assert decoder.fec_received(row_of(first, second)) == []
    assert decoder.fec_received(row_of(second, third)) == []
    assert decoder.media_received(third) == [second, first]


def test_elements_written_at_sending_are_not_protected() -> None:
    one = RtpPacket(96, 1, 2, SSRC, b"one", extensions=((3, b"\x11\x22"), (4, b"z"))).encode()
    other = RtpPacket(96, 2, 2, SSRC, b"two", extensions=((3, b"\x33\x44"), (4, b"z"))).encode()
    encoder = flexfec_encoder(FecOptions(protection=1), frozenset({3}))
    repairs = encoder.protect(one, marker=False) + encoder.protect(other, marker=True)
    decoder = FecDecoder(mutable_extensions=frozenset({3}))
    changed = other.replace(b"\x33\x44", b"\x77\x88")
    decoder.media_received(changed)
    (recovered,) = [got for repair in repairs for got in decoder.fec_received(parse_flexfec(repair))]
    assert RtpPacket.parse(recovered) == RtpPacket(
        96, 1, 2, SSRC, b"one", extensions=((3, b"\0\0"), (4, b"z"))
    )


@given(
    elements=st.lists(st.tuples(st.integers(1, 200), st.binary(max_size=30)), min_size=1, max_size=5),
    numbers=st.frozensets(st.integers(1, 200)),
)
def test_only_the_named_elements_are_zeroed(
    elements: list[tuple[int, bytes]], numbers: frozenset[int]
) -> None:
    packet = RtpPacket(96, 1, 2, 3, b"payload", csrcs=(9,), extensions=tuple(elements))
    zeroed = RtpPacket.parse(zero_elements(packet.encode(), numbers))
    assert zeroed.payload == b"payload"
    assert zeroed.extensions == tuple((n, bytes(len(v)) if n in numbers else v) for n, v in packet.extensions)


@given(header=st.binary(min_size=12, max_size=60), numbers=st.frozensets(st.integers(1, 15)))
def test_zeroing_any_bytes(header: bytes, numbers: frozenset[int]) -> None:
    with contextlib.suppress(ProtocolError):
        assert len(zero_elements(header, numbers)) == len(header)


def in_red(number: int, payload_type: int, packet: bytes | None, payload: bytes = b"") -> bytes:
    """Return a packet of RED's payload type with a media packet, or a payload, in it."""
    if packet is None:
        return RtpPacket(RED_TYPE, number & 0xFFFF, 7, SSRC, build_red((), payload_type, payload)).encode()
    start = 12 + 4 * (packet[0] & 15)
    if packet[0] & 0x10:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    head = packet[:1] + bytes([packet[1] & 0x80 | RED_TYPE]) + packet[2:start]
    return head + bytes([payload_type]) + packet[start:]


@given(sizes=SIZES, start=st.integers(0, 0xFFFF), data=st.data())
def test_ulpfec_recovers_lost_packets(sizes: list[int], start: int, data: st.DataObject) -> None:
    encoder = ulpfec_encoder(FecOptions(protection=data.draw(st.floats(0.1, 1)), max_frames=1))
    packets = [media(start + i, size, marker=i == len(sizes) - 1) for i, size in enumerate(sizes)]
    repairs = [repair for packet in packets for repair in encoder.protect(packet, marker=packet[1] >= 0x80)]
    wire = [in_red(start, MEDIA_TYPE, packet) for packet in packets]
    wire += [in_red(start + len(sizes) + i, FEC_TYPE, None, repair) for i, repair in enumerate(repairs)]
    lost = data.draw(st.integers(0, len(packets) - 1))
    decoder = FecDecoder()
    out: list[bytes] = []
    for index, item in enumerate(wire):
        if index != lost:
            out += take_ulpfec(decoder, item)
    assert sorted(out) == sorted(packets)
    assert (decoder.recovered, decoder.fec_packets) == (1, len(repairs))


def take_ulpfec(decoder: FecDecoder, data: bytes) -> list[bytes]:
    """Decode a RED packet; return the media in it, and what it recovers."""
    inner = unwrap_red(data)
    packet = RtpPacket.parse(inner)
    if packet.payload_type == FEC_TYPE:
        return decoder.fec_received(parse_ulpfec(packet.payload, packet.ssrc))
    return [inner, *decoder.media_received(inner)]


def test_several_frames_with_few_packets_share_a_fec_packet() -> None:
    encoder = flexfec_encoder(FecOptions(protection=0.1, max_frames=4))
    counts = [len(encoder.protect(media(n), marker=True)) for n in range(8)]
    assert counts == [0, 0, 0, 1, 0, 0, 0, 1]
    encoder.protection = 0
    assert [len(encoder.protect(media(n), marker=True)) for n in range(20)] == [0] * 20


@pytest.mark.parametrize("scheme", ["flexfec", "ulpfec"])
def test_masks_reach_over_any_frame(scheme: str) -> None:
    options = FecOptions(protection=0.01)
    encoder = flexfec_encoder(options) if scheme == "flexfec" else ulpfec_encoder(options)
    repairs = 0
    for number in range(65_400, 65_900):
        for repair in encoder.protect(media(number), marker=number == 65_899):
            row = parse_flexfec(repair) if scheme == "flexfec" else parse_ulpfec(repair, SSRC)
            assert len(set(row.keys)) == len(row.keys)
            repairs += 1
    assert repairs >= 500 // flexfec.MAX_SPAN


def test_memory_is_bounded_and_old_fec_packets_are_dropped() -> None:
    decoder = FecDecoder(FecOptions(max_packets=20, max_repairs=4))
    early = media(1)
    decoder.media_received(early)
    counters = FecCounters()
    for number in range(100, 110):
        assert decoder.fec_received(row_of(media(number), media(number + 50)), counters) == []
    assert decoder.unused == counters.discarded == 6
    for number in range(2, 40):
        decoder.media_received(media(number))
    assert decoder.unused == counters.discarded > 6
    # Dropped packets cannot help any more.
    assert decoder.fec_received(row_of(early, media(101))) == []
    assert decoder.recovered == 0


def test_fec_packets_that_do_not_match_recover_nothing() -> None:
    decoder = FecDecoder()
    decoder.media_received(media(1, 60))
    forged = build_flexfec(FecPacket([MediaKey(SSRC, 1), MediaKey(SSRC, 2)], 0, 3))
    assert decoder.fec_received(parse_flexfec(forged)) == []
    assert decoder.unused == 1


@given(st.lists(st.binary(max_size=80) | st.just(build_flexfec(row_of(media(1), media(2))))))
def test_any_bytes_to_flexfec(payloads: list[bytes]) -> None:
    decoder = FecDecoder(FecOptions(max_repairs=2, max_packets=2), mutable_extensions=frozenset({1}))
    for payload in payloads:
        with contextlib.suppress(ProtocolError):
            decoder.fec_received(parse_flexfec(payload))
        with contextlib.suppress(ProtocolError):
            decoder.media_received(payload)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=60), st.booleans())))
def test_any_bytes_to_ulpfec(payloads: list[tuple[bytes, bool]]) -> None:
    decoder = FecDecoder(mutable_extensions=frozenset({1}))
    for payload, wrapped in payloads:
        data = RtpPacket(RED_TYPE, 5, 6, SSRC, bytes([FEC_TYPE]) + payload).encode() if wrapped else payload
        with contextlib.suppress(ProtocolError):
            take_ulpfec(decoder, data)
