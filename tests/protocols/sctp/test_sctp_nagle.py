"""Nagle's algorithm."""

import math

from trio_rtc.protocols.sctp.tx.nagle import Nagle


def test_nagle_rule() -> None:
    nagle = Nagle(delay=0.5, batch_size=1000)
    assert nagle.release_time(1) == -math.inf
    nagle.record_sent(10.0)
    assert nagle.release_time(999) == 10.5
    assert nagle.release_time(1000) == -math.inf
    nagle.received = True
    assert nagle.release_time(1) == -math.inf
