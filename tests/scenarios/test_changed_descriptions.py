"""Descriptions that the application changes before it applies them: the changes take effect on the wire."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.media import until_connected
from tests.strategies.peers import Peers, description_of, trickle, two_peers
from trio_rtc import (
    InvalidModificationError,
    MediaStream,
    MediaStreamTrackSource,
    OperationError,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
    open_media_track,
)
from trio_rtc.media import ToneSource
from trio_rtc.protocols.rtp import RtpPacket

pytestmark = pytest.mark.usefixtures("autojump_clock")

Munge = Callable[[str], str]
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


def substitute(pattern: str, new: str) -> Munge:
    def munge(sdp: str) -> str:
        changed, found = re.subn(f"(?m){pattern}", new, sdp)
        assert found
        return changed

    return munge


async def connect_munged(
    offerer: RTCPeerConnection, answerer: RTCPeerConnection, offer: Munge = str, answer: Munge = str
) -> None:
    """Connect with a changed offer and a changed answer."""
    trickle(offerer, answerer)
    created = await offerer.create_offer()
    await offerer.set_local_description(RTCSessionDescription("offer", offer(created.sdp)))
    await answerer.set_remote_description(description_of(offerer))
    created = await answerer.create_answer()
    await answerer.set_local_description(RTCSessionDescription("answer", answer(created.sdp)))
    await offerer.set_remote_description(description_of(answerer))
    for peer in (offerer, answerer):
        await until_connected(peer)


@attrs.frozen
class Call:
    """Stereo that Bob sends to Alice, who has created the offer, and video without frames."""

    peers: Peers
    source: MediaStreamTrackSource

    def transceivers(self, kind: str) -> list[RTCRtpTransceiver]:
        """Return the transceiver of each peer."""
        return [
            next(each for each in peer.get_transceivers() if each.receiver.track.kind == kind)
            for peer in (self.peers.alice, self.peers.bob)
        ]

    async def packets(self, count: int = 20) -> list[RtpPacket]:
        """Return the first packets of audio that Alice receives."""
        received: list[RtpPacket] = []
        receiver = self.transceivers("audio")[0].receiver
        async with receiver.rtp_packets() as packets, trio.open_nursery() as nursery:
            nursery.start_soon(self._play)
            async for packet in packets:
                received.append(packet)
                if len(received) == count:
                    break
            nursery.cancel_scope.cancel()
        return received

    async def _play(self) -> None:
        tone = ToneSource(440, channels=2)
        while True:
            await self.source.send(await tone.receive())


@asynccontextmanager
async def munged_call(offer: Munge = str, answer: Munge = str) -> AsyncIterator[Call]:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        source, audio = open_media_track("audio")
        peers.bob.add_track(audio)
        peers.bob.add_track(open_media_track("video")[1])
        await connect_munged(peers.alice, peers.bob, offer, answer)
        yield Call(peers, source)


@pytest.mark.parametrize("stereo", [False, True])
async def test_opus_of_an_own_offer_is_stereo(stereo: bool) -> None:
    munge = substitute("useinbandfec=1", "useinbandfec=1;stereo=1") if stereo else str
    async with munged_call(munge) as call:
        # RFC 6716 section 3.1: the stereo bit of the TOC byte.
        assert {bool(packet.payload[0] & 0x04) for packet in await call.packets()} == {stereo}


async def test_the_bitrate_of_opus_is_limited() -> None:
    async with munged_call(substitute("useinbandfec=1", "useinbandfec=1;maxaveragebitrate=8000")) as call:
        packets = await call.packets(50)
        assert sum(len(packet.payload) for packet in packets) * 8 < 12_000


async def test_longer_packets_are_sent() -> None:
    async with munged_call(substitute("^a=mid:0\r", "a=ptime:60\r\na=mid:0\r")) as call:
        packets = await call.packets()
        assert packets[-1].timestamp - packets[-2].timestamp == 60 * 48


async def test_the_first_codec_of_an_offer_is_sent() -> None:
    async with munged_call(substitute(r"^(m=audio \d+ \S+) (.*) 0\b", r"\1 0 \2")) as call:
        assert {packet.payload_type for packet in await call.packets()} == {0}


async def test_the_first_codec_of_an_answer_is_sent() -> None:
    async with munged_call(answer=substitute(r"^(m=audio \d+ \S+) (.*) 8\b", r"\1 8 \2")) as call:
        assert {packet.payload_type for packet in await call.packets()} == {8}


async def test_removed_codecs_are_not_sent() -> None:
    munge = substitute(r"^(m=audio \d+ \S+) .*", r"\1 9\r")
    async with munged_call(munge) as call:
        assert {packet.payload_type for packet in await call.packets()} == {9}
        for transceiver in call.transceivers("audio"):
            assert [each.mime_type for each in transceiver.receiver.get_parameters().codecs] == ["audio/G722"]


async def test_another_payload_type_is_sent() -> None:
    async with munged_call(substitute(r"\b111\b", "121")) as call:
        assert {packet.payload_type for packet in await call.packets()} == {121}


async def test_a_removed_header_extension_is_neither_sent_nor_expected() -> None:
    numbers = []
    for munge in (str, substitute(f"^a=extmap:.*{LEVEL}\r\n", "")):
        async with munged_call(munge) as call:
            sides = call.transceivers("audio")
            negotiated = [
                LEVEL in [each.uri for each in parameters.header_extensions]
                for side in sides
                for parameters in (side.receiver.get_parameters(), side.sender.get_parameters())
            ]
            numbers.append({number for packet in await call.packets() for number, _ in packet.extensions})
            assert negotiated == [munge is str] * 4
    (level,) = numbers[0] - numbers[1]
    assert level == 1


@pytest.mark.parametrize(
    ("line", "limit"),
    [("b=TIAS:150000", 150_000), ("b=AS:200", 200_000), ("", None)],
    ids=["TIAS", "AS", "none"],
)
async def test_a_bandwidth_limits_what_the_peer_sends(line: str, limit: int | None) -> None:
    munge = substitute(r"^(m=video .*\r\nc=.*\r\n)", rf"\1{line}\r\n") if line else str
    async with munged_call(munge) as call:
        await trio.sleep(1)
        alice, bob = (each.sender.target_bitrates[None] for each in call.transceivers("video"))
        assert bob > 210_000 if limit is None else bob <= limit
        assert alice > 210_000


async def test_a_direction_of_an_offer_is_in_force() -> None:
    async with munged_call(substitute("^a=sendrecv", "a=recvonly")) as call:
        alice, bob = call.transceivers("audio")
        assert (alice.current_direction, bob.current_direction) == ("recvonly", "sendonly")
        assert alice.direction == "sendrecv"
        assert await call.packets()


async def test_feedback_that_was_removed_is_not_negotiated() -> None:
    async with munged_call(substitute("^a=rtcp-fb:.* nack.*\r\n", "")) as call:
        for side in call.transceivers("video"):
            assert side.current_direction == "sendrecv"
        for peer in (call.peers.alice, call.peers.bob):
            assert " nack" not in description_of(peer).sdp


@pytest.mark.parametrize("role", ["active", "passive"])
async def test_the_dtls_role_is_chosen(role: str) -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await connect_munged(peers.alice, peers.bob, substitute("^a=setup:actpass", f"a=setup:{role}"))
        other = "passive" if role == "active" else "active"
        assert f"a=setup:{other}" in description_of(peers.bob).sdp
        assert peers.alice.sctp is not None
        assert peers.alice.sctp.transport.state == "connected"


async def test_the_peer_sends_smaller_messages() -> None:
    async with two_peers() as peers:
        channel = peers.bob.create_data_channel("chat", negotiated=True, id=0)
        peers.alice.create_data_channel("chat", negotiated=True, id=0)
        await connect_munged(peers.alice, peers.bob, substitute("size:262144", "size:1000"))
        await channel.opened()
        assert peers.bob.sctp is not None
        assert peers.bob.sctp.max_message_size == 1000
        await channel.send(bytes(1000))
        with pytest.raises((TypeError, OperationError)):
            await channel.send(bytes(1001))


async def test_an_offer_without_a_bundle_connects_over_a_transport_for_each_section() -> None:
    async with two_peers() as peers:
        audio, video = peers.alice.add_transceiver("audio"), peers.alice.add_transceiver("video")
        await connect_munged(peers.alice, peers.bob, substitute("^a=group:BUNDLE.*\r\n", ""))
        assert audio.sender.transport is not None
        assert video.sender.transport is not None
        assert audio.sender.transport is not video.sender.transport
        assert audio.sender.transport.state == video.sender.transport.state == "connected"


async def test_removed_candidates_do_not_reach_the_peer() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.alice.gathering_complete()
        offer = await peers.alice.create_offer()
        assert "a=candidate" in offer.sdp
        munged = substitute("^a=(candidate|end-of-candidates).*\r\n", "")(offer.sdp)
        await peers.alice.set_local_description({"type": "offer", "sdp": munged})
        assert description_of(peers.alice).sdp == munged


async def test_the_peer_has_the_renamed_stream() -> None:
    async with two_peers() as peers, peers.bob.subscribe("track") as tracks:
        peers.alice.add_track(open_media_track("audio")[1], MediaStream())
        await connect_munged(peers.alice, peers.bob, substitute("^a=msid:\\S+ ", "a=msid:renamed "))
        event = await tracks.receive()
        assert [stream.id for stream in event.streams] == ["renamed"]


async def test_a_refused_change_leaves_the_state() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        offer = await peers.alice.create_offer()
        munged = substitute("^a=mid:0", "a=mid:data")(offer.sdp)
        with pytest.raises(InvalidModificationError, match="must be 'a=mid:0' as created, not 'a=mid:data'"):
            await peers.alice.set_local_description({"type": "offer", "sdp": munged})
        assert peers.alice.signaling_state == "stable"
        assert peers.alice.local_description is None
        assert peers.alice.ice_gathering_state == "new"
        await connect_munged(peers.alice, peers.bob)
