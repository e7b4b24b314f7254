"""RTP timestamps count at the codec's clock rate: 90,000 for video (RFC 7741 section 4.1)."""

from itertools import pairwise

import pytest
import trio

from tests.strategies.media import connect_track, media_peers, send_frames
from trio_rtc import open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(("kind", "interval", "step"), [("video", 1 / 30, 3000), ("audio", 0.02, 960)])
async def test_the_step_from_frame_to_frame(kind: str, interval: float, step: int) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track(kind)
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)

        async def send() -> None:
            await send_frames(source, kind, every=interval)

        async with event.receiver.rtp_packets() as packets:
            nursery.start_soon(send)
            timestamps: list[int] = []
            while len(timestamps) < 10:
                packet = await packets.receive()
                if packet.timestamp not in timestamps:
                    timestamps.append(packet.timestamp)
        steps = {(later - earlier) % 2**32 for earlier, later in pairwise(timestamps)}
        assert steps == {step}
        nursery.cancel_scope.cancel()
