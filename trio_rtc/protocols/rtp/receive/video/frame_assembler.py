"""Frames out of packets: whole, in decode order, and never waiting for ever.

The assembler is in one of two states.

*Seeking*: it has no place to go on from, because the stream begins, or something was lost that cannot be done without.
Packets wait a moment, for a keyframe's first packet may come behind its second; when a packet comes that begins a
keyframe, the assembler gathers from there. If none comes it asks for one, again and again, ever less often.

*Gathering*: all frames up to a sequence number are done with, and the packets from there on become the next one. It is
whole when the packet with the marker, and all before it, have come; the next frame is not waited for. When a packet is
missing and later ones have come, the gap has a deadline: ``max_wait`` as long as retransmission or error correction may
fill it, and more where a second request takes longer to be answered; otherwise only as long as packets are out of
order, which is the measured jitter. At the deadline, or when repair gives up, it skips: to a later keyframe that is
here; or to the next frame of which the temporal layers tell that it does not need what is lost; else to *Seeking*. Only
where repair goes on, it asks for the keyframe first, and waits for ``last_wait`` more: the answer to the last request
for the packet may be here sooner than the keyframe. On a long way that is as long as the keyframe takes.

A full queue in front of a slow link drops many packets at once, and the repairs come late, through the same queue, and
one by one. So the wait grows with the length of the queue, and goes on as long as repairs come. A keyframe would go
through the same queue, and take more of the link than the repairs.

A missing number need not have carried media: ULPFEC and padding have numbers of the same stream. Between a frame that
is complete and the first packet of another, the codec's picture numbers tell (:mod:`.succession`): if the next
picture follows on the last, the assembler goes on behind the missing numbers at once, as libwebrtc does. Where the
codec does not tell, timestamps that leave no room for another frame do: at once if the frames come at even intervals,
else when a retransmission would have come. If one comes later after all, a keyframe is asked for.

What a peer can do wrong costs frames, not the stream. A frame whose payloads are malformed is dropped and a keyframe
asked for. A sequence number far ahead is a new beginning. One behind is late and dropped, unless it begins a keyframe
and is far behind, has a timestamp that was not seen yet, or comes after a silence: then the sender has started again.
When the buffer is full it is emptied, and the assembler seeks. RFC 3550 leaves this to the receiver; the marker is
section 5.1's, as the payload formats for video define it.
"""

import math
import sys
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.buffer_budget import BufferBudget, largest
from trio_rtc.protocols.rtp.options import FrameAssemblerOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.payload import AssembledFrame, Continuity, ContinuityTracker, Depacketizer
from trio_rtc.protocols.rtp.stats import AssemblerCounters

from .keyframe_requests import KeyframeRequests
from .keyframe_starts import KeyframeStarts
from .packet_buffer import BufferedPacket, PacketBuffer
from .progress import StreamProgress
from .succession import NOT_A_SUCCESSOR, FrameSuccession, Succession
from .temporal_layers import LayerPosition, TemporalContinuity, TemporalLayers


@attrs.frozen
class CompletedFrame:
    """A frame of which everything has come.

    Attributes:
        frame: What the depacketizer made of it.
        packet: Its first packet, for the values of its header.
        timestamp: Unwrapped.
        completed_at: When the last of its packets came.
        began_at: When the first of its packets came.
        first_sequence_number: Of its packets, unwrapped.
        last_sequence_number: Of its packets.
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
    # When the first packet came that was of no use.
    since: float = math.inf


@attrs.define
class _Gap:
    # The packet that is missing though later ones have come, and when the first of these has shown that.
    number: int
    since: float
    # Whether it should have come by now, and whether a keyframe was asked for because of that.
    is_overdue: bool = False
    keyframe_asked_for: bool = False
    # Whether a whole keyframe is behind it, as looked at when so many packets had come.
    keyframe_follows: bool = False
    looked_at: int = 0
    # The first packet behind it that has a payload, if one is known, and how that relates to the last frame, as looked
    # at when so many packets had come.
    behind: int | None = None
    succession: Succession = NOT_A_SUCCESSOR
    succession_looked_at: int = -1


@attrs.define
class _Gathering:
    # The first packet of the frame that is next.
    first: int
    # The first packet from there on that has not come.
    run_end: int
    # Whether it must be a keyframe, because what was before is not known.
    needs_keyframe: bool
    # The first packet that was not yet looked at for the end of the frame.
    scan: int
    # What is missing there, once that is known.
    gap: _Gap | None = None
    # Whether numbers in front of the next frame were passed over, or given up.
    passed_over: bool = True


_LOOK_AGAIN: Final = 32
"""A buffer is searched anew when so small a part of it, or one packet, is new: else each packet would cost a search."""
_KEYFRAME_ANSWERS: Final = 1.5
_QUEUED_ANSWERS: Final = 2
"""How often a missing packet has to go through a full queue if that drops it once more."""
_MAX_QUEUEING_DELAY: Final = 0.5
_MAX_GIVEN_UP: Final = 32
"""Gaps and broken frames that are passed over at once. Of what is behind more of them nothing is worth the search."""


class FrameAssembler:
    """Puts the packets of one video stream together into frames.

    After packets were inserted, and at ``next_timer``, ``frames`` is to be called.
    """

    def __init__(
        self,
        depacketizer: Depacketizer,
        options: FrameAssemblerOptions | None = None,
        *,
        layers: TemporalLayers | None = None,
        continuity: ContinuityTracker | None = None,
        repairs: bool = True,
        budget: BufferBudget | None = None,
    ) -> None:
        """Begin.

        Args:
            depacketizer: Of the payload format.
            options: How long to wait and how much to keep.
            layers: Tells the temporal layers, if the format does.
            continuity: Follows the picture numbers, if the format has them.
            repairs: Whether lost packets may still come, by retransmission or error correction.
            budget: For the packets that all streams of the session keep; ``None`` for a stream by itself.
        """
        self._depacketizer = depacketizer
        self._options = options or FrameAssemblerOptions()
        self._layers = layers
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
        # Below this number nothing is of use any more.
        self._floor: int | None = None
        self._progress = StreamProgress(self._options)
        self._inserted = 0
        # When the last gap was filled that blocked.
        self._filled_at = -math.inf
        self._repair_gave_up = False
        self.counters = AssemblerCounters()

    @property
    def next_expected(self) -> int | None:
        """The sequence number below which nothing is of use any more; ``None`` if that is not known."""
        return self._floor

    @property
    def waits_for_keyframe(self) -> bool:
        """Whether only a keyframe can come out next."""
        return isinstance(self._state, _Seeking) or self._state.needs_keyframe

    @property
    def buffered(self) -> int:
        """How many packets wait."""
        return len(self._buffer.packets)

    @property
    def keyframe_requests(self) -> int:
        """How often a keyframe was asked for."""
        return self._requests.requests

    def set_repairs(self, repairs: bool) -> None:
        """Tell whether lost packets may still come, by retransmission or error correction."""
        self._repairs = repairs

    def set_retransmission_timeout(
        self, retransmission_timeout: float, first_answer: float | None = None, queueing_delay: float = 0.0
    ) -> None:
        """Set how long the answers to requests for a missing packet take.

        Args:
            retransmission_timeout: Seconds until the second request is answered. A keyframe would not arrive sooner,
                and takes much more of the link.
            first_answer: Seconds until the first one is.
            queueing_delay: By how many seconds packets are later at present than at best. What a full queue has
                dropped comes again through the same queue, which may drop it again, and so would a keyframe.
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
            under_way = min(_KEYFRAME_ANSWERS * first_answer, options.longest_wait)
            self._last_wait = max(options.last_wait, under_way) + queueing_delay

    def set_delay(self, delay: float) -> None:
        """Tell by how much the delay of packets varies, in seconds: as long it is worth waiting for reordering."""
        self._delay = delay

    def repair_gave_up(self) -> None:
        """Hear that what is missing will not come: the gap that blocks now is skipped at the next ``frames``."""
        self._repair_gave_up = True

    def restart_at_keyframe(self, now: float) -> None:
        """Drop what is here and go on at the next keyframe, as when frames that came out were lost further up."""
        if isinstance(self._state, _Gathering):
            self._seek(self._state.run_end, now)
        self._requests.need(now)

    def insert(self, sequence_number: int, timestamp: int, packet: RtpPacket, now: float) -> None:
        """Take a packet.

        Args:
            sequence_number: Unwrapped.
            timestamp: Unwrapped.
            packet: With its payload; one without payload only fills its number.
            now: When it came.
        """
        if not self._admits(sequence_number, timestamp, packet, now):
            return
        entry = BufferedPacket(packet, timestamp, now)
        self._buffer.insert(sequence_number, entry)
        self._progress.packet_kept(sequence_number, now)
        self._inserted += 1
        state = self._state
        if isinstance(state, _Gathering) and sequence_number == state.run_end:
            state.run_end = self._buffer.run_end(sequence_number + 1)
            if state.gap is not None:
                self._filled_at = now
                self._fill(state, state.gap)
        else:
            if self._keyframes.begins_keyframe(packet):
                self._keyframes.note(sequence_number)
            if isinstance(state, _Gathering) and state.gap is not None and packet.payload:
                behind = state.gap.behind
                state.gap.behind = sequence_number if behind is None else min(sequence_number, behind)
        self._bound(sequence_number, entry, now)

    def _bound(self, sequence_number: int, entry: BufferedPacket, now: float) -> None:
        """Drop all packets if there are too many with the one that was inserted, in this stream or in the session."""
        buffer, options = self._buffer, self._options
        if len(buffer.packets) > options.max_packets or buffer.size > options.max_bytes:
            self._overflow(sequence_number + 1)
            self._requests.need(now)
        else:
            buffer.charge(entry)

    def discard(self) -> None:
        """Drop what is here for want of room in the session, and request a keyframe with the next packet."""
        self._overflow(max(self._buffer.packets) + 1)
        self._was_discarded = True

    def end(self) -> None:
        """Drop what is here, of which no frames will be made."""
        self._buffer.clear()

    def _overflow(self, floor: int) -> None:
        self.counters.overflows += 1
        self._empty()
        self._floor = floor

    def frames(self, now: float) -> list[CompletedFrame]:
        """Return the frames that are whole, in decode order, and give up what is overdue."""
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
        self._repair_gave_up = False
        if now >= self._request_deadline():
            self._requests.need(now)
            self._requests.handle_timer(now)
        return completed

    @property
    def has_beginning(self) -> bool:
        """Whether a keyframe has begun, from which frames go on."""
        return isinstance(self._state, _Gathering) or self._keyframes.first() is not None

    def take_keyframe_request(self) -> bool:
        """Return whether a keyframe is to be asked for now."""
        return self._requests.take()

    def next_timer(self) -> float:
        """Return when ``frames`` is to be called though nothing came, ``math.inf`` if never."""
        deadline, state = self._request_deadline(), self._state
        gap = self._blocking_gap(state) if isinstance(state, _Gathering) else None
        return deadline if gap is None else min(deadline, self._gap_deadline(gap))

    # Where the stream is

    def _admits(self, sequence_number: int, timestamp: int, packet: RtpPacket, now: float) -> bool:
        """Return whether a packet is of use. Begin anew before it, if it shows that the sender has."""
        floor, state, progress = self._floor, self._state, self._progress
        if floor is not None and sequence_number < floor:
            is_keyframe = self._keyframes.begins_keyframe(packet)
            if not is_keyframe or not progress.is_restart(floor - sequence_number, timestamp, now):
                self._drop_late(sequence_number, packet, now)
                return False
            self._reset()
        elif progress.is_far(sequence_number, state.run_end if isinstance(state, _Gathering) else None):
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
        if was_needed or self._progress.is_silent(now):
            # All that comes is late: perhaps a new stream, that a keyframe would show to be one.
            self._requests.need(now)

    def _reset(self) -> None:
        self.counters.resets += 1
        self._empty()
        self._floor = None
        self._succession.reset()
        self._progress.begin_anew()

    def _empty(self) -> None:
        self.counters.dropped += self._buffer.clear()
        self._keyframes.clear()
        self._state = _Seeking()

    # Seeking

    def _begin(self, state: _Seeking, now: float) -> bool:
        """Go on at a keyframe if one has begun, and return whether it has."""
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
        """Go on at a packet, and forget all before it."""
        self.counters.dropped += self._buffer.discard_below(first)
        run_end = self._buffer.run_end(first)
        self._keyframes.forget_below(run_end)
        self._state = _Gathering(first, run_end, needs_keyframe, scan=first)
        self._floor = first

    def _request_deadline(self) -> float:
        """Return when a keyframe is to be asked for, ``math.inf`` if none is needed."""
        state = self._state
        if isinstance(state, _Gathering):
            if not state.needs_keyframe:
                return self._requests.deadline
            # One has begun. Only when nothing more of it comes, another is needed.
            stalled = self._progress.last_useful + self._options.keyframe_interval
            return max(stalled, self._requests.deadline) if self._requests.running else stalled
        return self._requests.deadline if self._requests.running else state.since + self._reordering_wait()

    # Gathering

    def _drop_fillers(self, state: _Gathering) -> None:
        """Pass over packets without payload in front of a frame."""
        packets = self._buffer.packets
        while state.first < state.run_end and not packets[state.first].packet.payload:
            self._buffer.remove(state.first)
            state.first += 1
        state.scan = max(state.scan, state.first)
        self._floor = state.first

    def _complete(self, state: _Gathering, last: int, completed: list[CompletedFrame], now: float) -> None:
        """Take the packets of a frame out, and put it together."""
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
            self._continuity.take(position)
        self.counters.frames += 1
        timestamp = entries[0].timestamp
        self._progress.frame_completed(timestamp)
        completed_at = max(entry.arrival for entry in entries)
        began_at = min(entry.arrival for entry in entries)
        completed.append(
            CompletedFrame(frame, entries[0].packet, timestamp, completed_at, began_at, first, last)
        )

    def _position(self, payload: bytes) -> LayerPosition | None:
        return None if self._layers is None else self._layers.layer_position(payload)

    # Gaps

    @property
    def _given_up(self) -> int:
        """How often something was passed over that had come in part or broken."""
        return self.counters.skips + self.counters.malformed

    def _reordering_wait(self) -> float:
        return min(max(self._options.min_wait, self._delay), self._options.max_wait)

    def _blocking_gap(self, state: _Gathering) -> _Gap | None:
        """Return the gap that blocks, ``None`` if nothing is known to be missing."""
        if len(self._buffer.packets) <= state.run_end - state.first:
            return None
        if state.gap is None:
            number = state.run_end
            state.gap = _Gap(number, self._buffer.first_known_gap(number))
            state.gap.behind = self._buffer.first_payload_behind(number)
        return state.gap

    def _fill(self, state: _Gathering, gap: _Gap) -> None:
        """Go on: what was missing has come after all."""
        state.gap = None
        if gap.keyframe_asked_for:
            self._requests.withdraw()

    # Numbers without media

    def _find_succession(self, gap: _Gap, state: _Gathering) -> Continuity:
        """Return how the frame that begins behind a gap, if one does, relates to the last one."""
        if gap.behind is None or gap.number != state.first or state.needs_keyframe:
            return Continuity.BROKEN
        if gap.succession_looked_at != self._inserted:
            gap.succession_looked_at = self._inserted
            gap.succession = self._succession.check(gap.number, gap.behind)
        return gap.succession.continuity

    def _pass_over(self, gap: _Gap, state: _Gathering) -> None:
        """Go on at the frame behind a gap: what is missing carried nothing that it needs."""
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
        """Return when a gap is given up, or when a keyframe is asked for while it may still be filled."""
        if self._repair_gave_up:
            return gap.since
        if not self._repairs or self._keyframe_follows(gap):
            return gap.since + self._reordering_wait()
        if gap.succession.continuity is Continuity.DECODABLE:
            return gap.since + self._first_answer
        # Where many packets were lost at once, their repairs come one by one: one that has come shows that others will.
        deadline = max(gap.since + self._retransmission_timeout, self._filled_at + self._answer_time)
        return deadline + self._last_wait if gap.is_overdue else deadline

    def _waits_on(self, gap: _Gap, state: _Gathering, now: float) -> bool:
        """Ask for a keyframe, and return whether the gap may still be filled before it comes."""
        if gap.is_overdue or not self._repairs or self._repair_gave_up or not self._options.last_wait:
            return False
        if gap.succession.continuity is Continuity.DECODABLE:
            return False
        keyframe = self._keyframes.first_behind(gap.number, whole=False)
        if keyframe is not None or self._later_independent_frame(gap, state) is not None:
            return False
        gap.is_overdue = True
        gap.keyframe_asked_for = not self._requests.running
        self._requests.need(now)
        return True

    def _keyframe_follows(self, gap: _Gap) -> bool:
        """Return whether a whole keyframe is behind a gap."""
        new = self._inserted - gap.looked_at
        if not gap.keyframe_follows and new > len(self._buffer.packets) // _LOOK_AGAIN:
            gap.looked_at = self._inserted
            gap.keyframe_follows = self._keyframes.first_behind(gap.number, whole=True) is not None
        return gap.keyframe_follows

    def _skip(self, gap: _Gap, state: _Gathering, now: float) -> None:
        """Give up a gap, and what needs it."""
        self._repair_gave_up = False
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
        """Wait for a keyframe. What came lately is kept, for it may be part of one."""
        self._state = _Seeking(now)
        self.counters.dropped += self._buffer.discard_below(floor)
        # Packets that came in order were not looked at.
        self._keyframes.search()
        self._floor = floor
        self._requests.need(now)

    def _later_independent_frame(self, gap: _Gap, state: _Gathering) -> int | None:
        """Return where the first frame behind a gap begins that can be decoded without what is lost."""
        if self._layers is None or state.needs_keyframe:
            return None
        for number in sorted(self._buffer.packets):
            payload = self._buffer.packets[number].packet.payload
            if number <= gap.number or not payload or not self._depacketizer.starts_frame(payload):
                continue
            if self._continuity.accepts_after_loss(self._position(payload)):
                return number
        return None
