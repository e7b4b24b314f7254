"""ICE credentials that the application supplies, and those that it writes into its own descriptions."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.media import until_connected
from tests.strategies.peers import Peers, connect, description_of, settings_for, trickle
from trio_rtc import (
    InvalidModificationError,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceParameters,
    RTCPeerConnection,
    RTCSessionDescription,
    Settings,
)
from trio_rtc._connection.ice_credentials import IceCredentials
from trio_rtc.jsep import SessionOptions
from trio_rtc.protocols.ice import IceParameters
from trio_rtc.testing import SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

Supplied = RTCIceParameters | Callable[[], RTCIceParameters]


def pair(name: str) -> RTCIceParameters:
    """Return credentials in the form of libp2p's, where both are the same text."""
    text = f"libp2p+webrtc+v1/{name}".ljust(24, "0")
    return RTCIceParameters(text, text)


def numbered(name: str) -> Callable[[], RTCIceParameters]:
    numbers = iter(range(100))
    return lambda: pair(f"{name}{next(numbers)}")


@asynccontextmanager
async def peers_with(alice: Supplied | None, bob: Supplied | None, **options: bool) -> AsyncIterator[Peers]:
    settings = Settings(session=SessionOptions(**options))  # type: ignore[arg-type]
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        chosen = [
            attrs.evolve(settings_for(host, seed, settings), ice_credentials=supplied)
            for seed, (host, supplied) in enumerate(zip(hosts, (alice, bob), strict=True))
        ]
        async with (
            RTCPeerConnection(settings=chosen[0]) as one,
            RTCPeerConnection(settings=chosen[1]) as other,
        ):
            yield Peers(network, hosts, one, other)


def credentials_of(pc: RTCPeerConnection) -> set[tuple[str, str]]:
    """Return the credentials in a peer's local description."""
    sdp = description_of(pc).sdp
    fragments, passwords = (re.findall(f"a=ice-{name}:(.*)\r", sdp) for name in ("ufrag", "pwd"))
    return set(zip(fragments, passwords, strict=True))


async def check_echo(mine: RTCDataChannel, theirs: RTCDataChannel) -> None:
    with trio.fail_after(5):
        await mine.send("ping")
        assert await theirs.receive() == "ping"


async def open_channels(peers: Peers) -> tuple[RTCDataChannel, RTCDataChannel]:
    one, other = (pc.create_data_channel("chat", negotiated=True, id=0) for pc in (peers.alice, peers.bob))
    return one, other


def as_text(parameters: RTCIceParameters) -> tuple[str, str]:
    return parameters.username_fragment, parameters.password


async def test_peers_connect_with_pairs_and_restart_with_random_ones() -> None:
    async with peers_with(pair("alice"), pair("bob")) as peers:
        mine, theirs = await open_channels(peers)
        await connect(peers.alice, peers.bob)
        assert credentials_of(peers.alice) == {as_text(pair("alice"))}
        assert credentials_of(peers.bob) == {as_text(pair("bob"))}
        await mine.opened()
        await check_echo(mine, theirs)
        peers.alice.restart_ice()
        await connect(peers.alice, peers.bob)
        for peer, name in ((peers.alice, "alice"), (peers.bob, "bob")):
            (renewed,) = credentials_of(peer)
            assert not set(renewed).intersection(as_text(pair(name)))
        await trio.sleep(5)
        await check_echo(theirs, mine)


async def test_functions_supply_the_credentials_of_each_generation() -> None:
    async with peers_with(numbered("alice"), numbered("bob")) as peers:
        mine, theirs = await open_channels(peers)
        await connect(peers.alice, peers.bob)
        await mine.opened()
        for generation in range(1, 4):
            peers.bob.restart_ice()
            await connect(peers.bob, peers.alice)
            await trio.sleep(5)
            await check_echo(mine, theirs)
            assert credentials_of(peers.alice) == {as_text(pair(f"alice{generation}"))}
            assert credentials_of(peers.bob) == {as_text(pair(f"bob{generation}"))}
            assert peers.alice.sctp is not None
            assert peers.alice.sctp.transport.ice_transport.get_local_parameters() == pair(
                f"alice{generation}"
            )


async def test_a_function_is_called_once_for_several_offers_of_a_generation() -> None:
    async with peers_with(numbered("alice"), None) as peers:
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await connect(peers.alice, peers.bob)
        assert credentials_of(peers.alice) == {as_text(pair("alice0"))}
        await peers.alice.create_offer(ice_restart=True)
        offer = await peers.alice.create_offer(ice_restart=True)
        peers.alice.on_ice_candidate = None
        assert pair("alice1").username_fragment in offer.sdp
        await peers.alice.set_local_description(offer)
        await peers.alice.set_local_description({"type": "rollback"})
        assert pair("alice0").username_fragment in (await peers.alice.create_offer()).sdp


def test_a_pair_is_used_for_one_generation() -> None:
    credentials = IceCredentials(pair("alice"))
    assert credentials.next_generation() == IceParameters(*as_text(pair("alice")))
    assert credentials.next_generation() is None
    assert IceCredentials(None).next_generation() is None


@pytest.mark.parametrize(
    ("ufrag", "password", "message"),
    [
        ("abc", "x" * 22, "username fragment must have 4 to 256 letters.*not 3 characters, 'abc'"),
        ("x" * 257, "x" * 22, "username fragment must have 4 to 256"),
        ("ab:cd", "x" * 22, "username fragment must have 4 to 256 letters"),
        ("abcd", "secret", "password must have 22 to 256 letters, digits, .* not 6 characters$"),
        ("abcd", "x" * 257, "password must have 22 to 256"),
        ("abcd", "x" * 22 + "=", "password must have 22 to 256"),
        ("abcd\n", "x" * 22, "username fragment must have"),
    ],
)
def test_malformed_credentials_are_refused(ufrag: str, password: str, message: str) -> None:
    malformed = RTCIceParameters(ufrag, password)
    with pytest.raises(ValueError, match=message):
        Settings(ice_credentials=malformed)
    with pytest.raises(ValueError, match=message):
        RTCPeerConnection(settings=Settings(ice_credentials=lambda: malformed))


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="must be an RTCIceParameters or a function or None"):
        Settings(ice_credentials=("abcd", "x" * 22))  # type: ignore[arg-type]
    supplied = Settings(ice_credentials=lambda: ("abcd", "x" * 22))  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="must return an RTCIceParameters, not tuple"):
        RTCPeerConnection(settings=supplied)


@pytest.mark.parametrize(
    "second", [RTCIceParameters("other", "x" * 22), RTCIceParameters("abcd", "y" * 22)], ids=["pwd", "ufrag"]
)
async def test_a_restart_needs_other_credentials(second: RTCIceParameters) -> None:
    supplied = iter([RTCIceParameters("abcd", "x" * 22), second, RTCIceParameters("efgh", "z" * 22)])
    async with peers_with(lambda: next(supplied), None) as peers:
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        peers.alice.restart_ice()
        with pytest.raises(ValueError, match="not one of the last generation again"):
            await peers.alice.create_offer()
        assert peers.alice.signaling_state == "stable"
        await connect(peers.alice, peers.bob)
        assert credentials_of(peers.alice) == {("efgh", "z" * 22)}


# -- credentials that are written into a description --------------------------------------------------------------


def munged(description: RTCSessionDescription, name: str) -> RTCSessionDescription:
    text = pair(name).username_fragment
    sdp = re.sub("a=ice-(ufrag|pwd):.*\r", rf"a=ice-\1:{text}\r", description.sdp)
    return RTCSessionDescription(description.type, sdp)


async def connect_munged(offerer: RTCPeerConnection, answerer: RTCPeerConnection, names: str) -> None:
    trickle(offerer, answerer)
    await offerer.set_local_description(munged(await offerer.create_offer(), f"{names}a"))
    await answerer.set_remote_description(description_of(offerer))
    await answerer.set_local_description(munged(await answerer.create_answer(), f"{names}b"))
    await offerer.set_remote_description(description_of(answerer))


async def test_peers_connect_and_restart_with_changed_credentials() -> None:
    async with peers_with(None, None, allow_changed_ice_credentials=True) as peers:
        mine, theirs = await open_channels(peers)
        for name in ("first", "second"):
            await connect_munged(peers.alice, peers.bob, name)
            await until_connected(peers.alice)
            await trio.sleep(5)
            await check_echo(mine, theirs)
            assert credentials_of(peers.alice) == {as_text(pair(f"{name}a"))}
            assert credentials_of(peers.bob) == {as_text(pair(f"{name}b"))}
            for peer, letter in ((peers.alice, "a"), (peers.bob, "b")):
                assert peer.sctp is not None
                ice = peer.sctp.transport.ice_transport
                assert ice.get_local_parameters() == pair(f"{name}{letter}")
                assert ice.state in ("connected", "completed")
            peers.alice.restart_ice()


async def test_changed_credentials_replace_those_of_the_candidate_pool() -> None:
    async with peers_with(None, None, allow_changed_ice_credentials=True) as peers:
        mine, theirs = await open_channels(peers)
        peers.alice.set_configuration(RTCConfiguration(ice_candidate_pool_size=1))
        await trio.sleep(1)
        await connect_munged(peers.alice, peers.bob, "pool")
        await mine.opened()
        await check_echo(mine, theirs)
        assert credentials_of(peers.alice) == {as_text(pair("poola"))}
        assert "a=candidate" in description_of(peers.alice).sdp


async def test_an_offer_with_changed_credentials_is_rolled_back() -> None:
    async with peers_with(None, None, allow_changed_ice_credentials=True) as peers:
        mine, theirs = await open_channels(peers)
        offer = await peers.alice.create_offer()
        await peers.alice.set_local_description(munged(offer, "one"))
        await trio.sleep(1)
        await peers.alice.set_local_description({"type": "rollback"})
        await connect(peers.alice, peers.bob)
        assert pair("one").username_fragment not in description_of(peers.alice).sdp
        await mine.opened()
        await check_echo(mine, theirs)


async def test_changed_credentials_need_a_setting() -> None:
    async with peers_with(None, None) as peers:
        peers.alice.create_data_channel("chat")
        offer = await peers.alice.create_offer()
        with pytest.raises(
            InvalidModificationError, match=r"line \d+ must be 'a=ice-ufrag:.*ice_credentials"
        ):
            await peers.alice.set_local_description(munged(offer, "one"))
        assert peers.alice.signaling_state == "stable"
        await peers.alice.set_local_description(offer)
