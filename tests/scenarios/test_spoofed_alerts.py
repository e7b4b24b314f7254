"""Spoofed DTLS alerts from off-path during the handshake: it completes even with long round trips."""

import pytest
import trio

from tests.strategies.peers import Peers, channel_pair, two_peers
from tests.strategies.scenarios import messages_pass
from trio_rtc import DtlsOptions, IceOptions, SessionOptions, Settings
from trio_rtc.testing import Link, Packet, Pass

pytestmark = pytest.mark.usefixtures("autojump_clock")

ALERTS = [
    b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02" + bytes(alert) for alert in ((2, 40), (1, 0), (2, 80), (1, 90))
]


def spoof_alerts(peers: Peers, victim: str) -> list[Packet]:
    """Send the victim spoofed alerts of its peer with each DTLS packet in either direction."""
    host = next(host for host in peers.hosts if host.name == victim)
    seen: list[Packet] = []

    def spoof(packet: Packet) -> Pass:
        if packet.data[0] == 22:
            seen.append(packet)
            source, destination = packet.source, packet.destination
            if packet.sender == victim:
                source, destination = destination, source
            for alert in ALERTS:
                assert host.deliver(Packet(alert, source, destination, "mallory", packet.number)) is None
        return Pass()

    peers.network.add_filter(spoof)
    return seen


@pytest.mark.parametrize("victim", ["alice", "bob"])
@pytest.mark.parametrize("answer_setup", ["active", "passive"])
@pytest.mark.parametrize("grace", [0.0, 1.0])
async def test_a_handshake_with_a_round_trip_of_1_2_seconds(
    victim: str, answer_setup: str, grace: float
) -> None:
    settings = Settings(
        session=SessionOptions(answer_setup=answer_setup),  # type: ignore[arg-type]
        dtls=DtlsOptions(unauthenticated_alert_grace=grace),
    )
    async with two_peers(link=Link(delay=0.6), settings=settings) as peers:
        seen = spoof_alerts(peers, victim)
        with trio.fail_after(20):
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        assert len(seen) >= 4
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_a_path_without_a_round_trip_time_from_ice() -> None:
    """Every check is retransmitted, so that no response yields a round-trip time."""
    settings = Settings(ice=IceOptions(minimum_rto=0.1, pacing_interval=0.005))
    async with two_peers(link=Link(delay=0.6), settings=settings) as peers:
        seen = spoof_alerts(peers, "alice")
        with trio.fail_after(20):
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        assert len(seen) >= 4
