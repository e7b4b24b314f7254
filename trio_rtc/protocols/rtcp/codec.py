"""RTCP datagrams: compound packets (RFC 3550 section 6.1), and those of reduced size (RFC 5506).

Which packets belong in one datagram is for those who schedule them; here any sequence is read and written. A datagram
in which one packet is malformed is malformed as a whole. Left out: SLI and RPSI, which come out as
:class:`UnknownPacket`.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import attrs

from trio_rtc.errors import ProtocolError

from .congestion_feedback import CongestionControlFeedback
from .description import ApplicationDefined, Goodbye, SourceDescription
from .extended_report import ExtendedReport
from .feedback import (
    FullIntraRequest,
    GenericNack,
    PayloadFormat,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    TransportFormat,
)
from .framing import PacketType, frame, split
from .reports import ReceiverReport, SenderReport
from .transport_feedback import TransportFeedback


@attrs.frozen
class UnknownPacket:
    """A packet of a type or format that is not understood here.

    Attributes:
        packet_type: 8 bits.
        count: The five bits that count or name the format.
        body: What follows the header, without padding.
    """

    packet_type: int
    count: int
    body: bytes

    def encode(self) -> bytes:
        """Return the packet, whose body must have whole words."""
        return frame(self.packet_type, self.count, self.body)


RtcpPacket: TypeAlias = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | ApplicationDefined
    | GenericNack
    | TransportFeedback
    | CongestionControlFeedback
    | PictureLossIndication
    | FullIntraRequest
    | ReceiverEstimatedMaximumBitrate
    | ExtendedReport
    | UnknownPacket
)

_COUNTED: Final[dict[int, Callable[[int, bytes], RtcpPacket]]] = {
    PacketType.SENDER_REPORT: SenderReport.parse,
    PacketType.RECEIVER_REPORT: ReceiverReport.parse,
    PacketType.SOURCE_DESCRIPTION: SourceDescription.parse,
    PacketType.GOODBYE: Goodbye.parse,
    PacketType.APPLICATION_DEFINED: ApplicationDefined.parse,
}
_FORMATS: Final[dict[tuple[int, int], Callable[[bytes], RtcpPacket]]] = {
    (PacketType.TRANSPORT_FEEDBACK, TransportFormat.GENERIC_NACK): GenericNack.parse,
    (PacketType.TRANSPORT_FEEDBACK, TransportFormat.CONGESTION_CONTROL): CongestionControlFeedback.parse,
    (PacketType.TRANSPORT_FEEDBACK, TransportFormat.TRANSPORT_WIDE): TransportFeedback.parse,
    (PacketType.PAYLOAD_FEEDBACK, PayloadFormat.PICTURE_LOSS): PictureLossIndication.parse,
    (PacketType.PAYLOAD_FEEDBACK, PayloadFormat.FULL_INTRA_REQUEST): FullIntraRequest.parse,
}


def parse(data: bytes) -> list[RtcpPacket]:
    """Read the packets of a datagram.

    Raises:
        ProtocolError: Anything in it is malformed, or it is empty.
    """
    if not data:
        raise ProtocolError("an empty RTCP datagram")
    return [_parse_packet(packet_type, count, body) for packet_type, count, body in split(data)]


def _parse_packet(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    if counted := _COUNTED.get(packet_type):
        return counted(count, body)
    if packet_type == PacketType.EXTENDED_REPORT:
        return ExtendedReport.parse(body)
    if with_format := _FORMATS.get((packet_type, count)):
        return with_format(body)
    if (
        packet_type == PacketType.PAYLOAD_FEEDBACK
        and count == PayloadFormat.APPLICATION
        and ReceiverEstimatedMaximumBitrate.is_in(body)
    ):
        return ReceiverEstimatedMaximumBitrate.parse(body)
    return UnknownPacket(packet_type, count, body)


def encode(packets: Iterable[RtcpPacket]) -> bytes:
    """Return the datagram of packets.

    Raises:
        ValueError: A value does not fit its field.
    """
    try:
        return b"".join([packet.encode() for packet in packets])
    except struct.error as error:
        raise ValueError(f"a value does not fit its field in RTCP: {error}") from error


def encode_datagrams(
    packets: Iterable[RtcpPacket], max_size: int, *, head: Iterable[RtcpPacket] = ()
) -> list[bytes]:
    """Return datagrams of at most ``max_size`` bytes that hold packets in their order.

    Args:
        packets: What is sent; the first datagram begins with the first of them.
        max_size: Bytes of a datagram at most.
        head: What every other datagram begins with. A compound begins with a report and has the sender's CNAME (RFC
            3550 section 6.1); without a head the datagrams are for peers that take reduced-size RTCP (RFC 5506).

    Raises:
        ValueError: A single packet is larger, or does not fit behind the head, or a value does not fit its field.
    """
    datagrams: list[bytes] = []
    begin = encode(head)
    datagram = begun = b""
    for packet in packets:
        encoded = encode([packet])
        if datagram != begun and len(datagram) + len(encoded) > max_size:
            datagrams.append(datagram)
            datagram = begun = begin
        if len(datagram) + len(encoded) > max_size:
            raise ValueError(f"an RTCP packet of {len(encoded)} bytes does not fit {max_size} bytes")
        datagram += encoded
    if datagram != begun:
        datagrams.append(datagram)
    return datagrams
