"""Media out of redundant packets (RFC 2198): of sound with its predecessors, of video with ULPFEC beside it.

Both take a packet of RED's payload type and return the packets of media that it brings, its own and those that are got
back, each as it would have come without redundancy. What RED carries is told by payload types that were negotiated;
what they do not tell is left out.
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
    """A packet of media.

    Attributes:
        packet: As it would have come without redundancy.
        recovered: Whether it is another one than the one that has come.
    """

    packet: RtpPacket
    recovered: bool


class RedDecoder:
    """Unpacks the redundant packets of one stream of sound."""

    def __init__(self, options: RedOptions) -> None:
        self._receiver = RedPayloadReader(options)

    def media_received(self, number: int, timestamp: int) -> None:
        """Hear of a packet that came without redundancy."""
        self._receiver.media_received(number, timestamp)

    def counters(self) -> dict[str, float]:
        """Return what was counted, by names for statistics."""
        return {"red_recovered": self._receiver.recovered, "red_duplicates": self._receiver.duplicates}

    def unpack(
        self,
        packet: RtpPacket,
        number: int,
        timestamp: int,
        codecs: Mapping[int, Codec],
        counters: FecCounters,
    ) -> list[UnpackedPacket]:
        """Return what is new in a packet, the oldest first.

        Args:
            packet: As it came.
            number: Its sequence number, unwrapped.
            timestamp: The same.
            codecs: Of the section, by payload type.
            counters: In which redundant blocks count.

        Raises:
            ProtocolError: It is malformed.
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
    """Unpacks the packets of one stream of video that is protected by ULPFEC.

    Args:
        ulpfec: Its payload type.
        decoder: Recovers packets.
    """

    def __init__(self, ulpfec: int, decoder: FecDecoder) -> None:
        self._ulpfec = ulpfec
        self._decoder = decoder

    def end(self) -> None:
        """Drop what is kept to recover packets."""
        self._decoder.discard()

    def counters(self) -> dict[str, float]:
        """Return what was counted, by names for statistics."""
        return fec_counters("ulpfec", self._decoder)

    def unpack(
        self, packet: RtpPacket, data: bytes, codecs: Mapping[int, Codec], counters: FecCounters
    ) -> list[UnpackedPacket]:
        """Return the media in a packet, and what it helps to get back; nothing of media for a repair packet.

        Args:
            packet: As it came.
            data: Its bytes.
            codecs: Of the section, by payload type.
            counters: In which repair packets count.

        Raises:
            ProtocolError: It is malformed.
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
    """Return what an erasure decoder has counted, by names for statistics."""
    return {
        f"{name}_recovered": decoder.recovered,
        f"{name}_repairs": decoder.repairs,
        f"{name}_unused": decoder.unused,
    }
