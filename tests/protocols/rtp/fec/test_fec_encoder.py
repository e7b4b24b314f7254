"""FEC packets for packets that are sent."""

import pytest

from tests.strategies.fec_packets import SSRC, flexfec_encoder, media, ulpfec_encoder
from trio_rtc.protocols.rtp.fec import flexfec
from trio_rtc.protocols.rtp.fec.decoder import FecDecoder
from trio_rtc.protocols.rtp.fec.flexfec import parse_flexfec
from trio_rtc.protocols.rtp.fec.ulpfec import parse_ulpfec
from trio_rtc.protocols.rtp.options import FecOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket


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
