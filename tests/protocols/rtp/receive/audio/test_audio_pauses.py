"""Audio after pauses: a frame that directly follows the last is played, however late its timestamp is."""

import math
import random
from collections.abc import Iterable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp import EncodedFrame
from trio_rtc.protocols.rtp.packet.frame import Concealment
from trio_rtc.protocols.rtp.receive.audio.playout import AudioPlayout

CLOCK, STEP = 48_000, 0.02
DURATION = round(CLOCK * STEP)
# Pauses in which the sender's clock stands still; Chromium plays 99 of each hundred frames.
PAUSES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)


@attrs.frozen
class Packet:
    """A frame on the network."""

    arrival: float
    number: int
    timestamp: int


def spurts(
    lengths: Iterable[int], pauses: Iterable[float], *, running: bool = False, start: float = 1.0
) -> list[Packet]:
    """Return frames in spurts with pauses between them, in which the clock stands still or runs on."""
    packets: list[Packet] = []
    at, timestamp = start, 0
    for length, pause in zip(lengths, [*pauses, 0.0], strict=True):
        for _ in range(length):
            packets.append(Packet(at, len(packets), timestamp))
            at += STEP
            timestamp += DURATION
        at += pause
        timestamp += round(pause * CLOCK) if running else 0
    return packets


def play(packets: Iterable[Packet], playout: AudioPlayout | None = None) -> list[tuple[float, int]]:
    """Insert frames and play what is due; return the playout time of each frame."""
    playout = playout or AudioPlayout()
    pending = sorted(packets, key=lambda packet: packet.arrival)
    until = pending[-1].arrival + 1.0
    played: list[tuple[float, int]] = []
    now = 0.0
    while now < until:
        now = min(pending[0].arrival if pending else math.inf, playout.next_timer(), until)
        while pending and pending[0].arrival <= now:
            packet = pending.pop(0)
            frame = EncodedFrame(b"%d" % packet.number, packet.timestamp, CLOCK, "opus")
            playout.insert(packet.timestamp, DURATION, frame, now, sequence_number=packet.number)
        while (output := playout.pull(now)) is not None:
            if not isinstance(output, Concealment):
                played.append((now, int(output.payload)))
    return played


def numbers(played: Iterable[tuple[float, int]]) -> list[int]:
    return [number for _, number in played]


@pytest.mark.parametrize("pause", PAUSES)
def test_no_frame_is_lost_behind_a_pause_in_which_the_clock_stood_still(pause: float) -> None:
    playout = AudioPlayout()
    packets = spurts([25] * 4, [pause] * 3)
    played = play(packets, playout)
    assert numbers(played) == list(range(100))
    # The delay does not increase.
    assert all(at - packets[number].arrival < 0.045 for at, number in played)
    assert playout.counters.removed == playout.counters.late == 0


@pytest.mark.parametrize("pause", [0.06, 0.1, 0.2, 0.3])
def test_nor_behind_short_pauses(pause: float) -> None:
    packets = spurts([25] * 8, [pause] * 7)
    assert numbers(play(packets)) == list(range(200))


@pytest.mark.parametrize("pause", PAUSES)
def test_nor_between_short_spurts(pause: float) -> None:
    """As with push-to-talk, or a program that answers in words."""
    packets = spurts([3, 10, 1, 2, 40, 1, 1, 5, 30], [pause, 0.1, pause, 0.3, pause, 0.06, pause, pause])
    assert numbers(play(packets)) == list(range(len(packets)))


@pytest.mark.parametrize("pause", PAUSES)
def test_no_frame_is_lost_where_the_clock_continues_in_a_pause(pause: float) -> None:
    """As with DTX: the timestamps include the silence."""
    playout = AudioPlayout()
    packets = spurts([25] * 4, [pause] * 3, running=True)
    played = play(packets, playout)
    assert numbers(played) == list(range(100))
    assert all(at - packets[number].arrival < 0.045 for at, number in played)
    assert playout.take_clock_shift() == 0


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("lost", [{25}, {24}, {23, 24, 25, 26}, {50, 52, 54}])
def test_losses_around_a_pause_cost_themselves_only(pause: float, lost: set[int]) -> None:
    packets = [packet for packet in spurts([25] * 4, [pause] * 3) if packet.number not in lost]
    assert numbers(play(packets)) == [packet.number for packet in packets]


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("swapped", [24, 25, 26, 50])
def test_packets_reordered_around_a_pause_are_played_in_order(pause: float, swapped: int) -> None:
    packets = spurts([25] * 4, [pause] * 3)
    first, second = packets[swapped], packets[swapped + 1]
    # Both arrive within the playout delay.
    packets[swapped] = attrs.evolve(first, arrival=second.arrival + 0.001)
    packets[swapped + 1] = attrs.evolve(second, arrival=second.arrival)
    played = numbers(play(packets))
    assert played == sorted(played)
    # The overtaken one may be too late, as everywhere.
    assert len(played) >= 99


@pytest.mark.parametrize("pause", PAUSES)
def test_jitter_costs_no_more_behind_pauses_than_without(pause: float) -> None:
    rng = random.Random(3)
    packets = [
        attrs.evolve(packet, arrival=packet.arrival + rng.uniform(0, 0.03))
        for packet in spurts([50] * 6, [pause] * 5)
    ]
    played = play(packets)
    assert len(played) >= 0.99 * len(packets)
    assert numbers(played) == sorted(numbers(played))


def test_the_delay_of_a_burst_is_reduced_as_before() -> None:
    """The frames behind a late one arrive with it: that is no pause, and the delay decreases again."""
    packets = [
        attrs.evolve(packet, arrival=max(packet.arrival, 2.6) if packet.arrival > 1.8 else packet.arrival)
        for packet in spurts([400], [])
    ]
    playout = AudioPlayout()
    played = play(packets, playout)
    assert playout.counters.clock_shifts == 0
    assert playout.counters.removed > 0
    late = [at - (1.0 + number * STEP) for at, number in played]
    assert late[-1] < 0.1


def test_a_clock_that_was_set_back_is_followed() -> None:
    first = spurts([25], [])
    second = [
        attrs.evolve(
            packet,
            number=25 + packet.number,
            timestamp=packet.timestamp - CLOCK // 4,
            arrival=packet.arrival + 1,
        )
        for packet in spurts([25], [])
    ]
    assert len(play([*first, *second])) >= 49


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    pauses=st.lists(st.just(0.0) | st.floats(0.06, 6.0), min_size=7, max_size=7),
    running=st.booleans(),
    jitter=st.lists(st.floats(0, 0.004), min_size=20, max_size=20),
)
def test_consecutive_frames_are_never_dropped(
    lengths: list[int], pauses: list[float], running: bool, jitter: list[float]
) -> None:
    """Shorter pauses are jitter, to which the delay adapts a frame at a time."""
    packets = [
        attrs.evolve(packet, arrival=packet.arrival + jitter[packet.number % len(jitter)])
        for packet in spurts(lengths, pauses[: len(lengths) - 1], running=running)
    ]
    playout = AudioPlayout()
    assert numbers(play(packets, playout)) == list(range(len(packets)))
    assert playout.counters.late == playout.counters.duplicates == playout.counters.overflows == 0
