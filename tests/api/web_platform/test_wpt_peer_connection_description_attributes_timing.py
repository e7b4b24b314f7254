"""When the six description attributes change (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.strategies.peers import Peers, description_of, negotiate, two_peers
from trio_rtc import RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")

NAMES = [
    f"{prefix}{side}_description" for side in ("local", "remote") for prefix in ("", "current_", "pending_")
]


def types(pc: RTCPeerConnection) -> list[str | None]:
    """Return the types of the six descriptions, those of the local side first."""
    found = [getattr(pc, name) for name in NAMES]
    return [None if each is None else str(each.type) for each in found]


async def to_pranswer(peers: Peers) -> None:
    await peers.alice.set_local_description()
    await peers.bob.set_remote_description(description_of(peers.alice))
    await peers.bob.set_local_description({"type": "pranswer"})


async def test_the_offerer() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        alice.add_transceiver("audio")
        seen: list[list[str | None]] = []
        alice.on_signaling_state_change = lambda _: seen.append(types(alice))
        before = types(alice)
        operation = alice.set_local_description()
        assert types(alice) == before == [None] * 6
        await operation
        offered = ["offer", None, "offer", None, None, None]
        assert seen == [offered]
        await peers.bob.set_remote_description(description_of(alice))
        await peers.bob.set_local_description()
        operation = alice.set_remote_description(description_of(peers.bob))
        assert types(alice) == offered
        await operation
        assert seen[1:] == [["offer", "offer", None, "answer", "answer", None]]


async def test_the_answerer() -> None:
    async with two_peers() as peers:
        bob = peers.bob
        seen: list[list[str | None]] = []
        bob.on_signaling_state_change = lambda _: seen.append(types(bob))
        await to_pranswer(peers)
        await bob.set_local_description()
        assert seen == [
            [None, None, None, "offer", None, "offer"],
            ["pranswer", None, "pranswer", "offer", None, "offer"],
            ["answer", "answer", None, "offer", "offer", None],
        ]


async def test_a_later_exchange_keeps_the_current_ones_until_its_end() -> None:
    async with two_peers() as peers:
        await negotiate(peers.alice, peers.bob)
        await to_pranswer(peers)
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert types(peers.alice) == ["offer", "offer", "offer", "pranswer", "answer", "pranswer"]
        assert types(peers.bob) == ["pranswer", "answer", "pranswer", "offer", "offer", "offer"]


async def test_each_attribute_is_the_same_object_until_it_changes() -> None:
    async with two_peers() as peers:
        await negotiate(peers.alice, peers.bob)
        for name in NAMES:
            assert getattr(peers.alice, name) is getattr(peers.alice, name)
