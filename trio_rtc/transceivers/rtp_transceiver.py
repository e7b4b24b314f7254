"""RTCRtpTransceiver: a sender and a receiver that share a media section (W3C webrtc section 5.4)."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from trio_rtc._closed_errors import mark_connection_ended
from trio_rtc.enums import RTCRtpTransceiverDirection, member_of
from trio_rtc.errors import InvalidModificationError, InvalidStateError
from trio_rtc.jsep.extensions import HeaderExtension
from trio_rtc.jsep.opus import OpusParameters
from trio_rtc.tracks.media_stream import MediaStream
from trio_rtc.tracks.media_stream_track import MediaStreamTrack

from .capabilities import OFFERED, capabilities_of
from .rtp_parameters import RTCRtpCodec, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability
from .rtp_receiver import RTCRtpReceiver
from .rtp_sender import RTCRtpSender

_MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"
_REPAIR = frozenset({"rtx", "red", "ulpfec", "flexfec-03", "cn", "telephone-event"})


class TransceiverCarrier(Protocol):
    """What a transceiver needs of its peer connection."""

    def is_closed(self) -> bool:
        """Whether the connection is closed."""

    def update_negotiation_need(self) -> None:
        """Look again whether negotiation is needed."""


class RTCRtpTransceiver:
    """A sender and a receiver in one media section. Made by ``add_transceiver``, ``add_track`` or an offer."""

    def __init__(
        self,
        key: int,
        kind: str,
        sender: RTCRtpSender,
        receiver: RTCRtpReceiver,
        *,
        direction: RTCRtpTransceiverDirection,
        carrier: TransceiverCarrier,
        opus: OpusParameters,
        by_add_track: bool = False,
    ) -> None:
        self._key = key
        self._kind = kind
        self._sender = sender
        self._receiver = receiver
        self._direction = direction
        self._carrier = carrier
        self._mid: str | None = None
        self._current_direction: RTCRtpTransceiverDirection | None = None
        self._stopping = False
        self._stopped = False
        self._default_opus = opus
        self._opus: OpusParameters | None = None
        self._preferred: tuple[RTCRtpCodec, ...] = ()
        self._remote_streams: tuple[MediaStream, ...] = ()
        # Of the stream that the peer's track is in while the peer says nothing about streams.
        self._default_stream_id: str | None = None
        # W3C's [[FiredDirection]]: what track events have told.
        self._fired_direction: RTCRtpTransceiverDirection | None = None
        self._by_add_track = by_add_track
        self._reused_by_add_track = False
        # What a simulcast that the peer has offered to receive has replaced, until that is settled.
        self._encodings_before: list[RTCRtpEncodingParameters] | None = None
        self._header_extensions = {each.uri: each.direction for each in OFFERED.of(kind).header_extensions}
        self._negotiated_extensions: dict[str, RTCRtpTransceiverDirection] = {}

    @property
    def mid(self) -> str | None:
        """The name of the media section; ``None`` before the first negotiation."""
        return self._mid

    @property
    def sender(self) -> RTCRtpSender:
        """What sends."""
        return self._sender

    @property
    def receiver(self) -> RTCRtpReceiver:
        """What receives."""
        return self._receiver

    @property
    def direction(self) -> RTCRtpTransceiverDirection:
        """What the next description is to say; setting it needs negotiation.

        Raises:
            InvalidStateError: Setting: the connection is closed, or the transceiver was stopped.
            TypeError: Setting: there is no such direction, or it is ``"stopped"``.
        """
        return RTCRtpTransceiverDirection.STOPPED if self._stopping else self._direction

    @direction.setter
    def direction(self, direction: RTCRtpTransceiverDirection | str) -> None:
        wanted = member_of(RTCRtpTransceiverDirection, direction)
        if self._carrier.is_closed():
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))
        if self._stopping:
            raise InvalidStateError("the transceiver was stopped")
        if wanted is self._direction:
            return
        if wanted is RTCRtpTransceiverDirection.STOPPED:
            raise TypeError(
                "direction must be 'sendrecv', 'sendonly', 'recvonly' or 'inactive', not 'stopped'; call stop()"
            )
        self._direction = wanted
        self._carrier.update_negotiation_need()

    @property
    def current_direction(self) -> RTCRtpTransceiverDirection | None:
        """What was negotiated; ``None`` before, ``"stopped"`` after the end."""
        return RTCRtpTransceiverDirection.STOPPED if self._stopped else self._current_direction

    @property
    def stopped(self) -> bool:
        """Obsolete: whether the transceiver was stopped."""
        return self._stopped

    def stop(self) -> None:
        """End sending and receiving for good; the peer hears of it with the next negotiation. Idempotent.

        Raises:
            InvalidStateError: The connection is closed.
        """
        if self._carrier.is_closed():
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))
        if not self._stopping:
            self._stop_sending_and_receiving()
            self._receiver._end_later()
            self._carrier.update_negotiation_need()

    def set_codec_preferences(self, codecs: Sequence[RTCRtpCodec]) -> None:
        """Choose codecs and their order for the next negotiation; an empty list goes back to the default.

        Raises:
            InvalidModificationError: One cannot be used, or there is none left that carries media.
        """
        capabilities = capabilities_of(self._kind)
        assert capabilities is not None
        chosen: list[RTCRtpCodec] = []
        for codec in codecs:
            if not any(codec.matches(known) for known in capabilities.codecs):
                raise InvalidModificationError(
                    f"{codec.mime_type} with these parameters is not supported"
                    + ("; set_opus_parameters chooses them" if codec.name.lower() == "opus" else "")
                )
            if not any(codec.matches(other) for other in chosen):
                chosen.append(codec)
        if chosen and all(codec.name.lower() in _REPAIR for codec in chosen):
            raise InvalidModificationError(
                "codecs must have at least one that carries media, not only "
                f"{[codec.mime_type for codec in chosen]}"
            )
        self._preferred = tuple(chosen)

    @property
    def opus_parameters(self) -> OpusParameters:
        """How we want to receive Opus: what ``set_opus_parameters`` chose, else ``Settings.opus``."""
        return self._opus or self._default_opus

    def set_opus_parameters(self, parameters: OpusParameters | None) -> None:
        """Choose how we want to receive Opus, for the next negotiation. Not W3C's.

        Args:
            parameters: What the peer's encoder is asked for; ``None`` goes back to ``Settings.opus``.

        Raises:
            InvalidModificationError: It is a transceiver of video.
            TypeError: ``parameters`` are no ``OpusParameters``.
        """
        if parameters is not None and not isinstance(parameters, OpusParameters):
            raise TypeError(f"set_opus_parameters takes OpusParameters or None, not {parameters!r}")
        if self._kind != "audio":
            raise InvalidModificationError("a transceiver of video has no parameters of Opus")
        self._opus = parameters

    def get_header_extensions_to_negotiate(self) -> list[RTCRtpHeaderExtensionCapability]:
        """Return the header extensions that the next offer or answer speaks of (W3C webrtc-extensions section 5.2)."""
        return [RTCRtpHeaderExtensionCapability(*each) for each in self._header_extensions.items()]

    def set_header_extensions_to_negotiate(
        self, extensions: Sequence[RTCRtpHeaderExtensionCapability]
    ) -> None:
        """Choose header extensions for the next negotiation: those of direction ``"stopped"`` are left out.

        Args:
            extensions: All of those that ``get_header_extensions_to_negotiate`` returns, in the same order.

        Raises:
            InvalidModificationError: There are others, or one is left out that the connection cannot do without.
            TypeError: There is no such direction.
        """
        uris = [each.uri for each in extensions]
        if uris != list(self._header_extensions):
            missing = [uri for uri in self._header_extensions if uri not in uris]
            unknown = [uri for uri in uris if uri not in self._header_extensions]
            raise InvalidModificationError(
                "extensions must have the URIs of get_header_extensions_to_negotiate() in the same order; "
                f"missing: {missing}, unknown: {unknown}"
            )
        chosen = {each.uri: member_of(RTCRtpTransceiverDirection, each.direction) for each in extensions}
        if chosen.get(_MID_EXTENSION) is not RTCRtpTransceiverDirection.SENDRECV:
            raise InvalidModificationError(
                f"the direction of {_MID_EXTENSION} must be 'sendrecv', not {chosen.get(_MID_EXTENSION)!s:.20}"
            )
        self._header_extensions = chosen

    def get_negotiated_header_extensions(self) -> list[RTCRtpHeaderExtensionCapability]:
        """Return the header extensions with the directions that were negotiated, ``"stopped"`` for not at all."""
        stopped = RTCRtpTransceiverDirection.STOPPED
        return [
            RTCRtpHeaderExtensionCapability(uri, self._negotiated_extensions.get(uri, stopped))
            for uri in self._header_extensions
        ]

    # -- what the peer connection tells ------------------------------------------------------------------------

    @property
    def _fired_receiving(self) -> bool:
        """Whether a track event has told that the peer sends."""
        return self._fired_direction is not None and self._fired_direction.receives

    def _extensions_to_negotiate(self) -> tuple[HeaderExtension, ...]:
        """Return the header extensions for the session."""
        chosen = self._header_extensions
        return tuple(
            HeaderExtension(each.uri, each.id, chosen[each.uri])
            for each in OFFERED.of(self._kind).header_extensions
            if chosen[each.uri] is not RTCRtpTransceiverDirection.STOPPED
        )

    def _stop_sending_and_receiving(self) -> None:
        self._stopping = True
        self._direction = RTCRtpTransceiverDirection.INACTIVE
        self._sender._stop()

    def _become_stopped(self) -> None:
        """The end was negotiated, or the connection is closed. The receiver's track ends with the events for that."""
        if not self._stopping:
            self._stop_sending_and_receiving()
        self._stopped = True
        self._current_direction = None


@attrs.frozen
class RTCTrackEvent:
    """The peer has begun to send a track (W3C webrtc section 5.7).

    Attributes:
        receiver: What receives it.
        track: The track.
        streams: The streams that it belongs to.
        transceiver: The transceiver of the receiver.
    """

    type: str
    target: object
    receiver: RTCRtpReceiver
    track: MediaStreamTrack
    streams: tuple[MediaStream, ...]
    transceiver: RTCRtpTransceiver
