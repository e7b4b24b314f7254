"""Feedback for the peer's bandwidth estimation.

Depending on the negotiation it is one of three kinds:

* transport-wide feedback on the packets that have a transport-wide sequence number
  (draft-holmer-rmcat-transport-wide-cc-extensions-01);
* congestion control feedback on the packets of each SSRC (RFC 8888, ``ack ccfb``; :class:`ArrivalReporter`);
* REMB, an estimate made here from the send times of the packets (draft-alvestrand-rmcat-remb-03;
  :class:`RemoteBitrateEstimator`).

A peer that supports none of them has the loss in receiver reports.
"""

import math
from collections.abc import Iterable, Sequence

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    BandwidthEstimator,
    FeedbackGenerator,
)
from trio_rtc.protocols.rtcp import (
    CongestionControlFeedback,
    ReceiverEstimatedMaximumBitrate,
    RtcpPacket,
    TransportFeedback,
)
from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_SEND_TIME,
    SEND_TIME_UNITS,
    TRANSPORT_WIDE_CC,
    ExtensionMap,
)
from trio_rtc.protocols.rtp.packet.sequence_numbers import Unwrapper
from trio_rtc.protocols.rtp.parameters import (
    FEEDBACK_CCFB,
    FEEDBACK_REMB,
    FEEDBACK_TRANSPORT,
    ReceiveParameters,
)

_PACKET_OVERHEAD = 60
"""Bytes of IP, UDP and SRTP around an RTP packet."""
_MAX_REMB_SSRCS = 255

_REPORT_INTERVAL = 0.05
_MAX_PENDING = 2048
"""Unreported packets of one SSRC; the oldest are dropped, and reported neither as received nor as lost."""
_MAX_ALL_PENDING = 16_384
"""Unreported packets of all SSRCs; the SSRC that exceeds it drops its own oldest."""
_MIN_SPAN = 64
_SPAN_FACTOR = 8
"""Sequence numbers in a report, and how many more for each packet received: a jump must not make it long."""

_SEND_TIME_BITS = 24
_REMB_INTERVAL = 1.0
_REMB_DECREASE = 0.97
"""Factor by which an estimate that has decreased is sent before the interval is over."""
_BATCH_TIME = 0.02
"""Seconds of packets that the estimator processes together."""
_MAX_BATCH = 256
_MAX_CLOCK_SHIFT = 10.0
"""Seconds by which the sender's clock may have moved against ours before its offset is measured again."""


class BandwidthFeedback:
    """Records the arrival of packets, and makes the feedback about them.

    Args:
        max_ssrcs: How many SSRCs are reported by RFC 8888.

    Attributes:
        transport_element: The id of the extension whose element ``numbered_packet_received`` handles, or ``None``.
        send_time_element: The id of the extension whose element ``timed_packet_received`` handles, or ``None``.
        reports_arrivals: Whether ``packet_received`` must be called for every packet without a transport-wide number.
        ccfb_sent: How many packets of RFC 8888 were made.
    """

    def __init__(self, options: BandwidthEstimationOptions, max_ssrcs: int) -> None:
        self._options = options
        self._max_ssrcs = max_ssrcs
        self._generator = FeedbackGenerator(options)
        self._numbers: Unwrapper | None = None
        self._reporter: ArrivalReporter | None = None
        self._estimator: RemoteBitrateEstimator | None = None
        self.transport_element: int | None = None
        self.send_time_element: int | None = None
        self.reports_arrivals = False
        self.ccfb_sent = 0

    def configure(self, sections: Iterable[ReceiveParameters], extensions: ExtensionMap) -> None:
        kinds = {kind for section in sections for codec in section.codecs for kind in codec.feedback}
        self.reports_arrivals = FEEDBACK_CCFB in kinds
        transport_wide = FEEDBACK_TRANSPORT in kinds
        self.transport_element = extensions.number(TRANSPORT_WIDE_CC) if transport_wide else None
        estimates = FEEDBACK_REMB in kinds and not self.reports_arrivals and self.transport_element is None
        self.send_time_element = extensions.number(ABS_SEND_TIME) if estimates else None
        if not self.reports_arrivals:
            self._reporter = None
        elif self._reporter is None:
            self._reporter = ArrivalReporter(self._max_ssrcs)
        if self.send_time_element is None:
            self._estimator = None
        elif self._estimator is None:
            self._estimator = RemoteBitrateEstimator(self._options)

    def numbered_packet_received(self, element: bytes, size: int, now: float) -> None:
        """Record a packet of ``size`` bytes with a transport-wide sequence number."""
        if len(element) < 2:
            return
        number = element[0] << 8 | element[1]
        if self._numbers is None:
            self._numbers = Unwrapper(16, number)
        self._generator.record_arrival(self._numbers.unwrap(number), now, size + _PACKET_OVERHEAD, now)

    def timed_packet_received(self, element: bytes, size: int, now: float) -> None:
        """Record a packet of ``size`` bytes with an absolute send time."""
        if self._estimator is not None and len(element) == 3:
            self._estimator.packet_received(int.from_bytes(element, "big"), size + _PACKET_OVERHEAD, now)

    def packet_received(self, ssrc: int, sequence_number: int, now: float) -> None:
        if self._reporter is not None:
            self._reporter.packet_received(ssrc, sequence_number, now)

    @property
    def estimated_bitrate(self) -> float | None:
        """The last estimate that was sent as REMB, in bits a second; ``None`` if there is none."""
        return None if self._estimator is None else self._estimator.sent_bitrate

    def forget(self, ssrc: int) -> None:
        """Remove an SSRC whose stream has ended."""
        if self._reporter is not None:
            self._reporter.forget(ssrc)

    def take_packets(
        self, own_ssrc: int, ssrcs: Sequence[int], now: float, compact_now: int, max_size: int
    ) -> list[RtcpPacket]:
        """Return the feedback to send now.

        Args:
            own_ssrc: Our SSRC, the sender of the feedback.
            ssrcs: The SSRCs that are received; transport-wide feedback names the first of them.
            now: Seconds.
            compact_now: The middle 32 bits of the NTP timestamp of ``now``.
            max_size: The maximum size of a packet in bytes.
        """
        packets: list[RtcpPacket] = []
        if self._reporter is not None:
            reports = self._reporter.take_reports(own_ssrc, compact_now, now, max_size)
            self.ccfb_sent += len(reports)
            packets += reports
        if self._estimator is not None and (bitrate := self._estimator.take_bitrate(now)) is not None:
            packets.append(ReceiverEstimatedMaximumBitrate(own_ssrc, bitrate, tuple(ssrcs[:_MAX_REMB_SSRCS])))
        for feedback in self._generator.feedback_to_send(now):
            arrivals = [(number, time) for number, time in feedback.arrivals if time is not None]
            begin = feedback.arrivals[0][0] if feedback.arrivals else None
            media_ssrc = ssrcs[0] if ssrcs else 0
            packets += TransportFeedback.build(
                own_ssrc, media_ssrc, arrivals, feedback.feedback_count, max_size, begin=begin
            )
        return packets

    def next_timer(self) -> float:
        """Return when feedback is due, ``math.inf`` if none is."""
        deadline = self._generator.next_timer()
        return deadline if self._reporter is None else min(deadline, self._reporter.next_timer())

    def is_due(self, now: float) -> bool:
        """Return whether ``take_packets`` may return feedback: for most packets it returns none."""
        return self._estimator is not None or self.next_timer() <= now

    def counters(self) -> dict[str, float]:
        return {
            "feedback_forgotten": self._generator.forgotten,
            "feedback_jumps": self._generator.jumps,
        }


class _ArrivalLog:
    """The unreported packets of one SSRC."""

    __slots__ = ("anchor", "arrivals", "numbers")

    def __init__(self, first: int) -> None:
        self.numbers = Unwrapper(16, first)
        self.arrivals: dict[int, float] = {}
        # The highest packet that was reported.
        self.anchor: tuple[int, float] | None = None


class ArrivalReporter:
    """Reports the arrival time of each packet of each SSRC (RFC 8888).

    A report is made some time after the first packet in it. It begins at the highest packet of the report before, so
    that a packet missing in between is reported as lost (section 3.1: reports may overlap).

    Args:
        max_ssrcs: How many SSRCs are reported. Packets of further ones are not.
    """

    def __init__(self, max_ssrcs: int) -> None:
        self._max_ssrcs = max_ssrcs
        self._logs: dict[int, _ArrivalLog] = {}
        self._pending = 0
        self._due = math.inf

    def packet_received(self, ssrc: int, sequence_number: int, now: float) -> None:
        """Record a packet by its sequence number of 16 bits."""
        log = self._logs.get(ssrc)
        if log is None:
            if len(self._logs) >= self._max_ssrcs:
                return
            log = self._logs[ssrc] = _ArrivalLog(sequence_number)
        number = log.numbers.unwrap(sequence_number)
        arrivals = log.arrivals
        if number not in arrivals:
            arrivals[number] = now
            self._pending += 1
            if len(arrivals) > _MAX_PENDING or self._pending > _MAX_ALL_PENDING:
                del arrivals[next(iter(arrivals))]
                self._pending -= 1
        if self._due == math.inf:
            self._due = now + _REPORT_INTERVAL

    def forget(self, ssrc: int) -> None:
        log = self._logs.pop(ssrc, None)
        if log is not None:
            self._pending -= len(log.arrivals)

    def next_timer(self) -> float:
        """Return when a report is due, ``math.inf`` if all packets are reported."""
        return self._due

    def take_reports(
        self, own_ssrc: int, report_time: int, now: float, max_size: int
    ) -> list[CongestionControlFeedback]:
        """Return the report that is due, in as many packets as it needs.

        Args:
            own_ssrc: Our SSRC, the sender of the report.
            report_time: The middle 32 bits of the NTP timestamp of ``now``.
            now: Seconds.
            max_size: The maximum size of a packet in bytes.
        """
        if now < self._due:
            return []
        self._due = math.inf
        self._pending = 0
        arrivals = {ssrc: self._take_arrivals(log) for ssrc, log in self._logs.items() if log.arrivals}
        return CongestionControlFeedback.build(own_ssrc, report_time, now, arrivals, max_size)

    @staticmethod
    def _take_arrivals(log: _ArrivalLog) -> list[tuple[int, float, int]]:
        arrivals, log.arrivals = log.arrivals, {}
        reported = [(number, at, 0) for number, at in arrivals.items()]
        if log.anchor is not None and log.anchor[0] not in arrivals:
            reported.append((*log.anchor, 0))
        highest = max(number for number, _, _ in reported)
        lowest = highest - _MIN_SPAN - _SPAN_FACTOR * len(reported)
        reported = [each for each in reported if each[0] > lowest]
        if highest in arrivals:
            log.anchor = highest, arrivals[highest]
        return reported


class RemoteBitrateEstimator:
    """Estimates the available bitrate towards us, for a sender without other feedback than receiver reports.

    The sender writes into its packets when they leave. So its own estimator can run at the receiving end: each packet
    is recorded as sent and acknowledged in one step. The result is sent once a second, and at once when it decreases.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._estimator = BandwidthEstimator(options, probing=False)
        self._send_times = Unwrapper(_SEND_TIME_BITS)
        self._offset: float | None = None
        self._next = 0
        self._arrived: list[tuple[int, float | None]] = []
        self._sent: float | None = None
        self._sent_at = -math.inf

    def packet_received(self, send_time: int, size: int, now: float) -> None:
        """Record a packet with a send time extension of 24 bits, and its size on the wire in bytes."""
        sent = self._send_times.unwrap(send_time) / SEND_TIME_UNITS
        if self._offset is None or abs(sent + self._offset - now) > _MAX_CLOCK_SHIFT:
            # Only differences of the sender's clock are used. It is aligned with ours at the first packet.
            self._offset = now - sent
        self._estimator.record_packet_sent(self._next, size, sent + self._offset)
        self._arrived.append((self._next, now))
        self._next += 1
        if now - (self._arrived[0][1] or now) >= _BATCH_TIME or len(self._arrived) >= _MAX_BATCH:
            self._estimate(now)

    def take_bitrate(self, now: float) -> int | None:
        """Return the bitrate to send now in bits a second, ``None`` if none is due."""
        if not self._next or (self._sent is not None and now < self._sent_at + _REMB_INTERVAL):
            has_decreased = self._sent is not None and self.bitrate < self._sent * _REMB_DECREASE
            if not has_decreased:
                return None
        self._sent, self._sent_at = self.bitrate, now
        return int(self._sent)

    @property
    def sent_bitrate(self) -> float | None:
        """The last estimate that was sent; ``None`` before the first."""
        return self._sent

    @property
    def bitrate(self) -> float:
        """The estimate in bits a second."""
        return self._estimator.target_bitrate

    def _estimate(self, now: float) -> None:
        arrived, self._arrived = self._arrived, []
        self._estimator.handle_feedback(arrived, 0.0, now)
