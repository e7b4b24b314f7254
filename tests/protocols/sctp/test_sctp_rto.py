"""The retransmission timeout (RFC 9260 section 6.3.1)."""

import pytest

from trio_rtc.protocols.sctp.tx.rto import RetransmissionTimeout


def test_the_rto_follows_the_round_trips() -> None:
    timeout = RetransmissionTimeout(1.0, 0.2, 10.0, 0.22)
    timeout.update(0.1)
    assert timeout.value == pytest.approx(0.32), "the peer's delayed acknowledgement has its place"
    timeout.update(1.1)
    assert timeout.smoothed == pytest.approx(0.225)
    assert timeout.value == pytest.approx(0.225 + 4 * (0.05 + (1.0 - 0.05) / 4))
    for _ in range(10):
        timeout.back_off()
    assert timeout.value == 10.0
    timeout.reset_back_off()
    assert timeout.value < 2.0
    low = RetransmissionTimeout(1.0, 0.2, 10.0, 0.0)
    for _ in range(50):
        low.update(0.001)
    assert low.value == 0.2
