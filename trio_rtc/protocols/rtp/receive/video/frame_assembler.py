"""Assembles video frames from packets: complete frames, in decode order, with a bounded wait for missing packets.

The assembler is in one of two states.

*Seeking*: there is no frame to continue from, because the stream begins, or lost packets were given up that later
frames need. Packets are kept for a moment, for the second packet of a keyframe may arrive before its first; when a
packet begins a keyframe, the assembler gathers from there. If none does, a keyframe is requested, and again with
backoff.

*Gathering*: all frames up to a sequence number are finished, and the packets from there on become the next frame. It is
complete when the packet with the marker bit, and all before it, have arrived. When a packet is missing and later ones
have arrived, the gap has a deadline: ``max_wait`` while retransmission or error correction may fill it, and more where
a second request takes longer to be answered; otherwise only as long as packets are reordered, which is the measured
jitter. At the deadline, or when retransmission gives up, the assembler skips: to a later keyframe in the buffer; or to
the next frame whose temporal layer shows that it does not need the lost packets; else to *Seeking*. Only while
retransmission continues, it requests the keyframe first and waits for ``last_wait`` more: the answer to the last
request for the packet may arrive before the keyframe. On a long path that is as long as the keyframe takes.

A full queue in front of a slow link drops many packets at once, and their retransmissions arrive late, through the same
queue, and one by one. So the wait grows with the length of the queue, and continues while retransmissions arrive. A
keyframe would go through the same queue, and take more of the link than the retransmissions.

A missing number need not have carried media: ULPFEC and padding have numbers of the same stream. Between a complete
frame and the first packet of another, the codec's picture numbers show that (:mod:`.frame_continuity`): if the
picture id follows the last, the assembler continues behind the missing numbers at once, as libwebrtc does. Where the
codec has no picture numbers, timestamps that leave no room for another frame show it: at once if the frames come at
even intervals, else when a retransmission would have arrived. If one arrives later after all, a keyframe is requested.

Errors of the peer cost frames, not the stream. A frame with malformed payloads is dropped and a keyframe requested. A
sequence number far ahead is a restart. One behind is late and dropped, unless it begins a keyframe and is far behind,
has a new timestamp, or comes after a silence: then the sender has restarted. When the buffer is full it is emptied, and
the assembler seeks. RFC 3550 leaves this to the receiver; the marker bit is section 5.1's, as the payload formats for
video define it.
"""

import math
import sys
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.buffer_budget import BufferBudget, largest
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import AssembledFrame, Continuity, ContinuityTracker, Depacketizer
from trio_rtc.protocols.rtp.receive.requests import KeyframeRequests
from trio_rtc.protocols.rtp.stats import AssemblerCounters

from .frame_continuity import (
    NOT_A_SUCCESSOR,
    FrameSuccession,
    LayerPosition,
    ReadLayerPosition,
    Succession,
    TemporalContinuity,
)
from .packet_buffer import BufferedPacket, KeyframeStarts, PacketBuffer, RestartDetector


@attrs.frozen
class CompletedFrame:
    """A complete frame.

    Attributes:
        frame: The result of the depacketizer.
        packet: Its first packet, for the values of its header.
        timestamp: Its unwrapped timestamp.
        completed_at: When the last of its packets arrived.
        began_at: When the first of its packets arrived.
        first_sequence_number: The unwrapped number of its first packet.
        last_sequence_number: The unwrapped number of its last packet.
    """

    frame: AssembledFrame
    packet: RtpPacket
    timestamp: int
    completed_at: float
    began_at: float
    first_sequence_number: int
    last_sequence_number: int


@attrs.define
class _Seeking:
    # When the first packet arrived that was not part of a keyframe.
    since: float = math.inf


@attrs.define
class _Gap:
    # The missing packet, and when the first later one arrived.
    number: int
    since: float
    # Whether its deadline has passed, and whether a keyframe was requested because of that.
    is_overdue: bool = False
    keyframe_requested: bool = False
    # Whether a complete keyframe is behind it, and the count of packets when that was determined.
    keyframe_follows: bool = False
    inspected_at: int = 0
    # The first packet with a payload behind it, if one is known; its relation to the last frame, and the count of
    # packets when that was determined.
    behind: int | None = None
    succession: Succession = NOT_A_SUCCESSOR
    succession_inspected_at: int = -1


@attrs.define
class _Gathering:
    # The first packet of the frame that is next.
    first: int
    # The first missing packet from there on.
    run_end: int
    # Whether it must be a keyframe, because the frames before are missing.
    needs_keyframe: bool
    # The first packet that was not yet inspected for the end of the frame.
    scan: int
    # The gap there, once it is known.
    gap: _Gap | None = None
    # Whether numbers in front of the next frame were passed over, or given up.
    passed_over: bool = True


_SEARCH_DIVISOR: Final = 32
"""The buffer is searched again when this part of it is new: else each packet would cost a search."""
_KEYFRAME_ANSWERS: Final = 1.5
_QUEUED_ANSWERS: Final = 2
"""How often a missing packet goes through a full queue if the queue drops it once more."""
_MAX_QUEUEING_DELAY: Final = 0.5
_MAX_GIVEN_UP: Final = 32
"""Gaps and malformed frames that one call passes over. Packets behind more of them are not worth the search."""


class FrameAssembler:
    """Assembles the frames of one video stream.

    Call ``frames`` after packets were inserted, and at ``next_timer``.
    """

    def __init__(
        self,
        depacketizer: Depacketizer,
        options: FrameAssemblerOptions | None = None,
        *,
        read_layers: ReadLayerPosition | None = None,
        continuity: ContinuityTracker | None = None,
        repairs: bool = True,
        budget: BufferBudget | None = None,
    ) -> None:
        """Create an assembler.

        Args:
            depacketizer: The depacketizer of the payload format.
            options: The limits of waiting and buffering.
            read_layers: Reads the temporal layer of a frame, if the format has it.
            continuity: The tracker of picture numbers, if the format has them.
            repairs: Whether lost packets may still arrive, by retransmission or error correction.
            budget: Shared with the other streams of the session; ``None`` for a stream by itself.
        """
        self._depacketizer = depacketizer
        self._options = options or FrameAssemblerOptions()
        self._read_layers = read_layers
        self._repairs = repairs
        self._retransmission_timeout = self._first_answer = self._options.max_wait
        self._last_wait = self._options.last_wait
        self._answer_time = 0.0
        self._delay = 0.0
        self._buffer = PacketBuffer(self, budget or BufferBudget(sys.maxsize, largest))
        self._was_discarded = False
        self._keyframes = KeyframeStarts(self._buffer, depacketizer)
        self._succession = FrameSuccession(self._buffer, depacketizer, continuity)
        self._state: _Seeking | _Gathering = _Seeking()
        self._requests = KeyframeRequests(self._options)
        self._continuity = TemporalContinuity()
        # The first number that is still of use.
        self._floor: int | None = None
        self._restarts = RestartDetector(self._options)
        self._inserted = 0
        # When the last blocking gap was filled.
        self._filled_at = -math.inf
        self._retransmission_gave_up = False
        self.counters = AssemblerCounters()

    @property
    def next_expected(self) -> int | None:
        """The number below which packets are of no use; ``None`` if it is not known."""
        return self._floor

    @property
    def waiting_for_keyframe(self) -> bool:
        return isinstance(self._state, _Seeking) or self._state.needs_keyframe

    @property
    def buffered(self) -> int:
        return len(self._buffer.packets)

    @property
    def keyframe_requests(self) -> int:
        return self._requests.requests

    def set_retransmission_timeout(
        self, retransmission_timeout: float, first_answer: float | None = None, queueing_delay: float = 0.0
    ) -> None:
        """Set the times that the answers to requests for a missing packet take.

        Args:
            retransmission_timeout: Seconds until the second request is answered. A keyframe would not arrive sooner,
                and takes much more of the link.
            first_answer: Seconds until the first request is answered.
            queueing_delay: Seconds by which packets are later at present than at best. A retransmission goes through
                the same full queue, which may drop it again, and so would a keyframe.
        """
        options = self._options
        queueing_delay = min(queueing_delay, _MAX_QUEUEING_DELAY)
        retransmission_timeout = max(options.max_wait, min(retransmission_timeout, options.longest_wait))
        self._retransmission_timeout = retransmission_timeout + _QUEUED_ANSWERS * queueing_delay
        if first_answer is not None:
            self._first_answer = min(first_answer, retransmission_timeout)
            self._answer_time = min(first_answer, options.longest_wait) + queueing_delay
            self._requests.set_answer_time(self._answer_time)
            # A keyframe takes as long as an answer, and the time to send its packets.
            in_flight = min(_KEYFRAME_ANSWERS * first_answer, options.longest_wait)
            self._last_wait = max(options.last_wait, in_flight) + queueing_delay

    def set_delay(self, delay: float) -> None:
        """Set the variation of the packets' delay in seconds, which is the wait for reordered packets."""
        self._delay = delay

    def retransmission_gave_up(self) -> None:
        """Record that missing packets are not requested any more: the next ``frames`` skips the blocking gap."""
        self._retransmission_gave_up = True

    def restart_at_keyframe(self, now: float) -> None:
        """Drop all packets and continue at the next keyframe, as when completed frames were lost further up."""
        if isinstance(self._state, _Gathering):
            self._seek(self._state.run_end, now)
        self._requests.need(now)

    def insert(self, sequence_number: int, timestamp: int, packet: RtpPacket, now: float) -> None:
        """Insert a packet with its unwrapped number and timestamp; one without payload only fills its number."""
        if not self._admits(sequence_number, timestamp, packet, now):
            return
        entry = BufferedPacket(packet, timestamp, now)
        self._buffer.insert(sequence_number, entry)
        self._restarts.packet_kept(sequence_number, now)
        self._inserted += 1
        state = self._state
        if isinstance(state, _Gathering) and sequence_number == state.run_end:
            state.run_end = self._buffer.run_end(sequence_number + 1)
            if state.gap is not None:
                self._filled_at = now
                self._fill(state, state.gap)
        else:
            if self._keyframes.begins_keyframe(packet):
                self._keyframes.add(sequence_number)
            if isinstance(state, _Gathering) and state.gap is not None and packet.payload:
                behind = state.gap.behind
                state.gap.behind = sequence_number if behind is None else min(sequence_number, behind)
        buffer, options = self._buffer, self._options
        if len(buffer.packets) > options.max_packets or buffer.size > options.max_bytes:
            self._overflow(sequence_number + 1)
            self._requests.need(now)

    def discard(self) -> None:
        """Drop all packets because the session exceeds its budget, and request a keyframe with the next packet."""
        if self._buffer.packets:
            self._overflow(max(self._buffer.packets) + 1)
            self._was_discarded = True
        else:
            # They were removed after the budget was charged for them.
            self._buffer.clear()

    def end(self) -> None:
        self._buffer.clear()

    def _overflow(self, floor: int) -> None:
        self.counters.overflows += 1
        self._empty()
        self._floor = floor

    def frames(self, now: float) -> list[CompletedFrame]:
        """Return the complete frames in decode order, and give up overdue packets."""
        completed: list[CompletedFrame] = []
        if self._was_discarded:
            self._was_discarded = False
            self._requests.need(now)
        limit = self._given_up + _MAX_GIVEN_UP
        while True:
            if self._given_up > limit and self._buffer.packets:
                self._seek(max(self._buffer.packets) + 1, now)
            state = self._state
            if isinstance(state, _Seeking):
                if not self._begin(state, now):
                    break
                continue
            self._drop_fillers(state)
            if state.first < state.run_end:
                last = self._buffer.frame_end(state.first, state.run_end, state.scan)
                if last is not None:
                    self._complete(state, last, completed, now)
                    continue
                state.scan = state.run_end
            gap = self._blocking_gap(state)
            if gap is None:
                break
            if self._find_succession(gap, state) is Continuity.NEXT:
                self._pass_over(gap, state)
                continue
            if now < self._gap_deadline(gap):
                break
            if not self._waits_on(gap, state, now):
                self._skip(gap, state, now)
        self._retransmission_gave_up = False
        if now >= self._request_deadline():
            self._requests.need(now)
            self._requests.handle_timer(now)
        self._buffer.settle()
        return completed

    @property
    def has_beginning(self) -> bool:
        """Whether a keyframe has begun from which frames continue."""
        return isinstance(self._state, _Gathering) or self._keyframes.first() is not None

    def take_keyframe_request(self) -> bool:
        return self._requests.take_request()

    def next_timer(self) -> float:
        """Return when to call ``frames`` without a new packet, ``math.inf`` if never."""
        deadline, state = self._request_deadline(), self._state
        gap = self._blocking_gap(state) if isinstance(state, _Gathering) else None
        return deadline if gap is None else min(deadline, self._gap_deadline(gap))

    # Restarts and late packets

    def _admits(self, sequence_number: int, timestamp: int, packet: RtpPacket, now: float) -> bool:
        """Return whether a packet is of use. If it shows a restart of the sender, reset before it."""
        floor, state, restarts = self._floor, self._state, self._restarts
        if floor is not None and sequence_number < floor:
            is_keyframe = self._keyframes.begins_keyframe(packet)
            if not is_keyframe or not restarts.is_restart(floor - sequence_number, timestamp, now):
                self._drop_late(sequence_number, packet, now)
                return False
            self._reset()
        elif restarts.is_far(sequence_number, state.run_end if isinstance(state, _Gathering) else None):
            self._reset()
        present = self._buffer.packets.get(sequence_number)
        if present is not None:
            if present.timestamp == timestamp or not self._keyframes.begins_keyframe(packet):
                self.counters.duplicates += 1
                return False
            self._reset()
        return True

    def _drop_late(self, sequence_number: int, packet: RtpPacket, now: float) -> None:
        self.counters.late += 1
        was_needed = bool(packet.payload) and self._succession.take_doubted(sequence_number)
        if was_needed or self._restarts.is_silent(now):
            # All packets are late: perhaps the stream has restarted, which a keyframe would show.
            self._requests.need(now)

    def _reset(self) -> None:
        self.counters.resets += 1
        self._empty()
        self._floor = None
        self._succession.reset()
        self._restarts.reset()

    def _empty(self) -> None:
        self.counters.dropped += self._buffer.clear()
        self._keyframes.clear()
        self._state = _Seeking()

    # Seeking

    def _begin(self, state: _Seeking, now: float) -> bool:
        """Continue at a keyframe if one has begun, and return whether it has."""
        first = self._keyframes.first()
        if first is not None:
            self._gather(first, needs_keyframe=True)
            return True
        packets = self._buffer.packets
        if packets:
            self.counters.dropped += self._buffer.discard_before(now - self._options.max_wait)
            state.since = min(state.since, now)
        return False

    def _gather(self, first: int, *, needs_keyframe: bool) -> None:
        """Continue at a packet, and drop all before it."""
        self.counters.dropped += self._buffer.discard_below(first)
        run_end = self._buffer.run_end(first)
        self._keyframes.forget_below(run_end)
        self._state = _Gathering(first, run_end, needs_keyframe, scan=first)
        self._floor = first

    def _request_deadline(self) -> float:
        """Return when to request a keyframe, ``math.inf`` if none is needed."""
        state = self._state
        if isinstance(state, _Gathering):
            if not state.needs_keyframe:
                return self._requests.deadline
            # A keyframe has begun. Another is needed only when no more packets of it arrive.
            stalled = self._restarts.last_useful + self._options.keyframe_interval
            return max(stalled, self._requests.deadline) if self._requests.running else stalled
        return self._requests.deadline if self._requests.running else state.since + self._reordering_wait()

    # Gathering

    def _drop_fillers(self, state: _Gathering) -> None:
        """Skip packets without payload in front of a frame."""
        packets = self._buffer.packets
        while state.first < state.run_end and not packets[state.first].packet.payload:
            self._buffer.remove(state.first)
            state.first += 1
        state.scan = max(state.scan, state.first)
        self._floor = state.first

    def _complete(self, state: _Gathering, last: int, completed: list[CompletedFrame], now: float) -> None:
        first = state.first
        entries = self._buffer.remove_run(first, last)
        state.first = state.scan = self._floor = last + 1
        payloads = [entry.packet.payload for entry in entries if entry.packet.payload]
        self._succession.record(payloads, entries[0].timestamp, adjacent=not state.passed_over)
        state.passed_over = False
        position = self._position(payloads[0])
        if not state.needs_keyframe and not self._continuity.accepts(position):
            self.counters.dropped += 1
            return
        try:
            frame = self._depacketizer.assemble(payloads)
        except ProtocolError:
            self.counters.malformed += 1
            self._requests.need(now)
            if state.needs_keyframe or self._depacketizer.is_keyframe_start(payloads[0]):
                self._seek(last + 1, now)
            return
        if frame.keyframe:
            self._continuity.begin(position)
            self._requests.satisfied()
            self.counters.keyframes += 1
            state.needs_keyframe = False
        elif state.needs_keyframe:
            self.counters.dropped += 1
            self._seek(last + 1, now)
            return
        else:
            self._continuity.record(position)
        self.counters.frames += 1
        timestamp = entries[0].timestamp
        self._restarts.frame_completed(timestamp)
        completed_at = max(entry.arrival for entry in entries)
        began_at = min(entry.arrival for entry in entries)
        completed.append(
            CompletedFrame(frame, entries[0].packet, timestamp, completed_at, began_at, first, last)
        )

    def _position(self, payload: bytes) -> LayerPosition | None:
        return None if self._read_layers is None else self._read_layers(payload)

    # Gaps

    @property
    def _given_up(self) -> int:
        """The number of gaps and malformed frames that were given up."""
        return self.counters.skips + self.counters.malformed

    def _reordering_wait(self) -> float:
        return min(max(self._options.min_wait, self._delay), self._options.max_wait)

    def _blocking_gap(self, state: _Gathering) -> _Gap | None:
        """Return the blocking gap, ``None`` if no packet is known to be missing."""
        if len(self._buffer.packets) <= state.run_end - state.first:
            return None
        if state.gap is None:
            number = state.run_end
            state.gap = _Gap(number, self._buffer.first_known_gap(number))
            state.gap.behind = self._buffer.first_payload_behind(number)
        return state.gap

    def _fill(self, state: _Gathering, gap: _Gap) -> None:
        """Close a gap that was filled or passed over."""
        state.gap = None
        if gap.keyframe_requested:
            self._requests.withdraw()

    # Numbers without media

    def _find_succession(self, gap: _Gap, state: _Gathering) -> Continuity:
        """Return the relation of the frame that begins behind a gap, if one does, to the last one."""
        if gap.behind is None or gap.number != state.first or state.needs_keyframe:
            return Continuity.BROKEN
        if gap.succession_inspected_at != self._inserted:
            gap.succession_inspected_at = self._inserted
            gap.succession = self._succession.check(gap.number, gap.behind)
        return gap.succession.continuity

    def _pass_over(self, gap: _Gap, state: _Gathering) -> None:
        """Continue at the frame behind a gap: the missing packets carried nothing that it needs."""
        assert gap.behind is not None
        missing = [number for number in range(gap.number, gap.behind) if number not in self._buffer.packets]
        self.counters.passed_over += len(missing)
        if gap.succession.is_doubtful:
            self._succession.doubt(missing)
        self._buffer.discard_below(gap.behind)
        self._fill(state, gap)
        state.first = state.scan = self._floor = gap.behind
        state.run_end = self._buffer.run_end(gap.behind)
        state.passed_over = not gap.succession.is_adjacent
        self._keyframes.forget_below(state.run_end)

    def _gap_deadline(self, gap: _Gap) -> float:
        """Return when a gap is given up, or when a keyframe is requested while it may still be filled."""
        if self._retransmission_gave_up:
            return gap.since
        if not self._repairs or self._keyframe_follows(gap):
            return gap.since + self._reordering_wait()
        if gap.succession.continuity is Continuity.DECODABLE:
            return gap.since + self._first_answer
        # Where many packets were lost at once, retransmissions arrive one by one: the first shows that others will.
        deadline = max(gap.since + self._retransmission_timeout, self._filled_at + self._answer_time)
        return deadline + self._last_wait if gap.is_overdue else deadline

    def _waits_on(self, gap: _Gap, state: _Gathering, now: float) -> bool:
        """Request a keyframe, and return whether the gap may still be filled before it arrives."""
        if gap.is_overdue or not self._repairs or self._retransmission_gave_up or not self._options.last_wait:
            return False
        if gap.succession.continuity is Continuity.DECODABLE:
            return False
        keyframe = self._keyframes.first_behind(gap.number, whole=False)
        if keyframe is not None or self._later_independent_frame(gap, state) is not None:
            return False
        gap.is_overdue = True
        gap.keyframe_requested = not self._requests.running
        self._requests.need(now)
        return True

    def _keyframe_follows(self, gap: _Gap) -> bool:
        """Return whether a complete keyframe is behind a gap."""
        new = self._inserted - gap.inspected_at
        if not gap.keyframe_follows and new > len(self._buffer.packets) // _SEARCH_DIVISOR:
            gap.inspected_at = self._inserted
            gap.keyframe_follows = self._keyframes.first_behind(gap.number, whole=True) is not None
        return gap.keyframe_follows

    def _skip(self, gap: _Gap, state: _Gathering, now: float) -> None:
        self._retransmission_gave_up = False
        if gap.succession.continuity is Continuity.DECODABLE:
            self._pass_over(gap, state)
            return
        self.counters.skips += 1
        keyframe = self._keyframes.first_behind(gap.number, whole=True)
        independent = self._later_independent_frame(gap, state)
        if independent is not None and (keyframe is None or independent < keyframe):
            self._continuity.lose()
            self._gather(independent, needs_keyframe=False)
            return
        if keyframe is None:
            keyframe = self._keyframes.first_behind(gap.number, whole=False)
        if keyframe is not None:
            self._gather(keyframe, needs_keyframe=True)
            return
        self._seek(gap.number + 1, now)

    def _seek(self, floor: int, now: float) -> None:
        """Wait for a keyframe. Recent packets are kept, for they may be part of one."""
        self._state = _Seeking(now)
        self.counters.dropped += self._buffer.discard_below(floor)
        # Packets that arrived in order were not inspected.
        self._keyframes.search()
        self._floor = floor
        self._requests.need(now)

    def _later_independent_frame(self, gap: _Gap, state: _Gathering) -> int | None:
        """Return the first packet of the first frame behind a gap that can be decoded without the lost packets."""
        if self._read_layers is None or state.needs_keyframe:
            return None
        for number in sorted(self._buffer.packets):
            payload = self._buffer.packets[number].packet.payload
            if number <= gap.number or not payload or not self._depacketizer.starts_frame(payload):
                continue
            if self._continuity.accepts_after_loss(self._position(payload)):
                return number
        return None
