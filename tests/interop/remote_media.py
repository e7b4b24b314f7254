"""Audio and video of a foreign peer: it sends patterns and tones, and reports received media."""

import base64
from collections.abc import Sequence
from typing import Any

import attrs

from tests.interop.drivers.rpc import JsonObject
from tests.interop.link import Link

WIDTH, HEIGHT, FRAMERATE = 320, 180, 15
"""Size of video frames: the smallest that all encoders accept without warnings, to keep tests short."""

TOLERANCE = 12.0
"""Tolerance in hertz: two bins of a browser's spectrum."""


@attrs.frozen
class ReceivedImage:
    """A video frame that a peer has received.

    Attributes:
        counter: Number encoded in the frame.
        width: Width in pixels.
        height: Height in pixels.
        format: Pixel format: ``"I420"``, or another whose luma is computed from colours.
        luma: A byte for each pixel, row by row, from 16 to 235.
    """

    counter: int
    width: int
    height: int
    format: str
    luma: bytes


@attrs.frozen
class FrameTimes:
    """Times of events at a peer, by its clock in milliseconds.

    Attributes:
        connected: Time at which the peer was connected.
        frames: Times at which frames were decoded.
        now: Time of the request.
    """

    connected: float | None
    frames: list[float]
    now: float


@attrs.frozen
class RemoteMedia:
    """Commands for the audio and video of a peer; sources are identified by numbers, received tracks by MIDs."""

    _link: Link

    async def add_video(
        self, *, start: int = 0, encodings: Sequence[JsonObject] | None = None, **size: int
    ) -> int:
        """Add a track of numbered video frames at the peer, and return the number of the source."""
        options: dict[str, Any] = {"width": WIDTH, "height": HEIGHT, "framerate": FRAMERATE, **size}
        return await self._add(kind="video", start=start, encodings=encodings, **options)

    async def add_audio(self, *, frequency: float) -> int:
        """Add an audio track with a tone (in hertz) at the peer, and return the number of the source."""
        return await self._add(kind="audio", frequency=frequency, encodings=None)

    async def _add(self, **parameters: Any) -> int:
        number: int = await self._link.execute("addSource", parameters)
        return number

    async def replace_video(self, source: int, *, start: int) -> None:
        """Replace a track at the peer, without negotiation."""
        size = {"width": WIDTH, "height": HEIGHT, "framerate": FRAMERATE}
        await self._link.execute("replaceSource", {"source": source, "start": start, **size})

    async def replace_audio(self, source: int, *, frequency: float) -> None:
        """Replace a track at the peer, without negotiation."""
        await self._link.execute("replaceSource", {"source": source, "frequency": frequency})

    async def remove(self, source: int) -> None:
        """Remove a source at the peer, effective after the next negotiation."""
        await self._link.execute("removeSource", {"source": source})

    async def prefer_codec(self, kind: str, name: str) -> None:
        """Restrict the peer to one codec, with RTX."""
        await self._link.execute("preferCodec", {"kind": kind, "name": name})

    async def prefer_codecs(self, kind: str, *names: str) -> None:
        """Restrict a browser to these codecs, in this order, for video with RTX."""
        await self._link.execute("preferCodecs", {"kind": kind, "names": names})

    async def codecs(self, kind: str) -> set[str]:
        """Return the names of the peer's codecs in upper case."""
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
        """Wait until the peer has received ``count`` different frames with numbers from ``least`` on."""
        counters: list[int] = await self._link.execute(
            "readCounters", {"mid": mid, "count": count, "least": least}
        )
        return counters

    async def read_frame(self, mid: str) -> ReceivedImage:
        """Wait for a frame with a readable number."""
        answer = await self._link.execute("readFrame", {"mid": mid})
        return ReceivedImage(**{**answer, "luma": base64.b64decode(answer["luma"])})

    async def wait_for_tone(self, mid: str, frequency: float, *, tolerance: float = TOLERANCE) -> float:
        """Wait until the peer receives a tone of a frequency in hertz."""
        received: float = await self._link.execute(
            "waitForTone", {"mid": mid, "frequency": frequency, "tolerance": tolerance}
        )
        return received

    async def watch(self, mid: str, seconds: float) -> None:
        """Play a received track in the peer's page for some seconds."""
        await self._link.execute("watch", {"mid": mid, "seconds": seconds})

    async def send_tones(self, source: int, tones: str) -> None:
        """Send telephone tones (DTMF) from a browser in place of a track's audio."""
        await self._link.execute("sendTones", {"source": source, "tones": tones})

    async def watch_frames(self) -> None:
        """Record the times at which Chromium is connected and decodes frames of the first video track."""
        await self._link.execute("watchFrames", {})

    async def frame_times(self) -> FrameTimes:
        """Return the times recorded since ``watch_frames``."""
        times = await self._link.execute("frameTimes", {})
        return FrameTimes(times["connected"], times["frames"], times["now"])

    async def request_keyframe(self, mid: str) -> None:
        """Request a keyframe from the peer."""
        await self._link.execute("requestKeyframe", {"mid": mid})

    async def add_echo(self, kind: str, codec: str) -> None:
        """Add a track at pion that echoes the received media of this kind."""
        await self._link.execute("addEcho", {"kind": kind, "codec": codec})

    async def received(self, kind: str) -> JsonObject:
        """Return pion's reception figures of an echoed kind: ``codec``, ``packets``, ``frames``, ``first`` payload."""
        counters: JsonObject = await self._link.execute("received", {"kind": kind})
        return counters
