"""The receive pipeline of video: from packets to complete frames, released when they are due.

Packets go to the frame assembler, and a complete frame gets the values of its packets' header extensions. Frames are
released at once, unless the application, the sender (extension playout-delay) or synchronization with audio requires a
delay: then they are held until they are due.
"""

import math
from collections import deque

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.buffer_budget import ReceiveBudgets
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.rtp.options import JitterOptions, RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import HeaderValues
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame, PlayedFrame
from trio_rtc.protocols.rtp.packet.packet import MediaPacket
from trio_rtc.protocols.rtp.parameters import FEEDBACK_NACK
from trio_rtc.protocols.rtp.payload import Depacketizer
from trio_rtc.protocols.rtp.receive.jitter import JitterEstimator
from trio_rtc.protocols.rtp.receive.sync_group import StreamTiming
from trio_rtc.protocols.rtp.stats import ReceiveStats

from .frame_assembler import CompletedFrame, FrameAssembler
from .frame_continuity import continuity_tracker, layer_position_reader

_MAX_FRAMES_IN_FLIGHT = 128
_RECENT_FRAMES = 15
"""The number of latest frames that show the length of the queue."""
_MAX_HELD = 128
"""Frames that wait for audio; of more the first is released at once, and likewise of too many bytes."""
_MAX_HOLD = 5.0
_FEC_WAIT = 0.15
"""Seconds to wait for error correction, whose packets protect a few frames together and follow them."""
_MIN_EXTRA_DELAY = 0.01
_LATENESS_SMOOTHING = 1 / 64


@attrs.define
class _HeldFrame:
    """A complete frame that is not released yet.

    Attributes:
        due: When to release it.
        target_delay: Its target delay in seconds.
        began_at: When its first packet arrived.
        kept_until: When a frame that was kept for want of a consumer could have been released; otherwise infinite.
    """

    frame: EncodedFrame
    due: float
    target_delay: float
    began_at: float
    kept_until: float


class VideoReceivePipeline:
    """Assembles frames, and holds them until they are due.

    Args:
        rid: The simulcast layer of the stream.
        budgets: Shared with the other streams of the session; ``None`` for a stream by itself.

    Attributes:
        rid: The simulcast layer of the stream.
    """

    def __init__(
        self,
        codec: Codec,
        depacketizer: Depacketizer,
        options: RtpOptions,
        stats: ReceiveStats | None = None,
        *,
        ssrc: int,
        rid: str | None,
        budgets: ReceiveBudgets | None = None,
    ) -> None:
        budgets = budgets or ReceiveBudgets(options)
        self.rid = rid
        self._ssrc = ssrc
        self._codec = codec
        self._stats = stats or ReceiveStats()
        self._held_budget = budgets.held
        self.assembler = FrameAssembler(
            depacketizer,
            options.assembler,
            read_layers=layer_position_reader(codec.name),
            continuity=continuity_tracker(codec.name, codec.parameters),
            repairs=FEEDBACK_NACK in codec.feedback,
            budget=budgets.assembly,
        )
        self.assembler.counters = self._stats.assembler
        self._jitter = JitterEstimator()
        # Of the first packet of each frame that was not retransmitted: retransmissions do not show the queue.
        self._arrivals = JitterEstimator(JitterOptions(remembered=_RECENT_FRAMES))
        self._newest = -math.inf
        self._values: dict[int, HeaderValues] = {}
        self._last: int | None = None
        self._extra_delay = 0.0
        self._min_reordering_wait = 0.0
        self._requested_delay = 0.0
        # The limits that the sender has set (extension playout-delay).
        self._sender_min_delay = 0.0
        self._sender_max_delay = math.inf
        self._held: deque[_HeldFrame] = deque()
        self._lateness = 0.0
        self._kept_through = -math.inf

    @property
    def next_expected(self) -> int | None:
        """The sequence number below which packets are of no use; ``None`` if it is not known."""
        return self.assembler.next_expected

    def insert(self, received: MediaPacket, values: HeaderValues) -> None:
        """Insert a packet, and the values of its header extensions."""
        number, timestamp, packet, now, recovered = received
        if values.rotation is not None or values.capture_time is not None:
            self._store_values(timestamp, values)
        if values.playout_delay_min is not None and values.playout_delay_max is not None:
            self._sender_min_delay = values.playout_delay_min
            self._sender_max_delay = values.playout_delay_max
        if timestamp > self._newest and not recovered:
            self._newest = timestamp
            self._arrivals.update(timestamp / self._codec.clock_rate, now)
        self.assembler.insert(number, timestamp, packet, now)

    def record_kept(self, number: int) -> None:
        """Record that packets up to a sequence number were kept until the application consumed frames."""
        self._kept_through = max(self._kept_through, number)

    def frames(self, now: float) -> list[PlayedFrame]:
        held, budget = self._held, self._held_budget
        self._hold_complete_frames(now)
        frames: list[PlayedFrame] = []
        while held and (held[0].due <= now or len(held) > _MAX_HELD or budget.is_exceeded):
            released = held.popleft()
            budget.size -= len(released.frame.payload)
            self._record_released(released, now)
            frames.append(released.frame)
        return frames

    def end(self) -> None:
        self.assembler.end()
        self._held_budget.size -= sum(len(each.frame.payload) for each in self._held)
        self._held.clear()

    def _due_time(self, frame: EncodedFrame, ready_at: float, now: float) -> tuple[float, float]:
        """Return when to release a frame, and its target delay."""
        base = self._jitter.base_delay
        assert base is not None
        captured = frame.timestamp / frame.clock_rate
        self._lateness += _LATENESS_SMOOTHING * (max(ready_at - captured - base, 0.0) - self._lateness)
        if not (self._extra_delay or self._requested_delay or self._sender_min_delay):
            return ready_at, self._lateness
        # The application's minimum takes precedence over the sender's maximum.
        delay = max(min(self._own_delay() + self._extra_delay, self._sender_max_delay), self._requested_delay)
        return min(captured + base + delay, now + _MAX_HOLD), delay

    def _own_delay(self) -> float:
        """Return the delay of frames without synchronization: as long as they take on average.

        Only where they must wait in any case, it is long enough for nearly all of them.
        """
        minimum = max(self._requested_delay, self._sender_min_delay)
        return max(self._jitter.target_delay, minimum) if minimum else self._lateness

    def _hold_complete_frames(self, now: float) -> None:
        """Hold each complete frame until it is due."""
        completed_frames = self.assembler.frames(now)
        if not completed_frames:
            return
        for completed in completed_frames:
            self._jitter.update(completed.timestamp / self._codec.clock_rate, completed.completed_at)
        for completed in completed_frames:
            # The network did not delay a frame that was kept until the application consumed it.
            was_kept = completed.first_sequence_number <= self._kept_through
            ready_at = completed.completed_at if was_kept else now
            frame = self._make_frame(completed, completed.began_at + now - ready_at)
            due, target_delay = self._due_time(frame, ready_at, now)
            kept_until = max(ready_at, due) if was_kept else math.inf
            self._held.append(_HeldFrame(frame, due, target_delay, completed.began_at, kept_until))
            self._held_budget.size += len(frame.payload)
            if completed.last_sequence_number > completed.first_sequence_number:
                self._stats.assembled += 1
                self._stats.assembly_time += completed.completed_at - completed.began_at
        self._last = completed_frames[-1].timestamp
        self.assembler.set_delay(max(self._jitter.target_delay, self._min_reordering_wait))

    def _make_frame(self, completed: CompletedFrame, received_at: float) -> EncodedFrame:
        values = self._values.pop(completed.timestamp, None)
        frame = completed.frame
        return EncodedFrame(
            frame.payload,
            completed.timestamp,
            self._codec.clock_rate,
            self._codec.name,
            frame.keyframe,
            frame.spatial_id,
            frame.temporal_id,
            self.rid,
            self._ssrc,
            frame.width,
            frame.height,
            capture_time=None if values is None else values.capture_time,
            rotation=0 if values is None else values.rotation or 0,
            contributing_sources=completed.packet.csrcs,
            received_at=received_at,
        )

    def retransmission_gave_up(self) -> None:
        """Record that missing packets are not requested any more."""
        self.assembler.retransmission_gave_up()

    def set_retransmission_timeout(self, retransmission_timeout: float, first_answer: float) -> None:
        """Set the times until the second and the first request for a missing packet are answered, in seconds."""
        base, longest = self._arrivals.base_delay, self._arrivals.longest_delay
        queueing_delay = 0.0 if base is None or longest is None else longest - base
        self.assembler.set_retransmission_timeout(retransmission_timeout, first_answer, queueing_delay)

    def expect_fec(self) -> None:
        """Record that the stream is protected, so that the assembler waits for error correction."""
        self._min_reordering_wait = _FEC_WAIT
        self.assembler.set_delay(max(self._jitter.target_delay, self._min_reordering_wait))

    def take_keyframe_request(self) -> bool:
        return self.assembler.take_keyframe_request()

    def timing(self) -> StreamTiming | None:
        """Return when the last frame is played if it is as late as frames are on average; ``None`` before a frame."""
        base = self._jitter.base_delay
        if base is None or self._last is None:
            return None
        captured = self._last / self._codec.clock_rate
        return StreamTiming(self._last, captured + base + self._own_delay())

    def take_clock_shift(self) -> float:
        """Return 0: video is played as it arrives, and follows any clock."""
        return 0.0

    def set_extra_delay(self, delay: float) -> None:
        """Set the delay for synchronization with audio, in seconds; a few milliseconds are ignored."""
        self._extra_delay = delay if delay >= _MIN_EXTRA_DELAY else 0.0

    def set_min_delay(self, delay: float) -> None:
        """Set the application's minimum delay, in seconds."""
        self._requested_delay = delay

    def next_timer(self) -> float:
        """Return when to call ``frames`` without a new packet."""
        deadline = self.assembler.next_timer()
        return min(deadline, self._held[0].due) if self._held else deadline

    def _record_released(self, released: _HeldFrame, now: float) -> None:
        stats, frame = self._stats, released.frame
        left_at = min(now, released.kept_until)
        stats.video_frames_emitted += 1
        stats.video_delay += left_at - released.began_at
        stats.video_target_delay += released.target_delay
        stats.video_minimum_delay += self._lateness
        stats.rate.record(left_at)
        stats.intervals.record(left_at)
        if frame.width and frame.height:
            stats.width, stats.height = frame.width, frame.height

    def _store_values(self, timestamp: int, values: HeaderValues) -> None:
        """Store the header values for the frame of a timestamp; at most of as many frames as can be in flight."""
        self._values[timestamp] = values
        if len(self._values) > _MAX_FRAMES_IN_FLIGHT:
            del self._values[next(iter(self._values))]
