"""Two sessions on a hostile network: once it recovers, every stream is played again."""

import attrs
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.strategies.rtp_pair import (
    AUDIO,
    FLEXFEC,
    OPUS,
    RED_AUDIO,
    RED_RTX,
    RED_VIDEO,
    TELEPHONE_EVENT,
    ULPFEC,
    VIDEO,
    VP8,
    VP8_RTX,
    Side,
    audio_frame,
    audio_section,
    make_session,
    received,
    srtp_pair,
    video_frame,
    video_section,
)
from trio_rtc.protocols.rtcp import PictureLossIndication, encode
from trio_rtc.protocols.rtp import (
    BitratesChanged,
    EncodedFrame,
    Encoding,
    FramesReceived,
    KeyframeRequested,
    PacketsReceived,
    RtpClosed,
    RtpOptions,
    RtpPacket,
    SendParameters,
    StreamEnded,
    StreamStarted,
)

MAX_UNDER_WAY = 400
VIDEO_CODECS = (
    (VP8, VP8_RTX),
    (attrs.evolve(VP8, rtx_payload_type=None),),
    (attrs.evolve(VP8, rtx_payload_type=None, feedback=("nack pli", "goog-remb")),),
    (VP8, VP8_RTX, RED_VIDEO, RED_RTX, ULPFEC),
    (VP8, VP8_RTX, FLEXFEC),
    (attrs.evolve(VP8, feedback=("nack", "nack pli", "ack ccfb")), VP8_RTX),
)
AUDIO_CODECS = ((OPUS,), (OPUS, RED_AUDIO), (OPUS, TELEPHONE_EVENT))
GENERATIONS = 3
"""How often a section may change its sources."""


def sections(video: int, audio: int, generation: int, *, sends: tuple[bool, bool]) -> list[SendParameters]:
    base = 10_000 * (generation + 1)
    encoding = Encoding(base, base + 1, fec_ssrc=base + 2)
    return [
        video_section(*VIDEO_CODECS[video], encodings=(encoding,), active=sends[0]),
        audio_section(*AUDIO_CODECS[audio], encodings=(Encoding(base + 3),), active=sends[1]),
    ]


class RtpMachine(RuleBasedStateMachine):
    """Alice and Bob send each other audio and video over the network of this machine."""

    def __init__(self) -> None:
        super().__init__()
        options = RtpOptions(
            red_loss=0.0, fec_loss=0.0, max_streams=16, max_idle_sources=8, max_early_packets=4
        )
        self.now = 50.0
        self.sides = [Side(make_session(seed, options)) for seed in (1, 2)]
        self.srtp = srtp_pair()
        self.under_way: list[list[bytes]] = [[], []]
        self.sent: list[list[bytes]] = [[], []]
        self.frames = [0, 0]
        self.keyframe_wanted = [True, True]
        self.negotiated: list[list[SendParameters]] = [[], []]
        self.closed_seen = [0, 0]

    @initialize(video=st.integers(0, len(VIDEO_CODECS) - 1), audio=st.integers(0, len(AUDIO_CODECS) - 1))
    def begin(self, video: int, audio: int) -> None:
        for index in (0, 1):
            self.negotiate(index, sections(video, audio, index, sends=(True, True)))
        for mid in (VIDEO, AUDIO):
            for side in self.sides:
                side.session.set_demand(mid, frames=True, packets=True)

    def negotiate(self, index: int, wanted: list[SendParameters]) -> None:
        self.negotiated[index] = wanted
        for each, side in enumerate(self.sides):
            theirs = [received(section) for section in self.negotiated[1 - each]]
            side.session.set_sections(self.negotiated[each], theirs, self.now)
            self.collect(each)

    def collect(self, index: int) -> None:
        """Collect the datagrams and events of a session."""
        side = self.sides[index]
        was_closed = bool(self.closed_seen[index])
        datagrams = side.session.datagrams_to_send(self.now)
        assert side.session.datagrams_to_send(self.now) == []
        for datagram in datagrams:
            assert len(datagram) <= 1200
        self.under_way[index] = (self.under_way[index] + datagrams)[-MAX_UNDER_WAY:]
        self.sent[index] = (self.sent[index] + datagrams)[-MAX_UNDER_WAY:]
        events = side.session.events()
        assert side.session.events() == []
        if was_closed:
            assert not events
            assert not datagrams
        for event in events:
            assert not self.closed_seen[index], event
            match event:
                case RtpClosed():
                    self.closed_seen[index] += 1
                case KeyframeRequested():
                    self.keyframe_wanted[index] = True
                case FramesReceived():
                    side.played += [(self.now, event.mid, frame) for frame in event.frames]
                case PacketsReceived():
                    assert event.packets
                    self.check_packets(event.packets)
                case StreamStarted() | StreamEnded():
                    side.events.append(event)
                case BitratesChanged():
                    assert all(bitrate >= 0 for bitrate in event.bitrates.values())

    def check_packets(self, packets: list[RtpPacket]) -> None:
        assert len({packet.ssrc for packet in packets}) == 1
        assert all(packet.payload_type in (96, 110, 111) for packet in packets)

    # The application.

    @rule(index=st.integers(0, 1))
    def set_keys(self, index: int) -> None:
        session = self.sides[index].session
        if session.srtp is None:
            session.set_keys(self.srtp[index], self.now)
            self.collect(index)

    @rule(index=st.integers(0, 1), size=st.integers(1, 6000))
    def show(self, index: int, size: int) -> None:
        number = self.frames[index]
        self.frames[index] += 1
        frame = video_frame(number, self.now, size, keyframe=self.keyframe_wanted[index])
        self.keyframe_wanted[index] = False
        self.sides[index].session.send_frame(VIDEO, frame, self.now)
        self.collect(index)

    @rule(index=st.integers(0, 1))
    def say(self, index: int) -> None:
        number = self.frames[index]
        self.frames[index] += 1
        self.sides[index].session.send_frame(AUDIO, audio_frame(number, self.now), self.now)
        self.collect(index)

    @rule(index=st.integers(0, 1), end=st.booleans())
    def press_a_key(self, index: int, end: bool) -> None:
        self.sides[index].session.send_event(AUDIO, 5, 0.1, self.now, end=end)
        self.collect(index)

    @rule(
        index=st.integers(0, 1),
        mid=st.sampled_from([VIDEO, AUDIO]),
        frames=st.booleans(),
        packets=st.booleans(),
    )
    def change_demand(self, index: int, mid: str, frames: bool, packets: bool) -> None:
        self.sides[index].session.set_demand(mid, frames=frames, packets=packets)
        self.collect(index)

    @rule(index=st.integers(0, 1))
    def ask_for_a_keyframe(self, index: int) -> None:
        self.sides[index].session.request_keyframe(VIDEO, None, self.now)
        self.collect(index)

    @rule(
        index=st.integers(0, 1),
        video=st.integers(0, len(VIDEO_CODECS) - 1),
        audio=st.integers(0, len(AUDIO_CODECS) - 1),
        generation=st.integers(0, GENERATIONS - 1),
        sends=st.tuples(st.booleans(), st.booleans()),
    )
    def renegotiate(
        self, index: int, video: int, audio: int, generation: int, sends: tuple[bool, bool]
    ) -> None:
        self.negotiate(index, sections(video, audio, 2 * generation + index, sends=sends))

    # The network.

    @rule(seconds=st.floats(0.001, 3))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for index in (0, 1):
            self.sides[index].session.handle_timer(self.now)
            self.collect(index)

    @rule(index=st.integers(0, 1), count=st.integers(1, 40))
    def deliver(self, index: int, count: int) -> None:
        batch, self.under_way[index] = self.under_way[index][:count], self.under_way[index][count:]
        self.sides[1 - index].session.receive(batch, self.now)
        self.collect(1 - index)

    @precondition(lambda self: any(self.under_way))
    @rule(data=st.data(), what=st.sampled_from(["deliver", "drop", "duplicate", "corrupt", "cut"]))
    def meddle(self, data: st.DataObject, what: str) -> None:
        index = data.draw(st.sampled_from([each for each in (0, 1) if self.under_way[each]]))
        place = data.draw(st.integers(0, len(self.under_way[index]) - 1))
        datagram = self.under_way[index][place]
        if what != "duplicate":
            del self.under_way[index][place]
        if what == "corrupt":
            changed = bytearray(datagram)
            changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
            datagram = bytes(changed)
        elif what == "cut":
            datagram = datagram[: data.draw(st.integers(0, len(datagram)))]
        if what != "drop":
            self.sides[1 - index].session.receive([datagram], self.now)
            self.collect(1 - index)

    @rule(index=st.integers(0, 1), data=st.binary(max_size=60))
    def inject(self, index: int, data: bytes) -> None:
        self.sides[index].session.receive([data], self.now)
        self.collect(index)

    @precondition(lambda self: any(self.sent))
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from([each for each in (0, 1) if self.sent[each]]))
        datagram = data.draw(st.sampled_from(self.sent[index]))
        for side in (0, 1):
            # Either to the receiver again, or back to the sender.
            self.sides[side].session.receive([datagram], self.now)
            self.collect(side)

    # Invariants.

    @invariant()
    def timers_move_on(self) -> None:
        for index in (0, 1):
            session = self.sides[index].session
            session.handle_timer(self.now)
            self.collect(index)
            assert session.next_timer() > self.now

    @invariant()
    def tables_are_bounded(self) -> None:
        for side in self.sides:
            assert len(list(side.session.receiver.streams)) <= 16
            if side.session.srtp is not None:
                assert len(side.session.srtp.inbound_sources) <= 64

    @invariant()
    def closed_is_told_once(self) -> None:
        for side, seen in zip(self.sides, self.closed_seen, strict=True):
            assert seen == side.session.closed

    # Liveness.

    def teardown(self) -> None:
        if not self.negotiated[0]:
            return
        self.heal()
        for index in (0, 1):
            self.every_stream_delivers(index)
        self.a_goodbye_is_heard()

    def heal(self) -> None:
        self.under_way = [[], []]
        for index in (0, 1):
            self.set_keys(index)
            self.sides[index].session.send_event(AUDIO, 5, 0.2, self.now, end=True)
            self.negotiate(index, sections(0, 0, 2 * GENERATIONS + index, sends=(True, True)))
            for mid in (VIDEO, AUDIO):
                self.sides[index].session.set_demand(mid, frames=True, packets=False)
        for _ in range(60):
            self.step()
        for side in self.sides:
            side.played.clear()
        for _ in range(25):
            self.step()

    def step(self) -> None:
        """Run 20 ms on a network without fault, with audio and video in both directions."""
        self.now += 0.02
        for index in (0, 1):
            self.show(index, 500)
            self.say(index)
        for index in (0, 1):
            self.sides[index].session.handle_timer(self.now)
            self.collect(index)
            self.deliver(index, MAX_UNDER_WAY)

    def every_stream_delivers(self, index: int) -> None:
        side = self.sides[index]
        note(f"{side.session.counters()}")
        assert len(side.frames(VIDEO)) >= 20, len(side.frames(VIDEO))
        assert len(side.frames(AUDIO)) >= 20, len(side.frames(AUDIO))
        assert all(isinstance(frame, EncodedFrame) for frame in side.frames(VIDEO))

    def a_goodbye_is_heard(self) -> None:
        alice, bob = (side.session for side in self.sides)
        played = {stream.ssrc for stream in bob.receiver.streams}
        assert played >= {encoding.ssrc for section in self.negotiated[0] for encoding in section.encodings}
        alice.close(self.now)
        alice.close(self.now)
        self.collect(0)
        self.deliver(0, MAX_UNDER_WAY)
        left = {stream.ssrc for stream in bob.receiver.streams}
        assert not left & {encoding.ssrc for section in self.negotiated[0] for encoding in section.encodings}
        report = self.srtp[1].protect_rtcp(
            encode([PictureLossIndication(1, self.negotiated[0][0].encodings[0].ssrc)])
        )
        alice.receive([report], self.now)
        alice.handle_timer(self.now + 100)
        self.collect(0)
        bob.lower_closed(self.now)
        self.collect(1)


TestRtpMachine = RtpMachine.TestCase
