"""What one stream sends again: packets that the peer has missed, and ones that it has not, to probe the path.

Where RTX was negotiated (RFC 4588), retransmissions are a stream of their own. If not, they are the very packets once
more and must not be changed: SRTP would encrypt other bytes under the same nonce (RFC 7714 section 8.1). So for RTX a
packet is kept as it was before it got the marks of its way out, else exactly as it has left.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from trio_rtc.protocols.rtp.fec.protection import VideoProtection
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.rtx import wrap
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.parameters import FEEDBACK_NACK, Codec

from .history import PacketHistory
from .identifiers import StreamIdentifiers


@attrs.frozen
class _RtxStream:
    """The stream of retransmissions.

    Attributes:
        ssrc: Its source.
        payload_types: Payload type of the media → payload type under which it is sent again.
        payload_type: The one of what is sent at present.
        names: What packets say of where they belong.
    """

    ssrc: int
    payload_types: Mapping[int, int]
    payload_type: int
    names: StreamIdentifiers

    def wrap(self, packet: RtpPacket, number: int) -> RtpPacket:
        """Return a packet of the media as the one of some number here."""
        # What was kept before another codec was negotiated is repeated under the payload type of the present one.
        payload_type = self.payload_types.get(packet.payload_type, self.payload_type)
        wrapped = wrap(packet, ssrc=self.ssrc, payload_type=payload_type, sequence_number=number & 0xFFFF)
        return wrapped.with_extensions(self.names.renamed_for_repair(packet.extensions))


class Retransmitter:
    """Keeps what one source has sent, and sends it again.

    Args:
        ssrc: The source.
        history: Where packets are kept.
        numbers: The sequence numbers of our sources.

    Attributes:
        are_possible: Whether anything is sent again; if not, nothing is kept.
    """

    def __init__(self, ssrc: int, history: PacketHistory, numbers: SequenceCounters) -> None:
        self._history = history
        self._all_numbers = numbers
        self._numbers = numbers.of(ssrc)
        self._rtx: _RtxStream | None = None
        self._protection: VideoProtection | None = None
        self.are_possible = False

    @property
    def are_apart(self) -> bool:
        """Whether they are a stream of their own."""
        return self._rtx is not None

    def configure(
        self,
        codecs: Iterable[Codec],
        codec: Codec | None,
        rtx_ssrc: int | None,
        names: StreamIdentifiers,
        protection: VideoProtection | None,
    ) -> None:
        """Set what was negotiated.

        Args:
            codecs: Of the section.
            codec: What is sent.
            rtx_ssrc: The source of RTX, ``None`` for none.
            names: What packets say of where they belong.
            protection: Puts packets of the media in RED, where that was negotiated.
        """
        self._protection = protection
        types = {each.payload_type: each.rtx_payload_type for each in codecs}
        payload_types = {number: again for number, again in types.items() if again is not None}
        before, self._rtx = self._rtx, None
        if codec is not None and rtx_ssrc is not None and codec.payload_type in payload_types:
            self._rtx = _RtxStream(rtx_ssrc, payload_types, payload_types[codec.payload_type], names)
        if (self._rtx is None) is not (before is None):
            # What was kept for RTX lacks the marks with which it has left: it could not be repeated exactly.
            self._history.clear()
        self.are_possible = codec is not None and (self.are_apart or FEEDBACK_NACK in codec.feedback)

    def keep(self, packet: RtpPacket, data: bytes, now: float) -> None:
        """Remember a packet of the source that leaves.

        Args:
            packet: The packet, without the marks of its way out.
            data: The bytes of all of it.
            now: When it leaves.
        """
        if not self.are_possible:
            return
        kept = RtpPacket.parse(data) if self._rtx is None else self._wrappable(packet, self._rtx)
        if kept is not None:
            self._history.store(self._numbers.nearest(packet.sequence_number), kept, now)

    def _wrappable(self, packet: RtpPacket, rtx: _RtxStream) -> RtpPacket | None:
        """Return a packet as RTX can repeat it: in RED only where there is RTX for RED."""
        protection = self._protection
        if packet.payload_type in rtx.payload_types or protection is None:
            return packet
        return protection.unwrap(packet) if packet.payload_type == protection.red else packet

    def answer(self, sequence_numbers: Iterable[int], round_trip: float, now: float) -> list[RtpPacket]:
        """Return what the peer has missed, as far as it is remembered.

        Args:
            sequence_numbers: As on the wire.
            round_trip: Seconds; see :meth:`.PacketHistory.get`.
            now: When it was asked for.
        """
        nearest, get = self._numbers.nearest, self._history.get
        kept = [get(nearest(number), now, round_trip) for number in sequence_numbers]
        packets = [packet for packet in kept if packet is not None]
        rtx = self._rtx
        return packets if rtx is None else [self._wrap(packet, rtx) for packet in packets]

    def repeat(self, packets: Sequence[RtpPacket], times: int) -> list[RtpPacket]:
        """Return retransmissions so many times more: under numbers of their own where they are a stream of their own.

        Without RTX they are the very same packets: the receiver's replay protection drops what comes twice.
        """
        again = [packet for _ in range(times) for packet in packets]
        rtx = self._rtx
        if rtx is None:
            return again
        numbers = self._all_numbers.of(rtx.ssrc)
        return [attrs.evolve(packet, sequence_number=numbers.take() & 0xFFFF) for packet in again]

    def padding(self, size: int) -> RtpPacket | None:
        """Return the newest packet once more whose payload fits ``size`` bytes, or nothing where there is no RTX."""
        rtx = self._rtx
        packet = None if rtx is None else self._history.newest_that_fits(size)
        return None if rtx is None or packet is None else self._wrap(packet, rtx)

    def forget(self) -> None:
        """Send nothing again of what was sent until now: a keyframe is to come."""
        self._history.clear()

    def counters(self) -> dict[str, float]:
        """Return what the history has counted."""
        history = self._history
        return {
            "history_resent": history.resent,
            "history_unknown": history.unknown,
            "history_suppressed": history.suppressed,
        }

    def _wrap(self, packet: RtpPacket, rtx: _RtxStream) -> RtpPacket:
        return rtx.wrap(packet, self._all_numbers.of(rtx.ssrc).take())
