"""Calls over bad networks in virtual time, their figures, and the plots of the documentation.

Run it with ``python -m benchmarks.media_figures``: it writes the plots to ``docs/figures``, and a table.
"""

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import attrs
import trio

from benchmarks.svg_plot import Panel, Series, plot
from tests.strategies.metered_calls import MeteredCall, Sample, metered_call
from trio_rtc.testing import Link, run

DIRECTORY = Path(__file__).parents[1] / "docs" / "figures"
MEGABIT = 1e6
QUEUE = 30_000


@attrs.frozen
class Scenario:
    """A call to measure.

    Attributes:
        name: Name of its files.
        title: Title of its plot.
        link: From the caller to the callee.
        rates: The capacity of the link, each with the second from which on it applies.
        seconds: Duration of the call.
        settled: The spans, in seconds, in which the estimate has had ten seconds to find the link.
    """

    name: str
    title: str
    link: Link
    rates: Sequence[tuple[float, float]]
    seconds: float
    settled: Sequence[tuple[float, float]]


SCENARIOS = (
    Scenario(
        "loss",
        "A tenth of all packets is lost: 2 Mbit/s, 60 ms round trip",
        Link(delay=0.03, queue=QUEUE, loss=0.1),
        [(0, 2 * MEGABIT)],
        30,
        [(10, 30)],
    ),
    Scenario(
        "jitter",
        "30 ms of jitter with reordering: 2 Mbit/s, 60 ms round trip",
        Link(delay=0.03, queue=QUEUE, jitter=0.03, jitter_reorders=True),
        [(0, 2 * MEGABIT)],
        30,
        [(10, 30)],
    ),
    Scenario(
        "fall",
        "A link falls from 4 to 0.5 Mbit/s and recovers: 60 ms round trip",
        Link(delay=0.03, queue=QUEUE),
        [(0, 4 * MEGABIT), (15, 0.5 * MEGABIT), (35, 4 * MEGABIT)],
        55,
        [(10, 15), (25, 35), (45, 55)],
    ),
)


@attrs.frozen
class Outcome:
    """Results of a call.

    Attributes:
        samples: Figures recorded ten times a second.
        video_stall: Longest time without a video frame, in seconds.
        audio_stall: Longest time without audio, in seconds.
        usage: The estimate in the settled spans as a part of the link, on average.
        queueing: The longest queueing delay in the settled spans, in seconds.
        latency: Median time from the capture of a video frame until it is complete at the receiver, in seconds.
    """

    samples: Sequence[Sample]
    video_stall: float
    audio_stall: float
    usage: float
    queueing: float
    latency: float


async def make_call(scenario: Scenario, seed: int) -> Outcome:
    """Run one call."""
    first = scenario.rates[0][1]
    async with metered_call(seed=seed, link=attrs.evolve(scenario.link, rate=first)) as call:
        for begin, rate in scenario.rates[1:]:
            await trio.sleep_until(call.began_at + begin)
            call.set_rate(rate)
        await trio.sleep_until(call.began_at + scenario.seconds)
        return _look_at(scenario, call)


def _look_at(scenario: Scenario, call: MeteredCall) -> Outcome:
    begin, end = call.began_at + 1, call.began_at + scenario.seconds
    settled = [sample for span in scenario.settled for sample in call.samples_between(*span)]
    latencies = sorted(frame.latency for frame in call.video.between(begin, end))
    return Outcome(
        samples=call.samples,
        video_stall=call.video.longest_stall(begin, end),
        audio_stall=call.audio.longest_stall(begin, end),
        usage=mean(sample.estimate / sample.link_rate for sample in settled),
        queueing=max(sample.queueing_delay for sample in settled),
        latency=latencies[len(latencies) // 2],
    )


def draw(scenario: Scenario, samples: Sequence[Sample]) -> str:
    """Return the plot of a call."""

    def smooth(values: Sequence[float], window: int) -> list[float]:
        """Return the means of the last so many values: single frames are of no interest."""
        ranges = [values[max(0, index - window + 1) : index + 1] for index in range(len(values))]
        return [mean(values) for values in ranges]

    times = [sample.at for sample in samples]
    corners = [*scenario.rates, (scenario.seconds, scenario.rates[-1][1])]
    steps = []
    for (begin, rate), (end, _) in itertools.pairwise(corners):
        steps += [(begin, rate / MEGABIT), (end, rate / MEGABIT)]
    sent = smooth([sample.sent / MEGABIT for sample in samples], 5)
    frames = smooth([sample.frames for sample in samples], 10)
    estimates = [(sample.at, sample.estimate / MEGABIT) for sample in samples]
    queueing = [(sample.at, 1000 * sample.queueing_delay) for sample in samples]
    top = max(rate for _, rate in scenario.rates) / MEGABIT * 1.25
    return plot(
        scenario.title,
        [
            Panel(
                "Mbit/s",
                [
                    Series("link", steps, 0, dashed=True),
                    Series("estimate", estimates, 1),
                    Series("sent", list(zip(times, sent, strict=True)), 2),
                ],
                top,
            ),
            Panel("queueing delay, ms", [Series("queueing delay", queueing, 3)], _round_up(queueing)),
            Panel("frames a second", [Series("frames", list(zip(times, frames, strict=True)), 1)], 60),
        ],
        scenario.seconds,
    )


def _round_up(points: Sequence[tuple[float, float]]) -> float:
    return max(100.0, math.ceil(max(value for _, value in points) / 100) * 100)


def main() -> None:
    """Make the calls, write the plots, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="calls a row; the worst of them is shown")
    parser.add_argument("--directory", type=Path, default=DIRECTORY)
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    print("| | longest stall of video | of audio | estimate / link | queueing delay | capture to whole |")
    print("|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        outcomes = [run(make_call, scenario, seed, seed=seed) for seed in range(arguments.seeds)]
        picture = draw(scenario, outcomes[0].samples)
        (arguments.directory / f"{scenario.name}.svg").write_text(picture)
        usages = [outcome.usage for outcome in outcomes]
        print(
            f"| {scenario.name} | {max(outcome.video_stall for outcome in outcomes):.2f} s"
            f" | {max(outcome.audio_stall for outcome in outcomes):.2f} s"
            f" | {min(usages):.0%} to {max(usages):.0%}"
            f" | {1000 * max(outcome.queueing for outcome in outcomes):.0f} ms"
            f" | {1000 * max(outcome.latency for outcome in outcomes):.0f} ms |",
            flush=True,
        )


if __name__ == "__main__":
    main()
