"""Protection of the streams that we send: RED for audio, and for video FEC packets and repeated retransmissions.

Protection is sent only where it was negotiated, and only while the peer reports loss. The loss is the smoothed fraction
lost of the peer's reports; protection starts at a threshold and stops at half of it, so that it does not oscillate.

Video is protected as far as retransmissions arrive too late. A frame that is ``_DEADLINE`` late is seen as a freeze
(webrtc-stats, ``freezeCount``). The round-trip time determines how many requests can be answered before, the loss how
likely all of them fail. If more than ``_TOLERATED`` of the packets remain lost, retransmissions are sent twice, and if
that does not suffice, as many FEC packets as it takes.
"""

import math
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import Codec, CodecRole
from trio_rtc.protocols.rtp.options import FecOptions, RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.packet.serializer import PacketSerializer
from trio_rtc.protocols.rtp.parameters import Encoding, SendParameters

from . import flexfec, ulpfec
from .encoder import FecEncoder
from .red import RedEncoder

_SMOOTHING: Final = 0.5
_MIN_PROTECTION: Final = 0.05
_MAX_PROTECTION: Final = 0.5
_LOSS_FACTOR: Final = 5.0
"""The maximum of FEC packets for each lost packet."""
_DEADLINE: Final = 0.15
"""Seconds by which a packet may be late without a visible freeze."""
_REACTION: Final = 0.02
"""Seconds from a loss to its request: libwebrtc processes NACKs every 20 ms."""
_REPEATED_REQUEST: Final = 0.1
"""The minimum seconds between two requests for a packet: libwebrtc's before it knows the round-trip time."""
_TOLERATED: Final = 0.0001
"""The part of the packets that may arrive after the deadline."""


class LossLevel:
    """The smoothed loss of one stream, compared with a threshold.

    Args:
        threshold: The lost part of the packets at which protection starts.

    Attributes:
        loss: The smoothed loss, 0 to 1.
        is_lossy: Whether the stream is protected.
    """

    __slots__ = ("_threshold", "is_lossy", "loss")

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.loss = 0.0
        self.is_lossy = threshold <= 0

    def record(self, fraction: float, covered: float = 1.0) -> None:
        """Update the loss from a report.

        Args:
            fraction: The lost part of the packets.
            covered: The part of the usual report interval that this report covers. Feedback may contain a report block
                every few milliseconds (RFC 4585 section 3.1), each about a few packets.
        """
        self.loss += (1 - (1 - _SMOOTHING) ** covered) * (fraction - self.loss)
        limit = self._threshold / 2 if self.is_lossy else self._threshold
        self.is_lossy = self.loss >= limit


@attrs.frozen
class LossResponse:
    """The response to the loss of a video stream.

    Attributes:
        factor: FEC packets per media packet.
        copies: How often each retransmission is sent.
    """

    factor: float = 0.0
    copies: int = 1


def respond_to_loss(
    loss: float, round_trip: float | None, *, retransmits: bool, corrects: bool = True
) -> LossResponse:
    """Return the response that keeps the late packets within ``_TOLERATED``, as far as it is worth its cost.

    Args:
        loss: The lost part of the packets.
        round_trip: The round-trip time in seconds, ``None`` if not known.
        retransmits: Whether lost packets are retransmitted.
        corrects: Whether FEC was negotiated.
    """
    rounds = _rounds_before_deadline(round_trip) if retransmits else 0
    copies = 2 if retransmits and loss * _failure(loss, 1) ** rounds > _TOLERATED else 1
    late = _failure(loss, copies) ** rounds
    if not corrects or loss * late <= _TOLERATED:
        return LossResponse(copies=copies)
    return LossResponse(_protection_factor(loss, late), copies)


def _rounds_before_deadline(round_trip: float | None) -> int:
    """Return the number of requests for a packet that can be answered before its deadline."""
    left = 0.0 if round_trip is None else _DEADLINE - _REACTION - round_trip
    if round_trip is None or left < 0:
        return 0
    return 1 + int(left / max(round_trip, _REPEATED_REQUEST))


def _failure(loss: float, copies: int) -> float:
    """Return the probability that a request or all copies of its answer are lost."""
    return 1 - (1 - loss) * (1 - loss**copies)


def _protection_factor(loss: float, late: float) -> float:
    """Return the FEC packets that each media packet needs.

    Args:
        loss: The lost part of the packets.
        late: The part of the lost packets that no retransmission replaces in time.
    """
    wanted = _MIN_PROTECTION
    tolerated = _TOLERATED / (loss * late)
    if tolerated < 1:
        # A packet is recovered if its FEC packet and the other packets that it protects arrive.
        wanted = math.log1p(-min(loss, _MAX_PROTECTION)) / math.log1p(-tolerated)
    most = min(max(_LOSS_FACTOR * loss, _MIN_PROTECTION), _MAX_PROTECTION)
    return min(max(wanted, _MIN_PROTECTION), most)


class AudioRedundancy:
    """Adds the payloads before to each packet of an audio stream (RED, RFC 2198), while there is loss."""

    def __init__(self, payload_type: int, options: RtpOptions) -> None:
        self._payload_type = payload_type
        self._options = options
        self._level = LossLevel(options.red_loss)
        self._sender = RedEncoder(options.red)

    @property
    def overhead(self) -> float:
        """The added payloads per payload."""
        return float(self._options.red.redundancy) if self._level.is_lossy else 0.0

    def set_loss(self, fraction: float, covered: float = 1.0) -> None:
        """Update the loss from a report of the peer; see :meth:`LossLevel.record`."""
        self._level.record(fraction, covered)

    def wrap(self, packet: RtpPacket, timestamp: int) -> RtpPacket:
        """Return the packet to send in place of a packet with an unwrapped timestamp."""
        if not self._level.is_lossy:
            # Payloads sent before must not be taken for the one directly before the next RED packet.
            self._sender = RedEncoder(self._options.red)
            return packet
        payload = self._sender.wrap(timestamp, packet.payload_type, packet.payload)
        return _with_payload(packet, self._payload_type, payload)


class VideoProtection:
    """Makes FEC packets for a video stream: FlexFEC where it has an SSRC, else ULPFEC in RED.

    Attributes:
        factor: FEC packets per media packet at present.
        copies: How often each retransmission is sent at present.
        red: The payload type of RED, ``None`` if it was not negotiated.
        ssrc: The SSRC of FlexFEC, ``None`` without FlexFEC.
    """

    def __init__(
        self,
        parameters: SendParameters,
        encoding: Encoding,
        media: Codec,
        options: RtpOptions,
        numbers: SequenceCounters,
    ) -> None:
        types = {codec.role: codec.payload_type for codec in parameters.codecs}
        extensions = ExtensionMap(parameters.extensions)
        fec = FecOptions(0.0, options.fec.max_frames, options.fec.max_packets, options.fec.max_repairs)
        mutable = extensions.mutable_elements()
        self._serializer = PacketSerializer(extensions)
        self._media = media.payload_type
        self._level = LossLevel(options.fec_loss)
        self._encoder: FecEncoder | None = None
        self._flexfec = types.get(CodecRole.FLEXFEC)
        self._ulpfec = types.get(CodecRole.ULPFEC)
        self._numbers = numbers
        self.red = types.get(CodecRole.RED)
        self.ssrc = encoding.fec_ssrc if self._flexfec is not None else None
        self.factor = 0.0
        self.copies = 1
        if self.ssrc is not None:
            self._encoder = FecEncoder(
                flexfec.build_flexfec, flexfec.MAX_SPAN, fec, mutable_extensions=mutable
            )
        elif self.red is not None and self._ulpfec is not None and _fits_retransmission(parameters, media):
            self._encoder = FecEncoder(ulpfec.build_ulpfec, ulpfec.MAX_SPAN, fec, mutable_extensions=mutable)

    def set_loss(
        self, fraction: float, round_trip: float | None, *, retransmits: bool, covered: float = 1.0
    ) -> None:
        """Update the protection from a report of the peer; see :meth:`LossLevel.record`."""
        self._level.record(fraction, covered)
        response = LossResponse()
        if self._level.is_lossy:
            response = respond_to_loss(
                self._level.loss, round_trip, retransmits=retransmits, corrects=self.is_negotiated
            )
        self.factor, self.copies = response.factor, response.copies
        if self._encoder is not None:
            self._encoder.protection = response.factor

    @property
    def is_negotiated(self) -> bool:
        return self._encoder is not None

    @property
    def in_band(self) -> bool:
        """Whether FEC packets use sequence numbers of the media stream."""
        return self.ssrc is None

    def protect(self, packets: list[RtpPacket]) -> list[bytes]:
        """Return the payloads of the FEC packets to send behind the packets of a frame."""
        encoder = self._encoder
        if encoder is None or not self.factor:
            return []
        payloads: list[bytes] = []
        for packet in packets:
            payloads += encoder.protect(self._serializer.serialize_for_fec(packet), marker=packet.marker)
        return payloads

    def wrap(self, packet: RtpPacket) -> RtpPacket:
        """Return a media packet as it is sent while the stream is protected: in RED with ULPFEC."""
        if self.red is None or not self.in_band or not self.factor:
            return packet
        return _with_payload(packet, self.red, bytes([packet.payload_type]) + packet.payload)

    def is_fec_packet(self, packet: RtpPacket) -> bool:
        """Return whether a packet, as it is sent, is an FEC packet."""
        if packet.ssrc == self.ssrc:
            return True
        return self.red == packet.payload_type and packet.payload[:1] != bytes([self._media])

    def unwrap(self, packet: RtpPacket) -> RtpPacket | None:
        """Return the media packet in a RED packet; ``None`` for an FEC packet."""
        if packet.payload[:1] != bytes([self._media]):
            return None
        return _with_payload(packet, self._media, packet.payload[1:])

    def fec_packet(
        self, payload: bytes, number: int, like: RtpPacket, identifiers: tuple[tuple[int, bytes], ...]
    ) -> RtpPacket:
        """Return an FEC packet.

        Args:
            payload: A payload that ``protect`` has returned.
            number: Its sequence number, if FEC packets use those of the media stream.
            like: The last media packet before it.
            identifiers: Its MID and RID elements.
        """
        if self.ssrc is not None and self._flexfec is not None:
            number = self._numbers.of(self.ssrc).allocate()
            return RtpPacket(
                self._flexfec, number & 0xFFFF, like.timestamp, self.ssrc, payload, extensions=identifiers
            )
        assert self.red is not None
        assert self._ulpfec is not None
        in_red = bytes([self._ulpfec]) + payload
        return RtpPacket(self.red, number & 0xFFFF, like.timestamp, like.ssrc, in_red, extensions=identifiers)


def _fits_retransmission(parameters: SendParameters, media: Codec) -> bool:
    """Return whether a lost FEC packet, which leaves a gap in the media's sequence numbers, can be retransmitted."""
    red = next((codec for codec in parameters.codecs if codec.role is CodecRole.RED), None)
    return media.rtx_payload_type is None or (red is not None and red.rtx_payload_type is not None)


def _with_payload(packet: RtpPacket, payload_type: int, payload: bytes) -> RtpPacket:
    return RtpPacket(
        payload_type,
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
        payload,
        packet.marker,
        packet.csrcs,
        packet.extensions,
    )
