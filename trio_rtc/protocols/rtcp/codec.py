"""Codec of RTCP datagrams: compound packets (RFC 3550 section 6.1) and reduced-size packets (RFC 5506).

Any sequence of packets is parsed and encoded; the rules of composition are left to the scheduler of the packets. One
malformed packet makes the whole datagram malformed. SLI and RPSI are not implemented: they are parsed as
:class:`UnknownPacket`, as is every other unknown type or format.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .congestion_feedback import CongestionControlFeedback
from .extended_report import ExtendedReport
from .feedback import (
    FullIntraRequest,
    GenericNack,
    PayloadFeedbackFormat,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    TransportFeedbackFormat,
)
from .framing import PacketType, add_header, split_packets
from .reports import ReceiverReport, SenderReport
from .source_description import ApplicationDefined, Bye, SourceDescription
from .transport_feedback import TransportFeedback


@attrs.frozen
class UnknownPacket:
    """A packet of an unknown type or feedback format.

    Attributes:
        packet_type: 8 bits.
        count: The five-bit count or feedback format (FMT).
        body: The bytes after the header, without padding.
    """

    packet_type: int
    count: int
    body: bytes

    def encode(self) -> bytes:
        """Return the encoded packet; the body must consist of whole 32-bit words."""
        return add_header(self.packet_type, self.count, self.body)


RtcpPacket: TypeAlias = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Bye
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
    PacketType.BYE: Bye.parse,
    PacketType.APPLICATION_DEFINED: ApplicationDefined.parse,
}
_FORMATS: Final[dict[tuple[int, int], Callable[[bytes], RtcpPacket]]] = {
    (PacketType.TRANSPORT_FEEDBACK, TransportFeedbackFormat.GENERIC_NACK): GenericNack.parse,
    (
        PacketType.TRANSPORT_FEEDBACK,
        TransportFeedbackFormat.CONGESTION_CONTROL,
    ): CongestionControlFeedback.parse,
    (PacketType.TRANSPORT_FEEDBACK, TransportFeedbackFormat.TRANSPORT_WIDE): TransportFeedback.parse,
    (PacketType.PAYLOAD_FEEDBACK, PayloadFeedbackFormat.PICTURE_LOSS): PictureLossIndication.parse,
    (PacketType.PAYLOAD_FEEDBACK, PayloadFeedbackFormat.FULL_INTRA_REQUEST): FullIntraRequest.parse,
}


def parse(data: bytes) -> list[RtcpPacket]:
    """Parse the packets of a datagram.

    Raises:
        ProtocolError: The datagram is empty or a packet in it is malformed.
    """
    if not data:
        raise ProtocolError("RTCP datagram is empty")
    return [_parse_packet(packet_type, count, body) for packet_type, count, body in split_packets(data)]


def _parse_packet(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    if counted := _COUNTED.get(packet_type):
        return counted(count, body)
    if packet_type == PacketType.EXTENDED_REPORT:
        return ExtendedReport.parse(body)
    if with_format := _FORMATS.get((packet_type, count)):
        return with_format(body)
    if (
        packet_type == PacketType.PAYLOAD_FEEDBACK
        and count == PayloadFeedbackFormat.APPLICATION
        and ReceiverEstimatedMaximumBitrate.matches(body)
    ):
        return ReceiverEstimatedMaximumBitrate.parse(body)
    return UnknownPacket(packet_type, count, body)


def encode(packets: Iterable[RtcpPacket]) -> bytes:
    """Return the packets as one datagram.

    Raises:
        ValueError: A value does not fit its field.
    """
    try:
        return b"".join([packet.encode() for packet in packets])
    except struct.error as error:
        raise ValueError(f"RTCP packet has a value out of its field's range: {error}") from error


def encode_datagrams(
    packets: Iterable[RtcpPacket], max_size: int, *, head: Iterable[RtcpPacket] = ()
) -> list[bytes]:
    """Return datagrams of at most ``max_size`` bytes that hold the packets in order.

    Args:
        packets: The packets to send; the first datagram begins with the first of them.
        max_size: Maximum bytes of a datagram.
        head: Packets at the beginning of every datagram but the first. A compound packet must begin with a report and
            contain the sender's CNAME (RFC 3550 section 6.1); without a head, all datagrams but the first are
            reduced-size RTCP (RFC 5506).

    Raises:
        ValueError: A packet does not fit ``max_size`` (with the head), or a value does not fit its field.
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
            raise ValueError(
                f"max_size must be at least {len(datagram) + len(encoded)} to hold an RTCP packet of"
                f" {len(encoded)} bytes, not {max_size}"
            )
        datagram += encoded
    if datagram != begun:
        datagrams.append(datagram)
    return datagrams
