"""``negotiation_needed``: what sets the flag, and when the event is fired (W3C webrtc section 4.7.3)."""

from collections.abc import Callable

import pytest
import trio
import trio.testing

from tests.api.web_platform.negotiation import ROLLBACK, local_track, needs, receiving_offer, settled_needs
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(
    "change",
    [
        lambda pc: pc.create_data_channel("chat"),
        lambda pc: pc.add_transceiver("audio"),
        lambda pc: pc.add_track(local_track()),
    ],
    ids=["channel", "transceiver", "track"],
)
async def test_the_first_change_fires_it_later(change: Callable[[RTCPeerConnection], object]) -> None:
    async with two_peers() as peers:
        change(peers.alice)
        # A handler that is set after the change is early enough.
        log = needs(peers.alice)
        assert log == []
        assert await settled_needs(log) == 1
        change(peers.alice)
        peers.alice.add_transceiver("video")
        assert await settled_needs(log) == 0


async def test_it_is_not_fired_for_a_second_channel() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("one")
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        peers.alice.create_data_channel("two")
        assert await settled_needs(log) == 0


async def test_it_waits_for_stable() -> None:
    async with two_peers() as peers:
        log = needs(peers.alice)
        await peers.alice.set_local_description()
        peers.alice.create_data_channel("chat")
        assert await settled_needs(log) == 0
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        # It is fired after the operation has returned, not by it.
        assert log == []
        assert await settled_needs(log) == 1


async def test_it_waits_for_the_answer_of_ours() -> None:
    async with two_peers() as peers:
        log = needs(peers.bob)
        await peers.bob.set_remote_description(await receiving_offer(peers.alice, "audio"))
        peers.bob.create_data_channel("chat")
        assert await settled_needs(log) == 0
        await peers.bob.set_local_description()
        assert await settled_needs(log) == 1


async def test_a_change_that_the_answer_contains_fires_nothing() -> None:
    async with two_peers() as peers:
        log = needs(peers.bob)
        peers.alice.add_transceiver("audio")
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        peers.bob.add_track(local_track())
        await peers.bob.set_local_description()
        assert await settled_needs(log) == 0


async def test_it_is_fired_after_the_event_of_the_state() -> None:
    async with two_peers() as peers:
        order: list[str] = []
        await peers.alice.set_local_description()
        peers.alice.create_data_channel("chat")
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        for name in ("signaling_state_change", "negotiation_needed"):
            peers.alice.add_event_listener(name, lambda event: order.append(event.type))
        await peers.alice.set_remote_description(description_of(peers.bob))
        order.append("returned")
        await trio.testing.wait_all_tasks_blocked()
        assert order == ["signaling_state_change", "returned", "negotiation_needed"]


async def test_it_waits_for_an_empty_chain() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        log = needs(alice)
        seen: list[int] = []

        async def create() -> None:
            for _ in range(3):
                await alice.create_offer()
                seen.append(len(log))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(create)
            alice.add_transceiver("audio")
        assert await settled_needs(log) == 1


@pytest.mark.parametrize("direction", ["sendonly", "recvonly", "inactive"])
async def test_a_changed_direction(direction: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        transceiver.direction = "sendrecv"
        assert await settled_needs(log) == 0
        transceiver.direction = direction
        # The agreed direction is sendonly: the peer only receives.
        assert await settled_needs(log) == (0 if direction == "sendonly" else 1)
        transceiver.direction = "sendrecv"
        assert await settled_needs(log) == 0


async def test_the_offers_own_direction_counts_until_the_answer() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="sendonly")
        await peers.alice.set_local_description()
        log = needs(peers.alice)
        transceiver.direction = "recvonly"
        assert await settled_needs(log) == 0
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert await settled_needs(log) == 1


async def test_removing_a_track_and_stopping() -> None:
    async with two_peers() as peers:
        senders = [peers.alice.add_track(local_track(kind), MediaStream()) for kind in ("audio", "video")]
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        peers.alice.remove_track(senders[0])
        assert await settled_needs(log) == 1
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(senders[0])
        assert await settled_needs(log) == 0
        peers.alice.get_transceivers()[1].stop()
        assert await settled_needs(log) == 1


async def test_set_streams() -> None:
    async with two_peers() as peers:
        stream = MediaStream()
        sender = peers.alice.add_track(local_track(), stream)
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        sender.set_streams(stream)
        assert await settled_needs(log) == 0
        sender.set_streams(stream, MediaStream())
        assert await settled_needs(log) == 1


async def test_restart_ice() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        peers.alice.restart_ice()
        peers.alice.restart_ice()
        assert await settled_needs(log) == 1
        await negotiate(peers.alice, peers.bob)
        assert await settled_needs(log) == 0


async def test_a_change_that_is_undone_before_the_event() -> None:
    async with two_peers() as peers:
        log = needs(peers.alice)
        peers.alice.add_transceiver("audio").stop()
        assert await settled_needs(log) == 0


async def test_rolling_back_does_not_repeat_it_in_vain() -> None:
    async with two_peers() as peers:
        log = needs(peers.bob)
        await peers.bob.set_remote_description(await receiving_offer(peers.alice, "audio"))
        await peers.bob.set_remote_description(ROLLBACK)
        assert await settled_needs(log) == 0


async def test_a_closed_connection_fires_nothing() -> None:
    async with two_peers() as peers:
        log = needs(peers.alice)
        peers.alice.add_transceiver("audio")
        peers.alice.close()
        assert await settled_needs(log) == 0
