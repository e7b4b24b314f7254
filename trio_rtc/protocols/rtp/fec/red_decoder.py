"""Decoders of RED packets (RFC 2198): audio with redundant payloads, and video with ULPFEC.

Both return the media packets of a RED packet, its own and the recovered ones, each as it would be without RED. Blocks
with payload types that were not negotiated are ignored.
"""

from collections.abc import Mapping
from typing import NamedTuple

from trio_rtc.protocols.rtp.options import RedOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.parameters import Codec, CodecRole
from trio_rtc.protocols.rtp.stats import FecCounters

from .decoder import FecDecoder
from .red import RedPayloadReader
from .ulpfec import parse_ulpfec, unwrap_red


class UnpackedPacket(NamedTuple):
    """A media packet from a RED packet.

    Attributes:
        packet: The packet as it would be without RED.
        recovered: Whether it is another packet than the received one.
    """

    packet: RtpPacket
    recovered: bool


class RedDecoder:
    """Decodes the RED packets of one audio stream."""

    def __init__(self, options: RedOptions) -> None:
        self._receiver = RedPayloadReader(options)

    def media_received(self, number: int, timestamp: int) -> None:
        """Record a packet that was received without RED."""
        self._receiver.media_received(number, timestamp)

    def counters(self) -> dict[str, float]:
        """Return the counters, by names for statistics."""
        return {"red_recovered": self._receiver.recovered, "red_duplicates": self._receiver.duplicates}

    def unpack(
        self,
        packet: RtpPacket,
        number: int,
        timestamp: int,
        codecs: Mapping[int, Codec],
        counters: FecCounters,
    ) -> list[UnpackedPacket]:
        """Return the new media packets of a RED packet, the oldest first.

        Args:
            packet: The RED packet.
            number: Its unwrapped sequence number.
            timestamp: Its unwrapped timestamp.
            codecs: The codecs of the section by payload type.
            counters: The counters of redundant blocks.

        Raises:
            ProtocolError: Its payload is malformed.
        """
        unpacked = []
        for part in self._receiver.received(number, timestamp, packet.payload, counters):
            codec = codecs.get(part.payload_type)
            if codec is None or codec.role is not CodecRole.MEDIA:
                continue
            own = not part.recovered
            media = RtpPacket(
                part.payload_type,
                part.sequence_number & 0xFFFF,
                part.timestamp & 0xFFFFFFFF,
                packet.ssrc,
                part.payload,
                packet.marker and own,
                packet.csrcs,
                packet.extensions if own else (),
            )
            unpacked.append(UnpackedPacket(media, part.recovered))
        return unpacked


class UlpfecDecoder:
    """Decodes the RED packets of one video stream that is protected by ULPFEC.

    Args:
        ulpfec: The payload type of ULPFEC.
        decoder: The decoder that recovers packets.
    """

    def __init__(self, ulpfec: int, decoder: FecDecoder) -> None:
        self._ulpfec = ulpfec
        self._decoder = decoder

    def end(self) -> None:
        """Release the packets kept for recovery."""
        self._decoder.discard()

    def counters(self) -> dict[str, float]:
        """Return the counters, by names for statistics."""
        return fec_counters("ulpfec", self._decoder)

    def unpack(
        self, packet: RtpPacket, data: bytes, codecs: Mapping[int, Codec], counters: FecCounters
    ) -> list[UnpackedPacket]:
        """Return the media packet in a RED packet, unless it is an FEC packet, and the packets that it recovers.

        Args:
            packet: The RED packet.
            data: Its bytes.
            codecs: The codecs of the section by payload type.
            counters: The counters of FEC packets.

        Raises:
            ProtocolError: Its payload is malformed.
        """
        inner = unwrap_red(data)
        own = RtpPacket.parse(inner)
        packets: list[UnpackedPacket] = []
        if own.payload_type == self._ulpfec:
            counters.packets += 1
            counters.bytes += len(own.payload)
            recovered = self._decoder.fec_received(parse_ulpfec(own.payload, own.ssrc), counters)
        else:
            packets.append(UnpackedPacket(own, False))
            recovered = self._decoder.media_received(inner)
        packets += (UnpackedPacket(RtpPacket.parse(each), True) for each in recovered)
        return [
            each
            for each in packets
            if (codec := codecs.get(each.packet.payload_type)) is not None
            and codec.role is CodecRole.MEDIA
            and each.packet.ssrc == packet.ssrc
        ]


def fec_counters(name: str, decoder: FecDecoder) -> dict[str, float]:
    """Return the counters of an FEC decoder, by names for statistics."""
    return {
        f"{name}_recovered": decoder.recovered,
        f"{name}_repairs": decoder.fec_packets,
        f"{name}_unused": decoder.unused,
    }
