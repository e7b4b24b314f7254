"""The sending half of an RTP session: our streams, their pacing, and what the peer says about them."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from trio_rtc.protocols.rtcp import ReportBlock, SenderReport
from trio_rtc.protocols.rtcp.ntp import ntp_from_unix
from trio_rtc.protocols.serial import serial_difference

from .bandwidth import Bandwidth, PacketKind
from .events import KeyframeRequested
from .extensions import ABS_SEND_TIME, TRANSPORT_WIDE_CC, ExtensionMap, encode_abs_send_time
from .extensions import encode_transport_sequence_number as encode_number
from .frame import EncodedFrame
from .history import PacketHistory
from .meters import LimitationReason
from .options import RtpOptions
from .outgoing import OutgoingStream
from .packet import RtpPacket
from .parameters import TELEPHONE_EVENT, Codec, Encoding, SendParameters
from .payload import packetizer
from .totals import Totals, add_to, outgoing_totals


class PeerReport:
    """What the peer has last said of one of our streams (W3C webrtc-stats, remote-inbound-rtp)."""

    __slots__ = (
        "fraction_lost",
        "highest",
        "jitter",
        "lost",
        "measurements",
        "reported_at",
        "round_trip",
        "total_round_trip",
    )

    def __init__(self) -> None:
        self.fraction_lost = 0.0
        self.lost = 0
        self.highest: int | None = None
        self.jitter = 0
        self.round_trip: float | None = None
        self.total_round_trip = 0.0
        self.measurements = 0
        self.reported_at = 0.0


class _Place:
    """A stream with what sending a packet of it needs."""

    __slots__ = ("firs", "parameters", "report", "send_time_element", "stream", "transport_element")

    def __init__(self, stream: OutgoingStream, parameters: SendParameters) -> None:
        self.stream = stream
        self.report = PeerReport()
        self.firs: int | None = None
        self.configure(parameters)

    def configure(self, parameters: SendParameters) -> None:
        self.parameters = parameters
        extensions = ExtensionMap(parameters.extensions)
        self.send_time_element = extensions.number(ABS_SEND_TIME)
        self.transport_element = extensions.number(TRANSPORT_WIDE_CC)


class SendingSide:
    """Our streams.

    Args:
        options: Of the session.
        bandwidth: Paces what is sent.
        rng: Source of first numbers.

    Attributes:
        packets_refused: What was not sent because the pacer was full or the section does not send.
    """

    def __init__(self, options: RtpOptions, bandwidth: Bandwidth, rng: random.Random) -> None:
        self._options = options
        self._bandwidth = bandwidth
        self._rng = rng
        self._places: dict[int, _Place] = {}
        self._by_name: dict[tuple[str, str | None], _Place] = {}
        self._rtx: dict[int, _Place] = {}
        self.packets_refused = 0
        self._ended: Totals = {}

    @property
    def streams(self) -> list[tuple[OutgoingStream, PeerReport]]:
        """The streams there are, and what the peer says about each."""
        return [(place.stream, place.report) for place in self._places.values()]

    @property
    def ssrcs(self) -> list[int]:
        """The sources that have sent something."""
        return [ssrc for ssrc, place in self._places.items() if place.stream.clock is not None]

    def set_sections(self, sections: Iterable[SendParameters]) -> list[int]:
        """Replace what is sent. Streams that stay go on with their numbers.

        Returns:
            The sources that have sent something and are gone.
        """
        wanted = {
            encoding.ssrc: (section, encoding) for section in sections for encoding in section.encodings
        }
        gone = [ssrc for ssrc in self.ssrcs if ssrc not in wanted]
        for ssrc in gone:
            add_to(self._ended, outgoing_totals(self._places[ssrc].stream))
        self._places = {ssrc: self._place(section, encoding) for ssrc, (section, encoding) in wanted.items()}
        self._by_name.clear()
        self._rtx.clear()
        for place in self._places.values():
            mid, encoding = place.stream.mid, place.stream.encoding
            self._by_name[mid, encoding.rid] = place
            self._by_name.setdefault((mid, None), place)
            if encoding.rtx_ssrc is not None:
                self._rtx[encoding.rtx_ssrc] = place
        return gone

    def _place(self, section: SendParameters, encoding: Encoding) -> _Place:
        place = self._places.get(encoding.ssrc)
        if place is None:
            place = _Place(
                OutgoingStream(section.mid, encoding, PacketHistory(self._options.history), self._rng),
                section,
            )
        place.configure(section)
        stream = place.stream
        stream.encoding = encoding
        codec = next((codec for codec in section.codecs if codec.is_media), None)
        if codec != stream.codec:
            maker = None if codec is None else packetizer(codec.name, codec.parameters, self._rng)
            stream.configure(codec, maker, ExtensionMap(section.extensions))
        return place

    def parameters_of(self, stream: OutgoingStream) -> SendParameters:
        """Return what was negotiated for a stream."""
        return self._places[stream.encoding.ssrc].parameters

    def set_shares(self, bitrates: Mapping[int, float], limited: Collection[int], now: float) -> None:
        """Take what each stream may use, in bits a second, and which of them could use more."""
        for ssrc, place in self._places.items():
            place.stream.target_bitrate = bitrates.get(ssrc)
            reason = LimitationReason.BANDWIDTH if ssrc in limited else LimitationReason.NONE
            place.stream.limitation.note(reason, now)

    def counters(self) -> Mapping[str, float]:
        """Return what all streams have counted together."""
        totals: Totals = {"packets_refused": self.packets_refused}
        add_to(totals, self._ended)
        for place in self._places.values():
            add_to(totals, outgoing_totals(place.stream))
        return totals

    # -- what is sent ------------------------------------------------------------------------------------------

    def send_frame(self, mid: str, frame: EncodedFrame, rid: str | None, now: float) -> None:
        """Queue the packets of a frame.

        Raises:
            ValueError: It is not of the codec that was negotiated.
        """
        place = self._by_name.get((mid, rid))
        if place is None or not (place.parameters.active and place.stream.encoding.active):
            self.packets_refused += 1
            return
        if place.stream.plays_event:
            # RFC 4733 section 2.2 lets the tone replace the sound, and the peer hears the tone undisturbed.
            return
        kind = PacketKind.AUDIO if place.parameters.kind == "audio" else PacketKind.VIDEO
        for packet in place.stream.packetize(frame, self._options.max_packet_size, now):
            self._queue(place.stream, packet, kind, now)

    def send_packet(self, mid: str, packet: RtpPacket, rid: str | None, now: float) -> None:
        """Queue a packet of another stream as one of ours."""
        place = self._by_name.get((mid, rid))
        codec = None if place is None else _codec_of(place.parameters, packet.payload_type)
        if place is None or codec is None or not (place.parameters.active and place.stream.encoding.active):
            self.packets_refused += 1
            return
        adopted = place.stream.adopt(packet, codec.payload_type, codec.clock_rate, now)
        if adopted is not None:
            kind = PacketKind.AUDIO if place.parameters.kind == "audio" else PacketKind.VIDEO
            self._queue(place.stream, adopted, kind, now)

    def send_event(self, mid: str, code: int, elapsed: float, now: float, *, end: bool) -> None:
        """Queue the packets of a telephone event that has lasted for some time; until its end it replaces the sound.

        It has the clock rate of the sound, where the peer takes events of that (RFC 4733 section 2.4.1).
        """
        place = self._by_name.get((mid, None))
        codec = None if place is None else _event_codec(place.parameters)
        if place is None or codec is None or not (place.parameters.active and place.stream.encoding.active):
            self.packets_refused += 1
            return
        for packet in place.stream.continue_event(code, elapsed, codec, now, end=end):
            self._queue(place.stream, packet, PacketKind.AUDIO, now)

    def take(self, now: float) -> list[bytes]:
        """Take the packets that are due, in the clear."""
        items = self._bandwidth.take_due(now)
        packets = [self._stamp(stream, packet, kind, since, now) for (stream, packet, kind, since) in items]
        while (size := self._bandwidth.padding_wanted(now)) and (padding := self._padding(size)) is not None:
            self._queue(*padding, PacketKind.PADDING, now)
            items = self._bandwidth.take_due(now)
            packets += [
                self._stamp(stream, packet, kind, since, now) for (stream, packet, kind, since) in items
            ]
        return packets

    def _queue(self, stream: OutgoingStream, packet: RtpPacket, kind: PacketKind, now: float) -> None:
        if not self._bandwidth.enqueue((stream, packet, kind, now), len(packet.payload), kind, now):
            self.packets_refused += 1

    def _stamp(
        self, stream: OutgoingStream, packet: RtpPacket, kind: PacketKind, queued_at: float, now: float
    ) -> bytes:
        """Return the bytes of a packet that leaves now, with the marks by which the peer measures the path."""
        is_new = kind in (PacketKind.AUDIO, PacketKind.VIDEO)
        if packet.ssrc == stream.encoding.ssrc and not is_new:
            # Without RTX a retransmission is the same packet to the last bit.
            data = packet.encode()
            stream.note_repeated(packet, len(data), padding=False)
            return data
        place = self._places.get(stream.encoding.ssrc)
        extensions = packet.extensions
        number = None
        if place is not None and place.transport_element is not None:
            number = self._bandwidth.next_number()
            extensions += ((place.transport_element, encode_number(number)),)
        if place is not None and place.send_time_element is not None:
            extensions += ((place.send_time_element, encode_abs_send_time(now)),)
        packet = packet.with_extensions(extensions)
        data = packet.encode()
        if is_new:
            stream.note_sent(packet, len(data), now, waited=now - queued_at)
        else:
            stream.note_repeated(packet, len(data), padding=kind is PacketKind.PADDING)
        self._bandwidth.packet_sent(number, len(data), now, padding=kind is PacketKind.PADDING)
        return data

    def _padding(self, size: int) -> tuple[OutgoingStream, RtpPacket] | None:
        for place in self._places.values():
            packet = place.stream.padding(size) if place.parameters.kind == "video" else None
            if packet is not None:
                return place.stream, packet
        return None

    # -- what the peer says ------------------------------------------------------------------------------------

    def handle_nack(self, ssrc: int, sequence_numbers: Iterable[int], now: float) -> None:
        """Send again what the peer has missed."""
        place = self._places.get(ssrc)
        if place is None:
            return
        round_trip = place.report.round_trip or 0.0
        for packet in place.stream.retransmit(sequence_numbers, round_trip, now):
            self._queue(place.stream, packet, PacketKind.RETRANSMISSION, now)

    def handle_picture_loss(self, ssrc: int) -> KeyframeRequested | None:
        """Hear that the peer needs a keyframe."""
        place = self._places.get(ssrc)
        if place is None:
            return None
        place.stream.counters.plis_received += 1
        return KeyframeRequested(place.stream.mid, place.stream.encoding.rid)

    def handle_full_intra_request(self, ssrc: int, number: int) -> KeyframeRequested | None:
        """Hear the same by FIR, which repeats its number when it is sent again (RFC 5104 section 4.3.1.2)."""
        place = self._places.get(ssrc)
        if place is None or place.firs == number:
            return None
        place.firs = number
        place.stream.counters.firs_received += 1
        return KeyframeRequested(place.stream.mid, place.stream.encoding.rid)

    def handle_report(self, block: ReportBlock, round_trip: float | None, now: float) -> None:
        """Take what the peer reports of one of our sources."""
        place = self._places.get(block.ssrc)
        if place is None or place.stream.clock is None:
            return
        report = place.report
        # What the peer reports it has heard of, and so knows where it belongs.
        place.stream.announced = True
        report.fraction_lost = block.fraction_lost / 256
        report.lost = block.cumulative_lost
        report.jitter = block.jitter
        report.reported_at = now
        if report.highest is None or serial_difference(block.highest_sequence_number, report.highest, 32) > 0:
            report.highest = block.highest_sequence_number
        if round_trip is not None:
            report.round_trip = round_trip
            report.total_round_trip += round_trip
            report.measurements += 1
        self._bandwidth.loss_reported(report.fraction_lost, round_trip, now)

    def reports(self, now: float, wall_clock: float) -> list[SenderReport]:
        """Return a sender report of each stream that has sent something; ``wall_clock`` is Unix time."""
        return [
            SenderReport(
                ssrc,
                ntp_from_unix(wall_clock),
                place.stream.clock.extrapolate(now),
                place.stream.counters.packets_sent & 0xFFFFFFFF,
                place.stream.counters.bytes_sent & 0xFFFFFFFF,
            )
            for ssrc, place in self._places.items()
            if place.stream.clock is not None
        ]


def _codec_of(parameters: SendParameters, payload_type: int) -> Codec | None:
    """Return the codec of a forwarded packet: by its payload type, else the one that is sent here."""
    media: Sequence[Codec] = [codec for codec in parameters.codecs if codec.is_media]
    same = next((codec for codec in media if codec.payload_type == payload_type), None)
    return same or next(iter(media), None)


def _event_codec(parameters: SendParameters) -> Codec | None:
    """Return the payload type of telephone events: the one with the clock rate of the sound, else any."""
    events = [codec for codec in parameters.codecs if codec.name.lower() == TELEPHONE_EVENT]
    rate = next((codec.clock_rate for codec in parameters.codecs if codec.is_media), None)
    return min(events, key=lambda codec: codec.clock_rate != rate, default=None)
