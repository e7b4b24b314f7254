"""The send half of an RTP session: our streams, their pacing, and the peer's requests and reports about them.

Frames and forwarded packets become packets of a stream, and wait in the pacer. When they are due they are serialized
with the elements by which the peer measures the path. A video stream has a keyframe gate (:mod:`.keyframe_gate`): after
a dropped frame only a keyframe passes.
"""

import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from trio_rtc.protocols.bandwidth_estimation import PacketKind
from trio_rtc.protocols.rtcp import ReportBlock, SenderReport
from trio_rtc.protocols.rtcp.ntp import ntp_from_unix
from trio_rtc.protocols.rtp.bandwidth import Bandwidth, FeedbackResults, NumberedPacket
from trio_rtc.protocols.rtp.codec import TELEPHONE_EVENT, Codec, CodecRole
from trio_rtc.protocols.rtp.events import KeyframeRequested
from trio_rtc.protocols.rtp.fec.protection import AudioRedundancy, VideoProtection
from trio_rtc.protocols.rtp.options import RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import original_sequence_number
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.packet.serializer import PacketSerializer
from trio_rtc.protocols.rtp.parameters import Encoding, SendParameters
from trio_rtc.protocols.rtp.payload import packetizer
from trio_rtc.protocols.rtp.stats import QualityLimitationReason, Totals, add_to
from trio_rtc.protocols.serial import serial_difference

from .history import PacketHistory
from .keyframe_gate import KeyframeGate
from .path_losses import InitialLoss, TransmissionLog
from .stream import RtpSendStream, send_totals

_LEAST_EXPECTED = 20
"""The number of packets over which loss is measured, as in libwebrtc."""


class RemoteInboundReport:
    """The peer's last report about one of our streams (W3C webrtc-stats, remote-inbound-rtp)."""

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
        """Return the lost part of the packets since the last call that returned one.

        Args:
            expected: The number of packets that the last report covers.

        Returns:
            ``None`` while the reports cover too few packets.
        """
        self._expected += expected
        self._missing += self.fraction_lost * expected
        if self._expected < _LEAST_EXPECTED:
            return None
        fraction, self._expected, self._missing = self._missing / self._expected, 0, 0.0
        return fraction


class _SendState:
    """A stream with the state that sending its packets requires."""

    __slots__ = (
        "_formats",
        "_media",
        "gate",
        "has_ended",
        "is_open",
        "kind",
        "last_fir_number",
        "parameters",
        "report",
        "serializer",
        "stream",
    )

    def __init__(self, stream: RtpSendStream, parameters: SendParameters) -> None:
        self.stream = stream
        self.report = RemoteInboundReport()
        self.last_fir_number: int | None = None
        self.gate = KeyframeGate() if parameters.kind == "video" else None
        self.has_ended = False
        self.configure(parameters)

    def configure(self, parameters: SendParameters) -> None:
        self.parameters = parameters
        self.serializer = PacketSerializer(ExtensionMap(parameters.extensions))
        self.kind = PacketKind.AUDIO if parameters.kind == "audio" else PacketKind.VIDEO
        self.is_open = parameters.active and self.stream.encoding.active
        media = [codec for codec in parameters.codecs if codec.is_media]
        between = [codec for codec in parameters.codecs if codec.role is CodecRole.BETWEEN]
        self._media = next(iter(media), None)
        self._formats = {codec.payload_type: codec for codec in (*between, *media)}

    def request_keyframe(self, now: float, *, again: bool = False) -> KeyframeRequested | None:
        """Return the request for a keyframe of a video stream, unless the interval since the last is not over."""
        if self.gate is None or not self.gate.take_request(now, again=again):
            return None
        return KeyframeRequested(self.stream.mid, self.stream.encoding.rid)

    def format_of(self, payload_type: int) -> Codec | None:
        """Return the codec for a forwarded packet: that of its payload type, else the one that is sent."""
        return self._formats.get(payload_type, self._media)


_INITIAL_SHARE = 0.5
"""The part of a report's weight that each measurement of the initial loss has."""
_ROOM_FOR_COPIES = 0.05
"""Seconds; retransmissions that take longer to be sent are not sent twice."""

_Queued = tuple[_SendState, RtpPacket, PacketKind, float]
"""A packet in the pacer, with the time since when it waits."""


class RtpSender:
    """Our streams.

    Args:
        rng: Source of the first sequence numbers and timestamps.

    Attributes:
        packets_refused: Packets not sent because the pacer was full or the section does not send.
        frames_withheld: Video frames not sent because a frame that they refer to was not.
        sent_at: When the last media packet was sent; ``-inf`` before the first.
    """

    def __init__(self, options: RtpOptions, bandwidth: Bandwidth, rng: random.Random) -> None:
        self._options = options
        self._bandwidth = bandwidth
        self._rng = rng
        self._numbers = SequenceCounters(rng)
        self._states: dict[int, _SendState] = {}
        self._by_identifiers: dict[tuple[str, str | None], _SendState] = {}
        self.packets_refused = 0
        self.frames_withheld = 0
        self.sent_at = -math.inf
        self._path_loss_at = -math.inf
        self._transmissions = TransmissionLog()
        self._initial_loss: InitialLoss | None = InitialLoss()
        self._ended: Totals = {}

    @property
    def streams(self) -> list[tuple[RtpSendStream, RemoteInboundReport]]:
        """The streams, each with the peer's last report."""
        return [(state.stream, state.report) for state in self._states.values()]

    @property
    def has_streams(self) -> bool:
        return bool(self._states)

    @property
    def ssrcs(self) -> list[int]:
        return [ssrc for ssrc, state in self._states.items() if state.stream.clock.is_running]

    def set_sections(self, sections: Iterable[SendParameters]) -> list[int]:
        """Replace the sections. Streams that stay continue with their sequence numbers.

        Returns:
            The SSRCs that have sent packets and have ended.
        """
        wanted = {
            encoding.ssrc: (section, encoding) for section in sections for encoding in section.encodings
        }
        ended = [ssrc for ssrc in self.ssrcs if ssrc not in wanted]
        for ssrc in ended:
            add_to(self._ended, send_totals(self._states[ssrc].stream))
        for ssrc, state in self._states.items():
            # Packets in the pacer are not sent any more: no packet may follow a BYE.
            state.has_ended = ssrc not in wanted
        self._states = {
            ssrc: self._make_state(section, encoding) for ssrc, (section, encoding) in wanted.items()
        }
        self._by_identifiers.clear()
        for state in self._states.values():
            mid, encoding = state.stream.mid, state.stream.encoding
            self._by_identifiers[mid, encoding.rid] = state
            self._by_identifiers.setdefault((mid, None), state)
        return ended

    def _make_state(self, section: SendParameters, encoding: Encoding) -> _SendState:
        state = self._states.get(encoding.ssrc)
        if state is None:
            history = PacketHistory(self._options.history)
            offset = self._rng.getrandbits(32)
            stream = RtpSendStream(section.mid, encoding, history, self._numbers, offset)
            state = _SendState(stream, section)
        elif state.parameters == section and state.stream.encoding == encoding:
            return state
        state.stream.encoding = encoding
        self._configure(state, section, encoding)
        return state

    def _configure(self, state: _SendState, section: SendParameters, encoding: Encoding) -> None:
        stream = state.stream
        state.configure(section)
        codec = next((codec for codec in section.codecs if codec.is_media), None)
        maker = stream.packetizer
        if codec != stream.codec:
            maker = None if codec is None else packetizer(codec.name, codec.parameters, self._rng)
        redundancy = protection = None
        if codec is not None and section.kind == "audio":
            reds = (each for each in section.codecs if each.role is CodecRole.RED)
            red = next((each for each in reds if each.clock_rate == codec.clock_rate), None)
            redundancy = None if red is None else AudioRedundancy(red.payload_type, self._options)
        elif codec is not None:
            protection = VideoProtection(section, encoding, codec, self._options, self._numbers)
        stream.configure(section, codec, maker, redundancy, protection)

    def parameters_of(self, stream: RtpSendStream) -> SendParameters:
        return self._states[stream.encoding.ssrc].parameters

    def set_bitrates(self, bitrates: Mapping[int, float], limited: Collection[int], now: float) -> None:
        """Set the target bitrate of each stream in bits per second, and the streams that could use more."""
        for ssrc, state in self._states.items():
            state.stream.target_bitrate = bitrates.get(ssrc)
            reason = QualityLimitationReason.BANDWIDTH if ssrc in limited else QualityLimitationReason.NONE
            state.stream.limitation.set_reason(reason, now)

    def counters(self) -> Mapping[str, float]:
        totals: Totals = {
            "packets_refused": self.packets_refused,
            "frames_withheld": self.frames_withheld,
            "round_trips_measured": sum(state.report.measurements for state in self._states.values()),
        }
        add_to(totals, self._ended)
        for state in self._states.values():
            add_to(totals, send_totals(state.stream))
        return totals

    # -- sending -------------------------------------------------------------------------------------------------

    def send_frame(
        self, mid: str, frame: EncodedFrame, rid: str | None, now: float, captured: float | None = None
    ) -> KeyframeRequested | None:
        """Queue the packets of a frame that was captured at some time, by default now.

        Returns:
            A keyframe request, if the frame was dropped and the frames after it cannot be decoded.

        Raises:
            ValueError: The frame is not of the negotiated codec.
        """
        state = self._by_identifiers.get((mid, rid))
        if state is None or not state.is_open:
            self.refuse(mid, rid)
            return None
        if state.stream.sends_event:
            # RFC 4733 section 2.2 lets the tone replace the audio, so that the peer plays it undisturbed.
            return None
        gate = state.gate
        if gate is None:
            self._queue_frame(state, frame, now, captured)
            return None
        if gate.is_shut and not frame.keyframe:
            self.frames_withheld += 1
            return state.request_keyframe(now)
        # The gate stays shut when the frame is refused, also by an exception.
        gate.is_shut = True
        if not self._queue_frame(state, frame, now, captured):
            return state.request_keyframe(now)
        gate.is_shut = False
        return None

    def _queue_frame(
        self, state: _SendState, frame: EncodedFrame, now: float, captured: float | None
    ) -> bool:
        """Queue the packets of a frame, and return whether the pacer had room for all."""
        packets = state.stream.packetize(frame, self._options.max_packet_size, now, captured)
        for index, packet in enumerate(packets):
            if not self._queue(state, packet, state.kind, now):
                # The rest would be of no use, and a gap of half of all numbers would be taken for a step back.
                self.packets_refused += len(packets) - index - 1
                state.stream.release_numbers(packet)
                return False
        return True

    def refuse(self, mid: str, rid: str | None, packets: int = 1) -> None:
        """Record that a frame, or packets, cannot be sent: the next frame must be a keyframe."""
        self.packets_refused += packets
        state = self._by_identifiers.get((mid, rid))
        if state is not None and state.gate is not None:
            state.gate.is_shut = state.gate.has_missed = True

    def begin_source(self, mid: str, rid: str | None) -> None:
        """Require a keyframe next, and request one if another frame is sent first."""
        state = self._by_identifiers.get((mid, rid))
        if state is not None and state.gate is not None:
            state.gate.is_shut = True

    def waits_for_keyframe(self, mid: str, rid: str | None) -> bool:
        """Return whether the next frame of a video stream must be a keyframe."""
        state = self._by_identifiers.get((mid, rid))
        return state is not None and state.gate is not None and state.gate.is_shut

    def lose_frame(self, mid: str, rid: str | None, now: float) -> KeyframeRequested | None:
        """Record that a frame was dropped after it was encoded; return the keyframe request.

        Of several dropped in a row only the first requests one. The next request is made for a frame that is not
        dropped: a sender that drops all frames must not cause a keyframe each time.
        """
        state = self._by_identifiers.get((mid, rid))
        if state is None or state.gate is None or state.gate.is_shut:
            return None
        state.gate.is_shut = True
        return state.request_keyframe(now)

    def missed_keyframes(self, now: float) -> list[KeyframeRequested]:
        """Return the keyframe requests of the streams of which frames were dropped before they could be sent."""
        states = [state for state in self._states.values() if state.gate is not None]
        requests = [state.request_keyframe(now) for state in states if state.gate.take_missed()]  # type: ignore[union-attr]
        return [request for request in requests if request is not None]

    def path_restored(self, now: float) -> list[KeyframeRequested]:
        """Return the keyframe requests of the video streams: packets sent before were not received."""
        running = [state for state in self._states.values() if state.stream.clock.is_running]
        requests = [state.request_keyframe(now, again=True) for state in running]
        return [request for request in requests if request is not None]

    def send_packets(
        self, mid: str, packets: Sequence[RtpPacket], rid: str | None, now: float
    ) -> KeyframeRequested | None:
        """Queue packets of another stream as ones of ours.

        Returns:
            A keyframe request, if the pacer had no room for some of them.
        """
        state = self._by_identifiers.get((mid, rid))
        if state is None or not state.is_open:
            self.refuse(mid, rid, len(packets))
            return None
        kind, adopt, has_room = state.kind, state.stream.adopt, True
        for packet in packets:
            codec = state.format_of(packet.payload_type)
            if codec is None:
                self.packets_refused += 1
                continue
            adopted = adopt(packet, codec.payload_type, codec.clock_rate, now)
            if adopted is None:
                continue
            if not self._queue(state, adopted, kind, now):
                has_room = False
                continue
            for fec_packet in state.stream.protect_forwarded(adopted, self._options.max_packet_size):
                self._queue(state, fec_packet, kind, now)
        return None if has_room else state.request_keyframe(now)

    def send_event(self, mid: str, code: int, elapsed: float, now: float, *, end: bool) -> None:
        """Queue the packets of a telephone event at some time of it; until its end it replaces the audio.

        It has the clock rate of the audio, if the peer supports events of that (RFC 4733 section 2.4.1).
        """
        state = self._by_identifiers.get((mid, None))
        codec = None if state is None else _event_codec(state.parameters)
        if state is None or codec is None or not state.is_open:
            self.packets_refused += 1
            return
        for packet in state.stream.continue_event(code, elapsed, codec, now, end=end):
            self._queue(state, packet, PacketKind.AUDIO, now)

    def packets_to_send(self, now: float) -> list[bytes]:
        """Return the packets that are due, without SRTP."""
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
        packets = [self._serialize(each, now, sent) for each in taken if not each[0].has_ended]
        self._bandwidth.packets_sent(sent, now)
        return packets

    def _queue(self, state: _SendState, packet: RtpPacket, kind: PacketKind, now: float) -> bool:
        taken = self._bandwidth.enqueue((state, packet, kind, now), len(packet.payload), kind, now)
        self.packets_refused += not taken
        return taken

    def _serialize(self, queued: _Queued, now: float, sent: list[NumberedPacket]) -> bytes:
        """Return the bytes of a packet that is sent now, with the elements by which the peer measures the path.

        A packet that the peer's feedback will acknowledge is added to ``sent``.
        """
        state, packet, kind, queued_at = queued
        stream, bandwidth = state.stream, self._bandwidth
        is_new = kind is PacketKind.AUDIO or kind is PacketKind.VIDEO
        if not is_new and packet.ssrc == stream.encoding.ssrc:
            # Without RTX a retransmission is exactly the same packet.
            data = packet.encode()
            stream.record_repeated(packet, len(data), padding=False)
            return data
        number = None
        if state.serializer.has_transport_number or bandwidth.numbers_all:
            number = bandwidth.next_number()
            if bandwidth.numbers_all:
                bandwidth.record_number(packet.ssrc, packet.sequence_number, number)
        data = state.serializer.serialize(packet, number, now)
        if is_new:
            stream.record_sent(packet, data, now, waited=now - queued_at)
        else:
            stream.record_repeated(packet, len(data), padding=kind is PacketKind.PADDING)
        if number is not None:
            sent.append((number, len(data), kind is PacketKind.PADDING))
            if stream.copies > 1 or self._initial_loss is not None:
                self._record_transmission(stream, packet, kind, number)
        return data

    def _record_transmission(
        self, stream: RtpSendStream, packet: RtpPacket, kind: PacketKind, number: int
    ) -> None:
        """Record a transmission of a packet that must be sent again if all are lost."""
        if kind is PacketKind.RETRANSMISSION:
            self._transmissions.record(number, (stream.encoding.ssrc, original_sequence_number(packet)))
        elif kind is PacketKind.VIDEO and stream.is_media(packet):
            self._transmissions.record(number, (packet.ssrc, packet.sequence_number))

    def _queue_padding(self, size: int, now: float) -> bool:
        """Queue about ``size`` bytes of padding; return whether any was queued.

        It consists of whole packets: a probe lacks packets sooner than bytes, and the pacer spaces them by their size.
        """
        queued = 0
        while queued < size and (padding := self._padding()) is not None:
            self._queue(*padding, PacketKind.PADDING, now)
            queued += len(padding[1].payload)
        return queued > 0

    def _padding(self) -> tuple[_SendState, RtpPacket] | None:
        for state in self._states.values():
            packet = (
                state.stream.retransmitter.padding(self._options.max_packet_size)
                if state.parameters.kind == "video"
                else None
            )
            if packet is not None:
                return state, packet
        return None

    # -- feedback ------------------------------------------------------------------------------------------------

    def handle_nack(self, ssrc: int, sequence_numbers: Iterable[int], now: float) -> KeyframeRequested | None:
        """Queue the requested retransmissions; return a keyframe request if they would take too long.

        The peer would detect that by itself, but only after it has waited in vain for the retransmissions.
        """
        state = self._states.get(ssrc)
        if state is None:
            return None
        # Reports are rare: their round-trip time may be out of date when a queue has built up.
        round_trip = max(state.report.round_trip or 0.0, self._bandwidth.round_trip)
        return self._retransmit(state, state.stream.retransmit(sequence_numbers, round_trip, now), now)

    def retransmit_lost(self, results: FeedbackResults, now: float) -> list[KeyframeRequested]:
        """Queue retransmissions of the packets of which feedback about the path shows that all copies were lost.

        The peer has requested them in vain, or its request was lost. Packets are recorded for that as long as so many
        are lost that retransmissions are sent twice, and at the beginning; otherwise the peer's requests suffice.
        Packets that a full queue has dropped are left to requests: sent again at once, they would find the queue full.
        """
        lost: dict[int, list[int]] = {}
        keys = self._transmissions.handle_feedback(results, now)
        for ssrc, sequence_number in () if self._bandwidth.has_queue else keys:
            lost.setdefault(ssrc, []).append(sequence_number)
        requests = []
        for ssrc, numbers in lost.items():
            if (state := self._states.get(ssrc)) is not None:
                packets = state.stream.retransmitter.retransmit(numbers, 0.0, now)
                requests.append(self._retransmit(state, packets, now))
        return [request for request in requests if request is not None]

    def _retransmit(
        self, state: _SendState, packets: list[RtpPacket], now: float
    ) -> KeyframeRequested | None:
        if state.kind is PacketKind.VIDEO and packets:
            takes = self._bandwidth.retransmission_time([len(packet.payload) for packet in packets], now)
            if takes > self._options.assembler.max_wait:
                state.stream.retransmitter.clear()
                return KeyframeRequested(state.stream.mid, state.stream.encoding.rid)
            if takes <= _ROOM_FOR_COPIES:
                packets += state.stream.retransmitter.repeat(packets, state.stream.copies - 1)
        for packet in packets:
            self._queue(state, packet, PacketKind.RETRANSMISSION, now)
        return None

    def handle_pli(self, ssrc: int) -> KeyframeRequested | None:
        state = self._states.get(ssrc)
        if state is None:
            return None
        state.stream.counters.plis_received += 1
        return KeyframeRequested(state.stream.mid, state.stream.encoding.rid)

    def handle_fir(self, ssrc: int, number: int) -> KeyframeRequested | None:
        """Handle a FIR, whose number is the same when it is repeated (RFC 5104 section 4.3.1.2)."""
        state = self._states.get(ssrc)
        if state is None or state.last_fir_number == number:
            return None
        state.last_fir_number = number
        state.stream.counters.firs_received += 1
        return KeyframeRequested(state.stream.mid, state.stream.encoding.rid)

    def handle_initial_loss(self, results: FeedbackResults, now: float) -> None:
        """Update the protection of video from the first feedback about the path, until the peer's first report on it.

        In a queue that is full packets are lost as well, but protection would only add to them.
        """
        if self._initial_loss is None or not results:
            return
        self._initial_loss.record(results)
        fraction = self._initial_loss.take_fraction(now)
        if fraction is None or self._bandwidth.has_queue:
            return
        for ssrc, state in self._states.items():
            if state.kind is PacketKind.VIDEO and state.stream.clock.is_running:
                state.stream.set_loss(fraction, self._bandwidth.round_trip or None, _INITIAL_SHARE)
                self._bandwidth.set_overhead(ssrc, state.stream.overhead)

    def handle_path_loss(self, now: float) -> None:
        """Update the redundancy of audio from the loss that the peer's feedback about the path shows.

        The peer reports on audio every five seconds, and an interruption is heard at once.
        """
        interval = self._options.report_interval_video
        if now - self._path_loss_at < interval or (fraction := self._bandwidth.path_loss) is None:
            return
        self._path_loss_at = now
        for state in self._states.values():
            if state.kind is PacketKind.AUDIO and now - state.report.reported_at >= interval:
                state.stream.set_loss(fraction, state.report.round_trip)

    def handle_report(self, block: ReportBlock, round_trip: float | None, now: float) -> None:
        state = self._states.get(block.ssrc)
        if state is None or not state.stream.clock.is_running:
            return
        report = state.report
        # A peer that reports on the SSRC knows its section and layer.
        state.stream.identifiers.acknowledged = True
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
        if state.kind is PacketKind.VIDEO:
            self._initial_loss = None
        state.stream.set_loss(report.fraction_lost, report.round_trip, covered)
        self._bandwidth.set_overhead(block.ssrc, state.stream.overhead)
        self._bandwidth.handle_loss(report.take_loss(expected), round_trip, now)

    def reports(self, kinds: Collection[str], now: float, wall_clock: float) -> dict[str, list[SenderReport]]:
        """Return a sender report of each stream of these kinds that has sent packets, by section.

        Args:
            kinds: ``"audio"``, ``"video"`` or both.
            now: Seconds.
            wall_clock: Unix time.
        """
        reports: dict[str, list[SenderReport]] = {}
        for ssrc, state in self._states.items():
            stream = state.stream
            timestamp = stream.clock.extrapolate(now)
            if timestamp is not None and state.parameters.kind in kinds:
                report = SenderReport(
                    ssrc,
                    ntp_from_unix(wall_clock),
                    timestamp,
                    stream.counters.packets_sent & 0xFFFFFFFF,
                    stream.counters.bytes_sent & 0xFFFFFFFF,
                )
                reports.setdefault(stream.mid, []).append(report)
        return reports


def _event_codec(parameters: SendParameters) -> Codec | None:
    """Return the codec of telephone events: the one with the clock rate of the audio, else any."""
    events = [codec for codec in parameters.codecs if codec.name.lower() == TELEPHONE_EVENT]
    rate = next((codec.clock_rate for codec in parameters.codecs if codec.is_media), None)
    return min(events, key=lambda codec: codec.clock_rate != rate, default=None)
