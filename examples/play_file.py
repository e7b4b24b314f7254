"""Play a video file, again and again, to every browser that opens a page.

Run `play_file.py FILE` and open the address that it prints, in as many tabs as you like. It needs the extra `media`.
The file is decoded once and encoded once, however many watch.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import trio

import trio_rtc
from trio_rtc import media, signaling

PAGE = Path(__file__).with_name("video_page.html")


async def feed(frames: trio_rtc.MediaStreamTrackSource, source: trio.abc.ReceiveChannel[Any]) -> None:
    """Send the player's frames into a track."""
    async with frames:
        async for frame in source:
            await frames.send(frame)


async def show(peer: signaling.Peer, stream: trio_rtc.MediaStream) -> None:
    """Send the tracks to one browser, until its page is closed."""
    print(f"browser {peer.id} came", flush=True)
    try:
        async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            for track in stream.get_tracks():
                pc.add_track(track, stream)
            await signaling.negotiate(peer, pc)
            nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError:
        pass  # the page was closed without closing its connection
    print(f"browser {peer.id} left", flush=True)


async def main() -> None:
    """Serve the page, and play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    pages = {"/": signaling.Page(PAGE.read_bytes())}
    async with media.open_player(arguments.file, loop=True) as player, trio.open_nursery() as nursery:
        stream = trio_rtc.MediaStream()
        for kind, source in (("video", player.video), ("audio", player.audio)):
            if source is not None:
                frames, track = trio_rtc.open_media_track(kind)
                stream.add_track(track)
                nursery.start_soon(feed, frames, source)
        server = await nursery.start(partial(signaling.serve, arguments.host, arguments.port, pages=pages))
        async with signaling.connect(f"ws://{arguments.host}:{server.port}/", room="watch") as room:
            print(f"open http://{arguments.host}:{server.port}/", flush=True)
            async for peer in room:
                nursery.start_soon(show, peer, stream)


if __name__ == "__main__":
    trio.run(main)
