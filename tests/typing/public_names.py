"""Uses of the public names, type-checked by ``nox -s lint`` but never run."""

from collections.abc import Mapping
from typing import Any, assert_type

import trio

import trio_rtc
from trio_rtc import signaling
from trio_rtc.identity import SignedIdentityProvider
from trio_rtc.testing import SimulatedNetwork


async def configure() -> trio_rtc.RTCConfiguration:
    return trio_rtc.RTCConfiguration(
        ice_servers=[trio_rtc.RTCIceServer("stun:stun.example")],
        certificates=[await trio_rtc.RTCPeerConnection.generate_certificate()],
    )


def register(provider: trio_rtc.RTCIdentityProvider) -> trio_rtc.Settings:
    return trio_rtc.Settings(
        identity=trio_rtc.IdentityOptions(providers={("example.org", "default"): provider})
    )


async def identify(pc: trio_rtc.RTCPeerConnection) -> None:
    register(SignedIdentityProvider("example.org", keys={}))
    pc.set_identity_provider("example.org", username_hint="alice@example.org")
    assert_type(await pc.get_identity_assertion(), str)
    assert_type(await pc.peer_identity, trio_rtc.RTCIdentityAssertion)
    assert_type(pc.idp_login_url, str | None)


async def connect(configuration: trio_rtc.RTCConfiguration, settings: trio_rtc.Settings) -> None:
    async with trio_rtc.RTCPeerConnection(configuration, settings=settings) as pc:
        assert_type(pc, trio_rtc.RTCPeerConnection)
        assert_type(await pc.create_offer(ice_restart=True), trio_rtc.RTCSessionDescription)
        assert_type(await pc.create_answer(), trio_rtc.RTCSessionDescription)
        await pc.set_local_description()
        await pc.set_remote_description({"type": "offer", "sdp": ""})
        await pc.add_ice_candidate(None)
        assert_type(pc.local_description, trio_rtc.RTCSessionDescription | None)
        assert_type(pc.connection_state, trio_rtc.RTCPeerConnectionState)
        assert_type(pc.sctp, trio_rtc.RTCSctpTransport | None)
        assert_type(pc.get_configuration(), trio_rtc.RTCConfiguration)
        resource: trio.abc.AsyncResource = pc
        await resource.aclose()


async def use_channel(pc: trio_rtc.RTCPeerConnection) -> None:
    channel = pc.create_data_channel("chat", ordered=False, max_retransmits=0)
    assert_type(channel, trio_rtc.RTCDataChannel)
    generic: trio.abc.Channel[str | bytes] = channel
    await generic.send("text")
    await channel.send(memoryview(b"bytes"))
    async for message in channel:
        assert_type(message, str | bytes)
    stream: trio.abc.HalfCloseableStream = channel.as_stream()
    await stream.send_all(b"bytes")


def set_handlers(pc: trio_rtc.RTCPeerConnection) -> None:
    def announce(event: trio_rtc.RTCDataChannelEvent) -> None:
        assert_type(event.channel, trio_rtc.RTCDataChannel)

    async def send_candidate(event: trio_rtc.RTCPeerConnectionIceEvent) -> None:
        assert_type(event.candidate, trio_rtc.RTCIceCandidate | None)

    pc.on_data_channel = announce
    pc.on_ice_candidate = send_candidate
    pc.on_ice_candidate = None
    pc.on_data_channel = send_candidate  # type: ignore[assignment]


def name_networks(network: SimulatedNetwork) -> trio_rtc.Settings:
    return trio_rtc.Settings(network=network.add_host("alice", ["10.0.0.1"]), close_timeout=0.5)


async def signal(pc: trio_rtc.RTCPeerConnection) -> None:
    async with signaling.connect("ws://127.0.0.1:8080/", room="lobby") as room:
        async for peer in room:
            channel: trio.abc.Channel[dict[str, Any]] = peer
            await signaling.negotiate(channel, pc, polite=peer.polite)


def carry(candidate: trio_rtc.RTCIceCandidate, received: Mapping[str, Any]) -> None:
    assert_type(trio_rtc.RTCIceCandidate.from_json(received), trio_rtc.RTCIceCandidate)
    assert_type(candidate.port, int | None)
