"""Keyframes of a video stream: where they begin in the buffer, and when to request one."""

import math
from typing import Final

from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import Depacketizer
from trio_rtc.protocols.timer import Timer

from .packet_buffer import PacketBuffer

_BACKOFF: Final = 1.5
"""Rare enough for a keyframe that takes long to arrive, frequent enough where requests are lost."""


class KeyframeStarts:
    """The buffered packets that begin a keyframe, to find keyframes behind missing packets.

    It contains the packets that were added and those that a search of the whole buffer has found: packets that arrive
    in order need not be inspected.

    Args:
        buffer: The buffered packets.
        depacketizer: The depacketizer of the payload format.
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
        """Add a buffered packet that begins a keyframe."""
        self._starts.add(sequence_number)

    def forget_below(self, sequence_number: int) -> None:
        """Remove the packets before a number: their frame is being assembled, or they are of no use."""
        self._starts = {start for start in self._starts if start >= sequence_number}

    def clear(self) -> None:
        """Remove all packets."""
        self._starts.clear()

    def search(self) -> None:
        """Search the whole buffer, with the packets that have arrived in order."""
        packets = self._buffer.packets
        self._starts = {number for number in packets if self.begins_keyframe(packets[number].packet)}

    def first(self) -> int | None:
        """Return the first packet of the first keyframe, ``None`` if none has begun."""
        return self._first_of_frame(min(self._starts)) if self._starts else None

    def first_behind(self, gap: int, *, whole: bool) -> int | None:
        """Return the first packet of the first keyframe behind a missing packet.

        Args:
            gap: The missing packet.
            whole: Whether the keyframe must be complete.
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


class KeyframeRequests:
    """Requests a keyframe when one is needed, and repeats the request with backoff until it arrives.

    Attributes:
        requests: The number of requests.
    """

    __slots__ = ("_answer_time", "_interval", "_requested_at", "_timer", "_wanted", "requests")

    def __init__(self, options: FrameAssemblerOptions) -> None:
        self._interval = options.keyframe_interval
        self._timer = Timer(options.keyframe_interval, _BACKOFF, options.max_keyframe_interval)
        self._answer_time = 0.0
        self._requested_at = -math.inf
        self._wanted = False
        self.requests = 0

    @property
    def running(self) -> bool:
        """Whether a keyframe was requested and has not arrived."""
        return self._timer.running

    @property
    def deadline(self) -> float:
        """When the request is repeated."""
        return self._timer.deadline

    def set_answer_time(self, seconds: float) -> None:
        """Set the time that the answer to a request takes at present: the request is not repeated before that.

        A keyframe is the largest of frames: one more on a link whose queue is full makes all others later.
        """
        self._answer_time = seconds
        self._timer.duration = max(self._interval, seconds)
        if self._timer.running and not self._timer.expirations:
            self._timer.start(self._requested_at)

    def need(self, now: float) -> None:
        """Request a keyframe, unless one is pending or in flight."""
        if self._timer.running:
            return
        if now < self._requested_at + self._answer_time:
            self._timer.start(self._requested_at)
            return
        self._timer.start(now)
        self._request(now)

    def handle_timer(self, now: float) -> None:
        """Repeat the request if it is due."""
        if self._timer.expire(now):
            self._request(now)

    def satisfied(self) -> None:
        """Record that a keyframe has arrived."""
        self._timer.stop()
        self._wanted = False
        self._requested_at = -math.inf

    def withdraw(self) -> None:
        """Record that none is needed: the missing packets have arrived. The requested one may arrive all the same."""
        self._timer.stop()
        if self._wanted:
            self._wanted = False
            self._requested_at = -math.inf

    def take_request(self) -> bool:
        """Return whether to send a request now."""
        wanted = self._wanted
        self._wanted = False
        return wanted

    def _request(self, now: float) -> None:
        self._requested_at = now
        self._wanted = True
        self.requests += 1
