"""Streams of received tracks by ``a=msid`` (RFC 8830 section 3, W3C webrtc section 5.1.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import two_peers
from trio_rtc import RTCPeerConnection, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def tracks_of(pc: RTCPeerConnection, offerer: RTCPeerConnection, *lines: str) -> list[RTCTrackEvent]:
    """Set an offer of one track with other ``a=msid`` lines, and return its events."""
    events: list[RTCTrackEvent] = []
    pc.on_track = events.append
    sdp = (await offerer.create_offer()).sdp
    kept = [line for line in sdp.splitlines(keepends=True) if "msid:" not in line]
    await pc.set_remote_description(
        {"type": "offer", "sdp": "".join(kept) + "".join(f"{line}\r\n" for line in lines)}
    )
    return events


@pytest.mark.parametrize(
    ("lines", "streams"),
    [
        (["a=msid:- foobar"], []),
        (["a=msid:-"], []),
        (["a=msid:foobar"], ["foobar"]),
        (["a=msid:foobar bar"], ["foobar"]),
        (["a=msid:foo", "a=msid:bar"], ["foo", "bar"]),
        (["a=msid:foo track", "a=msid:bar track"], ["foo", "bar"]),
        (["a=msid:foo track", "a=msid:foo track"], ["foo"]),
    ],
)
async def test_the_streams(lines: list[str], streams: list[str]) -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        (event,) = await tracks_of(peers.bob, peers.alice, *lines)
        assert [stream.id for stream in event.streams] == streams
        assert all(stream.get_tracks() == [event.track] for stream in event.streams)


async def test_without_a_line_there_is_one_stream() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        (event,) = await tracks_of(peers.bob, peers.alice)
        assert len(event.streams) == 1
        assert event.streams[0].id
