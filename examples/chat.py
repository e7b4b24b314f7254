"""Chat between two terminals.

Run this in two terminals (or on two machines: `chat.py --server ws://host:8765/`), then type. The first one that is
started also runs the signaling server; messages go directly from peer to peer, encrypted.
"""

import argparse
import contextlib
import io
import sys

import trio

import trio_rtc
from trio_rtc import signaling


async def read_lines(channel: trio_rtc.RTCDataChannel) -> None:
    """Send typed lines until the end of the input."""
    while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        await channel.send(line.rstrip("\n"))
    await channel.aclose()


def printable(text: str) -> str:
    """Return text of the peer without commands for the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


async def print_messages(channel: trio_rtc.RTCDataChannel, name: str) -> None:
    """Print received messages until either side closes the channel."""
    try:
        async for message in channel:
            print(f"{name}: {printable(str(message))}", flush=True)
        print("* the other side has left", flush=True)
    except trio.ClosedResourceError:
        print("* goodbye", flush=True)


async def negotiate(
    peer: signaling.Peer,
    pc: trio_rtc.RTCPeerConnection,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Negotiate, and do without the signaling server once connected: the other program may run it, and end first."""
    try:
        await signaling.negotiate(peer, pc, task_status=task_status)
    except trio.BrokenResourceError:
        if pc.connection_state in ("new", "connecting"):
            raise


async def chat(peer: signaling.Peer) -> None:
    """Connect to the other member of the room and talk until one side ends."""
    async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
        # Both sides create the channel, so neither waits for the other to announce it.
        channel = pc.create_data_channel("chat", negotiated=True, id=0)
        await nursery.start(negotiate, peer, pc)
        await channel.opened()
        print(f"* connected with member {peer.id}; type away", flush=True)
        nursery.start_soon(read_lines, channel)
        await print_messages(channel, peer.id)
        nursery.cancel_scope.cancel()


async def main() -> None:
    """Enter a room and chat with the first other member."""
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # typed bytes that are not text, and characters that the terminal lacks
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="signaling server, by default one on this machine")
    parser.add_argument("--port", type=int, default=8765, help="port of that one")
    parser.add_argument("--room", default="lobby")
    arguments = parser.parse_args()
    async with trio.open_nursery() as nursery:
        url = arguments.server
        if url is None:
            url = f"ws://127.0.0.1:{arguments.port}/"
            with contextlib.suppress(OSError):  # then the other terminal runs it
                await nursery.start(signaling.serve, "127.0.0.1", arguments.port)
        async with signaling.connect(url, room=arguments.room) as room:
            print(f"* waiting for someone in room {arguments.room!r}", flush=True)
            await chat(await room.receive())
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
