"""RTP and RTCP packets exchanged with aiortc's parsers and serializers."""

from typing import Any

import pytest
from aiortc import rtp as foreign
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters

from trio_rtc.protocols.rtcp import (
    Bye,
    FullIntraRequest,
    GenericNack,
    ItemType,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    SourceDescriptionChunk,
    encode,
    parse,
)
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    REPAIRED_RTP_STREAM_ID,
    RTP_STREAM_ID,
    TRANSPORT_WIDE_CC,
    ExtensionMap,
    encode_audio_level,
    encode_text,
    encode_transport_sequence_number,
)

OUR_BLOCK = ReportBlock(0xCAFE, 17, -3, 0x10005, 44, 0xAABBCCDD, 99)
THEIR_BLOCK = foreign.RtcpReceiverInfo(0xCAFE, 17, -3, 0x10005, 44, 0xAABBCCDD, 99)
LOST = [100, 101, 104, 1000]

PAIRS = [
    pytest.param(
        SenderReport(1, 0x1122334455667788, 2, 3, 4, (OUR_BLOCK,)),
        foreign.RtcpSrPacket(1, foreign.RtcpSenderInfo(0x1122334455667788, 2, 3, 4), [THEIR_BLOCK]),
        id="sender-report",
    ),
    pytest.param(
        ReceiverReport(1, (OUR_BLOCK, OUR_BLOCK)),
        foreign.RtcpRrPacket(1, [THEIR_BLOCK, THEIR_BLOCK]),
        id="receiver-report",
    ),
    pytest.param(
        SourceDescription((SourceDescriptionChunk(1, ((ItemType.CNAME, b"a@b.c"),)),)),
        foreign.RtcpSdesPacket([foreign.RtcpSourceInfo(1, [(1, b"a@b.c")])]),
        id="source-description",
    ),
    pytest.param(Bye((1, 2)), foreign.RtcpByePacket([1, 2]), id="goodbye"),
    pytest.param(
        PictureLossIndication(1, 2), foreign.RtcpPsfbPacket(foreign.RTCP_PSFB_PLI, 1, 2), id="picture-loss"
    ),
    pytest.param(
        FullIntraRequest(1, ((2, 3),)),
        foreign.RtcpPsfbPacket(foreign.RTCP_PSFB_FIR, 1, 0, bytes([0, 0, 0, 2, 3, 0, 0, 0])),
        id="full-intra-request",
    ),
    pytest.param(
        ReceiverEstimatedMaximumBitrate(1, 4_000_000, (7, 8)),
        foreign.RtcpPsfbPacket(foreign.RTCP_PSFB_APP, 1, 0, foreign.pack_remb_fci(4_000_000, [7, 8])),
        id="remb",
    ),
    pytest.param(
        GenericNack(1, 2, ((100, 0b1001), (1000, 0))),
        foreign.RtcpRtpfbPacket(foreign.RTCP_RTPFB_NACK, 1, 2, LOST),
        id="nack",
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_rtcp_packets_are_equal(ours: RtcpPacket, theirs: foreign.AnyRtcpPacket) -> None:
    data = encode([ours])
    assert parse(bytes(theirs)) == [ours]
    assert foreign.RtcpPacket.parse(data) == [theirs]


def test_compound_packets_are_equal() -> None:
    ours: list[Any] = [pair.values[0] for pair in PAIRS]
    theirs: list[Any] = [pair.values[1] for pair in PAIRS]
    assert foreign.RtcpPacket.parse(encode(ours)) == theirs
    assert parse(b"".join(map(bytes, theirs))) == ours


def test_lost_packets_are_equal() -> None:
    (nack,) = GenericNack.build(1, 2, LOST, 1200)
    (theirs,) = foreign.RtcpPacket.parse(encode([nack]))
    assert isinstance(theirs, foreign.RtcpRtpfbPacket)
    assert theirs.lost == LOST == nack.sequence_numbers


URIS = {
    1: MID,
    2: RTP_STREAM_ID,
    3: REPAIRED_RTP_STREAM_ID,
    4: AUDIO_LEVEL,
    5: ABS_SEND_TIME,
    6: TRANSPORT_WIDE_CC,
}


def their_map() -> foreign.HeaderExtensionsMap:
    extensions = foreign.HeaderExtensionsMap()
    extensions.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in URIS.items()
            ]
        )
    )
    return extensions


def test_we_parse_their_rtp() -> None:
    packet = foreign.RtpPacket(96, 1, 0xFFFE, 0xFFFFFFFD, 0xFFFFFFFC, b"payload")
    packet.csrc = [5, 6]
    packet.padding_size = 4
    packet.extensions.mid = "audio"
    packet.extensions.rtp_stream_id = "h"
    packet.extensions.repaired_rtp_stream_id = "l"
    packet.extensions.audio_level = (True, 12)
    packet.extensions.abs_send_time = 77
    packet.extensions.transport_sequence_number = 0xABCD
    read = RtpPacket.parse(packet.serialize(their_map()))
    assert (read.payload_type, read.marker, read.sequence_number, read.timestamp, read.ssrc) == (
        (96, True, 0xFFFE, 0xFFFFFFFD, 0xFFFFFFFC)
    )
    assert (read.payload, read.csrcs, read.padding_size) == (b"payload", (5, 6), 4)
    values = ExtensionMap(URIS).read(read.extensions)
    assert (values.mid, values.rid, values.repaired_rid) == ("audio", "h", "l")
    assert (values.audio_level, values.voice) == (12, True)
    assert (values.send_time, values.transport_sequence_number) == (77, 0xABCD)


@pytest.mark.parametrize("mid", ["0", "a mid longer than sixteen bytes"], ids=["one-byte", "two-byte"])
def test_they_parse_our_rtp(mid: str) -> None:
    elements = (
        (1, encode_text(mid)),
        (4, encode_audio_level(30, voice=False)),
        (6, encode_transport_sequence_number(9)),
    )
    packet = RtpPacket(96, 7, 8, 9, b"payload", True, (5,), elements, 3)
    read = foreign.RtpPacket.parse(packet.encode(), their_map())
    assert (read.payload_type, read.marker, read.sequence_number, read.timestamp, read.ssrc) == (
        96,
        1,
        7,
        8,
        9,
    )
    assert (read.payload, read.csrc, read.padding_size) == (b"payload", [5], 3)
    assert (read.extensions.mid, read.extensions.transport_sequence_number) == (mid, 9)
    assert tuple(read.extensions.audio_level) == (False, 30)
