"""Connections relayed by coturn, over UDP, TCP and TLS."""

import pytest
import trio

from tests.interop.calling import CALL_SECONDS
from tests.interop.drivers.coturn import PASSWORD, USERNAME, Coturn, open_coturn
from tests.interop.opening import Peers
from tests.interop.own_peer import OwnPeer, open_own_peer
from tests.netns.private_network import IPV4_ADDRESS, IPV6_ADDRESS, may_make_namespaces
from trio_rtc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnectionIceErrorEvent,
    Settings,
)
from trio_rtc.protocols.turn import TurnOptions

DELETED = r"delete: realm"


def settings_for(server: Coturn, options: TurnOptions | None = None) -> Settings:
    return Settings(
        interface_filter=lambda address: address.host == server.host,
        turn_tls_context=server.trusted,
        turn=options or TurnOptions(),
    )


def configuration_for(server: Coturn, transport: str, password: str = PASSWORD) -> RTCConfiguration:
    servers = [RTCIceServer(server.url(transport), USERNAME, password)]
    return RTCConfiguration(servers, ice_transport_policy="relay")


async def exchange(offerer: OwnPeer, answerer: OwnPeer) -> None:
    answer = await answerer.create_answer(await offerer.create_offer(trickle=False), trickle=False)
    await offerer.set_answer(answer)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_two_peers_exchange_data_over_relayed_addresses(transport: str) -> None:
    async with open_coturn("127.0.0.1") as server:
        configuration = configuration_for(server, transport)
        with trio.fail_after(CALL_SECONDS):
            async with (
                open_own_peer(settings_for(server), configuration) as ours,
                open_own_peer(settings_for(server), configuration) as theirs,
            ):
                channel = ours.pc.create_data_channel("")
                await exchange(ours, theirs)
                await channel.opened()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(channel.send, bytes(200_000))
                    assert await (await theirs.accept_channel()).receive() == bytes(200_000)
                stats = await ours.transport_stats()
                assert stats.selected_candidate_pair_id is not None
            # The allocations are released, not left to their lifetime.
            await server.wait_for(DELETED, 2)


async def test_refreshes_and_a_stale_nonce() -> None:
    """The server's nonces last a second, so that each request is answered with 438 first."""
    async with open_coturn("127.0.0.1", "--stale-nonce=1") as server:
        configuration = configuration_for(server, "udp")
        settings = settings_for(server, TurnOptions(permission_refresh=0.5))
        with trio.fail_after(CALL_SECONDS):
            async with (
                open_own_peer(settings, configuration) as ours,
                open_own_peer(settings, configuration) as theirs,
            ):
                channel = ours.pc.create_data_channel("")
                await exchange(ours, theirs)
                received = await theirs.accept_channel()
                for number in range(30):
                    await channel.send(str(number))
                    assert await received.receive() == str(number)
                    await trio.sleep(0.1)
                assert ours.pc.ice_connection_state in ("connected", "completed")
            await server.wait_for(DELETED, 2)
            assert server.count("438") > 0


@pytest.mark.parametrize(
    ("options", "password", "code"),
    [((), "wrong", 401), (("--user-quota=1",), PASSWORD, 486)],
    ids=["wrong-password", "quota"],
)
async def test_error_responses(options: tuple[str, ...], password: str, code: int) -> None:
    async with open_coturn("127.0.0.1", *options) as server:
        configuration = configuration_for(server, "udp", password)
        errors: list[RTCPeerConnectionIceErrorEvent] = []
        with trio.fail_after(CALL_SECONDS):
            async with (
                open_own_peer(settings_for(server), configuration) as first,
                open_own_peer(settings_for(server), configuration) as second,
            ):
                for peer in (first, second):
                    peer.pc.on_ice_candidate_error = errors.append
                    peer.pc.create_data_channel("")
                    await peer.create_offer(trickle=False)
        assert errors[-1].error_code == code
        assert errors[-1].error_text


@pytest.mark.parametrize("name", ["chromium", "firefox", "pion"])
async def test_a_foreign_peer_reaches_our_relayed_address(name: str, peers: Peers) -> None:
    host = IPV4_ADDRESS if may_make_namespaces() else "127.0.0.1"
    async with open_coturn(host) as server, peers.open(name) as foreign:
        with trio.fail_after(CALL_SECONDS):
            async with open_own_peer(settings_for(server), configuration_for(server, "udp")) as ours:
                channel = ours.pc.create_data_channel("relayed")
                answer = await foreign.create_answer(await ours.create_offer(trickle=False), trickle=False)
                await ours.set_answer(answer)
                await channel.opened()
                assert ours.pc.sctp is not None
                pair = ours.pc.sctp.transport.ice_transport.get_selected_candidate_pair()
                assert pair is not None
                assert pair.local.type == "relay"


async def test_an_ipv6_allocation() -> None:
    if not may_make_namespaces():
        pytest.skip("only in a network of its own there is an IPv6 address")
    async with open_coturn(IPV6_ADDRESS) as server:
        configuration = configuration_for(server, "udp")
        with trio.fail_after(CALL_SECONDS):
            async with (
                open_own_peer(settings_for(server), configuration) as ours,
                open_own_peer(settings_for(server), configuration) as theirs,
            ):
                channel = ours.pc.create_data_channel("")
                await exchange(ours, theirs)
                await channel.opened()
