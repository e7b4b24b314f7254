"""Whether the benchmark of many connections tells flat from growing."""

import attrs

from benchmarks.churn import SNAPSHOTS, Snapshot, faults_between, faults_while, growth

MIB = 1 << 20


def snapshots(**growing: float) -> list[Snapshot]:
    """Return snapshots of which some values grow by a part from one to the next."""
    flat = Snapshot(0, memory=60 * MIB, descriptors=1000, tasks=100, objects=70_000)
    return [
        attrs.evolve(
            flat,
            connections=number,
            **{name: round(getattr(flat, name) * (1 + part * number)) for name, part in growing.items()},
        )
        for number in range(SNAPSHOTS)
    ]


def test_flat_is_flat() -> None:
    assert faults_between(snapshots()) == []
    assert faults_while(snapshots()) == []


def test_what_grows_is_told() -> None:
    assert growth([100 + number for number in range(SNAPSHOTS)]) > 0.08
    assert faults_while(snapshots(memory=0.01)) == ["memory have grown by 9.3 %"]
    assert faults_while(snapshots(descriptors=0.01)) == ["descriptors have grown by 9.3 %"]
    assert faults_while(snapshots(memory=0.001)) == []


def test_between_connections_nothing_may_stay_open() -> None:
    one_more = snapshots()
    one_more[-1] = attrs.evolve(one_more[-1], tasks=101)
    assert faults_between(one_more) == ["tasks vary between connections: [100, 101]"]


def test_what_grows_only_in_the_beginning_is_flat() -> None:
    warm = [attrs.evolve(each, memory=80 * MIB) for each in snapshots()]
    warm[0] = attrs.evolve(warm[0], memory=50 * MIB)
    assert faults_while(warm) == []
