"""TODO."""

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import HeaderValues
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame, PlayedFrame
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.parameters import Codec
from trio_rtc.protocols.rtp.payload import Depacketizer, has_in_band_fec, payload_duration
from trio_rtc.protocols.rtp.receive.sync_group import StreamTiming
from trio_rtc.protocols.rtp.stats import ReceiveStats

from .playout import AudioPlayout


class AudioReceivePipeline:
    """Sound: played out evenly, with something in the place of what is missing."""

    def __init__(
        self,
        codec: Codec,
        opener: Depacketizer,
        options: RtpOptions,
        meters: ReceiveStats | None = None,
        *,
        ssrc: int,
        rid: str | None,
    ) -> None:
        self._codec = codec
        self._opener = opener
        self.rid = rid
        self._ssrc = ssrc
        self._meters = meters or ReceiveStats()
        self._playout = AudioPlayout(options.playout)
        self._playout.counters = self._meters.playout
        self._newest: int | None = None

    @property
    def playout(self) -> AudioPlayout:
        """The buffer, with its counters."""
        return self._playout

    @property
    def next_expected(self) -> int | None:
        """Not known: the buffer goes by timestamps."""
        return None

    def insert(
        self,
        number: int,
        timestamp: int,
        packet: RtpPacket,
        values: HeaderValues,
        now: float,
        *,
        recovered: bool = False,
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
            rid=self.rid,
            ssrc=self._ssrc,
            audio_level=values.audio_level,
            capture_time=values.capture_time,
            marker=packet.marker,
            contributing_sources=packet.csrcs,
        )
        self._playout.insert(
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
        """Do nothing: a stream of audio keeps little, and shares no budget."""

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

    def set_retransmission_timeout(self, retransmission_timeout: float, first_answer: float) -> None:
        """Of no consequence, likewise."""

    def expect_repairs(self) -> None:
        """Of no consequence, likewise: redundancy that comes late makes the buffer grow by itself."""

    def take_keyframe_request(self) -> bool:
        """Return ``False``: sound has no keyframes."""
        return False

    def timing(self) -> StreamTiming | None:
        """Return when the newest sound is heard that waits as long as the network makes it."""
        if self._newest is None:
            return None
        play_time = self._playout.play_time(self._newest)
        return None if play_time is None else StreamTiming(self._newest, play_time)

    def take_clock_shift(self) -> float:
        """Return for how long the sender's clock seems to have stood still since the last call."""
        return self._playout.take_clock_shift()

    def set_extra_delay(self, delay: float) -> None:
        """Take how much longer to wait for the pictures, in seconds."""
        self._playout.set_extra_delay(delay)

    def set_min_delay(self, delay: float) -> None:
        """Take how long sound has to wait at least."""
        self._playout.set_min_delay(delay)

    def next_timer(self) -> float:
        """Return when something is to be heard."""
        return self._playout.next_timer()
