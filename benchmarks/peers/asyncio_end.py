"""An end of a measurement for the asyncio libraries: the library, and the connection to the other process."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import attrs
import av

from benchmarks.peers.asyncio_signaling import Negotiation, Signaling
from tests.interop.peers.program import Engine


class VideoEngine(Protocol):
    """The differences between the libraries for video; frames are PyAV's."""

    def video_track(self, frames: AsyncIterator[Any]) -> Any:
        """Return a track of these frames, or of encoded ones (``av.Packet``) if the library accepts them."""

    def frames_of(self, track: Any) -> AsyncIterator[av.VideoFrame]:
        """Return the frames of a received track."""

    async def set_bitrate(self, sender: Any, bitrate: int) -> None:
        """Configure the encoder, as far as the library allows."""

    def received_track(self, event: Any) -> Any:
        """Return the track of the event ``track``."""

    async def packets_sent(self, sender: Any) -> int:
        """Return the number of RTP packets sent."""


@attrs.frozen
class End:
    """One of the two processes.

    Attributes:
        engine: The differences between the libraries.
        video: The differences for video.
        signaling: The connection to the other process.
    """

    engine: Engine
    video: VideoEngine
    signaling: Signaling

    def negotiation(self, number: int = 0) -> Negotiation:
        """Make a connection that is yet to be negotiated."""
        return Negotiation(self.engine, self.signaling, number)
