"""Video over a network that loses, delays and reorders packets, with retransmissions."""

import heapq
import itertools
import random

from tests.strategies.toy_video import ToyDepacketizer, frame_index, toy_packet, toy_payloads
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import unwrap, wrap
from trio_rtc.protocols.rtp.receive.requests import NackGenerator
from trio_rtc.protocols.rtp.receive.video.frame_assembler import FrameAssembler
from trio_rtc.protocols.rtp.send.history import PacketHistory

FRAMES, PACKETS, INTERVAL = 900, 5, 1 / 30
LOSS, DELAY, JITTER = 0.1, 0.04, 0.03


class Call:
    """One video stream, both ends of it, and the network between them in virtual time."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.order = itertools.count()
        self.events: list[tuple[float, int, str, object]] = []
        self.history = PacketHistory()
        self.nack = NackGenerator()
        self.assembler = FrameAssembler(ToyDepacketizer())
        self.numbers = itertools.count()
        self.completed: list[tuple[float, int]] = []
        self.retransmitter = 0
        self.wants_keyframe = True
        self.nack.set_round_trip(2 * (DELAY + JITTER / 2))

    def send(self, now: float, kind: str, what: object) -> None:
        if self.rng.random() >= LOSS:
            arrival = now + DELAY + self.rng.uniform(0, JITTER)
            heapq.heappush(self.events, (arrival, next(self.order), kind, what))

    def send_frame(self, index: int, now: float) -> None:
        key, self.wants_keyframe = self.wants_keyframe, False
        for part, payload in enumerate(toy_payloads(index, PACKETS, key=key)):
            number = next(self.numbers)
            packet = toy_packet(
                payload, marker=part == PACKETS - 1, sequence_number=number, timestamp=index * 3000
            )
            self.history.store(number, packet, now)
            self.send(now, "media", packet)

    def handle(self, now: float, kind: str, what: object) -> None:
        if kind == "frame":
            assert isinstance(what, int)
            self.send_frame(what, now)
        elif kind == "keyframe":
            self.wants_keyframe = True
        elif kind == "nack":
            assert isinstance(what, list)
            for number in what:
                packet = self.history.get(number, now, 2 * DELAY)
                if packet is not None:
                    self.retransmitter += 1
                    self.send(now, "rtx", wrap(packet, ssrc=2, payload_type=97, sequence_number=0))
        else:
            assert isinstance(what, RtpPacket)
            media = unwrap(what, ssrc=1, payload_type=96) if kind == "rtx" else what
            assert media is not None
            self.nack.packet_received(media.sequence_number, now, recovered=kind == "rtx")
            self.assembler.insert(media.sequence_number, media.timestamp, media, now)

    def receiver_acts(self, now: float) -> None:
        requests = self.nack.due(now)
        if requests:
            self.send(now, "nack", requests)
        if self.nack.take_gave_up():
            self.assembler.retransmission_gave_up()
        self.completed += [(now, frame_index(completed.frame)) for completed in self.assembler.frames(now)]
        if self.assembler.next_expected is not None:
            self.nack.forget_below(self.assembler.next_expected)
        if self.assembler.take_keyframe_request():
            self.send(now, "keyframe", None)

    def run(self) -> None:
        for index in range(FRAMES):
            heapq.heappush(self.events, (index * INTERVAL, next(self.order), "frame", index))
        while self.events:
            timer = min(self.nack.next_timer(), self.assembler.next_timer())
            if timer < self.events[0][0]:
                self.receiver_acts(timer)
                continue
            now, _, kind, what = heapq.heappop(self.events)
            self.handle(now, kind, what)
            self.receiver_acts(now)


def test_ten_percent_loss_and_30_ms_of_jitter_stall_nothing() -> None:
    for seed in range(3):
        call = Call(seed)
        call.run()
        times = [now for now, _ in call.completed]
        stalls = [after - before for before, after in itertools.pairwise(times)]
        assert max(stalls) < 0.9
        assert len(call.completed) >= FRAMES * 0.9
        delays = sorted(now - index * INTERVAL for now, index in call.completed)
        assert delays[len(delays) // 2] < 0.25
        # Few packets are requested that were only reordered.
        assert call.retransmitter < FRAMES * PACKETS * LOSS * 2
