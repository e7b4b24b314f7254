"""``close`` (W3C webrtc section 4.4.1.10)."""

import pytest
import trio

from tests.api.web_platform.negotiation import event_log, local_track
from tests.strategies.peers import channel_pair, negotiate, two_peers
from trio_rtc import RTCPeerConnection

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning"),
]


def further_channels(pc: RTCPeerConnection, count: int) -> None:
    """Create channels, every other one negotiated."""
    for number in range(1, count + 1):
        if number % 2:
            pc.create_data_channel(f"channel {number}")
        else:
            pc.create_data_channel(f"channel {number}", negotiated=True, id=100 + number)


@pytest.mark.parametrize("connected", [False, True])
async def test_all_channels_are_closed_at_once(connected: bool) -> None:
    async with two_peers() as peers:
        alice = peers.alice
        channels = [alice.create_data_channel(f"early {n}", negotiated=True, id=2 * n) for n in range(12)]
        if connected:
            channels += await channel_pair(alice, peers.bob)
        channels += [alice.create_data_channel(f"late {n}") for n in range(12)]
        further_channels(alice, 4)
        assert "closed" not in [channel.ready_state for channel in channels]
        alice.close()
        peers.bob.close()
        assert {str(channel.ready_state) for channel in channels} == {"closed"}


async def test_all_transports_are_closed_at_once() -> None:
    async with two_peers() as peers:
        await channel_pair(peers.alice, peers.bob)
        sctp = peers.alice.sctp
        assert sctp is not None
        dtls = sctp.transport
        ice = dtls.ice_transport
        log = [event_log(target, *target.EVENTS) for target in (peers.alice, sctp, dtls, ice)]
        peers.alice.close()
        assert (sctp.state, dtls.state, ice.state) == ("closed", "closed", "closed")
        assert peers.alice.sctp is sctp
        await trio.sleep(5)
        assert log == [[], [], [], []]


async def test_states_after_it_and_a_second_call() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        before = peers.alice.local_description
        log = event_log(peers.alice, *peers.alice.EVENTS)
        for _ in range(2):
            peers.alice.close()
            assert peers.alice.signaling_state == "closed"
            assert peers.alice.connection_state == "closed"
            assert peers.alice.ice_connection_state == "closed"
        assert peers.alice.local_description == before
        await trio.sleep(1)
        assert log == []


async def test_transceivers_are_stopped() -> None:
    async with two_peers() as peers:
        track = local_track()
        peers.alice.add_track(track)
        await negotiate(peers.alice, peers.bob)
        (transceiver,) = peers.alice.get_transceivers()
        peers.alice.close()
        assert transceiver.stopped
        assert (transceiver.direction, transceiver.current_direction) == ("stopped", "stopped")
        # The sent track is the application's.
        assert track.ready_state == "live"
