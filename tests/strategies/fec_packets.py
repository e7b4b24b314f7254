"""Media packets and FEC packets for the tests of forward error correction."""

from trio_rtc.protocols.rtp.fec import flexfec, ulpfec
from trio_rtc.protocols.rtp.fec.encoder import FecEncoder
from trio_rtc.protocols.rtp.fec.fec_packet import FecPacket, MediaKey, media_bits
from trio_rtc.protocols.rtp.fec.flexfec import build_flexfec
from trio_rtc.protocols.rtp.fec.ulpfec import build_ulpfec
from trio_rtc.protocols.rtp.options import FecOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket

SSRC, FEC_TYPE, RED_TYPE, MEDIA_TYPE = 0x01020304, 117, 116, 96


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
