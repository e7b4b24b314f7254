"""The benchmark of hostile input: its inputs are valid, and broken bounds are reported."""

from collections.abc import Callable

import pytest

from benchmarks.hostile.cases import CASES
from benchmarks.hostile.measure import Case, Cost, Result, Source, measure
from benchmarks.hostile.table import make_markdown, make_text
from tests.fuzzing.targets import TARGETS

COVERED = {
    "stun": "STUN",
    "dtls-records": "DTLS records",
    "dtls-handshake": "DTLS ClientHello",
    "sctp-packets": "SCTP",
    "dcep": "DCEP",
    "rtp": "RTP",
    "rtcp": "RTCP",
    "red": "RED",
    "ulpfec": "ULPFEC",
    "flexfec": "FlexFEC",
    "payload-vp8": "VP8",
    "payload-vp9": "VP9",
    "payload-h264": "H264",
    "payload-h265": "H265",
    "payload-av1": "AV1",
    "payload-opus": "Opus",
    "payload-telephone-event": "telephone events",
    "srtp": "SRTP",
    "sdp": "SDP apply_remote",
    "offers": "SDP create_answer",
    "candidate": "candidate",
    "mdns": "mDNS",
    "identity": "identity assertion",
    "signaling": "signaling JSON",
    "websocket-handshake": "signaling handshake response",
    "core-stun-client": "STUN response to a query",
    "core-ice-controlling": "ICE, controlling",
    "core-ice-controlled": "ICE check",
    "core-dtls-client": "DTLS ServerHello",
    "core-dtls-server": "DTLS ClientHello",
    "core-dtls-server-with-cookies": "DTLS ClientHello, cookie required",
    "core-sctp-connecting": "SCTP INIT ACK",
    "core-sctp-listening": "SCTP INIT",
    "core-data-channels": "DCEP OPEN",
    "core-turn-over-udp": "TURN Data indication",
    "core-turn-over-tcp": "TURN Data indication",
    "core-rtp-both-ways": "RTP",
    "core-mdns-resolver": "mDNS answers",
    "core-mdns-responder": "mDNS questions",
}
"""The beginning of the names of the cases that belong to each fuzz target."""


def test_every_fuzz_target_has_a_case() -> None:
    assert COVERED.keys() == TARGETS.keys()
    names = [case.name for case in CASES]
    assert [start for start in COVERED.values() if not any(name.startswith(start) for name in names)] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_input_is_valid_and_processed(case: Case) -> None:
    case.prepare(case.sizes[0] if case.unit == "bytes" else min(case.sizes[0], 64))()


def result(
    *seconds: float, factor: float = 1.0, datagrams: int = 1, lines: tuple[int, int] | None = None
) -> Result:
    case = Case("name", Source.PEER, (1,) * len(seconds), lambda size: lambda: None, datagrams=datagrams)
    return Result(case, seconds, factor, lines)


def test_broken_bounds() -> None:
    assert result(0.0009, 0.0019).is_within_bounds
    assert not result(0.0011, 0.0021).is_within_bounds
    # A machine that is half as fast has twice the time.
    assert result(0.0011, 0.0021, factor=2.0).is_within_bounds
    # Each datagram of a message may cost as much.
    assert result(0.0011, 0.0021, datagrams=2).is_within_bounds
    # Four times the time at twice the size, unless it is too short to measure.
    assert not result(0.0002, 0.0008).is_within_bounds
    assert result(0.00002, 0.00008).is_within_bounds
    # Too short to measure: the executed lines decide.
    assert result(0.00002, 0.00004, lines=(100, 220)).is_within_bounds
    assert not result(0.00002, 0.00002, lines=(100, 300)).is_within_bounds


def _repeat(count: int) -> None:
    for _ in range(count):
        pass


@pytest.mark.parametrize(("power", "is_linear"), [(1, True), (2, False)])
def test_the_growth_of_a_short_case_is_counted_in_lines(power: int, is_linear: bool) -> None:
    case = Case("name", Source.DESCRIPTION, (20, 40), lambda size: lambda: _repeat(size**power))
    measured = measure(case)
    assert measured.share < 0.1
    assert measured.is_linear is measured.is_within_bounds is is_linear
    assert measured.growth == pytest.approx(2**power, rel=0.1)


def test_a_case_may_measure_a_part_of_its_call() -> None:
    def prepare(size: int) -> Cost:
        _repeat(1000)
        started = Cost.until_now()
        _repeat(size)
        return Cost.until_now() - started

    measured = measure(Case("name", Source.DESCRIPTION, (20, 40), lambda size: lambda: prepare(size)))
    assert measured.lines is not None
    assert measured.lines[1] - measured.lines[0] == 40


def test_the_tables_begin_with_the_worst() -> None:
    results = [result(0.001, 0.0005, factor=2.0), result(0.001, 0.002), result(0.0001, lines=(100, 190))]
    assert [row.split()[-1] for row in make_text(results)] == ["bound", "100%", "25%", "5%"]
    assert "x1.90L" in make_text(results)[-1]
    assert make_markdown(results, 2) == [
        "| input | largest | from | CPU | bound | of the bound |",
        "|---|--:|---|--:|--:|--:|",
        "| name | 1 items | peer | 2.00 ms | 2 ms | 100 % |",
        "| name | 1 items | peer | 0.50 ms | 2 ms | 25 % |",
    ]


@pytest.mark.parametrize(("slow", "is_within_bounds"), [(0, True), (2, True), (3, False)])
def test_a_bound_is_broken_if_all_measurements_break_it(slow: int, is_within_bounds: bool) -> None:
    machine_is_slow = iter([True] * slow + [False] * 3)

    def prepare(size: int) -> Callable[[], Cost]:
        cost = Cost(1000.0 if next(machine_is_slow) else 1e-4, 1)
        return lambda: cost

    case = Case("name", Source.PEER, (1,), prepare)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "benchmarks.hostile.measure._measure_size", lambda case, size: case.prepare(size)().seconds
        )
        assert measure(case).is_within_bounds is is_within_bounds
