"""Forwarded packets continue our stream, and no sequence number is used twice."""

from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.forward.forwarder import RtpForwarder


def packet(number: int, timestamp: int = 0, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(96, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, b"payload")


def test_gaps_stay_and_are_filled_once() -> None:
    rewriter = RtpForwarder(1000, 0)
    numbers = [rewriter.rewrite(packet(number), 90000, 0.0) for number in (65534, 65535, 2, 1, 2, 1, 65535)]
    assert numbers == [(1000, 0), (1001, 0), (1004, 0), (1003, 0), None, None, None]


def test_another_source_continues_the_numbers() -> None:
    rewriter = RtpForwarder(1000, 500)
    assert rewriter.rewrite(packet(7, 10_000), 90000, 0.0) == (1000, 500)
    assert rewriter.rewrite(packet(8, 13_000), 90000, 0.1) == (1001, 3500)
    assert rewriter.rewrite(packet(40_000, 99, ssrc=2), 90000, 0.2) == (1002, 12_500)
    # A packet of the old source is a switch again.
    assert rewriter.rewrite(packet(9, 16_000), 90000, 0.3) == (1003, 21_500)


def test_packets_from_before_the_switch_are_dropped() -> None:
    rewriter = RtpForwarder(1000, 0)
    assert rewriter.rewrite(packet(100), 90000, 0.0) == (1000, 0)
    assert rewriter.rewrite(packet(99), 90000, 0.0) is None


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 0xFFFF) | st.integers(0, 40)), max_size=200))
@example([(1, 0), (1, 0)])
@example([(1, 0), (1, 600), (1, 90), (1, 600)])
def test_no_number_is_used_twice(arrivals: list[tuple[int, int]]) -> None:
    rewriter = RtpForwarder(1, 0)
    given_out = set()
    for ssrc, number in arrivals:
        place = rewriter.rewrite(packet(number, number * 10, ssrc), 90000, 0.0)
        if place is not None:
            assert place[0] not in given_out
            given_out.add(place[0])
