"""Calls over bad networks: pictures and sound keep coming, the estimate finds the link, queues stay short."""

from statistics import mean, median

import attrs
import pytest
import trio

from tests.strategies.metered_calls import MeteredCall, metered_call
from tests.strategies.scenarios import seeds
from trio_rtc import RTCRtpEncodingParameters
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

MEGABIT = 1e6
DELAY = 0.03
# What 4 Mbit/s carry in a round trip, as routers have it; half a second at an eighth of that.
QUEUE = 30_000


def assert_found(going_on: MeteredCall, begin: float, end: float, rate: float) -> None:
    """The estimate is between the rate and 20 % under it."""
    estimates = [sample.estimate for sample in going_on.samples_between(begin, end)]
    assert 0.8 * rate <= mean(estimates) <= rate


def longest_stalls(going_on: MeteredCall, begin: float, end: float) -> tuple[float, float]:
    """Return the longest time without a picture, and without sound, between two times of the call."""
    span = going_on.began_at + begin, going_on.began_at + end
    return going_on.video.longest_stall(*span), going_on.audio.longest_stall(*span)


def longest_queue(going_on: MeteredCall, begin: float, end: float) -> float:
    return max(sample.queueing_delay for sample in going_on.samples_between(begin, end))


def usual_latency(going_on: MeteredCall, begin: float, end: float) -> float:
    """Return the median time from capture until a picture comes out."""
    frames = going_on.video.between(going_on.began_at + begin, going_on.began_at + end)
    return median(frame.latency for frame in frames)


@pytest.mark.parametrize("seed", seeds(2))
async def test_a_tenth_of_all_packets_is_lost(seed: int) -> None:
    link = Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE, loss=0.1)
    async with metered_call(seed=seed, link=link) as going_on:
        await trio.sleep(15)
        pictures, sound = longest_stalls(going_on, 1, 15)
        assert pictures < 0.9
        assert sound < 0.1
        # The network loses packets before the bottleneck: nine tenths of what is sent may fill it.
        assert_found(going_on, 10, 15, 2 * MEGABIT / 0.9)
        assert longest_queue(going_on, 2, 15) < 0.3
        # Not as late as the sound, which waits for nearly all peaks of its delay.
        assert usual_latency(going_on, 10, 15) < 0.1
        counters = await going_on.receiver_counters()
        assert counters["incoming_retransmitted_packets"] > 100
        # Redundancy gets most of the sound back; something is heard in the place of the rest, and counted.
        assert 0 < counters["playout_concealed"] < 0.05 * counters["playout_played"]


async def test_packets_overtake_each_other() -> None:
    link = Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE, jitter=0.03, jitter_reorders=True)
    async with metered_call(link=link) as going_on:
        await trio.sleep(15)
        assert max(longest_stalls(going_on, 5, 15)) < 0.3
        assert_found(going_on, 10, 15, 2 * MEGABIT)
        assert longest_queue(going_on, 5, 15) < 0.15
        assert usual_latency(going_on, 5, 15) < 0.1
        counters = await going_on.receiver_counters()
        # What comes late by itself is not asked for, once it is known how late that may be.
        assert counters["nack_requested"] < 0.2 * counters["incoming_packets"]


@pytest.mark.parametrize("seed", seeds(2))
async def test_a_link_falls_to_an_eighth_and_recovers(seed: int) -> None:
    link = Link(delay=DELAY, rate=4 * MEGABIT, queue=QUEUE)
    async with metered_call(seed=seed, link=link) as going_on:
        await trio.sleep(10)
        going_on.set_rate(0.5 * MEGABIT)
        await trio.sleep(15)
        going_on.set_rate(4 * MEGABIT)
        await trio.sleep(15)
        pictures, sound = longest_stalls(going_on, 1, 40)
        # The queue at an eighth of the rate, the time to notice, and a keyframe behind all that.
        assert pictures < 0.9
        assert sound < 0.6
        assert_found(going_on, 5, 10, 4 * MEGABIT)
        assert_found(going_on, 20, 25, 0.5 * MEGABIT)
        assert_found(going_on, 35, 40, 4 * MEGABIT)
        # The router's whole queue is full for a moment, since nobody can know that soon.
        assert longest_queue(going_on, 10, 15) < 0.6
        for begin, end in ((5, 10), (13, 25), (28, 40)):
            assert longest_queue(going_on, begin, end) < 0.2
        # The queue at the beginning, and that of the slow link, are soon forgotten.
        for begin, end in ((7, 10), (34, 40)):
            assert usual_latency(going_on, begin, end) < 0.1


async def test_sound_and_pictures_stay_together() -> None:
    """Also where the pictures' many packets are held up longer than the sound's few."""
    link = Link(delay=DELAY, rate=1 * MEGABIT, queue=QUEUE, jitter=0.03, loss=0.02)
    async with metered_call(link=link) as going_on:
        await trio.sleep(15)
        begin = going_on.began_at + 5
        pictures = mean(frame.latency for frame in going_on.video.between(begin))
        sound = mean(frame.latency for frame in going_on.audio.between(begin))
        # ITU-R BT.1359: nobody notices sound that is 45 ms early to 125 ms late.
        assert -0.045 <= sound - pictures <= 0.1


@pytest.mark.parametrize("one_way", [True, False], ids=["one way", "both ways"])
async def test_an_outage_of_five_seconds_is_over_when_it_is_over(one_way: bool) -> None:
    async with metered_call(link=Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE)) as going_on:
        await trio.sleep(5)
        going_on.peers.network.partition("alice", "bob", one_way=one_way)
        await trio.sleep(5)
        going_on.peers.network.heal()
        await trio.sleep(10)
        pictures, sound = longest_stalls(going_on, 11, 20)
        assert pictures < 0.2
        assert sound < 0.2
        assert going_on.encoder.keyframes_asked < 10
        assert max(sample.estimate for sample in going_on.samples_between(10, 14)) >= 0.8 * 2 * MEGABIT
        assert [sample.frames for sample in going_on.samples_between(6, 10)] == pytest.approx([0] * 40)
        assert mean(sample.frames for sample in going_on.samples_between(12, 20)) == pytest.approx(
            30, rel=0.1
        )


@pytest.mark.parametrize("sound", [True, False], ids=["with sound", "without"])
@pytest.mark.parametrize("seed", seeds(2))
async def test_pictures_come_again_after_a_time_in_which_the_link_carried_hardly_any(
    seed: int, sound: bool
) -> None:
    """What is sent again may leave nothing for pictures, and without any no feedback tells of better times."""
    link = Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE, loss=0.05)
    async with metered_call(seed=seed, link=link, audio=sound) as going_on:
        await trio.sleep(5)
        going_on.set_link(attrs.evolve(link, rate=0.02 * MEGABIT, loss=0.3))
        await trio.sleep(20)
        going_on.set_link(link)
        # The queue alone takes twelve seconds to be empty; and by then keyframes are asked for every three seconds.
        await trio.sleep(25)
        assert mean(sample.frames for sample in going_on.samples_between(45, 50)) > 24
        assert_found(going_on, 46, 50, 2 * MEGABIT)


async def test_upper_layers_go_first_when_the_link_falls() -> None:
    layers = [
        RTCRtpEncodingParameters(rid="q", max_bitrate=150_000, scale_resolution_down_by=4),
        RTCRtpEncodingParameters(rid="h", max_bitrate=500_000, scale_resolution_down_by=2),
        RTCRtpEncodingParameters(rid="f", max_bitrate=1_500_000),
    ]
    link = Link(delay=DELAY, rate=3 * MEGABIT, queue=QUEUE)
    async with metered_call(link=link, layers=layers) as going_on:
        sent: list[dict[str | None, int]] = []
        for rate in (3.0, 0.6, 0.2, 3.0):
            going_on.set_rate(rate * MEGABIT)
            await trio.sleep(5)
            before = dict(going_on.encoder.sent)
            await trio.sleep(3)
            sent.append({rid: count - before[rid] for rid, count in going_on.encoder.sent.items()})
        all_of_them = pytest.approx(90, abs=2)
        assert sent[0] == {"q": all_of_them, "h": all_of_them, "f": all_of_them}
        assert sent[1]["q"] == sent[1]["h"] == all_of_them
        assert sent[1]["f"] < 10
        assert sent[2]["q"] == all_of_them
        assert sent[2]["h"] + sent[2]["f"] < 10
        assert sent[3] == sent[0]
        assert max(longest_stalls(going_on, 1, 32)) < 1.5


@pytest.mark.parametrize("seed", range(3))
async def test_everything_at_once_is_no_permanent_stall(seed: int) -> None:
    link = Link(
        delay=DELAY,
        jitter=0.03,
        jitter_reorders=True,
        loss=0.1,
        duplicate=0.05,
        corrupt=0.02,
        rate=1 * MEGABIT,
        queue=QUEUE,
    )
    async with metered_call(seed=seed, link=link) as going_on:
        for rate in (0.3, 1, 0.3, 1):
            await trio.sleep(3)
            going_on.set_rate(rate * MEGABIT)
        await trio.sleep(3)
        pictures, sound = longest_stalls(going_on, 1, 15)
        assert pictures < 2
        assert sound < 0.5
