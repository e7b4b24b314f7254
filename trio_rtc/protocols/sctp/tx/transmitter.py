"""The sending side of an association: transmission, acknowledgement and retransmission of DATA chunks.

RFC 9260 sections 6.1 (transmission), 6.3 (T3-rtx), 7.2.4 (fast retransmit); RFC 3758 section 3.5 (abandoning).
The peer's window is its last ``a_rwnd`` less the bytes in flight. With nothing in flight and a closed window, one chunk
is sent one RTO after the window has closed, and again each time T3-rtx expires (zero window probe). The interval of
probes doubles up to RTO.Max, so when the window opens, the probe is retransmitted at once.

The congestion controller provides the congestion window and the pacing rate; it is informed of acknowledgements, loss,
timeouts and, if it measures delivery, of bursts sent.
"""

import math
from collections.abc import Iterable
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn, Sack
from trio_rtc.protocols.sctp.packet.data import DATA_HEADER_SIZE
from trio_rtc.protocols.serial import serial_difference

from .congestion import CongestionController, DeliverySample
from .outstanding import Outstanding
from .pacer import Pacer
from .path_share import PathShare
from .rto import RetransmissionTimeout
from .send_queue import PartialReliability, SendQueue
from .sent_bursts import SentBursts

# Chunks that one SACK may acknowledge or renege, so that it takes no more than a millisecond or two. Twice the full
# packets of the largest congestion window; less than half of the SSNs and than gap ack blocks can reach.
MAX_OUTSTANDING: Final = 8192
_SMALLEST_CHUNK: Final = 20


class Transmitter:
    """Sends queued messages under congestion and flow control.

    Attributes:
        share: Limits the window while media is sent on the same path.
        timeout: SRTT and RTO.
        t3_deadline: When T3-rtx expires, absolute; ``math.inf`` when stopped.
        errors: Expirations of T3-rtx since the peer last acknowledged something.
        advertised_window: The peer's last ``a_rwnd``, in bytes.
        chunks_sent: DATA chunks sent, retransmissions included.
        bytes_sent: Bytes of new DATA chunks, headers included.
        forward_pending: Whether a FORWARD-TSN must be sent.
        chunks_retransmitted: Retransmissions of DATA chunks.
    """

    def __init__(
        self,
        initial_tsn: int,
        queue: SendQueue,
        congestion: CongestionController,
        timeout: RetransmissionTimeout,
        share: PathShare,
        *,
        advertised_window: int,
        full_size: int,
        partial_reliability: bool,
    ) -> None:
        self.outstanding = Outstanding(initial_tsn, full_size)
        self.congestion = congestion
        self.share = share
        self.timeout = timeout
        self.t3_deadline = math.inf
        self.errors = 0
        self.advertised_window = advertised_window
        queue.partial_reliability = partial_reliability
        self.chunks_sent = 0
        self.bytes_sent = 0
        self.chunks_retransmitted = 0
        self._queue = queue
        self._full_size = full_size
        self._full_chunk = full_size + DATA_HEADER_SIZE
        self._recovery_exit: int | None = None
        self._fast_retransmit = False
        self.forward_pending = False
        self._probe_allowed = False
        # When T3-rtx last expired with a closed window; None once it has opened.
        self._probed_at: float | None = None
        self._timed_tsn: int | None = None
        self._timed_at = 0.0
        self._timed_flight = 0
        self._last_sent = -math.inf
        self._bursts = SentBursts()
        self._bytes_retransmitted = 0
        self._burst_start = 0
        self._pacer = Pacer(self._full_chunk)

    @property
    def is_idle(self) -> bool:
        return not self.outstanding.chunks and not self._queue.total

    @property
    def window(self) -> float:
        return min(self.congestion.congestion_window, self.share.window)

    @property
    def can_send_new(self) -> bool:
        """Whether congestion and flow control allow new data.

        While data is in flight, the last bytes of the peer's window are used only if they suffice for a full packet or
        for all queued data, which avoids the silly window syndrome (RFC 9260 section 6.1, rule A).
        """
        outstanding = self.outstanding
        if outstanding.lost or len(outstanding.chunks) >= MAX_OUTSTANDING:
            return False
        flight = outstanding.flight
        if flight == 0:
            return self.advertised_window > 0 or self._probe_allowed
        left = self.advertised_window - flight
        return flight < self.window and left >= min(self._full_chunk, self._queue.total)

    @property
    def has_retransmission(self) -> bool:
        outstanding = self.outstanding
        return self._fast_retransmit or outstanding.flight == 0 or outstanding.flight < self.window

    def wants_packet(self, partial: bool) -> bool:
        """Return whether a packet of data may be sent now; new data must fill it unless ``partial``."""
        if self.outstanding.lost:
            return self.has_retransmission
        queue = self._queue
        return queue.has_sendable and (partial or queue.total >= self._full_size) and self.can_send_new

    @property
    def reports_bursts(self) -> bool:
        """Whether ``begin_burst`` and ``finish_burst`` must be called around a burst of packets."""
        congestion = self.congestion
        return congestion.measures_delivery or congestion.pacing_rate is not None

    def begin_burst(self, now: float) -> float:
        """Return how many packets of data may leave now at the pacing rate, ``math.inf`` without one."""
        self._burst_start = self.bytes_sent + self._bytes_retransmitted
        rate = self.congestion.pacing_rate
        return math.inf if rate is None else self._pacer.count_due(rate, now)

    @property
    def next_paced_burst(self) -> float:
        return self._pacer.next_burst

    def finish_burst(self, now: float) -> None:
        """Report the packets filled since ``begin_burst`` to the congestion controller and the pacer."""
        size = self.bytes_sent + self._bytes_retransmitted - self._burst_start
        if not size:
            return
        outstanding, queue, congestion = self.outstanding, self._queue, self.congestion
        rate = congestion.pacing_rate
        application_limited = (
            (not queue.active or queue.total < self._full_size)
            and not outstanding.lost
            and outstanding.flight < self.window
        )
        if congestion.measures_delivery:
            self._bursts.record(outstanding.next_tsn - 1, now, application_limited)
            congestion.on_sent(size, outstanding.flight, application_limited, now)
        if rate is not None:
            self._pacer.record_sent(size, rate, application_limited, now)

    def take_forward_tsn(self) -> ForwardTsn | None:
        """Return the pending FORWARD-TSN, None if there is nothing left to skip."""
        self.forward_pending = False
        return self.outstanding.forward_tsn()

    def fill_packet(self, parts: list[bytes], space: int, now: float, partial: bool) -> bool:
        """Append DATA chunks of at most ``space`` bytes to ``parts``: retransmissions first, then new data.

        New data must fill the packet unless ``partial``.

        Returns:
            Whether there is data for another packet, if the windows allow it.
        """
        if self.outstanding.lost:
            if not self.has_retransmission:
                return False
            space = self._fill_lost(parts, space, now)
            self._fast_retransmit = False
        queue = self._queue
        if (partial or queue.total >= self._full_size) and self.can_send_new:
            self._fill_new(parts, space, now)
        return bool(queue.active or self.outstanding.lost)

    def _fill_lost(self, parts: list[bytes], space: int, now: float) -> int:
        outstanding = self.outstanding
        while (tsn := outstanding.next_lost()) is not None:
            chunk, reliability = outstanding.chunks[tsn]
            if reliability is not None and reliability.expires_at <= now:
                self._abandon([reliability], now)
                continue
            size = len(chunk)
            if size > space:
                break
            parts.append(outstanding.retransmit(tsn))
            space -= size
            self.chunks_sent += 1
            self.chunks_retransmitted += 1
            self._bytes_retransmitted += size
            if tsn == self._timed_tsn:
                self._timed_tsn = None
            if tsn == outstanding.cumulative_tsn + 1:
                self.t3_deadline = now + self.timeout.value
        return space

    def _fill_new(self, parts: list[bytes], space: int, now: float) -> None:
        outstanding, queue = self.outstanding, self._queue
        chunks, active = outstanding.chunks, queue.active
        tsn = first = outstanding.next_tsn
        sent = 0
        if not chunks:
            self._report_idle(now)
        budget = self.advertised_window - outstanding.flight
        while active and space >= _SMALLEST_CHUNK:
            # The first chunk fits the peer's window, or is a zero window probe.
            if sent and budget < space and budget < queue.total:
                break
            produced = queue.produce(space, tsn, now)
            if produced is None:
                break
            chunks[tsn] = produced
            chunk = produced[0]
            parts.append(chunk)
            size = len(chunk)
            sent += size
            space -= size
            budget -= size
            tsn += 1
        if tsn > first:
            self._record_sent(first, tsn, sent, now)
        if queue.expired_begun:
            self._abandon_expired_begun(now)

    def _record_sent(self, first: int, tsn: int, sent: int, now: float) -> None:
        """Record new chunks from ``first`` up to, but not including, ``tsn``, of ``sent`` bytes."""
        outstanding = self.outstanding
        outstanding.next_tsn = tsn
        outstanding.flight += sent
        self.chunks_sent += tsn - first
        self.bytes_sent += sent
        self._last_sent = now
        self._probe_allowed = False
        if self._timed_tsn is None:
            self._timed_tsn = tsn - 1
            self._timed_at = now
            self._timed_flight = outstanding.flight
        if self.t3_deadline == math.inf:
            self.t3_deadline = now + self.timeout.value

    def arm_window_probe(self, now: float) -> None:
        """Start T3-rtx for a zero window probe if it is not running and data is queued.

        The first one leaves one RTO after the window has closed (section 6.1, rule A), not a backed-off one.
        """
        if self.t3_deadline == math.inf and self._queue.has_sendable:
            if self._probed_at is None:
                self.timeout.reset_back_off()
            self.t3_deadline = now + self.timeout.value

    def handle_sack(self, sack: Sack, now: float) -> None:
        """Handle a SACK; one that acknowledges a TSN that was never sent is a ``ProtocolError``."""
        outstanding = self.outstanding
        before = outstanding.cumulative_tsn
        cumulative = before + serial_difference(sack.cumulative_tsn, before & 0xFFFFFFFF, 32)
        if cumulative < before:
            return
        gap_end = cumulative + (sack.gap_blocks[-1][1] if sack.gap_blocks else 0)
        if gap_end >= outstanding.next_tsn:
            raise ProtocolError(f"SACK up to TSN {gap_end}, {outstanding.next_tsn - 1} was the last one sent")
        flight_before = outstanding.flight
        measures = self.congestion.measures_delivery
        newest = (
            cumulative
            if measures and cumulative > before and outstanding.is_unambiguous(cumulative)
            else None
        )
        acknowledged = outstanding.acknowledge(cumulative)
        if sack.gap_blocks or outstanding.gap_acked:
            size, highest = self._handle_gaps(cumulative, sack, advanced=cumulative > before, now=now)
            acknowledged += size
            newest = newest if highest is None else highest
        self.advertised_window = sack.advertised_receiver_window
        if self._timed_tsn is not None and (
            self._timed_tsn <= cumulative or self._timed_tsn in outstanding.gap_acked
        ):
            self.timeout.update(now - self._timed_at)
            self.share.round_trip_measured(now - self._timed_at, self._timed_flight, now)
            self._timed_tsn = None
        if self._recovery_exit is not None and cumulative >= self._recovery_exit:
            self._recovery_exit = None
        if acknowledged:
            self._report_acknowledged(
                acknowledged, flight_before, cumulative > before, newest if measures else None, now
            )
        elif not sack.advertised_receiver_window:
            # A SACK with a closed window is a response, so probes are no errors of the path (section 6.1, rule A).
            self.errors = 0
        if not outstanding.chunks:
            self.t3_deadline = math.inf
        elif cumulative > before:
            self.t3_deadline = now + self.timeout.value
        if self._probed_at is not None and self.advertised_window:
            self._end_probing(self._probed_at, now, dropped=not acknowledged)
        if outstanding.abandoned:
            self.forward_pending = True
        if measures:
            self._bursts.discard_before(cumulative + 1)

    def _report_acknowledged(
        self, size: int, flight_before: int, advanced: bool, newest: int | None, now: float
    ) -> None:
        self.errors = 0
        self.timeout.reset_back_off()
        self.congestion.on_acknowledged(
            size,
            flight_before=flight_before,
            cumulative_advanced=advanced,
            in_recovery=self._recovery_exit is not None,
            smoothed_round_trip=self.timeout.smoothed,
            sample=None if newest is None else self._sample_delivery(newest, now),
            now=now,
        )

    def _end_probing(self, probed_at: float, now: float, *, dropped: bool) -> None:
        """Retransmit the last probe if the peer has dropped it, now that the window has opened.

        T3-rtx has backed off with the probes, although the path has lost nothing. If the probe has left less than a
        round trip ago, its acknowledgement may follow; of several chunks, those of the others follow that of the first.
        """
        self._probed_at = None
        self.timeout.reset_back_off()
        outstanding = self.outstanding
        if outstanding.chunks:
            self.t3_deadline = min(self.t3_deadline, now + self.timeout.value)
        if dropped and outstanding.flight and now - probed_at >= (self.timeout.smoothed or 0.0):
            self._abandon(outstanding.mark_all_lost(now), now)

    def _sample_delivery(self, newest: int, now: float) -> DeliverySample | None:
        """Return the sample of the newest chunk acknowledged, ``None`` if its burst is unknown."""
        burst = self._bursts.find(newest)
        return None if burst is None else DeliverySample(burst[0], now - burst[0], burst[1])

    def _handle_gaps(
        self, cumulative: int, sack: Sack, *, advanced: bool, now: float
    ) -> tuple[int, int | None]:
        """Handle the gap ack blocks: acknowledgements, and miss indications for the holes between them.

        Returns:
            The bytes newly acknowledged, and the newest of their chunks if it was sent only once.
        """
        outstanding = self.outstanding
        ranges = [(cumulative + first, cumulative + last) for first, last in sack.gap_blocks]
        newly = outstanding.acknowledge_gaps(ranges)
        highest = newly[-1][0] if newly else -1
        if self._recovery_exit is not None and advanced and ranges:
            # In fast recovery an advancing SACK counts for every hole that it reports (section 7.2.4).
            highest = ranges[-1][1]
        if highest >= 0:
            early = not self._queue.has_sendable
            flight_before = outstanding.flight
            lost, abandoned = outstanding.report_missing(newly, highest, now, early=early)
            self._abandon(abandoned, now)
            if lost:
                self.congestion.on_lost(flight_before - outstanding.flight, self._recovery_exit is None, now)
                self._enter_fast_recovery()
        newest = newly[-1][0] if newly and newly[-1][0] not in outstanding.retransmissions else None
        return sum(size for _, size in newly), newest

    def _enter_fast_recovery(self) -> None:
        if self._recovery_exit is None:
            self._recovery_exit = self.outstanding.next_tsn - 1
            self._fast_retransmit = True

    def handle_timer(self, now: float) -> None:
        """Handle T3-rtx (section 6.3.3)."""
        if now < self.t3_deadline:
            return
        self.t3_deadline = math.inf
        self._timed_tsn = None
        outstanding = self.outstanding
        if not outstanding.chunks and not self._queue.has_sendable:
            self._probe_allowed = False
            return
        if not self.advertised_window:
            self._probed_at = now
        self.timeout.back_off()
        if not outstanding.chunks:
            self._probe_allowed = True
            return
        self.errors += 1
        self.t3_deadline = now + self.timeout.value
        self._recovery_exit = None
        self._fast_retransmit = False
        if outstanding.flight:
            # The loss of a probe of a closed window is no sign of congestion.
            if self.advertised_window:
                self.congestion.on_timeout(outstanding.flight, self.errors, now)
            self._abandon(outstanding.mark_all_lost(now), now)
        if outstanding.abandoned:
            self.forward_pending = True

    def path_restored(self, now: float) -> None:
        """Make T3-rtx expire now and restore the measured RTO, if it has backed off."""
        if self.errors and self.t3_deadline != math.inf:
            self.timeout.reset_back_off()
            self.t3_deadline = min(self.t3_deadline, now)

    def _abandon(self, messages: Iterable[PartialReliability], now: float) -> None:
        """Abandon messages: discard their unsent rest, and schedule a FORWARD-TSN."""
        for reliability in messages:
            self.outstanding.abandon(reliability)
            if self._queue.discard_unsent(reliability):
                self.outstanding.abandon_unsent(reliability)
            self._schedule_forward_tsn(now)

    def _abandon_expired_begun(self, now: float) -> None:
        for reliability in self._queue.expired_begun:
            self.outstanding.abandon(reliability)
            self.outstanding.abandon_unsent(reliability)
            self._schedule_forward_tsn(now)
        self._queue.expired_begun.clear()

    def _schedule_forward_tsn(self, now: float) -> None:
        self.forward_pending = True
        # Skipped chunks are acknowledged without being received, which measures no round trip.
        self._timed_tsn = None
        if self.t3_deadline == math.inf:
            self.t3_deadline = now + self.timeout.value

    def _report_idle(self, now: float) -> None:
        if self._last_sent != -math.inf and now - self._last_sent > self.timeout.value:
            self.congestion.on_idle(int((now - self._last_sent) / self.timeout.value))
