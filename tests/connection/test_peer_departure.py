"""The departure of the peer, and the tasks that wait for it."""

import pytest
import trio
import trio.testing

from trio_rtc._connection.peer_departure import PeerDeparture


async def test_waiting_tasks_return_when_the_peer_leaves() -> None:
    departure = PeerDeparture()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(departure.wait)
        await trio.testing.wait_all_tasks_blocked()
        departure.record(final=False)
    assert departure.happened
    assert not departure.final
    await departure.wait()


async def test_a_failure_counts_although_the_connection_recovers_at_once() -> None:
    departure = PeerDeparture()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(departure.wait)
        await trio.testing.wait_all_tasks_blocked()
        departure.record(final=False)
        departure.clear()
    assert not departure.happened


async def test_after_a_recovery_the_next_departure_is_awaited() -> None:
    departure = PeerDeparture()
    departure.record(final=False)
    departure.clear()
    with trio.move_on_after(0) as scope:
        await departure.wait()
    assert scope.cancelled_caught
    departure.record(final=True)
    assert departure.final
    await departure.wait()


async def test_a_local_close_ends_the_wait_with_an_error() -> None:
    departure = PeerDeparture()
    departure.close()
    with pytest.raises(trio.ClosedResourceError, match="closed on this side"):
        await departure.wait()


async def test_a_departure_before_the_local_close_counts() -> None:
    departure = PeerDeparture()
    departure.record(final=True)
    departure.close()
    departure.clear()
    assert departure.happened
    await departure.wait()
