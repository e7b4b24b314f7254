"""Helpers of the tests of descriptions, tracks and transceivers in this folder."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
import trio.testing

from trio_rtc import (
    EventTarget,
    MediaStreamTrack,
    RTCPeerConnection,
    RTCSessionDescription,
    open_media_track,
)
from trio_rtc.event_target import AnyEvent

ROLLBACK = {"type": "rollback"}


def local_track(kind: str = "audio") -> MediaStreamTrack:
    """Return a track that has sent no frame."""
    return open_media_track(kind)[1]


def signaling_log(pc: RTCPeerConnection) -> list[str]:
    """Return a list of the signaling state at each ``signaling_state_change``."""
    states: list[str] = []
    pc.add_event_listener("signaling_state_change", lambda _: states.append(str(pc.signaling_state)))
    return states


def event_log(target: EventTarget, *names: str) -> list[str]:
    """Return a list of the names of an object's events."""
    log: list[str] = []

    def append(event: AnyEvent) -> None:
        log.append(event.type)

    for name in names:
        target.add_event_listener(name, append)
    return log


def needs(pc: RTCPeerConnection) -> list[str]:
    """Return a list of the ``negotiation_needed`` events from now on."""
    return event_log(pc, "negotiation_needed")


async def settled_needs(log: list[str]) -> int:
    """Return how many events a log has when all tasks wait, and clear it."""
    await trio.testing.wait_all_tasks_blocked()
    count = len(log)
    log.clear()
    return count


@asynccontextmanager
async def running(operation: Callable[[], object]) -> AsyncIterator[list[str]]:
    """Run an operation in a task of its own, and yield a list that says when it has returned."""
    done: list[str] = []

    async def run() -> None:
        await operation()  # type: ignore[misc]
        done.append("returned")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield done


async def answer_of(pc: RTCPeerConnection, offer: RTCSessionDescription) -> RTCSessionDescription:
    """Set an offer at a peer, and return its answer, which it sets as well."""
    await pc.set_remote_description(offer)
    answer = await pc.create_answer()
    await pc.set_local_description(answer)
    return answer


async def receiving_offer(pc: RTCPeerConnection, kind: str) -> RTCSessionDescription:
    """Create an offer with a section of a kind that only receives, beside those of earlier calls."""
    pc.add_transceiver(kind, direction="recvonly")
    return await pc.create_offer()


def sections(description: RTCSessionDescription | None, kind: str = "") -> int:
    """Return the number of media sections, or of those of a kind."""
    assert description is not None
    return description.sdp.count(f"\r\nm={kind}")


def section(description: RTCSessionDescription | None, index: int) -> str:
    """Return the text of a media section."""
    assert description is not None
    return "m=" + description.sdp.split("\r\nm=")[index + 1] + "\r\n"
