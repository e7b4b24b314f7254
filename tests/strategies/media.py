"""Frames that need no codecs, and peers that exchange them in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from tests.strategies.peers import Peers, connect, two_peers
from trio_rtc import (
    EncodedFrame,
    MediaStreamTrackSource,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCTrackEvent,
    Settings,
)

ENCODED = Settings(decode=False)
"""Settings with which tracks carry encoded frames."""


def opus_frame(index: int) -> EncodedFrame:
    """Return 20 ms of Opus: a TOC byte (RFC 6716 section 3.1) and the number of the frame."""
    return EncodedFrame(b"\xf8" + index.to_bytes(4, "big"), index * 960, 48000, "opus")


def vp8_frame(index: int, *, keyframe: bool = True, size: int = 100) -> EncodedFrame:
    """Return a VP8 frame of 64x48: the frame header (RFC 6386 section 9.1) and the number of the frame."""
    tag = bytes([0x10 if keyframe else 0x11, 0, 0])
    start = tag + (b"\x9d\x01\x2a\x40\x00\x30\x00" if keyframe else b"")
    payload = start + index.to_bytes(4, "big") + bytes(size)
    return EncodedFrame(payload, index * 3000, 90000, "VP8", keyframe, width=64, height=48)


def frame_of(kind: str, index: int) -> EncodedFrame:
    return opus_frame(index) if kind == "audio" else vp8_frame(index)


async def send_frames(source: MediaStreamTrackSource, kind: str, *, every: float = 0.02) -> None:
    """Send a frame at an interval until cancelled."""
    index = 0
    while True:
        await source.send(frame_of(kind, index))
        index += 1
        await trio.sleep(every)


@asynccontextmanager
async def media_peers(*, seed: int = 0) -> AsyncIterator[Peers]:
    """Open two peers whose tracks carry encoded frames, not connected yet."""
    async with two_peers(seed=seed, settings=ENCODED) as peers:
        yield peers


async def connect_track(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> RTCTrackEvent:
    """Connect, and return the answerer's first track event."""
    async with answerer.subscribe("track") as tracks:
        await connect(offerer, answerer)
        event: RTCTrackEvent = await tracks.receive()
    for peer in (offerer, answerer):
        await until_connected(peer)
    return event


async def until_connected(peer: RTCPeerConnection) -> None:
    async with peer.subscribe("connection_state_change") as changes:
        while peer.connection_state != "connected":
            await changes.receive()


def only(transceivers: list[RTCRtpTransceiver]) -> RTCRtpTransceiver:
    """Return the transceiver of a list of one."""
    (transceiver,) = transceivers
    return transceiver
