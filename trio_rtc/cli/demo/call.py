"""Video and audio: sends a test pattern and a tone, and counts received media. Requires the extra ``media``.

A page that uses them creates the channel ``call``, which has these messages:

* ``{}`` from the program: it is ready.
* ``{"show": true}`` to the program: start video and audio; ``false`` stops them. The first start triggers a
  negotiation.
* ``{"received": {"width": PIXELS, "height": PIXELS, "framesPerSecond": NUMBER, "bitrate": NUMBER, "frequency":
  HERTZ}}`` from the program, once a second while it receives video or audio: the media received in that second.
"""

import json
from collections import deque
from collections.abc import Callable

import av
import trio

from trio_rtc import (
    MediaStream,
    MediaStreamTrack,
    MediaStreamTrackSource,
    ProtocolError,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCTrackEvent,
    open_media_track,
)
from trio_rtc import _attrs as attrs
from trio_rtc._error_filters import ungrouped_errors
from trio_rtc.media import dominant_frequency, read_counter, test_pattern, tone

from .services import parse

WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 30
FREQUENCY = 440.0
FREQUENCY_TOLERANCE = 60.0  # hertz; measured over a tenth of a second
START_TIMEOUT = 10.0  # seconds to wait for the first video frame
REPORT_INTERVAL = 1.0
SHORTEST_CALL = 1.0  # seconds; a busy machine may decode too little in less
MEASUREMENTS = 3  # attempts before a call has failed, for the same reason
SETTLING = 1.0  # seconds before the measurement: the bandwidth estimate begins low
_AUDIO_FRAMES = 6  # of 20 ms, from which the frequency is measured


class SyntheticMedia:
    """A test pattern and a tone in one ``stream``, encoded once for all receivers."""

    def __init__(self) -> None:
        self._video_source, video = open_media_track("video", label="test pattern")
        self._audio_source, audio = open_media_track("audio", label="test tone")
        self.stream = MediaStream([video, audio])

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, self._video_source, test_pattern(WIDTH, HEIGHT, FRAMES_PER_SECOND))
            nursery.start_soon(_feed, self._audio_source, tone(FREQUENCY))

    def add_to(self, pc: RTCPeerConnection) -> list[RTCRtpSender]:
        return [pc.add_track(track, self.stream) for track in self.stream.get_tracks()]


async def _feed(
    frames: MediaStreamTrackSource,
    source: trio.abc.ReceiveChannel[av.VideoFrame] | trio.abc.ReceiveChannel[av.AudioFrame],
) -> None:
    async for frame in source:
        await frames.send(frame)


def answer_call(pc: RTCPeerConnection, nursery: trio.Nursery) -> None:
    media = SyntheticMedia()
    senders: list[RTCRtpSender] = []

    def answer(event: RTCTrackEvent) -> None:
        # Before the offer is answered, so that the tracks use the peer's media sections.
        if not senders:
            nursery.start_soon(media.run)
            senders.extend(media.add_to(pc))

    pc.on_track = answer


# -- received media --------------------------------------------------------------------------------------------------


@attrs.frozen
class ReceivedMedia:
    """Media received in the ``seconds`` since the last collection.

    Attributes:
        readable_frames: Frames with a readable counter of the test pattern.
        width: Pixels of the last frame, 0 without one.
        height: Pixels of the last frame, 0 without one.
        video_bits: Encoded video without headers.
        audio_bits: Encoded audio without headers.
        frequency: The dominant frequency of the audio in hertz, 0 without audio.
    """

    seconds: float
    frames: int = 0
    readable_frames: int = 0
    width: int = 0
    height: int = 0
    video_bits: int = 0
    audio_bits: int = 0
    frequency: float = 0.0

    @property
    def frames_per_second(self) -> float:
        return self.frames / self.seconds

    @property
    def bitrate(self) -> float:
        return (self.video_bits + self.audio_bits) / self.seconds

    @property
    def video_fault(self) -> str | None:
        if not self.video_bits:
            return "no video arrived"
        if not self.frames:
            return "video arrived, but not a single frame could be decoded"
        if not self.readable_frames:
            return f"{self.frames} frames were decoded, but none shows the test pattern"
        return None

    @property
    def audio_fault(self) -> str | None:
        if not self.audio_bits:
            return "no audio arrived"
        if not self.frequency:
            return "audio arrived, but too little of it could be decoded"
        if abs(self.frequency - FREQUENCY) > FREQUENCY_TOLERANCE:
            return f"a tone of {self.frequency:.0f} Hz arrived instead of {FREQUENCY:.0f} Hz"
        return None

    def describe(self) -> str:
        audio = f", audio around {self.frequency:.0f} Hz" if self.frequency else ""
        return (
            f"{self.width} x {self.height}, {self.frames_per_second:.0f} frames/s, "
            f"{self.bitrate / 1e6:.2f} Mbit/s{audio}"
        )


class MediaCounter:
    """Counts the media of receivers; ``started`` is set with the first video frame."""

    def __init__(self) -> None:
        self.started = trio.Event()
        self._receivers: set[RTCRtpReceiver] = set()
        self._since = trio.current_time()
        self._frames = self._readable_frames = 0
        self._size = (0, 0)
        self._bits = {"video": 0, "audio": 0}
        self._audio: deque[av.AudioFrame] = deque(maxlen=_AUDIO_FRAMES)

    @property
    def is_used(self) -> bool:
        return bool(self._receivers)

    async def count(self, receiver: RTCRtpReceiver) -> None:
        """Decode and count a receiver's media until it ends; once for each receiver."""
        if receiver in self._receivers:
            return
        self._receivers.add(receiver)
        kind = receiver.track.kind
        async with receiver.encoded_frames() as encoded, trio.open_nursery() as nursery:
            nursery.start_soon(self._count_video if kind == "video" else self._count_audio, receiver.track)
            async for frame in encoded:
                self._bits[kind] += 8 * len(frame.payload)
            nursery.cancel_scope.cancel()

    async def count_all(self, tracks: trio.abc.ReceiveChannel[RTCTrackEvent]) -> None:
        async with trio.open_nursery() as nursery:
            async for event in tracks:
                nursery.start_soon(self.count, event.receiver)

    async def _count_video(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self.started.set()
            self._frames += 1
            self._readable_frames += read_counter(frame) is not None
            self._size = (frame.width, frame.height)

    async def _count_audio(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self._audio.append(frame)

    async def collect(self) -> ReceivedMedia:
        """Return the media received since the last collection, and reset the counts."""
        now = trio.current_time()
        audio = list(self._audio)
        received = ReceivedMedia(
            max(now - self._since, 1e-6),
            self._frames,
            self._readable_frames,
            *self._size,
            video_bits=self._bits["video"],
            audio_bits=self._bits["audio"],
        )
        self._since, self._frames, self._readable_frames, self._size = now, 0, 0, (0, 0)
        self._bits = dict.fromkeys(self._bits, 0)
        self._audio.clear()
        if len(audio) < _AUDIO_FRAMES:
            return received
        try:
            frequency = await trio.to_thread.run_sync(dominant_frequency, audio)
        except ValueError:  # the codec has changed in between, and so has the sample rate
            return received
        return attrs.evolve(received, frequency=frequency)


async def measure_call(pc: RTCPeerConnection, seconds: float) -> ReceivedMedia:
    """Call a peer that answers with video and audio, and return the media received in ``seconds`` seconds."""
    media, counter = SyntheticMedia(), MediaCounter()
    with ungrouped_errors():
        async with pc.subscribe("track") as tracks, trio.open_nursery() as nursery:
            nursery.start_soon(media.run)
            media.add_to(pc)
            nursery.start_soon(counter.count_all, tracks)
            with trio.move_on_after(START_TIMEOUT):
                await counter.started.wait()
            await trio.sleep(SETTLING)
            await counter.collect()
            received = ReceivedMedia(1.0)
            for _ in range(MEASUREMENTS):
                await trio.sleep(max(seconds, SHORTEST_CALL))
                received = await counter.collect()
                if received.video_fault is None and received.audio_fault is None:
                    break
            nursery.cancel_scope.cancel()
    return received


# -- a page ----------------------------------------------------------------------------------------------------------


class Call:
    """The call with one page; ``report`` is called once a second with the page's media."""

    def __init__(
        self, pc: RTCPeerConnection, media: SyntheticMedia, report: Callable[[ReceivedMedia], None]
    ) -> None:
        self._pc = pc
        self._media = media
        self._report = report
        self._senders: list[RTCRtpSender] = []
        self._counter = MediaCounter()

    async def serve(self, channel: RTCDataChannel) -> None:
        with ungrouped_errors():
            async with self._pc.subscribe("track") as tracks, trio.open_nursery() as nursery:
                nursery.start_soon(self._counter.count_all, tracks)
                nursery.start_soon(self._report_to, channel)
                await channel.send("{}")
                async for message in channel:
                    match parse(message):
                        case {"show": bool() as shown}:
                            await self._show(shown)
                        case _:
                            raise ProtocolError('a message of a call must be {"show": BOOLEAN}')
                nursery.cancel_scope.cancel()

    async def _show(self, shown: bool) -> None:
        if shown and not self._senders:
            self._senders = self._media.add_to(self._pc)
            return
        for sender, track in zip(self._senders, self._media.stream.get_tracks(), strict=False):
            await sender.replace_track(track if shown else None)

    async def _report_to(self, channel: RTCDataChannel) -> None:
        while True:
            await trio.sleep(REPORT_INTERVAL)
            if not self._counter.is_used:
                continue
            received = await self._counter.collect()
            self._report(received)
            figures = {
                "width": received.width,
                "height": received.height,
                "framesPerSecond": round(received.frames_per_second, 1),
                "bitrate": round(received.bitrate),
                "frequency": round(received.frequency),
            }
            await channel.send(json.dumps({"received": figures}))
