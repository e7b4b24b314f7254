"""What is measured of a stream beside its counters: frame rate, freezes, loudness, round trips, what limits it.

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
    """Counts the frames of the last second, at most 512."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MAX_FRAMES_A_SECOND)

    def note(self, now: float) -> None:
        """Hear of a frame."""
        self._times.append(now)

    def in_last_second(self, now: float) -> int:
        """Return how many frames there were."""
        times = self._times
        while times and times[0] <= now - 1:
            times.popleft()
        return len(times)


class FrameIntervals:
    """Measures how evenly the frames of a video follow each other.

    An interval of more than five seconds is a pause. Of the others one is a freeze that takes three times as long as
    the last thirty did on average, and 150 ms longer than that.

    Attributes:
        total: Sum of the intervals, in seconds.
        total_squared: Sum of their squares.
        freezes: How many were freezes.
        frozen: How long these were, in seconds.
        pauses: How many were pauses.
        paused: How long these were, in seconds.
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

    def note(self, now: float) -> None:
        """Hear of a frame."""
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
    """Follows the audio levels that frames carry (RFC 6464).

    Attributes:
        level: The last one, from 0 for silence to 1 for the loudest; ``None`` before one was told.
        energy: Sum of the squared levels, each times the duration of its frame in seconds.
        duration: Seconds of the frames that told one.
    """

    __slots__ = ("duration", "energy", "level")

    def __init__(self) -> None:
        self.level: float | None = None
        self.energy = 0.0
        self.duration = 0.0

    def note(self, level: int | None, duration: float) -> None:
        """Take the level of a frame in -dBov, ``None`` if it has none, and its duration in seconds."""
        if level is None:
            return
        self.level = 0.0 if level >= _SILENT_LEVEL else float(10 ** (-level / 20))
        self.energy += self.level * self.level * duration
        self.duration += duration


@attrs.define
class RoundTripStats:
    """Round-trip times, in seconds.

    Attributes:
        last: The last one; ``None`` before the first.
        total: Their sum.
        measurements: Their number.
    """

    last: float | None = None
    total: float = 0.0
    measurements: int = 0

    def note(self, round_trip: float) -> None:
        """Take one."""
        self.last = round_trip
        self.total += round_trip
        self.measurements += 1


class QualityLimitationReason(enum.Enum):
    """What keeps a video below the quality that it may have."""

    NONE = "none"
    BANDWIDTH = "bandwidth"


class QualityLimitation:
    """Keeps what limits a stream, and for how long what did.

    Attributes:
        reason: At present.
    """

    __slots__ = ("_durations", "_since", "reason")

    def __init__(self) -> None:
        self.reason = QualityLimitationReason.NONE
        self._since: float | None = None
        self._durations = dict.fromkeys(QualityLimitationReason, 0.0)

    def note(self, reason: QualityLimitationReason, now: float) -> None:
        """Take what limits it from now on."""
        if self._since is not None:
            self._durations[self.reason] += now - self._since
        self.reason, self._since = reason, now

    def durations(self, now: float) -> dict[str, float]:
        """Return the seconds that each reason has had."""
        self.note(self.reason, now)
        return {reason.value: seconds for reason, seconds in self._durations.items()}


@attrs.define
class AssemblerCounters:
    """What happened to packets and frames.

    Attributes:
        frames: Frames that came out.
        keyframes: Of these, keyframes.
        malformed: Frames that could not be put together.
        dropped: Frames of which something had come, that were given up.
        late: Packets that came when they were no longer of use.
        duplicates: Packets that came twice.
        skips: How often a gap was given up.
        passed_over: Missing numbers that were taken for such as carried no media.
        resets: How often a new beginning of the stream was seen.
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
    """What was played; sums over clock units unless said otherwise.

    Attributes:
        frames: Frames played, by number.
        played: Sound played that had come.
        concealed: Played in place of lost or late sound.
        repeated: Lost, but carried once more by the next frame, from which a decoder plays it.
        silence: Played where nothing was sent.
        concealment_events: How often concealment of lost or late sound began.
        inserted: Inserted to let the delay grow.
        removed: Skipped to let the delay shrink.
        late: Frames that came when their time was over, by number.
        duplicates: Frames that came twice, by number.
        overflows: Frames dropped because the buffer was full, by number.
        restarts: How often the timestamps began anew.
        clock_shifts: How often the sender's clock was found to have stood still.
        delay: Sum of the time that each unit of sound waited, seconds times clock units.
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
    """What is known of the frames of an incoming stream, however often its codec changes.

    Attributes:
        assembler: Counts the frames of a video.
        playout: Counts the sound.
        malformed: Payloads of sound that could not be read.
        emitted: Frames of a video that were handed on.
        delay: Seconds that these waited from their first packet on, all together.
        assembled: Those of them that came in several packets.
        assembly_time: Seconds from the first to the last packet of these, all together.
        target_delay: The delay of the sound that there should be, seconds times clock units.
        rate: How many frames of a video come.
        intervals: How evenly they do.
        loudness: Of the sound.
        width: Pixels of the last frame that told; ``None`` before.
        height: The same.
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
    intervals: FrameIntervals = attrs.field(factory=FrameIntervals)
    loudness: AudioLevelMeter = attrs.field(factory=AudioLevelMeter)
    width: int | None = None
    height: int | None = None


@attrs.define
class FecCounters:
    """What was received to get the packets of one source back (W3C webrtc-stats, inbound-rtp).

    Of sound a redundant block in a packet of RED counts, which is the payload of another packet once more.

    Attributes:
        packets: Repair packets that came.
        bytes: Their payloads, in bytes.
        discarded: How many of them were of no use: nothing was missing, or too much for too long.
    """

    packets: int = 0
    bytes: int = 0
    discarded: int = 0


Totals = dict[str, float]


def add_to(totals: Totals, more: Mapping[str, float]) -> None:
    """Add numbers to those of the same names."""
    for name, value in more.items():
        totals[name] = totals.get(name, 0) + value


def numbers_of(counters: Any, prefix: str = "") -> Totals:
    """Return the numbers among the fields of an attrs object."""
    return {
        f"{prefix}{field.name}": value
        for field in attrs.fields(type(counters))
        if isinstance(value := getattr(counters, field.name), int | float)
    }
