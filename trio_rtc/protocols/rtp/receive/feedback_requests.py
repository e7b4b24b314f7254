"""What is asked of a source that we receive, in the words of RTCP."""

from trio_rtc.protocols.rtcp import FullIntraRequest, GenericNack, PictureLossIndication, RtcpPacket
from trio_rtc.protocols.rtp.parameters import FEEDBACK_FIR, FEEDBACK_PLI

from .stream import RtpReceiveStream


def take_requests(stream: RtpReceiveStream, own_ssrc: int, now: float, max_size: int) -> list[RtcpPacket]:
    """Return what is to be asked now: packets that are missing, a keyframe. It counts as asked.

    Args:
        stream: The one that receives the source.
        own_ssrc: Who asks.
        now: Seconds.
        max_size: Bytes of the largest packet.
    """
    packets: list[RtcpPacket] = []
    missing = stream.take_nacks(now)
    if missing:
        packets += GenericNack.build(own_ssrc, stream.ssrc, missing, max_size)
        stream.counters.nacks_sent += len(packets)
    if stream.take_keyframe_request(now):
        if stream.takes(FEEDBACK_PLI):
            stream.counters.plis_sent += 1
            packets.append(PictureLossIndication(own_ssrc, stream.ssrc))
        elif stream.takes(FEEDBACK_FIR):
            packets.append(FullIntraRequest(own_ssrc, ((stream.ssrc, stream.counters.firs_sent & 0xFF),)))
            stream.counters.firs_sent += 1
    return packets
