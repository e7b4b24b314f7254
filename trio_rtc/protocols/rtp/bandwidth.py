"""What may be sent and when: the estimate, the pacer, and the share of each stream.

Joins the parts of :mod:`trio_rtc.protocols.bandwidth_estimation` with RTP: packets are numbered over all streams
where that was negotiated, feedback on them moves the estimate, the estimate moves the pacer and is divided among the
streams.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

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
from trio_rtc.protocols.serial import Unwrapper

from .parameters import Encoding, SendParameters

__all__ = ["Bandwidth", "NumberedPacket", "PacketKind"]

NumberedPacket = tuple[int, int, bool]
"""What leaves under a transport-wide number: that, unwrapped, its size in bytes, and whether it is only padding."""

_AUDIO_BITRATE = 64_000.0
_LEAST_AUDIO = 6_000.0
"""Bits a second of media: Opus codes no less (RFC 6716 section 2.1.1)."""
_VIDEO_BITRATE = 2_500_000.0
_LEAST_VIDEO = 30_000.0
"""Bits a second on the path."""
_SMALL_LAYER_BITRATE = 100_000.0
_WORTH_TELLING = 0.02
"""By what part of itself a bitrate has to change so that encoders are told."""
_MAX_NUMBERED = 8192
"""Packets of which the peer may still tell; of more the oldest are forgotten."""
_REPAIR_MEMORY = 0.5
"""Seconds over which retransmissions are averaged, to know what they leave to encoders."""
_QUEUED_REPAIR_MEMORY = 0.1
"""The same while there is a queue: what overflowed it is sent again through it, and must not fill it once more."""
_FULL_QUEUE = 0.03
"""Seconds of queueing delay from which on the latest retransmissions count."""
_DATA_SHARE = 0.8
"""What data may take in proportion to media that could use more: less than 1, for media grows more slowly than data."""
_OVERHEAD = 44
"""Bytes of IPv4, UDP and SRTP (AES-GCM) on top of an RTP packet, as they count on the path."""
_HEADERS = _OVERHEAD + 20
"""The same with the RTP header and its usual extensions: the part of a packet that is not media."""
_FULL_PAYLOAD = 1130
"""Bytes of media in a packet of a frame that needs several."""
_FRAME_RATES = {"audio": 50.0, "video": 30.0}
"""Frames a second that headers are counted for: Opus frames of 20 ms, and usual video."""


class Bandwidth:
    """The estimate of the path and the queue before it.

    Args:
        options: Of congestion control.

    Attributes:
        limited: The sources that are to be sent and could use more than there is.
        numbers_all: Whether every packet is to be numbered, whether or not it says its number.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._estimator = BandwidthEstimator(options, probing=False)
        self._transport_wide = False
        self._pacer: Pacer[Any] = Pacer(options)
        self._repairs = _DecayingRate(_REPAIR_MEMORY)
        self._latest_repairs = _DecayingRate(_QUEUED_REPAIR_MEMORY)
        self._repair_bitrate = 0.0
        self._available = 0.0
        self._next = 1
        self._numbers = Unwrapper(16)
        self._references = Unwrapper(REFERENCE_BITS)
        self._report_times = Unwrapper(32)
        self._sent: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._overheads: dict[int, float] = {}
        # What is sent, and what each of it can use: computed once, for every feedback may move the estimate.
        self._pairs: list[tuple[SendParameters, Encoding]] = []
        self._shares: list[Share] = []
        self._told: dict[int, float] = {}
        # Whether anything that the shares depend on has moved since they were last worked out.
        self._moved = False
        self.limited: frozenset[int] = frozenset()
        self.numbers_all = False

    # -- what is negotiated --------------------------------------------------------------------------------------

    def configure(
        self,
        sections: Sequence[SendParameters],
        *,
        transport_wide: bool,
        of_sources: bool = False,
        now: float,
    ) -> None:
        """Take the sections that send, and whether the peer tells of every packet.

        Args:
            sections: Those that send.
            transport_wide: By transport-wide numbers.
            of_sources: By the numbers of each source (RFC 8888).
            now: Seconds.
        """
        self._pairs = _encodings(sections)
        self._shares = _shares(self._pairs, self._options.max_bitrate)
        self.numbers_all = of_sources
        if (transport_wide or of_sources) and not self._transport_wide:
            self._transport_wide = True
            self._estimator = BandwidthEstimator(self._options, probing=True)
        wanted = sum(_ceiling(section, encoding) for section, encoding in self._pairs)
        if not sections or any(section.max_bitrate is None for section in sections):
            wanted = max(wanted, self._options.start_bitrate)
        # A peer may say that it takes nothing at all; an estimate is never zero.
        ceiling = max(min(wanted, self._options.max_bitrate), 1.0)
        self._estimator.set_bounds(min(self._options.min_bitrate, ceiling), None, ceiling, now)
        self._told.clear()
        ssrcs = {encoding.ssrc for _, encoding in self._pairs}
        self._overheads = {ssrc: part for ssrc, part in self._overheads.items() if ssrc in ssrcs}
        self._follow(now)
        self._moved = True

    # -- what is sent ------------------------------------------------------------------------------------------

    def enqueue(self, item: Any, size: int, kind: PacketKind, now: float) -> bool:
        """Queue a packet of so many bytes of payload; return whether there was room for it."""
        taken = self._pacer.enqueue(item, size + _OVERHEAD, kind, now)
        if taken and kind is PacketKind.RETRANSMISSION:
            self._repairs.add(8 * (size + _OVERHEAD), now)
            self._latest_repairs.add(8 * (size + _OVERHEAD), now)
        return taken

    def repair_time(self, sizes: Sequence[int], now: float) -> float:
        """Return how many seconds it takes to send packets again that have so many bytes of payload each."""
        return self._pacer.retransmission_time(sum(sizes) + _OVERHEAD * len(sizes), now)

    def take_due(self, now: float) -> list[Any]:
        """Take the packets that may leave now."""
        return self._pacer.take_due(now)

    def padding_wanted(self, now: float) -> int:
        """Return how many bytes to send now although nobody needs them, to probe the path; 0 for none."""
        return self._pacer.padding_needed(now)

    def next_number(self) -> int:
        """Return the transport-wide number of the next packet, unwrapped."""
        number = self._next
        self._next += 1
        return number

    def note_source(self, ssrc: int, sequence_number: int, number: int) -> None:
        """Remember the number of a packet among those of its source, by which the peer will tell of it."""
        self._sent[ssrc, sequence_number] = number
        if len(self._sent) > _MAX_NUMBERED:
            self._sent.popitem(last=False)

    def set_overhead(self, ssrc: int, overhead: float) -> None:
        """Take how much redundancy a stream has, as a part of its media: what it takes, the encoder cannot have."""
        self._moved |= self._overheads.get(ssrc) != overhead
        self._overheads[ssrc] = overhead

    def packets_sent(self, packets: Sequence[NumberedPacket], now: float) -> None:
        """Hear that packets have left, of which the peer will tell; all that were taken together."""
        if packets:
            on_the_way = [(number, size + _OVERHEAD, padding) for number, size, padding in packets]
            self._estimator.record_packets_sent(on_the_way, now, self._pacer.probe_cluster)

    # -- what the peer says ------------------------------------------------------------------------------------

    def feedback(self, packet: TransportFeedback, now: float) -> None:
        """Take what the peer says of every packet."""
        if not self._transport_wide:
            return
        # Numbers are near those that were sent last, whatever the feedback says of them.
        self._numbers.last = self._next
        base = self._numbers.peek(packet.base_sequence_number)
        arrived = dict(packet.arrival_times(base, self._references.unwrap(packet.reference_time)))
        # A few bytes can speak of thousands of packets. Those that were never sent are not gone through.
        known = range(max(base, self._next - _MAX_NUMBERED), min(base + packet.status_count, self._next))
        results = [(number, arrived.get(number)) for number in known]
        self._estimator.handle_feedback(results, None, now)
        self._follow(now)

    def feedback_of_sources(self, packet: CongestionControlFeedback, now: float) -> None:
        """Take what the peer says of every packet of each source (RFC 8888)."""
        if not self.numbers_all:
            return
        reported_at = seconds_from_compact(self._report_times.unwrap(packet.report_time))
        results: list[tuple[int, float | None]] = []
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
        self._follow(now)

    def loss_reported(self, fraction: float | None, round_trip: float | None, now: float) -> None:
        """Update the estimate from a report of one stream; ``None`` for what it does not tell."""
        if round_trip is not None:
            self._estimator.update_round_trip(round_trip)
        if fraction is not None:
            self._estimator.handle_receiver_report(fraction, now)
        self._follow(now)

    def remb_received(self, bitrate: float, now: float) -> None:
        """Take the peer's own estimate."""
        self._estimator.handle_remb(bitrate, now)
        self._follow(now)

    # -- time ----------------------------------------------------------------------------------------------------

    def handle_timer(self, now: float) -> None:
        """Act on what is due."""
        if now >= self._estimator.next_timer():
            self._estimator.handle_timer(now)
            self._follow(now)

    def next_timer(self) -> float:
        """Return the next deadline."""
        return min(self._estimator.next_timer(), self._pacer.next_timer())

    # -- what comes of it --------------------------------------------------------------------------------------

    @property
    def available(self) -> float:
        """Bits a second that may be sent, all streams together."""
        return self._estimator.target_bitrate

    @property
    def left_for_data(self) -> float:
        """Bits a second that data may take on the same path: less than media, while media could use more."""
        return _DATA_SHARE * self.available if self._transport_wide and self.limited else math.inf

    @property
    def round_trip(self) -> float:
        """How long a packet that leaves now and its answer take at least, in seconds; 0 before that was measured."""
        # What was measured by feedback is longer by the time for which the peer has kept that.
        return max(self._estimator.current_round_trip - self._options.feedback_interval_max, 0.0)

    def statistics(self) -> BandwidthEstimationStatistics:
        """Return what the estimate stands on."""
        return self._estimator.statistics()

    def counters(self) -> Mapping[str, float]:
        """Return the numbers of the estimate, and what the pacer has and had."""
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
        """Return how long the oldest packet has been waiting, in seconds."""
        return self._pacer.queue_age(now)

    def take_changes(self) -> Mapping[int, float] | None:
        """Return the bitrate of every stream, by SSRC, if one has changed enough to be told."""
        if not self._moved:
            return None
        self._moved = False
        pairs, shares = self._pairs, self._shares
        allocated = allocate(self._left_for_media(pairs, shares), shares)
        bitrates = {
            encoding.ssrc: _without_headers(section, encoding, bitrate)
            / (1 + self._overheads.get(encoding.ssrc, 0.0))
            for (section, encoding), bitrate in zip(pairs, allocated, strict=True)
        }
        if not self._differs(bitrates):
            return None
        self._told = bitrates
        # Error correction leaves less for the media although the path would carry more: that is no lack of bandwidth.
        self.limited = frozenset(
            encoding.ssrc
            for (_, encoding), share, bitrate in zip(pairs, shares, allocated, strict=True)
            if share.active and bitrate < (1 - _WORTH_TELLING) * share.max_bitrate
        )
        return bitrates

    def _left_for_media(
        self, pairs: Sequence[tuple[SendParameters, Encoding]], shares: Sequence[Share]
    ) -> float:
        """Return what encoders may use: what is sent again has to fit on the path with it.

        It is always enough for one stream of each kind. Where nothing is sent there is no feedback, and nobody would
        ever hear of it when the path carries more again.
        """
        least: dict[str, Share] = {}
        for (section, _), share in zip(pairs, shares, strict=True):
            first = least.get(section.kind)
            if share.active and (first is None or share.weight > first.weight):
                least[section.kind] = share
        needed = sum(share.min_bitrate for share in least.values())
        return max(self.available - min(self._repair_bitrate, self.available / 2), needed)

    def _differs(self, bitrates: Mapping[int, float]) -> bool:
        if bitrates.keys() != self._told.keys():
            return True
        return any(
            abs(bitrate - self._told[ssrc]) > _WORTH_TELLING * max(self._told[ssrc], 1.0)
            for ssrc, bitrate in bitrates.items()
        )

    def _follow(self, now: float) -> None:
        """Let the pacer follow the estimate."""
        repairs, available = self._rate_of_repairs(now), self._estimator.target_bitrate
        self._moved |= repairs != self._repair_bitrate or available != self._available
        self._repair_bitrate, self._available = repairs, available
        self._pacer.set_bitrate(available, now, path_limited=self._estimator.path_limited)
        for cluster in self._estimator.take_probes():
            self._pacer.add_probe(cluster)

    def _rate_of_repairs(self, now: float) -> float:
        """Return what retransmissions take: of late while there is a queue, else on average."""
        average, latest = self._repairs.bitrate(now), self._latest_repairs.bitrate(now)
        if latest > average and self._estimator.statistics().queue_delay >= _FULL_QUEUE:
            return latest
        return average


def _by_number(result: tuple[int, float | None]) -> int:
    return result[0]


class _DecayingRate:
    """Exponentially decaying rate, of which what is older than some seconds counts little."""

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
    """Return what is sent, the layers of a simulcast from the smallest pictures on, in whatever order they came."""
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
        least = _with_headers("audio", _LEAST_AUDIO) if section.kind == "audio" else _LEAST_VIDEO
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
    """Return the bits a second on the path of a stream with so much media.

    A frame takes at least one packet, and half a packet more than its media fills, on average.
    """
    frame_rate = _FRAME_RATES[kind]
    packet_rate = max(media / (8 * _FULL_PAYLOAD) + frame_rate / 2, frame_rate)
    return media + 8 * _HEADERS * packet_rate


def _without_headers(section: SendParameters, encoding: Encoding, total: float) -> float:
    """Return the bits a second of media that fit into a share of the path.

    Video gets at least half of it (as in goog_cc), audio what Opus codes at least.
    """
    least = total / 2 if section.kind == "video" else min(_LEAST_AUDIO, total / 2)
    header_bits, frame_rate = 8 * _HEADERS, _FRAME_RATES[section.kind]
    of_one_packet = total - header_bits * frame_rate
    of_several = (total - header_bits * frame_rate / 2) / (1 + _HEADERS / _FULL_PAYLOAD)
    return min(max(min(of_one_packet, of_several), least), _media_ceiling(section, encoding))


def _ceiling(section: SendParameters, encoding: Encoding) -> float:
    """Return the share of the path that a stream can use at most."""
    return _with_headers(section.kind, _media_ceiling(section, encoding))


def _media_ceiling(section: SendParameters, encoding: Encoding) -> float:
    """Return what a stream can use at most: what it needs, and its part of what the peer takes in its section.

    Neither W3C's ``maxBitrate`` nor a peer's limit counts headers (RFC 3890).
    """
    needed = _needed(section, encoding)
    if section.max_bitrate is None:
        return needed
    total = sum(_needed(section, each) for each in section.encodings if each.active)
    return min(needed, section.max_bitrate * needed / max(total, needed, 1.0))


def _needed(section: SendParameters, encoding: Encoding) -> float:
    """Return what a stream can use: if nobody says, the smaller of two layers needs less for its pixels."""
    if encoding.max_bitrate is not None:
        return float(encoding.max_bitrate)
    if section.kind == "audio":
        return _AUDIO_BITRATE
    if len(section.encodings) == 1:
        return _VIDEO_BITRATE
    return max(_VIDEO_BITRATE / encoding.scale_down_by**2, _SMALL_LAYER_BITRATE)
