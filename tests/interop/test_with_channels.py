"""Data channels with every peer: options on both sides, negotiated channels, closing and reuse of ids."""

from typing import Any

import pytest
import trio

from tests.interop.connecting import Connection, connected
from tests.interop.opening import PEERS, Peers
from tests.interop.remote_peer import RemoteChannel
from trio_rtc import RTCDataChannel

# Options of channels in our and W3C's spelling.
OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"ordered": False}, {"ordered": False}),
    ({"max_retransmits": 0}, {"maxRetransmits": 0}),
    ({"ordered": False, "max_retransmits": 3}, {"ordered": False, "maxRetransmits": 3}),
    ({"max_packet_life_time": 500}, {"maxPacketLifeTime": 500}),
    ({"ordered": False, "max_packet_life_time": 900}, {"ordered": False, "maxPacketLifeTime": 900}),
    # aiortc sends lengths of labels in characters, so that they must be ASCII.
    ({"protocol": "größe"}, {"protocol": "words"}),
]


async def exchange(ours: RTCDataChannel, theirs: RemoteChannel) -> None:
    """Exchange a message in each direction."""
    for message in ("to and fro", b"\0" * 3000):
        await ours.send(message)
        assert await theirs.receive() == message
        await theirs.send(message)
        assert await ours.receive() == message


def assert_alike(ours: RTCDataChannel, theirs: RemoteChannel) -> None:
    """Require the same members at both ends of a channel."""
    assert theirs.members == {
        "label": ours.label,
        "protocol": ours.protocol,
        "ordered": ours.ordered,
        "maxPacketLifeTime": ours.max_packet_life_time,
        "maxRetransmits": ours.max_retransmits,
        "negotiated": ours.negotiated,
        "id": ours.id,
    }


async def open_ours(
    connection: Connection, label: str, **options: Any
) -> tuple[RTCDataChannel, RemoteChannel]:
    """Open a channel from our side."""
    ours = connection.own.pc.create_data_channel(label, **options)
    theirs = await connection.remote.accept_channel()
    await ours.opened()
    await theirs.opened.wait()
    return ours, theirs


async def open_theirs(
    connection: Connection, label: str, **options: Any
) -> tuple[RTCDataChannel, RemoteChannel]:
    """Open a channel from the peer's side; options in W3C's spelling."""
    theirs = await connection.remote.create_data_channel(label, **options)
    ours = await connection.own.accept_channel()
    await theirs.opened.wait()
    return ours, theirs


async def close_ours(ours: RTCDataChannel, theirs: RemoteChannel) -> None:
    """Close a channel from our side, and wait until both ends are closed."""
    await ours.aclose()
    assert ours.ready_state == "closed"
    await theirs.closed.wait()
    with pytest.raises(trio.ClosedResourceError):
        await ours.receive()


async def close_theirs(ours: RTCDataChannel, theirs: RemoteChannel) -> None:
    """Close a channel from the peer's side, and wait until both ends are closed."""
    await theirs.close()
    with pytest.raises(trio.EndOfChannel):
        await ours.receive()
    assert ours.ready_state == "closed"
    await theirs.closed.wait()


async def check_options(connection: Connection) -> None:
    for number, (our_options, their_options) in enumerate(OPTIONS):
        ours, theirs = await open_ours(connection, f"ours {number}", **our_options)
        assert_alike(ours, theirs)
        await exchange(ours, theirs)
        ours, theirs = await open_theirs(connection, f"theirs {number}", **their_options)
        assert_alike(ours, theirs)
        assert theirs.members.items() >= their_options.items()
        await exchange(ours, theirs)


async def check_negotiated(connection: Connection) -> None:
    ours = connection.own.pc.create_data_channel("ours", negotiated=True, id=100)
    theirs = await connection.remote.create_data_channel("theirs", negotiated=True, id=100)
    await ours.opened()
    await theirs.opened.wait()
    assert theirs.members["id"] == ours.id == 100
    assert theirs.members["negotiated"] is ours.negotiated is True
    assert (ours.label, theirs.members["label"]) == ("ours", "theirs")
    await exchange(ours, theirs)
    await close_ours(ours, theirs)


async def check_closing(connection: Connection) -> None:
    ours, theirs = await open_ours(connection, "first")
    first_id = ours.id
    # Messages sent before closing arrive before the end.
    await ours.send("last words")
    await close_ours(ours, theirs)
    assert await theirs.receive() == "last words"
    ours, theirs = await open_ours(connection, "second")
    assert ours.id != first_id
    await exchange(ours, theirs)
    await close_theirs(ours, theirs)
    ours, theirs = await open_theirs(connection, "third")
    await theirs.send("last words")
    assert await ours.receive() == "last words"
    await close_theirs(ours, theirs)
    ours, theirs = await open_theirs(connection, "fourth")
    await exchange(ours, theirs)
    await close_ours(ours, theirs)
    ours, theirs = await open_theirs(connection, "fifth")
    await exchange(ours, theirs)


@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
@pytest.mark.parametrize("name", PEERS)
async def test_channels_open_with_every_option_and_close_from_either_side(
    peers: Peers, name: str, we_offer: bool
) -> None:
    async with connected(peers, name, we_offer=we_offer) as connection:
        await check_options(connection)
        await check_negotiated(connection)
        await check_closing(connection)
        # Closing channels has not affected the first one.
        await connection.assert_alive()
