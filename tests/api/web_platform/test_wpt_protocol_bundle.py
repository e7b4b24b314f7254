"""Transports with and without BUNDLE (RFC 9143, RFC 9429 section 4.1.1)."""

import re

import pytest
import trio
import trio.testing

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import description_of, two_peers
from trio_rtc import MediaStream, RTCConfiguration, RTCPeerConnection, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")

FINGERPRINT = ":".join(["A7"] * 32)
HEAD = "v=0\r\no=- 0 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
TRANSPORT = (
    "a=ice-ufrag:ETEn\r\na=ice-pwd:OtSK0WpNtpUjkY4+86js7Z/l\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:actpass\r\n"
)


def media(kind: str, port: int, codec: str, attributes: str) -> str:
    return (
        f"m={kind} {port} UDP/TLS/RTP/SAVPF 100\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=sendonly\r\n"
        f"a=mid:{kind}\r\na=rtpmap:100 {codec}\r\n{attributes}"
    )


def add_tracks(pc: RTCPeerConnection) -> None:
    stream = MediaStream()
    for kind in ("audio", "video"):
        pc.add_track(local_track(kind), stream)


async def answer(alice: RTCPeerConnection, bob: RTCPeerConnection) -> None:
    await bob.set_remote_description(description_of(alice))
    await bob.set_local_description()
    await alice.set_remote_description(description_of(bob))


async def test_without_bundle_there_are_two_transports() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        add_tracks(alice)
        events: list[RTCTrackEvent] = []
        bob.on_track = events.append
        alice.on_ice_candidate = lambda event: bob.add_ice_candidate(event.candidate)
        bob.on_ice_candidate = lambda event: alice.add_ice_candidate(event.candidate)
        offer = await alice.create_offer()
        await bob.set_remote_description(
            {"type": "offer", "sdp": re.sub("a=group:BUNDLE.*\r\n", "", offer.sdp)}
        )
        await alice.set_local_description(offer)
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        assert len(events[0].streams[0].get_tracks()) == 2
        transports = [sender.transport for sender in alice.get_senders()]
        assert None not in transports
        assert len(set(transports)) == 2
        assert len({transport.ice_transport for transport in transports if transport is not None}) == 2
        await trio.sleep(2)
        assert alice.connection_state == bob.connection_state == "connected"


@pytest.mark.parametrize("offers", [1, 2])
async def test_the_first_transport_remains_and_the_second_is_closed(offers: int) -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        add_tracks(alice)
        for _ in range(offers):
            await alice.set_local_description()
        first, second = (sender.transport for sender in alice.get_senders())
        assert second is not None
        assert first is not second
        await answer(alice, bob)
        assert [sender.transport for sender in alice.get_senders()] == [first, first]
        await trio.testing.wait_all_tasks_blocked()
        assert second.state == "closed"


async def test_max_bundle_negotiates_the_first_section_of_an_offer_without_bundle() -> None:
    async with RTCPeerConnection(RTCConfiguration(bundle_policy="max-bundle")) as pc:
        offer = (
            HEAD + media("audio", 9, "opus/48000/2", TRANSPORT) + media("video", 9, "VP8/90000", TRANSPORT)
        )
        await pc.set_remote_description({"type": "offer", "sdp": offer})
        audio, video = pc.get_transceivers()
        await pc.set_local_description()
        assert not audio.stopped
        assert video.stopped


async def test_a_bundle_only_section_needs_no_transport_attributes() -> None:
    async with RTCPeerConnection() as pc:
        audio = media("audio", 9, "opus/48000/2", TRANSPORT)
        video = media("video", 0, "VP8/90000", "a=bundle-only\r\n")
        await pc.set_remote_description(
            {"type": "offer", "sdp": f"{HEAD}a=group:BUNDLE audio video\r\n{audio}{video}"}
        )
        assert len(pc.get_transceivers()) == 2
