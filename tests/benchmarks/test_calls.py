"""The pure parts of the benchmark of calls: networks, candidates, figures, table, command line."""

import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from benchmarks.calls.__main__ import chosen_rows, make_parser
from benchmarks.calls.call import PAIRS
from benchmarks.calls.candidates import address_of, through_relay
from benchmarks.calls.comparison import compare, describe, read_results
from benchmarks.calls.figures import Bulk, Figures, Moment, Recording, figures_of, find_freezes, longest_gap
from benchmarks.calls.network import NETWORKS, Direction, NetworkModel, make_directions
from benchmarks.calls.relay import can_be_lost, is_rtp
from benchmarks.calls.scene import Scene, write_scene
from benchmarks.calls.table import make_table, medians, to_json


def direction(**model: Any) -> Direction:
    made = Direction(NetworkModel(**model), random.Random(1))
    made.begin(100.0)
    return made


# -- the network --


def test_packets_only_wait_for_the_delay_without_a_bottleneck() -> None:
    path = direction(delay=0.025)
    assert [path.enter(1200, at) for at in (100.0, 100.001)] == pytest.approx([100.025, 100.026])


def test_a_bottleneck_transmits_one_packet_after_the_other() -> None:
    path = direction(delay=0.02, rates=[(0, 1e6)])
    # 1,250 bytes take 10 ms.
    assert [path.enter(1250, 100.0) for _ in range(3)] == pytest.approx([100.03, 100.04, 100.05])
    assert path.wait(100.01) == pytest.approx(0.02)
    assert path.wait(101.0) == 0


def test_a_full_queue_drops_the_packet_that_comes() -> None:
    path = direction(rates=[(0, 1e6)], queue=0.105)
    out = [path.enter(1250, 100.0) for _ in range(20)]
    assert [due is None for due in out] == [False] * 11 + [True] * 9
    assert path.enter(1250, 100.02) == pytest.approx(100.12)


def test_a_change_of_the_rate_holds_for_queued_packets() -> None:
    path = direction(rates=[(0, 1e6), (1, 0.1e6), (2, 1e6)], queue=9)
    # Half of it leaves in 5 ms, the other half takes ten times as long.
    assert path.enter(1250, 100.995) == pytest.approx(101.05)
    assert path.enter(11_875, 101.05) == pytest.approx(102.0)
    assert path.enter(1250, 102.0) == pytest.approx(102.01)


def test_before_the_call_begins_the_first_rate_holds() -> None:
    path = Direction(NetworkModel(rates=[(0, 1e6), (1, 0.1e6)]), random.Random(1))
    assert path.enter(1250, 500.0) == pytest.approx(500.01)


def test_jitter_changes_the_delay_and_not_the_order() -> None:
    path = direction(delay=0.02, jitter=0.03)
    moments = [100 + number / 1000 for number in range(5000)]
    out = [due for at in moments if (due := path.enter(100, at)) is not None]
    delays = [due - at for at, due in zip(moments, out, strict=True)]
    assert out == sorted(out)
    assert min(delays) >= 0.02
    assert max(delays) <= 0.0501
    assert max(delays) - min(delays) > 0.02


def test_jitter_does_not_depend_on_how_many_packets_there_are() -> None:
    few, many = direction(jitter=0.03), direction(jitter=0.03)
    for number in range(999):
        many.enter(100, 100 + number / 1000)
    assert few.enter(100, 100.999) == many.enter(100, 100.999)


def test_loss_comes_from_the_seed() -> None:
    def losses(seed: int) -> list[bool]:
        forward, _ = make_directions(NETWORKS["loss10"], seed)
        return [forward.loses() for _ in range(2000)]

    assert losses(1) == losses(1) != losses(2)
    assert 150 < sum(losses(1)) < 250


def test_a_network_without_loss_loses_nothing() -> None:
    forward, backward = make_directions(NETWORKS["clean"], 1)
    assert not any(each.loses() for each in (forward, backward) for _ in range(100))


@pytest.mark.parametrize(
    ("datagram", "lost", "rtp"),
    [
        (bytes([0, 1]), False, False),  # STUN
        (bytes([22, 254]), False, False),  # a DTLS handshake
        (bytes([23, 254]), True, False),  # data
        (bytes([0x2E, 0]), True, False),  # an encrypted record of DTLS 1.3
        (bytes([128, 200]), True, False),  # RTCP
        (bytes([144, 96]), True, True),
        (b"", False, False),
    ],
)
def test_the_relay_classifies_datagrams(datagram: bytes, lost: bool, rtp: bool) -> None:
    assert (can_be_lost(datagram), is_rtp(datagram)) == (lost, rtp)


# -- candidates --

SDP = "\r\n".join(
    [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=candidate:1 1 udp 2113937151 fd66::1 40000 typ host generation 0",
        "a=candidate:2 1 udp 2113937150 10.66.0.1 40001 typ host generation 0",
        "a=candidate:3 1 tcp 1518280447 10.66.0.1 9 typ host tcptype active",
        "a=candidate:4 1 UDP 2113937149 10.66.0.2 40002 typ host",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=candidate:2 1 udp 2113937150 10.66.0.1 40001 typ host generation 0",
        "a=end-of-candidates",
        "",
    ]
)


def test_the_relay_takes_the_place_of_all_candidates() -> None:
    relayed = "a=candidate:1 1 udp 2130706431 10.66.0.1 7 typ host"
    assert address_of(SDP) == ("10.66.0.1", 40001)
    assert through_relay(SDP, 7).split("\r\n") == [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        relayed,
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        relayed,
        "a=end-of-candidates",
        "",
    ]


def test_a_description_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        through_relay("v=0\r\n", 7)


# -- the scene --


def test_the_scene_is_the_same_each_time_and_moves(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "other")]
    for path in paths:
        write_scene(path, 64, 48)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    scene = Scene.open(paths[0])
    assert (scene.width, scene.height) == (64, 48)
    assert scene.planes(0) != scene.planes(1)
    assert scene.planes(0) == scene.planes(120)
    frame = scene.frame(2)
    assert frame.pts == 6000
    assert bytes(frame.planes[0])[:64] == scene.planes(2)[:64]
    assert len(set(scene.planes(0)[: 64 * 48])) > 50


# -- figures --


def stats(at: float, **video: Any) -> list[dict[str, Any]]:
    return [
        {"type": "transport"},
        {"type": "inbound-rtp", "kind": "video", **video},
        {
            "type": "inbound-rtp",
            "kind": "audio",
            "totalSamplesReceived": 48_000 * at,
            "concealedSamples": 480 * at,
        },
    ]


def recording(arrivals: Sequence[float], **more: Any) -> Recording:
    moments = [
        Moment(
            at,
            stats(
                at,
                freezeCount=3,
                totalFreezesDuration=1.5,
                jitterBufferDelay=0.3 * at,
                jitterBufferMinimumDelay=0.18 * at,
                jitterBufferEmittedCount=30 * at,
                qpSum=0 if at < 5 else 600 * (at - 5),
                framesDecoded=30 * at,
                frameHeight=360,
            ),
            [],
        )
        for at in range(11)
    ]
    side = {
        "waits": [(0.5, 9.0), *((2 + number / 100, number / 1000) for number in range(100))],
        "data_bytes_of_second": {"6": 125_000},
        "media_bytes_of_second": {"0": 10**9, **{str(second): 125_000 for second in range(2, 10)}},
    }
    return Recording(moments, arrivals, {"sides": [side], "lateness": 0.004}, busy=0.7, **more)


def test_figures_of_a_call() -> None:
    arrivals = [number / 30 + 0.1 for number in range(290) if not 100 <= number < 115]
    assert attrs.asdict(figures_of(recording(arrivals))) == pytest.approx(
        {
            "freezes": 3,
            "freeze_seconds": 1.5,
            "longest_gap": 16 / 30,
            "frames_per_second": len([at for at in arrivals if at >= 2]) / 8,
            "jitter_buffer": 10,
            "jitter_buffer_minimum": 6,
            "jitter_buffer_after": None,
            "qp": 20,
            "height": 360,
            "concealed": 1,
            "kilobits": 1000,
            "kilobits_beside": None,
            "bulk_kilobits": None,
            "first_frame": 100,
            "queueing": 50,
            "queueing_95": 95,
            "busy": 70,
            "lateness": 4,
        }
    )


def test_freezes_are_counted_by_the_frames_where_the_receiver_does_not_count_them() -> None:
    arrivals = [number / 30 for number in range(290) if not 100 <= number < 115]
    figures = figures_of(recording(arrivals, counts_freezes=False))
    assert figures.freezes == 1
    assert figures.freeze_seconds == pytest.approx(16 / 30)


def test_the_media_bitrate_beside_a_bulk_transfer_is_reported() -> None:
    figures = figures_of(recording([0.1], bulk=Bulk(4.0, 7.0)))
    assert figures.jitter_buffer_after == pytest.approx(10)
    assert figures.kilobits_beside == pytest.approx(1000)
    assert figures.bulk_kilobits == pytest.approx(1000)


def test_a_call_without_a_frame_has_one_gap() -> None:
    assert longest_gap([], 10.0) == 10.0
    assert figures_of(recording([])).frames_per_second == 0


@pytest.mark.parametrize(("gap", "frozen"), [(0.18, False), (0.19, True)])
def test_a_freeze_is_150_ms_more_than_the_average(gap: float, frozen: bool) -> None:
    arrivals = [number / 30 for number in range(60)]
    assert bool(find_freezes([*arrivals, arrivals[-1] + gap])) == frozen


def test_a_freeze_is_three_times_the_average_of_slow_video() -> None:
    arrivals = [number / 5 for number in range(60)]
    assert find_freezes([*arrivals, arrivals[-1] + 0.59]) == []
    assert find_freezes([*arrivals, arrivals[-1] + 0.61]) == pytest.approx([0.61])


# -- table and command line --


def test_the_table_shows_medians_and_leaves_out_empty_columns() -> None:
    arrivals = [number / 30 for number in range(300)]
    one = figures_of(recording(arrivals))
    other = figures_of(recording(arrivals[60:]))
    results = {("clean", "chromium", "aiortc"): [one, other, one]}
    assert medians([one, other, one])["first_frame"] == 0
    header, separator, row = make_table(results).splitlines()
    assert "after bulk" not in header
    assert len(header.split("|")) == len(separator.split("|")) == len(row.split("|"))
    assert row.startswith("| clean | chromium → aiortc | 3 | 1.5 | 0.03 |")


def test_rows_are_chosen_by_patterns() -> None:
    assert len(chosen_rows(None)) == len(NETWORKS) * len(PAIRS)
    assert chosen_rows(["trio_rtc/chromium/loss2"]) == [("loss2", "trio_rtc", "chromium")]
    assert chosen_rows(["*/trio_rtc/*"]) == [(network, "chromium", "trio_rtc") for network in NETWORKS]


def test_a_choice_that_fits_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="fits no row"):
        chosen_rows(["trio_rtc/aiortc/clean"])


def test_the_help_names_every_network() -> None:
    text = io.StringIO()
    make_parser().print_help(text)
    assert all(name in text.getvalue() for name in NETWORKS)


# -- the comparison --


def call(**changes: float | None) -> Figures:
    """Return the figures of a call, the same but for the changes."""
    values: dict[str, Any] = dict.fromkeys(attrs.fields_dict(Figures), 1.0)
    return Figures(**{**values, **changes})


OURS, THEIRS = ("loss2", "trio_rtc", "chromium"), ("loss2", "wrtc", "chromium")


def test_calls_that_overlap_are_not_different() -> None:
    results = {OURS: [call(qp=11), call(qp=14)], THEIRS: [call(qp=10), call(qp=12)]}
    assert compare(results, "trio_rtc", "wrtc") == []


def test_calls_that_are_separated_are_different() -> None:
    results = {
        OURS: [call(qp=13, longest_gap=0.1), call(qp=14, longest_gap=0.2)],
        THEIRS: [call(qp=10, longest_gap=0.3), call(qp=12, longest_gap=0.3)],
    }
    differences = compare(results, "trio_rtc", "wrtc")
    assert [(each.figure, each.is_worse) for each in differences] == [("longest_gap", False), ("qp", True)]
    assert differences[1].values == (13.5, 11)
    assert describe(differences, "trio_rtc", "wrtc").splitlines() == [
        "trio_rtc is worse than wrtc in 1 figures",
        "  loss2, to chromium: qp 13.5 to 11",
        "trio_rtc is better than wrtc in 1 figures",
        "  loss2, to chromium: longest_gap 0.15 to 0.3",
    ]


def test_more_frames_and_media_are_better() -> None:
    from_chromium = ("bulk", "chromium", "trio_rtc"), ("bulk", "chromium", "wrtc")
    results = {
        from_chromium[0]: [call(frames_per_second=30, kilobits_beside=700)],
        from_chromium[1]: [call(frames_per_second=29, kilobits_beside=900)],
    }
    differences = compare(results, "trio_rtc", "wrtc")
    worse = {each.figure: each.is_worse for each in differences}
    assert worse == {"frames_per_second": False, "kilobits_beside": True}
    assert not any(each.to_chromium for each in differences)


def test_differences_below_the_last_digit_and_missing_figures_do_not_count() -> None:
    results = {OURS: [call(qp=11.6, concealed=None)], THEIRS: [call(qp=11.0, concealed=3.0)]}
    assert compare(results, "trio_rtc", "wrtc") == []


def test_rows_that_the_other_library_lacks_are_not_compared() -> None:
    assert compare({OURS: [call(qp=50)]}, "trio_rtc", "wrtc") == []


def test_results_are_read_as_they_were_written() -> None:
    results = {OURS: [call(qp=11), call(qp=None)]}
    assert read_results(to_json(results)) == results
