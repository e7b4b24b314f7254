"""TODO."""

import math
from collections import deque
from collections.abc import Callable

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.buffer_budget import ReceiveBudgets
from trio_rtc.protocols.rtp.options import JitterOptions, RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import HeaderValues
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame, PlayedFrame
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.parameters import FEEDBACK_NACK, Codec
from trio_rtc.protocols.rtp.payload import (
    Depacketizer,
    LayerIds,
    continuity_tracker,
    layer_reader,
)
from trio_rtc.protocols.rtp.receive.jitter import JitterEstimator
from trio_rtc.protocols.rtp.receive.sync_group import StreamTiming
from trio_rtc.protocols.rtp.stats import ReceiveStats

from .frame_assembler import CompletedFrame, FrameAssembler
from .temporal_layers import LayerPosition


class VideoReceivePipeline:
    """Pictures: put together, in order, whole, as soon as they are."""

    def __init__(
        self,
        codec: Codec,
        opener: Depacketizer,
        options: RtpOptions,
        meters: ReceiveStats | None = None,
        *,
        ssrc: int,
        rid: str | None,
        budgets: ReceiveBudgets | None = None,
    ) -> None:
        budgets = budgets or ReceiveBudgets(options)
        self._codec = codec
        self.rid = rid
        self._ssrc = ssrc
        self._meters = meters or ReceiveStats()
        self._waiting = budgets.held
        reader = layer_reader(codec.name)
        layers = None if reader is None else LayerReader(reader)
        self._assembler = FrameAssembler(
            opener,
            options.assembler,
            layers=layers,
            continuity=continuity_tracker(codec.name, codec.parameters),
            repairs=FEEDBACK_NACK in codec.feedback,
            budget=budgets.assembly,
        )
        self._assembler.counters = self._meters.assembler
        self._jitter = JitterEstimator()
        # Of the first packet of each frame that came by itself: repairs tell nothing about a queue.
        self._arrivals = JitterEstimator(JitterOptions(remembered=_RECENT_FRAMES))
        self._newest = -math.inf
        self._values: dict[int, HeaderValues] = {}
        self._last: int | None = None
        self._extra_delay = 0.0
        self._least_wait = 0.0
        self._min_delay = 0.0
        # What the sender asks for (the extension playout-delay).
        self._asked_delay = 0.0
        self._longest_delay = math.inf
        self._held: deque[tuple[float, EncodedFrame]] = deque()
        self._lateness = 0.0
        self._kept_through = -math.inf

    @property
    def assembler(self) -> FrameAssembler:
        """What puts frames together, with its counters."""
        return self._assembler

    @property
    def next_expected(self) -> int | None:
        """The sequence number below which no packet is of use any more."""
        return self._assembler.next_expected

    def insert(
        self,
        number: int,
        timestamp: int,
        packet: RtpPacket,
        values: HeaderValues,
        now: float,
        *,
        recovered: bool = False,
    ) -> None:
        """Take a packet."""
        if values.rotation is not None or values.capture_time is not None:
            self._remember(timestamp, values)
        if values.playout_delay_min is not None and values.playout_delay_max is not None:
            self._asked_delay, self._longest_delay = values.playout_delay_min, values.playout_delay_max
        if timestamp > self._newest and not recovered:
            self._newest = timestamp
            self._arrivals.update(timestamp / self._codec.clock_rate, now)
        self._assembler.insert(number, timestamp, packet, now)

    def note_kept(self, number: int) -> None:
        """Record that the packets up to a sequence number were kept until somebody wanted frames."""
        self._kept_through = max(self._kept_through, number)

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return the pictures that are whole, or of these, when they have to wait for the sound, those that are due."""
        held, waiting = self._held, self._waiting
        for frame, ready_at in self._whole_frames(now):
            held.append((self._due(frame, ready_at, now), frame))
            waiting.size += len(frame.payload)
        frames: list[PlayedFrame] = []
        while held and (held[0][0] <= now or len(held) > _MAX_HELD or waiting.is_exceeded):
            _, frame = held.popleft()
            waiting.size -= len(frame.payload)
            frames.append(frame)
        return frames

    def end(self) -> None:
        """Drop the packets and frames that wait."""
        self._assembler.end()
        self._waiting.size -= sum(len(frame.payload) for _, frame in self._held)
        self._held.clear()

    def _due(self, frame: EncodedFrame, ready_at: float, now: float) -> float:
        base = self._jitter.base_delay
        if base is None:
            return now
        captured = frame.timestamp / frame.clock_rate
        self._lateness += _LATENESS_SMOOTHING * (max(ready_at - captured - base, 0.0) - self._lateness)
        if not (self._extra_delay or self._min_delay or self._asked_delay):
            return now
        # The application's own wish goes before the sender's.
        delay = max(min(self._own_wait() + self._extra_delay, self._longest_delay), self._min_delay)
        return min(captured + base + delay, now + _MAX_HOLD)

    def _own_wait(self) -> float:
        """Return how long pictures wait for their own sake, beyond the least delay: as long as they take on average.

        Only where they have to wait at any rate it is long enough for nearly all of them.
        """
        least = max(self._min_delay, self._asked_delay)
        return max(self._jitter.target_delay, least) if least else self._lateness

    def _whole_frames(self, now: float) -> list[tuple[EncodedFrame, float]]:
        """Return the frames that are whole, each with the time since when it is ready for who wants it."""
        frames: list[tuple[EncodedFrame, float]] = []
        for completed in self._assembler.frames(now):
            # A frame that was kept until somebody wanted it is not late: the network had no part in that.
            was_kept = completed.first_sequence_number <= self._kept_through
            ready_at = completed.completed_at if was_kept else now
            self._jitter.update(completed.timestamp / self._codec.clock_rate, completed.completed_at)
            self._measure(completed, ready_at)
            frames.append((self._encoded(completed), ready_at))
            self._last = completed.timestamp
        if frames:
            self._assembler.set_delay(max(self._jitter.target_delay, self._least_wait))
        return frames

    def _encoded(self, completed: CompletedFrame) -> EncodedFrame:
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
        )

    def repair_gave_up(self) -> None:
        """Hear that what is missing will not come."""
        self._assembler.repair_gave_up()

    def set_retransmission_timeout(self, retransmission_timeout: float, first_answer: float) -> None:
        """Set how long what is missing is worth waiting for."""
        base, longest = self._arrivals.base_delay, self._arrivals.longest_delay
        queueing_delay = 0.0 if base is None or longest is None else longest - base
        self._assembler.set_retransmission_timeout(retransmission_timeout, first_answer, queueing_delay)

    def expect_repairs(self) -> None:
        """Hear that there is error correction, which is worth waiting for."""
        self._least_wait = _CORRECTION_WAIT
        self._assembler.set_delay(max(self._jitter.target_delay, self._least_wait))

    def take_keyframe_request(self) -> bool:
        """Return whether a keyframe is needed."""
        return self._assembler.take_keyframe_request()

    def timing(self) -> StreamTiming | None:
        """Return when the last picture is shown if it is as late as pictures are on average."""
        base = self._jitter.base_delay
        if base is None or self._last is None:
            return None
        captured = self._last / self._codec.clock_rate
        return StreamTiming(self._last, captured + base + self._own_wait())

    def take_clock_shift(self) -> float:
        """Return 0: pictures are shown as they come, and follow any clock."""
        return 0.0

    def set_extra_delay(self, delay: float) -> None:
        """Take how much longer pictures have to wait for the sound; less than some milliseconds is nothing."""
        self._extra_delay = delay if delay >= _LEAST_EXTRA_DELAY else 0.0

    def set_min_delay(self, delay: float) -> None:
        """Take how long pictures have to wait at least."""
        self._min_delay = delay

    def next_timer(self) -> float:
        """Return when ``frames`` has something though nothing came."""
        deadline = self._assembler.next_timer()
        return min(deadline, self._held[0][0]) if self._held else deadline

    def _measure(self, completed: CompletedFrame, ready_at: float) -> None:
        meters = self._meters
        meters.emitted += 1
        meters.delay += ready_at - completed.began_at
        if completed.last_sequence_number > completed.first_sequence_number:
            meters.assembled += 1
            meters.assembly_time += completed.completed_at - completed.began_at
        meters.rate.note(ready_at)
        meters.intervals.note(ready_at)
        frame = completed.frame
        if frame.width and frame.height:
            meters.width, meters.height = frame.width, frame.height

    def _remember(self, timestamp: int, values: HeaderValues) -> None:
        """Keep what a packet tells of its frame; of at most as many frames as can be under way."""
        self._values[timestamp] = values
        if len(self._values) > _MAX_FRAMES_UNDER_WAY:
            del self._values[next(iter(self._values))]


class LayerReader:
    """Temporal layers of frames for the assembler, of codecs that number the frames of their base layer.

    Args:
        read: Reads the layers that a payload tells.
    """

    def __init__(self, read: Callable[[bytes], LayerIds]) -> None:
        self._read = read

    def layer_position(self, payload: bytes) -> LayerPosition | None:
        """Return what the first payload of a frame tells, ``None`` if it does not."""
        try:
            layers = self._read(payload)
        except ProtocolError:
            return None
        if layers.temporal_id is None or layers.tl0_picture_index is None:
            return None
        return LayerPosition(
            layers.temporal_id, layers.tl0_picture_index, layers.layer_sync, layers.switching_up_point
        )


_MAX_FRAMES_UNDER_WAY = 128
_RECENT_FRAMES = 15
"""Frames of which the latest tells how long the queue is."""
_MAX_HELD = 128
"""Pictures that wait for the sound; of more the first is shown at once, and likewise of too many bytes."""
_MAX_HOLD = 5.0
_CORRECTION_WAIT = 0.15
"""Seconds to wait for error correction: it protects a few frames together, and comes behind them."""
_LEAST_EXTRA_DELAY = 0.01
_LATENESS_SMOOTHING = 1 / 64
