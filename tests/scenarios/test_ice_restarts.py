"""ICE restarts of all kinds while audio, video and messages flow: nothing is lost, and nothing stalls."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.metered_calls import MeteredCall, metered_call
from tests.strategies.peers import channel_pair, connect, description_of, trickle, two_peers
from tests.strategies.scenarios import messages_pass, state_reached
from tests.strategies.unbundled import unbundled_call
from trio_rtc import (
    OperationError,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
    open_media_track,
)
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

LINK = Link(delay=0.02)
MESSAGE_INTERVAL = 0.02
LONGEST_GAP = 0.1
"""Maximum time in seconds between two frames or messages; the interval of video frames is 0.033, that of audio 0.02."""


@attrs.define(eq=False)
class LiveCall:
    """A call with a channel on which both sides send numbered messages.

    Attributes:
        call: The call.
        changes: The changes of state of both connections.
        needed: For each negotiation_needed event, the name of the peer.
        gaps: The longest time between two messages to each peer.
    """

    call: MeteredCall
    changes: list[str] = attrs.field(factory=list)
    needed: list[str] = attrs.field(factory=list)
    gaps: dict[str, float] = attrs.field(factory=dict)
    _sent: int = 0
    _ended: bool = False

    @property
    def alice(self) -> RTCPeerConnection:
        return self.call.peers.alice

    @property
    def bob(self) -> RTCPeerConnection:
        return self.call.peers.bob

    def record(self, name: str, pc: RTCPeerConnection) -> None:
        """Record the events of a peer from now on."""
        pc.on_connection_state_change = lambda _: self.changes.append(f"{name} {pc.connection_state}")
        pc.on_ice_connection_state_change = lambda _: self.changes.append(f"{name} {pc.ice_connection_state}")
        pc.on_negotiation_needed = lambda _: self.needed.append(name)

    async def send(self, channel: RTCDataChannel) -> None:
        number = 0
        while not self._ended:
            await channel.send(f"{number}")
            number += 1
            await trio.sleep(MESSAGE_INTERVAL)
        await channel.send("end")

    async def receive(self, name: str, channel: RTCDataChannel) -> None:
        expected, before, longest = 0, trio.current_time(), 0.0
        while (message := await channel.receive()) != "end":
            assert message == f"{expected}"
            expected += 1
            longest = max(longest, trio.current_time() - before)
            before = trio.current_time()
        assert expected > 40
        self.gaps[name] = longest

    def end(self) -> None:
        self._ended = True


@asynccontextmanager
async def live_call() -> AsyncIterator[LiveCall]:
    """Open a call, and check at its end that no message was lost and nothing has stalled."""
    async with metered_call(link=LINK) as call:
        live = LiveCall(call)
        ends = await channel_pair(live.alice, live.bob)
        await trio.sleep(1)
        live.record("alice", live.alice)
        live.record("bob", live.bob)
        began = trio.current_time()
        first = len(call.video.frames)
        async with trio.open_nursery() as nursery:
            for name, channel in zip(("alice", "bob"), ends, strict=True):
                nursery.start_soon(live.send, channel)
                nursery.start_soon(live.receive, name, channel)
            yield live
            await trio.sleep(1)
            live.end()
        ended = trio.current_time()
        stalls = [log.longest_stall(began, ended) for log in (call.video, call.audio)]
        assert max(*stalls, *live.gaps.values()) < LONGEST_GAP, (stalls, live.gaps)
        indices = [frame.index for frame in call.video.frames[first:]]
        assert indices == list(range(indices[0], indices[0] + len(indices)))
        # ICE is complete again when gathering and the checks of the new generation have ended.
        states = {change.split()[1] for change in live.changes}
        assert states <= {"connected", "completed"}


def credentials(pc: RTCPeerConnection) -> list[str]:
    """Return the username fragments of the local and of the remote description."""
    assert pc.remote_description is not None
    descriptions = (description_of(pc), pc.remote_description)
    return [each.sdp.split("a=ice-ufrag:")[1].split("\r\n")[0] for each in descriptions]


def candidate_fragments(pc: RTCPeerConnection) -> set[str | None]:
    """Return the username fragments of the candidates of both sides."""
    assert pc.sctp is not None
    ice = pc.sctp.transport.ice_transport
    return {each.username_fragment for each in (*ice.get_local_candidates(), *ice.get_remote_candidates())}


async def answer(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Complete a negotiation whose local offer has been applied."""
    await answerer.set_remote_description(description_of(offerer))
    await answerer.set_local_description()
    await offerer.set_remote_description(description_of(answerer))


async def by_restart_ice(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.restart_ice()
    await connect(one, other)


async def by_an_option_of_the_offer(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    await one.set_local_description(await one.create_offer(ice_restart=True))
    await answer(one, other)


async def twice_before_the_offer(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.restart_ice()
    await trio.testing.wait_all_tasks_blocked()
    one.restart_ice()
    await trio.testing.wait_all_tasks_blocked()
    await connect(one, other)


async def requested_after_the_offer_was_created(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """The created offer has the former credentials, so the restart needs another negotiation."""
    offer = await one.create_offer()
    one.restart_ice()
    await one.set_local_description(offer)
    await answer(one, other)
    await connect(one, other)


async def requested_in_have_local_offer(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    await one.set_local_description()
    one.restart_ice()
    await answer(one, other)
    await trio.testing.wait_all_tasks_blocked()
    await connect(one, other)


async def requested_in_have_remote_offer(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    await other.set_local_description()
    await one.set_remote_description(description_of(other))
    one.restart_ice()
    await one.set_local_description()
    await other.set_remote_description(description_of(one))
    await trio.testing.wait_all_tasks_blocked()
    await connect(one, other)


async def requested_while_the_chain_is_busy(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.set_local_description)
        await trio.testing.wait_all_tasks_blocked()
        one.restart_ice()
    await answer(one, other)
    await trio.testing.wait_all_tasks_blocked()
    await connect(one, other)


async def fulfilled_by_the_peer(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """An answer to an offer that restarts ICE has new credentials, so no further restart is needed."""
    one.restart_ice()
    await trio.testing.wait_all_tasks_blocked()
    await connect_with(other, one, await other.create_offer(ice_restart=True))


async def connect_with(
    offerer: RTCPeerConnection, answerer: RTCPeerConnection, offer: RTCSessionDescription
) -> None:
    trickle(offerer, answerer)
    await offerer.set_local_description(offer)
    await answer(offerer, answerer)


async def after_a_rollback(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.on_ice_candidate = None
    one.restart_ice()
    await one.set_local_description()
    await trio.sleep(0.2)
    await one.set_local_description({"type": "rollback", "sdp": ""})
    await trio.sleep(0.2)
    await connect(one, other)


async def after_a_remote_rollback(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.restart_ice()
    trickle(one, other)
    await one.set_local_description()
    await other.set_remote_description(description_of(one))
    await trio.sleep(0.2)
    await other.set_remote_description({"type": "rollback", "sdp": ""})
    await answer(one, other)


async def by_both_sides_at_once(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """The polite side rolls its offer back; its restart is fulfilled by its answer."""
    one.restart_ice()
    other.restart_ice()
    one.on_ice_candidate = other.on_ice_candidate = None
    await one.set_local_description()
    await other.set_local_description()
    await trio.sleep(0.1)
    trickle(one, other)
    await answer(other, one)


async def with_a_provisional_answer(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.restart_ice()
    trickle(one, other)
    await one.set_local_description()
    await other.set_remote_description(description_of(one))
    provisional = await other.create_answer()
    await other.set_local_description({"type": "pranswer", "sdp": provisional.sdp})
    await one.set_remote_description({"type": "pranswer", "sdp": description_of(other).sdp})
    await trio.sleep(0.2)
    await other.set_local_description(provisional)
    await one.set_remote_description(description_of(other))


async def with_an_answer_that_is_late(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.on_ice_candidate = None
    one.restart_ice()
    await one.set_local_description()
    await trio.sleep(2)
    await answer(one, other)


async def again_before_the_checks_end(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    for _ in range(3):
        one.restart_ice()
        await connect(one, other)


async def with_a_further_section(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    one.restart_ice()
    one.add_transceiver("audio")
    await connect(one, other)


FORMS = {
    form.__name__: form
    for form in (
        by_restart_ice,
        by_an_option_of_the_offer,
        twice_before_the_offer,
        requested_after_the_offer_was_created,
        requested_in_have_local_offer,
        requested_in_have_remote_offer,
        requested_while_the_chain_is_busy,
        fulfilled_by_the_peer,
        after_a_rollback,
        after_a_remote_rollback,
        by_both_sides_at_once,
        with_a_provisional_answer,
        with_an_answer_that_is_late,
        again_before_the_checks_end,
        with_a_further_section,
    )
}


# Those that wait until negotiation_needed has fired, which it does once.
FIRES = {
    twice_before_the_offer,
    requested_in_have_local_offer,
    requested_in_have_remote_offer,
    requested_while_the_chain_is_busy,
    fulfilled_by_the_peer,
    after_a_rollback,
}


@pytest.mark.parametrize("restarting", ["alice", "bob"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_nothing_is_lost(
    form: Callable[[RTCPeerConnection, RTCPeerConnection], Awaitable[None]], restarting: str
) -> None:
    async with live_call() as live:
        one, other = (live.alice, live.bob) if restarting == "alice" else (live.bob, live.alice)
        before = credentials(one)
        await form(one, other)
        assert one.signaling_state == other.signaling_state == "stable"
        after = credentials(one)
        assert not set(before) & set(after)
        assert after == credentials(other)[::-1]
        await trio.sleep(1)
        assert live.needed == [restarting] * (form in FIRES)
        for pc in (live.alice, live.bob):
            assert candidate_fragments(pc) == set(credentials(pc))


async def test_candidates_of_the_former_generation_are_discarded() -> None:
    """RFC 8445 section 9: they are not in the description any more, and late ones are refused."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        mine, theirs = await channel_pair(alice, bob)
        assert alice.sctp is not None
        former = alice.sctp.transport.ice_transport.get_local_candidates()[0]
        assert f"a=ice-ufrag:{former.username_fragment}" in description_of(alice).sdp
        alice.restart_ice()
        await connect(alice, bob)
        assert f"a=ice-ufrag:{former.username_fragment}" not in description_of(alice).sdp
        with pytest.raises(OperationError):
            await bob.add_ice_candidate(former)
        await messages_pass(mine, theirs)


def servers(name: str, policy: str = "all") -> RTCConfiguration:
    return RTCConfiguration(
        ice_servers=[RTCIceServer(f"stun:{name}.example")],
        ice_transport_policy=RTCIceTransportPolicy(policy),
    )


async def test_a_restart_uses_the_servers_that_were_set() -> None:
    """W3C webrtc section 4.4.1.6: nothing happens until the next gathering, and then only the new servers count."""
    async with two_peers(configuration=servers("one")) as peers:
        alice, bob = peers.alice, peers.bob
        urls: list[str] = []
        alice.on_ice_candidate_error = lambda event: urls.append(event.url)
        mine, theirs = await channel_pair(alice, bob)
        await trio.sleep(10)
        assert urls == ["stun:one.example"]
        alice.set_configuration(servers("two"))
        await trio.sleep(10)
        assert urls == ["stun:one.example"]
        for name in ("two", "three"):
            alice.set_configuration(servers(name))
            alice.restart_ice()
            await connect(alice, bob)
            await messages_pass(mine, theirs)
            await trio.sleep(10)
        assert urls == ["stun:one.example", "stun:two.example", "stun:three.example"]


async def test_a_restart_uses_the_policy_that_was_set() -> None:
    """The former path stays in use while the policy permits no candidate."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        mine, theirs = await channel_pair(alice, bob)
        assert alice.sctp is not None
        ice = alice.sctp.transport.ice_transport
        policies: list[tuple[str, list[str]]] = [("relay", []), ("all", ["host"])]
        for policy, types in policies:
            alice.set_configuration(servers("none", policy))
            alice.restart_ice()
            await connect(alice, bob)
            await messages_pass(mine, theirs)
            await alice.gathering_complete()
            assert [each.type for each in ice.get_local_candidates() if each.candidate] == types
        assert alice.connection_state == "connected"


@pytest.mark.parametrize("state", ["disconnected", "failed"])
@pytest.mark.parametrize("restarting", ["alice", "bob"])
async def test_a_restart_connects_again(state: str, restarting: str) -> None:
    """Messages sent meanwhile arrive, in order."""
    async with two_peers(link=LINK) as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        peers.network.partition("alice")
        for pc in (peers.alice, peers.bob):
            await state_reached(pc, state)
        for number in range(10):
            await mine.send(f"{number}")
        peers.network.heal()
        one, other = (peers.alice, peers.bob) if restarting == "alice" else (peers.bob, peers.alice)
        one.restart_ice()
        await connect(one, other)
        began = trio.current_time()
        for pc in (peers.alice, peers.bob):
            await state_reached(pc, "connected")
        assert trio.current_time() - began < 1
        assert [await theirs.receive() for _ in range(10)] == [f"{number}" for number in range(10)]
        assert trio.current_time() - began < 15


@pytest.mark.parametrize("restarting", ["we", "the peer"])
async def test_each_transport_of_an_unbundled_call_restarts(restarting: str) -> None:
    async with unbundled_call(2) as call:
        audio, data = call.peer.parts
        source, track = open_media_track("audio")
        if restarting == "we":
            call.pc.add_track(track)
            channel = call.pc.create_data_channel("chat")
            listener, renegotiate = data, call.offer
        else:
            audio.add_track(track)
            channel = data.create_data_channel("chat")
            listener, renegotiate = call.pc, call.negotiate
        async with listener.subscribe("data_channel") as announced:
            before = await renegotiate()
            other_end = (await announced.receive()).channel
        await channel.opened()
        await trio.sleep(1)
        states: list[str] = []
        call.pc.on_connection_state_change = lambda _: states.append(call.pc.connection_state)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(messages_pass, channel, other_end, 300)
            for _ in range(3):
                for pc in (call.pc,) if restarting == "we" else call.peer.parts:
                    pc.restart_ice()
                after = await renegotiate()
                former, renewed = (set(re.findall("a=ice-ufrag:(.*)", each.sdp)) for each in (before, after))
                assert len(renewed) == 1
                assert not former & renewed
                before = after
                await trio.sleep(1)
        await messages_pass(channel, other_end)
        assert states == []
        source.close()
