import pytest

from trio_rtc.signaling.token_bucket import TokenBucket


def test_token_bucket_allows_a_burst_and_then_limits_the_rate() -> None:
    bucket = TokenBucket(rate=10.0, burst=3.0)
    assert [bucket.consume(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.consume(100.0) == pytest.approx(0.1)
    assert bucket.consume(100.1) == pytest.approx(0.1)
    assert bucket.consume(200.0) == 0.0
