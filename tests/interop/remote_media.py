"""Audio and video of a foreign peer: it sends patterns and tones, and tells what it sees and hears."""

import base64
from collections.abc import Sequence
from typing import Any

import attrs

from tests.interop.drivers.rpc import JsonObject
from tests.interop.link import Link

WIDTH, HEIGHT, FRAMERATE = 320, 180, 15
"""The pictures that are sent: as small as all encoders take them without a warning, so that a test takes seconds."""

TOLERANCE = 12.0
"""Hertz: two steps of the spectrum that a browser has."""


@attrs.frozen
class Picture:
    """A picture that a peer has received.

    Attributes:
        counter: The number in it.
        width: Pixels.
        height: Pixels.
        format: How the peer has it: ``"I420"``, or something else, whose luma is made from its colours.
        luma: A byte for each pixel, line by line, from 16 to 235.
    """

    counter: int
    width: int
    height: int
    format: str
    luma: bytes


@attrs.frozen
class FrameTimes:
    """When what happened at a peer, by its clock in milliseconds.

    Attributes:
        connected: When the connection was there.
        frames: When each frame was decoded.
        now: When it was asked.
    """

    connected: float | None
    frames: list[float]
    now: float


@attrs.frozen
class RemoteMedia:
    """Commands for the audio and video of a peer; sources are told by numbers, what is received by MIDs."""

    _link: Link

    async def add_video(
        self, *, start: int = 0, encodings: Sequence[JsonObject] | None = None, **size: int
    ) -> int:
        """Let the peer add a track of pictures that count; return the number of the source."""
        options: dict[str, Any] = {"width": WIDTH, "height": HEIGHT, "framerate": FRAMERATE, **size}
        return await self._add(kind="video", start=start, encodings=encodings, **options)

    async def add_audio(self, *, frequency: float) -> int:
        """Let the peer add a track with a tone of a frequency in hertz; return the number of the source."""
        return await self._add(kind="audio", frequency=frequency, encodings=None)

    async def _add(self, **parameters: Any) -> int:
        number: int = await self._link.execute("addSource", parameters)
        return number

    async def replace_video(self, source: int, *, start: int) -> None:
        """Let the peer replace a track by another, without negotiation."""
        size = {"width": WIDTH, "height": HEIGHT, "framerate": FRAMERATE}
        await self._link.execute("replaceSource", {"source": source, "start": start, **size})

    async def replace_audio(self, source: int, *, frequency: float) -> None:
        """Let the peer replace a track by another, without negotiation."""
        await self._link.execute("replaceSource", {"source": source, "frequency": frequency})

    async def remove(self, source: int) -> None:
        """Let the peer send a source no more, after the next negotiation."""
        await self._link.execute("removeSource", {"source": source})

    async def prefer_codec(self, kind: str, name: str) -> None:
        """Let the peer negotiate this codec only, with its retransmission."""
        await self._link.execute("preferCodec", {"kind": kind, "name": name})

    async def prefer_codecs(self, kind: str, *names: str) -> None:
        """Let a peer in a browser negotiate these codecs only, in this order; for video with their retransmission."""
        await self._link.execute("preferCodecs", {"kind": kind, "names": names})

    async def codecs(self, kind: str) -> set[str]:
        """Return the names of the codecs that the peer has, in capitals."""
        codecs: list[JsonObject] = await self._link.execute("codecs", {"kind": kind})
        return {codec["mimeType"].partition("/")[2].upper() for codec in codecs}

    async def transceivers(self) -> list[JsonObject]:
        """Return the transceivers with ``mid``, ``kind``, ``direction``, ``currentDirection`` and ``muted``."""
        transceivers: list[JsonObject] = await self._link.execute("transceivers", {})
        return transceivers

    async def mid(self, kind: str) -> str:
        """Return the MID of the last transceiver of a kind that receives."""
        return str([each["mid"] for each in await self.transceivers() if each["kind"] == kind][-1])

    async def read_counters(self, mid: str, *, count: int = 8, least: int = 0) -> list[int]:
        """Wait until the peer has seen so many different pictures with numbers from ``least`` on."""
        counters: list[int] = await self._link.execute(
            "readCounters", {"mid": mid, "count": count, "least": least}
        )
        return counters

    async def read_picture(self, mid: str) -> Picture:
        """Wait for a picture with a number in it."""
        answer = await self._link.execute("readPicture", {"mid": mid})
        return Picture(**{**answer, "luma": base64.b64decode(answer["luma"])})

    async def hear(self, mid: str, frequency: float, *, tolerance: float = TOLERANCE) -> float:
        """Wait until the peer hears a tone of a frequency in hertz."""
        heard: float = await self._link.execute(
            "hear", {"mid": mid, "frequency": frequency, "tolerance": tolerance}
        )
        return heard

    async def watch(self, mid: str, seconds: float) -> None:
        """Show a received track in the peer's page for some time."""
        await self._link.execute("watch", {"mid": mid, "seconds": seconds})

    async def send_tones(self, source: int, tones: str) -> None:
        """Let a peer in a browser play telephone tones in the place of a track's sound."""
        await self._link.execute("sendTones", {"source": source, "tones": tones})

    async def watch_frames(self) -> None:
        """Record in Chromium when it is connected and when frames of the first video track are decoded."""
        await self._link.execute("watchFrames", {})

    async def frame_times(self) -> FrameTimes:
        """Return what was noted since ``watch_frames``."""
        times = await self._link.execute("frameTimes", {})
        return FrameTimes(times["connected"], times["frames"], times["now"])

    async def request_keyframe(self, mid: str) -> None:
        """Let the peer ask for a keyframe."""
        await self._link.execute("requestKeyframe", {"mid": mid})

    async def add_echo(self, kind: str, codec: str) -> None:
        """Let pion add a track of a codec that sends back what it receives of this kind."""
        await self._link.execute("addEcho", {"kind": kind, "codec": codec})

    async def received(self, kind: str) -> JsonObject:
        """Return what pion has received of an echoed kind: ``codec``, ``packets``, ``frames``, ``first`` payload."""
        counters: JsonObject = await self._link.execute("received", {"kind": kind})
        return counters
