"""Whether a frame behind missing numbers follows on the last one, by picture numbers, else by timestamps."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from trio_rtc.protocols.rtp.payload import Continuity, ContinuityTracker, Depacketizer

from .frame_intervals import FrameIntervals
from .packet_buffer import PacketBuffer

_MAX_LOOKED_AT: Final = 6
"""Packets at the beginning of a frame in which its picture number is looked for."""
_MAX_DOUBTED: Final = 64


@attrs.frozen
class Succession:
    """How a frame relates to the last one that came out.

    Attributes:
        continuity: What is told.
        is_doubtful: Whether only timestamps tell it.
    """

    continuity: Continuity
    is_doubtful: bool = False

    @property
    def is_adjacent(self) -> bool:
        """Whether the two frames surely followed each other."""
        return self.continuity is Continuity.NEXT and not self.is_doubtful


NOT_A_SUCCESSOR: Final = Succession(Continuity.BROKEN)


class FrameSuccession:
    """Follows the frames of one stream as they come out.

    Args:
        buffer: The packets that wait.
        depacketizer: Of the payload format.
        pictures: Follows the picture numbers, if the format has them.
    """

    __slots__ = ("_buffer", "_depacketizer", "_doubted", "_intervals", "_pictures")

    def __init__(
        self, buffer: PacketBuffer, depacketizer: Depacketizer, pictures: ContinuityTracker | None
    ) -> None:
        self._buffer = buffer
        self._depacketizer = depacketizer
        self._pictures = pictures
        self._intervals = FrameIntervals()
        # Numbers that were passed over because of timestamps only, and may turn out to carry media.
        self._doubted: deque[int] = deque(maxlen=_MAX_DOUBTED)

    def record(self, payloads: Sequence[bytes], timestamp: int, *, adjacent: bool) -> None:
        """Record a frame that is whole, and whether it surely followed on the one before."""
        if self._pictures is not None:
            self._pictures.record(payloads)
        self._intervals.record(timestamp, adjacent=adjacent)

    def check(self, missing: int, behind: int) -> Succession:
        """Return how the frame relates to the last one that begins behind missing numbers, if one does.

        Args:
            missing: The first number that is missing; all before are those of whole frames.
            behind: The first packet behind it that is there and has a payload.
        """
        packets = self._buffer.packets
        timestamp = packets[behind].timestamp
        if not self._depacketizer.starts_frame(packets[behind].packet.payload):
            return NOT_A_SUCCESSOR
        told = Continuity.UNKNOWN
        if self._pictures is not None:
            told = self._pictures.check(self._first_payloads(behind), behind - missing)
        doubtful = told is Continuity.UNKNOWN
        if told in (Continuity.NEXT, Continuity.BROKEN):
            return Succession(told)
        if self._intervals.excludes_a_frame(timestamp):
            return Succession(Continuity.NEXT, doubtful)
        if self._intervals.leaves_no_room(timestamp):
            return Succession(Continuity.DECODABLE, doubtful)
        return Succession(told, doubtful)

    def _first_payloads(self, behind: int) -> list[bytes]:
        packets = self._buffer.packets
        timestamp = packets[behind].timestamp
        payloads: list[bytes] = []
        for number in range(behind, behind + _MAX_LOOKED_AT):
            entry = packets.get(number)
            if entry is None or entry.timestamp != timestamp:
                break
            if entry.packet.payload:
                payloads.append(entry.packet.payload)
        return payloads

    def doubt(self, numbers: Iterable[int]) -> None:
        """Remember numbers that were passed over although only timestamps tell that they carried no media."""
        self._doubted.extend(numbers)

    def take_doubted(self, number: int) -> bool:
        """Return whether a number is one of these, and forget it."""
        if number not in self._doubted:
            return False
        self._doubted.remove(number)
        return True

    def reset(self) -> None:
        """Forget the last frame: the stream begins anew."""
        self._doubted.clear()
        self._intervals.reset()
