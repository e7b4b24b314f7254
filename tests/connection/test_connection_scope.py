"""The block of a peer connection: its exceptions, its cleanup, and the time of closing."""

import pytest
import trio
import trio.testing

from tests.strategies.peers import channel_pair, open_channel, settings_for, two_peers
from trio_rtc import Event, RTCPeerConnection, Settings
from trio_rtc.testing import SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("plain"),
        KeyboardInterrupt(),
        SystemExit(3),
        StopIteration(),
        StopAsyncIteration(),
        RuntimeError("a runtime error"),
        ExceptionGroup("of the application", [ValueError("one")]),
        ExceptionGroup("nested", [ExceptionGroup("inner", [ValueError("one")]), KeyError("two")]),
        BaseExceptionGroup("base", [KeyboardInterrupt()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_exception_leaves_the_block_unchanged(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        async with RTCPeerConnection() as pc:
            raise error
    assert caught.value is error
    assert pc.connection_state == "closed"


async def test_an_exception_of_a_nursery_in_the_block_stays_in_its_group() -> None:
    async def fail() -> None:
        raise ValueError("in a task")

    with pytest.raises(ExceptionGroup) as caught:
        async with RTCPeerConnection(), trio.open_nursery() as nursery:
            nursery.start_soon(fail)
    (inner,) = caught.value.exceptions
    assert isinstance(inner, ValueError)


async def test_an_exception_of_the_block_keeps_its_traceback_and_context() -> None:
    async def block() -> None:
        async with RTCPeerConnection():
            try:
                raise KeyError("inner")
            finally:
                raise ValueError("outer")

    with pytest.raises(ValueError, match="outer") as caught:
        await block()
    assert isinstance(caught.value.__context__, KeyError)
    assert "block" in [entry.name for entry in caught.traceback]


async def test_two_errors_at_once_are_a_group() -> None:
    def fail(_: object) -> None:
        raise KeyError("handler")

    async def block() -> None:
        async with RTCPeerConnection() as pc:
            pc.on_negotiation_needed = fail
            pc.create_data_channel("chat")
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("block")

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert {type(error) for error in caught.value.exceptions} == {KeyError, ValueError}


async def test_an_error_of_a_handler_survives_an_outer_cancellation() -> None:
    def fail(_: object) -> None:
        raise KeyError("handler")

    async def block() -> None:
        with trio.CancelScope() as scope:
            async with RTCPeerConnection() as pc:
                pc.on_negotiation_needed = fail
                pc.create_data_channel("chat")
                scope.cancel()
                pc.dispatch_event(Event("negotiation_needed", pc))

    with pytest.raises(KeyError):
        await block()


async def test_an_outer_cancellation_still_sends_abort_and_close_notify() -> None:
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        async with RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob:
            with trio.CancelScope() as scope:
                async with RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice:
                    mine, theirs = await channel_pair(alice, bob)
                    scope.cancel()
                    await mine.receive()
            assert scope.cancelled_caught
            before = trio.current_time()
            with pytest.raises(trio.EndOfChannel):
                await theirs.receive()
            assert trio.current_time() - before < 1


@pytest.mark.parametrize("timeout", [0.0, 0.5, 1.0])
async def test_closing_is_bounded(timeout: float) -> None:
    async with open_channel(settings=Settings(close_timeout=timeout)) as (mine, _, peers):
        peers.network.partition("alice", "bob")
        await mine.send(bytes(100_000))
        before = trio.current_time()
        await peers.alice.aclose()
        assert trio.current_time() - before <= timeout + 0.01


async def test_asynchronous_handlers_end_with_the_block() -> None:
    ended: list[str] = []

    async def handle(_: object) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("handler")

    async with RTCPeerConnection() as pc:
        pc.on_negotiation_needed = handle
        pc.create_data_channel("chat")
        await trio.testing.wait_all_tasks_blocked()
        pc.close()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == []
    assert ended == ["handler"]


async def test_aclose_from_a_handler_does_not_wait_for_itself() -> None:
    async with two_peers() as peers:
        done = trio.Event()

        async def handle(_: object) -> None:
            await peers.alice.aclose()
            done.set()

        peers.alice.on_negotiation_needed = handle
        peers.alice.create_data_channel("chat")
        await done.wait()
        assert peers.alice.connection_state == "closed"


async def test_the_block_continues_after_close() -> None:
    async with RTCPeerConnection() as pc:
        await pc.aclose()
        await trio.sleep(1)
        assert pc.signaling_state == "closed"


async def test_a_connection_that_was_never_entered_leaves_nothing_behind() -> None:
    pc = RTCPeerConnection()
    pc.create_data_channel("chat")
    living = trio.lowlevel.current_statistics().tasks_living
    del pc
    assert trio.lowlevel.current_statistics().tasks_living == living
