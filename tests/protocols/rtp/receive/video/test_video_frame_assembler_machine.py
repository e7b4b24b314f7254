"""In any network and with any sender, one intact keyframe restores the video."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.strategies.toy_video import ToyDepacketizer, frame_index, toy_packet, toy_payloads
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.receive.video.frame_assembler import FrameAssembler

OPTIONS = FrameAssemblerOptions(max_packets=60, max_bytes=4000)
SILENCE = 5.0
POSITIONS = st.integers(0, 1000)


class FrameAssemblerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.assembler = FrameAssembler(ToyDepacketizer(), OPTIONS)
        self.now = 100.0
        self.number = 5000
        self.timestamp = 1_000_000
        self.index = 0
        self.network: list[tuple[int, int, RtpPacket]] = []
        self.out: list[int] = []
        self.disturbed = False
        self.send(3, key=True)
        for _ in range(30):
            self.send(2, key=False)
        while self.network:
            self.insert(0)
        self.take()

    def take(self) -> None:
        for completed in self.assembler.frames(self.now):
            index = frame_index(completed.frame)
            if not completed.frame.keyframe and not self.disturbed:
                assert index == self.out[-1] + 1, "a frame came out without the one it depends on"
            self.out.append(index)
        assert self.assembler.next_timer() > self.now

    def send(self, count: int, *, key: bool) -> None:
        for part, payload in enumerate(toy_payloads(self.index, count, key=key)):
            packet = toy_packet(payload, marker=part == count - 1)
            self.network.append((self.number, self.timestamp, packet))
            self.number += 1
        self.index += 1
        self.timestamp += 3000

    def insert(self, position: int) -> None:
        number, timestamp, packet = self.network.pop(position % len(self.network))
        self.assembler.insert(number, timestamp, packet, self.now)

    @rule(count=st.integers(1, 6), key=st.booleans())
    def send_frame(self, count: int, key: bool) -> None:
        self.send(count, key=key)

    @rule(count=st.integers(1, 10), key=st.booleans())
    def send_frames_that_arrive(self, count: int, key: bool) -> None:
        for i in range(count):
            self.send(2, key=key and not i)
        self.deliver_all()

    @rule()
    def send_padding(self) -> None:
        self.network.append((self.number, self.timestamp, toy_packet(b"")))
        self.number += 1

    @precondition(lambda self: self.network)
    @rule()
    def deliver_all(self) -> None:
        while self.network:
            self.insert(0)
        self.take()

    @precondition(lambda self: self.network)
    @rule(position=POSITIONS)
    def deliver(self, position: int) -> None:
        self.insert(position)
        self.take()

    @precondition(lambda self: self.network)
    @rule(position=POSITIONS)
    def duplicate(self, position: int) -> None:
        self.network.append(self.network[position % len(self.network)])

    @precondition(lambda self: self.network)
    @rule(position=POSITIONS)
    def drop(self, position: int) -> None:
        self.network.pop(position % len(self.network))

    @precondition(lambda self: self.network)
    @rule(position=POSITIONS, payload=st.binary(max_size=200), marker=st.booleans())
    def garble(self, position: int, payload: bytes, marker: bool) -> None:
        position %= len(self.network)
        number, timestamp, _ = self.network[position]
        self.network[position] = (number, timestamp, toy_packet(payload, marker=marker))
        self.disturbed = True

    @rule(
        back=st.integers(1, 200),
        timestamp=st.integers(0, 2**33),
        payload=st.binary(max_size=20),
        marker=st.booleans(),
    )
    def inject_old_number(self, back: int, timestamp: int, payload: bytes, marker: bool) -> None:
        self.assembler.insert(self.number - back, timestamp, toy_packet(payload, marker=marker), self.now)
        self.disturbed = True
        self.take()

    @rule(jump=st.sampled_from([3, 59, 60, 61, 3000, 70_000, 10**9]))
    def jump_ahead(self, jump: int) -> None:
        self.number += jump

    @rule(jump=st.sampled_from([-(10**9), -4000, 4000, 10**9, 2**32]))
    def jump_in_time(self, jump: int) -> None:
        self.timestamp += jump
        self.disturbed = True

    @rule(ahead=st.integers(-200, 200) | st.integers(-(2**17), 2**17), later=st.integers(-(2**20), 2**20))
    def sender_restarts(self, ahead: int, later: int) -> None:
        self.number += ahead
        self.timestamp += later
        # Packets in flight from before may fit between the new ones.
        self.disturbed = True

    @rule()
    def repair_gives_up(self) -> None:
        self.assembler.retransmission_gave_up()
        self.take()

    @rule()
    def consumer_lost_frames(self) -> None:
        self.assembler.restart_at_keyframe(self.now)
        self.take()

    @rule(seconds=st.sampled_from([0.001, 0.02, 0.1, 0.5, 2.0]))
    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.assembler.next_timer() <= until:
            self.now = self.assembler.next_timer()
            self.take()
        self.now = until
        self.take()

    @invariant()
    def is_bounded(self) -> None:
        assert self.assembler.buffered <= OPTIONS.max_packets

    def teardown(self) -> None:
        self.wait(SILENCE)
        self.network.clear()
        self.send(3, key=True)
        for _ in range(3):
            self.insert(0)
        self.take()
        self.wait(OPTIONS.max_wait + 0.01)
        assert self.index - 1 in self.out, "the picture did not come back"


TestFrameAssemblerMachine = FrameAssemblerMachine.TestCase
