"""Audio and video of our peer: patterns and tones to send, and checks of received media."""

import math
from fractions import Fraction

import attrs
import av
import trio

from tests.interop.remote_media import FRAMERATE, HEIGHT, TOLERANCE, WIDTH
from trio_rtc import (
    MediaStream,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    RTCRtpTransceiver,
    open_media_track,
)
from trio_rtc.media import dominant_frequency, draw_pattern, read_counter, tone

ANALYZED_FRAMES, LOOK_FRAMES = 6, 12
"""Number of 20 ms frames analyzed for a frequency, and the interval: analysis takes time that sources need, too."""


@attrs.frozen
class OwnMedia:
    """Tracks of a peer connection and their sources.

    Attributes:
        pc: The peer connection.
        nursery: Nursery of the sources.
    """

    pc: RTCPeerConnection
    nursery: trio.Nursery

    def open_video(
        self, *, start: int = 0, width: int = WIDTH, height: int = HEIGHT, framerate: int = FRAMERATE
    ) -> MediaStreamTrack:
        """Return a track of numbered video frames."""
        frames, track = open_media_track("video")
        self.nursery.start_soon(_send_pattern, frames, start, width, height, framerate)
        return track

    def open_audio(self, *, frequency: float) -> MediaStreamTrack:
        """Return an audio track with a tone."""
        frames, track = open_media_track("audio")
        self.nursery.start_soon(_send_tone, frames, frequency)
        return track

    def add_video(
        self, *, start: int = 0, width: int = WIDTH, height: int = HEIGHT, framerate: int = FRAMERATE
    ) -> RTCRtpSender:
        """Add a track of numbered video frames."""
        track = self.open_video(start=start, width=width, height=height, framerate=framerate)
        return self.pc.add_track(track, MediaStream([track]))

    def add_simulcast(
        self, encodings: list[RTCRtpEncodingParameters], *, width: int, height: int
    ) -> RTCRtpSender:
        """Add a track of numbered video frames with several simulcast layers."""
        track = self.open_video(width=width, height=height)
        return self.pc.add_transceiver(track, send_encodings=encodings).sender

    def add_audio(self, *, frequency: float) -> RTCRtpSender:
        """Add an audio track with a tone."""
        return self.pc.add_track(track := self.open_audio(frequency=frequency), MediaStream([track]))

    def prefer_codec(self, kind: str, name: str) -> None:
        """Negotiate only this codec, with RTX."""
        for transceiver in self.of_kind(kind):
            capabilities = transceiver.receiver.get_capabilities(kind)
            assert capabilities is not None
            wanted = {name.upper(), "RTX"}
            transceiver.set_codec_preferences(
                [codec for codec in capabilities.codecs if codec.name.upper() in wanted]
            )

    def of_kind(self, kind: str) -> list[RTCRtpTransceiver]:
        """Return the transceivers of a kind."""
        return [each for each in self.pc.get_transceivers() if each.receiver.track.kind == kind]

    def of_mid(self, mid: str) -> RTCRtpTransceiver:
        """Return a transceiver by its MID."""
        (transceiver,) = [each for each in self.pc.get_transceivers() if each.mid == mid]
        return transceiver


async def _send_pattern(
    frames: MediaStreamTrackSource, start: int, width: int, height: int, framerate: int
) -> None:
    begin = trio.current_time()
    number = 0
    try:
        async with frames:
            while True:
                # A late frame is skipped.
                number = max(number + 1, math.ceil((trio.current_time() - begin) * framerate))
                await trio.sleep_until(begin + number / framerate)
                frame = draw_pattern(start + number, width, height)
                frame.pts, frame.time_base = number, Fraction(1, framerate)
                await frames.send(frame)
    except trio.BrokenResourceError:  # the track was stopped
        return


async def _send_tone(frames: MediaStreamTrackSource, frequency: float) -> None:
    try:
        async with frames, tone(frequency) as source:
            async for frame in source:
                await frames.send(frame)
    except trio.BrokenResourceError:
        return


async def read_counters(track: MediaStreamTrack, *, count: int = 8, least: int = 0) -> list[int]:
    """Wait until ``count`` different frames with numbers from ``least`` on have arrived."""
    counters: list[int] = []
    async for frame in track:
        counter = read_counter(frame)
        if counter is not None and counter >= least and counter not in counters:
            counters.append(counter)
        if len(counters) == count:
            break
    return counters


async def read_frame(track: MediaStreamTrack) -> tuple[int, av.VideoFrame]:
    """Wait for a frame with a readable number."""
    while True:
        frame = await track.receive()
        if (counter := read_counter(frame)) is not None:
            return counter, frame


async def wait_for_tone(track: MediaStreamTrack, frequency: float, *, tolerance: float = TOLERANCE) -> float:
    """Wait until a tone of a frequency in hertz is received."""
    frames: list[av.AudioFrame] = []
    async for frame in track:
        frames.append(frame)
        if len(frames) == LOOK_FRAMES:
            analyzed = _frequency_of(frames[-ANALYZED_FRAMES:])
            if abs(analyzed - frequency) <= tolerance:
                return analyzed
            frames.clear()
    raise EOFError("the track has ended")


def _frequency_of(frames: list[av.AudioFrame]) -> float:
    try:
        return dominant_frequency(frames)
    except ValueError:  # the codec and its sample rate have changed in between
        return math.nan


def luma_of(frame: av.VideoFrame) -> bytes:
    """Return the luma as a byte for each pixel, row by row, from 16 to 235."""
    plane = frame.planes[0]
    pixels = bytes(plane)
    return b"".join(
        pixels[start : start + frame.width]
        for start in range(0, frame.height * plane.line_size, plane.line_size)
    )


def psnr(luma: bytes, counter: int, width: int = WIDTH, height: int = HEIGHT) -> float:
    """Return the peak signal-to-noise ratio of a received frame's luma in dB.

    Frames of a canvas have the full or the limited range, depending on the browser; VP8 does not signal it.
    """
    limited = luma_of(draw_pattern(counter, width, height))
    full = limited.translate(bytes(min(max(round((y - 16) * 255 / 219), 0), 255) for y in range(256)))
    assert len(luma) == len(limited)
    error = min(
        sum((a - b) ** 2 for a, b in zip(luma, expected, strict=True)) for expected in (limited, full)
    )
    return 10 * math.log10(255**2 * len(luma) / max(error, 1))
