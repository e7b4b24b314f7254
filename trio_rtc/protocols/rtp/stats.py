"""Statistics of streams: frame rate, freezes, audio level, round trips, quality limitation, and counters.

The definitions are those of W3C's identifiers for statistics (webrtc-stats sections 7.3 to 7.7).
"""

import enum
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import attrs

_MAX_FRAMES_A_SECOND: Final = 512
_FRAMES_AVERAGED: Final = 30
_FRAMES_NEEDED: Final = 5
_FREEZE_FACTOR: Final = 3.0
_FREEZE_EXCESS: Final = 0.15
_PAUSE: Final = 5.0
_SILENT_LEVEL: Final = 127


class FrameRate:
    """The frame rate: the number of frames in the last second, at most 512."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MAX_FRAMES_A_SECOND)

    def record(self, now: float) -> None:
        """Record a frame."""
        self._times.append(now)

    def in_last_second(self, now: float) -> int:
        """Return the number of frames."""
        times = self._times
        while times and times[0] <= now - 1:
            times.popleft()
        return len(times)


class FreezeDetector:
    """Measures the intervals between video frames, and detects freezes and pauses.

    An interval of more than five seconds is a pause. Another interval is a freeze if it is at least three times the
    average of the last thirty, and 150 ms longer than that average.

    Attributes:
        total: The sum of the intervals, in seconds.
        total_squared: The sum of their squares.
        freezes: The number of freezes.
        frozen: Their duration in seconds.
        pauses: The number of pauses.
        paused: Their duration in seconds.
    """

    __slots__ = ("_last", "_recent", "freezes", "frozen", "paused", "pauses", "total", "total_squared")

    def __init__(self) -> None:
        self._last: float | None = None
        self._recent: deque[float] = deque(maxlen=_FRAMES_AVERAGED)
        self.total = 0.0
        self.total_squared = 0.0
        self.freezes = 0
        self.frozen = 0.0
        self.pauses = 0
        self.paused = 0.0

    def record(self, now: float) -> None:
        """Record a frame."""
        last, self._last = self._last, now
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
        level: The last level, from 0 for silence to 1 for the loudest; ``None`` before the first.
        energy: The sum of the squared levels, each times the duration of its frame in seconds.
        duration: The duration of the frames with a level, in seconds.
    """

    __slots__ = ("duration", "energy", "level")

    def __init__(self) -> None:
        self.level: float | None = None
        self.energy = 0.0
        self.duration = 0.0

    def record(self, level: int | None, duration: float) -> None:
        """Record the level of a frame in -dBov, ``None`` if it has none, and its duration in seconds."""
        if level is None:
            return
        self.level = 0.0 if level >= _SILENT_LEVEL else float(10 ** (-level / 20))
        self.energy += self.level * self.level * duration
        self.duration += duration


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
        """Record a round-trip time."""
        self.last = round_trip
        self.total += round_trip
        self.measurements += 1


class QualityLimitationReason(enum.Enum):
    """The reason for which a video has less than its best quality."""

    NONE = "none"
    BANDWIDTH = "bandwidth"


class QualityLimitation:
    """The reason that limits the quality of a stream, and the durations of all reasons.

    Attributes:
        reason: The present reason.
    """

    __slots__ = ("_durations", "_since", "reason")

    def __init__(self) -> None:
        self.reason = QualityLimitationReason.NONE
        self._since: float | None = None
        self._durations = dict.fromkeys(QualityLimitationReason, 0.0)

    def set_reason(self, reason: QualityLimitationReason, now: float) -> None:
        """Set the reason from now on."""
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
        played: Played audio that was received.
        concealed: Concealment of lost or late audio.
        repeated: Lost audio that the next frame carries again, from which a decoder plays it (Opus in-band FEC).
        silence: Audio played where the sender sent none.
        concealment_events: How often concealment of lost or late audio began.
        inserted: Audio inserted to increase the delay.
        removed: Audio skipped to reduce the delay.
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
        emitted: Video frames that were released.
        delay: The time from their first packet to their release, in seconds, summed up.
        assembled: Video frames of several packets.
        assembly_time: The time from their first to their last packet, in seconds, summed up.
        target_delay: The target delay of each unit of audio, in seconds times clock units.
        rate: The frame rate of video.
        intervals: The frame intervals of video.
        audio_level: The audio level.
        width: The width of the last video frame with known dimensions, in pixels; ``None`` before.
        height: Its height.
    """

    assembler: AssemblerCounters = attrs.field(factory=AssemblerCounters)
    playout: PlayoutCounters = attrs.field(factory=PlayoutCounters)
    malformed: int = 0
    emitted: int = 0
    delay: float = 0.0
    assembled: int = 0
    assembly_time: float = 0.0
    target_delay: float = 0.0
    rate: FrameRate = attrs.field(factory=FrameRate)
    intervals: FreezeDetector = attrs.field(factory=FreezeDetector)
    audio_level: AudioLevelMeter = attrs.field(factory=AudioLevelMeter)
    width: int | None = None
    height: int | None = None


@attrs.define
class FecCounters:
    """Counters of the FEC packets that protect a stream (W3C webrtc-stats, inbound-rtp).

    For audio they count the redundant blocks in RED packets.

    Attributes:
        packets: FEC packets received.
        bytes: Their payloads in bytes.
        discarded: FEC packets that recovered nothing: no packet was missing, or too many for too long.
    """

    packets: int = 0
    bytes: int = 0
    discarded: int = 0


Totals = dict[str, float]


def add_to(totals: Totals, more: Mapping[str, float]) -> None:
    """Add each value to the total of its name."""
    for name, value in more.items():
        totals[name] = totals.get(name, 0) + value


def numbers_of(counters: Any, prefix: str = "") -> Totals:
    """Return the numeric fields of an attrs object."""
    return {
        f"{prefix}{field.name}": value
        for field in attrs.fields(type(counters))
        if isinstance(value := getattr(counters, field.name), int | float)
    }
