"""What is sent against loss that the peer reports: redundant audio, and for video repair packets and repeated answers.

Redundancy and repair packets are made only of what was negotiated, and only while they help. The level follows the
fraction lost of the peer's reports, smoothed, and is left again at half of the threshold so that it does not flutter.

Video is protected as far as retransmissions come too late. A frame that is ``_DEADLINE`` late is seen as a freeze
(webrtc-stats, ``freezeCount``). The round trip says how many requests can be answered before it, the loss how likely
all of these fail. If that leaves more than ``_TOLERATED`` of the packets, retransmissions are sent twice, and if that
does not suffice, there are as many repair packets as it takes.
"""

import math
from typing import Final

import attrs

from trio_rtc.protocols.rtp.options import FecOptions, RtpOptions
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.packet.serializer import PacketSerializer
from trio_rtc.protocols.rtp.parameters import Codec, CodecRole, Encoding, SendParameters

from . import flexfec, ulpfec
from .encoder import FecEncoder
from .red import RedEncoder

_SMOOTHING: Final = 0.5
_MIN_PROTECTION: Final = 0.05
_MAX_PROTECTION: Final = 0.5
_LOSS_FACTOR: Final = 5.0
"""Repair packets for each packet that is lost, at most."""
_DEADLINE: Final = 0.15
"""Seconds that a packet may be late without a visible freeze."""
_REACTION: Final = 0.02
"""Seconds from a loss to its request: libwebrtc looks every 20 ms."""
_REPEATED_REQUEST: Final = 0.1
"""Seconds between two requests for the same packet, at least: libwebrtc, while it does not know the round trip."""
_TOLERATED: Final = 0.0001
"""Part of the packets that may come after the deadline."""


class LossLevel:
    """Follows the loss of one stream.

    Args:
        threshold: Part that must be lost so that something is done against it.

    Attributes:
        loss: Smoothed, 0 to 1.
        is_lossy: Whether something is to be done.
    """

    __slots__ = ("_threshold", "is_lossy", "loss")

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.loss = 0.0
        self.is_lossy = threshold <= 0

    def note(self, fraction: float, covered: float = 1.0) -> None:
        """Update the loss from a report.

        Args:
            fraction: Part of the packets that was lost.
            covered: Which part of the usual interval between two reports this one is about. Feedback may bring a report
                block every few milliseconds (RFC 4585 section 3.1), each of a few packets.
        """
        self.loss += (1 - (1 - _SMOOTHING) ** covered) * (fraction - self.loss)
        limit = self._threshold / 2 if self.is_lossy else self._threshold
        self.is_lossy = self.loss >= limit


@attrs.frozen
class LossResponse:
    """What is done against the loss of a stream of video.

    Attributes:
        factor: Repair packets for each media packet.
        copies: How often a retransmission is sent.
    """

    factor: float = 0.0
    copies: int = 1


def respond_to_loss(
    loss: float, round_trip: float | None, *, retransmits: bool, corrects: bool = True
) -> LossResponse:
    """Return what keeps the packets that are late within ``_TOLERATED``, or as much of it as is worth its cost.

    Args:
        loss: Part of the packets that is lost.
        round_trip: Seconds, ``None`` if not known.
        retransmits: Whether lost packets are sent again.
        corrects: Whether repair packets were negotiated.
    """
    rounds = _rounds_before_deadline(round_trip) if retransmits else 0
    copies = 2 if retransmits and loss * _failure(loss, 1) ** rounds > _TOLERATED else 1
    late = _failure(loss, copies) ** rounds
    if not corrects or loss * late <= _TOLERATED:
        return LossResponse(copies=copies)
    return LossResponse(_protection_factor(loss, late), copies)


def _rounds_before_deadline(round_trip: float | None) -> int:
    """Return how many requests for a packet can be answered before its deadline."""
    left = 0.0 if round_trip is None else _DEADLINE - _REACTION - round_trip
    if round_trip is None or left < 0:
        return 0
    return 1 + int(left / max(round_trip, _REPEATED_REQUEST))


def _failure(loss: float, copies: int) -> float:
    """Return how likely a request or all copies of its answer are lost."""
    return 1 - (1 - loss) * (1 - loss**copies)


def _protection_factor(loss: float, late: float) -> float:
    """Return how many repair packets each media packet needs.

    Args:
        loss: Part of the packets that is lost.
        late: Part of the lost packets that no retransmission replaces in time.
    """
    wanted = _MIN_PROTECTION
    tolerated = _TOLERATED / (loss * late)
    if tolerated < 1:
        # A packet is recovered if its repair packet and the others that it protects arrive.
        wanted = math.log1p(-min(loss, _MAX_PROTECTION)) / math.log1p(-tolerated)
    most = min(max(_LOSS_FACTOR * loss, _MIN_PROTECTION), _MAX_PROTECTION)
    return min(max(wanted, _MIN_PROTECTION), most)


class AudioRedundancy:
    """Puts the payloads before into each packet of a stream of sound (RFC 2198), while there is loss.

    Args:
        payload_type: Of RED.
        options: Of the session.
    """

    def __init__(self, payload_type: int, options: RtpOptions) -> None:
        self._payload_type = payload_type
        self._options = options
        self._level = LossLevel(options.red_loss)
        self._sender = RedEncoder(options.red)

    @property
    def overhead(self) -> float:
        """How much is added, as a part of what there is without."""
        return float(self._options.red.redundancy) if self._level.is_lossy else 0.0

    def set_loss(self, fraction: float, covered: float = 1.0) -> None:
        """Update the loss from a report of the peer; see :meth:`LossLevel.note`."""
        self._level.note(fraction, covered)

    def wrap(self, packet: RtpPacket, timestamp: int) -> RtpPacket:
        """Return what to send for a packet, whose unwrapped timestamp is given."""
        if not self._level.is_lossy:
            # What was sent before must not count as the packet just before the next redundant one.
            self._sender = RedEncoder(self._options.red)
            return packet
        payload = self._sender.wrap(timestamp, packet.payload_type, packet.payload)
        return _with_payload(packet, self._payload_type, payload)


class VideoProtection:
    """Makes repair packets for a stream of video: FlexFEC where it has a source of its own, else ULPFEC in RED.

    Args:
        parameters: What was negotiated for the section.
        encoding: The stream.
        media: The codec of the stream.
        options: Of the session.
        numbers: The sequence numbers of our sources.

    Attributes:
        factor: Repair packets for each media packet at present.
        copies: How often a retransmission is sent at present.
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
        self._stamper = PacketSerializer(extensions)
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
        """Update the protection from a report of the peer; see :meth:`LossLevel.note`."""
        self._level.note(fraction, covered)
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
        """Whether there can be repair packets at all."""
        return self._encoder is not None

    @property
    def in_band(self) -> bool:
        """Whether repair packets take sequence numbers of the media."""
        return self.ssrc is None

    def protect(self, packets: list[RtpPacket]) -> list[bytes]:
        """Return the payloads of the repair packets to send behind the packets of a frame."""
        encoder = self._encoder
        if encoder is None or not self.factor:
            return []
        repairs: list[bytes] = []
        for packet in packets:
            repairs += encoder.protect(self._stamper.blank(packet), marker=packet.marker)
        return repairs

    def wrap(self, packet: RtpPacket) -> RtpPacket:
        """Return a media packet as it is sent while the stream is protected: in RED, if ULPFEC protects it."""
        if self.red is None or not self.in_band or not self.factor:
            return packet
        return _with_payload(packet, self.red, bytes([packet.payload_type]) + packet.payload)

    def is_repair(self, packet: RtpPacket) -> bool:
        """Return whether a packet as it is sent is a repair packet."""
        if packet.ssrc == self.ssrc:
            return True
        return self.red == packet.payload_type and packet.payload[:1] != bytes([self._media])

    def unwrap(self, packet: RtpPacket) -> RtpPacket | None:
        """Return the media packet in RED; ``None`` for a repair packet."""
        if packet.payload[:1] != bytes([self._media]):
            return None
        return _with_payload(packet, self._media, packet.payload[1:])

    def repair_packet(
        self, payload: bytes, number: int, like: RtpPacket, names: tuple[tuple[int, bytes], ...]
    ) -> RtpPacket:
        """Return a repair packet.

        Args:
            payload: As ``protect`` has it.
            number: Its sequence number, where it is one of the media's.
            like: The last media packet before it.
            names: Header extension elements that say where it belongs.
        """
        if self.ssrc is not None and self._flexfec is not None:
            number = self._numbers.of(self.ssrc).take()
            return RtpPacket(
                self._flexfec, number & 0xFFFF, like.timestamp, self.ssrc, payload, extensions=names
            )
        assert self.red is not None
        assert self._ulpfec is not None
        in_red = bytes([self._ulpfec]) + payload
        return RtpPacket(self.red, number & 0xFFFF, like.timestamp, like.ssrc, in_red, extensions=names)


def _fits_retransmission(parameters: SendParameters, media: Codec) -> bool:
    """Return whether a lost repair packet, which leaves a hole among the media's numbers, can be sent again."""
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
