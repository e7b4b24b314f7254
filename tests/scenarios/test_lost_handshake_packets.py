"""Loss of any one handshake packet: the connection still succeeds, soon."""

import itertools

import pytest
import trio

from tests.strategies.peers import channel_pair, two_peers
from tests.strategies.scenarios import messages_pass
from trio_rtc.testing import Drop, Packet, PacketFilter, Pass

pytestmark = pytest.mark.usefixtures("autojump_clock")

SOON = 1.0
"""Maximum virtual seconds: one lost packet costs no more than the first retransmission of its layer."""


class LosePackets:
    """Drops the packets of one sender, or of both, with the given indexes."""

    def __init__(self, sender: str | None, numbers: range) -> None:
        self._sender = sender
        self._numbers = numbers
        self._counter = itertools.count()
        self.lost: list[Packet] = []

    def __call__(self, packet: Packet) -> Pass | Drop:
        if self._sender not in {None, packet.sender} or next(self._counter) not in self._numbers:
            return Pass()
        self.lost.append(packet)
        return Drop()


async def connect_and_exchange(packet_filter: PacketFilter) -> float:
    """Connect under a filter and exchange messages, and return the seconds taken."""
    began = trio.current_time()
    async with two_peers() as peers:
        peers.network.add_filter(packet_filter)
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        await messages_pass(mine, theirs, count=1)
        return trio.current_time() - began


@pytest.mark.parametrize("sender", ["alice", "bob"])
async def test_loss_of_each_packet(sender: str) -> None:
    for number in itertools.count():
        loser = LosePackets(sender, range(number, number + 1))
        with trio.fail_after(SOON):
            await connect_and_exchange(loser)
        if not loser.lost:
            break
    assert number > 8, "the handshakes of ICE, DTLS and SCTP have more packets than that"


async def test_loss_of_each_two_consecutive_packets() -> None:
    for number in itertools.count():
        loser = LosePackets(None, range(number, number + 2))
        with trio.fail_after(2 * SOON):
            await connect_and_exchange(loser)
        if not loser.lost:
            break
    assert number > 16


async def test_an_outage_during_the_handshakes() -> None:
    loser = LosePackets(None, range(8))
    with trio.fail_after(10):
        await connect_and_exchange(loser)
    assert len(loser.lost) == 8
