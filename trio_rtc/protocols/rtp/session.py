"""The RTP session of a BUNDLE group, without I/O of its own: all media of both peers over one transport.

It implements RFC 3550 with the profile SAVPF (RFC 5124) over DTLS-SRTP (RFC 5764), with RTP and RTCP of all sections
multiplexed on one port (RFC 5761, RFC 9143). Its states are:

1. *Without keys*, from its creation, when a media section is negotiated, until the DTLS handshake has finished: it
   sends nothing, drops frames, and keeps a few received packets.
2. *Open*, from ``set_keys`` on (:class:`.RtpOpened`).
3. *Closed*, after ``close``, which sends BYE, or ``lower_closed`` (:class:`.RtpClosed`).

Received packets are decrypted, routed to their stream (:mod:`.demux`, :mod:`.receive`), and returned as events: packets
to forward, and complete frames. Frames to send are packetized, wait in the pacer, and are serialized and encrypted when
they are sent (:mod:`.send`). RTCP connects both: reports are sent at an interval (:mod:`.reports`), requests and
bandwidth feedback as soon as they are due, alone with reduced-size RTCP (RFC 5506), else behind a report block of the
stream that they are about.

Not implemented: groups of more than two participants, RTP and RTCP on separate ports, SSRC collisions (the peers of an
authenticated connection choose 32 random bits each, and SDP refuses a collision).
"""

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtcp import (
    Bye,
    CongestionControlFeedback,
    DelaySinceLastReceiverReport,
    ExtendedReport,
    FullIntraRequest,
    GenericNack,
    PictureLossIndication,
    ReceiverEstimatedMaximumBitrate,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
    compact_from_seconds,
    compact_ntp,
    encode_datagrams,
    ntp_from_unix,
    parse,
    round_trip_time,
)
from trio_rtc.protocols.srtp import SrtpSession

from .bandwidth import Bandwidth, FeedbackResults
from .events import BitratesChanged, RtpClosed, RtpEvent, RtpOpened
from .options import RtpOptions
from .packet.frame import EncodedFrame
from .packet.packet import RtpPacket
from .parameters import FEEDBACK_CCFB, FEEDBACK_TRANSPORT, ReceiveParameters, SendParameters
from .receive.receiver import Demand, RtpReceiver, StreamFeedback
from .reports import MAX_DATAGRAM, MAX_FEEDBACK, ReportSchedule, compound, feedback_head, make_bye
from .send.sender import RtpSender
from .stats import Totals, add_to, numbers_of

_MEDIA_TIMEOUT = 2.0
"""Seconds after the last media packet until data may use the whole path."""
_RTCP_TYPES = range(192, 224)
_MAX_PATH_FEEDBACK = 16
"""Bandwidth feedback packets that are used of a datagram: each updates the estimate, and peers send one."""
_MAX_NACKED = 1024
"""Sequence numbers that are used of a NACK, which has room for thousands: as many as the history has packets."""


class RtpSession:
    """All media of one transport, in the contract of :class:`trio_rtc.protocols._contract.Core`.

    Args:
        options: Options of the session.
        rng: Source of the first sequence numbers and timestamps, and of the spread of reports.
        wall_clock: The seconds to add to ``now`` to have the Unix time.
        cname: The CNAME of our streams.

    Attributes:
        sender: The send half.
        receiver: The receive half.
        bandwidth: The bandwidth estimate.
        srtp: The SRTP session, ``None`` before the keys are set.
        dropped: Dropped packets by reason.
        ccfb_received: Congestion control feedback packets (RFC 8888) received.
        closed: Whether the session has ended.
    """

    def __init__(self, options: RtpOptions, *, rng: random.Random, wall_clock: float, cname: str) -> None:
        self._options = options
        self._wall_clock = wall_clock
        self._cname = cname
        self.bandwidth = Bandwidth(options.bandwidth_estimation)
        self.sender = RtpSender(options, self.bandwidth, rng)
        self._events: list[RtpEvent] = []
        self.receiver = RtpReceiver(options, self._events)
        self.srtp: SrtpSession | None = None
        self.dropped: Counter[str] = Counter()
        self.ccfb_received = 0
        self._bandwidth_feedback = 0
        self.closed = False
        self._own_ssrc = rng.getrandbits(32)
        self._schedule = ReportSchedule(rng, options.report_interval_audio, options.report_interval_video)
        # The sections with reduced-size RTCP, and our SSRC in each section.
        self._reduced_size: set[str] = set()
        self._senders: dict[str, int] = {}
        # Whether anything was queued: before, the pacer is not polled.
        self._has_sent = False
        self._early: list[bytes] = []
        self._control: list[bytes] = []
        self._reference_time: tuple[int, int, float] | None = None

    @property
    def is_open(self) -> bool:
        """Whether packets can be sent: the keys are set, and the session has not ended."""
        return self.srtp is not None and not self.closed

    @property
    def packets_decrypted(self) -> int:
        """The number of authentic packets received."""
        counters = None if self.srtp is None else self.srtp.counters
        return 0 if counters is None else counters.rtp.unprotected + counters.rtcp.unprotected

    # -- negotiation ---------------------------------------------------------------------------------------------

    def set_keys(self, srtp: SrtpSession, now: float) -> None:
        """Set the SRTP session, and receive the packets that were kept for it."""
        if self.closed:
            return
        self.srtp = srtp
        self._events.append(RtpOpened())
        self._events += self.sender.missed_keyframes(now)
        early, self._early = self._early, []
        self.receive(early, now)

    def remove_keys(self) -> None:
        """Remove the SRTP session, without which no packet is sent or received."""
        self.srtp = None

    def set_sections(
        self, sending: Sequence[SendParameters], receiving: Sequence[ReceiveParameters], now: float
    ) -> None:
        """Replace the negotiated sections."""
        ended = self.sender.set_sections(sending)
        if ended:
            self._send_bye(ended)
        self.receiver.set_sections(receiving)
        active = [section for section in sending if section.active]
        feedback = {kind for section in active for codec in section.codecs for kind in codec.feedback}
        self.bandwidth.configure(
            active,
            transport_wide=FEEDBACK_TRANSPORT in feedback,
            of_sources=FEEDBACK_CCFB in feedback,
            now=now,
        )
        self._reduced_size = {section.mid for section in sending if section.reduced_size_rtcp}
        self._senders = {section.mid: section.encodings[0].ssrc for section in active if section.encodings}
        kinds = [section.kind for section in sending] + [section.kind for section in receiving]
        self._schedule.set_video("video" in kinds, now)
        self._update_bitrates(now)

    def set_demand(
        self, mid: str, *, frames: bool, packets: bool, min_delay: float = 0.0, decoded: bool = False
    ) -> None:
        """Set what the application consumes of a section.

        Args:
            mid: The section.
            frames: Whether it consumes frames.
            packets: Whether it consumes packets.
            min_delay: The minimum playout delay of frames in seconds.
            decoded: Whether frames are only decoded, by a decoder that lengthens and shortens audio
                (``EncodedFrame.stretch``).
        """
        self.receiver.set_demand(mid, Demand(frames, packets, min_delay, decoded))

    # -- sending -------------------------------------------------------------------------------------------------

    def send_frame(
        self,
        mid: str,
        frame: EncodedFrame,
        now: float,
        *,
        rid: str | None = None,
        captured: float | None = None,
    ) -> None:
        """Queue a frame. Before the keys are set it is dropped.

        When a video frame is dropped, the frames that refer to it are dropped too, and a keyframe is requested
        (:class:`KeyframeRequested`); for frames dropped before the keys are set, when they are set.

        Args:
            mid: The section.
            frame: The frame.
            now: Seconds.
            rid: The simulcast layer.
            captured: Its capture time in the same seconds, ``None`` for now. Sender reports relate the timestamp to
                it, so that the peer does not include the time of encoding.

        Raises:
            ValueError: The frame is not of the negotiated codec.
        """
        if self.is_open:
            self._has_sent = True
            self._emit(self.sender.send_frame(mid, frame, rid, now, captured))
            self._schedule.start(now)
        else:
            self.sender.refuse(mid, rid)

    def send_packets(
        self, mid: str, packets: Sequence[RtpPacket], now: float, *, rid: str | None = None
    ) -> None:
        """Queue packets of another stream as ones of ours."""
        if self.is_open:
            self._has_sent = True
            self._emit(self.sender.send_packets(mid, packets, rid, now))
            self._schedule.start(now)
        else:
            self.sender.refuse(mid, rid, len(packets))

    def refuse_frame(self, mid: str, rid: str | None) -> None:
        """Record that a frame was dropped because packets cannot be sent yet."""
        self.sender.refuse(mid, rid)

    def begin_source(self, mid: str, rid: str | None) -> None:
        """Require a keyframe next: the next frames are of another source, or do not follow the last one sent."""
        self.sender.begin_source(mid, rid)

    def waits_for_keyframe(self, mid: str, rid: str | None) -> bool:
        """Return whether the next frame of a video stream must be a keyframe: one was dropped, or none sent yet."""
        return self.sender.waits_for_keyframe(mid, rid)

    def lose_frame(self, mid: str, rid: str | None, now: float) -> None:
        """Record that a video frame was dropped after it was encoded: the next frame must be a keyframe."""
        self._emit(self.sender.lose_frame(mid, rid, now))

    def path_restored(self, now: float) -> None:
        """Request keyframes, since packets were lost while there was no path to the peer, or the peer had no keys."""
        if self.is_open:
            self._events += self.sender.path_restored(now)

    def send_event(self, mid: str, code: int, elapsed: float, now: float, *, end: bool = False) -> None:
        """Queue a packet of a telephone event (RFC 4733).

        Args:
            mid: The section.
            code: The event.
            elapsed: Seconds since its beginning. With 0 it replaces the audio, and no packet is sent yet.
            now: Seconds.
            end: Whether it ends. Call three times with ``True`` against loss.
        """
        if self.srtp is not None and not self.closed:
            self._has_sent = True
            self.sender.send_event(mid, code, elapsed, now, end=end)
            self._schedule.start(now)

    def request_keyframe(self, mid: str, rid: str | None, now: float) -> None:
        """Request a keyframe from the peer."""
        self.receiver.request_keyframe(mid, rid)

    # -- the contract of a core ----------------------------------------------------------------------------------

    def receive(self, batch: Sequence[bytes], now: float, arrivals: Sequence[float] = ()) -> None:
        """Receive SRTP and SRTCP packets. Never raises for packets of the peer.

        Args:
            batch: The packets.
            now: Seconds.
            arrivals: The arrival time of each packet, if it is known more precisely than by ``now``.
        """
        srtp = self.srtp
        if self.closed:
            return
        if srtp is None:
            room = self._options.max_early_packets - len(self._early)
            self._early += batch[: max(room, 0)]
            self.dropped["too early"] += max(len(batch) - max(room, 0), 0)
            return
        receiver, has_rtcp = self.receiver, False
        for data, arrived in zip(batch, arrivals or repeat(now), strict=False):
            if len(data) < 2:
                continue
            try:
                if data[1] in _RTCP_TYPES:
                    has_rtcp = True
                    clear = srtp.unprotect_rtcp(data)
                    if clear is not None:
                        receiver.record_ssrc(int.from_bytes(clear[4:8], "big"))
                        self._receive_rtcp(parse(clear), now)
                else:
                    clear = srtp.unprotect(data)
                    if clear is not None:
                        receiver.receive(RtpPacket.parse(clear, receiver.extension_map), clear, arrived)
            except ProtocolError:
                self.dropped["malformed"] += 1
        for ssrc in receiver.finish_batch(now):
            srtp.remove_source(ssrc)
        if self._schedule.due == math.inf and receiver.has_streams:
            self._schedule.start(now)
        if has_rtcp:
            self._update_bitrates(now)

    def handle_timer(self, now: float) -> None:
        """Handle the deadlines that have passed."""
        if self.closed:
            return
        self.bandwidth.handle_timer(now)
        self.receiver.handle_timer(now)
        if kinds := self._schedule.take_due(now):
            self._report(kinds, now)
        self._update_bitrates(now)

    def next_timer(self) -> float:
        """Return the next deadline."""
        if self.closed or self.srtp is None:
            return math.inf
        deadline = min(self._schedule.due, self.receiver.next_timer())
        return min(deadline, self.bandwidth.next_timer()) if self._has_sent else deadline

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Return the encrypted packets to send."""
        srtp = self.srtp
        if srtp is None:
            return []
        if not self.closed:
            for feedback in self.receiver.take_feedback(self._sender_of, now, self._compact, MAX_FEEDBACK):
                self._send_feedback(feedback, now)
        datagrams: list[bytes] = []
        if self._control:
            control, self._control = self._control, []
            datagrams = [srtp.protect_rtcp(packet) for packet in control]
        if self.closed or not self._has_sent:
            return datagrams
        protect = srtp.protect
        for packet in self.sender.packets_to_send(now):
            try:
                datagrams.append(protect(packet))
            except ValueError:
                # A forwarded packet that is too large, or a retransmission that has become too old for SRTP.
                self.dropped["not protected"] += 1
        return datagrams

    def left_for_data(self, now: float) -> float | None:
        """Return the bits per second that data may use on the same path; ``None`` while no media is sent."""
        return self.bandwidth.left_for_data if now - self.sender.sent_at < _MEDIA_TIMEOUT else None

    def events(self) -> list[RtpEvent]:
        """Return the events since the last call."""
        events = self._events.copy()
        self._events.clear()
        return events

    def close(self, now: float) -> None:
        """Send BYE for the SSRCs that have sent packets, and end. Idempotent."""
        if not self.closed:
            ssrcs = self.sender.ssrcs
            if ssrcs:
                self._send_bye(ssrcs)
            self._end()

    def lower_closed(self, now: float) -> None:
        """End without BYE: the transport has closed."""
        self._control.clear()
        if not self.closed:
            self._end()

    def counters(self) -> Mapping[str, Mapping[str, float]]:
        """Return the counters of each of the layers ``rtp``, ``srtp`` and ``congestion``."""
        rtp: Totals = {}
        for counters in (self.sender.counters(), self.receiver.counters(), self.dropped):
            add_to(rtp, counters)
        layers: dict[str, Mapping[str, float]] = {"rtp": rtp, "congestion": self.bandwidth.counters()}
        if self.srtp is not None:
            srtp = self.srtp.counters
            layers["srtp"] = {**numbers_of(srtp.rtp, "rtp_"), **numbers_of(srtp.rtcp, "rtcp_")}
        return layers

    # -- RTCP ----------------------------------------------------------------------------------------------------

    def _receive_rtcp(self, packets: Iterable[RtcpPacket], now: float) -> None:
        sender, receiver = self.sender, self.receiver
        self._bandwidth_feedback = 0
        for packet in packets:
            match packet:
                case SenderReport():
                    receiver.handle_sender_report(packet, now)
                    self._handle_blocks(packet.blocks, now)
                case ReceiverReport():
                    self._handle_blocks(packet.blocks, now)
                case GenericNack():
                    numbers = itertools.islice(packet.iter_sequence_numbers(), _MAX_NACKED)
                    self._emit(sender.handle_nack(packet.media_ssrc, numbers, now))
                case TransportFeedback() | CongestionControlFeedback() | ReceiverEstimatedMaximumBitrate():
                    self._handle_bandwidth_feedback(packet, now)
                case PictureLossIndication():
                    self._emit(sender.handle_pli(packet.media_ssrc))
                case FullIntraRequest():
                    for ssrc, number in packet.requests:
                        self._emit(sender.handle_fir(ssrc, number))
                case Bye():
                    receiver.handle_bye(packet.ssrcs, now)
                case ExtendedReport():
                    self._handle_extended_report(packet, now)
                case _:
                    pass  # SDES items are in SDP; other packets have no effect

    def _handle_bandwidth_feedback(
        self,
        packet: TransportFeedback | CongestionControlFeedback | ReceiverEstimatedMaximumBitrate,
        now: float,
    ) -> None:
        self._bandwidth_feedback += 1
        if self._bandwidth_feedback > _MAX_PATH_FEEDBACK:
            self.dropped["path feedback"] += 1
            return
        results: FeedbackResults = []
        match packet:
            case TransportFeedback():
                results = self.bandwidth.handle_transport_feedback(packet, now)
            case CongestionControlFeedback():
                self.ccfb_received += 1
                results = self.bandwidth.handle_congestion_control_feedback(packet, now)
            case ReceiverEstimatedMaximumBitrate():
                self.bandwidth.handle_remb(packet.bitrate, now)
        self.sender.handle_initial_loss(results, now)
        self.sender.handle_path_loss(now)
        for request in self.sender.retransmit_lost(results, now):
            self._emit(request)

    def _handle_blocks(self, blocks: Iterable[ReportBlock], now: float) -> None:
        at = self._compact(now)
        latest: float | None = None
        for block in blocks:
            round_trip = round_trip_time(at, block.last_sender_report, block.delay_since_last_sender_report)
            self.sender.handle_report(block, round_trip, now)
            latest = latest if round_trip is None else round_trip
        if latest is not None:
            self.receiver.set_round_trip(latest)

    def _handle_extended_report(self, report: ExtendedReport, now: float) -> None:
        if report.reference_time is not None:
            self._reference_time = (report.ssrc, compact_ntp(report.reference_time), now)
        at = self._compact(now)
        # Only the first DLRR block is used: further ones, which no known peer sends, would have the same values.
        for delay in report.delays[:1]:
            round_trip = round_trip_time(at, delay.last_receiver_report, delay.delay)
            if round_trip is not None:
                self.receiver.record_round_trip(round_trip)

    def _report(self, kinds: Sequence[str], now: float) -> None:
        reports = self.sender.reports(kinds, now, now + self._wall_clock)
        blocks = self.receiver.report_blocks(kinds, now)
        sends = bool(reports)
        mids = list(dict.fromkeys([*reports, *blocks]))
        if not mids and not self.receiver.has_streams and not self.sender.ssrcs:
            # A session that sends and receives nothing reports, too.
            mids = [""]
        for mid in mids:
            sender, own = self._sender_of(mid), reports.get(mid, [])
            sources = [report.ssrc for report in own]
            packets = compound(sender, own, blocks.get(mid, []), self._cname, sources)
            extended = self._extended_report(sender, now, sends=sends)
            if extended is not None:
                packets.append(extended)
            # One reference time per report is enough.
            sends = True
            self._send_compound(packets, feedback_head(sender, self._cname, None))

    def _extended_report(self, sender_ssrc: int, now: float, *, sends: bool) -> ExtendedReport | None:
        """Return the report that lets a receive-only side measure its round-trip time (RFC 3611 sections 4.4, 4.5)."""
        reference = None if sends else ntp_from_unix(now + self._wall_clock)
        delays: tuple[DelaySinceLastReceiverReport, ...] = ()
        if self._reference_time is not None:
            ssrc, last, at = self._reference_time
            delays = (DelaySinceLastReceiverReport(ssrc, last, compact_from_seconds(now - at)),)
            self._reference_time = None
        if reference is None and not delays:
            return None
        return ExtendedReport(sender_ssrc, reference, delays)

    def _sender_of(self, mid: str | None) -> int:
        """Return our SSRC in a section: that of a stream, else one without media."""
        return self._own_ssrc if mid is None else self._senders.get(mid, self._own_ssrc)

    def _send_feedback(self, feedback: StreamFeedback, now: float) -> None:
        """Send feedback alone with reduced-size RTCP (RFC 5506), else behind a report block of its stream."""
        stream = feedback.stream
        if stream is not None and stream.mid in self._reduced_size:
            self._control += encode_datagrams(feedback.packets, MAX_DATAGRAM)
            return
        sender = self._sender_of(None if stream is None else stream.mid)
        head = feedback_head(sender, self._cname, None if stream is None else stream.report_block(now))
        self._send_compound([*head, *feedback.packets], head)

    def _send_bye(self, ssrcs: Sequence[int]) -> None:
        self._send_compound(
            make_bye(ssrcs[0], self._cname, ssrcs), feedback_head(ssrcs[0], self._cname, None)
        )

    def _send_compound(self, packets: Sequence[RtcpPacket], head: Sequence[RtcpPacket]) -> None:
        self._control += encode_datagrams(packets, MAX_DATAGRAM, head=head)

    def _compact(self, now: float) -> int:
        return compact_ntp(ntp_from_unix(now + self._wall_clock))

    # -- events --------------------------------------------------------------------------------------------------

    def _emit(self, event: RtpEvent | None) -> None:
        if event is not None:
            self._events.append(event)

    def _update_bitrates(self, now: float) -> None:
        bitrates = self.bandwidth.take_changes()
        if bitrates:
            self.sender.set_bitrates(bitrates, self.bandwidth.limited, now)
            self._events.append(BitratesChanged(bitrates, self.bandwidth.available))

    def _end(self) -> None:
        self.closed = True
        self._schedule.stop()
        self._early.clear()
        self._events.append(RtpClosed())
