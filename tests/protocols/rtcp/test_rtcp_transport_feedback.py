"""Transport-wide feedback: encoded chunks and deltas, splitting of reports, hostile counts."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtcp import TransportFeedback, encode, parse
from trio_rtc.protocols.rtcp.transport_feedback import MAX_GAP, MIN_SIZE

FIXED = "00000001 00000002"


def feedback(status_count: int, arrivals: tuple[tuple[int, int], ...]) -> TransportFeedback:
    return TransportFeedback(1, 2, 0x0102, status_count, 0x030405, 6, arrivals)


def hexadecimal(status_count: int, rest: str) -> bytes:
    body = bytes.fromhex(FIXED + f"0102 {status_count:04x} 03040506" + rest)
    return bytes([0x8F, 205, 0, len(body) // 4]) + body


VECTORS = [
    pytest.param(feedback(1, ((0, 5),)), 1, "2001 05 00", id="run-of-one-small-delta"),
    pytest.param(feedback(1, ((0, -1),)), 1, "4001 ffff", id="run-of-one-negative-delta"),
    pytest.param(feedback(1, ((0, 256),)), 1, "4001 0100", id="run-of-one-large-delta"),
    pytest.param(feedback(3, ((2, 1),)), 3, "8800 01 00", id="one-bit-vector"),
    pytest.param(feedback(3, ((0, 1), (2, 1001))), 3, "d200 01 03e8 000000", id="two-bit-vector"),
    pytest.param(feedback(8191, ()), 8191, "1fff 0000", id="longest-run"),
    pytest.param(feedback(8192, ((8191, 3),)), 8192, "1fff 2001 03 000000", id="a-gap-and-an-arrival"),
    pytest.param(
        feedback(14, tuple((n, n + 1) for n in range(0, 14, 2))),
        14,
        "aaaa 01 020202020202 000000",
        id="full-one-bit-vector",
    ),
]


@pytest.mark.parametrize(("packet", "status_count", "rest"), VECTORS)
def test_encoded_bytes(packet: TransportFeedback, status_count: int, rest: str) -> None:
    data = hexadecimal(status_count, rest)
    assert encode([packet]) == data
    assert parse(data) == [packet]


def test_run_chunk_followed_by_the_remaining_statuses() -> None:
    packet = feedback(21, tuple((number, 1) for number in range(20)))
    data = hexadecimal(21, "2014 0001 01" + "00" * 19)
    assert encode([packet]) == data
    assert parse(data) == [packet]


def test_padding_of_libwebrtc_is_removed() -> None:
    data = bytes.fromhex("afcd0005 fa17fa17 43032fa0 00990001 3de80217 20019401")
    assert parse(data) == [TransportFeedback(0xFA17FA17, 0x43032FA0, 153, 1, 0x3DE802, 23, ((0, 0x94),))]


@pytest.mark.parametrize(
    ("status_count", "rest"),
    [
        pytest.param(0, "0000 0000", id="no-status"),
        pytest.param(1, "", id="no-chunk"),
        pytest.param(8192, "1fff 0000 0000 0000", id="chunks-run-out"),
        pytest.param(1, "6001 0000", id="reserved-status-in-a-run"),
        pytest.param(1, "f000 0000", id="reserved-status-in-a-vector"),
        pytest.param(3, "2003 0000", id="small-deltas-run-out"),
        pytest.param(2, "4002 0000", id="large-deltas-run-out"),
        pytest.param(8191, "3fff 0000", id="a-long-run-without-deltas"),
        pytest.param(65535, "0000 0000", id="empty-runs"),
    ],
)
def test_malformed_feedback(status_count: int, rest: str) -> None:
    with pytest.raises(ProtocolError):
        parse(hexadecimal(status_count, rest))


def test_statuses_beyond_the_count_are_ignored() -> None:
    assert parse(hexadecimal(2, "3fff 0101")) == [feedback(2, ((0, 1), (1, 2)))]
    assert parse(hexadecimal(2, "bfff 0101")) == [feedback(2, ((0, 1), (1, 2)))]


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Draw unwrapped numbers with gaps, and times that increase and decrease."""
    number, tick = draw(st.integers(0, 200_000)), draw(st.integers(1_000_000, 100_000_000))
    drawn = []
    for gap, delta in draw(
        st.lists(
            st.tuples(
                st.sampled_from([0, 0, 0, 0, 1, 3, 30, 8000, 8191, 8192, 70_000]),
                st.one_of(st.integers(0, 40), st.integers(-600, 600), st.integers(-50_000, 50_000)),
            ),
            max_size=120,
        )
    ):
        number += 1 + gap
        tick += delta
        drawn.append((number, tick / 4000))
    return drawn


@given(arrivals(), st.integers(MIN_SIZE, 300), st.integers(0, 300))
@example([(1, 10.0), (1 + 8191 + 1, 10.1)], MIN_SIZE, 0)
def test_all_arrivals_are_reported_within_max_size(
    received: list[tuple[int, float]], max_size: int, feedback_count: int
) -> None:
    reports = TransportFeedback.build(1, 2, received, feedback_count, max_size)
    reported: list[tuple[int, float]] = []
    expected = received[0][0] if received else 0
    for index, report in enumerate(reports):
        data = encode([report])
        assert len(data) <= max_size
        assert parse(data) == [report]
        assert report.feedback_count == (feedback_count + index) & 0xFF
        base = received[len(reported)][0] - report.arrivals[0][0]
        assert report.base_sequence_number == base & 0xFFFF
        assert base == expected or base - expected > MAX_GAP
        expected = base + report.status_count
        reference = int(received[len(reported)][1] * 4000) // 256
        assert report.reference_time == reference & 0xFF_FFFF
        reported += report.arrival_times(base, reference)
    assert reported == received


def test_losses_before_the_first_arrival_are_reported() -> None:
    (report,) = TransportFeedback.build(1, 2, [(105, 1.0)], 0, 1200, begin=101)
    assert (report.base_sequence_number, report.status_count) == (101, 5)
    assert report.arrivals == ((4, 4000 % 256),)


@pytest.mark.parametrize("begin", [0, 9000, 9001])
def test_begin_too_far_before_the_first_arrival_is_ignored(begin: int) -> None:
    (report,) = TransportFeedback.build(1, 2, [(9000, 1.0)], 0, 1200, begin=begin)
    assert (report.base_sequence_number, report.status_count) == (9000, 1)


def test_first_duplicate_counts_in_any_order() -> None:
    (report,) = TransportFeedback.build(1, 2, [(8, 1.02), (7, 1.0), (8, 3.0)], 0, 1200)
    start = 4000 % 256
    assert report.arrivals == ((0, start), (1, start + 80))


def test_no_feedback_without_arrivals() -> None:
    assert TransportFeedback.build(1, 2, [], 0, 1200) == []


def test_times_do_not_drift() -> None:
    received = [(number, 5.0 + number * 0.0001) for number in range(300)]
    (report,) = TransportFeedback.build(1, 2, received, 0, 1200)
    for (_, reported), (_, time) in zip(report.arrival_times(0, 5 * 4000 // 256), received, strict=True):
        assert reported == pytest.approx(time, abs=0.000126)


def test_too_small_max_size_is_rejected() -> None:
    with pytest.raises(ValueError, match="max_size must be at least 32"):
        TransportFeedback.build(1, 2, [(1, 1.0)], 0, MIN_SIZE - 1)


def test_large_count_in_a_small_packet_is_cheap() -> None:
    data = hexadecimal(65535, "1fff" * 8 + "0007 0000")
    (packet,) = parse(data)
    assert packet == feedback(65535, ())
