"""RTCP codec: parses and encodes reports, source descriptions and feedback.

Implements RFC 3550, RFC 5506 (reduced size), RFC 4585 and RFC 5104 (feedback), RFC 3611 (extended reports), RFC 8888
and draft-holmer-rmcat-transport-wide-cc-extensions-01 (congestion control), and draft-alvestrand-rmcat-remb-03.
"""

from .codec import RtcpPacket, UnknownPacket, encode, encode_datagrams, parse
from .congestion_feedback import ArrivalReport, CongestionControlFeedback, StreamReport
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
from .source_description import ApplicationDefined, Bye, ItemType, SourceDescription, SourceDescriptionChunk
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
    "Bye",
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
