"""The first packets of a video stream, kept for an application that consumes it a moment later.

A stream begins with a keyframe. An application that begins to read some milliseconds after the first packets would need
another one, and some peers answer no request, because they only forward what they receive. So the first packets are
kept until frames are consumed for the first time, and until packets are: an application may forward a stream and show
it. If they become too many or too old, all are dropped, and a later consumer begins with a keyframe that is requested.
The stream whose early media is oldest drops it too when all streams of the session together exceed their budget.
"""

from collections.abc import Callable
from typing import Final

from trio_rtc.protocols.rtp.buffer_budget import PACKET_OVERHEAD, BufferBudget
from trio_rtc.protocols.rtp.packet.packet import MediaPacket

MAX_EARLY_PACKETS: Final = 256
"""More than the packets of a keyframe of 1920x1080 pixels, and about a second of a usual call."""
MAX_EARLY_BYTES: Final = 1 << 19
"""Bytes of payload: 256 packets of 2 KiB, the longest datagrams that are accepted."""
MAX_EARLY_TIME: Final = 2.0
"""Seconds from the first packet on. Older packets are of use only to a stream that has stood still since."""


class EarlyMedia:
    """The first packets of a stream in order of arrival.

    Args:
        budget: Shared with the other streams of the session.
        on_dropped: Called when the packets were dropped. The budget may drop them while another stream receives, so
            no return value could report it.

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
        """Drop the packets of the codec before, and keep those of the next if it is video that may be consumed yet."""
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
        """Drop the packets: they are too many, or other streams need the room."""
        self.release()
        self._on_dropped()

    def release(self) -> None:
        """Stop keeping packets, and release them from the budget."""
        self._budget.release(self)
        self.packets = None
        self._size = 0

    def set_demand(self, *, frames: bool, packets: bool) -> tuple[list[MediaPacket], list[MediaPacket]]:
        """Set what the application consumes.

        Returns:
            The packets for the consumers of frames, and for those of packets; empty unless it is the first time.
        """
        kept = self.packets or []
        for_frames = list(kept) if frames and not self._frames_wanted else []
        for_packets = list(kept) if packets and not self._packets_wanted else []
        # When the demand ends, the beginning is over for both.
        is_over = not frames and not packets and (self._frames_wanted or self._packets_wanted)
        self._frames_wanted |= frames or is_over
        self._packets_wanted |= packets or is_over
        if self._frames_wanted and self._packets_wanted:
            self.release()
        return for_frames, for_packets
