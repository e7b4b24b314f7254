"""RTCRtpTransceiver: a sender and a receiver that share a media section (W3C webrtc section 5.4)."""

from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import RTCRtpTransceiverDirection, member_of
from trio_rtc.errors import InvalidModificationError
from trio_rtc.jsep.opus import OpusParameters
from trio_rtc.tracks.media_stream import MediaStream
from trio_rtc.tracks.media_stream_track import MediaStreamTrack

from .capabilities import capabilities_of
from .rtp_parameters import RTCRtpCodec, RTCRtpHeaderExtensionCapability
from .rtp_receiver import RTCRtpReceiver
from .rtp_sender import RTCRtpSender
from .transceiver import Transceiver

_MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"
_NO_MEDIA = frozenset({"rtx", "red", "ulpfec", "flexfec-03", "cn", "telephone-event"})


@strict_class
class RTCRtpTransceiver:
    """A sender and a receiver in one media section. Created by ``add_transceiver``, ``add_track`` or an offer."""

    def __init__(self, transceiver: Transceiver) -> None:
        self._record = transceiver
        self._sender = RTCRtpSender(transceiver)
        self._receiver = RTCRtpReceiver(transceiver)

    @property
    def mid(self) -> str | None:
        """The MID of its media section; ``None`` before the first negotiation, and after it was stopped by one."""
        return None if self._record.stop_negotiated else self._record.mid

    @property
    def sender(self) -> RTCRtpSender:
        """The sender."""
        return self._sender

    @property
    def receiver(self) -> RTCRtpReceiver:
        """The receiver."""
        return self._receiver

    @property
    def direction(self) -> RTCRtpTransceiverDirection:
        """The preferred direction; a change requires negotiation.

        Raises:
            InvalidStateError: Setting: the connection is closed, or the transceiver was stopped.
            TypeError: Setting: the value is not a direction, or it is ``"stopped"``.
        """
        return RTCRtpTransceiverDirection.STOPPED if self._record.stopping else self._record.direction

    @direction.setter
    def direction(self, direction: RTCRtpTransceiverDirection | str) -> None:
        new_direction = member_of(RTCRtpTransceiverDirection, direction)
        self._record.require_live()
        if new_direction is self._record.direction:
            return
        if new_direction is RTCRtpTransceiverDirection.STOPPED:
            raise TypeError(
                "direction must be 'sendrecv', 'sendonly', 'recvonly' or 'inactive', not 'stopped'; call stop()"
            )
        self._record.direction = new_direction
        self._record.context.negotiation_needed.update()

    @property
    def current_direction(self) -> RTCRtpTransceiverDirection | None:
        """The negotiated direction; ``None`` before a negotiation, ``"stopped"`` after the end."""
        return RTCRtpTransceiverDirection.STOPPED if self._record.stopped else self._record.current_direction

    @property
    def stopped(self) -> bool:
        """Obsolete: whether the transceiver was stopped."""
        return self._record.stopped

    def stop(self) -> None:
        """End sending and receiving for good; the next negotiation signals it to the peer. Idempotent.

        Raises:
            InvalidStateError: The connection is closed.
        """
        record = self._record
        record.context.require_open()
        if not record.stopping:
            record.stop_sending_and_receiving()
            record.update_section()
            record.receive.end_later()
            record.context.negotiation_needed.update()

    def set_codec_preferences(self, codecs: Sequence[RTCRtpCodec]) -> None:
        """Set the codecs and their order for the next negotiation; an empty list restores the default.

        Raises:
            InvalidModificationError: A codec is not supported, or none of them carries media.
        """
        capabilities = capabilities_of(self._record.kind)
        assert capabilities is not None
        chosen: list[RTCRtpCodec] = []
        for codec in codecs:
            if not any(codec.matches(known) for known in capabilities.codecs):
                raise InvalidModificationError(
                    f"{codec.mime_type} with these parameters is not supported; see get_capabilities()"
                    + (
                        "; call set_opus_parameters() to request parameters of Opus"
                        if codec.name.lower() == "opus"
                        else ""
                    )
                )
            if not any(codec.matches(other) for other in chosen):
                chosen.append(codec)
        if chosen and all(codec.name.lower() in _NO_MEDIA for codec in chosen):
            raise InvalidModificationError(
                "codecs must have at least one that carries media, not only "
                f"{[codec.mime_type for codec in chosen]}"
            )
        self._record.preferred = tuple(chosen)

    @property
    def opus_parameters(self) -> OpusParameters:
        """The requested parameters of received Opus: those of ``set_opus_parameters``, else ``Settings.opus``."""
        return self._record.opus_parameters

    def set_opus_parameters(self, parameters: OpusParameters | None) -> None:
        """Request parameters of received Opus, for the next negotiation. Not W3C's.

        Args:
            parameters: The parameters requested from the peer's encoder; ``None`` restores ``Settings.opus``.

        Raises:
            InvalidModificationError: The transceiver is a video transceiver.
            TypeError: ``parameters`` is not ``OpusParameters``.
        """
        if parameters is not None and not isinstance(parameters, OpusParameters):
            raise TypeError(f"parameters must be OpusParameters or None, not {parameters!r}")
        if self._record.kind != "audio":
            raise InvalidModificationError("a video transceiver has no Opus parameters")
        self._record.opus = parameters

    def get_header_extensions_to_negotiate(self) -> list[RTCRtpHeaderExtensionCapability]:
        """Return the header extensions of the next offer or answer (W3C webrtc-extensions section 5.2)."""
        return [RTCRtpHeaderExtensionCapability(*each) for each in self._record.header_extensions.items()]

    def set_header_extensions_to_negotiate(
        self, extensions: Sequence[RTCRtpHeaderExtensionCapability]
    ) -> None:
        """Set the header extensions of the next negotiation; those of direction ``"stopped"`` are omitted.

        Args:
            extensions: All extensions that ``get_header_extensions_to_negotiate`` returns, in the same order.

        Raises:
            InvalidModificationError: The URIs differ, or a mandatory extension is stopped.
            TypeError: A direction is invalid.
        """
        uris = [each.uri for each in extensions]
        if uris != list(self._record.header_extensions):
            missing = [uri for uri in self._record.header_extensions if uri not in uris]
            unknown = [uri for uri in uris if uri not in self._record.header_extensions]
            raise InvalidModificationError(
                "extensions must have the URIs of get_header_extensions_to_negotiate() in the same order; "
                f"missing: {missing}, unknown: {unknown}"
            )
        chosen = {each.uri: member_of(RTCRtpTransceiverDirection, each.direction) for each in extensions}
        if chosen.get(_MID_EXTENSION) is not RTCRtpTransceiverDirection.SENDRECV:
            raise InvalidModificationError(
                f"the direction of {_MID_EXTENSION} must be 'sendrecv', not {chosen.get(_MID_EXTENSION)!s:.20}"
            )
        self._record.header_extensions = chosen

    def get_negotiated_header_extensions(self) -> list[RTCRtpHeaderExtensionCapability]:
        """Return the header extensions with their negotiated directions, ``"stopped"`` for those not negotiated."""
        stopped = RTCRtpTransceiverDirection.STOPPED
        return [
            RTCRtpHeaderExtensionCapability(uri, self._record.negotiated_extensions.get(uri, stopped))
            for uri in self._record.header_extensions
        ]


@strict_class
@attrs.frozen
class RTCTrackEvent:
    """Event of a track that the peer has begun to send (W3C webrtc section 5.7).

    Attributes:
        receiver: The receiver.
        track: Its track.
        streams: The streams of the track.
        transceiver: The transceiver of the receiver.
    """

    type: str
    target: object
    receiver: RTCRtpReceiver
    track: MediaStreamTrack
    streams: tuple[MediaStream, ...]
    transceiver: RTCRtpTransceiver
