"""trio_rtc.testing.run: the same seed gives the same packets in every process and run."""

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies.replayed_calls import PROGRAMS, digest_of
from trio_rtc import RTCPeerConnection, open_media_track
from trio_rtc.testing import SimulatedNetwork, run

ROOT = Path(__file__).parents[2]


def digests_in_another_process(seed: int, hash_seed: int) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.strategies.replayed_calls", str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONDONTWRITEBYTECODE": ""},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return finished.stdout.splitlines()


def test_other_processes_send_the_same_packets() -> None:
    here = [digest_of(program, 7) for program in PROGRAMS]
    for hash_seed in (1, 2):
        assert digests_in_another_process(7, hash_seed) == here


@pytest.mark.parametrize("program", PROGRAMS)
def test_run_inside_a_hypothesis_example_sends_the_same_packets(program: str) -> None:
    outside = digest_of(program, 3)

    @settings(max_examples=2, deadline=None)
    @given(st.integers())
    def inside(_: int) -> None:
        assert digest_of(program, 3) == outside

    inside()
    assert digest_of(program, 4) != outside


def test_order_of_ready_tasks_depends_on_the_seed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default trio keeps or reverses the order of ready tasks; pytest-trio changes it for all tests."""
    monkeypatch.setattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", False)

    async def run_three() -> tuple[int, ...]:
        order: list[int] = []

        async def note(number: int) -> None:
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(note, number)
        return tuple(order)

    assert {run(run_three, seed=seed) for seed in range(60)} == set(itertools.permutations(range(3)))
    assert trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING is False


def test_state_is_restored_after_a_run() -> None:
    scheduler = trio._core._run
    before = scheduler._r.getstate(), scheduler._ALLOW_DETERMINISTIC_SCHEDULING, random.getstate()
    run(trio.sleep, 1)
    with pytest.raises(ZeroDivisionError):
        run(fail)
    assert (
        scheduler._r.getstate(),
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING,
        random.getstate(),
    ) == before

    async def make_id() -> str:
        return open_media_track("audio")[1].id

    assert run(make_id) == run(make_id)
    # Only run() is deterministic.
    assert trio.run(make_id) != trio.run(make_id)


async def fail() -> None:
    await trio.lowlevel.checkpoint()
    raise ZeroDivisionError


def test_result_is_returned_and_errors_are_not_grouped() -> None:
    async def add(one: int, other: int) -> int:
        await trio.sleep(1)
        return one + other

    assert run(add, 2, 3, seed=5) == 5
    with pytest.raises(ZeroDivisionError):
        run(fail)


def test_virtual_time_is_bounded() -> None:
    with pytest.raises(
        trio.TooSlowError, match=r"sleep_forever .* has not returned after 3600 seconds of virtual time"
    ):
        run(trio.sleep_forever)
    with pytest.raises(trio.TooSlowError, match="after 5 seconds"):
        run(trio.sleep, 6, timeout=5)


def test_simulated_sockets_left_open_are_an_error() -> None:
    async def leave_a_socket() -> None:
        network = SimulatedNetwork()
        host = network.add_host("alice", ["10.0.0.1"])
        async with network:
            await host.bind_udp(host.interface_addresses()[0], 5000)

    with pytest.raises(AssertionError, match=r"1 simulated sockets left open: alice 10\.0\.0\.1 port 5000"):
        run(leave_a_socket)
    run(leave_a_socket, check_sockets=False)


def test_threads_stop_the_virtual_clock() -> None:
    async def wait_for_a_thread() -> float:
        gate = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def work() -> None:
            trio.from_thread.run_sync(gate.set, trio_token=token)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1000)
            await trio.to_thread.run_sync(work)
            await gate.wait()
            passed = trio.current_time()
            nursery.cancel_scope.cancel()
        return passed

    assert run(wait_for_a_thread) == 0


def test_certificates_without_settings_come_from_the_seed() -> None:
    async def fingerprint() -> str:
        certificate = await RTCPeerConnection.generate_certificate()
        return certificate.get_fingerprints()[0].value

    assert run(fingerprint, seed=1) == run(fingerprint, seed=1)
    assert run(fingerprint, seed=1) != run(fingerprint, seed=2)
    # Only run() is deterministic.
    assert trio.run(fingerprint) != trio.run(fingerprint)


def test_unsupported_trio_version_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING")
    with pytest.raises(RuntimeError, match=rf"cannot seed the scheduler of trio {trio.__version__}"):
        run(trio.sleep, 1)
