"""Where keyframes begin among the packets of a video stream that wait."""

from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import Depacketizer

from .packet_buffer import PacketBuffer


class KeyframeStarts:
    """Finds keyframes behind what is missing.

    It knows what it was told of, and what was found when all that waits was searched: packets that come in order need
    not be looked at.

    Args:
        buffer: The packets that wait.
        depacketizer: Of the payload format.
    """

    __slots__ = ("_buffer", "_depacketizer", "_starts")

    def __init__(self, buffer: PacketBuffer, depacketizer: Depacketizer) -> None:
        self._buffer = buffer
        self._depacketizer = depacketizer
        self._starts: set[int] = set()

    def begins_keyframe(self, packet: RtpPacket) -> bool:
        """Return whether a packet begins a keyframe, though other parts of it may stand before."""
        return bool(packet.payload) and self._depacketizer.is_keyframe_start(packet.payload)

    def note(self, sequence_number: int) -> None:
        """Hear of a packet that waits and begins a keyframe."""
        self._starts.add(sequence_number)

    def forget_below(self, sequence_number: int) -> None:
        """Forget those before a number: they are under way, or of no use any more."""
        self._starts = {start for start in self._starts if start >= sequence_number}

    def clear(self) -> None:
        """Hear that nothing waits any more."""
        self._starts.clear()

    def search(self) -> None:
        """Look at all that waits, also at what has come in order."""
        packets = self._buffer.packets
        self._starts = {number for number in packets if self.begins_keyframe(packets[number].packet)}

    def first(self) -> int | None:
        """Return the first packet of the first keyframe, ``None`` if none has begun."""
        return self._first_of_frame(min(self._starts)) if self._starts else None

    def first_behind(self, gap: int, *, whole: bool) -> int | None:
        """Return the first packet of the first keyframe behind one that is missing.

        Args:
            gap: What is missing.
            whole: Whether all of the keyframe must be there.
        """
        passed = gap
        for start in sorted(self._starts):
            if start <= passed:
                continue
            first = self._first_of_frame(start)
            if not whole:
                return first
            end = self._buffer.run_end(first)
            if self._buffer.frame_end(first, end) is not None:
                return first
            # No packet of this run ends a frame of this timestamp, and any other would have ended it.
            passed = end
        return None

    def _first_of_frame(self, start: int) -> int:
        """Return where the keyframe begins whose start is known: other parts of it may stand before."""
        packets = self._buffer.packets
        timestamp = packets[start].timestamp
        first = start
        while True:
            entry = packets.get(first - 1)
            if (
                entry is None
                or entry.timestamp != timestamp
                or entry.packet.marker
                or not entry.packet.payload
            ):
                break
            first -= 1
        return first if self._depacketizer.starts_frame(packets[first].packet.payload) else start
