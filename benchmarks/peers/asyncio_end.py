"""What either end of a measurement has, for the asyncio libraries: the library, and the way to the other process."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import attrs
import av

from benchmarks.peers.asyncio_signaling import Negotiation, Signaling
from tests.interop.peers.program import Engine


class VideoEngine(Protocol):
    """Where the libraries differ with pictures; PyAV's frames go in and come out."""

    def video_track(self, frames: AsyncIterator[Any]) -> Any:
        """Make a track of these pictures, or of encoded ones (``av.Packet``) where the library takes such."""

    def frames_of(self, track: Any) -> AsyncIterator[av.VideoFrame]:
        """Return the pictures of a track that is received."""

    async def set_bitrate(self, sender: Any, bitrate: int) -> None:
        """Tell the encoder what to make, as far as it can be told."""

    def received_track(self, event: Any) -> Any:
        """Return the track that the event ``track`` brought."""

    async def packets_sent(self, sender: Any) -> int:
        """Return how many RTP packets have left."""


@attrs.frozen
class End:
    """One of the two processes.

    Attributes:
        engine: Where the libraries differ.
        video: Where they do with pictures.
        signaling: What is said to the other process.
    """

    engine: Engine
    video: VideoEngine
    signaling: Signaling

    def negotiation(self, number: int = 0) -> Negotiation:
        """Make a connection that is yet to be negotiated."""
        return Negotiation(self.engine, self.signaling, number)
