"""The demo's second process: enters the room and serves its first member until that leaves."""

import sys
from collections.abc import Callable

import trio

from trio_rtc import RTCPeerConnection
from trio_rtc.signaling import connect, negotiate

from .services import echo, media_is_installed, serve_channels, throughput

Answer = Callable[[RTCPeerConnection, trio.Nursery], None]


def answer_to_calls() -> Answer:
    """Return the function that answers calls, if the extra is installed. Importing it takes longer than connecting."""
    if not media_is_installed():
        return lambda pc, nursery: None
    from .call import answer_call  # noqa: PLC0415 - may be unavailable

    return answer_call


async def run(url: str, room_name: str) -> None:
    answer = answer_to_calls()
    async with connect(url, room=room_name) as room:
        peer = await room.receive()
        async with RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            await nursery.start(serve_channels, pc, {"ping": echo, "throughput": throughput})
            answer(pc, nursery)
            await negotiate(peer, pc)
            # The other side has left the room.
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(run, sys.argv[1], sys.argv[2])
