"""Round trips and throughput over channels in memory."""

import json
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.strategies.scripted_channel import ScriptedChannel, channel_pair
from trio_rtc import ProtocolError, RTCDataChannel
from trio_rtc._error_filters import ungrouped_errors
from trio_rtc.cli.demo.measure import (
    ANSWER_TIMEOUT,
    PING_TIMEOUT,
    UNANSWERED_PINGS,
    RoundTrips,
    Throughput,
    measure_receiving,
    measure_round_trips,
    measure_sending,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

Script = Callable[[ScriptedChannel], Awaitable[None]]


async def beside(
    script: Script, measure: Callable[[RTCDataChannel], Awaitable[RoundTrips | Throughput]]
) -> RoundTrips | Throughput:
    """Measure while the other end follows a script."""
    channel, other = channel_pair(1000)
    with ungrouped_errors():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(script, other)
            result = await measure(channel)
            nursery.cancel_scope.cancel()
    return result


async def test_figures_of_round_trips() -> None:
    assert RoundTrips([0.3, 0.1, 0.2]).median == 0.2
    assert RoundTrips([0.3]).p99 == 0.3
    times = RoundTrips([number / 1000 for number in range(200)])
    assert times.p99 == 0.198


async def test_throughput_in_megabits_per_second() -> None:
    assert Throughput(1_000_000, 4.0).megabits_per_second == 2.0


def answer_after(*delays: float | None) -> Script:
    """Return each ping after its delay; ``None`` loses it."""

    async def script(channel: ScriptedChannel) -> None:
        for delay in delays:
            message = await channel.receive()
            if delay is not None:
                await trio.sleep(delay)
                await channel.send(message)

    return script


async def test_round_trips_are_measured_one_at_a_time() -> None:
    result = await beside(answer_after(0.1, 0.2, 0.3), lambda channel: measure_round_trips(channel, 3))
    assert isinstance(result, RoundTrips)
    assert result.times == pytest.approx([0.1, 0.2, 0.3])


async def test_late_and_lost_answers_are_not_those_of_later_pings() -> None:
    script = answer_after(PING_TIMEOUT + 0.25, 0.125, None, 0.5)
    result = await beside(script, lambda channel: measure_round_trips(channel, 4))
    assert isinstance(result, RoundTrips)
    # The second ping waits a quarter of a second for the answer to the first.
    assert result.times == pytest.approx([0.375, 0.5])


async def test_without_any_answer_the_measurement_stops_early() -> None:
    begun = trio.current_time()
    with pytest.raises(ProtocolError, match="no ping was answered"):
        await beside(answer_after(*[None] * 300), lambda channel: measure_round_trips(channel, 300))
    assert trio.current_time() - begun == pytest.approx(UNANSWERED_PINGS * PING_TIMEOUT)


def download(*pieces: int, stated: int | None, seconds: float = 0.5) -> Script:
    """Answer a request with pieces of data, and with the number of bytes sent unless that is ``None``."""

    async def script(channel: ScriptedChannel) -> None:
        assert json.loads(await channel.receive()) == {"download": 2.0}
        for size in pieces:
            await trio.sleep(seconds)
            await channel.send(bytes(size))
        if stated is not None:
            await channel.send(json.dumps({"sent": stated}))

    return script


async def test_received_bytes_are_counted_until_the_last_arrival() -> None:
    progress: list[int] = []
    result = await beside(
        download(1000, 0, 3000, stated=4000), lambda channel: measure_receiving(channel, 2.0, progress.append)
    )
    assert result == Throughput(4000, 1.5)
    assert progress == [1000, 1000, 4000]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (download(1000, stated=2000), "received 1000 of 2000 bytes"),
        (download(1000, stated=999), "received 1000 of 999 bytes"),
        (download(stated=0), "not a single byte"),
        (download(1000, stated=None), f"no answer within {2 + ANSWER_TIMEOUT:.0f} s"),
    ],
)
async def test_an_incomplete_download_is_an_error(script: Script, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        await beside(script, lambda channel: measure_receiving(channel, 2.0, lambda received: None))


def upload(*, lost: int = 0, answers: bool = True) -> Script:
    """Receive slowly, and answer with the number of bytes received but for those lost."""

    async def script(channel: ScriptedChannel) -> None:
        received = 0
        while True:
            message = await channel.receive()
            await trio.sleep(0.01)
            if isinstance(message, str):
                break
            received += len(message)
        if answers:
            assert json.loads(message) == {"upload": received}
            await channel.send(json.dumps({"received": received - lost}))

    return script


async def test_sending_is_measured_until_the_peer_has_received_everything() -> None:
    progress: list[int] = []
    result = await beside(upload(), lambda channel: measure_sending(channel, 2.0, progress.append))
    assert isinstance(result, Throughput)
    assert result.transferred == progress[-1] > 0
    # About a thousand messages are in the queue when sending ends.
    assert result.seconds == pytest.approx(0.01 * (len(progress) + 1), abs=0.02)
    assert result.seconds > 10


@pytest.mark.parametrize(
    ("script", "reason"),
    [(upload(lost=1), r"peer received \d+ of \d+ bytes"), (upload(answers=False), "no answer within 22 s")],
)
async def test_an_incomplete_upload_is_an_error(script: Script, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        await beside(script, lambda channel: measure_sending(channel, 2.0, lambda sent: None))
