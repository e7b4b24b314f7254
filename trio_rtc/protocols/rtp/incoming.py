"""One incoming stream: what comes from one source, with its repairs, up to whole frames in order.

The stream numbers, counts and asks for packets the same way for sound and pictures; what becomes of their payloads is
the matter of its path (:mod:`.paths`), which is another one when the payload type changes.
"""

import math
from typing import NamedTuple

import attrs

from trio_rtc.protocols.rtcp import (
    ReportBlock,
    SenderReport,
    compact_from_seconds,
    compact_ntp,
    unix_from_ntp,
)
from trio_rtc.protocols.serial import Unwrapper

from .extensions import HeaderValues
from .frame import EncodedFrame
from .meters import MediaMeters, RoundTrips
from .nack import NackGenerator
from .options import RtpOptions
from .packet import RtpPacket
from .parameters import FEEDBACK_NACK, FEEDBACK_PLI, Codec
from .paths import MediaPath, PlayedFrame, make_path
from .receive import ReceptionStatistics, SequenceUnwrapper


class Arrival(NamedTuple):
    """A packet that has come.

    Attributes:
        packet: The packet.
        values: What its header extensions tell.
        codec: What its payload type stands for.
        size: Bytes of the whole packet.
        now: When it came.
    """

    packet: RtpPacket
    values: HeaderValues
    codec: Codec
    size: int
    now: float


@attrs.define
class IncomingCounters:
    """What was received beyond :class:`.ReceptionStatistics` (W3C webrtc-stats, inbound-rtp)."""

    header_bytes: int = 0
    retransmitted_packets: int = 0
    retransmitted_bytes: int = 0
    fec_packets: int = 0
    nacks_sent: int = 0
    plis_sent: int = 0
    firs_sent: int = 0
    frames: int = 0
    keyframes: int = 0


@attrs.frozen
class RemoteReport:
    """The last sender report of the source (W3C webrtc-stats, remote-outbound-rtp).

    Attributes:
        report: As it came.
        arrived_at: Seconds.
        count: How many there have been.
    """

    report: SenderReport
    arrived_at: float
    count: int


class IncomingStream:
    """Receives one source.

    Args:
        mid: The section.
        ssrc: The source.
        rid: Its simulcast layer.
        options: Of the session.

    Attributes:
        statistics: For reports.
        counters: What else was received.
        meters: What is measured of its frames.
        round_trips: What the source's reports have told of the path.
        rtx_ssrc: The source of its retransmissions; ``None`` as long as that is not known.
        codec: Of the last packet; ``None`` before the first.
        last_heard: When the last packet came.
        last_report: The source's own, ``None`` before the first.
    """

    def __init__(self, mid: str, ssrc: int, rid: str | None, options: RtpOptions) -> None:
        self.mid = mid
        self.ssrc = ssrc
        self.rid = rid
        self.statistics = ReceptionStatistics()
        self.counters = IncomingCounters()
        self.meters = MediaMeters()
        self.round_trips = RoundTrips()
        self.rtx_ssrc: int | None = None
        self.codec: Codec | None = None
        self.last_heard = -math.inf
        self.last_report: RemoteReport | None = None
        self._options = options
        self._numbers = SequenceUnwrapper()
        self._timestamps: Unwrapper | None = None
        self._nack: NackGenerator | None = None
        self._path: MediaPath | None = None
        self._between = 0
        self._wanted = False
        self._keyframe_wanted = False
        self._keyframe_asked_at = -math.inf

    @property
    def path(self) -> MediaPath | None:
        """Where payloads become frames; ``None`` while nobody wants frames, or if the codec is not known."""
        return self._path

    def receive(self, arrival: Arrival, *, repaired: bool) -> bool:
        """Take a packet of this source; return whether it is one to go on with.

        Args:
            arrival: The packet.
            repaired: Whether it came by retransmission or error correction.
        """
        packet, codec, now = arrival.packet, arrival.codec, arrival.now
        number = (self._numbers.nearest if repaired else self._numbers.unwrap)(packet.sequence_number)
        if number is None:
            return False
        if not codec.is_media:
            # Telephone events and comfort noise stand between the packets of the sound, which miss nothing there.
            self._between += not repaired
        elif codec is not self.codec:
            self._change_codec(codec)
        if self._timestamps is None:
            self._timestamps = Unwrapper(32, packet.timestamp)
        timestamp = self._timestamps.unwrap(packet.timestamp)
        self.last_heard = now
        self.counters.header_bytes += arrival.size - len(packet.payload)
        if repaired:
            self.counters.retransmitted_packets += 1
            self.counters.retransmitted_bytes += len(packet.payload)
        else:
            self.statistics.received(number, timestamp, now, codec.clock_rate, len(packet.payload))
        if self._nack is not None:
            self._nack.received(number, now, recovered=repaired)
        if self._path is not None and codec.is_media:
            self._path.insert(number - self._between, timestamp, packet, arrival.values, now)
        return True

    def want_frames(self, wanted: bool) -> None:
        """Make frames from now on, or no more; packets are received in either case."""
        if wanted is self._wanted:
            return
        self._wanted = wanted
        self._open_path()
        # The stream may be in the midst of what only a keyframe begins.
        self._keyframe_wanted = wanted and self.is_video

    def _open_path(self) -> None:
        self._path = None
        if self._wanted and self.codec is not None:
            self._path = make_path(self.codec, self, self._options, self.meters)

    @property
    def is_video(self) -> bool:
        """Whether keyframes mean something."""
        return self.codec is not None and self.codec.clock_rate == _VIDEO_CLOCK_RATE

    def frames(self, now: float) -> list[PlayedFrame]:
        """Return what is to be decoded, in order."""
        path = self._path
        if path is None:
            return []
        frames = path.frames(now)
        if frames:
            self.counters.frames += len(frames)
            self.counters.keyframes += sum(
                isinstance(each, EncodedFrame) and each.keyframe for each in frames
            )
            if self._nack is not None and path.awaited is not None:
                self._nack.forget_below(path.awaited + self._between)
        return frames

    # -- what is asked of the source ------------------------------------------------------------------------------

    def request_keyframe(self) -> None:
        """Ask for a keyframe, as soon as the last request is long enough ago."""
        self._keyframe_wanted = True

    def take_nacks(self, now: float) -> list[int]:
        """Return the sequence numbers to ask for now, as on the wire."""
        if self._nack is None:
            return []
        missing = [number & 0xFFFF for number in self._nack.due(now)]
        if self._nack.take_gave_up() and self._path is not None:
            self._path.repair_gave_up()
        return missing

    def take_keyframe_request(self, now: float) -> bool:
        """Return whether to ask for a keyframe now."""
        if self._path is not None and self._path.take_keyframe_request():
            self._keyframe_wanted = True
        if not self._keyframe_wanted or now < self._keyframe_asked_at + self._options.keyframe_interval:
            return False
        self._keyframe_wanted = False
        self._keyframe_asked_at = now
        return self.codec is not None and FEEDBACK_PLI in self.codec.feedback

    def set_round_trip(self, round_trip: float) -> None:
        """Tell the round-trip time in seconds."""
        if self._nack is not None:
            self._nack.set_round_trip(round_trip)

    def repair_counters(self) -> dict[str, float]:
        """Return what the parts have counted that number packets and ask for them."""
        counters: dict[str, float] = {
            "sequence_numbers_rejected": self._numbers.rejected,
            "sequence_restarts": self._numbers.restarts,
        }
        if self._nack is not None:
            counters["nack_requested"] = self._nack.requested
            counters["nack_given_up"] = self._nack.given_up
        return counters

    # -- reports -----------------------------------------------------------------------------------------------

    def sender_report(self, report: SenderReport, now: float) -> None:
        """Take a report of the source's own."""
        count = 1 if self.last_report is None else self.last_report.count + 1
        self.last_report = RemoteReport(report, now, count)
        if self._path is not None and self._timestamps is not None:
            self._path.sender_report(
                self._timestamps.peek(report.rtp_timestamp), unix_from_ntp(report.ntp_timestamp)
            )

    def report_block(self, now: float) -> ReportBlock:
        """Return what we tell of the source."""
        values = self.statistics.take_report()
        last, delay = 0, 0
        if self.last_report is not None:
            last = compact_ntp(self.last_report.report.ntp_timestamp)
            delay = compact_from_seconds(now - self.last_report.arrived_at)
        return ReportBlock(
            self.ssrc,
            values.fraction_lost,
            values.cumulative_lost,
            values.highest_sequence_number,
            values.jitter,
            last,
            delay,
        )

    # -- time --------------------------------------------------------------------------------------------------

    def next_timer(self) -> float:
        """Return the next deadline."""
        deadline = math.inf if self._nack is None else self._nack.next_timer()
        if self._path is not None:
            deadline = min(deadline, self._path.next_timer())
        if self._keyframe_wanted:
            deadline = min(deadline, self._keyframe_asked_at + self._options.keyframe_interval)
        return deadline

    def _change_codec(self, codec: Codec) -> None:
        self.codec = codec
        if self._nack is None and FEEDBACK_NACK in codec.feedback:
            self._nack = NackGenerator(self._options.nack)
        self._open_path()


_VIDEO_CLOCK_RATE = 90_000
