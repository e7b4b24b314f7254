"""Record the camera and the microphone of a browser into a file.

Run `record_browser.py FILE.webm`, open the address that it prints and start the camera. When the page is closed, the
file is finished and the program ends. It needs the extra `media`. The browser's encoded frames are copied
into the file: nothing is decoded.
"""

import argparse
from functools import partial
from pathlib import Path

import trio

import trio_rtc
from trio_rtc import media, signaling

PAGE = Path(__file__).with_name("video_page.html")


async def record(peer: signaling.Peer, path: str) -> None:
    """Record one browser, until its page is closed."""
    async with media.open_recorder(path) as recorder:

        def start(event: trio_rtc.RTCTrackEvent) -> None:
            event.receiver.decode = False
            recorder.add(event.track)
            print(f"recording {event.track.kind}", flush=True)

        try:
            async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
                pc.on_track = start
                await signaling.negotiate(peer, pc)
                nursery.cancel_scope.cancel()
        except* trio.BrokenResourceError:
            pass  # the page was closed without closing its connection
        # The tracks have ended with the connection; their last frames are not written yet.
        await recorder.wait()
    print(f"recorded {path}", flush=True)


async def main() -> None:
    """Serve the page, and record the first browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    pages = {"/camera": signaling.Page(PAGE.read_bytes())}
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, arguments.host, arguments.port, pages=pages))
        async with signaling.connect(f"ws://{arguments.host}:{server.port}/", room="camera") as room:
            print(f"open http://{arguments.host}:{server.port}/camera", flush=True)
            await record(await room.receive(), arguments.file)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
