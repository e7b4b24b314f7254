"""The audio playout buffer: its delay follows the network, and missing frames are concealed.

Two clocks run beside each other. The *source* timestamp is that of the next audio of the sender, the *output* timestamp
continues without gaps, and each played frame advances both by its duration. They separate where time is stretched or
shortened:

* A frame that is missing while later ones have arrived is lost: a concealment replaces it. If the sequence numbers show
  that nothing was sent (DTX), the concealment is silence and not a loss.
* When the buffer is empty, a concealment is played while the frame may only be late. If it arrives then, it is played
  after all and everything after it so much later; so the buffer grows at once when it must.
* The target delay is that of the fastest frame, plus the target of :class:`.JitterEstimator`, plus the extra delay of
  synchronization. While frames are lost that the next ones carry again (Opus in-band FEC), it is a frame longer:
  without jitter the next one would always arrive too late to be of use. Whatever has raised it, it is at most three
  quarters of what the buffer holds, as in libwebrtc's NetEq: a longer one would never be reached, because the buffer
  would drop each frame before it is due.
* When the delay is off the target, a frame is skipped or a concealment inserted, not too often. It increases as soon as
  a quarter of a frame is missing. It decreases when it is a frame too long, and all frames of the last few seconds
  would still have been in time: else the next ones of a burst would be late again. Silence is shortened first, for that
  is inaudible.
* Where the frames are decoded for playout, the decoder lengthens or shortens a frame instead, by at most 15 ms
  (``EncodedFrame.stretch``). Then only half of a lost frame is concealed if the next frame is there and the delay is
  not below the target: that frame is played early, and lengthened to regain the delay. As in libwebrtc's NetEq, this is
  less audible than concealment.
* A frame that arrives late when the buffer was empty is the next one, if its sequence number is above the last played
  one, however late its timestamp is: no received frame was played in its place. Either the network has delayed it, and
  the frames behind it arrive with it; or the sender's clock has stood still in a pause, and all following frames are as
  late. A quarter of a second shows which; until then nothing is skipped. In the second case the delays from before the
  pause are not used any more, and synchronization is notified (:meth:`AudioPlayout.take_clock_shift`).

The buffer is bounded; when it is full the oldest frame is dropped.
"""

import math
from bisect import insort
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.options import AudioPlayoutOptions
from trio_rtc.protocols.rtp.packet.frame import Concealment, ConcealmentKind, EncodedFrame
from trio_rtc.protocols.rtp.receive.jitter import JitterEstimator
from trio_rtc.protocols.rtp.stats import PlayoutCounters

# Seconds.
_MIN_CONCEALMENT: Final = 0.01
_MAX_OBSERVED: Final = 256
_PAUSE_OBSERVATION: Final = 0.25
"""Seconds for which frames behind a late one are observed: longer than a burst of delayed frames takes."""
_MIN_STRETCHED: Final = 0.01
"""The minimum duration of a frame that the decoder can lengthen or shorten."""
_MAX_STRETCH: Final = 0.015
_MAX_STRETCHED_PART: Final = 0.75
"""The part of a frame by which it is lengthened or shortened at most."""
_MAX_MISSING: Final = 0.005
"""Seconds below the target delay at which still only half of a lost frame is concealed."""
_MAX_FILL: Final = 0.75
"""The part of the buffer that the target delay may fill; bursts need the rest."""


@attrs.frozen
class _Entry:
    duration: int
    frame: EncodedFrame
    sequence_number: int | None
    arrival: float
    repeats_previous: bool


@attrs.define
class _Playing:
    # The next timestamp of the sender.
    source: int
    # When it is due.
    due: float
    # The sender's timestamp up to which audio was played or given up as lost; behind it, frames may be late.
    settled: int
    # The duration, sequence number and codec of the last played frame.
    duration: int
    sequence_number: int | None = None
    codec: str | None = None
    # Concealment played since the buffer is empty: the next frame shows whether it was silence or loss.
    uncertain: int = 0
    concealing: bool = False

    def precedes(self, sequence_number: int | None) -> bool:
        """Return whether the sender sent no frame between the last played one and a frame of this number."""
        return self.sequence_number is not None and sequence_number == self.sequence_number + 1

    def is_before(self, sequence_number: int | None) -> bool:
        """Return whether a frame of this number was surely sent after the last played one."""
        return (
            self.sequence_number is not None
            and sequence_number is not None
            and sequence_number > self.sequence_number
        )


@attrs.define
class _Pause:
    """The frames observed since one arrived late when the buffer was empty.

    Attributes:
        since: When it arrived.
        base_delay: The minimum delay before.
        frames: The media time and the arrival time of it and of each frame since.
    """

    since: float
    base_delay: float
    frames: list[tuple[float, float]] = attrs.field(factory=list)

    @property
    def min_delay(self) -> float:
        return min(arrival - media_time for media_time, arrival in self.frames)


class AudioPlayout:
    """The playout buffer of one audio stream."""

    def __init__(self, options: AudioPlayoutOptions | None = None) -> None:
        # The clock rate of all frames, until the codec changes.
        self._clock_rate = 1
        self._options = options or AudioPlayoutOptions()
        self._jitter = JitterEstimator(self._options.jitter)
        self._entries: dict[int, _Entry] = {}
        self._timestamps: list[int] = []
        self._playing: _Playing | None = None
        self._output: int | None = None
        self._extra_delay = 0.0
        self._requested_delay = 0.0
        # The duration of the last frame, and the target delay for which the buffer has room with such frames.
        self._duration = 0
        self._max_delay = math.inf
        # The delay by which frames wait for the next ones, and until when they do.
        self._repeat_delay = 0.0
        self._repeats_wanted_until = -math.inf
        self._next_adjustment = -math.inf
        self._decoded = False
        self._pause: _Pause | None = None
        self._clock_shift = 0.0
        self.counters = PlayoutCounters()

    @property
    def buffered(self) -> int:
        return len(self._entries)

    @property
    def target_delay(self) -> float:
        """The delay of playout after the arrival of the fastest frames, in seconds."""
        return min(self._needed_delay + self._extra_delay, self._max_delay)

    @property
    def network_delay(self) -> float:
        """The target delay without synchronization and the application's minimum, in seconds."""
        return min(self._jitter.target_delay + self._repeat_delay, self._max_delay)

    @property
    def timestamp_offset(self) -> int:
        """The offset from the sender's timestamps to those of the output."""
        return 0 if self._playing is None or self._output is None else self._output - self._playing.source

    def set_extra_delay(self, delay: float) -> None:
        """Set the extra delay for synchronization with video, in seconds."""
        self._extra_delay = delay

    def set_min_delay(self, delay: float) -> None:
        """Set the application's minimum delay, in seconds."""
        self._requested_delay = delay

    def set_decoded(self, decoded: bool) -> None:
        """Set whether the frames are decoded for playout, by a decoder that lengthens and shortens them."""
        self._decoded = decoded

    def take_clock_shift(self) -> float:
        """Return the time for which the sender's clock has apparently stood still since the last call, in seconds."""
        shift, self._clock_shift = self._clock_shift, 0.0
        return shift

    def play_time(self, timestamp: int) -> float | None:
        """Return the playout time of a timestamp of the sender without extra delay; ``None`` if it is not known."""
        base = self._jitter.base_delay
        return None if base is None else timestamp / self._clock_rate + base + self._needed_delay

    def insert(
        self,
        timestamp: int,
        duration: int,
        frame: EncodedFrame,
        now: float,
        *,
        sequence_number: int | None = None,
        recovered: bool = False,
        repeats_previous: bool = False,
    ) -> None:
        """Insert a frame.

        Args:
            timestamp: Its unwrapped timestamp.
            duration: Its duration in clock units, more than 0.
            frame: The frame.
            now: Its arrival time.
            sequence_number: Its unwrapped number; without it, silence cannot be distinguished from loss.
            recovered: It was received by redundancy or retransmission, and does not show the network's delay.
            repeats_previous: It carries the frame before it again.

        Raises:
            ValueError: The duration is not more than 0.
        """
        if duration <= 0:
            raise ValueError(f"duration must be more than 0 clock units, not {duration}")
        if frame.clock_rate != self._clock_rate:
            self._change_clock(frame.clock_rate)
        if duration != self._duration:
            self._duration = duration
            self._max_delay = self._find_max_delay(duration)
        playing = self._playing
        if not recovered:
            self._observe(playing, timestamp, duration, now)
        if playing is None:
            due = now + self.target_delay
            self._playing = playing = _Playing(
                timestamp, due, timestamp - self._units(self.target_delay), duration
            )
        elif abs(timestamp - playing.source) > self._units(self._options.max_gap):
            self._restart(playing, timestamp, now)
        elif timestamp < playing.settled and playing.precedes(sequence_number) and not self._timestamps:
            # The sender's clock was set back: this frame was not played before.
            self._restart(playing, timestamp, now)
        if timestamp < playing.source and not self._rewind(playing, timestamp, sequence_number):
            self.counters.late += 1
            return
        if timestamp in self._entries:
            self.counters.duplicates += 1
            return
        self._entries[timestamp] = _Entry(duration, frame, sequence_number, now, repeats_previous)
        insort(self._timestamps, timestamp)
        if len(self._timestamps) > self._options.max_frames:
            self._entries.pop(self._timestamps.pop(0))
            self.counters.overflows += 1

    def pull(self, now: float) -> EncodedFrame | Concealment | None:
        """Return the frame or concealment that is due, ``None`` if none is. Call it until it returns ``None``."""
        playing = self._playing
        if playing is None or now < playing.due:
            return None
        if now - playing.due > self._options.max_lag:
            self._leap(playing, self._units(now - playing.due))
            playing.due = now
        if self._output is None:
            self._output = playing.source
        if now >= self._repeats_wanted_until:
            self._repeat_delay = 0.0
        if self._decoded and playing.uncertain and self._timestamps:
            self._skip_rest_of_loss(playing, now)
        change = self._adjust(playing, now)
        if change > 0 and not self._can_stretch(playing):
            self.counters.inserted += change
            return self._conceal(playing, change, ConcealmentKind.INSERTED)
        if not self._timestamps:
            return self._play_nothing(playing)
        if playing.uncertain:
            self._handle_loss(playing, self._entries[self._timestamps[0]], now)
            self._settle(playing, self._entries[self._timestamps[0]].sequence_number)
        if self._timestamps[0] > playing.source:
            self._handle_loss(playing, self._entries[self._timestamps[0]], now)
            return self._play_gap(playing, self._timestamps[0], now)
        return self._play_frame(playing, now, change)

    def next_timer(self) -> float:
        """Return when :meth:`pull` returns the next frame, ``math.inf`` without playout."""
        return math.inf if self._playing is None else self._playing.due

    # Playout

    def _play_frame(self, playing: _Playing, now: float, stretch: int) -> EncodedFrame:
        timestamp = self._timestamps.pop(0)
        entry = self._entries.pop(timestamp)
        counters = self.counters
        counters.frames += 1
        played = entry.duration + min(stretch, 0)
        counters.played += played
        counters.delay += (now - entry.arrival) * played
        counters.inserted += max(stretch, 0)
        counters.removed -= min(stretch, 0)
        playing.duration = entry.duration
        playing.sequence_number = entry.sequence_number
        playing.codec = entry.frame.codec
        playing.concealing = False
        playing.source = playing.settled = timestamp + entry.duration
        output = self._advance(playing, entry.duration + stretch)
        if entry.frame.timestamp == output and not stretch:
            return entry.frame
        return attrs.evolve(entry.frame, timestamp=output, stretch=stretch)

    def _play_gap(self, playing: _Playing, following: int, now: float) -> Concealment:
        """Conceal the gap in front of a buffered frame."""
        duration = min(self._concealed_duration(playing), following - playing.source)
        entry = self._entries[following]
        is_directly_before = playing.source + duration == following and entry.frame.codec == playing.codec
        may_end = is_directly_before and self._may_halve_concealment(playing, duration, now)
        playing.source += duration
        playing.settled = playing.source
        if playing.precedes(entry.sequence_number):
            self.counters.silence += duration
            return self._conceal(playing, duration, ConcealmentKind.SILENCE)
        payload = entry.frame.payload if is_directly_before else None
        if self._decoded and duration < entry.duration:
            # The first half of the lost frame was concealed while the buffer was empty.
            payload = None
        if payload is not None and entry.repeats_previous:
            self.counters.repeated += duration
        else:
            if may_end:
                duration -= duration // 2
                payload = None
            self._count_concealed(playing, duration)
        return self._conceal(playing, duration, ConcealmentKind.LOST, payload)

    def _play_nothing(self, playing: _Playing) -> Concealment | None:
        duration = self._concealed_duration(playing)
        if playing.uncertain > self._units(self._options.max_silence):
            self._count_concealed(playing, playing.uncertain)
            self._playing = None
            return None
        if self._decoded and playing.uncertain < duration:
            # After half of the frame, the next one may be there.
            shortest = self._units(_MIN_CONCEALMENT)
            duration = max(duration - (playing.uncertain or duration // 2), shortest)
        playing.uncertain += duration
        playing.source += duration
        return self._conceal(playing, duration, ConcealmentKind.LATE)

    def _may_halve_concealment(self, playing: _Playing, duration: int, now: float) -> bool:
        """Return whether only half of a lost frame may be concealed: the delay suffices and can be regained."""
        if not self._decoded or duration < 2 * self._units(_MIN_CONCEALMENT) or self._pause is not None:
            return False
        excess = self._excess(playing)
        if excess is None or excess < -_MAX_MISSING:
            return False
        return len(self._timestamps) > 1 or now + duration / 2 / self._clock_rate >= self._next_adjustment

    def _skip_rest_of_loss(self, playing: _Playing, now: float) -> None:
        """Go on with the frame behind a lost one whose first half was concealed while the buffer was empty."""
        following = self._timestamps[0]
        entry = self._entries[following]
        rest = following - playing.source
        if (
            0 < rest <= playing.uncertain
            and rest <= playing.duration // 2
            and not entry.repeats_previous
            and entry.frame.codec == playing.codec
            and not playing.precedes(entry.sequence_number)
            and self._may_halve_concealment(playing, 2 * rest, now)
        ):
            self._settle(playing, entry.sequence_number)
            playing.source = playing.settled = following

    def _handle_loss(self, playing: _Playing, next_frame: _Entry, now: float) -> None:
        """Delay frames for the next ones, if a frame is lost that the next one carries."""
        if next_frame.repeats_previous and not playing.precedes(next_frame.sequence_number):
            self._repeat_delay = next_frame.duration / self._clock_rate
            self._repeats_wanted_until = now + self._options.repeat_memory

    def _settle(self, playing: _Playing, sequence_number: int | None) -> None:
        """Count the concealment of an empty buffer, now that the next frame has arrived."""
        if playing.precedes(sequence_number):
            self.counters.silence += playing.uncertain
        else:
            self._count_concealed(playing, playing.uncertain)
        playing.uncertain = 0

    def _concealed_duration(self, playing: _Playing) -> int:
        # Frames of one sample must not make the caller run thousands of times per second.
        return max(playing.duration, self._units(_MIN_CONCEALMENT))

    def _conceal(
        self, playing: _Playing, duration: int, kind: ConcealmentKind, following: bytes | None = None
    ) -> Concealment:
        return Concealment(self._advance(playing, duration), duration, kind, following)

    def _count_concealed(self, playing: _Playing, duration: int) -> None:
        if not duration:
            return
        self.counters.concealed += duration
        self.counters.concealment_events += not playing.concealing
        playing.concealing = True

    def _advance(self, playing: _Playing, duration: int) -> int:
        """Advance the output by a duration; return its timestamp before."""
        assert self._output is not None
        output = self._output
        self._output = output + duration
        playing.due += duration / self._clock_rate
        return output

    # The source clock

    def _observe(self, playing: _Playing | None, timestamp: int, duration: int, now: float) -> None:
        """Measure the delay of a frame, and detect whether the sender's clock has stood still before it."""
        self._judge_pause(now)
        media_time = timestamp / self._clock_rate
        pause = self._pause
        base = self._jitter.base_delay if pause is None else pause.min_delay
        is_empty = not self._timestamps and (playing is None or playing.uncertain > 0)
        tolerated = self.target_delay + max(self._options.tolerance, duration / self._clock_rate)
        if is_empty and base is not None and now - media_time - base > tolerated:
            if pause is not None:
                # Another pause: no delayed frames have arrived.
                self._end_pause(pause)
            base = self._jitter.base_delay
            assert base is not None
            self._pause = pause = _Pause(now, base)
        if pause is None or len(pause.frames) >= _MAX_OBSERVED:
            self._jitter.update(media_time, now)
        else:
            pause.frames.append((media_time, now))

    def _judge_pause(self, now: float) -> None:
        """End the observation of a pause when its time is over."""
        pause = self._pause
        if pause is not None and now - pause.since >= _PAUSE_OBSERVATION:
            self._end_pause(pause)

    def _end_pause(self, pause: _Pause) -> None:
        """Reset the delays from before a pause, if all frames since were late: they are of another clock."""
        self._pause = None
        shift = pause.min_delay - pause.base_delay
        if shift > self._options.tolerance:
            self._jitter.reset()
            self._clock_shift += shift
            self.counters.clock_shifts += 1
        for media_time, arrival in pause.frames:
            self._jitter.update(media_time, arrival)

    def _rewind(self, playing: _Playing, timestamp: int, sequence_number: int | None) -> bool:
        """Go back to a late frame, if no frame was played since its time; return whether that was possible."""
        options = self._options
        lateness = (playing.source - timestamp) / self._clock_rate
        if timestamp < playing.settled:
            return False
        if lateness > options.jitter.max_delay + options.max_excess and not playing.is_before(
            sequence_number
        ):
            return False
        # Concealment behind the frame's time replaced it; concealment before may be silence.
        overshot = min(playing.source - timestamp, playing.uncertain)
        playing.source = timestamp
        self._count_concealed(playing, overshot)
        playing.uncertain -= overshot
        self._settle(playing, sequence_number)
        return True

    def _change_clock(self, clock_rate: int) -> None:
        """Restart with frames of another clock rate; the output continues in its units."""
        if self._output is not None:
            self._output = self._output * clock_rate // self._clock_rate
        self._clock_rate = clock_rate
        self._duration = 0
        self._entries.clear()
        self._timestamps.clear()
        self._jitter.reset()
        self._pause = None
        self._playing = None

    def _restart(self, playing: _Playing, timestamp: int, now: float) -> None:
        """Continue at a timestamp that is unrelated to those before, when it is due."""
        self.counters.restarts += 1
        self._entries.clear()
        self._timestamps.clear()
        self._jitter.reset()
        self._jitter.update(timestamp / self._clock_rate, now)
        self._pause = None
        wait = max(0.0, now + self.target_delay - playing.due)
        playing.source = playing.settled = timestamp - self._units(min(wait, self._options.max_gap))
        playing.sequence_number = None

    def _leap(self, playing: _Playing, units: int) -> None:
        """Skip the next audio without a replacement."""
        playing.source += units
        playing.settled = max(playing.settled, playing.source)
        self.counters.removed += units
        while self._timestamps and self._timestamps[0] < playing.source:
            self._entries.pop(self._timestamps.pop(0))

    # Delay

    @property
    def _needed_delay(self) -> float:
        """The delay that the network and its losses require, in seconds."""
        return max(self.network_delay, min(self._requested_delay, self._max_delay))

    def _find_max_delay(self, duration: int) -> float:
        """Return the maximum target delay with frames of a duration; a gap as long as ``max_gap`` is a restart."""
        options = self._options
        held = options.max_frames * duration / self._clock_rate
        return max(0.0, min(_MAX_FILL * held, options.max_gap - options.max_excess))

    def _excess(self, playing: _Playing) -> float | None:
        """Return the delay above the target, in seconds; ``None`` before the first frame."""
        base = self._jitter.base_delay
        if base is None:
            return None
        return playing.due - playing.source / self._clock_rate - base - self.target_delay

    def _adjust(self, playing: _Playing, now: float) -> int:
        """Skip audio if the delay is too long.

        Returns:
            The units by which to lengthen the next frame or of concealment to insert; below 0 to shorten the frame.
        """
        self._judge_pause(now)
        excess = self._excess(playing)
        if excess is None or not self._timestamps or self._pause is not None:
            return 0
        options = self._options
        duration = playing.duration / self._clock_rate
        threshold = max(options.tolerance, duration)
        gap = self._timestamps[0] - playing.source
        if excess > options.max_excess:
            self._leap(playing, self._units(excess))
            return 0
        if excess > threshold and gap > 0:
            self._leap(playing, min(gap, self._units(excess)))
            return 0
        if now < self._next_adjustment:
            return 0
        longest = self._jitter.longest_delay
        assert longest is not None
        # All frames of the last few seconds remain in time.
        removable = min(excess, playing.due - playing.source / self._clock_rate - longest)
        if self._can_stretch(playing):
            return self._stretch(playing, excess, removable, now)
        if removable > threshold:
            self._next_adjustment = now + options.adjustment_interval
            self._leap(playing, self._entries[self._timestamps[0]].duration)
        elif excess < -duration / 4 and not self._stretches(playing.duration):
            self._next_adjustment = now + options.adjustment_interval
            return self._concealed_duration(playing)
        return 0

    def _stretches(self, duration: int) -> bool:
        return self._decoded and duration >= self._units(_MIN_STRETCHED)

    def _can_stretch(self, playing: _Playing) -> bool:
        """Return whether the next audio is a frame that the decoder can lengthen and shorten."""
        timestamp = self._timestamps[0] if self._timestamps else None
        return timestamp == playing.source and self._stretches(self._entries[timestamp].duration)

    def _stretch(self, playing: _Playing, excess: float, removable: float, now: float) -> int:
        """Return the units by which to lengthen the next frame, or to shorten it (below 0)."""
        duration = self._entries[self._timestamps[0]].duration / self._clock_rate
        longest = min(_MAX_STRETCH, _MAX_STRETCHED_PART * duration)
        if removable > self._options.tolerance:
            change = -min(removable, longest)
        elif excess < -duration / 4:
            change = min(-excess, longest)
        else:
            return 0
        # On average as fast as by whole frames.
        self._next_adjustment = now + self._options.adjustment_interval * abs(change) / duration
        return self._units(change)

    def _units(self, seconds: float) -> int:
        return round(seconds * self._clock_rate)
