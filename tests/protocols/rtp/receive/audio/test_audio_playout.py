"""The audio playout buffer."""

import itertools
import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.options import AudioPlayoutOptions, JitterOptions
from trio_rtc.protocols.rtp.packet.frame import Concealment, ConcealmentKind, EncodedFrame
from trio_rtc.protocols.rtp.receive.audio.playout import AudioPlayout

CLOCK, DURATION, STEP = 48_000, 960, 0.02
Output = EncodedFrame | Concealment


def frame(timestamp: int, name: str = "", clock_rate: int = CLOCK) -> EncodedFrame:
    return EncodedFrame((name or str(timestamp)).encode(), timestamp, clock_rate, "opus")


def duration_of(output: Output) -> int:
    return output.duration if isinstance(output, Concealment) else DURATION


def pull_all(playout: AudioPlayout, now: float) -> list[Output]:
    outputs = []
    while (output := playout.pull(now)) is not None:
        outputs.append(output)
    assert playout.next_timer() > now
    return outputs


def run(
    playout: AudioPlayout, arrivals: Iterable[tuple[float, int]], until: float
) -> list[tuple[float, Output]]:
    """Insert frames (time, index) and play what is due; return it with its time."""
    played: list[tuple[float, Output]] = []
    pending = sorted(arrivals)
    now = 0.0
    while now < until:
        arrival = pending[0][0] if pending else math.inf
        now = min(arrival, playout.next_timer(), until)
        while pending and pending[0][0] <= now:
            _, index = pending.pop(0)
            playout.insert(index * DURATION, DURATION, frame(index * DURATION), now, sequence_number=index)
        played += [(now, output) for output in pull_all(playout, now)]
    return played


def assert_gapless(outputs: list[Output]) -> None:
    for before, after in itertools.pairwise(outputs):
        assert after.timestamp == before.timestamp + duration_of(before)


def kinds(outputs: Iterable[Output]) -> set[ConcealmentKind]:
    return {output.kind for output in outputs if isinstance(output, Concealment)}


def test_even_stream_is_played_evenly_and_soon() -> None:
    playout = AudioPlayout()
    played = run(playout, [(1 + i * STEP, i) for i in range(200)], 1 + 199 * STEP)
    assert [output.payload for _, output in played if isinstance(output, EncodedFrame)][:3] == [
        b"0",
        b"960",
        b"1920",
    ]
    assert kinds(output for _, output in played) == set()
    assert played[0][0] == pytest.approx(1.01)
    assert playout.counters.delay / playout.counters.played == pytest.approx(0.01)


def test_lost_frame_is_concealed_with_the_next_ones_payload() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.06)))
    outputs = [output for _, output in run(playout, [(i * STEP, i) for i in range(50) if i != 20], 1.0)]
    assert_gapless(outputs)
    (lost,) = [output for output in outputs if isinstance(output, Concealment)]
    assert lost == Concealment(20 * DURATION, DURATION, ConcealmentKind.LOST, b"20160")
    assert (playout.counters.concealed, playout.counters.concealment_events) == (DURATION, 1)


def test_two_lost_frames_are_one_event_and_only_the_last_has_a_follower() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.1)))
    outputs = [
        output for _, output in run(playout, [(i * STEP, i) for i in range(50) if i not in (20, 21)], 1.0)
    ]
    lost = [output for output in outputs if isinstance(output, Concealment)]
    assert [output.following for output in lost] == [None, b"21120"]
    assert playout.counters.concealment_events == 1


def test_a_frame_that_arrives_after_its_loss_was_concealed_is_no_follower() -> None:
    playout = AudioPlayout()
    outputs = [output for _, output in run(playout, [(i * STEP, i) for i in range(50) if i != 20], 1.0)]
    assert_gapless(outputs)
    (lost,) = [output for output in outputs if isinstance(output, Concealment)]
    assert (lost.kind, lost.following) == (ConcealmentKind.LATE, None)


def test_frame_after_silence_is_no_follower() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.06)))
    for number, index in enumerate([0, 1, 2, 5]):
        playout.insert(
            index * DURATION, DURATION, frame(index * DURATION), index * STEP, sequence_number=number
        )
    outputs = [output for _, output in run(playout, [], 0.165)]
    silences = [output for output in outputs if isinstance(output, Concealment)]
    assert kinds(outputs) == {ConcealmentKind.SILENCE}
    assert {silence.following for silence in silences} == {None}


def test_frame_of_another_codec_is_no_follower() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.06)))
    for index in (0, 1, 3, 5):
        name = "opus" if index < 4 else "L16"
        following = EncodedFrame(str(index).encode(), index * DURATION, CLOCK, name)
        playout.insert(index * DURATION, DURATION, following, index * STEP, sequence_number=index)
    outputs = [output for _, output in run(playout, [], 0.165)]
    lost = [output for output in outputs if isinstance(output, Concealment)]
    assert [output.following for output in lost] == [b"3", None]


@given(st.sets(st.integers(1, 58)), st.sampled_from([0.01, 0.03, 0.05, 0.2]))
def test_follower_is_there_exactly_when_the_next_frame_is(lost: set[int], min_delay: float) -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=min_delay)))
    present = [index for index in range(60) if index not in lost]
    now, here = 0.0, set[int]()
    concealed: list[tuple[Concealment, set[int]]] = []
    while now < 60 * STEP:
        arrivals = [index for index in present if index not in here]
        now = min(arrivals[0] * STEP if arrivals else math.inf, playout.next_timer(), 60 * STEP)
        for index in arrivals:
            if index * STEP <= now:
                here.add(index)
                playout.insert(
                    index * DURATION, DURATION, frame(index * DURATION), now, sequence_number=index
                )
        outputs = pull_all(playout, now)
        concealed += [(output, set(here)) for output in outputs if isinstance(output, Concealment)]
    # Without jitter nothing is inserted or removed, so timestamps are the sender's.
    assert playout.timestamp_offset == 0
    for output, at_that_time in concealed:
        after = output.timestamp // DURATION + 1
        expected = str(after * DURATION).encode() if after in at_that_time else None
        assert output.following == expected


def play_with_losses(playout: AudioPlayout, *, repeating: bool, until: int) -> list[Concealment]:
    """Lose each tenth of the first frames on a network without jitter; return the concealments."""
    concealed: list[Concealment] = []
    for index in range(until):
        now = index * STEP
        while playout.next_timer() < now:
            outputs = pull_all(playout, playout.next_timer())
            concealed += [output for output in outputs if isinstance(output, Concealment)]
        if index % 10 != 5 or index > 100:
            playout.insert(
                index * DURATION,
                DURATION,
                frame(index * DURATION),
                now,
                sequence_number=index,
                repeats_previous=repeating,
            )
    return concealed


def test_frames_wait_for_their_next_ones_while_those_make_losses_good() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(repeat_memory=2.0))
    assert playout.target_delay == pytest.approx(0.01)
    concealed = play_with_losses(playout, repeating=True, until=110)
    assert playout.target_delay == pytest.approx(0.03)
    # The first loss shows the delay that is needed.
    assert [output.kind for output in concealed[:2]] == [ConcealmentKind.LATE, ConcealmentKind.INSERTED]
    assert {output.kind for output in concealed[2:]} == {ConcealmentKind.LOST}
    assert len(concealed) == 11
    assert all(output.following is not None for output in concealed[2:])
    # Frames that the next one carries again are not concealed.
    assert playout.counters.repeated == 9 * DURATION
    assert playout.counters.concealed == DURATION


@pytest.mark.parametrize(("repeating", "memory"), [(False, 10.0), (True, 0.0), (True, 2.0)])
def test_frames_do_not_wait_for_useless_repetitions(repeating: bool, memory: float) -> None:
    playout = AudioPlayout(AudioPlayoutOptions(repeat_memory=memory))
    concealed = play_with_losses(playout, repeating=repeating, until=300)
    assert (ConcealmentKind.INSERTED in kinds(concealed)) is (repeating and memory > 0)
    assert playout.target_delay == pytest.approx(0.01)


def test_reordered_and_doubled_frames_are_played_once_in_order() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.1), tolerance=0.3))
    for index in (2, 1, 0, 1, 3):
        playout.insert(index * DURATION, DURATION, frame(index * DURATION), 0.0, sequence_number=index)
    assert playout.counters.duplicates == 1
    outputs = [output for _, output in run(playout, [], 0.3)]
    assert [output.payload for output in outputs if isinstance(output, EncodedFrame)] == [
        b"0",
        b"960",
        b"1920",
        b"2880",
    ]


def test_silence_that_the_sender_announces_is_no_loss() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.06)))
    for index in range(10):
        playout.insert(
            index * DURATION, DURATION, frame(index * DURATION), index * STEP, sequence_number=index
        )
    outputs = [output for _, output in run(playout, [], 0.5)]
    playout.insert(25 * DURATION, DURATION, frame(25 * DURATION), 0.5, sequence_number=10)
    outputs += [output for _, output in run(playout, [], 0.57)]
    assert_gapless(outputs)
    assert isinstance(outputs[-1], EncodedFrame)
    assert outputs[-1].timestamp == 25 * DURATION
    assert kinds(outputs) == {ConcealmentKind.LATE, ConcealmentKind.SILENCE}
    assert (playout.counters.concealed, playout.counters.silence) == (0, 15 * DURATION)


def test_a_late_frame_is_played_if_only_concealment_was_played() -> None:
    playout = AudioPlayout()
    arrivals = [(i * STEP, i) for i in range(20)] + [(i * STEP + 0.1, i) for i in range(20, 60)]
    outputs = [output for _, output in run(playout, arrivals, 60 * STEP)]
    assert_gapless(outputs)
    payloads = [output.payload for output in outputs if isinstance(output, EncodedFrame)]
    assert payloads[:40] == [str(i * DURATION).encode() for i in range(40)]
    assert playout.counters.late == 0


def test_frame_that_was_given_up_is_late() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(jitter=JitterOptions(min_delay=0.06)))
    arrivals = [(i * STEP, i) for i in range(30) if i != 10] + [(0.4, 10)]
    run(playout, arrivals, 0.6)
    assert playout.counters.late == 1


def test_delay_follows_jitter_up_and_down() -> None:
    rng = random.Random(5)
    playout = AudioPlayout()
    arrivals = []
    for index in range(3000):
        noise = rng.uniform(0, 0.12) if 500 <= index < 1500 else 0.0
        arrivals.append((index * STEP + noise, index))
    played = run(playout, arrivals, 3000 * STEP)
    assert_gapless([output for _, output in played])

    def delay_between(start: float, end: float) -> float:
        delays = [
            now - int(output.payload) / CLOCK
            for now, output in played
            if start <= now < end and isinstance(output, EncodedFrame)
        ]
        return sum(delays) / len(delays)

    def concealed_between(start: float, end: float) -> int:
        return sum(start <= now < end and isinstance(output, Concealment) for now, output in played)

    assert delay_between(1, 9) < 0.03
    assert 0.09 < delay_between(20, 30) < 0.18
    assert concealed_between(20, 30) <= 500 * 0.05
    assert delay_between(50, 59) < 0.05
    assert playout.counters.removed > 0


def test_extra_delay_is_reached_gradually() -> None:
    playout = AudioPlayout()
    playout.insert(0, DURATION, frame(0), 0.0)
    playout.set_extra_delay(0.2)
    played = run(playout, [(i * STEP, i) for i in range(1, 300)], 6.0)
    last_time, last = next(
        (now, output) for now, output in reversed(played) if isinstance(output, EncodedFrame)
    )
    assert last_time - int(last.payload) / CLOCK == pytest.approx(0.21, abs=0.02)
    assert ConcealmentKind.INSERTED in kinds(output for _, output in played)
    assert playout.counters.inserted == 10 * DURATION
    assert playout.timestamp_offset == 10 * DURATION


def play_evenly(
    playout: AudioPlayout, milliseconds: float, seconds: float
) -> list[tuple[float, EncodedFrame]]:
    """Insert frames of a duration without jitter; return the played ones, each with the time of its playout."""
    duration = round(milliseconds * CLOCK / 1000)
    played: list[tuple[float, EncodedFrame]] = []
    for index in range(round(seconds * 1000 / milliseconds)):
        arrival, timestamp = index * milliseconds / 1000, index * duration
        while (now := playout.next_timer()) <= arrival:
            outputs = pull_all(playout, now)
            played += [(now, output) for output in outputs if isinstance(output, EncodedFrame)]
        playout.insert(timestamp, duration, frame(timestamp), arrival, sequence_number=index)
    return played


def raise_by_application(playout: AudioPlayout) -> None:
    playout.set_min_delay(4.0)


def raise_by_synchronization(playout: AudioPlayout) -> None:
    playout.set_extra_delay(4.0)


def raise_by_both(playout: AudioPlayout) -> None:
    playout.set_min_delay(2.0)
    playout.set_extra_delay(2.0)


@pytest.mark.parametrize("raise_delay", [raise_by_application, raise_by_synchronization, raise_by_both])
@pytest.mark.parametrize(
    ("milliseconds", "longest"),
    [(2.5, 0.1875), (5, 0.375), (10, 0.75), (20, 1.5), (40, 3.0), (60, 4.0), (120, 4.0)],
)
def test_target_delay_is_at_most_three_quarters_of_the_buffer(
    raise_delay: Callable[[AudioPlayout], None], milliseconds: float, longest: float
) -> None:
    playout = AudioPlayout()
    raise_delay(playout)
    played = play_evenly(playout, milliseconds, 12.0)
    expected = pytest.approx(longest, abs=milliseconds / 1000 + 0.01)
    assert playout.target_delay == expected
    assert {now - int(output.payload) / CLOCK == expected for now, output in played} == {True}
    assert len(played) == pytest.approx((12.0 - longest) * 1000 / milliseconds, abs=2)
    counters = playout.counters
    assert (counters.overflows, counters.concealed, counters.late) == (0, 0, 0)
    assert counters.delay / counters.played == expected


def test_jitter_raises_the_target_delay_to_three_quarters_of_the_buffer_at_most() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(max_frames=10))
    rng = random.Random(1)
    run(playout, [(i * STEP + rng.uniform(0, 0.4), i) for i in range(1000)], 20.0)
    assert playout.target_delay == pytest.approx(0.15)
    assert playout.counters.frames > 300


def test_target_delay_leaves_room_for_an_excess_before_a_restart() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(max_gap=1.0, max_excess=0.3))
    playout.set_min_delay(4.0)
    played = play_evenly(playout, 20, 5.0)
    assert playout.target_delay == pytest.approx(0.7)
    assert playout.counters.restarts == 0
    assert len(played) == pytest.approx(215, abs=2)


def test_target_delay_follows_the_duration_of_frames() -> None:
    playout = AudioPlayout()
    playout.set_min_delay(4.0)
    targets = []
    timestamp, number = 0, 0
    for milliseconds in (20, 10, 60):
        for _ in range(3000 // milliseconds):
            arrival = timestamp / CLOCK
            pull_all(playout, arrival)
            playout.insert(timestamp, milliseconds * 48, frame(timestamp), arrival, sequence_number=number)
            timestamp, number = timestamp + milliseconds * 48, number + 1
        targets.append(playout.target_delay)
    assert targets == pytest.approx([1.5, 0.75, 4.0])


def test_a_stream_that_stops_is_silent_after_a_while_and_restarts() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(max_silence=1.0))
    first = run(playout, [(i * STEP, i) for i in range(10)], 5.0)
    assert playout.next_timer() == math.inf
    assert kinds(output for _, output in first) == {ConcealmentKind.LATE}
    assert playout.counters.concealed == pytest.approx(CLOCK, abs=2 * DURATION)
    playout.insert(10**9, DURATION, frame(10**9), 5.0)
    (again,) = pull_all(playout, 5.02)
    assert_gapless([output for _, output in first] + [again])
    assert isinstance(again, EncodedFrame)
    assert again.payload == b"1000000000"


@pytest.mark.parametrize("jump", [10**9, -(10**9)])
def test_sender_that_starts_again_is_followed(jump: int) -> None:
    playout = AudioPlayout()
    first = [output for _, output in run(playout, [(i * STEP, i) for i in range(10)], 0.2)]
    playout.insert(jump, DURATION, frame(jump), 0.2)
    outputs = first + pull_all(playout, 0.21) + pull_all(playout, 0.23) + pull_all(playout, 0.25)
    assert_gapless(outputs)
    assert str(jump).encode() in [output.payload for output in outputs if isinstance(output, EncodedFrame)]
    assert playout.counters.restarts == 1


def test_codec_of_another_clock() -> None:
    playout = AudioPlayout()
    playout.insert(0, DURATION, frame(0), 0.0)
    pull_all(playout, 0.01)
    playout.insert(0, 160, frame(0, "pcmu", 8000), 0.02)
    (output,) = pull_all(playout, 0.03)
    assert isinstance(output, EncodedFrame)
    assert (output.payload, output.timestamp) == (b"pcmu", 160)


def test_puller_that_slept_does_not_get_it_all() -> None:
    playout = AudioPlayout()
    for index in range(50):
        playout.insert(
            index * DURATION, DURATION, frame(index * DURATION), index * STEP, sequence_number=index
        )
    outputs = pull_all(playout, 0.95)
    assert len(outputs) <= 3
    assert playout.counters.removed > 0


def test_full_buffer_loses_the_oldest() -> None:
    playout = AudioPlayout(AudioPlayoutOptions(max_frames=10))
    for index in range(30):
        playout.insert(index * DURATION, DURATION, frame(index * DURATION), 0.0)
        assert playout.buffered <= 10
    assert playout.counters.overflows == 20


def test_frame_without_duration() -> None:
    with pytest.raises(ValueError, match="clock units"):
        AudioPlayout().insert(0, 0, frame(0), 0.0)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 60), st.sampled_from([1, 480, 960, 5760])),
        st.tuples(st.just("insert"), st.integers(-(2**33), 2**33), st.just(960)),
        st.tuples(st.just("wait"), st.sampled_from([1, 10, 20, 300, 3000]), st.just(0)),
        st.tuples(st.just("extra"), st.integers(0, 500), st.just(0)),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_for_any_arrivals_the_output_is_gapless_and_bounded(actions: list[tuple[str, int, int]]) -> None:
    playout = AudioPlayout(AudioPlayoutOptions(max_frames=20))
    durations: dict[bytes, int] = {}
    now, output_end = 0.0, None
    for number, (action, value, duration) in enumerate(actions):
        if action == "insert":
            timestamp = value * 480 if duration != 960 else value
            name = f"{number}"
            durations[name.encode()] = duration
            playout.insert(timestamp, duration, frame(timestamp, name), now, sequence_number=number)
        elif action == "extra":
            playout.set_extra_delay(value / 1000)
        else:
            until = now + value / 1000
            pulls = 0
            while now < until:
                now = min(until, max(now, playout.next_timer()))
                for output in pull_all(playout, now):
                    pulls += 1
                    assert output_end is None or output.timestamp == output_end
                    length = output.duration if isinstance(output, Concealment) else durations[output.payload]
                    assert length > 0
                    output_end = output.timestamp + length
            assert pulls < 20 + value
        assert playout.buffered <= 20


def stretching_playout(**options: object) -> AudioPlayout:
    playout = AudioPlayout(AudioPlayoutOptions(**options))  # type: ignore[arg-type]
    playout.set_decoded(True)
    return playout


def duration_with_stretch(output: Output) -> int:
    return duration_of(output) + (output.stretch if isinstance(output, EncodedFrame) else 0)


def assert_gapless_with_stretch(outputs: list[Output]) -> None:
    for before, after in itertools.pairwise(outputs):
        assert after.timestamp == before.timestamp + duration_with_stretch(before)


def lossy(seed: int, jitter: float, *, seconds: int = 60) -> list[tuple[float, int]]:
    """Return arrivals of which a tenth is lost, never two in succession."""
    rng = random.Random(seed)
    arrivals: list[tuple[float, int]] = []
    was_lost = True
    for index in range(round(seconds / STEP)):
        was_lost = not was_lost and rng.random() < 1 / 9
        if not was_lost:
            arrivals.append((index * STEP + rng.uniform(0, jitter), index))
    return arrivals


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("jitter", "min_delay"), [(0.002, 0.0), (0.01, 0.0), (0.03, 0.0), (0.06, 0.0), (0.0, 0.06)]
)
def test_half_of_the_audio_is_concealed_where_lost_frames_are_decoded_around(
    seed: int, jitter: float, min_delay: float
) -> None:
    shares, delays = [], []
    for decoded in (False, True):
        playout = AudioPlayout()
        playout.set_decoded(decoded)
        playout.set_min_delay(min_delay)
        arrivals = lossy(seed, jitter)
        played = run(playout, arrivals, 60.0)
        assert_gapless_with_stretch([output for _, output in played])
        counters = playout.counters
        samples = counters.played + counters.concealed + counters.silence + counters.inserted
        assert samples == pytest.approx(60 * CLOCK, abs=0.1 * CLOCK)
        shares.append(counters.concealed / samples)
        delays.append(
            [
                now - int(output.payload) / CLOCK - playout.target_delay
                for now, output in played
                if isinstance(output, EncodedFrame) and now > 10
            ]
        )
        assert counters.late <= 0.002 * len(arrivals)
        assert counters.inserted >= 0
        if decoded:
            # What is played early is regained by lengthening frames.
            regained = sum(
                output.stretch
                for _, output in played
                if isinstance(output, EncodedFrame) and output.stretch > 0
            )
            assert counters.inserted == regained
    assert shares[0] == pytest.approx(0.1, abs=0.01)
    assert shares[1] < 0.6 * shares[0]
    # The delay stays at the target.
    assert sum(delays[1]) / len(delays[1]) == pytest.approx(0.0, abs=0.005)
    assert min(delays[1]) > -0.025


def test_frame_behind_a_lost_one_is_played_early_and_lengthened() -> None:
    playout = stretching_playout(jitter=JitterOptions(min_delay=0.06))
    outputs = [output for _, output in run(playout, [(i * STEP, i) for i in range(50) if i != 20], 1.0)]
    assert_gapless_with_stretch(outputs)
    (lost,) = [output for output in outputs if isinstance(output, Concealment)]
    assert lost == Concealment(20 * DURATION, DURATION // 2, ConcealmentKind.LOST, None)
    (stretched,) = [output for output in outputs if isinstance(output, EncodedFrame) and output.stretch]
    assert (stretched.payload, stretched.stretch) == (b"20160", DURATION // 2)
    counters = playout.counters
    assert (counters.concealed, counters.inserted, counters.removed) == (DURATION // 2, DURATION // 2, 0)
    assert playout.timestamp_offset == 0


def test_lost_frame_is_ended_early_when_the_next_one_arrives_during_its_concealment() -> None:
    playout = stretching_playout(jitter=JitterOptions(min_delay=0.012))
    outputs = [output for _, output in run(playout, [(i * STEP, i) for i in range(50) if i != 20], 1.0)]
    assert_gapless_with_stretch(outputs)
    (lost,) = [output for output in outputs if isinstance(output, Concealment)]
    assert (lost.kind, lost.duration) == (ConcealmentKind.LATE, DURATION // 2)
    assert [output.stretch for output in outputs if isinstance(output, EncodedFrame) and output.stretch] == [
        DURATION // 2
    ]
    assert (playout.counters.concealed, playout.counters.late) == (DURATION // 2, 0)


def test_lost_frame_that_the_next_one_repeats_is_recovered_completely() -> None:
    playout = stretching_playout(jitter=JitterOptions(min_delay=0.06))
    concealed = play_with_losses(playout, repeating=True, until=110)
    assert all(output.duration == DURATION and output.following for output in concealed[1:])
    assert playout.counters.concealed == 0


def test_only_the_last_of_several_lost_frames_is_concealed_by_half() -> None:
    playout = stretching_playout(jitter=JitterOptions(min_delay=0.1))
    outputs = [
        output for _, output in run(playout, [(i * STEP, i) for i in range(50) if i not in (20, 21)], 1.0)
    ]
    lost = [output for output in outputs if isinstance(output, Concealment)]
    assert [output.duration for output in lost] == [DURATION, DURATION // 2]


def test_silence_that_the_sender_announces_is_not_shortened() -> None:
    playout = stretching_playout(jitter=JitterOptions(min_delay=0.06))
    for number, index in enumerate([0, 1, 2, 4, 5, 6]):
        playout.insert(
            index * DURATION, DURATION, frame(index * DURATION), index * STEP, sequence_number=number
        )
    outputs = [output for _, output in run(playout, [], 0.18)]
    assert [output.duration for output in outputs if isinstance(output, Concealment)] == [DURATION]
    assert playout.counters.silence == DURATION


def test_delay_below_the_target_is_not_shortened_by_a_loss() -> None:
    playout = stretching_playout(jitter=JitterOptions(min_delay=0.06), adjustment_interval=100.0)
    outputs = [output for _, output in run(playout, [(i * STEP, i) for i in range(100) if i % 20 != 10], 2.0)]
    lost = [output.duration for output in outputs if isinstance(output, Concealment)]
    # Only the first is regained, so the second leaves the delay below the target.
    assert lost == [DURATION // 2, DURATION // 2, DURATION, DURATION, DURATION]


def test_delay_is_adjusted_by_stretching_only() -> None:
    playout = stretching_playout()
    playout.insert(0, DURATION, frame(0), 0.0)
    playout.set_extra_delay(0.2)
    played = run(playout, [(i * STEP, i) for i in range(1, 300)], 6.0)
    assert kinds(output for _, output in played) == set()
    assert playout.counters.inserted == pytest.approx(0.2 * CLOCK, abs=0.005 * CLOCK)
    playout.set_extra_delay(0.0)
    played = run(playout, [(i * STEP, i) for i in range(300, 600)], 12.0)
    frames = [(now, output) for now, output in played if isinstance(output, EncodedFrame)]
    # No frame is skipped.
    assert len(frames) >= 299
    assert all(-720 <= output.stretch <= 0 for _, output in frames)
    last_time, last = frames[-1]
    assert last_time - int(last.payload) / CLOCK == pytest.approx(0.02, abs=0.01)
    assert playout.counters.removed == -sum(output.stretch for _, output in frames)


def test_stretches_are_as_far_apart_as_their_part_of_a_frame() -> None:
    playout = stretching_playout()
    playout.insert(0, DURATION, frame(0), 0.0)
    playout.set_extra_delay(0.5)
    played = run(playout, [(i * STEP, i) for i in range(1, 100)], 2.0)
    times = [
        (now, output.stretch) for now, output in played if isinstance(output, EncodedFrame) and output.stretch
    ]
    assert len(times) > 10
    for (before, amount), (after, _) in itertools.pairwise(times):
        assert after - before >= 0.1 * amount / DURATION - 1e-6


def test_frames_too_short_to_stretch_are_skipped_and_inserted() -> None:
    playout = stretching_playout()
    duration = DURATION // 4
    outputs: list[Output] = []
    for index in range(400):
        now = index * 0.005
        while playout.next_timer() <= now:
            outputs += pull_all(playout, playout.next_timer())
        playout.insert(index * duration, duration, frame(index * duration), now, sequence_number=index)
        playout.set_extra_delay(0.1)
    assert kinds(outputs) == {ConcealmentKind.INSERTED}
    assert not any(output.stretch for output in outputs if isinstance(output, EncodedFrame))


@given(ACTIONS, st.lists(st.booleans(), min_size=60, max_size=60))
def test_with_stretching_the_output_is_gapless_and_bounded(
    actions: list[tuple[str, int, int]], decoded: list[bool]
) -> None:
    playout = stretching_playout(max_frames=20)
    durations: dict[bytes, int] = {}
    now, output_end = 0.0, None
    for number, (action, value, duration) in enumerate(actions):
        playout.set_decoded(decoded[number])
        if action == "insert":
            timestamp = value * 480 if duration != 960 else value
            name = f"{number}"
            durations[name.encode()] = duration
            playout.insert(timestamp, duration, frame(timestamp, name), now, sequence_number=number)
        elif action == "extra":
            playout.set_extra_delay(value / 1000)
        else:
            until = now + value / 1000
            pulls = 0
            while now < until:
                now = min(until, max(now, playout.next_timer()))
                for output in pull_all(playout, now):
                    pulls += 1
                    assert output_end is None or output.timestamp == output_end
                    if isinstance(output, Concealment):
                        length = output.duration
                    else:
                        length = durations[output.payload] + output.stretch
                    assert length > 0
                    output_end = output.timestamp + length
            assert pulls < 20 + value
        assert playout.buffered <= 20
