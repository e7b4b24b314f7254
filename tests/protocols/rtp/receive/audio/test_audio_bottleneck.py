"""Audio that shares the queue of a slow link with video, as from Chromium at 600 kbit/s."""

import random

import pytest

from trio_rtc.protocols.rtp.packet.frame import Concealment, ConcealmentKind, EncodedFrame
from trio_rtc.protocols.rtp.receive.audio.playout import AudioPlayout

CLOCK, DURATION, STEP = 48_000, 960, 0.02
RATE = 600_000
AUDIO_BYTES, PACKET_BYTES, HEADERS = 110, 1200, 28
FRAMES_PER_SECOND = 30
PROBE_INTERVAL, PROBE_SECONDS = 8, 0.8
"""How often congestion control tries whether more fits, and for how long."""

KNOWN = 12.0
"""The first probe is over by then."""


def arrivals(seconds: int, seed: int) -> list[float]:
    """Return the arrival times of audio packets that were sent every 20 ms."""
    rng = random.Random(seed)
    sent = [(index * STEP, AUDIO_BYTES, True) for index in range(round(seconds / STEP))]
    for number in range(seconds * FRAMES_PER_SECOND):
        at = number / FRAMES_PER_SECOND
        # It probes for the limit of 600 kbit/s: a queue of some 90 ms builds up, and drains again.
        probing = at % PROBE_INTERVAL >= PROBE_INTERVAL - PROBE_SECONDS
        bits_per_second = 580_000 if probing else 420_000
        left = round(bits_per_second / FRAMES_PER_SECOND / 8 * rng.uniform(0.8, 1.2))
        while left > 0:
            sent.append((at, min(left, PACKET_BYTES), False))
            left -= PACKET_BYTES
    times, free_at = [], 0.0
    for at, size, is_audio in sorted(sent):
        free_at = max(free_at, at) + 8 * (size + HEADERS) / RATE
        if is_audio:
            times.append(free_at)
    return times


def play(times: list[float]) -> tuple[AudioPlayout, list[tuple[float, EncodedFrame | Concealment]]]:
    playout, now, index = AudioPlayout(), 0.0, 0
    played: list[tuple[float, EncodedFrame | Concealment]] = []
    while index < len(times):
        now = min(times[index], playout.next_timer())
        while index < len(times) and times[index] <= now:
            frame = EncodedFrame(b"audio", index * DURATION, CLOCK, "opus")
            playout.insert(index * DURATION, DURATION, frame, now, sequence_number=index)
            index += 1
        while (output := playout.pull(now)) is not None:
            played.append((now, output))
    return playout, played


@pytest.mark.parametrize("seed", range(5))
def test_recurring_bursts_increase_the_delay(seed: int) -> None:
    """A target that forgets each burst before the next one arrives conceals 1.1 to 1.5 % of the frames there."""
    playout, played = play(arrivals(40, seed))
    concealed = [
        now
        for now, output in played
        if isinstance(output, Concealment) and output.kind is not ConcealmentKind.INSERTED
    ]
    assert sum(now >= KNOWN for now in concealed) <= 0.005 * (40 - KNOWN) / STEP
    counters = playout.counters
    assert counters.delay / counters.played < 0.1


def test_no_frame_is_skipped_during_the_burst() -> None:
    """A frame that was late made the delay longer; the delay was shortened at once, and the next one was late again."""
    delays = [0.0] * 500 + [0.06, 0.0, 0.0, 0.06] * 25 + [0.0] * 200
    playout, played = play([index * STEP + delay for index, delay in enumerate(delays)])
    late = [now for now, output in played if isinstance(output, Concealment) and now < 12]
    assert len(late) <= 4
    assert playout.counters.removed == 0
    # Bursts that do not recur are forgotten: the two frames by which audio was later are skipped.
    playout, _ = play([index * STEP + delay for index, delay in enumerate([*delays, *([0.0] * 100)])])
    assert playout.counters.removed == 2 * DURATION
