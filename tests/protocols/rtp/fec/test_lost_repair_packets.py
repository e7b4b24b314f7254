"""Lost FEC and padding packets among the media: frames continue, and no packet is requested in vain."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import RED_RTX, RED_VIDEO, ULPFEC, VP8, VP8_RTX
from tests.strategies.rtp_sides import RtpSide
from trio_rtc.protocols.rtcp import GenericNack, PictureLossIndication
from trio_rtc.protocols.rtp import EncodedFrame, FramesReceived, ReceiveParameters, RtpPacket
from trio_rtc.protocols.rtp.payload.vp8 import Vp8Descriptor

SSRC, RTX_SSRC, INTERVAL = 7, 8, 1 / 30
KEYFRAME = bytes([0, 0, 0, 0x9D, 0x01, 0x2A, 16, 0, 16, 0]) + bytes(20)
DELTA = bytes([1, 0, 0]) + bytes(20)


@attrs.define
class Call:
    """A session that receives video in RED with ULPFEC, and a peer whose packets are made by hand."""

    side: RtpSide = attrs.field(init=False)
    number: int = 500
    index: int = 0
    shown: list[tuple[float, int]] = attrs.field(factory=list)
    asked_for: list[int] = attrs.field(factory=list)
    keyframes_asked_for: int = 0
    rtx_number: int = 9000

    @side.default
    def _make_side(self) -> RtpSide:
        section = ReceiveParameters(
            "0",
            "video",
            (VP8, VP8_RTX, RED_VIDEO, RED_RTX, ULPFEC),
            {},
            {SSRC: None},
            {RTX_SSRC: SSRC},
            {},
            True,
        )
        side = RtpSide(receiving=[section])
        side.session.set_demand("0", frames=True, packets=False)
        return side

    def media(self) -> RtpPacket:
        """Return the next frame, in RED."""
        descriptor = Vp8Descriptor(True, picture_id=self.index & 0x7FFF, picture_id_bits=15)
        payload = descriptor.encode() + (DELTA if self.index else KEYFRAME)
        self.index += 1
        return self._next(RED_VIDEO.payload_type, bytes([VP8.payload_type]) + payload, marker=True)

    def correction(self) -> RtpPacket:
        """Return a ULPFEC packet in RED that protects packets received long before."""
        mask = bytes([0x80, 0])
        fec = (
            bytes(2)
            + (100).to_bytes(2, "big")
            + bytes(4)
            + bytes(2)
            + (4).to_bytes(2, "big")
            + mask
            + bytes(4)
        )
        return self._next(RED_VIDEO.payload_type, bytes([ULPFEC.payload_type]) + fec)

    def padding(self) -> RtpPacket:
        """Return a packet without payload."""
        return self._next(VP8.payload_type, b"")

    def _next(self, payload_type: int, payload: bytes, *, marker: bool = False) -> RtpPacket:
        packet = RtpPacket(payload_type, self.number, 3000 * self.index, SSRC, payload, marker)
        self.number += 1
        return packet

    def answer(self, packet: RtpPacket) -> RtpPacket:
        """Return the retransmission of a packet."""
        payload_type = RED_RTX.payload_type if packet.payload_type == RED_VIDEO.payload_type else 97
        payload = packet.sequence_number.to_bytes(2, "big") + packet.payload
        self.rtx_number += 1
        return RtpPacket(payload_type, self.rtx_number, packet.timestamp, RTX_SSRC, payload, packet.marker)

    def receive(self, *packets: RtpPacket) -> None:
        self._note(self.side.receive(*packets))

    def wait(self, seconds: float) -> None:
        end = self.side.now + seconds
        while self.side.now < end:
            self.side.now += 0.005
            self.side.session.handle_timer(self.side.now)
            self._note(self.side.session.events())
            for packet in self.side.sent()[1]:
                if isinstance(packet, GenericNack):
                    self.asked_for += packet.sequence_numbers
                self.keyframes_asked_for += isinstance(packet, PictureLossIndication)

    def _note(self, events: object) -> None:
        assert isinstance(events, list)
        for event in events:
            if isinstance(event, FramesReceived):
                self.shown += [
                    (self.side.now, each.timestamp // 3000)
                    for each in event.frames
                    if isinstance(each, EncodedFrame)
                ]


@pytest.mark.parametrize("kind", ["correction", "padding"])
def test_frames_are_released_although_all_fec_packets_are_lost(kind: str) -> None:
    call = Call()
    came = []
    for _ in range(40):
        call.receive(call.media())
        came.append(call.side.now)
        getattr(call, kind)()
        getattr(call, kind)()
        call.wait(INTERVAL)
    assert [at for at, _ in call.shown] == came
    assert not call.keyframes_asked_for
    # Behind the last frame no packet is known to be missing; before it none is needed.
    call.asked_for.clear()
    call.wait(2)
    assert call.asked_for == []


@given(st.lists(st.sampled_from(["lost", "comes", "padding lost", "padding comes"]), max_size=30))
def test_any_mixture_of_it(between: list[str]) -> None:
    call = Call()
    call.receive(call.media())
    for fate in between:
        packet = call.padding() if "padding" in fate else call.correction()
        if "comes" in fate:
            call.receive(packet)
        call.receive(call.media())
    assert len(call.shown) == len(between) + 1


@pytest.mark.parametrize("kind", ["correction", "padding"])
def test_a_retransmission_that_carries_no_media_fills_its_number(kind: str) -> None:
    """If a frame is missing, too, only that is waited for."""
    call = Call()
    call.receive(call.media())
    lost = [getattr(call, kind)(), call.media(), getattr(call, kind)()]
    call.receive(call.media())
    call.wait(0.05)
    assert len(call.shown) == 1
    assert {packet.sequence_number for packet in lost} <= set(call.asked_for)
    call.receive(call.answer(lost[0]), call.answer(lost[2]))
    assert len(call.shown) == 1
    call.receive(call.answer(lost[1]))
    assert len(call.shown) == 3
    assert not call.keyframes_asked_for


def test_a_padding_retransmission_changes_nothing() -> None:
    call = Call()
    call.receive(call.media())
    lost = call.media()
    call.receive(RtpPacket(97, 9000, 0, RTX_SSRC, b""))
    call.receive(call.media())
    assert len(call.shown) == 1
    call.receive(call.answer(lost))
    assert len(call.shown) == 3
