"""Two ends of RTP in one process, without a network: a session under test, and a peer that can send anything."""

import random
from collections.abc import Iterable, Sequence

from trio_rtc.protocols.rtcp import RtcpPacket, encode, parse
from trio_rtc.protocols.rtp import (
    Codec,
    EncodedFrame,
    Encoding,
    ReceiveParameters,
    RtpEvent,
    RtpOptions,
    RtpPacket,
    RtpSession,
    SendParameters,
)
from trio_rtc.protocols.srtp import SrtpSession

PROFILE = "SRTP_AEAD_AES_128_GCM"
VP8 = Codec(96, "VP8", 90_000, feedback=("nack", "nack pli"), rtx_payload_type=97)
RTX = Codec(97, "rtx", 90_000, parameters={"apt": "96"})
OPUS = Codec(111, "opus", 48_000, 2)
SSRC, RTX_SSRC = 0x1111, 0x2222
# A whole keyframe of VP8 in one packet: descriptor, frame tag, start code, 16 by 16 pixels.
KEYFRAME = bytes([0x10, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 16, 0, 16, 0, 1, 2, 3])


class RtpSide:
    """A session with keys, and the SRTP keys of its scripted peer.

    Attributes:
        session: The session under test.
        now: Virtual time.
        peer: The peer's keys.
    """

    def __init__(
        self,
        sending: Sequence[SendParameters] = (),
        receiving: Sequence[ReceiveParameters] = (),
        options: RtpOptions | None = None,
    ) -> None:
        rng = random.Random(7)
        keys = [(rng.randbytes(16), rng.randbytes(12)) for _ in range(2)]
        self.now = 100.0
        self.session = RtpSession(options or RtpOptions(), rng=rng, wall_clock=1.7e9, cname="us")
        self.peer = SrtpSession(PROFILE, *keys[0], *keys[1])
        self.session.set_keys(SrtpSession(PROFILE, *keys[1], *keys[0]), self.now)
        self.session.set_sections(sending, receiving, self.now)

    def receive(self, *packets: RtpPacket) -> list[RtpEvent]:
        """Receive RTP packets from the peer, and return the events."""
        self.session.receive([self.peer.protect(packet.encode()) for packet in packets], self.now)
        return self.session.events()

    def receive_rtcp(self, *packets: RtcpPacket) -> list[RtpEvent]:
        """Receive a compound RTCP packet from the peer, and return the events."""
        self.session.receive([self.peer.protect_rtcp(encode(packets))], self.now)
        return self.session.events()

    def sent(self) -> tuple[list[RtpPacket], list[RtcpPacket]]:
        """Return the packets sent now, decrypted by the peer."""
        media: list[RtpPacket] = []
        control: list[RtcpPacket] = []
        for data in self.session.datagrams_to_send(self.now):
            if 192 <= data[1] < 224:
                clear = self.peer.unprotect_rtcp(data)
                assert clear is not None
                control += parse(clear)
            elif (clear := self.peer.unprotect(data)) is not None:
                media.append(RtpPacket.parse(clear))
        return media, control

    def run(self, seconds: float, step: float = 0.005) -> list[RtpPacket]:
        """Advance time, and return the media packets sent."""
        media: list[RtpPacket] = []
        end = self.now + seconds
        while self.now < end:
            self.now += step
            self.session.handle_timer(self.now)
            media += self.sent()[0]
        return media


def sends(
    *codecs: Codec,
    extensions: dict[int, str] | None = None,
    mid: str = "0",
    kind: str = "video",
    **fields: int,
) -> SendParameters:
    """Return a section that sends one stream."""
    encoding = Encoding(SSRC, RTX_SSRC if kind == "video" else None)
    return SendParameters(mid, kind, codecs, (encoding,), extensions or {}, reduced_size_rtcp=True)


def frame(size: int = 1000, timestamp: int = 0, *, keyframe: bool = True) -> EncodedFrame:
    """Return a video frame."""
    return EncodedFrame(bytes(size), timestamp, 90_000, "VP8", keyframe)


def media(
    numbers: Iterable[int],
    *,
    ssrc: int = 7,
    payload: bytes = KEYFRAME,
    payload_type: int = 96,
    marker: bool = True,
) -> list[RtpPacket]:
    """Return packets from the peer, a video frame in each."""
    return [
        RtpPacket(payload_type, number & 0xFFFF, 3000 * number, ssrc, payload, marker) for number in numbers
    ]
