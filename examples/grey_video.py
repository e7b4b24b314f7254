"""Send the camera of a browser back to it without its colours, live.

Run it, open the address that it prints and start the camera. It needs the extra `media`. Between the received and the
sent track there are PyAV's frames: replace `make_grey` by a filter of yours.
"""

import argparse
from functools import partial
from pathlib import Path

import av
import trio

import trio_rtc
from trio_rtc import signaling

PAGE = Path(__file__).with_name("video_page.html")


def make_grey(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a video frame without its colours. The received frame is not changed: it belongs to the decoder."""
    grey = frame.reformat(format="gray").reformat(format="yuv420p")
    grey.pts, grey.time_base = frame.pts, frame.time_base
    return grey


async def filter_video(track: trio_rtc.MediaStreamTrack, frames: trio_rtc.MediaStreamTrackSource) -> None:
    """Send each frame in grey. Frames that arrive meanwhile are skipped, so the filter never lags behind."""
    async with frames:
        async for frame in track:
            await frames.send(await trio.to_thread.run_sync(make_grey, frame))


async def serve(peer: signaling.Peer) -> None:
    """Filter the video of one browser, until its page is closed."""
    print(f"browser {peer.id} came", flush=True)
    try:
        async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:

            def answer(event: trio_rtc.RTCTrackEvent) -> None:
                # Called before the offer is answered, so that the answer has our track in it.
                if event.track.kind == "video":
                    frames, track = trio_rtc.open_media_track("video")
                    pc.add_track(track, trio_rtc.MediaStream([track]))
                    nursery.start_soon(filter_video, event.track, frames)

            pc.on_track = answer
            await signaling.negotiate(peer, pc)
            nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError:
        pass  # the page was closed without closing its connection
    print(f"browser {peer.id} left", flush=True)


async def main() -> None:
    """Serve the page and the room."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    pages = {"/camera": signaling.Page(PAGE.read_bytes())}
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, arguments.host, arguments.port, pages=pages))
        async with signaling.connect(f"ws://{arguments.host}:{server.port}/", room="camera") as room:
            print(f"open http://{arguments.host}:{server.port}/camera", flush=True)
            async for peer in room:
                nursery.start_soon(serve, peer)


if __name__ == "__main__":
    trio.run(main)
