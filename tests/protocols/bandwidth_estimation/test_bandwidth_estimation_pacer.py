import math

import attrs
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    Pacer,
    PacketKind,
    ProbeCluster,
    ProbePurpose,
)

OPTIONS = BandwidthEstimationOptions(pacing_factor=1.0, start_bitrate=960_000.0)
# 1200 bytes take 10 ms at 960 kbit/s.


def filled(count: int = 5, kind: PacketKind = PacketKind.VIDEO) -> Pacer[int]:
    pacer: Pacer[int] = Pacer(OPTIONS)
    for number in range(count):
        assert pacer.enqueue(number, 1200, kind, 0.0)
    return pacer


def drain(pacer: Pacer[int], now: float, until: float) -> list[tuple[float, int]]:
    taken: list[tuple[float, int]] = []
    while (due := pacer.next_timer()) <= until:
        now = max(now, due)
        taken.extend((now, item) for item in pacer.take_due(now))
        assert pacer.next_timer() > now
    return taken


def cluster(bitrate: float, packets: int = 5, size: int = 6000, number: int = 3) -> ProbeCluster:
    return ProbeCluster(number, bitrate, packets, size, 1.0, ProbePurpose.START)


def test_packets_leave_at_the_rate() -> None:
    taken = drain(filled(5), 0.0, 1.0)
    assert [item for _, item in taken] == [0, 1, 2, 3, 4]
    assert [round(time, 6) for time, _ in taken] == [0.0, 0.01, 0.02, 0.03, 0.04]


def test_small_packets_leave_in_bursts_of_five_milliseconds() -> None:
    pacer: Pacer[int] = Pacer(OPTIONS)
    for number in range(20):
        pacer.enqueue(number, 120, PacketKind.VIDEO, 0.0)
    assert len(pacer.take_due(0.0)) == 5
    assert math.isclose(pacer.next_timer(), 0.005)
    assert pacer.take_due(0.004) == []


def test_where_the_path_has_room_a_frame_leaves_at_once() -> None:
    pacer = filled(10)
    pacer.set_bitrate(960_000.0, 0.0, path_limited=False)
    # 40 ms at the rate; after that a packet as soon as its step is paid off.
    assert pacer.take_due(0.0) == [0, 1, 2, 3]
    assert [round(time, 6) for time, _ in drain(pacer, 0.0, 1.0)] == [
        0.005,
        0.015,
        0.025,
        0.035,
        0.045,
        0.055,
    ]


def test_where_the_path_has_room_a_retransmission_does_not_wait_for_the_frame_before_it() -> None:
    pacer = filled(2)
    pacer.set_bitrate(960_000.0, 0.0, path_limited=False)
    assert pacer.take_due(0.0) == [0, 1]
    pacer.enqueue(99, 1200, PacketKind.RETRANSMISSION, 0.001)
    assert pacer.next_timer() <= 0.001
    assert pacer.take_due(0.001) == [99]


def test_where_the_path_has_room_a_probe_does_not_wait_until_all_has_been_paid_off() -> None:
    """A pacer that always has something to send was never paid off: the estimate stayed where it was."""
    pacer = filled(10)
    pacer.set_bitrate(960_000.0, 0.0, path_limited=False)
    assert pacer.take_due(0.0) == [0, 1, 2, 3]
    pacer.add_probe(cluster(9_600_000.0))
    assert math.isclose(pacer.next_timer(), 0.005)
    assert pacer.take_due(0.005)
    assert pacer.probe_cluster is not None


def test_where_the_path_has_room_nothing_follows_on_a_probe_at_once() -> None:
    pacer = filled(10)
    pacer.set_bitrate(960_000.0, 0.0, path_limited=False)
    pacer.add_probe(cluster(9_600_000.0))
    now = 0.0
    while pacer.take_due(now) and pacer.probe_cluster is not None:
        assert pacer.next_timer() > now
        now = pacer.next_timer()
    assert pacer.packets
    assert pacer.next_timer() > now


def test_where_the_path_limits_the_target_packets_are_spread() -> None:
    pacer = filled(10)
    pacer.set_bitrate(960_000.0, 0.0, path_limited=False)
    pacer.set_bitrate(960_000.0, 0.0, path_limited=True)
    assert pacer.take_due(0.0) == [0]
    assert math.isclose(pacer.next_timer(), 0.01)


def test_a_late_timer_sends_what_was_due() -> None:
    pacer = filled(20)
    assert pacer.take_due(0.0) == [0]
    assert pacer.take_due(0.052) == [1, 2, 3, 4, 5]
    assert math.isclose(pacer.next_timer(), 0.06)


def test_a_very_late_timer_compensates_for_a_limited_time() -> None:
    pacer: Pacer[int] = Pacer(attrs.evolve(OPTIONS, pacer_queue_time=100.0, pacing_catch_up=0.1))
    for number in range(100):
        pacer.enqueue(number, 1200, PacketKind.VIDEO, 0.0)
    assert len(pacer.take_due(5.0)) == 11
    assert math.isclose(pacer.next_timer(), 5.01)


def test_an_empty_queue_accumulates_no_credit() -> None:
    pacer = filled(1)
    pacer.take_due(0.0)
    for number in range(3):
        pacer.enqueue(number, 1200, PacketKind.VIDEO, 5.0)
    assert pacer.take_due(5.0) == [0]


def test_priority_decides_within_the_queue() -> None:
    pacer: Pacer[str] = Pacer(OPTIONS)
    for kind in reversed(PacketKind):
        pacer.enqueue(kind.name, 1200, kind, 0.0)
    taken: list[str] = []
    now = 0.0
    while (due := pacer.next_timer()) < math.inf:
        now = max(now, due)
        taken += pacer.take_due(now)
    assert taken == ["AUDIO", "RETRANSMISSION", "VIDEO", "PADDING"]


def test_audio_does_not_wait_but_is_paid_for() -> None:
    pacer = filled(2)
    assert pacer.take_due(0.0) == [0]
    pacer.enqueue(99, 1200, PacketKind.AUDIO, 0.001)
    assert pacer.next_timer() <= 0.001
    assert pacer.take_due(0.001) == [99]
    assert math.isclose(pacer.next_timer(), 0.02)


def test_much_audio_does_not_starve_video() -> None:
    pacer = filled(2)
    for number in range(1000):
        pacer.enqueue(100 + number, 1200, PacketKind.AUDIO, 0.0)
    assert len(pacer.take_due(0.0)) == 1000
    assert pacer.next_timer() <= 0.25
    assert pacer.take_due(0.25)


def test_a_full_queue_drops_padding_then_refuses() -> None:
    pacer: Pacer[int] = Pacer(BandwidthEstimationOptions(pacer_max_packets=3))
    pacer.enqueue(0, 100, PacketKind.PADDING, 0.0)
    pacer.enqueue(1, 100, PacketKind.VIDEO, 0.0)
    pacer.enqueue(2, 100, PacketKind.VIDEO, 0.0)
    assert not pacer.enqueue(3, 100, PacketKind.PADDING, 0.0)
    assert pacer.enqueue(4, 100, PacketKind.VIDEO, 0.0)
    assert not pacer.enqueue(5, 100, PacketKind.AUDIO, 0.0)
    assert (pacer.packets, pacer.bytes, pacer.refused, pacer.padding_dropped) == (3, 300, 2, 1)


def test_bytes_are_bounded_as_well() -> None:
    pacer: Pacer[int] = Pacer(BandwidthEstimationOptions(pacer_max_bytes=2000))
    assert pacer.enqueue(0, 1200, PacketKind.VIDEO, 0.0)
    assert not pacer.enqueue(1, 1200, PacketKind.VIDEO, 0.0)


def test_an_old_queue_is_drained_faster() -> None:
    count = 100  # a second at the rate
    taken = drain(filled(count), 0.0, 2.0)
    assert len(taken) == count
    young = [item for time, item in taken if time <= 0.25]
    assert 25 <= len(young) <= 27
    # The rest leaves at what empties the queue in a quarter of a second, less the emptier it is.
    assert taken[-1][0] < 0.9


def test_a_new_rate_changes_the_departure_time() -> None:
    pacer = filled(3)
    pacer.take_due(0.0)
    pacer.set_bitrate(2 * 960_000.0, 0.0)
    assert math.isclose(pacer.next_timer(), 0.005)


def test_clearing_a_kind() -> None:
    pacer = filled(3)
    assert pacer.clear(PacketKind.VIDEO) == 3
    assert (pacer.packets, pacer.bytes, pacer.next_timer()) == (0, 0, math.inf)


def test_a_probe_leaves_at_its_own_rate_with_its_cluster() -> None:
    pacer = filled(8)
    pacer.add_probe(cluster(9_600_000.0))
    taken: list[tuple[float, int | None]] = []
    now = 0.0
    while pacer.packets:
        now = max(now, pacer.next_timer())
        taken += [(now, pacer.probe_cluster) for _ in pacer.take_due(now)]
    probing = [time for time, number in taken if number == 3]
    assert len(probing) == 5
    assert math.isclose(probing[-1] - probing[0], 0.004)
    assert [number for _, number in taken[5:]] == [None] * 3


def test_audio_leaves_with_the_last_packet_of_a_probe() -> None:
    pacer = filled(5)
    pacer.add_probe(cluster(9_600_000.0, size=4800))
    now = 0.0
    for _ in range(4):
        assert pacer.take_due(now)
        now = pacer.next_timer()
    pacer.enqueue(10, 100, PacketKind.AUDIO, now)
    pacer.enqueue(11, 100, PacketKind.AUDIO, now)
    assert pacer.take_due(now) == [10, 11]
    assert pacer.next_timer() > now


def test_a_probe_requests_padding_when_nothing_waits() -> None:
    pacer: Pacer[int] = Pacer(OPTIONS)
    pacer.add_probe(cluster(4_800_000.0))
    sent = 0
    now = 0.0
    while pacer.next_timer() < math.inf:
        now = max(now, pacer.next_timer())
        sent += len(pacer.take_due(now))
        if pacer.padding_needed(now):
            pacer.enqueue(0, 1200, PacketKind.PADDING, now)
            sent += len(pacer.take_due(now))
        assert pacer.next_timer() > now
    assert sent == 5
    assert now < 0.02


def test_a_probe_without_padding_ends_by_itself() -> None:
    pacer: Pacer[int] = Pacer(OPTIONS)
    pacer.add_probe(cluster(4_800_000.0))
    now = 0.0
    steps = 0
    while pacer.next_timer() < math.inf:
        now = max(now, pacer.next_timer())
        assert pacer.take_due(now) == []
        pacer.padding_needed(now)
        assert pacer.next_timer() > now
        steps += 1
    assert now < 0.6
    assert steps < 300


def test_no_more_padding_is_requested_than_the_probe_lacks() -> None:
    pacer: Pacer[int] = Pacer(OPTIONS)
    pacer.add_probe(ProbeCluster(1, 1e9, 5, 10_000, 1.0, ProbePurpose.START))
    assert pacer.padding_needed(0.0) == 10_000
    for number in range(4):
        pacer.enqueue(number, 1200, PacketKind.PADDING, 0.0)
    assert pacer.take_due(0.0)
    now = 0.0
    while pacer.packets:
        now = max(now, pacer.next_timer())
        pacer.take_due(now)
    assert pacer.padding_needed(now + 0.002) == 10_000 - 4 * 1200


def test_an_expired_probe_is_not_started() -> None:
    pacer = filled(1)
    pacer.add_probe(cluster(4_800_000.0))
    assert pacer.take_due(2.0) == [0]
    assert pacer.probe_cluster is None


def test_retransmissions_get_no_more_than_their_part_of_the_target() -> None:
    """A link whose rate has collapsed may have dropped many times its current capacity."""
    pacer: Pacer[int] = Pacer(OPTIONS)
    pacer.set_bitrate(400_000.0, 0.0)
    now, entered = 0.0, 0
    while now < 2.0:
        entered += pacer.enqueue(entered, 1000, PacketKind.RETRANSMISSION, now)
        pacer.take_due(now)
        now += 0.005
    # The target is 50 packets a second.
    share = 50 * OPTIONS.retransmission_share
    assert 1.8 * share <= entered <= (2 + OPTIONS.pacer_queue_time) * share + 1
    assert pacer.retransmissions_dropped >= 400 - entered


def test_retransmissions_that_waited_too_long_are_dropped() -> None:
    pacer: Pacer[str] = Pacer(OPTIONS)
    pacer.set_bitrate(4e6, 0.0)
    for kind in (PacketKind.RETRANSMISSION, PacketKind.VIDEO):
        for _ in range(20):
            assert pacer.enqueue(kind.name, 1000, kind, 0.0)
    later = OPTIONS.pacer_queue_time + 0.01
    assert set(pacer.take_due(later)) == {"VIDEO"}
    assert pacer.retransmissions_dropped == 20


_action = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(0, 1500), st.sampled_from(PacketKind)),
    st.tuples(st.just("rate"), st.floats(0, 1e9), st.booleans()),
    st.tuples(st.just("probe"), st.floats(1.0, 1e8), st.none()),
    st.tuples(st.just("wait"), st.floats(0, 1), st.none()),
)


@given(st.lists(_action, max_size=60))
def test_each_packet_leaves_once_in_time_without_spinning(
    actions: list[tuple[str, float, object]],
) -> None:
    pacer: Pacer[int] = Pacer(OPTIONS)
    now, entered, left = 0.0, 0, []
    kinds: list[PacketKind] = []
    for name, value, kind in actions:
        if name == "enqueue":
            assert isinstance(kind, PacketKind)
            if pacer.enqueue(entered, int(value), kind, now):
                kinds.append(kind)
                entered += 1
        elif name == "rate":
            pacer.set_bitrate(value, now, path_limited=bool(kind))
        elif name == "probe":
            pacer.add_probe(cluster(value))
        else:
            now += value
            left += pacer.take_due(now)
            pacer.padding_needed(now)
            left += pacer.take_due(now)
            assert pacer.next_timer() > now
    pacer.set_bitrate(1e9, now)
    for _ in range(2000):
        if not pacer.packets:
            break
        now = max(now, pacer.next_timer())
        left += pacer.take_due(now)
    # Only retransmissions may expire.
    missing = set(range(entered)) - set(left)
    assert len(left) == len(set(left)) == entered - len(missing)
    assert all(kinds[item] is PacketKind.RETRANSMISSION for item in missing)
    assert len(missing) <= pacer.retransmissions_dropped
    assert (pacer.packets, pacer.bytes) == (0, 0)
