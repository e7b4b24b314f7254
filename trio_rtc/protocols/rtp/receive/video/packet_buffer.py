"""The packets of a video stream whose frame is not complete, its keyframes, and restarts of the stream."""

import math
from collections.abc import Iterable

from trio_rtc.protocols.rtp.buffer_budget import PACKET_OVERHEAD, Buffer, BufferBudget
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import Depacketizer


class BufferedPacket:
    """A buffered packet.

    Attributes:
        timestamp: Its unwrapped timestamp.
    """

    __slots__ = ("arrival", "packet", "timestamp")

    def __init__(self, packet: RtpPacket, timestamp: int, arrival: float) -> None:
        self.packet = packet
        self.timestamp = timestamp
        self.arrival = arrival


class PacketBuffer:
    """Packets by unwrapped sequence number, in order of arrival.

    The budget is charged by ``settle`` for what a batch of packets has left, since most frames are complete when their
    batch has been received.

    Args:
        owner: The buffer that discards the packets when the budget is exceeded.
        budget: Shared with the other streams of the session.

    Attributes:
        packets: By sequence number.
        size: Bytes of their payloads.
    """

    __slots__ = ("_budget", "_charged", "_owner", "packets", "size")

    def __init__(self, owner: Buffer, budget: BufferBudget) -> None:
        self.packets: dict[int, BufferedPacket] = {}
        self.size = 0
        self._owner = owner
        self._budget = budget
        self._charged = 0

    def insert(self, sequence_number: int, entry: BufferedPacket) -> None:
        """Insert a packet whose number is not in the buffer."""
        self.packets[sequence_number] = entry
        self.size += len(entry.packet.payload)

    def settle(self) -> None:
        """Charge the budget for the packets, which may have all packets discarded, these or others."""
        added = self.size + PACKET_OVERHEAD * len(self.packets) - self._charged
        if added:
            self._charged += added
            if added > 0:
                self._budget.add(self._owner, added)
            else:
                self._budget.remove(self._owner, -added)

    def remove(self, sequence_number: int) -> BufferedPacket:
        (entry,) = self.remove_run(sequence_number, sequence_number)
        return entry

    def remove_run(self, first: int, last: int) -> list[BufferedPacket]:
        """Remove and return the packets from one number to another, all of which are in the buffer."""
        pop = self.packets.pop
        entries = [pop(number) for number in range(first, last + 1)]
        self.size -= sum(len(entry.packet.payload) for entry in entries)
        return entries

    def discard(self, sequence_numbers: Iterable[int]) -> int:
        """Remove packets that are not needed, and return the number of their frames."""
        return len({self.remove(sequence_number).timestamp for sequence_number in list(sequence_numbers)})

    def discard_below(self, sequence_number: int) -> int:
        """Remove all packets below a number, and return the number of their frames."""
        return self.discard([number for number in self.packets if number < sequence_number])

    def discard_before(self, horizon: float) -> int:
        """Remove all packets that arrived before a time, and return the number of their frames."""
        numbers = []
        for number, entry in self.packets.items():
            if entry.arrival >= horizon:
                break
            numbers.append(number)
        return self.discard(numbers)

    def clear(self) -> int:
        """Remove all packets, and return the number of their frames."""
        frames = len({entry.timestamp for entry in self.packets.values()})
        self.packets.clear()
        self.size = 0
        self._charged = 0
        self._budget.release(self._owner)
        return frames

    def run_end(self, start: int) -> int:
        """Return the first missing number from ``start`` on."""
        packets = self.packets
        while start in packets:
            start += 1
        return start

    def frame_end(self, first: int, end: int, start: int | None = None) -> int | None:
        """Return the last packet of the frame that begins at ``first``; ``None`` if it has not arrived.

        It is the one with the marker bit. In a stream without markers it is the one before the timestamp changes.

        Args:
            first: The first packet of the frame, which is in the buffer.
            end: All packets from ``first`` up to here are in the buffer.
            start: The first packet that was not inspected yet.
        """
        packets = self.packets
        timestamp = packets[first].timestamp
        for number in range(first if start is None else start, end):
            entry = packets[number]
            if entry.timestamp != timestamp and entry.packet.payload:
                return number - 1
            if entry.packet.marker and entry.timestamp == timestamp:
                return number
        return None

    def first_payload_behind(self, number: int) -> int | None:
        """Return the first packet with a payload behind a number, ``None`` if there is none."""
        behind = (each for each, entry in self.packets.items() if each > number and entry.packet.payload)
        return min(behind, default=None)

    def first_known_gap(self, end: int) -> float:
        """Return the arrival time of the first packet beyond ``end``, which showed that ``end`` is missing."""
        return min(entry.arrival for number, entry in self.packets.items() if number > end)


class KeyframeStarts:
    """The buffered packets that begin a keyframe, to find keyframes behind missing packets.

    It contains the packets that were added and those that a search of the whole buffer has found: packets that arrive
    in order need not be inspected.
    """

    __slots__ = ("_buffer", "_depacketizer", "_starts")

    def __init__(self, buffer: PacketBuffer, depacketizer: Depacketizer) -> None:
        self._buffer = buffer
        self._depacketizer = depacketizer
        self._starts: set[int] = set()

    def begins_keyframe(self, packet: RtpPacket) -> bool:
        """Return whether a packet begins a keyframe; other units of the frame may precede it."""
        return bool(packet.payload) and self._depacketizer.is_keyframe_start(packet.payload)

    def add(self, sequence_number: int) -> None:
        self._starts.add(sequence_number)

    def forget_below(self, sequence_number: int) -> None:
        """Remove the packets before a number: their frame is being assembled, or they are of no use."""
        self._starts = {start for start in self._starts if start >= sequence_number}

    def clear(self) -> None:
        self._starts.clear()

    def search(self) -> None:
        """Search the whole buffer, with the packets that have arrived in order."""
        packets = self._buffer.packets
        self._starts = {number for number in packets if self.begins_keyframe(packets[number].packet)}

    def first(self) -> int | None:
        """Return the first packet of the first keyframe, ``None`` if none has begun."""
        return self._first_of_frame(min(self._starts)) if self._starts else None

    def first_behind(self, gap: int, *, whole: bool) -> int | None:
        """Return the first packet of the first keyframe, which may have to be complete, behind a missing packet."""
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
        """Return the first packet of the keyframe of a packet: other units of the frame may precede it."""
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


class RestartDetector:
    """Detects that the sender of a stream has restarted, by sequence numbers, timestamps and silence.

    RFC 3550 leaves it to the receiver to interpret a number that does not follow those before.

    Args:
        options: The limits of distance and silence.

    Attributes:
        last_useful: When the last useful packet arrived, in seconds; ``-math.inf`` before the first.
    """

    __slots__ = ("_latest", "_max_packets", "_newest_timestamp", "_silence", "last_useful")

    def __init__(self, options: FrameAssemblerOptions) -> None:
        self._max_packets = options.max_packets
        self._silence = options.restart_silence
        self._latest: int | None = None
        self._newest_timestamp: int | None = None
        self.last_useful = -math.inf

    def packet_kept(self, sequence_number: int, now: float) -> None:
        self._latest = sequence_number
        self.last_useful = now

    def frame_completed(self, timestamp: int) -> None:
        newest = self._newest_timestamp
        self._newest_timestamp = timestamp if newest is None else max(timestamp, newest)

    def reset(self) -> None:
        self._newest_timestamp = None

    def is_silent(self, now: float) -> bool:
        """Return whether no packet was useful for ``restart_silence``."""
        return now - self.last_useful >= self._silence

    def is_far(self, sequence_number: int, next_expected: int | None) -> bool:
        """Return whether a number is so far from the others that the stream must have restarted.

        Args:
            sequence_number: A number that is not below ``next_expected``.
            next_expected: The first missing number, ``None`` where that is not known.
        """
        if self._latest is None:
            return False
        if next_expected is None:
            return abs(sequence_number - self._latest) > self._max_packets
        # A frame at the limit must not be split: the packet before this one may have been within it.
        return sequence_number - max(next_expected, self._latest) > self._max_packets

    def is_restart(self, behind: int, timestamp: int, now: float) -> bool:
        """Return whether a keyframe ``behind`` the next expected number shows a restart of the sender."""
        is_unseen = self._newest_timestamp is None or timestamp > self._newest_timestamp
        return behind > self._max_packets or is_unseen or self.is_silent(now)
