"""The packets of a video stream that wait until their frame is whole."""

from collections.abc import Iterable

from trio_rtc.protocols.rtp.buffer_budget import PACKET_OVERHEAD, Buffer, BufferBudget
from trio_rtc.protocols.rtp.packet.packet import RtpPacket


class BufferedPacket:
    """A packet that waits.

    Attributes:
        packet: As it came.
        timestamp: Unwrapped.
        arrival: When it came.
    """

    __slots__ = ("arrival", "packet", "timestamp")

    def __init__(self, packet: RtpPacket, timestamp: int, arrival: float) -> None:
        self.packet = packet
        self.timestamp = timestamp
        self.arrival = arrival


class PacketBuffer:
    """Packets by unwrapped sequence number, in order of arrival.

    Args:
        owner: Who is asked to discard the packets when the budget is exceeded.
        budget: Shared with the other streams of the session.

    Attributes:
        packets: By sequence number.
        size: Bytes of their payloads.
    """

    __slots__ = ("_budget", "_owner", "packets", "size")

    def __init__(self, owner: Buffer, budget: BufferBudget) -> None:
        self.packets: dict[int, BufferedPacket] = {}
        self.size = 0
        self._owner = owner
        self._budget = budget

    def insert(self, sequence_number: int, entry: BufferedPacket) -> None:
        """Keep a packet whose number is not there yet."""
        self.packets[sequence_number] = entry
        self.size += len(entry.packet.payload)

    def charge(self, entry: BufferedPacket) -> None:
        """Record a packet that was inserted in the budget, which may have all packets discarded, these or others."""
        self._budget.add(self._owner, len(entry.packet.payload) + PACKET_OVERHEAD)

    def remove(self, sequence_number: int) -> BufferedPacket:
        """Take a packet out that is there."""
        (entry,) = self.remove_run(sequence_number, sequence_number)
        return entry

    def remove_run(self, first: int, last: int) -> list[BufferedPacket]:
        """Remove and return the packets from one number to another, which are all there."""
        pop = self.packets.pop
        entries = [pop(number) for number in range(first, last + 1)]
        size = sum(len(entry.packet.payload) for entry in entries)
        self.size -= size
        self._budget.remove(self._owner, size + PACKET_OVERHEAD * len(entries))
        return entries

    def discard(self, sequence_numbers: Iterable[int]) -> int:
        """Take packets out that nobody needs, and return of how many frames they were."""
        return len({self.remove(sequence_number).timestamp for sequence_number in list(sequence_numbers)})

    def discard_below(self, sequence_number: int) -> int:
        """Take out all packets below a number, and return of how many frames they were."""
        return self.discard([number for number in self.packets if number < sequence_number])

    def discard_before(self, horizon: float) -> int:
        """Take out all packets that came before a time, and return of how many frames they were."""
        numbers = []
        for number, entry in self.packets.items():
            if entry.arrival >= horizon:
                break
            numbers.append(number)
        return self.discard(numbers)

    def clear(self) -> int:
        """Take all packets out, and return of how many frames they were."""
        frames = len({entry.timestamp for entry in self.packets.values()})
        self.packets.clear()
        self.size = 0
        self._budget.release(self._owner)
        return frames

    def run_end(self, start: int) -> int:
        """Return the first number from ``start`` on that is missing."""
        packets = self.packets
        while start in packets:
            start += 1
        return start

    def frame_end(self, first: int, end: int, start: int | None = None) -> int | None:
        """Return the last packet of the frame that begins at ``first``; ``None`` if it is not there yet.

        It is the one with the marker. In a stream without markers it is the one before the timestamp changes.

        Args:
            first: The first packet of the frame, which is there.
            end: All packets from ``first`` up to here are there.
            start: The first packet that has not been looked at yet.
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
        """Return the first packet behind a number that has a payload, ``None`` if there is none."""
        behind = (each for each, entry in self.packets.items() if each > number and entry.packet.payload)
        return min(behind, default=None)

    def first_known_gap(self, end: int) -> float:
        """Return when the first packet beyond ``end`` came, which showed that ``end`` is missing."""
        return min(entry.arrival for number, entry in self.packets.items() if number > end)
