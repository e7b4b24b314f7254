"""Silent peers: disconnected soon and failed after 30 seconds, or connected again when the peer returns."""

import pytest
import trio

from tests.strategies.peers import channel_pair, connect, open_channel, two_peers
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import (
    RTCDataChannel,
    RTCError,
    RTCErrorEvent,
    RTCPeerConnection,
    SctpOptions,
    Settings,
)
from trio_rtc.testing import Drop, Link, Pass

pytestmark = pytest.mark.usefixtures("autojump_clock")

CONSENT_TIMEOUT = Settings().ice.consent_timeout


def record_states(pc: RTCPeerConnection) -> list[tuple[float, str]]:
    """Return a list that records each new state of a connection, with the seconds from now."""
    began = trio.current_time()
    history: list[tuple[float, str]] = []
    pc.on_connection_state_change = lambda _: history.append(
        (trio.current_time() - began, str(pc.connection_state))
    )
    return history


@pytest.mark.parametrize("idle", [0.0, 60.0])
async def test_silence_is_detected_within_five_seconds_and_final_after_thirty(idle: float) -> None:
    async with open_channel() as (_, _, peers):
        await trio.sleep(idle)
        peers.network.partition("alice")
        histories = [record_states(peers.alice), record_states(peers.bob)]
        await trio.sleep(60)
        for history in histories:
            assert [state for _, state in history] == ["disconnected", "failed"]
            assert 1 < history[0][0] <= 5
            assert CONSENT_TIMEOUT - 7 < history[1][0] <= CONSENT_TIMEOUT


@pytest.mark.parametrize("connected_for", [0.0, 1.0, 1.5, 2.0, 9.0, 60.0])
async def test_with_two_address_families_a_dead_peer_is_never_connected_again(connected_for: float) -> None:
    """The second pair, checked together with the first one, replaces it while its own consent lasts."""
    link = Link(delay=0.03)
    async with two_peers(link=link, dual_stack=True) as peers:
        await channel_pair(peers.alice, peers.bob)
        await trio.sleep(connected_for)
        peers.network.partition("alice")
        histories = [record_states(peers.alice), record_states(peers.bob)]
        await trio.sleep(120)
        for history in histories:
            assert [state for _, state in history] == ["disconnected", "failed"]
            assert 1 < history[0][0] <= 5
            assert CONSENT_TIMEOUT - 7 < history[1][0] <= CONSENT_TIMEOUT


@pytest.mark.parametrize("away", [2.0, 6.0, 20.0])
async def test_a_peer_that_returns_in_time_is_connected_again(away: float) -> None:
    async with open_channel() as (mine, theirs, peers):
        peers.network.partition("alice", "bob")
        await mine.send("said meanwhile")
        await theirs.send("and the other way")
        await trio.sleep(away)
        peers.network.heal()
        with trio.fail_after(12):
            assert await theirs.receive() == "said meanwhile"
            assert await mine.receive() == "and the other way"
            await state_reached(peers.alice, "connected")
            await state_reached(peers.bob, "connected")
        await messages_pass(mine, theirs)


async def test_an_outage_of_one_direction() -> None:
    """Consent concerns sending: the unreachable side loses it, and the other one receives nothing."""
    async with open_channel() as (_, _, peers):
        peers.network.partition("alice", "bob", one_way=True)
        with trio.fail_after(5):
            await state_reached(peers.alice, "disconnected")
            await state_reached(peers.bob, "disconnected")
        with trio.fail_after(CONSENT_TIMEOUT):
            await state_reached(peers.alice, "failed")
            await state_reached(peers.bob, "failed")


async def test_a_failed_connection_recovers_by_an_ice_restart() -> None:
    """No channel was closed, and queued messages arrive."""
    async with open_channel() as (mine, theirs, peers):
        peers.network.partition("alice")
        await state_reached(peers.alice, "failed")
        await state_reached(peers.bob, "failed")
        peers.network.heal()
        await mine.send("said into the void")
        peers.alice.restart_ice()
        with trio.fail_after(15):
            await connect(peers.alice, peers.bob)
            await state_reached(peers.alice, "connected")
            await state_reached(peers.bob, "connected")
            assert await theirs.receive() == "said into the void"
        await messages_pass(mine, theirs)


async def test_closing_without_a_live_peer_breaks_the_channel() -> None:
    async with open_channel() as (mine, theirs, peers):
        peers.network.add_filter(lambda packet: Drop())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_expect_closed_here, mine)
            await state_reached(peers.alice, "failed")
            assert mine.ready_state == "open"
            with trio.fail_after(2 * Settings().close_timeout):
                await peers.alice.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await mine.send("x")
        assert theirs.ready_state == "open"


async def _expect_closed_here(channel: RTCDataChannel) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await channel.receive()


async def test_a_channel_breaks_when_its_data_is_never_acknowledged() -> None:
    """The association fails after its retransmissions, with a descriptive error."""
    settings = Settings(sctp=SctpOptions(max_retransmissions=4))
    async with open_channel(settings=settings) as (mine, _, peers):
        peers.network.add_filter(lambda packet: Drop() if packet.data[0] == 23 else Pass())
        errors: list[RTCErrorEvent] = []
        mine.on_error = errors.append
        await mine.send("never heard")
        with trio.fail_after(20), pytest.raises(trio.BrokenResourceError) as caught:
            await mine.receive()
        assert isinstance(caught.value.__cause__, RTCError)
        assert [event.error.error_detail for event in errors] == ["sctp-failure"]
        with pytest.raises(trio.BrokenResourceError):
            await mine.send("x")
        assert mine.ready_state == "closed"
        assert peers.alice.sctp is not None
        assert peers.alice.sctp.state == "closed"
        assert peers.alice.connection_state == "connected"


async def test_channels_fail_when_the_association_is_never_established() -> None:
    """DTLS is connected, but no packet of SCTP is answered."""
    async with two_peers() as peers:
        peers.network.add_filter(lambda packet: Drop() if packet.data[0] == 23 else Pass())
        channel = peers.alice.create_data_channel("chat")
        errors: list[RTCErrorEvent] = []
        channel.on_error = errors.append
        await connect(peers.alice, peers.bob)
        await state_reached(peers.alice, "connected")
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError, match="does not answer INIT") as caught:
            await channel.opened()
        assert trio.current_time() - began == pytest.approx(27.5, abs=0.1)
        assert [event.error.error_detail for event in errors] == ["sctp-failure"]
        assert caught.value.__cause__ is errors[0].error
        assert channel.ready_state == "closed"
        assert peers.alice.connection_state == "connected"
        another = peers.alice.create_data_channel("another")
        another.on_error = errors.append
        assert another.ready_state == "connecting"
        with pytest.raises(trio.BrokenResourceError, match="does not answer INIT"):
            await another.opened()
        assert errors[1].error is errors[0].error
        assert peers.alice.sctp is not None


async def send_for_ever(channel: RTCDataChannel) -> None:
    while True:
        await channel.send(bytes(200_000))


async def test_a_waiting_sender_is_notified_of_the_end() -> None:
    settings = Settings(sctp=SctpOptions(max_retransmissions=4))
    async with open_channel(settings=settings) as (mine, _, peers):
        peers.network.add_filter(lambda packet: Drop() if packet.data[0] == 23 else Pass())
        with trio.fail_after(30), pytest.raises(trio.BrokenResourceError):
            await send_for_ever(mine)


async def test_an_orderly_close_ends_the_channel() -> None:
    async with open_channel() as (mine, theirs, peers):
        await mine.send("last words")
        await peers.alice.aclose()
        with trio.fail_after(0.1):
            assert [message async for message in theirs] == ["last words"]
        with pytest.raises(trio.BrokenResourceError):
            await theirs.send("too late")
        with trio.fail_after(5):
            await state_reached(peers.bob, "disconnected", "failed", "closed")
