"""``add_ice_candidate`` in the operations chain, and candidates after their description (W3C webrtc 4.4.1.2)."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.strategies.media import ENCODED
from tests.strategies.peers import Peers, description_of, two_peers
from trio_rtc import RTCIceCandidate

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_completes_after_operations_called_before() -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        candidates: list[RTCIceCandidate | None] = []
        alice.on_ice_candidate = lambda event: candidates.append(event.candidate)
        alice.add_transceiver("audio")
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        await trio.sleep(1)
        order: list[str] = []

        async def call(name: str, operation: Callable[[], Awaitable[None]]) -> None:
            await operation()
            order.append(name)

        async with trio.open_nursery() as nursery:
            for name, operation in (
                ("first", bob.set_local_description),
                ("second", bob.set_local_description),
                ("candidate", lambda: bob.add_ice_candidate(candidates[0])),
            ):
                nursery.start_soon(call, name, operation)
                await trio.lowlevel.checkpoint()
        assert order == ["first", "second", "candidate"]


@pytest.mark.parametrize("answers", [False, True])
async def test_candidates_come_after_the_call_has_returned(answers: bool) -> None:
    async with two_peers(settings=ENCODED) as peers:
        peers.alice.add_transceiver("audio")
        events: list[str] = []
        pc = peers.bob if answers else peers.alice
        if answers:
            await offer_to_bob(peers)
        pc.on_ice_candidate = lambda _: events.append("candidate")
        await pc.set_local_description()
        events.append("returned")
        await trio.sleep(1)
        assert events[0] == "returned"
        assert "candidate" in events


async def offer_to_bob(peers: Peers) -> None:
    await peers.alice.set_local_description()
    await peers.bob.set_remote_description(description_of(peers.alice))
