"""One outgoing stream: what is sent under one SSRC, and its repairs under others.

The stream numbers, stamps and counts. What its packets say of where they belong is the matter of :mod:`.stream_names`,
what is sent again that of :mod:`.retransmissions`, and what is added against loss that of :mod:`.protection`.
"""

from collections.abc import Iterable

import attrs

from trio_rtc.protocols.rtp.fec.protection import AudioRedundancy, VideoProtection
from trio_rtc.protocols.rtp.forward.extension_mapper import ExtensionMapper
from trio_rtc.protocols.rtp.forward.forwarder import RtpForwarder
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_CAPTURE_TIME,
    AUDIO_LEVEL,
    VIDEO_ORIENTATION,
    ExtensionMap,
    encode_abs_capture_time,
    encode_audio_level,
    encode_video_orientation,
)
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.packet.packet import HEADER_SIZE, RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import OVERHEAD
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.parameters import Codec, Encoding, SendParameters
from trio_rtc.protocols.rtp.payload import Packetizer
from trio_rtc.protocols.rtp.stats import FrameRate, QualityLimitation, Totals, numbers_of

from .history import PacketHistory
from .identifiers import StreamIdentifiers
from .retransmitter import Retransmitter
from .telephone_events import TelephoneEventSender

_HUGE = 2.5
"""How much larger than the average a frame is that W3C calls huge."""
_PROTECTION_ROOM = 64
"""Bytes that a repair packet may be larger than the packets that it protects, and RED in front of these."""
_ELEMENT_ROOM = 40
"""Bytes that header extensions take at most in what we send, their own header included."""


@attrs.define
class SendCounters:
    """What has left (RFC 3550 section 6.4.1 and W3C webrtc-stats). Bytes are those of payloads.

    Repair packets are also among what was sent where they share the stream of the media, as ULPFEC does.
    Padding is media once more, to probe the path. ``header_bytes_sent`` is what else was in all of these packets,
    without what SRTP adds.
    ``packet_send_delay`` is how long the packets have waited for the pacer, in seconds, all together.
    """

    packets_sent: int = 0
    bytes_sent: int = 0
    header_bytes_sent: int = 0
    retransmitted_packets_sent: int = 0
    retransmitted_bytes_sent: int = 0
    padding_packets_sent: int = 0
    padding_bytes_sent: int = 0
    packet_send_delay: float = 0.0
    frames_sent: int = 0
    keyframes_sent: int = 0
    huge_frames_sent: int = 0
    frame_bytes: int = 0
    fec_packets_sent: int = 0
    fec_bytes_sent: int = 0
    nacks_received: int = 0
    plis_received: int = 0
    firs_received: int = 0


@attrs.frozen
class TimestampPoint:
    """What the RTP clock showed when (RFC 3550 section 6.4.1).

    Attributes:
        timestamp: 32 bits.
        at: Seconds.
        clock_rate: Units of the timestamp in a second.
    """

    timestamp: int
    at: float
    clock_rate: int

    def extrapolate(self, now: float) -> int:
        """Return what it shows now."""
        return (self.timestamp + round((now - self.at) * self.clock_rate)) & 0xFFFFFFFF


class RtpSendStream:
    """Numbers, stamps and counts the packets of one encoding.

    Args:
        mid: The section.
        encoding: Its sources and its name.
        history: Where packets are kept for retransmission.
        numbers: The sequence numbers of our sources.
        timestamp_offset: What is added to the timestamps of frames.

    Attributes:
        encoding: As given.
        counters: What has left.
        codec: What is sent at present; ``None`` before it is negotiated.
        limitation: What keeps it below the quality that it may have.
        target_bitrate: What it may use at present, in bits a second; ``None`` before that is known.
        rate: How many frames are sent.
        size: Width and height of the last frame that told, in pixels.
        clock: What the RTP clock showed last; ``None`` before the first packet.
        names: What its packets say of where they belong.
        retransmissions: What is sent again.
    """

    def __init__(
        self,
        mid: str,
        encoding: Encoding,
        history: PacketHistory,
        numbers: SequenceCounters,
        timestamp_offset: int,
    ) -> None:
        self.mid = mid
        self.encoding = encoding
        self.counters = SendCounters()
        self.codec: Codec | None = None
        self.clock: TimestampPoint | None = None
        self.names = StreamIdentifiers(mid, encoding.rid, ExtensionMap())
        self.retransmissions = Retransmitter(encoding.ssrc, history, numbers)
        self.limitation = QualityLimitation()
        self.target_bitrate: float | None = None
        self.rate = FrameRate()
        self.size: tuple[int, int] | None = None
        self._numbers = numbers.of(encoding.ssrc)
        self._timestamp_offset = timestamp_offset
        self._rewriter: RtpForwarder | None = None
        self._packetizer: Packetizer | None = None
        self._event: TelephoneEventSender | None = None
        self._extensions = ExtensionMap()
        self._carrier = ExtensionMapper(self._extensions)
        self._sound: AudioRedundancy | None = None
        self._protection: VideoProtection | None = None

    def configure(
        self,
        parameters: SendParameters,
        codec: Codec | None,
        packetizer: Packetizer | None,
        sound: AudioRedundancy | None,
        protection: VideoProtection | None,
    ) -> None:
        """Set what was negotiated.

        Args:
            parameters: Of the section.
            codec: What is to be sent.
            packetizer: Cuts its frames.
            sound: Adds redundancy to sound, where that was negotiated.
            protection: Protects video, where that was negotiated.
        """
        self.codec, self._packetizer = codec, packetizer
        self._sound, self._protection = sound, protection
        extensions = self._extensions = ExtensionMap(parameters.extensions)
        self._carrier = ExtensionMapper(extensions)
        announced = self.names.announced
        self.names = StreamIdentifiers(self.mid, self.encoding.rid, extensions, announced=announced)
        self.retransmissions.configure(
            parameters.codecs, codec, self.encoding.rtx_ssrc, self.names, protection
        )

    @property
    def packetizer(self) -> Packetizer | None:
        """What cuts frames, ``None`` before a codec is negotiated."""
        return self._packetizer

    def packetize(
        self, frame: EncodedFrame, max_packet_size: int, now: float, captured: float | None = None
    ) -> list[RtpPacket]:
        """Return the packets of a frame that was captured at some time, by default now.

        Raises:
            ValueError: It is not of the codec that was negotiated.
        """
        codec, packetizer = self.codec, self._packetizer
        if codec is None or packetizer is None or frame.codec.lower() != codec.name.lower():
            wanted = "nothing" if codec is None else codec.name
            raise ValueError(f"a frame of {frame.codec}; {wanted} was negotiated")
        room = max_packet_size - HEADER_SIZE - _ELEMENT_ROOM
        protection = self._protection
        if protection is not None and protection.factor:
            room -= _PROTECTION_ROOM
        payloads = packetizer.packetize(frame, room)
        timestamp = (frame.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        # RFC 3550 section 6.4.1: a timestamp stands for the moment of sampling, not for the end of encoding.
        self.clock = TimestampPoint(timestamp, now if captured is None else captured, codec.clock_rate)
        extensions = self._frame_elements(frame)
        is_video = frame.codec.lower() not in _AUDIO_MARKS
        last = len(payloads) - 1
        number = self._take_numbers(len(payloads))
        self._count(frame, now)
        packets = [
            RtpPacket(
                codec.payload_type,
                (number + index) & 0xFFFF,
                timestamp,
                self.encoding.ssrc,
                payload,
                index == last if is_video else frame.marker and not index,
                frame.contributing_sources,
                extensions,
            )
            for index, payload in enumerate(payloads)
        ]
        if self._sound is not None:
            return [self._sound.wrap(packet, frame.timestamp) for packet in packets]
        if protection is not None and protection.factor and packets:
            return self._protect(packets, protection)
        return packets

    def give_back(self, packet: RtpPacket) -> None:
        """Let the numbers behind a packet of the last frame be taken anew: neither it nor what follows was sent."""
        # Repair packets to come may protect them under the numbers that they have.
        is_protected = self._protection is not None and self._protection.factor > 0
        if packet.ssrc == self.encoding.ssrc and not is_protected:
            newest = self._numbers.next - 1
            self._numbers.next -= (newest - packet.sequence_number) & 0xFFFF

    def _protect(self, packets: list[RtpPacket], protection: VideoProtection) -> list[RtpPacket]:
        """Return the packets of a frame as they are protected, and the repair packets behind them."""
        repairs = protection.protect(packets)
        if protection.in_band:
            number, names = self._take_numbers(len(repairs)), self.names.of_media
        else:
            number, names = 0, self.names.of_repairs
        return [
            *(protection.wrap(packet) for packet in packets),
            *(
                protection.repair_packet(repair, number + index, packets[-1], names)
                for index, repair in enumerate(repairs)
            ),
        ]

    @property
    def overhead(self) -> float:
        """How much redundancy is added, as a part of what is sent without."""
        if self._sound is not None:
            return self._sound.overhead
        return 0.0 if self._protection is None else self._protection.factor

    @property
    def copies(self) -> int:
        """How often a retransmission is sent."""
        return 1 if self._protection is None else self._protection.copies

    def set_loss(self, fraction: float, round_trip: float | None, covered: float = 1.0) -> None:
        """Update the protection from a report of the peer.

        Args:
            fraction: Part of the packets that was lost.
            round_trip: In seconds.
            covered: Which part of the usual interval between two reports this one is about.
        """
        if self._sound is not None:
            self._sound.set_loss(fraction, covered)
        if self._protection is not None:
            retransmits = self.retransmissions.are_possible
            self._protection.set_loss(fraction, round_trip, retransmits=retransmits, covered=covered)

    def adopt(self, packet: RtpPacket, payload_type: int, clock_rate: int, now: float) -> RtpPacket | None:
        """Return a packet of another stream as one of ours; ``None`` for one that comes too late for that."""
        if self._rewriter is None:
            first = self._timestamp_offset if self.clock is None else self.clock.extrapolate(now)
            self._rewriter = RtpForwarder(self._numbers.next, first)
        place = self._rewriter.rewrite(packet, clock_rate, now)
        if place is None:
            return None
        number, timestamp = place
        if number >= self._numbers.next:
            self._numbers.next = number + 1
        if self.clock is None or self.clock.timestamp != timestamp:
            self.clock = TimestampPoint(timestamp, now, clock_rate)
        names = self.names.of_media
        return RtpPacket(
            payload_type,
            number & 0xFFFF,
            timestamp,
            self.encoding.ssrc,
            packet.payload,
            packet.marker,
            packet.csrcs,
            names + self._carrier.carry(packet) if packet.extensions else names,
        )

    def correct(self, packet: RtpPacket, max_packet_size: int) -> list[RtpPacket]:
        """Return the repair packets to send behind one that is forwarded.

        Only FlexFEC, which is a stream of its own: the numbers of the media are those that its source has counted, and
        leave no room. What comes late is a repair itself; what is so large that its repair packets would not fit is
        not protected.
        """
        protection = self._protection
        if protection is None or not protection.factor or protection.in_band:
            return []
        is_newest = packet.sequence_number == self._numbers.next - 1 & 0xFFFF
        if not is_newest or len(packet.payload) > max_packet_size - _PROTECTION_ROOM:
            return []
        names = self.names.of_repairs
        return [protection.repair_packet(each, 0, packet, names) for each in protection.protect([packet])]

    @property
    def plays_event(self) -> bool:
        """Whether a telephone event stands in the place of the sound at present."""
        return self._event is not None and not self._event.ended

    def continue_event(
        self, code: int, elapsed: float, codec: Codec, now: float, *, end: bool
    ) -> list[RtpPacket]:
        """Return the packets of a telephone event that has lasted for some time (RFC 4733 section 2.5.1).

        Args:
            code: Which event.
            elapsed: Seconds since it began; a new one begins when the one before has ended.
            codec: That of telephone events.
            now: Seconds.
            end: Whether the event is over. Said again, the last packet is repeated.
        """
        event = self._event
        if event is None or (event.ended and not end):
            event = self._event = TelephoneEventSender(code, self._clock_at(now - elapsed), codec.clock_rate)
        packets = event.packets(elapsed, end=end)
        number = self._take_numbers(len(packets))
        names = self.names.of_media
        return [
            RtpPacket(
                codec.payload_type,
                (number + index) & 0xFFFF,
                packet.timestamp,
                self.encoding.ssrc,
                packet.payload,
                packet.marker,
                (),
                names,
            )
            for index, packet in enumerate(packets)
        ]

    def _take_numbers(self, count: int) -> int:
        """Return the first of some sequence numbers that are not used yet."""
        # What is forwarded goes on behind them: no number may be used twice (RFC 3711 section 9.1).
        self._rewriter = None
        return self._numbers.take(count)

    def _clock_at(self, at: float) -> int:
        """Return what the RTP clock shows at a time, that of the sound where there has been any."""
        if self.clock is None:
            rate = 8000 if self.codec is None else self.codec.clock_rate
            self.clock = TimestampPoint(self._timestamp_offset, at, rate)
        return self.clock.extrapolate(at)

    def _count(self, frame: EncodedFrame, now: float) -> None:
        counters, size = self.counters, len(frame.payload)
        if counters.frames_sent and size >= _HUGE * counters.frame_bytes / counters.frames_sent:
            counters.huge_frames_sent += 1
        counters.frames_sent += 1
        counters.frame_bytes += size
        if frame.keyframe:
            counters.keyframes_sent += 1
        self.rate.record(now)
        if frame.width and frame.height:
            self.size = frame.width, frame.height

    def note_sent(self, packet: RtpPacket, data: bytes, now: float, *, waited: float = 0.0) -> None:
        """Count and remember a packet exactly as it leaves.

        Args:
            packet: The packet, without the marks of its way out.
            data: The bytes of all of it.
            now: When it leaves.
            waited: For how many seconds the pacer has kept it.
        """
        counters = self.counters
        payload_size = len(packet.payload)
        counters.packet_send_delay += waited
        protection = self._protection
        if protection is not None and protection.is_repair(packet):
            counters.fec_packets_sent += 1
            counters.fec_bytes_sent += payload_size
        if packet.ssrc != self.encoding.ssrc:
            counters.header_bytes_sent += len(data)
            return
        counters.packets_sent += 1
        counters.bytes_sent += payload_size
        counters.header_bytes_sent += len(data) - payload_size
        self.retransmissions.keep(packet, data, now)

    def note_repeated(self, packet: RtpPacket, size: int, *, padding: bool) -> None:
        """Count a packet that leaves once more, because the peer has missed it or to probe the path."""
        counters = self.counters
        payload = len(packet.payload) - (OVERHEAD if packet.ssrc != self.encoding.ssrc else 0)
        counters.header_bytes_sent += size - payload
        if padding:
            counters.padding_packets_sent += 1
            counters.padding_bytes_sent += payload
        else:
            counters.retransmitted_packets_sent += 1
            counters.retransmitted_bytes_sent += payload

    def retransmit(self, sequence_numbers: Iterable[int], round_trip: float, now: float) -> list[RtpPacket]:
        """Return what the peer has missed, as far as it is remembered; as RTX where that was negotiated."""
        self.counters.nacks_received += 1
        return self.retransmissions.answer(sequence_numbers, round_trip, now)

    def _frame_elements(self, frame: EncodedFrame) -> tuple[tuple[int, bytes], ...]:
        number = self._extensions.number
        elements = list(self.names.of_media)
        if frame.audio_level is not None and (element := number(AUDIO_LEVEL)) is not None:
            elements.append((element, encode_audio_level(frame.audio_level, frame.audio_level < 127)))
        if frame.rotation and (element := number(VIDEO_ORIENTATION)) is not None:
            elements.append((element, encode_video_orientation(frame.rotation)))
        if frame.capture_time is not None and (element := number(ABS_CAPTURE_TIME)) is not None:
            elements.append((element, encode_abs_capture_time(frame.capture_time)))
        return tuple(elements)


_AUDIO_MARKS = frozenset({"opus", "pcmu", "pcma", "g722", "red", "telephone-event", "cn"})
"""Codecs whose marker bit begins a talkspurt instead of ending a frame."""


def send_totals(stream: RtpSendStream) -> Totals:
    """Return what one outgoing stream has counted."""
    return {**numbers_of(stream.counters, "outgoing_"), **stream.retransmissions.counters()}
