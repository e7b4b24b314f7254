"""From the payloads of one stream to what is decoded: one way for pictures, another for sound."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from trio_rtc.errors import ProtocolError

from .extensions import HeaderValues
from .frame import EncodedFrame
from .meters import MediaMeters
from .options import RtpOptions
from .packet import RtpPacket
from .parameters import FEEDBACK_NACK, Codec
from .payload import Depacketizer, LayerIds, depacketizer, layer_reader, payload_duration
from .receive import (
    AudioPlayout,
    CompletedFrame,
    Concealment,
    FrameAssembler,
    JitterEstimator,
    LayerPosition,
)

PlayedFrame: TypeAlias = EncodedFrame | Concealment


class StreamNames(Protocol):
    """Whose frames they are."""

    ssrc: int
    rid: str | None


class MediaPath(Protocol):
    """Makes frames of packets."""

    @property
    def awaited(self) -> int | None:
        """The sequence number below which no packet is of use any more."""

    def insert(
        self, number: int, timestamp: int, packet: RtpPacket, values: HeaderValues, now: float
    ) -> None:
        """Take a packet; number and timestamp are unwrapped."""

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return what is ready."""

    def repair_gave_up(self) -> None:
        """Hear that what is missing will not come."""

    def take_keyframe_request(self) -> bool:
        """Return whether a keyframe is needed."""

    def sender_report(self, timestamp: int, ntp_time: float) -> None:
        """Take the source's clock: an unwrapped timestamp and the Unix time of it in the sender's clock."""

    def next_timer(self) -> float:
        """Return when ``frames`` has something though nothing came."""


def make_path(codec: Codec, names: StreamNames, options: RtpOptions, meters: MediaMeters) -> MediaPath | None:
    """Return the path of a codec, ``None`` if its payloads are not understood."""
    opener = depacketizer(codec.name, codec.parameters)
    if opener is None or not codec.is_media:
        return None
    if codec.clock_rate == 90_000:
        return VideoPath(codec, opener, names, options, meters)
    return AudioPath(codec, opener, names, options, meters)


class VideoPath:
    """Pictures: put together, in order, whole, as soon as they are."""

    def __init__(
        self,
        codec: Codec,
        opener: Depacketizer,
        names: StreamNames,
        options: RtpOptions,
        meters: MediaMeters | None = None,
    ) -> None:
        self._codec = codec
        self._names = names
        self._meters = meters or MediaMeters()
        reader = layer_reader(codec.name)
        layers = None if reader is None else _Layers(reader)
        self._assembler = FrameAssembler(
            opener, options.assembler, layers=layers, repairs=FEEDBACK_NACK in codec.feedback
        )
        self._assembler.counters = self._meters.assembler
        self._jitter = JitterEstimator()
        self._values: dict[int, HeaderValues] = {}

    @property
    def assembler(self) -> FrameAssembler:
        """What puts frames together, with its counters."""
        return self._assembler

    @property
    def awaited(self) -> int | None:
        """The sequence number below which no packet is of use any more."""
        return self._assembler.awaited

    def insert(
        self, number: int, timestamp: int, packet: RtpPacket, values: HeaderValues, now: float
    ) -> None:
        """Take a packet."""
        if values.rotation is not None or values.capture_time is not None:
            self._remember(timestamp, values)
        self._assembler.insert(number, timestamp, packet, now)

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return the pictures that are whole."""
        frames: list[PlayedFrame] = []
        for completed in self._assembler.frames(now):
            self._jitter.update(completed.timestamp / self._codec.clock_rate, completed.completed_at)
            self._measure(completed, now)
            values = self._values.pop(completed.timestamp, None)
            frame = completed.frame
            frames.append(
                EncodedFrame(
                    frame.payload,
                    completed.timestamp,
                    self._codec.clock_rate,
                    self._codec.name,
                    frame.keyframe,
                    frame.spatial_id,
                    frame.temporal_id,
                    self._names.rid,
                    self._names.ssrc,
                    frame.width,
                    frame.height,
                    capture_time=None if values is None else values.capture_time,
                    rotation=0 if values is None else values.rotation or 0,
                    contributing_sources=completed.packet.csrcs,
                )
            )
        if frames:
            self._assembler.set_delay(self._jitter.target_delay)
        return frames

    def repair_gave_up(self) -> None:
        """Hear that what is missing will not come."""
        self._assembler.repair_gave_up()

    def take_keyframe_request(self) -> bool:
        """Return whether a keyframe is needed."""
        return self._assembler.take_keyframe_request()

    def sender_report(self, timestamp: int, ntp_time: float) -> None:
        """Take the source's clock."""

    def next_timer(self) -> float:
        """Return when ``frames`` has something though nothing came."""
        return self._assembler.next_timer()

    def _measure(self, completed: CompletedFrame, now: float) -> None:
        meters = self._meters
        meters.emitted += 1
        meters.delay += now - completed.began_at
        if completed.last_sequence_number > completed.first_sequence_number:
            meters.assembled += 1
            meters.assembly_time += completed.completed_at - completed.began_at
        meters.rate.note(now)
        meters.intervals.note(now)
        frame = completed.frame
        if frame.width and frame.height:
            meters.width, meters.height = frame.width, frame.height

    def _remember(self, timestamp: int, values: HeaderValues) -> None:
        """Keep what a packet tells of its frame; of at most as many frames as can be under way."""
        self._values[timestamp] = values
        if len(self._values) > _MAX_FRAMES_UNDER_WAY:
            del self._values[next(iter(self._values))]


class AudioPath:
    """Sound: played out evenly, with something in the place of what is missing."""

    def __init__(
        self,
        codec: Codec,
        opener: Depacketizer,
        names: StreamNames,
        options: RtpOptions,
        meters: MediaMeters | None = None,
    ) -> None:
        self._codec = codec
        self._opener = opener
        self._names = names
        self._meters = meters or MediaMeters()
        self._playout = AudioPlayout(options.playout)
        self._playout.counters = self._meters.playout

    @property
    def playout(self) -> AudioPlayout:
        """The buffer, with its counters."""
        return self._playout

    @property
    def awaited(self) -> int | None:
        """Not known: the buffer goes by timestamps."""
        return None

    def insert(
        self, number: int, timestamp: int, packet: RtpPacket, values: HeaderValues, now: float
    ) -> None:
        """Take a packet, which is a frame."""
        duration = payload_duration(self._codec.name, packet.payload)
        if not duration:
            return
        try:
            frame = self._opener.assemble((packet.payload,))
        except ProtocolError:
            self._meters.malformed += 1
            return
        encoded = EncodedFrame(
            frame.payload,
            timestamp,
            self._codec.clock_rate,
            self._codec.name,
            rid=self._names.rid,
            ssrc=self._names.ssrc,
            audio_level=values.audio_level,
            capture_time=values.capture_time,
            marker=packet.marker,
            contributing_sources=packet.csrcs,
        )
        self._playout.insert(timestamp, duration, encoded, now, sequence_number=number)

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return what is to be heard now."""
        frames: list[PlayedFrame] = []
        playout, meters = self._playout, self._meters
        before = playout.counters.played
        while (played := playout.pull(now)) is not None:
            frames.append(played)
            units, before = playout.counters.played - before, playout.counters.played
            if units and isinstance(played, EncodedFrame):
                meters.target_delay += playout.target_delay * units
                meters.loudness.note(played.audio_level, units / self._codec.clock_rate)
        return frames

    def repair_gave_up(self) -> None:
        """Of no consequence: sound does not wait for repair."""

    def take_keyframe_request(self) -> bool:
        """Return ``False``: sound has no keyframes."""
        return False

    def sender_report(self, timestamp: int, ntp_time: float) -> None:
        """Take the source's clock."""

    def next_timer(self) -> float:
        """Return when something is to be heard."""
        return self._playout.next_timer()


class _Layers:
    """Tells the assembler the temporal layer of a frame, for codecs that number the frames of their base layer."""

    def __init__(self, read: Callable[[bytes], LayerIds]) -> None:
        self._read = read

    def layer_position(self, payload: bytes) -> LayerPosition | None:
        try:
            layers = self._read(payload)
        except ProtocolError:
            return None
        if layers.temporal_id is None or layers.tl0_picture_index is None:
            return None
        return LayerPosition(layers.temporal_id, layers.tl0_picture_index, layers.layer_sync)


_MAX_FRAMES_UNDER_WAY = 128
