"""What we tell the peer of the path: when packets arrived, or what we believe that it carries.

One of three ways, as negotiated: transport-wide feedback on packets that have such a number, congestion control
feedback on those of each source (RFC 8888), else REMB. A peer that can use none of them has the loss that receiver
reports tell.
"""

from collections.abc import Iterable, Sequence

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, FeedbackGenerator
from trio_rtc.protocols.rtcp import ReceiverEstimatedMaximumBitrate, RtcpPacket, TransportFeedback
from trio_rtc.protocols.rtp.packet.extensions import ABS_SEND_TIME, TRANSPORT_WIDE_CC, ExtensionMap
from trio_rtc.protocols.rtp.parameters import (
    FEEDBACK_CCFB,
    FEEDBACK_REMB,
    FEEDBACK_TRANSPORT,
    ReceiveParameters,
)
from trio_rtc.protocols.serial import Unwrapper

from .arrival_reports import ArrivalReporter
from .remote_bitrate import RemoteBitrateEstimator

_PACKET_OVERHEAD = 60
"""Bytes of IP, UDP and SRTP on top of an RTP packet."""
_MAX_REMB_SOURCES = 255


class BandwidthFeedback:
    """Hears of every packet, and says what to tell.

    Args:
        options: Of congestion control.
        max_sources: How many sources are told of, where each is told of by itself.

    Attributes:
        transport_element: The number of the header extension element to hand to ``numbered_arrived``; ``None`` if it
            is not needed.
        send_time_element: The one for ``stamped_arrived``, likewise.
        ccfb_sent: How many packets of RFC 8888 there were to send.
    """

    def __init__(self, options: BandwidthEstimationOptions, max_sources: int) -> None:
        self._options = options
        self._max_sources = max_sources
        self._generator = FeedbackGenerator(options)
        self._numbers: Unwrapper | None = None
        self._reports: ArrivalReporter | None = None
        self._bitrate: RemoteBitrateEstimator | None = None
        self.transport_element: int | None = None
        self.send_time_element: int | None = None
        self.ccfb_sent = 0

    def configure(self, sections: Iterable[ReceiveParameters], extensions: ExtensionMap) -> None:
        """Take what was negotiated: the sections that receive, and the extensions of all of them."""
        kinds = {kind for section in sections for codec in section.codecs for kind in codec.feedback}
        of_sources = FEEDBACK_CCFB in kinds
        transport_wide = FEEDBACK_TRANSPORT in kinds
        self.transport_element = extensions.number(TRANSPORT_WIDE_CC) if transport_wide else None
        estimates = FEEDBACK_REMB in kinds and not of_sources and self.transport_element is None
        self.send_time_element = extensions.number(ABS_SEND_TIME) if estimates else None
        if not of_sources:
            self._reports = None
        elif self._reports is None:
            self._reports = ArrivalReporter(self._max_sources)
        if self.send_time_element is None:
            self._bitrate = None
        elif self._bitrate is None:
            self._bitrate = RemoteBitrateEstimator(self._options)

    @property
    def of_sources(self) -> bool:
        """Whether ``source_arrived`` is to be told of every packet."""
        return self._reports is not None

    def numbered_arrived(self, element: bytes, size: int, now: float) -> None:
        """Take the transport-wide number of a packet of so many bytes."""
        if len(element) < 2:
            return
        number = element[0] << 8 | element[1]
        if self._numbers is None:
            self._numbers = Unwrapper(16, number)
        self._generator.packet_arrived(self._numbers.unwrap(number), now, size + _PACKET_OVERHEAD, now)

    def stamped_arrived(self, element: bytes, size: int, now: float) -> None:
        """Take the send time of a packet of so many bytes."""
        if self._bitrate is not None and len(element) == 3:
            self._bitrate.packet_arrived(int.from_bytes(element, "big"), size + _PACKET_OVERHEAD, now)

    def source_arrived(self, ssrc: int, sequence_number: int, now: float) -> None:
        """Take the number of a packet among those of its source."""
        if self._reports is not None:
            self._reports.packet_arrived(ssrc, sequence_number, now)

    def forget(self, ssrc: int) -> None:
        """Hear that a source has ended."""
        if self._reports is not None:
            self._reports.forget(ssrc)

    def take(
        self, own_ssrc: int, ssrcs: Sequence[int], now: float, compact_now: int, max_size: int
    ) -> list[RtcpPacket]:
        """Return what to tell now.

        Args:
            own_ssrc: Who tells.
            ssrcs: The sources that are heard; transport-wide feedback names the first of them.
            now: Seconds.
            compact_now: The same as the middle 32 bits of an NTP timestamp.
            max_size: Bytes of a packet at most.
        """
        packets: list[RtcpPacket] = []
        if self._reports is not None:
            reports = self._reports.take(own_ssrc, compact_now, now, max_size)
            self.ccfb_sent += len(reports)
            packets += reports
        if self._bitrate is not None and (bitrate := self._bitrate.take(now)) is not None:
            remb = ReceiverEstimatedMaximumBitrate(own_ssrc, bitrate, tuple(ssrcs[:_MAX_REMB_SOURCES]))
            packets.append(remb)
        for told in self._generator.feedback_to_send(now):
            arrivals = [(number, time) for number, time in told.arrivals if time is not None]
            begin = told.arrivals[0][0] if told.arrivals else None
            media_ssrc = ssrcs[0] if ssrcs else 0
            packets += TransportFeedback.build(
                own_ssrc, media_ssrc, arrivals, told.feedback_count, max_size, begin=begin
            )
        return packets

    def next_timer(self) -> float:
        """Return when there is something to tell, ``math.inf`` if never."""
        deadline = self._generator.next_timer()
        return deadline if self._reports is None else min(deadline, self._reports.next_timer())

    def has_to_tell(self, now: float) -> bool:
        """Return whether ``take`` may have something: most packets are answered by nothing."""
        return self._bitrate is not None or self.next_timer() <= now

    def counters(self) -> dict[str, float]:
        """Return what was counted."""
        return {
            "feedback_forgotten": self._generator.forgotten,
            "feedback_jumps": self._generator.jumps,
        }
