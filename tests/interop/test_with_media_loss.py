"""Video from Chromium over a lossy path: the share of its frames that reach the application.

A cell of the matrix is a codec, with or without error correction, a round-trip time and a random loss rate
of both directions, with a seed. ``TRIO_RTC_INTEROP_CELLS=all`` measures every cell, which takes some
minutes; otherwise only cells of former failures and one of each kind are measured.
"""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.interop.calling import CALL_SECONDS, THEIR_START, Call
from tests.interop.connecting import negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.long_path import LongPath, RandomLoss
from tests.interop.opening import Peers
from trio_rtc import MediaStreamTrack, Settings
from trio_rtc.transports.udp import SystemNetwork

pytestmark = pytest.mark.timed

WIDTH, HEIGHT, FRAMERATE = 640, 360, 30
SETTLE, MEASURE, MEASURE_RARE = 1.5, 4.0, 10.0
"""Seconds from the first frame until counting begins, and of counting: longer where few events decide."""
LONGEST_GAP = 1.3
FULL_RATE = 29
"""Frames per second that Chromium sends unless it drops some; of fewer, the same share must arrive."""

FEC = ("red", "ulpfec")


@attrs.frozen
class Cell:
    """Parameters of a measured call.

    Attributes:
        codec: Video codec.
        fec: Whether ULPFEC is negotiated.
        round_trip: Round-trip time in seconds.
        loss: Loss rate.
    """

    codec: str
    fec: bool
    round_trip: float
    loss: float

    def __str__(self) -> str:
        return f"{self.codec}{'-fec' * self.fec}-{1000 * self.round_trip:.0f}ms-{self.loss:.0%}"

    @property
    def least(self) -> int:
        """Minimum frames per second that must arrive, of 30."""
        return 28 if self.loss <= 0.05 else 25


ALL_CELLS = [
    Cell(*values)
    for values in itertools.product(
        ("VP8", "VP9", "H264", "AV1"), (False, True), (0.05, 0.2), (0.0, 0.02, 0.05, 0.1)
    )
]
USUAL_CELLS = [
    Cell("VP8", True, 0.05, 0.02),
    Cell("VP8", True, 0.05, 0.1),
    Cell("VP8", True, 0.2, 0.05),
    Cell("VP8", False, 0.05, 0.1),
    Cell("VP9", True, 0.05, 0.1),
    Cell("VP9", True, 0.2, 0.1),
    Cell("H264", True, 0.05, 0.05),
    Cell("AV1", True, 0.05, 0.05),
]
CELLS = ALL_CELLS if os.environ.get("TRIO_RTC_INTEROP_CELLS") == "all" else USUAL_CELLS


@attrs.define
class Watcher:
    """Records the arrival times of a track's frames."""

    times: list[float] = attrs.field(factory=list)
    first: trio.Event = attrs.field(factory=trio.Event)

    async def watch(self, track: MediaStreamTrack) -> None:
        async for _ in track:
            self.times.append(trio.current_time())
            self.first.set()

    def between(self, begin: float, end: float) -> tuple[int, float]:
        """Return the number of frames in an interval, and the longest time without one."""
        times = [at for at in self.times if begin <= at < end]
        gaps = [after - before for before, after in itertools.pairwise([begin, *times, end])]
        return len(times), max(gaps)


@asynccontextmanager
async def calling_over(
    peers: Peers, cell: Cell, *, seed: int
) -> AsyncIterator[tuple[Call, LongPath[RandomLoss]]]:
    """Open our peer and Chromium for a call over the path of a cell."""
    async with trio.open_nursery() as nursery:
        outgoing, incoming = RandomLoss(cell.loss, 2 * seed), RandomLoss(cell.loss, 2 * seed + 1)
        path = LongPath(SystemNetwork(), nursery, cell.round_trip, outgoing, incoming)
        settings = Settings(network=path)
        async with negotiating(peers, "chromium", settings=settings, seconds=CALL_SECONDS) as (
            own,
            remote,
            inner,
        ):
            yield Call(own, remote, inner), path
        nursery.cancel_scope.cancel()


async def sent_video(call: Call) -> JsonObject:
    """Return Chromium's statistics of its outbound video."""
    stats = await call.remote.get_stats()
    return next(each for each in stats if (each["type"], each.get("kind")) == ("outbound-rtp", "video"))


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_frames_reach_the_application(peers: Peers, cell: Cell) -> None:
    async with calling_over(peers, cell, seed=7) as (call, path):
        await call.theirs.add_video(start=THEIR_START, width=WIDTH, height=HEIGHT, framerate=FRAMERATE)
        await call.theirs.prefer_codecs("video", cell.codec, *(FEC if cell.fec else ()))
        await call.negotiate(we_offer=False)
        (video,) = call.ours.of_kind("video")
        watcher = Watcher()
        call.nursery.start_soon(watcher.watch, video.receiver.track)
        await watcher.first.wait()
        await trio.sleep(SETTLE)
        before, begin = await sent_video(call), trio.current_time()
        await trio.sleep(MEASURE_RARE if cell.loss >= 0.1 else MEASURE)
        after, end = await sent_video(call), trio.current_time()
        # Frames sent now are received half a round trip later.
        received, gap = watcher.between(begin, end)
        sent = after["framesSent"] - before["framesSent"]
        lost = path.incoming.lost / (path.incoming.lost + path.incoming.passed)
        seconds = end - begin
        least = cell.least if sent >= FULL_RATE * seconds else cell.least * sent / seconds / FRAMERATE
        print(
            f"{cell}: sent {sent / seconds:.1f}, received {received / seconds:.1f} a second, "
            f"longest gap {gap:.2f} s, lost {lost:.1%}"
        )
        assert received >= least * seconds
        assert gap < LONGEST_GAP
