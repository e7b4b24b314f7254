"""The bandwidth of a session: the estimate, the pacer, and the bitrate of each stream.

Joins the parts of :mod:`trio_rtc.protocols.bandwidth_estimation` with RTP: packets are numbered over all streams
where that was negotiated, feedback on them moves the estimate, the estimate moves the pacer and is divided among the
streams.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.bandwidth_estimation import (
    PRIORITY_WEIGHTS,
    BandwidthEstimationOptions,
    BandwidthEstimationStatistics,
    BandwidthEstimator,
    Pacer,
    PacketKind,
    allocate,
)
from trio_rtc.protocols.bandwidth_estimation import Encoding as Share
from trio_rtc.protocols.rtcp import (
    REFERENCE_BITS,
    CongestionControlFeedback,
    TransportFeedback,
    seconds_from_compact,
)

from .packet.sequence_numbers import Unwrapper
from .parameters import Encoding, SendParameters

NumberedPacket = tuple[int, int, bool]
"""A sent packet: its unwrapped transport-wide sequence number, its size in bytes, and whether it is padding."""

FeedbackResults = list[tuple[int, float | None]]
"""Unwrapped transport-wide sequence numbers with their arrival times, ``None`` for packets that did not arrive."""

_AUDIO_BITRATE = 64_000.0
_MIN_AUDIO_BITRATE = 6_000.0
"""Bits per second of media: the minimum of Opus (RFC 6716 section 2.1.1)."""
_VIDEO_BITRATE = 2_500_000.0
_MIN_VIDEO_BITRATE = 30_000.0
"""Bits per second on the path."""
_SMALL_LAYER_BITRATE = 100_000.0
_SIGNIFICANT_CHANGE = 0.02
"""The relative change of a bitrate that is reported to encoders."""
_MAX_NUMBERED = 8192
"""Packets that the peer may acknowledge; of more the oldest are removed."""
_RETRANSMISSION_MEMORY = 0.5
"""Seconds over which retransmissions are averaged, to subtract them from the bitrate of encoders."""
_QUEUED_RETRANSMISSION_MEMORY = 0.1
"""The same while there is a queue: packets that it has dropped are sent through it again, and must not fill it."""
_FULL_QUEUE = 0.03
"""Seconds of queueing delay from which on the latest retransmissions are used."""
_DATA_SHARE = 0.8
"""The bitrate of data relative to limited media: less than 1, for media increases more slowly than data."""
_OVERHEAD = 44
"""Bytes of IPv4, UDP and SRTP (AES-GCM) around an RTP packet."""
_HEADERS = _OVERHEAD + 20
"""The same with the RTP header and its usual extensions: the bytes of a packet that are not media."""
_FULL_PAYLOAD = 1130
"""Bytes of media in a packet of a frame of several packets."""
_FRAME_RATES = {"audio": 50.0, "video": 30.0}
"""Frames per second for the computation of headers: Opus frames of 20 ms, and usual video."""


class Bandwidth:
    """The bandwidth estimate, the pacer and the allocation.

    Attributes:
        limited: The active SSRCs whose streams could use more than their bitrate.
        numbers_all: Whether every packet is numbered, also without the header extension.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._estimator = BandwidthEstimator(options, probing=False)
        self._transport_wide = False
        self._pacer: Pacer[Any] = Pacer(options)
        self._retransmissions = _DecayingRate(_RETRANSMISSION_MEMORY)
        self._latest_retransmissions = _DecayingRate(_QUEUED_RETRANSMISSION_MEMORY)
        self._retransmission_bitrate = 0.0
        self._available = 0.0
        self._next = 1
        self._numbers = Unwrapper(16)
        self._references = Unwrapper(REFERENCE_BITS)
        self._report_times = Unwrapper(32)
        self._sent: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._overheads: dict[int, float] = {}
        # The streams and their limits: computed once, for every feedback may change the estimate.
        self._pairs: list[tuple[SendParameters, Encoding]] = []
        self._shares: list[Share] = []
        self._reported: dict[int, float] = {}
        # Whether anything that the allocation depends on has changed since it was computed.
        self._has_changed = False
        self.limited: frozenset[int] = frozenset()
        self.numbers_all = False

    # -- negotiation ---------------------------------------------------------------------------------------------

    def configure(
        self,
        sections: Sequence[SendParameters],
        *,
        transport_wide: bool,
        of_sources: bool = False,
        now: float,
    ) -> None:
        """Set the sections that send, and the peer's feedback: ``of_sources`` is that of RFC 8888."""
        self._pairs = _encodings(sections)
        self._shares = _shares(self._pairs, self._options.max_bitrate)
        self.numbers_all = of_sources
        if (transport_wide or of_sources) and not self._transport_wide:
            self._transport_wide = True
            self._estimator = BandwidthEstimator(self._options, probing=True)
        wanted = sum(_ceiling(section, encoding) for section, encoding in self._pairs)
        if not sections or any(section.max_bitrate is None for section in sections):
            wanted = max(wanted, self._options.start_bitrate)
        # A peer may set a limit of zero; an estimate is never zero.
        ceiling = max(min(wanted, self._options.max_bitrate), 1.0)
        self._estimator.set_bounds(min(self._options.min_bitrate, ceiling), None, ceiling, now)
        self._reported.clear()
        ssrcs = {encoding.ssrc for _, encoding in self._pairs}
        self._overheads = {ssrc: part for ssrc, part in self._overheads.items() if ssrc in ssrcs}
        self._apply_estimate(now)
        self._has_changed = True

    # -- sent packets --------------------------------------------------------------------------------------------

    def enqueue(self, item: Any, size: int, kind: PacketKind, now: float) -> bool:
        """Queue a packet with ``size`` bytes of payload; return whether there was room for it."""
        queued = self._pacer.enqueue(item, size + _OVERHEAD, kind, now)
        if queued and kind is PacketKind.RETRANSMISSION:
            self._retransmissions.add(8 * (size + _OVERHEAD), now)
            self._latest_retransmissions.add(8 * (size + _OVERHEAD), now)
        return queued

    def retransmission_time(self, sizes: Sequence[int], now: float) -> float:
        """Return the seconds that retransmissions with these payload sizes in bytes take to be sent."""
        return self._pacer.retransmission_time(sum(sizes) + _OVERHEAD * len(sizes), now)

    def take_due(self, now: float) -> list[Any]:
        return self._pacer.take_due(now)

    def padding_wanted(self, now: float) -> int:
        """Return the bytes of padding to send now to probe the path; 0 for none."""
        return self._pacer.padding_needed(now)

    def next_number(self) -> int:
        """Return the unwrapped transport-wide sequence number of the next packet."""
        number = self._next
        self._next += 1
        return number

    def record_number(self, ssrc: int, sequence_number: int, number: int) -> None:
        """Record the transport-wide number of a packet that the peer will acknowledge by SSRC and sequence number."""
        self._sent[ssrc, sequence_number] = number
        if len(self._sent) > _MAX_NUMBERED:
            self._sent.popitem(last=False)

    def set_overhead(self, ssrc: int, overhead: float) -> None:
        """Set the bitrate of a stream's redundancy relative to its media, which is subtracted from its encoder's."""
        self._has_changed |= self._overheads.get(ssrc) != overhead
        self._overheads[ssrc] = overhead

    def packets_sent(self, packets: Sequence[NumberedPacket], now: float) -> None:
        """Record packets sent together that feedback will acknowledge."""
        if packets:
            in_flight = [(number, size + _OVERHEAD, padding) for number, size, padding in packets]
            self._estimator.record_packets_sent(in_flight, now, self._pacer.probe_cluster)

    # -- feedback ------------------------------------------------------------------------------------------------

    def handle_transport_feedback(self, packet: TransportFeedback, now: float) -> FeedbackResults:
        """Handle transport-wide feedback; return the arrival time of each number in it."""
        if not self._transport_wide:
            return []
        # The base number is unwrapped near the last sent one.
        self._numbers.last = self._next
        base = self._numbers.peek(packet.base_sequence_number)
        arrived = dict(packet.arrival_times(base, self._references.unwrap(packet.reference_time)))
        # A few bytes can name thousands of packets: only those that were sent are processed.
        known = range(max(base, self._next - _MAX_NUMBERED), min(base + packet.status_count, self._next))
        results = [(number, arrived.get(number)) for number in known]
        self._estimator.handle_feedback(results, None, now)
        self._apply_estimate(now)
        return results

    def handle_congestion_control_feedback(
        self, packet: CongestionControlFeedback, now: float
    ) -> FeedbackResults:
        """Handle congestion control feedback (RFC 8888); return the arrival time of each number in it."""
        if not self.numbers_all:
            return []
        reported_at = seconds_from_compact(self._report_times.unwrap(packet.report_time))
        results: FeedbackResults = []
        for stream in packet.streams:
            for index, report in enumerate(stream.reports):
                number = self._sent.get((stream.ssrc, stream.begin_sequence_number + index & 0xFFFF))
                if number is None:
                    continue
                if report is None:
                    results.append((number, None))
                elif (age := report.seconds) is not None:
                    results.append((number, reported_at - age))
        results.sort(key=_by_number)
        self._estimator.handle_feedback(results, None, now)
        self._apply_estimate(now)
        return results

    @property
    def path_loss(self) -> float | None:
        """The lost part of the packets, by feedback about the path; ``None`` without such feedback."""
        return self._estimator.path_loss

    def handle_loss(self, fraction: float | None, round_trip: float | None, now: float) -> None:
        """Update the estimate from a report of one stream; ``None`` for unknown values."""
        if round_trip is not None:
            self._estimator.update_round_trip(round_trip)
        if fraction is not None:
            self._estimator.handle_receiver_report(fraction, now)
        self._apply_estimate(now)

    def handle_remb(self, bitrate: float, now: float) -> None:
        self._estimator.handle_remb(bitrate, now)
        self._apply_estimate(now)

    # -- time ----------------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> None:
        if now >= self._estimator.next_timer():
            self._estimator.handle_timer(now)
            self._apply_estimate(now)

    def next_timer(self) -> float:
        return min(self._estimator.next_timer(), self._pacer.next_timer())

    # -- results -------------------------------------------------------------------------------------------------

    @property
    def available(self) -> float:
        """The estimated bandwidth of all streams together, in bits per second."""
        return self._estimator.target_bitrate

    @property
    def left_for_data(self) -> float:
        """The bits per second that data may use on the same path: less than media, while media is limited."""
        return _DATA_SHARE * self.available if self._transport_wide and self.limited else math.inf

    @property
    def round_trip(self) -> float:
        """The minimum round-trip time at present in seconds; 0 before a measurement."""
        # A measurement by feedback includes the time for which the peer has delayed the feedback.
        return max(self._estimator.current_round_trip - self._options.feedback_interval_max, 0.0)

    @property
    def has_queue(self) -> bool:
        """Whether packets wait in front of the bottleneck."""
        return self._estimator.statistics().queue_delay >= _FULL_QUEUE

    def statistics(self) -> BandwidthEstimationStatistics:
        return self._estimator.statistics()

    def counters(self) -> Mapping[str, float]:
        pacer = self._pacer
        return {
            **{
                name: value
                for name, value in attrs.asdict(self.statistics()).items()
                if isinstance(value, int | float)
            },
            "pacer_packets": pacer.packets,
            "pacer_bytes": pacer.bytes,
            "pacer_refused": pacer.refused,
            "pacer_padding_dropped": pacer.padding_dropped,
            "pacer_retransmissions_dropped": pacer.retransmissions_dropped,
        }

    def queue_age(self, now: float) -> float:
        """Return the waiting time of the oldest packet in the pacer, in seconds."""
        return self._pacer.queue_age(now)

    def take_changes(self) -> Mapping[int, float] | None:
        """Return the bitrate of every stream by SSRC, if one has changed significantly."""
        if not self._has_changed:
            return None
        self._has_changed = False
        pairs, shares = self._pairs, self._shares
        allocated = allocate(self._media_bitrate(pairs, shares), shares)
        bitrates = {
            encoding.ssrc: _without_headers(section, encoding, bitrate)
            / (1 + self._overheads.get(encoding.ssrc, 0.0))
            for (section, encoding), bitrate in zip(pairs, allocated, strict=True)
        }
        if not self._differs(bitrates):
            return None
        self._reported = bitrates
        # FEC takes bitrate from the media although the path may have more: that is no lack of bandwidth.
        self.limited = frozenset(
            encoding.ssrc
            for (_, encoding), share, bitrate in zip(pairs, shares, allocated, strict=True)
            if share.active and bitrate < (1 - _SIGNIFICANT_CHANGE) * share.max_bitrate
        )
        return bitrates

    def _media_bitrate(
        self, pairs: Sequence[tuple[SendParameters, Encoding]], shares: Sequence[Share]
    ) -> float:
        """Return the bitrate for encoders: retransmissions are subtracted.

        It is always enough for one stream of each kind. Without packets there is no feedback, and a later increase of
        the bandwidth would never be detected.
        """
        least: dict[str, Share] = {}
        for (section, _), share in zip(pairs, shares, strict=True):
            first = least.get(section.kind)
            if share.active and (first is None or share.weight > first.weight):
                least[section.kind] = share
        needed = sum(share.min_bitrate for share in least.values())
        return max(self.available - min(self._retransmission_bitrate, self.available / 2), needed)

    def _differs(self, bitrates: Mapping[int, float]) -> bool:
        if bitrates.keys() != self._reported.keys():
            return True
        return any(
            abs(bitrate - self._reported[ssrc]) > _SIGNIFICANT_CHANGE * max(self._reported[ssrc], 1.0)
            for ssrc, bitrate in bitrates.items()
        )

    def _apply_estimate(self, now: float) -> None:
        repairs, available = self._compute_retransmission_bitrate(now), self._estimator.target_bitrate
        self._has_changed |= repairs != self._retransmission_bitrate or available != self._available
        self._retransmission_bitrate, self._available = repairs, available
        self._pacer.set_bitrate(available, now, path_limited=self._estimator.path_limited)
        for cluster in self._estimator.take_probes():
            self._pacer.add_probe(cluster)

    def _compute_retransmission_bitrate(self, now: float) -> float:
        """Return the bitrate of retransmissions: the latest while there is a queue, else the average."""
        average, latest = self._retransmissions.bitrate(now), self._latest_retransmissions.bitrate(now)
        if latest > average and self.has_queue:
            return latest
        return average


def _by_number(result: tuple[int, float | None]) -> int:
    return result[0]


class _DecayingRate:
    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._bits = 0.0
        self._at = 0.0

    def add(self, bits: float, now: float) -> None:
        self._bits = self.bitrate(now) * self._memory + bits
        self._at = now

    def bitrate(self, now: float) -> float:
        return self._bits * math.exp(min(self._at - now, 0.0) / self._memory) / self._memory


def _encodings(sections: Sequence[SendParameters]) -> list[tuple[SendParameters, Encoding]]:
    """Return the encodings of all sections, the layers of a simulcast from the smallest resolution on."""
    return [
        (section, encoding)
        for section in sections
        for encoding in sorted(section.encodings, key=lambda encoding: -encoding.scale_down_by)
    ]


def _shares(pairs: Sequence[tuple[SendParameters, Encoding]], most: float) -> list[Share]:
    streams: dict[str, int] = {}
    shares = []
    for section, encoding in pairs:
        ceiling = _ceiling(section, encoding)
        least = _with_headers("audio", _MIN_AUDIO_BITRATE) if section.kind == "audio" else _MIN_VIDEO_BITRATE
        shares.append(
            Share(
                min(least, ceiling, most),
                ceiling,
                weight=PRIORITY_WEIGHTS[encoding.priority],
                stream=streams.setdefault(section.mid, len(streams)),
                active=section.active and encoding.active,
            )
        )
    return shares


def _with_headers(kind: str, media: float) -> float:
    """Return the bitrate on the path of a stream with a bitrate of media.

    A frame takes at least one packet, and half a packet more than its media fills, on average.
    """
    frame_rate = _FRAME_RATES[kind]
    packet_rate = max(media / (8 * _FULL_PAYLOAD) + frame_rate / 2, frame_rate)
    return media + 8 * _HEADERS * packet_rate


def _without_headers(section: SendParameters, encoding: Encoding, total: float) -> float:
    """Return the bitrate of media that fits into a bitrate on the path.

    Video gets at least half of it (as in goog_cc), audio at least the minimum of Opus.
    """
    least = total / 2 if section.kind == "video" else min(_MIN_AUDIO_BITRATE, total / 2)
    header_bits, frame_rate = 8 * _HEADERS, _FRAME_RATES[section.kind]
    of_one_packet = total - header_bits * frame_rate
    of_several = (total - header_bits * frame_rate / 2) / (1 + _HEADERS / _FULL_PAYLOAD)
    return min(max(min(of_one_packet, of_several), least), _media_ceiling(section, encoding))


def _ceiling(section: SendParameters, encoding: Encoding) -> float:
    """Return the maximum bitrate of a stream on the path."""
    return _with_headers(section.kind, _media_ceiling(section, encoding))


def _media_ceiling(section: SendParameters, encoding: Encoding) -> float:
    """Return the maximum bitrate of a stream's media: what it needs, limited by its part of the section's limit.

    Neither W3C's ``maxBitrate`` nor a peer's limit counts headers (RFC 3890).
    """
    needed = _needed(section, encoding)
    if section.max_bitrate is None:
        return needed
    total = sum(_needed(section, each) for each in section.encodings if each.active)
    return min(needed, section.max_bitrate * needed / max(total, needed, 1.0))


def _needed(section: SendParameters, encoding: Encoding) -> float:
    """Return the bitrate that a stream needs: its maximum, else a default by kind and resolution."""
    if encoding.max_bitrate is not None:
        return float(encoding.max_bitrate)
    if section.kind == "audio":
        return _AUDIO_BITRATE
    if len(section.encodings) == 1:
        return _VIDEO_BITRATE
    return max(_VIDEO_BITRATE / encoding.scale_down_by**2, _SMALL_LAYER_BITRATE)
