"""Calls with a foreign peer, with video and tones in both directions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import trio

from tests.interop.connecting import negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.interop.own_media import OwnMedia, read_counters, wait_for_tone
from tests.interop.own_peer import OwnPeer
from tests.interop.remote_media import RemoteMedia
from tests.interop.remote_peer import RemotePeer

CALL_SECONDS = 45
"""Maximum seconds of a test once its peer runs; on an idle machine tests take two or three."""

OUR_TONE, THEIR_TONE = 880.0, 550.0
THEIR_START = 5_000_000
"""Distinguishes the numbers of the peer's video frames from ours."""


async def wait_until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Poll in real time until a condition holds."""
    while not await reached():  # noqa: ASYNC110 - a foreign process counts
        await trio.sleep(0.2)


@attrs.frozen
class Call:
    """Our peer connection and a foreign peer.

    Attributes:
        own: Our peer.
        remote: The foreign peer.
        nursery: Nursery of signaling and sources.
    """

    own: OwnPeer
    remote: RemotePeer
    nursery: trio.Nursery

    @property
    def ours(self) -> OwnMedia:
        """Audio and video of our side."""
        return OwnMedia(self.own.pc, self.nursery)

    @property
    def theirs(self) -> RemoteMedia:
        """Audio and video of the peer."""
        return self.remote.media

    async def add_all(self, kinds: str = "audio video") -> None:
        """Add tracks of these kinds on both sides."""
        if "audio" in kinds:
            self.ours.add_audio(frequency=OUR_TONE)
            await self.theirs.add_audio(frequency=THEIR_TONE)
        if "video" in kinds:
            self.ours.add_video()
            await self.theirs.add_video(start=THEIR_START)

    async def negotiate(self, *, we_offer: bool, trickle: bool = True) -> tuple[JsonObject, JsonObject]:
        """Exchange an offer and an answer, with all candidates in them unless ``trickle``, and return both."""
        offerer, answerer = (self.own, self.remote) if we_offer else (self.remote, self.own)
        return await connect(offerer, answerer, trickle=trickle, nursery=self.nursery)

    async def assert_video_received(
        self, *, least: int = 0, their_least: int = THEIR_START, count: int = 8
    ) -> None:
        """Wait until both have received ``count`` video frames, with numbers from these on."""
        (video,) = self.ours.of_kind("video")
        assert video.mid is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._assert_peer_received, video.mid, least, count)
            counters = await read_counters(video.receiver.track, count=count, least=their_least)
            assert_counting(counters)

    async def _assert_peer_received(self, mid: str, least: int, count: int) -> None:
        counters = await self.theirs.read_counters(mid, count=count, least=least)
        assert_counting(counters)
        assert max(counters) < least + 100_000

    async def assert_media_received(self) -> None:
        """Wait until both receive audio and video, which a browser decodes but need not render."""
        (video,), (audio,) = self.ours.of_kind("video"), self.ours.of_kind("audio")
        before = await self._received_by_browser()
        await read_counters(video.receiver.track, least=THEIR_START)
        await wait_for_tone(audio.receiver.track, THEIR_TONE)

        async def reached() -> bool:
            now = await self._received_by_browser()
            return all(now[kind] >= before[kind] + 8 for kind in ("audio", "video"))

        await wait_until(reached)

    async def _received_by_browser(self) -> dict[str, int]:
        """Return the number of decoded video frames and of received audio packets."""
        counts = {"audio": 0, "video": 0}
        for each in await self.remote.get_stats():
            if each["type"] == "inbound-rtp":
                member = "framesDecoded" if each["kind"] == "video" else "packetsReceived"
                counts[each["kind"]] += each.get(member, 0)
        return counts

    async def assert_tones_received(
        self, frequency: float = OUR_TONE, their_frequency: float = THEIR_TONE
    ) -> None:
        """Wait until both receive the other's tone."""
        (audio,) = self.ours.of_kind("audio")
        assert audio.mid is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.theirs.wait_for_tone, audio.mid, frequency)
            await wait_for_tone(audio.receiver.track, their_frequency)


def assert_counting(counters: list[int]) -> None:
    """Require video frames in order, and not too few of them."""
    assert counters == sorted(counters)
    assert counters[-1] - counters[0] < 100 * len(counters)


@asynccontextmanager
async def calling(peers: Peers, name: str) -> AsyncIterator[Call]:
    """Open our peer and a foreign peer for a call with a time limit."""
    async with negotiating(peers, name, seconds=CALL_SECONDS) as (own, remote, nursery):
        yield Call(own, remote, nursery)
