"""The receive pipeline of audio: each packet is a frame, and the playout buffer decides when it is played."""

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import HeaderValues
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame, PlayedFrame
from trio_rtc.protocols.rtp.packet.packet import MediaPacket
from trio_rtc.protocols.rtp.payload import Depacketizer, has_in_band_fec, payload_duration
from trio_rtc.protocols.rtp.receive.sync_group import StreamTiming
from trio_rtc.protocols.rtp.stats import ReceiveStats

from .playout import AudioPlayout


class AudioReceivePipeline:
    """Plays frames at even intervals, with concealment for missing ones.

    Attributes:
        rid: The simulcast layer of the stream.
        next_expected: Always ``None``: the playout buffer goes by timestamps, not by sequence numbers.
    """

    def __init__(
        self,
        codec: Codec,
        depacketizer: Depacketizer,
        options: RtpOptions,
        stats: ReceiveStats | None = None,
        *,
        ssrc: int,
        rid: str | None,
    ) -> None:
        self.rid = rid
        self.next_expected: int | None = None
        self._ssrc = ssrc
        self._codec = codec
        self._depacketizer = depacketizer
        self._stats = stats or ReceiveStats()
        self.playout = AudioPlayout(options.playout)
        self.playout.counters = self._stats.playout
        self._newest: int | None = None

    def insert(self, received: MediaPacket, values: HeaderValues) -> None:
        """Insert a packet, which is a frame, and the values of its header extensions."""
        number, timestamp, packet, now, recovered = received
        duration = payload_duration(self._codec.name, packet.payload)
        if not duration:
            return
        try:
            frame = self._depacketizer.assemble((packet.payload,))
        except ProtocolError:
            self._stats.malformed += 1
            return
        encoded = EncodedFrame(
            frame.payload,
            timestamp,
            self._codec.clock_rate,
            self._codec.name,
            rid=self.rid,
            ssrc=self._ssrc,
            audio_level=values.audio_level,
            capture_time=values.capture_time,
            marker=packet.marker,
            contributing_sources=packet.csrcs,
            received_at=now,
        )
        self.playout.insert(
            timestamp,
            duration,
            encoded,
            now,
            sequence_number=number,
            recovered=recovered,
            repeats_previous=has_in_band_fec(self._codec.name, frame.payload),
        )
        self._newest = timestamp if self._newest is None else max(self._newest, timestamp)

    def end(self) -> None:
        """Do nothing: the playout buffer is small, and shares no budget."""

    def frames(self, now: float) -> list[PlayedFrame]:
        frames: list[PlayedFrame] = []
        playout, stats = self.playout, self._stats
        before = playout.counters.played
        while (played := playout.pull(now)) is not None:
            frames.append(played)
            units, before = playout.counters.played - before, playout.counters.played
            if units and isinstance(played, EncodedFrame):
                stats.audio_target_delay += playout.target_delay * units
                stats.audio_minimum_delay += playout.network_delay * units
                stats.audio_level.record(played.audio_level, units / self._codec.clock_rate)
        return frames

    def retransmission_gave_up(self) -> None:
        """Do nothing: audio does not wait for retransmissions."""

    def set_retransmission_timeout(self, retransmission_timeout: float, first_answer: float) -> None:
        """Do nothing: audio does not wait for retransmissions."""

    def expect_fec(self) -> None:
        """Do nothing: redundancy that arrives late makes the buffer grow by itself."""

    def take_keyframe_request(self) -> bool:
        """Return ``False``: audio has no keyframes."""
        return False

    def timing(self) -> StreamTiming | None:
        """Return when the newest frame is played with the delay that the network requires; ``None`` before a frame."""
        if self._newest is None:
            return None
        play_time = self.playout.play_time(self._newest)
        return None if play_time is None else StreamTiming(self._newest, play_time)

    def take_clock_shift(self) -> float:
        """Return the time for which the sender's clock has stood still since the last call, in seconds."""
        return self.playout.take_clock_shift()

    def set_extra_delay(self, delay: float) -> None:
        """Set the delay for synchronization with video, in seconds."""
        self.playout.set_extra_delay(delay)

    def set_min_delay(self, delay: float) -> None:
        """Set the application's minimum delay, in seconds."""
        self.playout.set_min_delay(delay)

    def set_decoded(self, decoded: bool) -> None:
        """Set whether the frames are decoded for playout, by a decoder that lengthens and shortens them."""
        self.playout.set_decoded(decoded)

    def next_timer(self) -> float:
        return self.playout.next_timer()
