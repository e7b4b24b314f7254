"""Garbage, replayed and spoofed datagrams in a live connection are dropped and counted."""

import random
from collections.abc import Callable

import pytest
import trio

from tests.strategies.peers import Peers, channel_pair, open_channel, two_peers
from tests.strategies.scenarios import layer_counters, messages_pass, seeds
from trio_rtc import Address
from trio_rtc.testing import Packet, Pass, SimulatedSocket, TraceKind

pytestmark = pytest.mark.usefixtures("autojump_clock")

RANGES = {
    "STUN": range(4),
    "ZRTP": range(16, 20),
    "DTLS": range(20, 64),
    "TURN channel": range(64, 80),
    "RTP and RTCP": range(128, 192),
    "nothing known": range(192, 256),
}
COUNT = 200


def sockets(peers: Peers) -> tuple[SimulatedSocket, SimulatedSocket]:
    """Return the one socket of Alice and the one of Bob."""
    (alices,), (bobs,) = (host.open_sockets for host in peers.hosts)
    return alices, bobs


async def dropped(peers: Peers) -> float:
    """Return the number of packets that Bob's layers have dropped."""
    ice, dtls = await layer_counters(peers.bob, "ice"), await layer_counters(peers.bob, "dtls")
    reasons = ("replayed", "forged", "malformed", "wrong_epoch", "unexpected", "overflowed", "inbox_dropped")
    return sum(ice.values()) + sum(dtls[reason] for reason in reasons)


Attack = Callable[[Peers, random.Random], None]


def garbage(first_bytes: range) -> Attack:
    """Random bytes after the first byte of one layer, from Alice's address and from others."""

    def attack(peers: Peers, rng: random.Random) -> None:
        alices, bobs = (opened.local_address for opened in sockets(peers))
        for number in range(COUNT):
            data = bytes([rng.choice(first_bytes)]) + rng.randbytes(rng.choice([0, 1, 12, 19, 40, 1100]))
            source = alices if number % 2 else Address("10.0.0.1", rng.randrange(1024, 65536))
            peers.hosts[0].send([data], source, bobs)

    return attack


def replayed(peers: Peers, rng: random.Random) -> None:
    """All datagrams that Alice has sent, in random order."""
    alices, bobs = (opened.local_address for opened in sockets(peers))
    packets = peers.network.trace.packets(TraceKind.SENT, sender="alice")
    for packet in rng.sample(packets, len(packets)):
        peers.hosts[0].send([packet.data], alices, bobs)


def reflected(peers: Peers, rng: random.Random) -> None:
    """All datagrams that Bob has sent, sent back to him."""
    alices, bobs = (opened.local_address for opened in sockets(peers))
    packets = peers.network.trace.packets(TraceKind.SENT, sender="bob")
    for packet in rng.sample(packets, len(packets)):
        peers.hosts[0].send([packet.data], alices, bobs)


def replayed_from_elsewhere(peers: Peers, rng: random.Random) -> None:
    """All datagrams that Alice has sent, from many other ports of her host."""
    bobs = sockets(peers)[1].local_address
    for packet in peers.network.trace.packets(TraceKind.SENT, sender="alice"):
        peers.hosts[0].send([packet.data], Address("10.0.0.1", rng.randrange(1024, 65536)), bobs)


def damaged(peers: Peers, rng: random.Random) -> None:
    """Alice's datagrams with some bytes changed, removed or added."""
    alices, bobs = (opened.local_address for opened in sockets(peers))
    for packet in peers.network.trace.packets(TraceKind.SENT, sender="alice"):
        data = bytearray(packet.data)
        match rng.randrange(3):
            case 0:
                data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
            case 1:
                del data[rng.randrange(1, len(data)) :]
            case _:
                data += rng.randbytes(rng.randrange(1, 50))
        peers.hosts[0].send([bytes(data)], alices, bobs)


def forged_alerts(peers: Peers, rng: random.Random) -> None:
    """Fatal alerts and close_notify in plaintext, of both epochs."""
    alices, bobs = (opened.local_address for opened in sockets(peers))
    for epoch in (0, 1):
        for level, description in ((1, 0), (2, 0), (2, 40), (2, 20)):
            sequence = rng.randrange(1 << 20).to_bytes(6, "big")
            record = b"\x15\xfe\xfd" + epoch.to_bytes(2, "big") + sequence + b"\x00\x02"
            peers.hosts[0].send([record + bytes([level, description])], alices, bobs)


ATTACKS: dict[str, Attack] = {
    **{f"garbage for {name}": garbage(first_bytes) for name, first_bytes in RANGES.items()},
    "replayed": replayed,
    "reflected": reflected,
    "replayed from elsewhere": replayed_from_elsewhere,
    "damaged": damaged,
    "forged goodbyes": forged_alerts,
}


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_a_live_connection_continues(attack: Attack, seed: int) -> None:
    rng = random.Random(seed)
    async with open_channel(seed=seed) as (mine, theirs, peers):
        await messages_pass(mine, theirs, 20)
        before = await dropped(peers)
        for _ in range(3):
            attack(peers, rng)
            with trio.fail_after(1):
                await messages_pass(mine, theirs, 5)
            await trio.sleep(0.5)
        assert await dropped(peers) > before
        await trio.sleep(40)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"
        await messages_pass(mine, theirs)


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_an_attack_does_not_move_the_path(attack: Attack, seed: int) -> None:
    """Bob continues to send to Alice's address."""
    rng = random.Random(seed)
    async with open_channel(seed=seed) as (mine, theirs, peers):
        await messages_pass(mine, theirs, 5)
        alices = sockets(peers)[0].local_address
        attack(peers, rng)
        await trio.sleep(20)
        sent = len(peers.network.trace.packets(TraceKind.SENT, sender="bob"))
        await messages_pass(mine, theirs, 5)
        after = peers.network.trace.packets(TraceKind.SENT, sender="bob")[sent:]
        assert {packet.destination for packet in after if packet.data[0] >= 20} == {alices}


@pytest.mark.parametrize("seed", seeds(3))
async def test_noise_during_the_whole_setup(seed: int) -> None:
    """An off-path attacker repeats all datagrams from its own address, with noise between them."""
    rng = random.Random(seed)
    async with two_peers(seed=seed) as peers:
        stranger = peers.network.add_host("stranger", ["10.0.0.3"])

        def add_noise(packet: Packet) -> Pass:
            if packet.sender != "stranger":
                damaged_copy = packet.data[: rng.randrange(1, len(packet.data))] + rng.randbytes(20)
                for data in (packet.data, damaged_copy, bytes([packet.data[0]]) + rng.randbytes(100)):
                    stranger.send([data], Address("10.0.0.3", 4000), packet.destination)
            return Pass()

        peers.network.add_filter(add_noise)
        with trio.fail_after(3):
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        await trio.sleep(40)
        with trio.fail_after(1):
            await messages_pass(mine, theirs)
        assert sum((await layer_counters(peers.bob, "ice")).values()) > 50
