"""Retransmissions of one stream: packets that the peer requests, and packets repeated as padding to probe the path.

With RTX (RFC 4588), retransmissions are a stream of their own. Without, they are the same packets again and must not be
changed: SRTP would encrypt other bytes with the same nonce (RFC 7714 section 8.1). So for RTX a packet is kept as it
was before serialization, else exactly as it was sent.
"""

from collections.abc import Iterable, Mapping, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.rtp.fec.protection import VideoProtection
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import wrap
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.parameters import FEEDBACK_NACK

from .history import PacketHistory
from .identifiers import StreamIdentifiers


@attrs.frozen
class _RtxStream:
    """The RTX stream.

    Attributes:
        payload_types: Payload type of the media → payload type of its retransmissions.
        payload_type: The payload type of retransmissions of the present codec.
        identifiers: The MID and RID elements.
    """

    ssrc: int
    payload_types: Mapping[int, int]
    payload_type: int
    identifiers: StreamIdentifiers

    def wrap(self, packet: RtpPacket, number: int) -> RtpPacket:
        # Packets of a codec that is not negotiated any more have the payload type of the present one.
        payload_type = self.payload_types.get(packet.payload_type, self.payload_type)
        wrapped = wrap(packet, ssrc=self.ssrc, payload_type=payload_type, sequence_number=number & 0xFFFF)
        return wrapped.with_extensions(self.identifiers.convert_for_repair(packet.extensions))


class Retransmitter:
    """Keeps the packets of one SSRC, and makes their retransmissions.

    Attributes:
        is_enabled: Whether retransmission was negotiated; if not, no packets are kept.
    """

    def __init__(self, ssrc: int, history: PacketHistory, numbers: SequenceCounters) -> None:
        self._history = history
        self._all_numbers = numbers
        self._numbers = numbers.of(ssrc)
        self._rtx: _RtxStream | None = None
        self._protection: VideoProtection | None = None
        self.is_enabled = False

    @property
    def uses_rtx(self) -> bool:
        """Whether retransmissions are a stream of their own."""
        return self._rtx is not None

    def configure(
        self,
        codecs: Iterable[Codec],
        codec: Codec | None,
        rtx_ssrc: int | None,
        identifiers: StreamIdentifiers,
        protection: VideoProtection | None,
    ) -> None:
        """Set the negotiated parameters; ``codec``, one of the section's ``codecs``, is sent.

        The protection sends media packets in RED where that was negotiated.
        """
        self._protection = protection
        types = {each.payload_type: each.rtx_payload_type for each in codecs}
        payload_types = {number: again for number, again in types.items() if again is not None}
        before, self._rtx = self._rtx, None
        if codec is not None and rtx_ssrc is not None and codec.payload_type in payload_types:
            self._rtx = _RtxStream(rtx_ssrc, payload_types, payload_types[codec.payload_type], identifiers)
        if (self._rtx is None) is not (before is None):
            # Packets kept for RTX lack the elements written at sending: they could not be repeated exactly.
            self._history.clear()
        self.is_enabled = codec is not None and (self.uses_rtx or FEEDBACK_NACK in codec.feedback)

    def keep(self, packet: RtpPacket, data: bytes, now: float) -> None:
        """Keep a packet, without the elements written at sending, and its bytes as sent."""
        if not self.is_enabled:
            return
        kept = RtpPacket.parse(data) if self._rtx is None else self._wrappable(packet, self._rtx)
        if kept is not None:
            self._history.store(self._numbers.nearest(packet.sequence_number), kept, now)

    def _wrappable(self, packet: RtpPacket, rtx: _RtxStream) -> RtpPacket | None:
        """Return a packet as RTX can retransmit it: in RED only where RTX for RED was negotiated."""
        protection = self._protection
        if packet.payload_type in rtx.payload_types or protection is None:
            return packet
        return protection.unwrap(packet) if packet.payload_type == protection.red else packet

    def retransmit(self, sequence_numbers: Iterable[int], round_trip: float, now: float) -> list[RtpPacket]:
        """Return the retransmissions of requested packets, as far as they are kept.

        Args:
            sequence_numbers: The requested numbers, 16 bits each.
            round_trip: The round-trip time in seconds; see :meth:`.PacketHistory.get`.
            now: The time of the request.
        """
        nearest, get = self._numbers.nearest, self._history.get
        kept = [get(nearest(number), now, round_trip) for number in sequence_numbers]
        packets = [packet for packet in kept if packet is not None]
        rtx = self._rtx
        return packets if rtx is None else [self._wrap(packet, rtx) for packet in packets]

    def repeat(self, packets: Sequence[RtpPacket], times: int) -> list[RtpPacket]:
        """Return ``times`` copies of retransmissions; with RTX, each has a sequence number of its own.

        Without RTX they are the same packets: the receiver's replay protection drops the second that arrives.
        """
        again = [packet for _ in range(times) for packet in packets]
        rtx = self._rtx
        if rtx is None:
            return again
        numbers = self._all_numbers.of(rtx.ssrc)
        return [attrs.evolve(packet, sequence_number=numbers.allocate() & 0xFFFF) for packet in again]

    def padding(self, size: int) -> RtpPacket | None:
        """Return a retransmission of the newest packet with at most ``size`` bytes of payload; ``None`` without RTX."""
        rtx = self._rtx
        packet = None if rtx is None else self._history.newest_that_fits(size)
        return None if rtx is None or packet is None else self._wrap(packet, rtx)

    def clear(self) -> None:
        """Remove all packets: a keyframe makes their retransmission useless."""
        self._history.clear()

    def counters(self) -> dict[str, float]:
        history = self._history
        return {
            "history_resent": history.resent,
            "history_unknown": history.unknown,
            "history_suppressed": history.suppressed,
        }

    def _wrap(self, packet: RtpPacket, rtx: _RtxStream) -> RtpPacket:
        return rtx.wrap(packet, self._all_numbers.of(rtx.ssrc).allocate())
