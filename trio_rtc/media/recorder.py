"""Recording of tracks into files."""

import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from pathlib import Path

import av
import av.container
import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import call_in_thread, require_trio
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._background import background
from ._container import ThreadedContainer, media_limiter, open_container
from ._demuxed import MediaFrame
from ._timeline import TrackStart, track_origins
from ._writers import FORMATS, Writer, frame_time, make_writer

logger = logging.getLogger("trio_rtc.media")

_BY_SUFFIX = {
    ".mp4": "mp4",
    ".m4a": "mp4",
    ".webm": "webm",
    ".mkv": "matroska",
    ".ogg": "ogg",
    ".opus": "ogg",
    ".wav": "wav",
}
_MAX_HELD = 512


@attrs.frozen
class _ReceivedFrame:
    """A frame with its timestamp and its arrival time, both in seconds."""

    frame: MediaFrame
    time: Fraction
    arrival: float

    @classmethod
    def now(cls, frame: MediaFrame) -> "_ReceivedFrame":
        """Return a frame that has just arrived; without its own timestamp, it has the arrival time."""
        arrival = trio.current_time()
        time = frame_time(frame)
        return cls(frame, Fraction(arrival).limit_denominator(90_000) if time is None else time, arrival)


@attrs.define(eq=False)
class _Track:
    """A channel that is being recorded, with frames held until the file's header is written.

    ``origin`` is the track's own timestamp at the beginning of the file, in seconds.
    """

    channel: trio.abc.ReceiveChannel[MediaFrame]
    held: deque[_ReceivedFrame] = attrs.field(factory=lambda: deque(maxlen=_MAX_HELD))
    writer: Writer | None = None
    origin: Fraction = Fraction(0)
    done: bool = False


class Recorder:
    """A file that is being written.

    A container's header lists its streams. It is written when each added track has delivered its first frame (for
    encoded video, its first keyframe), or ``start_timeout`` seconds after the first frame of any track. Tracks without
    a frame until then, or added later, are not recorded.

    Attributes:
        lost: Frames that were not recorded: too many arrived before the header, or the container does not support them.
    """

    def __init__(
        self,
        container: "ThreadedContainer[av.container.OutputContainer]",
        format_name: str,
        start_timeout: float,
    ) -> None:
        self.lost = 0
        self._container = container
        self._format = format_name
        self._start_timeout = start_timeout
        self._tracks: list[_Track] = []
        self._lock = trio.Lock()
        self._begun = False
        self._first_frame = trio.Event()
        self._changed = trio.Event()
        self._nursery: trio.Nursery | None = None

    def add(self, channel: trio.abc.ReceiveChannel[MediaFrame]) -> None:
        """Record the frames of a channel until it ends.

        Encoded frames are copied if the container supports their codec, and transcoded otherwise.

        Raises:
            RuntimeError: The header has been written, or the file is finished.
        """
        if self._begun or self._nursery is None:
            raise RuntimeError("add() must be called before the first frames are written")
        track = _Track(channel)
        self._tracks.append(track)
        self._nursery.start_soon(self._record, track)

    async def wait(self) -> None:
        """Wait until all added channels have ended and are written."""
        while not all(track.done for track in self._tracks):
            await self._changed.wait()
        await trio.lowlevel.checkpoint()

    def start(self, nursery: trio.Nursery) -> None:
        """Start the background tasks in a nursery."""
        self._nursery = nursery
        nursery.start_soon(self._begin_in_time)

    async def finish(self) -> None:
        """Write buffered frames and the end of the file."""
        self._nursery = None
        async with self._lock:
            await self._begin()
            writers = [track.writer for track in self._tracks if track.writer is not None]
            await self._container.call(lambda: _finish(writers), abandon=True)

    async def _record(self, track: _Track) -> None:
        try:
            async for frame in track.channel:
                await self._record_frame(track, _ReceivedFrame.now(frame))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.debug("a recorded track was closed")
        finally:
            track.done = True
            self._notify()
        if self._all_ready():
            async with self._lock:
                await self._begin()

    async def _record_frame(self, track: _Track, received: _ReceivedFrame) -> None:
        if not self._begun:
            frame = received.frame
            if not track.held and isinstance(frame, EncodedFrame) and not frame.keyframe:
                self.lost += 1
                return
            self.lost += len(track.held) == _MAX_HELD
            track.held.append(received)
            self._first_frame.set()
            if not self._all_ready():
                return
            async with self._lock:
                await self._begin()
            return
        async with self._lock:
            await self._write(track, received)

    def _all_ready(self) -> bool:
        ready = all(track.held or track.done for track in self._tracks)
        return not self._begun and ready and any(track.held for track in self._tracks)

    async def _begin_in_time(self) -> None:
        await self._first_frame.wait()
        await trio.sleep(self._start_timeout)
        async with self._lock:
            await self._begin()

    async def _begin(self) -> None:
        """Write the header with the present tracks, and the held frames."""
        if self._begun:
            return
        self._begun = True
        begun = [track for track in self._tracks if track.held]
        origins = track_origins([TrackStart(track.held[0].time, track.held[0].arrival) for track in begun])
        for track, origin in zip(begun, origins, strict=True):
            track.origin = origin
            try:
                track.writer = await self._container.call(self._make_writer(track.held[0].frame))
            except (ValueError, av.FFmpegError) as error:
                logger.warning("cannot record a track: %s", error)
        held = [(received, track) for track in self._tracks for received in track.held]
        for received, track in sorted(held, key=lambda entry: entry[0].arrival):
            await self._write(track, received)
        for track in self._tracks:
            track.held.clear()

    def _make_writer(self, first: MediaFrame) -> Callable[[], Writer]:
        return lambda: make_writer(self._container.container, self._format, first)

    async def _write(self, track: _Track, received: _ReceivedFrame) -> None:
        writer = track.writer
        time = received.time - track.origin
        if writer is None or time < 0:
            self.lost += 1
            return
        try:
            await self._container.call(lambda: writer.write(received.frame, time))
        except (av.FFmpegError, ValueError) as error:
            self.lost += 1
            logger.warning("cannot record a frame: %s", error)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@contextlib.asynccontextmanager
async def open_recorder(
    path: str | Path,
    *,
    format: str | None = None,
    start_timeout: float = 2.0,
    finish_timeout: float = 5.0,
) -> AsyncIterator[Recorder]:
    """Open a file and record into it while the block runs.

    The file is finished at the end of the block, even after an exception or cancellation. To wait for the end of the
    tracks, call :meth:`Recorder.wait` in the block.

    Args:
        path: The file; an existing one is replaced.
        format: ``"mp4"``, ``"webm"``, ``"matroska"``, ``"ogg"`` or ``"wav"``; ``None`` chooses by the suffix.
        start_timeout: Seconds after the first frame to wait for tracks without any.
        finish_timeout: Maximum seconds for finishing the file after a cancellation.

    Raises:
        OSError: The file cannot be written.
        ValueError: The format is unknown.
    """
    require_trio("media.open_recorder")
    name = format or _BY_SUFFIX.get(Path(path).suffix.lower())
    if name not in FORMATS:
        raise ValueError(
            f"format of {path} must be one of {', '.join(FORMATS)}, not {name or Path(path).suffix!r}"
        )
    await call_in_thread(_check_writable, Path(path), limiter=media_limiter())
    container = await open_container(lambda: av.open(str(path), "w", format=name), str(path), local=True)
    recorder = Recorder(container, name, start_timeout)
    try:
        async with background() as nursery:
            recorder.start(nursery)
            yield recorder
    finally:
        with trio.move_on_after(finish_timeout, shield=True):
            try:
                await recorder.finish()
            finally:
                await container.aclose()


def _check_writable(path: Path) -> None:
    path.open("wb").close()


def _finish(writers: list[Writer]) -> None:
    for writer in writers:
        try:
            writer.finish()
        except (av.FFmpegError, ValueError) as error:
            logger.warning("cannot record the end of a track: %s", error)
