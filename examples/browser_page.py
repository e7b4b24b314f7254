"""A signaling server for a browser page, and the peer that the page talks to.

Run it and open the address that it prints, in as many tabs as you like. The page comes from the signaling server, the
messages go directly between the browser and this program.
"""

import argparse
from functools import partial
from pathlib import Path

import trio

import trio_rtc
from trio_rtc import signaling

PAGE = Path(__file__).with_name("browser_page.html")


async def echo(channel: trio_rtc.RTCDataChannel) -> None:
    """Answer each message with itself, in capitals."""
    await channel.opened()
    await channel.send("Hello, browser!")
    async for message in channel:
        await channel.send(message.upper())


async def talk(peer: signaling.Peer) -> None:
    """Connect to one browser, until its page is closed."""
    print(f"browser {peer.id} came", flush=True)
    try:
        async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            await nursery.start(signaling.negotiate, peer, pc)
            await echo(pc.create_data_channel("chat"))
            nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError:
        pass  # the page was closed without closing its connection
    print(f"browser {peer.id} left", flush=True)


async def main() -> None:
    """Serve the page and the room, and be in the room before any browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    pages = {"/": signaling.Page(PAGE.read_bytes())}
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, arguments.host, arguments.port, pages=pages))
        async with signaling.connect(f"ws://{arguments.host}:{server.port}/", room="browsers") as room:
            print(f"open http://{arguments.host}:{server.port}/", flush=True)
            async for peer in room:
                nursery.start_soon(talk, peer)


if __name__ == "__main__":
    trio.run(main)
