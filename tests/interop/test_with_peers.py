"""Connections and messages of all kinds with every peer, offering and answering, with and without trickling."""

import pytest

from tests.interop.connecting import Connection, connected
from tests.interop.opening import PEERS, Peers

MESSAGES: tuple[str | bytes, ...] = (
    "hello",
    "grüß Gott 🦊",
    "",
    b"\0\1\2",
    b"",
    "x",
    bytes(range(250)) * 240,  # 60,000 bytes: pion accepts at most 65,535
    bytes(range(256)) * 800,  # 204,800 bytes: many SCTP packets
    "ü" * 100_000,
)
SMALL_MESSAGES = 500


def own_limit(connection: Connection) -> float:
    """Return the maximum size of our messages, in bytes."""
    assert connection.own.pc.sctp is not None
    limit = connection.own.pc.sctp.max_message_size
    assert limit is not None
    return limit


def messages_up_to(limit: float) -> list[str | bytes]:
    """Return the messages of at most ``limit`` bytes."""
    sizes = [len(message.encode() if isinstance(message, str) else message) for message in MESSAGES]
    return [message for message, size in zip(MESSAGES, sizes, strict=True) if size <= limit]


@pytest.mark.parametrize("trickle", [True, False], ids=["trickle", "vanilla"])
@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])
@pytest.mark.parametrize("name", PEERS)
async def test_messages_of_all_kinds_in_both_directions(
    peers: Peers, name: str, we_offer: bool, trickle: bool
) -> None:
    async with connected(peers, name, we_offer=we_offer, trickle=trickle) as connection:
        ours, theirs = connection.ours, connection.theirs
        await connection.remote.connection_state("connected")
        await connection.own.connection_state("connected")
        assert theirs.members["label"] == ours.label == "chat"
        assert theirs.members["protocol"] == ours.protocol == "words"
        assert theirs.members["id"] == ours.id
        for message in messages_up_to(own_limit(connection)):
            await ours.send(message)
            assert await theirs.receive() == message
            await theirs.send(message)
            assert await ours.receive() == message
        await theirs.send_numbers(SMALL_MESSAGES)
        for number in range(SMALL_MESSAGES):
            await ours.send(str(number))
        for number in range(SMALL_MESSAGES):
            assert await ours.receive() == str(number)
            assert await theirs.receive() == str(number)
