"""The sending half of an RTP session: our streams, their pacing, and what the peer says about them."""

import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from trio_rtc.protocols.rtcp import ReportBlock, SenderReport
from trio_rtc.protocols.rtcp.ntp import ntp_from_unix
from trio_rtc.protocols.rtp.bandwidth import Bandwidth, NumberedPacket, PacketKind
from trio_rtc.protocols.rtp.events import KeyframeRequested
from trio_rtc.protocols.rtp.fec.protection import AudioRedundancy, VideoProtection
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.packet.serializer import PacketSerializer
from trio_rtc.protocols.rtp.parameters import TELEPHONE_EVENT, Codec, CodecRole, Encoding, SendParameters
from trio_rtc.protocols.rtp.payload import packetizer
from trio_rtc.protocols.rtp.stats import QualityLimitationReason, Totals, add_to
from trio_rtc.protocols.serial import serial_difference

from .history import PacketHistory
from .keyframe_gate import KeyframeGate
from .stream import RtpSendStream, send_totals

_LEAST_EXPECTED = 20
"""Packets of which loss says something of the path: as many as libwebrtc counts together."""


class RemoteInboundReport:
    """What the peer has last said of one of our streams (W3C webrtc-stats, remote-inbound-rtp)."""

    __slots__ = (
        "_expected",
        "_missing",
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
        self._expected = 0
        self._missing = 0.0

    def take_loss(self, expected: int) -> float | None:
        """Return the part of the packets that was lost since the last call that returned one.

        Args:
            expected: How many packets the last report is about.

        Returns:
            ``None`` while the reports are about too few packets to tell.
        """
        self._expected += expected
        self._missing += self.fraction_lost * expected
        if self._expected < _LEAST_EXPECTED:
            return None
        fraction, self._expected, self._missing = self._missing / self._expected, 0, 0.0
        return fraction


class _Place:
    """A stream with what sending a packet of it needs."""

    __slots__ = (
        "_formats",
        "_media",
        "firs",
        "gate",
        "is_gone",
        "is_open",
        "kind",
        "parameters",
        "report",
        "stamper",
        "stream",
    )

    def __init__(self, stream: RtpSendStream, parameters: SendParameters) -> None:
        self.stream = stream
        self.report = RemoteInboundReport()
        self.firs: int | None = None
        self.gate = KeyframeGate() if parameters.kind == "video" else None
        self.is_gone = False
        self.configure(parameters)

    def configure(self, parameters: SendParameters) -> None:
        self.parameters = parameters
        self.stamper = PacketSerializer(ExtensionMap(parameters.extensions))
        self.kind = PacketKind.AUDIO if parameters.kind == "audio" else PacketKind.VIDEO
        self.is_open = parameters.active and self.stream.encoding.active
        media = [codec for codec in parameters.codecs if codec.is_media]
        between = [codec for codec in parameters.codecs if codec.role is CodecRole.BETWEEN]
        self._media = next(iter(media), None)
        self._formats = {codec.payload_type: codec for codec in (*between, *media)}

    def request_keyframe(self, now: float, *, again: bool = False) -> KeyframeRequested | None:
        """Return the request for a keyframe of a video stream, unless there was one just now."""
        if self.gate is None or not self.gate.take_request(now, again=again):
            return None
        return KeyframeRequested(self.stream.mid, self.stream.encoding.rid)

    def format_of(self, payload_type: int) -> Codec | None:
        """Return the codec of a forwarded packet: by its payload type, else the one that is sent here."""
        return self._formats.get(payload_type, self._media)


_ROOM_FOR_COPIES = 0.05
"""Seconds: where retransmissions take longer than that to leave, they are not sent twice."""

_Queued = tuple[_Place, RtpPacket, PacketKind, float]
"""What waits in the pacer: since when, last."""


class RtpSender:
    """Our streams.

    Args:
        options: Of the session.
        bandwidth: Paces what is sent.
        rng: Source of first numbers.

    Attributes:
        packets_refused: What was not sent because the pacer was full or the section does not send.
        frames_withheld: Video frames that were not sent because one that they refer to was not.
        sent_at: When a packet of media left last; ``-inf`` before the first one.
    """

    def __init__(self, options: RtpOptions, bandwidth: Bandwidth, rng: random.Random) -> None:
        self._options = options
        self._bandwidth = bandwidth
        self._rng = rng
        self._numbers = SequenceCounters(rng)
        self._places: dict[int, _Place] = {}
        self._by_name: dict[tuple[str, str | None], _Place] = {}
        self.packets_refused = 0
        self.frames_withheld = 0
        self.sent_at = -math.inf
        self._ended: Totals = {}

    @property
    def streams(self) -> list[tuple[RtpSendStream, RemoteInboundReport]]:
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
            add_to(self._ended, send_totals(self._places[ssrc].stream))
        for ssrc, place in self._places.items():
            # What waits for the pacer does not leave any more: nothing comes after a goodbye.
            place.is_gone = ssrc not in wanted
        self._places = {ssrc: self._place(section, encoding) for ssrc, (section, encoding) in wanted.items()}
        self._by_name.clear()
        for place in self._places.values():
            mid, encoding = place.stream.mid, place.stream.encoding
            self._by_name[mid, encoding.rid] = place
            self._by_name.setdefault((mid, None), place)
        return gone

    def _place(self, section: SendParameters, encoding: Encoding) -> _Place:
        place = self._places.get(encoding.ssrc)
        if place is None:
            history = PacketHistory(self._options.history)
            offset = self._rng.getrandbits(32)
            stream = RtpSendStream(section.mid, encoding, history, self._numbers, offset)
            place = _Place(stream, section)
        elif place.parameters == section and place.stream.encoding == encoding:
            return place
        place.stream.encoding = encoding
        self._configure(place, section, encoding)
        return place

    def _configure(self, place: _Place, section: SendParameters, encoding: Encoding) -> None:
        stream = place.stream
        place.configure(section)
        codec = next((codec for codec in section.codecs if codec.is_media), None)
        maker = stream.packetizer
        if codec != stream.codec:
            maker = None if codec is None else packetizer(codec.name, codec.parameters, self._rng)
        sound = protection = None
        if codec is not None and section.kind == "audio":
            reds = (each for each in section.codecs if each.role is CodecRole.RED)
            red = next((each for each in reds if each.clock_rate == codec.clock_rate), None)
            sound = None if red is None else AudioRedundancy(red.payload_type, self._options)
        elif codec is not None:
            protection = VideoProtection(section, encoding, codec, self._options, self._numbers)
        stream.configure(section, codec, maker, sound, protection)

    def parameters_of(self, stream: RtpSendStream) -> SendParameters:
        """Return what was negotiated for a stream."""
        return self._places[stream.encoding.ssrc].parameters

    def set_shares(self, bitrates: Mapping[int, float], limited: Collection[int], now: float) -> None:
        """Take what each stream may use, in bits a second, and which of them could use more."""
        for ssrc, place in self._places.items():
            place.stream.target_bitrate = bitrates.get(ssrc)
            reason = QualityLimitationReason.BANDWIDTH if ssrc in limited else QualityLimitationReason.NONE
            place.stream.limitation.set_reason(reason, now)

    def counters(self) -> Mapping[str, float]:
        """Return what all streams have counted together."""
        totals: Totals = {
            "packets_refused": self.packets_refused,
            "frames_withheld": self.frames_withheld,
            "round_trips_measured": sum(place.report.measurements for place in self._places.values()),
        }
        add_to(totals, self._ended)
        for place in self._places.values():
            add_to(totals, send_totals(place.stream))
        return totals

    # -- what is sent ------------------------------------------------------------------------------------------

    def send_frame(
        self, mid: str, frame: EncodedFrame, rid: str | None, now: float, captured: float | None = None
    ) -> KeyframeRequested | None:
        """Queue the packets of a frame that was captured at some time, by default now.

        Returns:
            The request for a keyframe, if the frame was dropped and those after it cannot be decoded.

        Raises:
            ValueError: It is not of the codec that was negotiated.
        """
        place = self._by_name.get((mid, rid))
        if place is None or not place.is_open:
            self.refuse(mid, rid)
            return None
        if place.stream.plays_event:
            # RFC 4733 section 2.2 lets the tone replace the sound, and the peer hears the tone undisturbed.
            return None
        gate = place.gate
        if gate is None:
            self._queue_frame(place, frame, now, captured)
            return None
        if gate.is_shut and not frame.keyframe:
            self.frames_withheld += 1
            return place.request_keyframe(now)
        # It stays shut when the frame is refused, by an exception too.
        gate.is_shut = True
        if not self._queue_frame(place, frame, now, captured):
            return place.request_keyframe(now)
        gate.is_shut = False
        return None

    def _queue_frame(self, place: _Place, frame: EncodedFrame, now: float, captured: float | None) -> bool:
        """Queue the packets of a frame, and return whether there was room for all."""
        packets = place.stream.packetize(frame, self._options.max_packet_size, now, captured)
        for index, packet in enumerate(packets):
            if not self._queue(place, packet, place.kind, now):
                # The rest would be of no use, and a gap of half of all numbers would be taken for a step back.
                self.packets_refused += len(packets) - index - 1
                place.stream.give_back(packet)
                return False
        return True

    def refuse(self, mid: str, rid: str | None, packets: int = 1) -> None:
        """Record that a frame, or packets, came while nothing can be sent: the next frame must be a keyframe."""
        self.packets_refused += packets
        place = self._by_name.get((mid, rid))
        if place is not None and place.gate is not None:
            place.gate.is_shut = place.gate.has_missed = True

    def begin_source(self, mid: str, rid: str | None) -> None:
        """Require a keyframe next, and request one if another frame comes first."""
        place = self._by_name.get((mid, rid))
        if place is not None and place.gate is not None:
            place.gate.is_shut = True

    def waits_for_keyframe(self, mid: str, rid: str | None) -> bool:
        """Return whether the next frame of a video stream must be a keyframe."""
        place = self._by_name.get((mid, rid))
        return place is not None and place.gate is not None and place.gate.is_shut

    def lose_frame(self, mid: str, rid: str | None, now: float) -> KeyframeRequested | None:
        """Record that a frame was dropped after it was encoded; return the request for a keyframe.

        Of several in a row only the first requests one. The next request comes with a frame that is not dropped:
        whatever drops all frames must not cause a keyframe each time.
        """
        place = self._by_name.get((mid, rid))
        if place is None or place.gate is None or place.gate.is_shut:
            return None
        place.gate.is_shut = True
        return place.request_keyframe(now)

    def missed_keyframes(self, now: float) -> list[KeyframeRequested]:
        """Return the requests for keyframes of the streams that were given something before it could be sent."""
        places = [place for place in self._places.values() if place.gate is not None]
        requests = [place.request_keyframe(now) for place in places if place.gate.take_missed()]  # type: ignore[union-attr]
        return [request for request in requests if request is not None]

    def path_restored(self, now: float) -> list[KeyframeRequested]:
        """Return the requests for keyframes of the video streams: what was sent before was not received."""
        running = [place for place in self._places.values() if place.stream.clock is not None]
        requests = [place.request_keyframe(now, again=True) for place in running]
        return [request for request in requests if request is not None]

    def send_packets(
        self, mid: str, packets: Sequence[RtpPacket], rid: str | None, now: float
    ) -> KeyframeRequested | None:
        """Queue packets of another stream as ones of ours.

        Returns:
            The request for a keyframe, if there was no room for some of them.
        """
        place = self._by_name.get((mid, rid))
        if place is None or not place.is_open:
            self.refuse(mid, rid, len(packets))
            return None
        kind, adopt, has_room = place.kind, place.stream.adopt, True
        for packet in packets:
            codec = place.format_of(packet.payload_type)
            if codec is None:
                self.packets_refused += 1
                continue
            adopted = adopt(packet, codec.payload_type, codec.clock_rate, now)
            if adopted is None:
                continue
            if not self._queue(place, adopted, kind, now):
                has_room = False
                continue
            for repair in place.stream.correct(adopted, self._options.max_packet_size):
                self._queue(place, repair, kind, now)
        return None if has_room else place.request_keyframe(now)

    def send_event(self, mid: str, code: int, elapsed: float, now: float, *, end: bool) -> None:
        """Queue the packets of a telephone event that has lasted for some time; until its end it replaces the sound.

        It has the clock rate of the sound, where the peer takes events of that (RFC 4733 section 2.4.1).
        """
        place = self._by_name.get((mid, None))
        codec = None if place is None else _event_codec(place.parameters)
        if place is None or codec is None or not place.is_open:
            self.packets_refused += 1
            return
        for packet in place.stream.continue_event(code, elapsed, codec, now, end=end):
            self._queue(place, packet, PacketKind.AUDIO, now)

    def take(self, now: float) -> list[bytes]:
        """Take the packets that are due, in the clear."""
        packets = self._take_due(now)
        while (size := self._bandwidth.padding_wanted(now)) and self._queue_padding(size, now):
            packets += self._take_due(now)
        return packets

    def _take_due(self, now: float) -> list[bytes]:
        taken: list[_Queued] = self._bandwidth.take_due(now)
        if not taken:
            return []
        self.sent_at = now
        sent: list[NumberedPacket] = []
        packets = [self._stamp(each, now, sent) for each in taken if not each[0].is_gone]
        self._bandwidth.packets_sent(sent, now)
        return packets

    def _queue(self, place: _Place, packet: RtpPacket, kind: PacketKind, now: float) -> bool:
        taken = self._bandwidth.enqueue((place, packet, kind, now), len(packet.payload), kind, now)
        self.packets_refused += not taken
        return taken

    def _stamp(self, queued: _Queued, now: float, sent: list[NumberedPacket]) -> bytes:
        """Return the bytes of a packet that leaves now, with the marks by which the peer measures the path.

        A packet of which the peer will tell is added to those that were sent.
        """
        place, packet, kind, queued_at = queued
        stream, bandwidth = place.stream, self._bandwidth
        is_new = kind is PacketKind.AUDIO or kind is PacketKind.VIDEO
        if not is_new and packet.ssrc == stream.encoding.ssrc:
            # Without RTX a retransmission is the same packet to the last bit.
            data = packet.encode()
            stream.note_repeated(packet, len(data), padding=False)
            return data
        number = None
        if place.stamper.numbers or bandwidth.numbers_all:
            number = bandwidth.next_number()
            if bandwidth.numbers_all:
                bandwidth.note_source(packet.ssrc, packet.sequence_number, number)
        data = place.stamper.stamp(packet, number, now)
        if is_new:
            stream.note_sent(packet, data, now, waited=now - queued_at)
        else:
            stream.note_repeated(packet, len(data), padding=kind is PacketKind.PADDING)
        if number is not None:
            sent.append((number, len(data), kind is PacketKind.PADDING))
        return data

    def _queue_padding(self, size: int, now: float) -> bool:
        """Queue about so many bytes that nobody needs; return whether there are any.

        In whole packets: a probe is short of packets sooner than of room, and the pacer spaces them by their size.
        """
        queued = 0
        while queued < size and (padding := self._padding()) is not None:
            self._queue(*padding, PacketKind.PADDING, now)
            queued += len(padding[1].payload)
        return queued > 0

    def _padding(self) -> tuple[_Place, RtpPacket] | None:
        for place in self._places.values():
            packet = (
                place.stream.retransmissions.padding(self._options.max_packet_size)
                if place.parameters.kind == "video"
                else None
            )
            if packet is not None:
                return place, packet
        return None

    # -- what the peer says ------------------------------------------------------------------------------------

    def handle_nack(self, ssrc: int, sequence_numbers: Iterable[int], now: float) -> KeyframeRequested | None:
        """Send again what the peer has missed; where there is no room for that, say that it needs a keyframe.

        The peer would find out by itself, but only when it has waited for the repairs in vain: as long as we would.
        """
        place = self._places.get(ssrc)
        if place is None:
            return None
        # Reports come seldom: what they tell may be out of date by the time that a queue has built up.
        round_trip = max(place.report.round_trip or 0.0, self._bandwidth.round_trip)
        packets = place.stream.retransmit(sequence_numbers, round_trip, now)
        if place.kind is PacketKind.VIDEO and packets:
            takes = self._bandwidth.repair_time([len(packet.payload) for packet in packets], now)
            if takes > self._options.assembler.max_wait:
                place.stream.retransmissions.forget()
                return KeyframeRequested(place.stream.mid, place.stream.encoding.rid)
            if takes <= _ROOM_FOR_COPIES:
                packets += place.stream.retransmissions.repeat(packets, place.stream.copies - 1)
        for packet in packets:
            self._queue(place, packet, PacketKind.RETRANSMISSION, now)
        return None

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
        place.stream.names.announced = True
        usual = self._options.report_interval_video
        covered, expected = 1.0, _LEAST_EXPECTED
        if report.highest is not None:
            covered = min((now - report.reported_at) / usual, 1.0)
            expected = max(serial_difference(block.highest_sequence_number, report.highest, 32), 0)
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
        place.stream.set_loss(report.fraction_lost, report.round_trip, covered)
        self._bandwidth.set_overhead(block.ssrc, place.stream.overhead)
        self._bandwidth.loss_reported(report.take_loss(expected), round_trip, now)

    def reports(self, now: float, wall_clock: float) -> dict[str, list[SenderReport]]:
        """Return a sender report of each stream that has sent something, by section; ``wall_clock`` is Unix time."""
        reports: dict[str, list[SenderReport]] = {}
        for ssrc, place in self._places.items():
            stream = place.stream
            if stream.clock is not None:
                report = SenderReport(
                    ssrc,
                    ntp_from_unix(wall_clock),
                    stream.clock.extrapolate(now),
                    stream.counters.packets_sent & 0xFFFFFFFF,
                    stream.counters.bytes_sent & 0xFFFFFFFF,
                )
                reports.setdefault(stream.mid, []).append(report)
        return reports


def _event_codec(parameters: SendParameters) -> Codec | None:
    """Return the payload type of telephone events: the one with the clock rate of the sound, else any."""
    events = [codec for codec in parameters.codecs if codec.name.lower() == TELEPHONE_EVENT]
    rate = next((codec.clock_rate for codec in parameters.codecs if codec.is_media), None)
    return min(events, key=lambda codec: codec.clock_rate != rate, default=None)
