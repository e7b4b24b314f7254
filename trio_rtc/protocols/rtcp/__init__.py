"""RTCP, the codec: reports, descriptions and feedback, as bytes and as values.

RFC 3550, 5506 (reduced size), 4585 and 5104 (feedback), 3611 (extended reports), 8888 and
draft-holmer-rmcat-transport-wide-cc-extensions-01 (congestion control), draft-alvestrand-rmcat-remb-03.
"""

from .codec import RtcpPacket, UnknownPacket, encode, encode_datagrams, parse
from .congestion_feedback import ArrivalReport, CongestionControlFeedback, StreamReport
from .description import ApplicationDefined, Goodbye, ItemType, SourceDescription, SourceDescriptionChunk
from .extended_report import DelaySinceLastReceiverReport, ExtendedReport
from .feedback import (
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
)
from .framing import PacketType
from .ntp import (
    compact_from_seconds,
    compact_ntp,
    ntp_from_unix,
    round_trip_time,
    seconds_from_compact,
    unix_from_ntp,
)
from .reports import ReceiverReport, ReportBlock, SenderReport
from .transport_feedback import REFERENCE_BITS, TransportFeedback

__all__ = [
    "REFERENCE_BITS",
    "ApplicationDefined",
    "ArrivalReport",
    "CongestionControlFeedback",
    "DelaySinceLastReceiverReport",
    "ExtendedReport",
    "FullIntraRequest",
    "GenericNack",
    "Goodbye",
    "ItemType",
    "PacketType",
    "PictureLossIndication",
    "ReceiverEstimatedMaximumBitrate",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "SourceDescriptionChunk",
    "StreamReport",
    "TransportFeedback",
    "UnknownPacket",
    "compact_from_seconds",
    "compact_ntp",
    "encode",
    "encode_datagrams",
    "ntp_from_unix",
    "parse",
    "round_trip_time",
    "seconds_from_compact",
    "unix_from_ntp",
]
