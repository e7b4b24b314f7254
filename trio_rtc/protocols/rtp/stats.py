"""Statistics of streams: frame rate, freezes, audio level, round trips, quality limitation, losses and jitter.

The definitions are those of W3C's identifiers for statistics (webrtc-stats sections 7.3 to 7.7), and for report blocks
those of RFC 3550 (section 6.4.1, appendices A.1, A.3 and A.8).
"""

import enum
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from trio_rtc import _attrs as attrs

if TYPE_CHECKING:
    from trio_rtc.protocols.rtcp import SenderReport

_MAX_FRAMES_A_SECOND: Final = 512
_FRAMES_AVERAGED: Final = 30
_FRAMES_NEEDED: Final = 5
_FREEZE_FACTOR: Final = 3.0
_FREEZE_EXCESS: Final = 0.15
_PAUSE: Final = 5.0
_SILENT_LEVEL: Final = 127
_JUMP: Final = 3000
"""Numbers missing at once that RFC 3550 appendix A.1 takes for a restart."""
_MAX_DIFFERENCE: Final = 5
"""Seconds; a longer difference is a pause or a clock that was set, not jitter."""
_CUMULATIVE_MAX: Final = (1 << 23) - 1
_CUMULATIVE_MIN: Final = -(1 << 23)


class FrameRate:
    """The frame rate: the number of frames in the last second, at most 512."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MAX_FRAMES_A_SECOND)

    def record(self, now: float) -> None:
        self._times.append(now)

    def in_last_second(self, now: float) -> int:
        times = self._times
        while times and times[0] <= now - 1:
            times.popleft()
        return len(times)


class FreezeDetector:
    """Measures the intervals between video frames, and detects freezes and pauses.

    An interval of more than five seconds is a pause. Another interval is a freeze if it is at least three times the
    average of the last thirty, and 150 ms longer than that average.

    Attributes:
        frames: The number of frames.
        total: The sum of the intervals, in seconds.
        total_squared: The sum of their squares.
        freezes: The number of freezes.
        frozen: Their duration in seconds.
        pauses: The number of pauses.
        paused: Their duration in seconds.
    """

    __slots__ = (
        "_last",
        "_recent",
        "frames",
        "freezes",
        "frozen",
        "paused",
        "pauses",
        "total",
        "total_squared",
    )

    def __init__(self) -> None:
        self._last: float | None = None
        self._recent: deque[float] = deque(maxlen=_FRAMES_AVERAGED)
        self.frames = 0
        self.total = 0.0
        self.total_squared = 0.0
        self.freezes = 0
        self.frozen = 0.0
        self.pauses = 0
        self.paused = 0.0

    def record(self, now: float) -> None:
        last, self._last = self._last, now
        self.frames += 1
        if last is None:
            return
        interval = now - last
        self.total += interval
        self.total_squared += interval * interval
        if interval > _PAUSE:
            self.pauses += 1
            self.paused += interval
            return
        recent = self._recent
        if len(recent) >= _FRAMES_NEEDED:
            average = sum(recent) / len(recent)
            if interval >= max(_FREEZE_FACTOR * average, average + _FREEZE_EXCESS):
                self.freezes += 1
                self.frozen += interval
        recent.append(interval)


class AudioLevelMeter:
    """Accumulates the audio levels of frames (RFC 6464).

    Attributes:
        level: The last level, from 0 for silence to 1 for the loudest; 0 before the first frame, and ``None`` if no
            frame has had a level.
        energy: The sum of the squared levels, each times the duration of its frame in seconds.
        duration: The duration of the frames with a level, in seconds.
    """

    __slots__ = ("duration", "energy", "level")

    def __init__(self) -> None:
        self.level: float | None = 0.0
        self.energy = 0.0
        self.duration = 0.0

    def record(self, level: int | None, duration: float) -> None:
        """Record the level of a frame in -dBov, ``None`` if it has none, and its duration in seconds."""
        if level is None:
            self.record_measured(None, duration)
        else:
            self.record_measured(0.0 if level >= _SILENT_LEVEL else float(10 ** (-level / 20)), duration)

    def record_measured(self, level: float | None, duration: float) -> None:
        """Record a level from 0 to 1, ``None`` if it is unknown, and the duration of the frame in seconds."""
        if level is not None:
            self.level = level
            self.energy += level * level * duration
            self.duration += duration
        elif not self.duration:
            self.level = None


@attrs.define
class RoundTripStats:
    """Round-trip times, in seconds.

    Attributes:
        last: The last round-trip time; ``None`` before the first.
        total: The sum of all.
        measurements: The number of all.
    """

    last: float | None = None
    total: float = 0.0
    measurements: int = 0

    def record(self, round_trip: float) -> None:
        self.last = round_trip
        self.total += round_trip
        self.measurements += 1


class QualityLimitationReason(enum.Enum):
    """The reason for which a video has less than its best quality."""

    NONE = "none"
    BANDWIDTH = "bandwidth"


class QualityLimitation:
    """The reason that limits the quality of a stream, and the durations of all reasons."""

    __slots__ = ("_durations", "_since", "reason")

    def __init__(self) -> None:
        self.reason = QualityLimitationReason.NONE
        self._since: float | None = None
        self._durations = dict.fromkeys(QualityLimitationReason, 0.0)

    def set_reason(self, reason: QualityLimitationReason, now: float) -> None:
        if self._since is not None:
            self._durations[self.reason] += now - self._since
        self.reason, self._since = reason, now

    def durations(self, now: float) -> dict[str, float]:
        """Return the duration of each reason in seconds."""
        self.set_reason(self.reason, now)
        return {reason.value: seconds for reason, seconds in self._durations.items()}


@attrs.define
class AssemblerCounters:
    """Counters of the frame assembler.

    Attributes:
        frames: Completed frames.
        keyframes: Completed keyframes.
        malformed: Frames whose payloads were malformed.
        dropped: Frames that were given up after packets of them had arrived.
        late: Packets that arrived when they were of no use any more.
        duplicates: Packets that arrived twice.
        skips: Gaps that were given up.
        passed_over: Missing numbers that were assumed to carry no media.
        resets: Restarts of the stream.
        overflows: How often the buffer was full.
    """

    frames: int = 0
    keyframes: int = 0
    malformed: int = 0
    dropped: int = 0
    late: int = 0
    duplicates: int = 0
    skips: int = 0
    passed_over: int = 0
    resets: int = 0
    overflows: int = 0


@attrs.define
class PlayoutCounters:
    """Counters of the audio playout; in clock units where nothing else is written.

    Attributes:
        frames: The number of played frames.
        played: Played audio that was received, without what was inserted into it.
        concealed: Concealment of lost or late audio.
        repeated: Lost audio that the next frame carries again, from which a decoder plays it (Opus in-band FEC).
        silence: Audio played where the sender sent none.
        concealment_events: How often concealment of lost or late audio began.
        inserted: Audio inserted to increase the delay, by concealment or by lengthening a frame.
        removed: Audio removed to reduce the delay, by skipping frames or by shortening one.
        late: The number of frames that arrived after their playout time.
        duplicates: The number of frames that arrived twice.
        overflows: The number of frames dropped because the buffer was full.
        restarts: How often the timestamps restarted.
        clock_shifts: How often the sender's clock was found to have stood still.
        delay: The sum of the waiting time of each unit, in seconds times clock units.
    """

    frames: int = 0
    played: int = 0
    concealed: int = 0
    repeated: int = 0
    silence: int = 0
    concealment_events: int = 0
    inserted: int = 0
    removed: int = 0
    late: int = 0
    duplicates: int = 0
    overflows: int = 0
    restarts: int = 0
    clock_shifts: int = 0
    delay: float = 0.0


@attrs.define
class ReceiveStats:
    """Statistics of the frames of a received stream, over all its codecs.

    Attributes:
        assembler: Counters of the frame assembler of video.
        playout: Counters of the playout of audio.
        malformed: Malformed audio payloads.
        video_frames_emitted: Video frames that were released.
        video_delay: The time from their first packet to their release, in seconds, summed up.
        video_target_delay: The target delay of each of them, in seconds, summed up.
        video_minimum_delay: The same without synchronization, the sender's limits and the application's minimum.
        unassembled: Video frames of which a packet has arrived while no frames were consumed.
        assembled: Video frames of several packets.
        assembly_time: The time from their first to their last packet, in seconds, summed up.
        audio_target_delay: The target delay of each unit of audio, in seconds times clock units.
        audio_minimum_delay: The same without synchronization and the application's minimum.
        rate: The frame rate of video.
        intervals: The frame intervals of video.
        audio_level: The audio level.
        width: The width of the last video frame with known dimensions, in pixels; ``None`` before.
        height: Its height.
    """

    assembler: AssemblerCounters = attrs.field(factory=AssemblerCounters)
    playout: PlayoutCounters = attrs.field(factory=PlayoutCounters)
    malformed: int = 0
    video_frames_emitted: int = 0
    video_delay: float = 0.0
    video_target_delay: float = 0.0
    video_minimum_delay: float = 0.0
    unassembled: int = 0
    assembled: int = 0
    assembly_time: float = 0.0
    audio_target_delay: float = 0.0
    audio_minimum_delay: float = 0.0
    rate: FrameRate = attrs.field(factory=FrameRate)
    intervals: FreezeDetector = attrs.field(factory=FreezeDetector)
    audio_level: AudioLevelMeter = attrs.field(factory=AudioLevelMeter)
    width: int | None = None
    height: int | None = None


@attrs.define
class ReceiveCounters:
    """Counters of a received stream beyond :class:`ReceptionStatistics` (W3C webrtc-stats, inbound-rtp)."""

    header_bytes: int = 0
    retransmitted_packets: int = 0
    retransmitted_bytes: int = 0
    repairs_unneeded: int = 0
    fec_recovered: int = 0
    nacks_sent: int = 0
    plis_sent: int = 0
    firs_sent: int = 0
    frames: int = 0
    keyframes: int = 0


@attrs.frozen
class RemoteOutboundReport:
    """The last sender report of a stream (W3C webrtc-stats, remote-outbound-rtp).

    Attributes:
        report: The sender report.
        arrived_at: Its arrival time in seconds.
        count: How many sender reports have arrived.
        sent_at: Its Unix time in the sender's clock.
    """

    report: "SenderReport"
    arrived_at: float
    count: int
    sent_at: float


@attrs.define
class FecCounters:
    """Counters of the FEC packets that protect a stream (W3C webrtc-stats, inbound-rtp).

    For audio they count the redundant blocks in RED packets.

    Attributes:
        packets: FEC packets received.
        bytes: Their payloads in bytes.
        own_packets: Those with an SSRC of their own (FlexFEC).
        own_header_bytes: Their bytes without the payloads.
        discarded: FEC packets that recovered nothing: no packet was missing, or too many for too long.
    """

    packets: int = 0
    bytes: int = 0
    own_packets: int = 0
    own_header_bytes: int = 0
    discarded: int = 0


@attrs.frozen
class ReportBlockValues:
    """The fields of a report block.

    Attributes:
        fraction_lost: The part lost since the last report, in 1/256.
        cumulative_lost: Packets lost since the beginning, signed 24 bits; duplicates count against losses.
        highest_sequence_number: Extended by the number of wraps, 32 bits.
        jitter: In clock units.
    """

    fraction_lost: int
    cumulative_lost: int
    highest_sequence_number: int
    jitter: int


class ReceptionStatistics:
    """Counts the packets of one SSRC.

    Attributes:
        packets: The packets received, with duplicates.
        bytes: Their payload bytes.
        highest: The highest sequence number, unwrapped; ``None`` before the first packet.
    """

    __slots__ = (
        "_base",
        "_clock_rate",
        "_expected_prior",
        "_jitter",
        "_last_arrival",
        "_last_timestamp",
        "_received_prior",
        "bytes",
        "highest",
        "packets",
    )

    def __init__(self) -> None:
        self._base = 0
        self._clock_rate = 0
        self._jitter = 0.0
        self._last_timestamp = 0
        self._expected_prior = 0
        self._received_prior = 0
        self.highest: int | None = None
        self.packets = 0
        self.bytes = 0
        self._last_arrival = 0.0

    @property
    def expected(self) -> int:
        """The packets that the source has sent, by its sequence numbers."""
        return 0 if self.highest is None else self.highest - self._base + 1

    @property
    def lost(self) -> int:
        """The missing packets; negative when duplicates outnumber them."""
        return self.expected - self.packets

    @property
    def jitter(self) -> float:
        """The interarrival jitter in clock units (RFC 3550 section 6.4.1)."""
        return self._jitter

    @property
    def jitter_seconds(self) -> float:
        """The interarrival jitter in seconds."""
        return self._jitter / self._clock_rate if self._clock_rate else 0.0

    def record(
        self, sequence_number: int, timestamp: int, arrival: float, clock_rate: int, size: int = 0
    ) -> None:
        """Count a packet.

        Args:
            sequence_number: Unwrapped.
            timestamp: Unwrapped.
            arrival: Its arrival time.
            clock_rate: Units of ``timestamp`` per second.
            size: Bytes of payload.
        """
        self.packets += 1
        self.bytes += size
        highest = self.highest
        if highest is not None and sequence_number <= highest:
            # Packets sent before the first received one were expected, too.
            self._base = min(self._base, sequence_number)
            return
        if highest is None:
            self._base = sequence_number
        elif sequence_number - highest >= _JUMP:
            # The source has restarted; the numbers in between are not lost (RFC 3550 appendix A.1).
            self._base += sequence_number - highest - 1
        self.highest = sequence_number
        if clock_rate == self._clock_rate:
            # Packets of one frame share a timestamp but not their send time: only the first of a frame is measured.
            units = timestamp - self._last_timestamp
            if not units:
                return
            self._measure((arrival - self._last_arrival) * clock_rate - units)
        # A difference between two clock rates, as of two payload types, is meaningless (RFC 7160).
        self._clock_rate = clock_rate
        self._last_timestamp = timestamp
        self._last_arrival = arrival

    def take_report(self) -> ReportBlockValues:
        """Return the fields of a report block, and start a new interval (RFC 3550 appendix A.3)."""
        expected = self.expected
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (self.packets - self._received_prior)
        self._expected_prior = expected
        self._received_prior = self.packets
        fraction = 0
        if expected_interval > 0 and lost_interval > 0:
            fraction = min(255, (lost_interval << 8) // expected_interval)
        return ReportBlockValues(
            fraction_lost=fraction,
            cumulative_lost=max(_CUMULATIVE_MIN, min(_CUMULATIVE_MAX, expected - self.packets)),
            highest_sequence_number=(self.highest or 0) & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
        )

    def _measure(self, difference: float) -> None:
        if abs(difference) < _MAX_DIFFERENCE * self._clock_rate:
            self._jitter += (abs(difference) - self._jitter) / 16


Totals = dict[str, float]


def add_to(totals: Totals, more: Mapping[str, float]) -> None:
    for name, value in more.items():
        totals[name] = totals.get(name, 0) + value


def numbers_of(counters: Any, prefix: str = "") -> Totals:
    """Return the numeric fields of an attrs object."""
    return {
        f"{prefix}{field.name}": value
        for field in attrs.fields(type(counters))
        if isinstance(value := getattr(counters, field.name), int | float)
    }
