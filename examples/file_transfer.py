"""Send a file to another terminal, with a progress bar and a checksum.

    python file_transfer.py receive DIRECTORY
    python file_transfer.py send FILE

Either may be started first (on two machines: with `--server ws://host:8765/` on both).
"""

import argparse
import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import trio

import trio_rtc
from trio_rtc import signaling

PIECE = 65_536


def show_progress(done: int, size: int) -> None:
    """Draw the bar, on one line of a terminal."""
    share = done / size if size else 1.0
    bar = "#" * int(share * 40)
    end = "\n" if done == size else ""
    if sys.stderr.isatty() or end:
        print(f"\r[{bar:40}] {share:4.0%} of {size:,} bytes", end=end, file=sys.stderr, flush=True)


def parse(message: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a message; empty for anything else, which a peer can send as well."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def safe_name(name: str) -> str:
    """Return the name of a file without directories, which a peer must not choose."""
    printable = "".join(each for each in Path(name).name if each.isprintable())
    return "unnamed" if printable in ("", "..") else printable


async def send_file(channel: trio_rtc.RTCDataChannel, path: Path) -> None:
    """Send name and size, then the pieces, then the checksum; `channel.send` waits when the network is slower."""
    size, sent, digest = (await trio.Path(path).stat()).st_size, 0, hashlib.sha256()
    await channel.send(json.dumps({"name": path.name, "size": size}))
    async with await trio.open_file(path, "rb") as file:
        while piece := await file.read(PIECE):
            digest.update(piece)
            await channel.send(piece)
            sent += len(piece)
            show_progress(sent, size)
    await channel.send(json.dumps({"sha256": digest.hexdigest()}))
    answer = parse(await channel.receive())
    print("arrived whole" if answer.get("ok") else "arrived damaged", digest.hexdigest(), flush=True)


async def receive_file(channel: trio_rtc.RTCDataChannel, directory: Path) -> None:
    """Write what arrives to a file, and keep it only if the checksum is right."""
    head = parse(await channel.receive())
    announced = head.get("size")
    size, received, digest = announced if isinstance(announced, int) else 0, 0, hashlib.sha256()
    target = directory / safe_name(str(head.get("name")))
    part = target.with_name(target.name + ".part")
    async with await trio.open_file(part, "wb") as file:
        # No more than was announced, or a peer could fill the disk.
        while received <= size and isinstance(piece := await channel.receive(), bytes):
            digest.update(piece)
            await file.write(piece)
            received += len(piece)
            show_progress(received, size)
    ok = received == size and parse(piece).get("sha256") == digest.hexdigest()
    if ok:
        part.replace(target)
    else:
        part.unlink()
    await channel.send(json.dumps({"ok": ok}))
    await channel.aclose()
    print(f"received {target}" if ok else "the checksum is wrong", digest.hexdigest(), flush=True)


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


async def transfer(peer: signaling.Peer, action: str, path: Path) -> None:
    """Connect to the peer and do our part."""
    async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
        channel = pc.create_data_channel("file", negotiated=True, id=0)
        await nursery.start(negotiate, peer, pc)
        await channel.opened()
        await (send_file if action == "send" else receive_file)(channel, path)
        nursery.cancel_scope.cancel()


async def main() -> None:
    """Meet the other side in a room."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["send", "receive"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--server", help="signaling server, by default one on this machine")
    parser.add_argument("--port", type=int, default=8765, help="port of that one")
    arguments = parser.parse_args()
    async with trio.open_nursery() as nursery:
        url = arguments.server
        if url is None:
            url = f"ws://127.0.0.1:{arguments.port}/"
            with contextlib.suppress(OSError):  # then the other terminal runs it
                await nursery.start(signaling.serve, "127.0.0.1", arguments.port)
        async with signaling.connect(url, room="files") as room:
            print("waiting for the other side", flush=True)
            await transfer(await room.receive(), arguments.action, arguments.path)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
