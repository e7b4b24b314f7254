"""One stream that we send: the packets of an SSRC, with retransmissions and FEC packets of other SSRCs.

The stream packetizes frames, or adopts packets of other streams, and assigns sequence numbers and timestamps. Its
packets name their section and layer by :mod:`.identifiers`; they are kept and sent again by :mod:`.retransmitter`, and
protected against loss by :mod:`..fec.protection`.
"""

import math
from collections.abc import Iterable

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import Codec
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
from trio_rtc.protocols.rtp.packet.packet import HEADER_SIZE, RtpPacket, check_csrcs
from trio_rtc.protocols.rtp.packet.rtx import OVERHEAD
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.parameters import Encoding, SendParameters
from trio_rtc.protocols.rtp.payload import Packetizer
from trio_rtc.protocols.rtp.stats import FrameRate, QualityLimitation, Totals, numbers_of

from .history import PacketHistory
from .identifiers import StreamIdentifiers
from .retransmitter import Retransmitter
from .rtp_clock import RtpClock, TimestampPoint
from .telephone_events import TelephoneEventSender

_HUGE = 2.5
"""The factor from the average size to that of a huge frame (webrtc-stats, ``hugeFramesSent``)."""
_PROTECTION_ROOM = 64
"""Bytes by which an FEC packet may be larger than the packets that it protects, with RED in front of these."""
_ELEMENT_ROOM = 40
"""The maximum size in bytes of the header extensions that we send, with their header."""


@attrs.define
class SendCounters:
    """Counters of sent packets (RFC 3550 section 6.4.1 and W3C webrtc-stats). Bytes are those of payloads.

    FEC packets that share the stream of the media, as in ULPFEC, are also counted as sent packets. Padding packets
    repeat media to probe the path. ``header_bytes_sent`` are the other bytes of all these packets, without those of
    SRTP. ``packet_send_delay`` is the time that the packets have waited for the pacer, in seconds, summed up.
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


class RtpSendStream:
    """Sends one encoding.

    Args:
        timestamp_offset: The random offset of RTP timestamps from those of frames.

    Attributes:
        codec: The codec; ``None`` before it is negotiated, as the packetizer.
        target_bitrate: Its target bitrate in bits per second; ``None`` before it is known.
        size: The width and height of the last frame with known dimensions, in pixels.
        clock: Its RTP clock.
        first_number: The sequence number of the first packet sent; ``None`` before.
        identifiers: The MID and RID elements of its packets.
        retransmitter: Its retransmissions.
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
        self.clock = RtpClock()
        self.first_number: int | None = None
        self.identifiers = StreamIdentifiers(mid, encoding.rid, ExtensionMap())
        self.retransmitter = Retransmitter(encoding.ssrc, history, numbers)
        self.limitation = QualityLimitation()
        self.target_bitrate: float | None = None
        self.rate = FrameRate()
        self.size: tuple[int, int] | None = None
        self._began_at = math.inf
        self._numbers = numbers.of(encoding.ssrc)
        self._timestamp_offset = timestamp_offset
        self._forwarder: RtpForwarder | None = None
        self.packetizer: Packetizer | None = None
        self._event: TelephoneEventSender | None = None
        self._extensions = ExtensionMap()
        self._extension_mapper = ExtensionMapper(self._extensions)
        self._redundancy: AudioRedundancy | None = None
        self._protection: VideoProtection | None = None

    def configure(
        self,
        parameters: SendParameters,
        codec: Codec | None,
        packetizer: Packetizer | None,
        redundancy: AudioRedundancy | None,
        protection: VideoProtection | None,
    ) -> None:
        """Set the negotiated parameters, with the redundancy of audio or the protection of video."""
        self.codec, self.packetizer = codec, packetizer
        self._redundancy, self._protection = redundancy, protection
        extensions = self._extensions = ExtensionMap(parameters.extensions)
        self._extension_mapper = ExtensionMapper(extensions)
        announced = self.identifiers.acknowledged
        self.identifiers = StreamIdentifiers(self.mid, self.encoding.rid, extensions, acknowledged=announced)
        self.retransmitter.configure(
            parameters.codecs, codec, self.encoding.rtx_ssrc, self.identifiers, protection
        )

    def packetize(
        self, frame: EncodedFrame, max_packet_size: int, now: float, captured: float | None = None
    ) -> list[RtpPacket]:
        """Return the packets of a frame, of at most ``max_packet_size`` bytes without SRTP.

        ``captured`` is its capture time in seconds, ``None`` for now.

        Raises:
            ValueError: The frame is not of the negotiated codec, or has wrong contributing sources.
        """
        codec, packetizer = self.codec, self.packetizer
        if codec is None or packetizer is None or frame.codec.lower() != codec.name.lower():
            negotiated = "no codec" if codec is None else codec.name
            raise ValueError(f"frame.codec must be the negotiated codec ({negotiated}), not {frame.codec!r}")
        check_csrcs(frame.contributing_sources, "EncodedFrame.contributing_sources")
        room = max_packet_size - HEADER_SIZE - _ELEMENT_ROOM
        protection = self._protection
        if protection is not None and protection.factor:
            room -= _PROTECTION_ROOM
        payloads = packetizer.packetize(frame, room)
        timestamp = (frame.timestamp + self._timestamp_offset) & 0xFFFFFFFF
        # RFC 3550 section 5.1: a timestamp is the instant of sampling, not of the end of encoding.
        at = now if captured is None else captured
        self.clock.record(TimestampPoint(timestamp, at, codec.clock_rate))
        extensions = self._frame_elements(frame)
        is_video = frame.codec.lower() not in _AUDIO_MARKS
        last = len(payloads) - 1
        number = self._allocate_numbers(len(payloads))
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
        if self._redundancy is not None:
            return [self._redundancy.wrap(packet, frame.timestamp) for packet in packets]
        if protection is not None and protection.factor and packets:
            return self._protect(packets, protection)
        return packets

    def release_numbers(self, packet: RtpPacket) -> None:
        """Release the sequence numbers from a packet of the last frame on: it and the packets behind were not sent."""
        # Later FEC packets may protect these packets with their present numbers.
        is_protected = self._protection is not None and self._protection.factor > 0
        if packet.ssrc == self.encoding.ssrc and not is_protected:
            newest = self._numbers.next - 1
            self._numbers.next -= (newest - packet.sequence_number) & 0xFFFF

    def _protect(self, packets: list[RtpPacket], protection: VideoProtection) -> list[RtpPacket]:
        """Return the packets of a frame as they are sent with protection, and the FEC packets behind them."""
        payloads = protection.protect(packets)
        if protection.in_band:
            number, identifiers = self._allocate_numbers(len(payloads)), self.identifiers.media_elements
        else:
            number, identifiers = 0, self.identifiers.repair_elements
        return [
            *(protection.wrap(packet) for packet in packets),
            *(
                protection.fec_packet(payload, number + index, packets[-1], identifiers)
                for index, payload in enumerate(payloads)
            ),
        ]

    @property
    def overhead(self) -> float:
        """The bitrate of redundancy relative to that of the media."""
        if self._redundancy is not None:
            return self._redundancy.overhead
        return 0.0 if self._protection is None else self._protection.factor

    @property
    def copies(self) -> int:
        """The number of times that each retransmission is sent."""
        return 1 if self._protection is None else self._protection.copies

    def set_loss(self, fraction: float, round_trip: float | None, covered: float = 1.0) -> None:
        """Update the protection from a report of the peer, which covers a part of the usual report interval."""
        if self._redundancy is not None:
            self._redundancy.set_loss(fraction, covered)
        if self._protection is not None:
            retransmits = self.retransmitter.is_enabled
            self._protection.set_loss(fraction, round_trip, retransmits=retransmits, covered=covered)

    def adopt(self, packet: RtpPacket, payload_type: int, clock_rate: int, now: float) -> RtpPacket | None:
        """Return a packet of another stream as one of ours; ``None`` if it is a repetition or too late."""
        if self._forwarder is None:
            first = self.clock.extrapolate(now)
            self._forwarder = RtpForwarder(
                self._numbers.next, self._timestamp_offset if first is None else first
            )
        rewritten = self._forwarder.rewrite(packet, clock_rate, now)
        if rewritten is None:
            return None
        number, timestamp = rewritten
        if number >= self._numbers.next:
            self._numbers.next = number + 1
        if self.clock.last is None or self.clock.last.timestamp != timestamp:
            self.clock.record(TimestampPoint(timestamp, now, clock_rate))
        identifiers = self.identifiers.media_elements
        return RtpPacket(
            payload_type,
            number & 0xFFFF,
            timestamp,
            self.encoding.ssrc,
            packet.payload,
            packet.marker,
            packet.csrcs,
            identifiers + self._extension_mapper.map_elements(packet) if packet.extensions else identifiers,
        )

    def protect_forwarded(self, packet: RtpPacket, max_packet_size: int) -> list[RtpPacket]:
        """Return the FEC packets to send behind a forwarded packet.

        Only FlexFEC is sent, which is a stream of its own: the sequence numbers of the media are those of its source,
        without gaps for FEC packets. Late packets, which are retransmissions themselves, and packets so large that
        their FEC packets would not fit are not protected.
        """
        protection = self._protection
        if protection is None or not protection.factor or protection.in_band:
            return []
        is_newest = packet.sequence_number == self._numbers.next - 1 & 0xFFFF
        if not is_newest or len(packet.payload) > max_packet_size - _PROTECTION_ROOM:
            return []
        identifiers = self.identifiers.repair_elements
        return [protection.fec_packet(each, 0, packet, identifiers) for each in protection.protect([packet])]

    @property
    def sends_event(self) -> bool:
        """Whether a telephone event replaces the audio at present."""
        return self._event is not None and not self._event.ended

    def continue_event(
        self, code: int, elapsed: float, codec: Codec, now: float, *, end: bool
    ) -> list[RtpPacket]:
        """Return the packets of a telephone event at some time of it (RFC 4733 section 2.5.1).

        Args:
            code: The event; a new one begins when the one before has ended.
            elapsed: Seconds since its beginning.
            codec: The codec of telephone events.
            now: Seconds.
            end: Whether the event ends. A further call with ``True`` repeats the last packet.
        """
        event = self._event
        if event is None or (event.ended and not end):
            event = self._event = TelephoneEventSender(code, self._clock_at(now - elapsed), codec.clock_rate)
        packets = event.packets(elapsed, end=end)
        number = self._allocate_numbers(len(packets))
        identifiers = self.identifiers.media_elements
        return [
            RtpPacket(
                codec.payload_type,
                (number + index) & 0xFFFF,
                packet.timestamp,
                self.encoding.ssrc,
                packet.payload,
                packet.marker,
                (),
                identifiers,
            )
            for index, packet in enumerate(packets)
        ]

    def _allocate_numbers(self, count: int) -> int:
        """Return the first of ``count`` unused sequence numbers."""
        # Forwarded packets continue behind them: no number may be used twice (RFC 3711 section 9.1).
        self._forwarder = None
        return self._numbers.allocate(count)

    def _clock_at(self, at: float) -> int:
        """Return the RTP timestamp of a time, by the clock of the audio if any was sent."""
        timestamp = self.clock.extrapolate(at)
        if timestamp is None:
            timestamp = self._timestamp_offset
            rate = 8000 if self.codec is None else self.codec.clock_rate
            self.clock.record(TimestampPoint(timestamp, at, rate))
        return timestamp

    def _count(self, frame: EncodedFrame, now: float) -> None:
        counters, size = self.counters, len(frame.payload)
        self._began_at = min(self._began_at, now)
        self.rate.record(now)
        if size >= _HUGE * self._average_size(now):
            counters.huge_frames_sent += 1
        counters.frames_sent += 1
        counters.frame_bytes += size
        if frame.keyframe:
            counters.keyframes_sent += 1
        if frame.width and frame.height:
            self.size = frame.width, frame.height

    def _average_size(self, now: float) -> float:
        """Return the average size of frames in bytes: target bitrate by frame rate (webrtc-stats, ``hugeFramesSent``).

        While one of them is unknown, it is that of the frames sent; infinite before the first.
        """
        counters, target, limit = self.counters, self.target_bitrate, self.encoding.max_framerate
        if not counters.frames_sent:
            return math.inf
        if not target or now < self._began_at + 1:
            return counters.frame_bytes / counters.frames_sent
        rate: float = self.rate.in_last_second(now)
        return target / 8 / (rate if limit is None else min(rate, limit))

    def is_media(self, packet: RtpPacket) -> bool:
        """Return whether a packet of this stream is neither a retransmission nor an FEC packet."""
        protection = self._protection
        return packet.ssrc == self.encoding.ssrc and (
            protection is None or not protection.is_fec_packet(packet)
        )

    def record_sent(self, packet: RtpPacket, data: bytes, now: float, *, waited: float = 0.0) -> None:
        """Count a packet that is sent after ``waited`` seconds in the pacer, and keep it for retransmission.

        The packet is without the elements written at sending; ``data`` are its bytes as sent.
        """
        counters = self.counters
        payload_size = len(packet.payload)
        counters.packet_send_delay += waited
        protection = self._protection
        if protection is not None and protection.is_fec_packet(packet):
            counters.fec_packets_sent += 1
            counters.fec_bytes_sent += payload_size
        if packet.ssrc != self.encoding.ssrc:
            counters.header_bytes_sent += len(data)
            return
        if not counters.packets_sent:
            self.first_number = packet.sequence_number
        counters.packets_sent += 1
        counters.bytes_sent += payload_size
        counters.header_bytes_sent += len(data) - payload_size
        self.retransmitter.keep(packet, data, now)

    def record_repeated(self, packet: RtpPacket, size: int, *, padding: bool) -> None:
        """Count a packet that is sent again, as a retransmission or as padding to probe the path."""
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
        """Return the retransmissions of packets that a NACK requests, as far as they are kept."""
        self.counters.nacks_received += 1
        return self.retransmitter.retransmit(sequence_numbers, round_trip, now)

    def _frame_elements(self, frame: EncodedFrame) -> tuple[tuple[int, bytes], ...]:
        number = self._extensions.number
        elements = list(self.identifiers.media_elements)
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
    return {**numbers_of(stream.counters, "outgoing_"), **stream.retransmitter.counters()}
