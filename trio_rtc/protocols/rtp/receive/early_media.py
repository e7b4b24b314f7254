"""The first packets of a video stream, kept for a reader or forwarder that begins a moment later.

A stream begins with a keyframe. An application that begins to read some milliseconds after the first packets would need
another one, and some peers answer no request, because they only forward what they get. So the first packets are kept
until frames are wanted for the first time, and packets likewise: a program may forward a stream and show it. If they
are too many or too old, all are dropped, and a later reader begins with a keyframe that is requested. The same happens
to the stream whose early media is oldest when all streams of the session together exceed their budget.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from trio_rtc.protocols.rtp.buffer_budget import PACKET_OVERHEAD, BufferBudget
from trio_rtc.protocols.rtp.packet.packet import RtpPacket

MAX_EARLY_PACKETS: Final = 256
"""More than a keyframe of 1920x1080 pixels is made of, and about a second of a usual call."""
MAX_EARLY_BYTES: Final = 1 << 19
"""Bytes of payload: more than 256 packets have on a usual path, though a peer may send datagrams of 64 KiB."""
MAX_EARLY_TIME: Final = 2.0
"""Seconds from the first packet on. What is older is of no use but to a stream that has stood still since."""


class MediaPacket(NamedTuple):
    """A packet of media with its unwrapped number and timestamp."""

    number: int
    timestamp: int
    packet: RtpPacket
    arrival: float
    recovered: bool


class EarlyMedia:
    """The first packets of a stream, in order of arrival.

    Args:
        budget: Shared with the other streams of the session.
        on_dropped: Called when the packets were dropped, because of them or of another stream.

    Attributes:
        packets: The packets; ``None`` if none are kept, or not any more.
    """

    __slots__ = ("_budget", "_frames_wanted", "_on_dropped", "_packets_wanted", "_size", "packets")

    def __init__(self, budget: BufferBudget, on_dropped: Callable[[], None]) -> None:
        self.packets: list[MediaPacket] | None = None
        self._budget = budget
        self._on_dropped = on_dropped
        self._size = 0
        self._frames_wanted = False
        self._packets_wanted = False

    def begin(self, *, is_video: bool) -> None:
        """Keep packets of another codec from now on, if they are video and something may still be wanted."""
        was_wanted = self._frames_wanted and self._packets_wanted
        self.release()
        self.packets = [] if is_video and not was_wanted else None

    def add(self, early: MediaPacket) -> None:
        """Keep a packet, or drop all if there are too many, or it is too late."""
        packets = self.packets
        if packets is None:
            return
        size = len(early.packet.payload)
        self._size += size
        if packets and (
            len(packets) >= MAX_EARLY_PACKETS
            or self._size > MAX_EARLY_BYTES
            or early.arrival > packets[0].arrival + MAX_EARLY_TIME
        ):
            self.discard()
            return
        packets.append(early)
        self._budget.add(self, size + PACKET_OVERHEAD)

    def discard(self) -> None:
        """Drop the packets: there are too many, or other streams need the room."""
        self.release()
        self._on_dropped()

    def release(self) -> None:
        """Keep no packets any more, and release them from the budget."""
        self._budget.release(self)
        self.packets = None
        self._size = 0

    def want(self, *, frames: bool, packets: bool) -> tuple[list[MediaPacket], list[MediaPacket]]:
        """Record what is wanted from now on.

        Returns:
            The packets for those who want frames, and for those who want packets; empty unless it is the first time.
        """
        kept = self.packets or []
        for_frames = list(kept) if frames and not self._frames_wanted else []
        for_packets = list(kept) if packets and not self._packets_wanted else []
        # When nothing is wanted any more, the beginning is over for both.
        is_over = not frames and not packets and (self._frames_wanted or self._packets_wanted)
        self._frames_wanted |= frames or is_over
        self._packets_wanted |= packets or is_over
        if self._frames_wanted and self._packets_wanted:
            self.release()
        return for_frames, for_packets
