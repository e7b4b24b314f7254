import logging
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.json_channels import JsonChannel, json_channel_pair
from trio_rtc import RTCDataChannel, RTCPeerConnection, Settings, open_media_track
from trio_rtc.signaling import negotiate
from trio_rtc.testing import SimulatedNetwork, run


@attrs.frozen
class Side:
    pc: RTCPeerConnection
    signaling: JsonChannel
    polite: bool

    def sent(self, key: str) -> list[Any]:
        return [message[key] for message in self.signaling.sent if key in message]

    def types_sent(self) -> list[str]:
        return [description["type"] for description in self.sent("description")]


@asynccontextmanager
async def signaling_peers(
    seed: int = 0, *, delay: float = 0.05, jitter: float = 0.0
) -> AsyncIterator[tuple[Side, Side]]:
    """Connect two peers on a simulated network and by signaling; yield the impolite one first."""
    rng = random.Random(seed)
    network = SimulatedNetwork(seed=seed)
    hosts = [network.add_host(name, [f"10.0.0.{number}"]) for number, name in enumerate(("alice", "bob"), 1)]
    settings = [Settings(network=host, rng=random.Random(rng.random())) for host in hosts]
    a, b = json_channel_pair(delay=delay, jitter=jitter, rng=rng)
    async with (
        network,
        RTCPeerConnection(settings=settings[0]) as alice,
        RTCPeerConnection(settings=settings[1]) as bob,
    ):
        yield Side(alice, a, False), Side(bob, b, True)


async def start(nursery: trio.Nursery, *sides: Side) -> None:
    for side in sides:
        await nursery.start(partial(negotiate, side.signaling, side.pc, polite=side.polite))


async def wait_until(condition: Callable[[], bool]) -> None:
    """Poll every hundredth of a virtual second."""
    while not condition():  # noqa: ASYNC110 - the conditions have no common event
        await trio.sleep(0.01)


async def talk(one: RTCDataChannel, other: RTCDataChannel) -> None:
    await one.opened()
    await other.opened()
    await one.send("ping")
    assert await other.receive() == "ping"


@pytest.mark.parametrize("offerer", [0, 1])
@pytest.mark.parametrize("created_first", [True, False])
async def test_channel_opens_regardless_of_creator_and_time(
    offerer: int, created_first: bool, autojump_clock: trio.testing.MockClock
) -> None:
    async with signaling_peers() as sides, trio.open_nursery() as nursery:
        creator, other = sides[offerer], sides[1 - offerer]
        async with other.pc.subscribe("data_channel") as arriving:
            if created_first:
                channel = creator.pc.create_data_channel("chat")
                await trio.sleep(1)  # the event has been fired before
                await start(nursery, *sides)
            else:
                await start(nursery, *sides)
                await trio.sleep(1)
                channel = creator.pc.create_data_channel("chat")
            await talk(channel, (await arriving.receive()).channel)
        assert creator.types_sent() == ["offer"]
        assert other.types_sent() == ["answer"]
        nursery.cancel_scope.cancel()


async def test_candidates_trickle_after_their_description_and_end_with_null(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
        await start(nursery, alice, bob)
        alice.pc.create_data_channel("chat")
        await wait_until(lambda: alice.pc.connection_state == bob.pc.connection_state == "connected")
        await trio.sleep(1)
        for side in (alice, bob):
            keys = [next(iter(message)) for message in side.signaling.sent]
            assert keys[0] == "description"
            assert keys.count("candidate") >= 2
            candidates = side.sent("candidate")
            assert candidates[-1] is None
            assert all(candidate["sdpMid"] == "0" for candidate in candidates[:-1])
        nursery.cancel_scope.cancel()


async def test_colliding_offers_end_in_one_connection(autojump_clock: trio.testing.MockClock) -> None:
    async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
        pairs = [
            [side.pc.create_data_channel("both", negotiated=True, id=number) for side in (alice, bob)]
            for number in (0, 1)
        ]
        await start(nursery, alice, bob)
        for pair in pairs:
            await talk(*pair)
        await wait_until(lambda: alice.pc.signaling_state == bob.pc.signaling_state == "stable")
        assert alice.types_sent() == ["offer"]
        assert bob.types_sent() == ["offer", "answer"]
        nursery.cancel_scope.cancel()


async def test_ice_restart_is_negotiated(autojump_clock: trio.testing.MockClock) -> None:
    async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
        await start(nursery, alice, bob)
        pair = [side.pc.create_data_channel("chat", negotiated=True, id=0) for side in (alice, bob)]
        await talk(pair[0], pair[1])
        before = alice.pc.local_description
        bob.pc.restart_ice()
        alice.pc.restart_ice()
        await trio.sleep(5)
        assert alice.pc.signaling_state == bob.pc.signaling_state == "stable"
        assert before is not None
        assert alice.pc.local_description is not None
        assert ufrag_of(before.sdp) != ufrag_of(alice.pc.local_description.sdp)
        await talk(pair[1], pair[0])
        nursery.cancel_scope.cancel()


def ufrag_of(sdp: str) -> str:
    return next((line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:")), "no section yet")


async def test_offer_set_before_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
        channel = alice.pc.create_data_channel("chat")
        await alice.pc.set_local_description()
        await trio.sleep(1)
        await start(nursery, alice, bob)
        await channel.opened()
        assert alice.types_sent() == ["offer"]
        nursery.cancel_scope.cancel()


BAD_MESSAGES: list[dict[str, Any]] = [
    {},
    {"description": "v=0"},
    {"description": {"type": "proposal", "sdp": ""}},
    {"description": {"type": "offer", "sdp": "nonsense"}},
    {"description": {"type": "answer", "sdp": "v=0\r\n"}},
    {"candidate": 7},
    {"candidate": {"candidate": "nonsense", "sdpMid": "0"}},
    {"candidate": {"candidate": "candidate:1 1 udp 1 10.0.0.9 9 typ host", "sdpMid": "elsewhere"}},
    {"candidate": {"candidate": ""}},
    {"candidate": None},
]


async def test_a_bad_offer_in_glare_is_followed_by_another_offer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
        await start(nursery, bob)
        pair = [side.pc.create_data_channel("chat", negotiated=True, id=0) for side in (alice, bob)]
        await trio.sleep(1)
        assert bob.pc.signaling_state == "have-local-offer"
        await alice.signaling.send({"description": {"type": "offer", "sdp": "nonsense"}})
        await trio.sleep(1)
        assert bob.types_sent() == ["offer", "offer"]
        await start(nursery, alice)
        await talk(*pair)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("steps", range(6))
async def test_a_bad_offer_does_not_cancel_an_offer_that_is_needed(
    steps: int, autojump_clock: trio.testing.MockClock
) -> None:
    """The bad offer arrives a few steps of the scheduler before or after ``negotiation_needed`` is fired."""
    async with signaling_peers(delay=0) as (alice, bob), trio.open_nursery() as nursery:
        await start(nursery, bob)
        bob.pc.create_data_channel("chat")
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        await alice.signaling.send({"description": {"type": "offer", "sdp": "nonsense"}})
        await trio.sleep(1)
        assert bob.pc.signaling_state == "have-local-offer"
        assert "offer" in bob.types_sent()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("message", BAD_MESSAGES)
async def test_messages_that_cannot_be_applied_are_ignored(
    message: dict[str, Any], autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
        await bob.signaling.send(message)
        await start(nursery, alice, bob)
        with caplog.at_level(logging.WARNING, "trio_rtc.signaling"):
            await trio.sleep(1)
        assert bool(caplog.records) == bool(message)
        assert alice.pc.signaling_state == "stable"
        channel = alice.pc.create_data_channel("chat")
        await channel.opened()
        nursery.cancel_scope.cancel()


async def test_negotiate_ends_when_the_peer_connection_is_closed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with signaling_peers() as (alice, bob):
        async with trio.open_nursery() as nursery:
            await start(nursery, alice)
            alice.pc.create_data_channel("chat")
            await trio.sleep(1)
            alice.pc.close()
        with trio.fail_after(1):
            await negotiate(alice.signaling, alice.pc, polite=True)
        assert bob.pc.signaling_state == "stable"


async def test_closing_at_any_moment_of_a_negotiation_is_not_an_error() -> None:
    for moment in range(40):
        await close_at(moment)


async def close_at(moment: int) -> None:
    async with signaling_peers(delay=0.0) as (alice, bob), trio.open_nursery() as nursery:
        await start(nursery, alice, bob)
        alice.pc.create_data_channel("chat")
        for _ in range(moment):
            await trio.lowlevel.checkpoint()
        bob.pc.close()
        alice.pc.close()


async def test_negotiate_ends_with_the_channel_and_the_connection_continues(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with signaling_peers() as (alice, bob):
        pair = [side.pc.create_data_channel("chat", negotiated=True, id=0) for side in (alice, bob)]
        async with trio.open_nursery() as nursery:
            await start(nursery, alice, bob)
            await pair[0].opened()
            alice.signaling.end_sending()
            bob.signaling.end_sending()
        await talk(pair[0], pair[1])


async def test_broken_channel_raises_and_the_connection_continues(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with signaling_peers() as (alice, bob):
        pair = [side.pc.create_data_channel("chat", negotiated=True, id=0) for side in (alice, bob)]

        async def break_when_open() -> None:
            await pair[0].opened()
            alice.signaling.break_off("the cable")

        async with trio.open_nursery() as nursery:
            await start(nursery, bob)
            nursery.start_soon(break_when_open)
            with pytest.raises(trio.BrokenResourceError, match="the cable"):
                await negotiate(alice.signaling, alice.pc, polite=False)
            nursery.cancel_scope.cancel()
        await talk(pair[0], pair[1])


async def test_cancelled_negotiation_can_be_resumed(autojump_clock: trio.testing.MockClock) -> None:
    for moment in (0.0, 0.01, 0.05, 0.06, 0.1, 0.11, 0.2):
        async with signaling_peers() as (alice, bob), trio.open_nursery() as nursery:
            pair = [side.pc.create_data_channel("chat", negotiated=True, id=0) for side in (alice, bob)]
            await start(nursery, bob)
            with trio.move_on_after(moment):
                await negotiate(alice.signaling, alice.pc, polite=False)
            await start(nursery, alice)
            await talk(pair[0], pair[1])
            nursery.cancel_scope.cancel()


async def test_polite_is_required_without_a_peer() -> None:
    async with signaling_peers() as (alice, _):
        with pytest.raises(TypeError, match="polite=True on one side"):
            await negotiate(alice.signaling, alice.pc)


VERBS = ["restart", "channel", "add", "remove", "stop", "replace", "direction"]
MIRRORED = {"sendonly": "recvonly", "recvonly": "sendonly"}


@attrs.frozen
class Change:
    """A change of one side after a pause: what, by whom, and which of several objects or values."""

    pause: float
    verb: str
    polite: bool
    number: int


CHANGES = st.builds(
    Change, st.floats(0.0, 0.3), st.sampled_from(VERBS), st.booleans(), st.integers(min_value=0, max_value=7)
)


@given(
    seed=st.integers(0, 1000),
    jitter=st.sampled_from([0.0, 0.05, 0.5]),
    changes=st.lists(CHANGES, min_size=1, max_size=12),
)
def test_random_negotiations_converge(seed: int, jitter: float, changes: list[Change]) -> None:
    """Offers collide, so that the polite side rolls back; after quiet both sides agree."""
    run(negotiate_at_random, seed, jitter, changes)


async def negotiate_at_random(seed: int, jitter: float, changes: list[Change]) -> None:
    async with (
        signaling_peers(seed, delay=0.02, jitter=jitter) as (alice, bob),
        trio.open_nursery() as nursery,
    ):
        await start(nursery, alice, bob)
        channels: list[RTCDataChannel] = []
        for change in changes:
            await trio.sleep(change.pause)
            pc = (bob if change.polite else alice).pc
            if change.verb == "channel":
                channels.append(pc.create_data_channel(str(change.number)))
            else:
                await apply_change(pc, change)
        with trio.fail_after(60):
            for channel in channels:
                await channel.opened()
        await trio.sleep(15)
        sent = len(alice.signaling.sent), len(bob.signaling.sent)
        await trio.sleep(15)
        assert sent == (len(alice.signaling.sent), len(bob.signaling.sent))
        assert_agreement(alice.pc, bob.pc)
        nursery.cancel_scope.cancel()


async def apply_change(pc: RTCPeerConnection, change: Change) -> None:
    """Change a transceiver, or nothing if there is none that can be changed."""
    kind = ("audio", "video")[change.number % 2]
    _, track = open_media_track(kind)
    live = [each for each in pc.get_transceivers() if each.direction not in ("stopping", "stopped")]
    live = [each for each in live if each.current_direction != "stopped"]
    if change.verb == "restart":
        pc.restart_ice()
    elif change.verb == "add":
        pc.add_track(track)
    elif live:
        chosen = live[change.number % len(live)]
        if change.verb == "stop":
            chosen.stop()
        elif change.verb == "direction":
            chosen.direction = ("sendrecv", "sendonly", "recvonly", "inactive")[change.number % 4]
        elif change.verb == "remove":
            pc.remove_track(chosen.sender)
        elif chosen.receiver.track.kind == kind:
            await chosen.sender.replace_track(track)


def assert_agreement(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """Require that the sections, their directions and the ICE credentials of both sides agree."""
    assert one.signaling_state == other.signaling_state == "stable"
    directions = [
        {each.mid: str(each.current_direction) for each in pc.get_transceivers() if each.mid is not None}
        for pc in (one, other)
    ]
    assert directions[0] == {mid: MIRRORED.get(value, value) for mid, value in directions[1].items()}
    for pc, peer in ((one, other), (other, one)):
        if pc.local_description is not None:
            assert peer.remote_description is not None
            assert [pc.pending_local_description, peer.pending_remote_description] == [None, None]
            sections = [
                re.findall(r"m=(\w+) (0)?.*\r", text)
                for text in (pc.local_description.sdp, peer.remote_description.sdp)
            ]
            assert sections[0] == sections[1]
            assert ufrag_of(pc.local_description.sdp) == ufrag_of(peer.remote_description.sdp)
