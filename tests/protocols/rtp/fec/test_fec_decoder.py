"""Recovery of lost packets by FlexFEC-03 and ULPFEC."""

import contextlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.fec_packets import (
    FEC_TYPE,
    MEDIA_TYPE,
    RED_TYPE,
    SSRC,
    flexfec_encoder,
    media,
    row_of,
    ulpfec_encoder,
)
from tests.strategies.line_count import count_lines
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey
from trio_rtc.protocols.rtp.fec.flexfec import build_flexfec, parse_flexfec
from trio_rtc.protocols.rtp.fec.red import build_red
from trio_rtc.protocols.rtp.fec.ulpfec import parse_ulpfec, unwrap_red
from trio_rtc.protocols.rtp.options import FecOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.stats import FecCounters

SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=30)


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


def test_one_recovered_packet_helps_to_recover_another() -> None:
    first, second, third = media(1), media(2), media(3)
    decoder = FecDecoder()
    assert decoder.fec_received(row_of(first, second)) == []
    assert decoder.fec_received(row_of(second, third)) == []
    assert decoder.media_received(third) == [second, first]


def test_a_packet_that_all_wait_for_costs_no_exclusive_or_over_the_others() -> None:
    """64 FEC packets that wait for one packet would otherwise cost as many times all packets that are kept."""
    awaited = media(1)

    def recover(kept: int) -> tuple[int, list[bytes], list[bytes]]:
        decoder = FecDecoder()
        received = [media(100 + number) for number in range(kept)]
        lost = [media(2 + number) for number in range(64)]
        for packet in received:
            decoder.media_received(packet)
        for packet in lost:
            assert decoder.fec_received(row_of(awaited, packet, *received)) == []
        recovered: list[bytes] = []
        lines = count_lines(lambda: recovered.extend(decoder.media_received(awaited)))
        return lines, recovered, lost

    lines, recovered, lost = recover(400)
    assert recovered == lost
    assert lines == recover(4)[0]


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
