"""Calls over bad networks: media continues, the estimate converges to the link's rate, queues stay short."""

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
# One bandwidth-delay product at 4 Mbit/s, like routers; half a second at an eighth of that rate.
QUEUE = 30_000


def assert_found(call: MeteredCall, begin: float, end: float, rate: float) -> None:
    """Require an estimate between 80 % of the rate and the rate."""
    estimates = [sample.estimate for sample in call.samples_between(begin, end)]
    assert 0.8 * rate <= mean(estimates) <= rate


def longest_stalls(call: MeteredCall, begin: float, end: float) -> tuple[float, float]:
    """Return the longest times without a video frame and without audio between two times of the call."""
    span = call.began_at + begin, call.began_at + end
    return call.video.longest_stall(*span), call.audio.longest_stall(*span)


def longest_queue(call: MeteredCall, begin: float, end: float) -> float:
    return max(sample.queueing_delay for sample in call.samples_between(begin, end))


def usual_latency(call: MeteredCall, begin: float, end: float) -> float:
    """Return the median time from capture to playout of video frames."""
    frames = call.video.between(call.began_at + begin, call.began_at + end)
    return median(frame.latency for frame in frames)


@pytest.mark.parametrize("seed", seeds(2))
async def test_loss_of_a_tenth_of_all_packets(seed: int) -> None:
    link = Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE, loss=0.1)
    async with metered_call(seed=seed, link=link) as call:
        await trio.sleep(15)
        video_stall, audio = longest_stalls(call, 1, 15)
        assert video_stall < 0.9
        assert audio < 0.1
        # Packets are lost before the bottleneck, so that nine tenths of the packets sent may fill it.
        assert_found(call, 10, 15, 2 * MEGABIT / 0.9)
        assert longest_queue(call, 2, 15) < 0.3
        # Less than audio, whose playout delay covers nearly all delay peaks.
        assert usual_latency(call, 10, 15) < 0.1
        counters = await call.receiver_counters()
        assert counters["incoming_retransmitted_packets"] > 100
        # Redundancy recovers most of the audio; the rest is concealed and counted.
        assert 0 < counters["playout_concealed"] < 0.05 * counters["playout_played"]


async def test_reordered_packets() -> None:
    link = Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE, jitter=0.03, jitter_reorders=True)
    async with metered_call(link=link) as call:
        await trio.sleep(15)
        assert max(longest_stalls(call, 5, 15)) < 0.3
        assert_found(call, 10, 15, 2 * MEGABIT)
        assert longest_queue(call, 5, 15) < 0.15
        assert usual_latency(call, 5, 15) < 0.1
        counters = await call.receiver_counters()
        # Reordered packets are not requested once the reordering delay is known.
        assert counters["nack_requested"] < 0.2 * counters["incoming_packets"]


@pytest.mark.parametrize("seed", seeds(2))
async def test_a_link_that_falls_to_an_eighth_and_recovers(seed: int) -> None:
    link = Link(delay=DELAY, rate=4 * MEGABIT, queue=QUEUE)
    async with metered_call(seed=seed, link=link) as call:
        await trio.sleep(10)
        call.set_rate(0.5 * MEGABIT)
        await trio.sleep(15)
        call.set_rate(4 * MEGABIT)
        await trio.sleep(15)
        video_stall, audio = longest_stalls(call, 1, 40)
        # The queue at an eighth of the rate, the detection time, and a keyframe behind both.
        assert video_stall < 0.9
        assert audio < 0.6
        assert_found(call, 5, 10, 4 * MEGABIT)
        assert_found(call, 20, 25, 0.5 * MEGABIT)
        assert_found(call, 35, 40, 4 * MEGABIT)
        # The router's queue is full for a moment, until the fall can be detected.
        assert longest_queue(call, 10, 15) < 0.6
        for begin, end in ((5, 10), (13, 25), (28, 40)):
            assert longest_queue(call, begin, end) < 0.2
        # The queues at the beginning and of the slow link are soon drained.
        for begin, end in ((7, 10), (34, 40)):
            assert usual_latency(call, begin, end) < 0.1


async def test_audio_and_video_stay_synchronized() -> None:
    """Also where the many packets of video frames are delayed more than audio packets."""
    link = Link(delay=DELAY, rate=1 * MEGABIT, queue=QUEUE, jitter=0.03, loss=0.02)
    async with metered_call(link=link) as call:
        await trio.sleep(15)
        begin = call.began_at + 5
        video_latency = mean(frame.latency for frame in call.video.between(begin))
        audio = mean(frame.latency for frame in call.audio.between(begin))
        # ITU-R BT.1359: audio from 45 ms early to 125 ms late is not noticed.
        assert -0.045 <= audio - video_latency <= 0.1


@pytest.mark.parametrize("one_way", [True, False], ids=["one way", "both ways"])
async def test_media_resumes_right_after_an_outage_of_five_seconds(one_way: bool) -> None:
    async with metered_call(link=Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE)) as call:
        await trio.sleep(5)
        call.peers.network.partition("alice", "bob", one_way=one_way)
        await trio.sleep(5)
        call.peers.network.heal()
        await trio.sleep(10)
        video_stall, audio = longest_stalls(call, 11, 20)
        assert video_stall < 0.2
        assert audio < 0.2
        assert call.encoder.keyframe_requests < 10
        assert max(sample.estimate for sample in call.samples_between(10, 14)) >= 0.8 * 2 * MEGABIT
        assert [sample.frames for sample in call.samples_between(6, 10)] == pytest.approx([0] * 40)
        assert mean(sample.frames for sample in call.samples_between(12, 20)) == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("audio", [True, False], ids=["with audio", "without"])
@pytest.mark.parametrize("seed", seeds(2))
async def test_video_resumes_after_an_almost_dead_link(seed: int, audio: bool) -> None:
    """Retransmissions may use up the rate of video, and without packets there is no feedback."""
    link = Link(delay=DELAY, rate=2 * MEGABIT, queue=QUEUE, loss=0.05)
    async with metered_call(seed=seed, link=link, audio=audio) as call:
        await trio.sleep(5)
        call.set_link(attrs.evolve(link, rate=0.02 * MEGABIT, loss=0.3))
        await trio.sleep(20)
        call.set_link(link)
        # The queue takes twelve seconds to drain, and by then keyframes are requested every three seconds.
        await trio.sleep(25)
        assert mean(sample.frames for sample in call.samples_between(45, 50)) > 24
        assert_found(call, 46, 50, 2 * MEGABIT)


async def test_upper_layers_are_disabled_first_when_the_link_falls() -> None:
    layers = [
        RTCRtpEncodingParameters(rid="q", max_bitrate=150_000, scale_resolution_down_by=4),
        RTCRtpEncodingParameters(rid="h", max_bitrate=500_000, scale_resolution_down_by=2),
        RTCRtpEncodingParameters(rid="f", max_bitrate=1_500_000),
    ]
    link = Link(delay=DELAY, rate=3 * MEGABIT, queue=QUEUE)
    async with metered_call(link=link, layers=layers) as call:
        sent: list[dict[str | None, int]] = []
        for rate in (3.0, 0.6, 0.2, 3.0):
            call.set_rate(rate * MEGABIT)
            await trio.sleep(5)
            before = dict(call.encoder.sent)
            await trio.sleep(3)
            sent.append({rid: count - before[rid] for rid, count in call.encoder.sent.items()})
        all_of_them = pytest.approx(90, abs=2)
        assert sent[0] == {"q": all_of_them, "h": all_of_them, "f": all_of_them}
        assert sent[1]["q"] == sent[1]["h"] == all_of_them
        assert sent[1]["f"] < 10
        assert sent[2]["q"] == all_of_them
        assert sent[2]["h"] + sent[2]["f"] < 10
        assert sent[3] == sent[0]
        assert max(longest_stalls(call, 1, 32)) < 1.5


@pytest.mark.parametrize("seed", range(3))
async def test_all_impairments_at_once_cause_no_permanent_stall(seed: int) -> None:
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
    async with metered_call(seed=seed, link=link) as call:
        for rate in (0.3, 1, 0.3, 1):
            await trio.sleep(3)
            call.set_rate(rate * MEGABIT)
        await trio.sleep(3)
        video_stall, audio = longest_stalls(call, 1, 15)
        assert video_stall < 2
        assert audio < 0.5
