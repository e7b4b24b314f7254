"""Video and audio: a test picture and a tone go out, and what comes in is counted. Needs the extra ``media``.

Who wants to see and hear them creates the channel ``call``; then the messages on it are

* ``{}`` from the program: it is ready.
* ``{"show": true}`` to the program: picture and tone are to come, with ``false`` not any more. The first time, this
  makes the program negotiate.
* ``{"received": {"width": PIXELS, "height": PIXELS, "framesPerSecond": NUMBER, "bitrate": NUMBER,
  "frequency": HERTZ}}`` from the program, once a second, as soon as it gets video or audio: what came in that second.
"""

import json
from collections import deque
from collections.abc import Callable

import attrs
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
from trio_rtc.media import dominant_frequency, read_counter, test_pattern, tone
from trio_rtc.signaling.ungrouped_errors import ungrouped_errors

from .services import parse

WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 30
FREQUENCY = 440.0
FREQUENCY_TOLERANCE = 60.0  # hertz: it is measured in a tenth of a second
START_TIMEOUT = 10.0  # seconds that the first picture is waited for
REPORT_INTERVAL = 1.0
SHORTEST_CALL = 1.0  # seconds: in less, a busy machine may decode too little to judge
MEASUREMENTS = 3  # before a call is said to have failed, for the same reason
SETTLING = 1.0  # seconds that are not measured: what is known of the bandwidth begins low
_SOUND_FRAMES = 6  # of 20 ms, in which the frequency is looked for


class Studio:
    """A test picture and a tone for all who want to see and hear them; however many those are, it is encoded once.

    Attributes:
        stream: With both tracks.
    """

    def __init__(self) -> None:
        self._picture, video = open_media_track("video", label="test pattern")
        self._sound, audio = open_media_track("audio", label="test tone")
        self.stream = MediaStream([video, audio])

    async def run(self) -> None:
        """Make pictures and sound until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, self._picture, test_pattern(WIDTH, HEIGHT, FRAMES_PER_SECOND))
            nursery.start_soon(_feed, self._sound, tone(FREQUENCY))

    def add_to(self, pc: RTCPeerConnection) -> list[RTCRtpSender]:
        """Send both to a peer."""
        return [pc.add_track(track, self.stream) for track in self.stream.get_tracks()]


async def _feed(
    frames: MediaStreamTrackSource,
    source: trio.abc.ReceiveChannel[av.VideoFrame] | trio.abc.ReceiveChannel[av.AudioFrame],
) -> None:
    async for frame in source:
        await frames.send(frame)


def answer_call(pc: RTCPeerConnection, nursery: trio.Nursery) -> None:
    """Send picture and tone to a peer as soon as it sends something."""
    studio = Studio()
    senders: list[RTCRtpSender] = []

    def answer(event: RTCTrackEvent) -> None:
        # Before the offer is answered, so that our tracks go into the sections that the peer's are in.
        if not senders:
            nursery.start_soon(studio.run)
            senders.extend(studio.add_to(pc))

    pc.on_track = answer


# -- what comes in ---------------------------------------------------------------------------------------------------


@attrs.frozen
class Received:
    """What came since the last look.

    Attributes:
        seconds: How long that is ago.
        pictures: How many were decoded.
        numbered: How many of them had a test picture's number in it that could be read.
        width: Pixels of the last picture, 0 if there was none.
        height: Pixels of it.
        video_bits: Encoded, without headers.
        audio_bits: The same of the sound.
        frequency: The loudest in the sound in hertz, 0 if there was none.
    """

    seconds: float
    pictures: int = 0
    numbered: int = 0
    width: int = 0
    height: int = 0
    video_bits: int = 0
    audio_bits: int = 0
    frequency: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds

    @property
    def bitrate(self) -> float:
        """Bits a second, of video and audio."""
        return (self.video_bits + self.audio_bits) / self.seconds

    @property
    def video_fault(self) -> str | None:
        """What is wrong with the video of a test call; ``None`` if nothing is."""
        if not self.video_bits:
            return "no video arrived"
        if not self.pictures:
            return "video arrived, but not a single frame could be decoded"
        if not self.numbered:
            return f"{self.pictures} frames were decoded, but none shows the test pattern"
        return None

    @property
    def audio_fault(self) -> str | None:
        """What is wrong with the audio of a test call; ``None`` if nothing is."""
        if not self.audio_bits:
            return "no audio arrived"
        if not self.frequency:
            return "audio arrived, but too little of it could be decoded"
        if abs(self.frequency - FREQUENCY) > FREQUENCY_TOLERANCE:
            return f"a tone of {self.frequency:.0f} Hz arrived in place of {FREQUENCY:.0f} Hz"
        return None

    def describe(self) -> str:
        """Say it in a line."""
        sound = f", sound around {self.frequency:.0f} Hz" if self.frequency else ""
        return (
            f"{self.width} x {self.height}, {self.frames_per_second:.0f} frames/s, "
            f"{self.bitrate / 1e6:.2f} Mbit/s{sound}"
        )


class Counter:
    """Counts what receivers get.

    Attributes:
        begun: Set with the first picture.
    """

    def __init__(self) -> None:
        self.begun = trio.Event()
        self._receivers: set[RTCRtpReceiver] = set()
        self._since = trio.current_time()
        self._pictures = self._numbered = 0
        self._size = (0, 0)
        self._bits = {"video": 0, "audio": 0}
        self._sound: deque[av.AudioFrame] = deque(maxlen=_SOUND_FRAMES)

    @property
    def is_used(self) -> bool:
        """Whether anything is being received."""
        return bool(self._receivers)

    async def count(self, receiver: RTCRtpReceiver) -> None:
        """Decode and count what a receiver gets, until it ends; once for each receiver."""
        if receiver in self._receivers:
            return
        self._receivers.add(receiver)
        kind = receiver.track.kind
        async with receiver.encoded_frames() as encoded, trio.open_nursery() as nursery:
            nursery.start_soon(self._watch if kind == "video" else self._listen, receiver.track)
            async for frame in encoded:
                self._bits[kind] += 8 * len(frame.payload)
            nursery.cancel_scope.cancel()

    async def count_all(self, tracks: trio.abc.ReceiveChannel[RTCTrackEvent]) -> None:
        """Decode and count what comes of every track."""
        async with trio.open_nursery() as nursery:
            async for event in tracks:
                nursery.start_soon(self.count, event.receiver)

    async def _watch(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self.begun.set()
            self._pictures += 1
            self._numbered += read_counter(frame) is not None
            self._size = (frame.width, frame.height)

    async def _listen(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self._sound.append(frame)

    async def take(self) -> Received:
        """Return what came since the last look, and begin anew."""
        now = trio.current_time()
        sound = list(self._sound)
        received = Received(
            max(now - self._since, 1e-6),
            self._pictures,
            self._numbered,
            *self._size,
            video_bits=self._bits["video"],
            audio_bits=self._bits["audio"],
        )
        self._since, self._pictures, self._numbered, self._size = now, 0, 0, (0, 0)
        self._bits = dict.fromkeys(self._bits, 0)
        self._sound.clear()
        if len(sound) < _SOUND_FRAMES:
            return received
        try:
            frequency = await trio.to_thread.run_sync(dominant_frequency, sound)
        except ValueError:  # the codec has changed in between, and with it the rate
            return received
        return attrs.evolve(received, frequency=frequency)


async def measure_call(pc: RTCPeerConnection, seconds: float) -> Received:
    """Call a peer that answers with video and audio, and return what arrived in so many seconds, if anything."""
    studio, counter = Studio(), Counter()
    with ungrouped_errors():
        async with pc.subscribe("track") as tracks, trio.open_nursery() as nursery:
            nursery.start_soon(studio.run)
            studio.add_to(pc)
            nursery.start_soon(counter.count_all, tracks)
            with trio.move_on_after(START_TIMEOUT):
                await counter.begun.wait()
            await trio.sleep(SETTLING)
            await counter.take()
            received = Received(1.0)
            for _ in range(MEASUREMENTS):
                await trio.sleep(max(seconds, SHORTEST_CALL))
                received = await counter.take()
                if received.video_fault is None and received.audio_fault is None:
                    break
            nursery.cancel_scope.cancel()
    return received


# -- a page ----------------------------------------------------------------------------------------------------------


class Call:
    """The call with one page.

    Args:
        pc: Leads to it.
        studio: What it is to see and hear.
        report: Called once a second with what came of it.
    """

    def __init__(self, pc: RTCPeerConnection, studio: Studio, report: Callable[[Received], None]) -> None:
        self._pc = pc
        self._studio = studio
        self._report = report
        self._senders: list[RTCRtpSender] = []
        self._counter = Counter()

    async def serve(self, channel: RTCDataChannel) -> None:
        """Do what the page asks for, until its channel ends.

        Raises:
            ProtocolError: The page does not keep to the format.
        """
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
                            raise ProtocolError("not what a call can do")
                nursery.cancel_scope.cancel()

    async def _show(self, shown: bool) -> None:
        if shown and not self._senders:
            self._senders = self._studio.add_to(self._pc)
            return
        for sender, track in zip(self._senders, self._studio.stream.get_tracks(), strict=False):
            await sender.replace_track(track if shown else None)

    async def _report_to(self, channel: RTCDataChannel) -> None:
        while True:
            await trio.sleep(REPORT_INTERVAL)
            if not self._counter.is_used:
                continue
            received = await self._counter.take()
            self._report(received)
            figures = {
                "width": received.width,
                "height": received.height,
                "framesPerSecond": round(received.frames_per_second, 1),
                "bitrate": round(received.bitrate),
                "frequency": round(received.frequency),
            }
            await channel.send(json.dumps({"received": figures}))
