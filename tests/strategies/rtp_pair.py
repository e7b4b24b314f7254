"""Two RTP sessions joined by a network that can lose, delay and count, in virtual time."""

import heapq
import math
import random
from collections.abc import Callable
from typing import Any

import attrs

from trio_rtc.protocols.rtp import (
    BitratesChanged,
    Codec,
    Concealment,
    EncodedFrame,
    Encoding,
    FramesReceived,
    KeyframeRequested,
    PacketsReceived,
    ReceiveParameters,
    RtpEvent,
    RtpOptions,
    RtpPacket,
    RtpSession,
    SendParameters,
)
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    REPAIRED_RTP_STREAM_ID,
    RTP_STREAM_ID,
    TRANSPORT_WIDE_CC,
)
from trio_rtc.protocols.srtp import SrtpSession

EXTENSIONS = {
    1: AUDIO_LEVEL,
    2: ABS_SEND_TIME,
    3: TRANSPORT_WIDE_CC,
    4: MID,
    10: RTP_STREAM_ID,
    11: REPAIRED_RTP_STREAM_ID,
}
NAMES_ONLY = {4: MID, 10: RTP_STREAM_ID, 11: REPAIRED_RTP_STREAM_ID}
VIDEO_FEEDBACK = ("nack", "nack pli", "ccm fir", "transport-cc", "goog-remb")
VP8 = Codec(96, "VP8", 90000, feedback=VIDEO_FEEDBACK, rtx_payload_type=97)
VP8_RTX = Codec(97, "rtx", 90000, parameters={"apt": "96"})
OPUS = Codec(111, "opus", 48000, 2, feedback=("transport-cc",))
RED_AUDIO = Codec(63, "red", 48000, 2, parameters={"": "111/111"})
RED_VIDEO = Codec(118, "red", 90000, rtx_payload_type=119)
RED_RTX = Codec(119, "rtx", 90000, parameters={"apt": "118"})
ULPFEC = Codec(120, "ulpfec", 90000)
FLEXFEC = Codec(35, "flexfec-03", 90000)
TELEPHONE_EVENT = Codec(110, "telephone-event", 48000)
COMFORT_NOISE = Codec(13, "CN", 48000)

VIDEO, AUDIO = "0", "1"
VIDEO_SSRC, RTX_SSRC, FEC_SSRC, AUDIO_SSRC = 1000, 1001, 1002, 2000
PROFILE = "SRTP_AEAD_AES_128_GCM"
_KEYS = (bytes(range(16)), bytes(range(16, 32)))
_SALTS = (bytes(12), bytes(range(12)))


def srtp_pair() -> tuple[SrtpSession, SrtpSession]:
    """Return the SRTP sessions of both ends."""
    (key, other_key), (salt, other_salt) = _KEYS, _SALTS
    return (
        SrtpSession(PROFILE, key, salt, other_key, other_salt),
        SrtpSession(PROFILE, other_key, other_salt, key, salt),
    )


def make_session(seed: int, options: RtpOptions | None = None) -> RtpSession:
    return RtpSession(
        options or RtpOptions(), rng=random.Random(seed), wall_clock=1_700_000_000.0, cname=f"name{seed}"
    )


def video_section(*codecs: Codec, fec: bool = False, **changes: Any) -> SendParameters:
    encoding = Encoding(VIDEO_SSRC, RTX_SSRC, fec_ssrc=FEC_SSRC if fec else None)
    section = SendParameters(VIDEO, "video", codecs or (VP8, VP8_RTX), (encoding,), EXTENSIONS, True)
    return attrs.evolve(section, **changes)


def audio_section(*codecs: Codec, **changes: Any) -> SendParameters:
    section = SendParameters(AUDIO, "audio", codecs or (OPUS,), (Encoding(AUDIO_SSRC),), EXTENSIONS, True)
    return attrs.evolve(section, **changes)


def received(section: SendParameters, **changes: Any) -> ReceiveParameters:
    """Return the section as the receiver configures it, with the sender's SSRCs announced."""
    ssrcs: dict[int, str | None] = {}
    rtx_ssrcs: dict[int, int] = {}
    fec_ssrcs: dict[int, int] = {}
    for encoding in section.encodings:
        ssrcs[encoding.ssrc] = None
        for announced, repair in ((rtx_ssrcs, encoding.rtx_ssrc), (fec_ssrcs, encoding.fec_ssrc)):
            if repair is not None:
                announced[repair] = encoding.ssrc
    parameters = ReceiveParameters(
        section.mid,
        section.kind,
        section.codecs,
        section.extensions,
        ssrcs,
        rtx_ssrcs,
        fec_ssrcs,
        section.active,
    )
    return attrs.evolve(parameters, **changes)


def vp8_payload(number: int, size: int, *, keyframe: bool) -> bytes:
    """Return a VP8 frame that satisfies a packetizer."""
    head = bytes([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xF0, 0x00]) if keyframe else b"\x11\0\0"
    return head + number.to_bytes(4, "big") + random.Random(number).randbytes(size)


def video_frame(number: int, now: float, size: int = 2500, *, keyframe: bool | None = None) -> EncodedFrame:
    is_key = number == 0 if keyframe is None else keyframe
    return EncodedFrame(vp8_payload(number, size, keyframe=is_key), round(now * 90000), 90000, "VP8", is_key)


def audio_frame(number: int, now: float, size: int = 60) -> EncodedFrame:
    payload = b"\xfc" + number.to_bytes(4, "big") + random.Random(number).randbytes(size)
    return EncodedFrame(payload, round(now * 48000), 48000, "opus", audio_level=30)


@attrs.define
class Side:
    """One session with its events, frames and packets."""

    session: RtpSession
    events: list[RtpEvent] = attrs.Factory(list)
    played: list[tuple[float, str, EncodedFrame | Concealment]] = attrs.Factory(list)
    packets: list[RtpPacket] = attrs.Factory(list)
    datagrams: list[bytes] = attrs.Factory(list)

    def frames(self, mid: str) -> list[EncodedFrame]:
        return [each for _, where, each in self.played if where == mid and isinstance(each, EncodedFrame)]

    def concealed(self, mid: str) -> list[Concealment]:
        return [each for _, where, each in self.played if where == mid and isinstance(each, Concealment)]


def never(_: bytes) -> bool:
    return False


class Pair:
    """Alice sends to Bob in virtual time."""

    def __init__(
        self,
        options: RtpOptions | None = None,
        *,
        keys: bool = True,
        delay: float = 0.02,
        start: float = 100.0,
    ) -> None:
        self.now = start
        self.delay = delay
        self.drop: Callable[[bytes], bool] = never
        self.drop_back: Callable[[bytes], bool] = never
        self.alice = Side(make_session(1, options))
        self.bob = Side(make_session(2, options))
        self.dropped = 0
        self._in_flight: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._next_frame = start
        self._next_audio = start
        self.sent_at: dict[bytes, float] = {}
        self.video_frames = 0
        self.keyframe_requests = 0
        self._keyframe_requested = False
        self.audio_frames = 0
        if keys:
            self.set_keys()

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.alice, self.bob

    def set_keys(self) -> None:
        for side, srtp in zip(self.sides, srtp_pair(), strict=True):
            side.session.set_keys(srtp, self.now)

    def negotiate(self, *sections: SendParameters, **changes: Any) -> None:
        """Configure Alice to send sections, and Bob to receive and consume them."""
        self.alice.session.set_sections(sections, [], self.now)
        # As for an answer with recvonly, each section is in both lists.
        silent = [attrs.evolve(section, encodings=(), active=False) for section in sections]
        self.bob.session.set_sections(
            silent, [received(section, **changes) for section in sections], self.now
        )
        for section in sections:
            self.bob.session.set_demand(section.mid, frames=True, packets=False)

    def exchange(self) -> None:
        """Handle the timers of both sides, and send."""
        for index, side in enumerate(self.sides):
            if side.session.next_timer() <= self.now:
                side.session.handle_timer(self.now)
            for datagram in side.session.datagrams_to_send(self.now):
                side.datagrams.append(datagram)
                assert len(datagram) <= 1200
                if (self.drop, self.drop_back)[index](datagram):
                    self.dropped += 1
                    continue
                self._count += 1
                heapq.heappush(self._in_flight, (self.now + self.delay, self._count, 1 - index, datagram))
            self.collect_events(side)

    def collect_events(self, side: Side) -> None:
        for event in side.session.events():
            side.events.append(event)
            if isinstance(event, FramesReceived):
                side.played += [(self.now, event.mid, frame) for frame in event.frames]
            elif isinstance(event, PacketsReceived):
                side.packets += event.packets
            elif isinstance(event, KeyframeRequested):
                self.keyframe_requests += 1
                self._keyframe_requested = True

    def run(
        self,
        duration: float,
        *,
        video: float = 0.0,
        audio: bool = False,
        keyframes: int = 10**9,
        size: int = 2500,
    ) -> None:
        """Advance time; Alice sends ``video`` frames per second, and audio every 20 ms."""
        end = self.now + duration
        self._next_frame = max(self._next_frame, self.now)
        self._next_audio = max(self._next_audio, self.now)
        while True:
            self.exchange()
            timers = [side.session.next_timer() for side in self.sides]
            arrival = self._in_flight[0][0] if self._in_flight else math.inf
            frame = self._next_frame if video else math.inf
            audio_at = self._next_audio if audio else math.inf
            at = min(end, frame, audio_at, arrival, *timers)
            # A deadline that stays the same would stop the clock.
            assert at > self.now or min(timers) > self.now, timers
            self.now = max(at, self.now)
            if self.now >= end:
                break
            self._deliver()
            self._send(video, audio, keyframes, size)

    def _deliver(self) -> None:
        while self._in_flight and self._in_flight[0][0] <= self.now:
            _, _, index, datagram = heapq.heappop(self._in_flight)
            self.sides[index].session.receive([datagram], self.now)

    def _send(self, video: float, audio: bool, keyframes: int, size: int) -> None:
        session = self.alice.session
        if video and self.now >= self._next_frame:
            is_key = self._keyframe_requested or self.video_frames % keyframes == 0
            self._keyframe_requested = False
            frame = video_frame(self.video_frames, self.now, size, keyframe=is_key)
            self.sent_at[frame.payload] = self.now
            session.send_frame(VIDEO, frame, self.now)
            self.video_frames += 1
            self._next_frame += 1 / video
        if audio and self.now >= self._next_audio:
            encoded = audio_frame(self.audio_frames, self.now)
            self.sent_at[encoded.payload] = self.now
            session.send_frame(AUDIO, encoded, self.now)
            self.audio_frames += 1
            self._next_audio += 0.02


def random_loss(seed: int, probability: float) -> Callable[[bytes], bool]:
    """Return a network that loses media packets at random, but no RTCP."""
    rng = random.Random(seed)
    return lambda datagram: not is_rtcp(datagram) and rng.random() < probability


def is_rtcp(datagram: bytes) -> bool:
    return 192 <= datagram[1] < 224


def ssrc_of(datagram: bytes) -> int:
    return int.from_bytes(datagram[8:12], "big")


def reported_bitrates(side: Side) -> list[float]:
    return [event.available for event in side.events if isinstance(event, BitratesChanged)]
