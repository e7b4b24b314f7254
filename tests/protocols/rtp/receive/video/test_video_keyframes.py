"""The beginnings of keyframes among the buffered packets."""

from tests.strategies.toy_video import ToyDepacketizer, toy_packet, toy_payloads
from trio_rtc.protocols.rtp.buffer_budget import BufferBudget, largest
from trio_rtc.protocols.rtp.receive.video.keyframes import KeyframeStarts
from trio_rtc.protocols.rtp.receive.video.packet_buffer import BufferedPacket, PacketBuffer


class Waiting:
    """Buffered packets, and the keyframes found among them."""

    def __init__(self) -> None:
        self.buffer = PacketBuffer(self, BufferBudget(1 << 20, largest))
        self.starts = KeyframeStarts(self.buffer, ToyDepacketizer())

    def discard(self) -> None:
        self.buffer.clear()

    def frame(self, number: int, count: int = 2, *, key: bool = True, lost: int | None = None) -> None:
        """Insert a frame from a sequence number on; omit one part of it."""
        for part, payload in enumerate(toy_payloads(number, count, key=key)):
            if part != lost:
                self.put(number + part, payload, 3000 * number, marker=part == count - 1)

    def put(self, number: int, payload: bytes, timestamp: int, *, marker: bool = False) -> None:
        packet = toy_packet(payload, marker=marker)
        self.buffer.insert(number, BufferedPacket(packet, timestamp, 0.0))
        if self.starts.begins_keyframe(packet):
            self.starts.add(number)


def test_only_the_first_packet_of_a_keyframe_begins_one() -> None:
    starts = Waiting().starts
    first, second = toy_payloads(0, 2, key=True)
    assert starts.begins_keyframe(toy_packet(first))
    assert not starts.begins_keyframe(toy_packet(second))
    assert not starts.begins_keyframe(toy_packet(toy_payloads(0, 1)[0]))
    assert not starts.begins_keyframe(toy_packet(b""))


def test_a_complete_keyframe_is_found_behind_an_incomplete_one() -> None:
    waiting = Waiting()
    waiting.frame(10, 3, lost=2)
    waiting.frame(20, key=False)
    waiting.frame(30)
    assert waiting.starts.first() == 10
    assert waiting.starts.first_behind(5, whole=False) == 10
    assert waiting.starts.first_behind(5, whole=True) == 30
    assert waiting.starts.first_behind(10, whole=False) == 30
    assert waiting.starts.first_behind(30, whole=False) is None


def test_units_before_the_start_within_the_frame_belong_to_it() -> None:
    waiting = Waiting()
    # As in H.264, where the unit that begins a keyframe may be behind another one of the frame.
    head, body = toy_payloads(0, 1)[0], toy_payloads(0, 1, key=True)[0]
    waiting.put(9, head, 2000, marker=True)
    waiting.put(10, head, 3000)
    waiting.put(11, body, 3000, marker=True)
    assert waiting.starts.first() == 10
    # Unless the frame itself cannot begin there.
    waiting.put(21, toy_payloads(0, 2)[1], 6000)
    waiting.put(22, body, 6000, marker=True)
    assert waiting.starts.first_behind(11, whole=True) == 22


def test_removed_keyframes_are_found_again_by_a_search() -> None:
    waiting = Waiting()
    waiting.frame(10)
    waiting.frame(20)
    waiting.starts.forget_below(20)
    assert waiting.starts.first() == 20
    waiting.starts.clear()
    assert waiting.starts.first() is None
    waiting.starts.search()
    assert waiting.starts.first() == 10
