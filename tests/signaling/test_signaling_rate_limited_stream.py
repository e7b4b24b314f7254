"""A stream that limits the rate of reading."""

import pytest
import trio
import trio.testing

from trio_rtc.signaling.rate_limited_stream import RECEIVE_SIZE, RateLimitedStream
from trio_rtc.signaling.token_bucket import TokenBucket


def limited(*, byte_rate: float, reads: float) -> tuple[trio.abc.Stream, RateLimitedStream]:
    ours, theirs = trio.testing.memory_stream_pair()
    return ours, RateLimitedStream(theirs, TokenBucket(byte_rate, byte_rate), TokenBucket(reads, reads))


@pytest.mark.parametrize(
    ("byte_rate", "reads", "seconds"), [(1e9, 1e9, 0.0), (100, 1e9, 9.0), (1e9, 1, 9.0), (100, 1, 9.0)]
)
@pytest.mark.usefixtures("autojump_clock")
async def test_the_stricter_of_both_limits_delays_the_next_read(
    byte_rate: float, reads: float, seconds: float
) -> None:
    ours, stream = limited(byte_rate=byte_rate, reads=reads)
    begun = trio.current_time()
    for index in range(11):
        await ours.send_all(bytes([index]) * 100)
        # The last read waits; received bytes are returned at once.
        assert await stream.receive_some() == bytes([index]) * 100
    assert trio.current_time() - begun == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("max_bytes", "expected"), [(None, RECEIVE_SIZE), (7, 7), (10 * RECEIVE_SIZE, RECEIVE_SIZE)]
)
@pytest.mark.usefixtures("autojump_clock")
async def test_a_read_is_bounded(max_bytes: int | None, expected: int) -> None:
    ours, stream = limited(byte_rate=1e9, reads=1e9)
    await ours.send_all(bytes(3 * RECEIVE_SIZE))
    assert len(await stream.receive_some(max_bytes)) == expected


@pytest.mark.usefixtures("autojump_clock")
async def test_sending_is_not_limited_and_closing_closes_the_transport() -> None:
    ours, stream = limited(byte_rate=1, reads=1)
    begun = trio.current_time()
    for _ in range(100):
        await stream.wait_send_all_might_not_block()
        await stream.send_all(b"x" * 100)
    await stream.aclose()
    received = 0
    while data := await ours.receive_some():
        received += len(data)
    assert received == 10_000
    assert trio.current_time() == begun
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()


@pytest.mark.usefixtures("autojump_clock")
async def test_the_end_of_the_transport_is_passed_on() -> None:
    ours, stream = limited(byte_rate=1e9, reads=1e9)
    await ours.aclose()
    assert await stream.receive_some() == b""
