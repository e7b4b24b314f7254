"""A receive-only session measures the round-trip time as well (RFC 3611 sections 4.4 and 4.5)."""

import pytest

from tests.strategies.rtp_pair import Pair, video_section


@pytest.mark.parametrize("delay", [0.005, 0.08, 0.4])
def test_a_receive_only_session_measures_the_round_trip_time(delay: float) -> None:
    pair = Pair(delay=delay)
    pair.negotiate(video_section())
    pair.run(12, video=15)
    (stream,) = pair.bob.session.receiver.streams
    assert stream.round_trips.measurements >= 2
    assert stream.round_trips.last == pytest.approx(2 * delay, abs=0.02)
