"""A received video stream by itself, and packets for it."""

from tests.strategies.rtp_pair import VIDEO, VIDEO_SSRC, VP8, vp8_payload
from trio_rtc.protocols.rtp import RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

FIRST = 1000
HEADER = 20
"""Bytes of a packet beside its payload, here."""


def make_stream(
    *,
    frames: bool = False,
    packets: bool = True,
    options: RtpOptions | None = None,
    extensions: ExtensionMap | None = None,
) -> RtpReceiveStream:
    stream = RtpReceiveStream(VIDEO, VIDEO_SSRC, None, options or RtpOptions(), extensions)
    stream.set_demand(frames=frames, packets=packets)
    return stream


def video_packet(number: int, *, keyframe: bool = False) -> RtpPacket:
    """Return a frame of one packet, the ``number``-th."""
    payload = b"\x10" + vp8_payload(number, 50, keyframe=keyframe)
    return RtpPacket(
        96, FIRST + number & 0xFFFF, 3000 * number & 0xFFFFFFFF, VIDEO_SSRC, payload, marker=True
    )


def receive_packet(
    stream: RtpReceiveStream, packet: RtpPacket, now: float, *, retransmitted: bool = False
) -> bool:
    size = HEADER + len(packet.payload)
    return (
        stream.receive(packet, VP8, size, now, retransmitted=retransmitted)
        and stream.remap_forwarded(packet) is not None
    )
