"""The figures of a call, from what was recorded of it."""

import itertools
import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import attrs

WARM_UP = 2.0
"""Seconds from the beginning that rates and averages leave out."""

LAST_PART = 5.0
"""Seconds at the end in which the quantizer is looked at."""

SETTLING = 2.0
"""Seconds from the end of the bulk transfer until the jitter buffer is looked at again."""

_FREEZE_FRAMES = 30
_FREEZE_FACTOR, _FREEZE_MORE = 3, 0.150


@attrs.frozen
class Moment:
    """The statistics at one moment.

    Attributes:
        at: Seconds since the call was connected.
        received: The receiver's statistics under W3C's names.
        sent: The sender's.
    """

    at: float
    received: Sequence[dict[str, Any]]
    sent: Sequence[dict[str, Any]]


@attrs.frozen
class Bulk:
    """A bulk transfer beside the media.

    Attributes:
        begin: Seconds since the call was connected.
        end: When the sender's buffer was empty again.
    """

    begin: float
    end: float


@attrs.frozen
class Recording:
    """Figures of one call.

    Attributes:
        moments: The statistics, about once a second.
        arrivals: When the receiving application received each video frame, in seconds since the call was connected.
        relay: The figures of the relay.
        busy: The share of the machine's processors that was busy.
        bulk: The bulk transfer, if there was one.
        counts_freezes: Whether the receiver counts freezes of the rendered video, as Chromium does; otherwise they are
            computed from the frames that the application received.
    """

    moments: Sequence[Moment]
    arrivals: Sequence[float]
    relay: dict[str, Any]
    busy: float
    bulk: Bulk | None = None
    counts_freezes: bool = True


@attrs.frozen
class Figures:
    """The figures of a call; ``None`` where a library does not report one.

    Attributes:
        freezes: Number of freezes of the video (W3C's freezeCount).
        freeze_seconds: Their total duration.
        longest_gap: The longest time between two frames, in seconds.
        frames_per_second: Frames that the application received.
        jitter_buffer: Milliseconds a frame spent in the video jitter buffer on average.
        jitter_buffer_minimum: Milliseconds that the receiver aims at because of the network, without what the video
            waits for its audio; decoding and rendering included.
        jitter_buffer_after: The first of them, from two seconds after the bulk transfer.
        qp: Average quantizer of the last part.
        height: Lines of the last frames.
        concealed: Per cent of the audio samples that were concealed.
        kilobits: Media that was sent, per second, with all repairs and headers.
        kilobits_beside: Likewise, beside the bulk transfer from its third second on.
        bulk_kilobits: Data that was sent in the same time, per second.
        first_frame: Milliseconds from the connection until the first frame.
        queueing: Median queueing delay at the bottleneck, in milliseconds.
        queueing_95: The 95th percentile.
        busy: Per cent of the machine's processors that were busy with this or anything else.
        lateness: Milliseconds that the relay was late at worst.
    """

    freezes: float
    freeze_seconds: float
    longest_gap: float
    frames_per_second: float
    jitter_buffer: float | None
    jitter_buffer_minimum: float | None
    jitter_buffer_after: float | None
    qp: float | None
    height: float | None
    concealed: float | None
    kilobits: float
    kilobits_beside: float | None
    bulk_kilobits: float | None
    first_frame: float
    queueing: float
    queueing_95: float
    busy: float
    lateness: float


def figures_of(recording: Recording) -> Figures:
    """Return the figures of a call."""
    moments = recording.moments
    end = moments[-1].at
    arrivals = [at for at in recording.arrivals if at <= end]
    measured = [at for at in arrivals if at >= WARM_UP]
    bulk, forward = recording.bulk, recording.relay["sides"][0]
    media = forward["media_bytes_of_second"]
    waits = sorted(wait for at, wait in forward["waits"] if at >= WARM_UP)
    freezes, freeze_seconds = _freezes(recording, arrivals)
    return Figures(
        freezes=freezes,
        freeze_seconds=freeze_seconds,
        longest_gap=longest_gap(arrivals, end),
        frames_per_second=len(measured) / (end - WARM_UP),
        jitter_buffer=_jitter_buffer(_at(moments, WARM_UP), moments[-1]),
        jitter_buffer_minimum=_jitter_buffer(_at(moments, WARM_UP), moments[-1], "jitterBufferMinimumDelay"),
        jitter_buffer_after=None
        if bulk is None
        else _jitter_buffer(_at(moments, bulk.end + SETTLING), moments[-1]),
        qp=_qp(_at(moments, end - LAST_PART), moments[-1]),
        height=_video(moments[-1].received).get("frameHeight") or _video(moments[-1].sent).get("frameHeight"),
        concealed=_concealed(_at(moments, WARM_UP), moments[-1]),
        kilobits=_kilobits(media, WARM_UP, end),
        kilobits_beside=None if bulk is None else _kilobits(media, bulk.begin + WARM_UP, bulk.end),
        bulk_kilobits=None
        if bulk is None
        else _kilobits(forward["data_bytes_of_second"], bulk.begin + WARM_UP, bulk.end),
        first_frame=1000 * arrivals[0] if arrivals else math.inf,
        queueing=1000 * _quantile(waits, 0.5),
        queueing_95=1000 * _quantile(waits, 0.95),
        busy=100 * recording.busy,
        lateness=1000 * recording.relay["lateness"],
    )


def longest_gap(arrivals: Sequence[float], end: float) -> float:
    """Return the longest time without a frame after the first one; from the beginning, if there is none."""
    times = [*(arrivals or [0.0]), end]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def find_freezes(arrivals: Sequence[float]) -> list[float]:
    """Return the lengths of the freezes, as W3C defines freezeCount (webrtc-stats 7.6).

    A gap is one if it is longer than three times the average of the last thirty, and than 150 ms more than it.
    """
    recent: deque[float] = deque(maxlen=_FREEZE_FRAMES)
    freezes = []
    for earlier, later in itertools.pairwise(arrivals):
        gap = later - earlier
        if recent:
            average = fmean(recent)
            if gap >= max(_FREEZE_FACTOR * average, average + _FREEZE_MORE):
                freezes.append(gap)
        recent.append(gap)
    return freezes


def _freezes(recording: Recording, arrivals: Sequence[float]) -> tuple[float, float]:
    if recording.counts_freezes:
        stats = _video(recording.moments[-1].received)
        return stats.get("freezeCount", 0), stats.get("totalFreezesDuration", 0.0)
    freezes = find_freezes(arrivals)
    return len(freezes), sum(freezes)


def _video(stats: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return _stream(stats, "video")


def _stream(stats: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    streams = [
        each for each in stats if each["type"] in ("inbound-rtp", "outbound-rtp") and each.get("kind") == kind
    ]
    return streams[0] if streams else {}


def _at(moments: Sequence[Moment], at: float) -> Moment:
    return next((moment for moment in moments if moment.at >= at - 0.1), moments[-1])


def _ratio(first: dict[str, Any], last: dict[str, Any], dividend: str, divisor: str) -> float | None:
    if last.get(dividend) is None or last.get(divisor) is None:
        return None
    count = last[divisor] - first.get(divisor, 0)
    return float(last[dividend] - first.get(dividend, 0)) / count if count > 0 else None


def _jitter_buffer(first: Moment, last: Moment, delay: str = "jitterBufferDelay") -> float | None:
    ratio = _ratio(_video(first.received), _video(last.received), delay, "jitterBufferEmittedCount")
    return None if ratio is None else 1000 * ratio


def _qp(first: Moment, last: Moment) -> float | None:
    decoded = _ratio(_video(first.received), _video(last.received), "qpSum", "framesDecoded")
    encoded = _ratio(_video(first.sent), _video(last.sent), "qpSum", "framesEncoded")
    return encoded if decoded is None else decoded


def _concealed(first: Moment, last: Moment) -> float | None:
    before, after = _stream(first.received, "audio"), _stream(last.received, "audio")
    ratio = _ratio(before, after, "concealedSamples", "totalSamplesReceived")
    return None if ratio is None else 100 * ratio


def _kilobits(bytes_of_second: dict[str, int], begin: float, end: float) -> float:
    seconds = range(int(begin), max(int(begin) + 1, int(end)))
    return 8 * sum(bytes_of_second.get(str(second), 0) for second in seconds) / len(seconds) / 1000


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else math.nan
