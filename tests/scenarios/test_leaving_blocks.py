"""Blocks that end while handlers run raise the one exception that was raised, ungrouped, or none.

The handlers are those of the README: each passes a candidate or a message to the other connection, in any state.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal

import attrs
import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.media import connect_track, media_peers, send_frames
from tests.strategies.peers import connect, description_of, open_channel, settings_for, two_peers
from tests.strategies.scenarios import state_reached
from trio_rtc import (
    EncodedFrame,
    InvalidStateError,
    MessageEvent,
    RTCDataChannel,
    RTCDataChannelEvent,
    RTCPeerConnection,
    RTCPeerConnectionIceEvent,
    open_media_track,
)
from trio_rtc.testing import Link, SimulatedNetwork, run


class BugError(Exception):
    """An exception that only the application raises."""


Ending = Literal["return", "error", "cancel", "fail_after", "handler", "synchronous handler", "peer", "close"]


@attrs.frozen
class Scenario:
    """A scenario of two or three connections.

    Attributes:
        ending: Cause of the end of the blocks.
        order: Order in which the blocks are entered; the last one ends first.
        ends_at: Time of the end, in seconds after the beginning.
        delays: Seconds that handlers wait before and after they use the other connection.
        latency: Delay of the network.
        seed: Seed of all randomness.
    """

    ending: Ending
    order: Sequence[str]
    ends_at: float
    delays: tuple[float, float]
    latency: float
    seed: int


class Application:
    """An application whose connections use each other in their handlers."""

    def __init__(self, scenario: Scenario, connections: dict[str, RTCPeerConnection]) -> None:
        self.scenario = scenario
        self.connections = connections
        self.random = random.Random(scenario.seed)

    async def pause(self, longest: float) -> None:
        if longest:
            await trio.sleep(longest * self.random.random())

    def signal_to(self, other: str) -> Callable[[RTCPeerConnectionIceEvent], Awaitable[None]]:
        """Return the handler of the README, over signaling with delay."""

        async def signal(event: RTCPeerConnectionIceEvent) -> None:
            before, after = self.scenario.delays
            await self.pause(before)
            await self.connections[other].add_ice_candidate(event.candidate)
            await self.pause(after)

        return signal

    async def answer(self, event: MessageEvent) -> None:
        """Answer messages in a nursery, and create an offer with the third connection."""
        assert isinstance(event.target, RTCDataChannel)
        await trio.sleep(0.001)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.target.send, "and again")
            if "carol" in self.connections:
                nursery.start_soon(self.connections["carol"].create_offer)
        await self.pause(self.scenario.delays[1])

    def answer_at_once(self, event: MessageEvent) -> None:
        assert isinstance(event.target, RTCDataChannel)
        if "carol" in self.connections:
            self.connections["carol"].create_data_channel("of the third", negotiated=True, id=5).close()
        event.target.send_nowait("and again")

    def serve(self, event: RTCDataChannelEvent) -> None:
        event.channel.on_message = self.answer_at_once

    async def fail(self, _: object) -> None:
        await trio.sleep_until(self.scenario.ends_at)
        raise BugError

    def fail_at_once(self, _: object) -> None:
        raise BugError

    async def run(self) -> None:
        """Negotiate, exchange messages, and end as the scenario specifies."""
        scenario, alice, bob = self.scenario, self.connections["alice"], self.connections["bob"]
        alice.on_ice_candidate, bob.on_ice_candidate = self.signal_to("bob"), self.signal_to("alice")
        channel = alice.create_data_channel("chat")
        channel.on_open = lambda _: channel.send("hello")
        channel.on_message = self.answer
        bob.on_data_channel = self.serve
        if scenario.ending == "handler":
            alice.on_signaling_state_change = self.fail
        if scenario.ending == "synchronous handler":
            bob.on_signaling_state_change = self.fail_at_once
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        await trio.sleep_until(scenario.ends_at)
        match scenario.ending:
            case "return":
                pass
            case "error":
                raise BugError
            case "peer":
                await bob.aclose()
                await trio.sleep(1)
            case "close":
                alice.close()
                bob.close()
                await trio.sleep(1)
            case "cancel" | "fail_after" | "handler" | "synchronous handler":
                await trio.sleep_forever()


async def run_scenario(scenario: Scenario) -> None:
    async with SimulatedNetwork(seed=scenario.seed, link=Link(delay=scenario.latency)) as network:
        hosts = {name: network.add_host(name, [f"10.0.0.{n}"]) for n, name in enumerate(scenario.order, 1)}
        with trio.CancelScope(
            deadline=scenario.ends_at if scenario.ending == "cancel" else float("inf")
        ) as scope:
            async with AsyncExitStack() as stack:
                connections = {
                    name: await stack.enter_async_context(
                        RTCPeerConnection(settings=settings_for(hosts[name], scenario.seed + n))
                    )
                    for n, name in enumerate(scenario.order)
                }
                await Application(scenario, connections).run()
        assert scope.cancelled_caught == (scenario.ending == "cancel")
        assert not [host for host in hosts.values() if host.open_sockets]


EXPECTED: dict[str, type[BaseException]] = {
    "error": BugError,
    "fail_after": trio.TooSlowError,
    "handler": BugError,
    "synchronous handler": BugError,
}


async def outcome(scenario: Scenario) -> BaseException | None:
    """Return the exception that a scenario has raised from the blocks."""
    try:
        if scenario.ending == "fail_after":
            with trio.fail_after(scenario.ends_at):
                await run_scenario(scenario)
        else:
            await run_scenario(scenario)
    except BaseException as error:
        return error
    return None


ORDERS = [
    ("alice", "bob"),
    ("bob", "alice"),
    ("alice", "bob", "carol"),
    ("carol", "alice", "bob"),
    ("bob", "carol", "alice"),
]
ENDINGS: tuple[Ending, ...] = (
    "return",
    "error",
    "cancel",
    "fail_after",
    "handler",
    "synchronous handler",
    "peer",
    "close",
)
SCENARIOS = st.builds(
    Scenario,
    ending=st.sampled_from(ENDINGS),
    order=st.sampled_from(ORDERS),
    ends_at=st.sampled_from([0.0, 0.001, 0.05]) | st.floats(0.0, 0.5),
    delays=st.tuples(st.sampled_from([0.0, 0.01, 0.3]), st.sampled_from([0.0, 0.01, 0.3])),
    latency=st.sampled_from([0.0, 0.002, 0.03]),
    seed=st.integers(0, 1000),
)


@given(SCENARIOS)
@example(Scenario("return", ORDERS[0], 0.0, (0.0, 0.0), 0.0, 1))
@example(Scenario("return", ORDERS[1], 0.0, (0.0, 0.0), 0.0, 2))
@example(Scenario("fail_after", ORDERS[0], 0.001, (0.01, 0.0), 0.0, 3))
@example(Scenario("peer", ORDERS[0], 0.2, (0.0, 0.0), 0.002, 4))
def test_exactly_the_expected_exception_leaves_the_blocks(scenario: Scenario) -> None:
    # The clock and the scenario begin at 0.
    error = run(outcome, scenario)
    assert type(error) is EXPECTED.get(scenario.ending, type(None)), repr(error)


virtual_time = pytest.mark.usefixtures("autojump_clock")


@virtual_time
@pytest.mark.parametrize(
    "error",
    [
        InvalidStateError("closed"),
        trio.ClosedResourceError(),
        trio.BrokenResourceError(),
        ExceptionGroup("of a nursery", [trio.ClosedResourceError(), InvalidStateError()]),
        ExceptionGroup("nested", [ExceptionGroup("inner", [trio.BrokenResourceError()])]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_errors_of_closed_objects_are_logged_once_the_block_has_begun_to_end(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    closed = trio.Event()

    async def fail_when_closed(_: object) -> None:
        await closed.wait()
        raise error

    caplog.set_level(logging.INFO, "trio_rtc.handlers")
    async with two_peers() as peers:
        peers.alice.add_event_listener("signaling_state_change", fail_when_closed, once=True)
        await channel_in_use(peers.alice, peers.bob)
        peers.alice.close()
        closed.set()
    assert [record.name for record in caplog.records] == ["trio_rtc.handlers"]
    assert type(error).__name__ in caplog.text


async def channel_in_use(alice: RTCPeerConnection, bob: RTCPeerConnection) -> None:
    """Connect, so that closing takes some time."""
    channel = alice.create_data_channel("chat")
    await connect(alice, bob)
    await channel.opened()


@virtual_time
async def test_another_error_of_a_handler_is_raised_also_while_the_block_ends() -> None:
    closed = trio.Event()

    async def fail_when_closed(_: object) -> None:
        await closed.wait()
        raise BugError

    async def block() -> None:
        async with two_peers() as peers:
            peers.alice.on_signaling_state_change = fail_when_closed
            await channel_in_use(peers.alice, peers.bob)
            peers.alice.close()
            closed.set()

    with pytest.raises(BugError):
        await block()


@virtual_time
async def test_the_rest_of_a_group_is_raised() -> None:
    closed = trio.Event()

    async def fail_when_closed(_: object) -> None:
        await closed.wait()
        raise ExceptionGroup("both", [trio.ClosedResourceError(), BugError()])

    async def block() -> None:
        async with two_peers() as peers:
            peers.alice.on_signaling_state_change = fail_when_closed
            await channel_in_use(peers.alice, peers.bob)
            peers.alice.close()
            closed.set()

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert [type(error) for error in caught.value.exceptions] == [BugError]


@virtual_time
@pytest.mark.parametrize("error", [InvalidStateError("not yet"), trio.ClosedResourceError()])
async def test_before_the_end_an_error_of_the_application_is_raised(error: Exception) -> None:
    """For example an error of a channel that the application has closed itself."""

    async def fail(_: object) -> None:
        await trio.lowlevel.checkpoint()
        raise error

    async def block() -> None:
        async with two_peers() as peers:
            peers.alice.on_signaling_state_change = fail
            await peers.alice.set_local_description()
            await trio.sleep(1)

    with pytest.raises(type(error)) as caught:
        await block()
    assert caught.value is error


@virtual_time
async def test_a_candidate_before_the_description_is_an_error_of_the_application() -> None:
    async def block() -> None:
        async with two_peers() as peers:
            peers.alice.on_ice_candidate = lambda event: peers.bob.add_ice_candidate(event.candidate)
            peers.alice.create_data_channel("chat")
            await peers.alice.set_local_description()
            await trio.sleep(1)

    with pytest.raises(InvalidStateError):
        await block()


@virtual_time
@pytest.mark.parametrize("inner", ["none", "nursery"])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_handler_does_not_join_the_exception_that_ends_the_block(
    inner: str, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The block needs a second to end, in which its candidates are too early for the other peer."""
    raised = BugError()

    async def end_slowly() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def block() -> None:
        async with two_peers() as peers:

            async def signal(event: RTCPeerConnectionIceEvent) -> None:
                await peers.bob.add_ice_candidate(event.candidate)

            def signal_at_once(event: RTCPeerConnectionIceEvent) -> None:
                raise InvalidStateError("not yet")

            peers.alice.on_ice_candidate = signal if asynchronous else signal_at_once
            peers.alice.create_data_channel("chat")
            if inner == "nursery":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(end_slowly)
                    await peers.alice.set_local_description()
                    raise raised
            try:
                await peers.alice.set_local_description()
                await trio.sleep(1)
            finally:
                raise raised

    caplog.set_level(logging.INFO, "trio_rtc.handlers")
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - which one it is, is asserted below
        await block()
    if inner == "nursery":
        assert isinstance(caught.value, ExceptionGroup)
        assert caught.value.message == "Exceptions from Trio nursery"
        assert caught.value.exceptions == (raised,)
    else:
        assert caught.value is raised
    assert "InvalidStateError" in caplog.text


@virtual_time
async def test_another_error_of_a_handler_joins_the_exception_that_ends_the_block() -> None:
    async def fail(_: object) -> None:
        raise ExceptionGroup("both", [InvalidStateError("not yet"), BugError()])

    async def block() -> None:
        async with two_peers() as peers:
            peers.alice.on_ice_candidate = fail
            peers.alice.create_data_channel("chat")
            try:
                await peers.alice.set_local_description()
                await trio.sleep(1)
            finally:
                raise KeyError("mine")

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    mine, of_the_handler = caught.value.exceptions
    assert isinstance(mine, KeyError)
    assert isinstance(of_the_handler, ExceptionGroup)
    assert [type(error) for error in of_the_handler.exceptions] == [BugError]


async def use_connection(pc: RTCPeerConnection, channel: RTCDataChannel) -> list[Callable[[], Any]]:
    """Return calls on a closed connection; each raises or returns an awaitable that raises."""
    transceiver = pc.add_transceiver("audio")
    return [
        lambda: pc.create_data_channel("another"),
        lambda: pc.add_transceiver("video"),
        pc.set_configuration,
        pc.create_offer,
        lambda: pc.add_ice_candidate(None),
        transceiver.stop,
        lambda: setattr(transceiver, "direction", "inactive"),
        lambda: transceiver.sender.replace_track(None),
        transceiver.sender.set_streams,
        transceiver.sender.send_rtp,
        lambda: transceiver.sender.set_parameters(transceiver.sender.get_parameters()),
        lambda: transceiver.sender.dtmf.insert_dtmf("1"),  # type: ignore[union-attr]
        lambda: channel.send("to nobody"),
        lambda: channel.send_nowait("to nobody"),
        channel.receive,
        channel.wait_for_room,
        channel.opened,
    ]


@virtual_time
@pytest.mark.parametrize("number", range(17))
async def test_using_another_connection_that_is_closed_ends_no_block(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "trio_rtc.handlers")
    async with open_channel() as (_, theirs, peers):
        ways = await use_connection(peers.bob, theirs)
        assert len(ways) == 17
        await peers.bob.aclose()
        peers.alice.on_signaling_state_change = lambda _: ways[number]()
        await peers.alice.set_local_description()
        await trio.sleep(1)
        assert peers.alice.signaling_state == "have-local-offer"
        assert "closed" in caplog.text


@virtual_time
async def test_a_handler_that_answers_a_closed_peer_ends_no_block() -> None:
    asked = trio.Event()

    async def answer(event: MessageEvent) -> None:
        asked.set()
        await trio.sleep(1)
        assert isinstance(event.target, RTCDataChannel)
        with pytest.raises(trio.BrokenResourceError):
            await event.target.send("too late")
        await event.target.send("too late")

    async with open_channel() as (mine, theirs, peers):
        theirs.on_message = answer
        await mine.send("are you there?")
        await asked.wait()
        await peers.alice.aclose()
        await trio.sleep(2)
        assert peers.bob.signaling_state == "stable"


@virtual_time
async def test_a_handler_that_answers_on_a_channel_that_the_peer_has_closed_ends_no_block() -> None:
    asked = trio.Event()

    async def answer(event: MessageEvent) -> None:
        asked.set()
        await trio.sleep(1)
        assert isinstance(event.target, RTCDataChannel)
        await event.target.send("too late")

    async with open_channel() as (mine, theirs, peers):
        theirs.on_message = answer
        await mine.send("are you there?")
        await asked.wait()
        await mine.aclose()
        await trio.sleep(2)
        assert peers.bob.connection_state == "connected"


@virtual_time
async def test_a_handler_that_uses_a_channel_after_closing_it_ends_the_block() -> None:
    async def use(channel: RTCDataChannel) -> None:
        channel.close()
        await channel.send("after the end")

    async def block() -> None:
        async with open_channel() as (mine, theirs, _):
            mine.on_message = lambda _: use(mine)
            await theirs.send("go")
            await trio.sleep(1)

    with pytest.raises(trio.ClosedResourceError):
        await block()


@virtual_time
async def test_a_handler_that_failed_gets_no_more_events() -> None:
    seen: list[object] = []

    async def fail(event: object) -> None:
        seen.append(event)
        await trio.lowlevel.checkpoint()
        raise BugError

    async def block() -> None:
        async with two_peers() as peers:
            peers.alice.on_signaling_state_change = fail
            peers.alice.on_connection_state_change = fail
            await channel_in_use(peers.alice, peers.bob)
            await state_reached(peers.alice, "closed")

    with pytest.raises(BugError):
        await block()
    assert len(seen) == 1


@virtual_time
async def test_a_handler_of_a_local_track_runs_in_the_same_block() -> None:
    ended, closed = trio.Event(), trio.Event()
    log: list[str] = []

    async def fail_when_closed(_: object) -> None:
        ended.set()
        await closed.wait()
        log.append("failed")
        raise trio.ClosedResourceError

    async with media_peers() as peers:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        track.on_ended = fail_when_closed
        await connect_track(peers.alice, peers.bob)
        source.close()
        await ended.wait()
        peers.alice.close()
        closed.set()
    assert log == ["failed"]


@virtual_time
@pytest.mark.parametrize("side", ["sender", "receiver"])
async def test_a_transform_that_finds_its_connection_closed_ends_no_block(side: str) -> None:
    closed = trio.Event()
    log: list[str] = []

    async def transform(frame: EncodedFrame) -> EncodedFrame:
        await closed.wait()
        log.append("failed")
        raise trio.ClosedResourceError

    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_frames, source, "audio")
        if side == "sender":
            sender.transform = transform
        else:
            event.receiver.transform = transform
        async with event.receiver.encoded_frames():
            await trio.sleep(0.5)
        (peers.alice if side == "sender" else peers.bob).close()
        closed.set()
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert log == ["failed"]
