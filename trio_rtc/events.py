"""The events that W3C's objects fire. ``type`` is the event's name in snake_case, ``target`` its object."""

from typing import TYPE_CHECKING

import attrs

from .errors import RTCError

if TYPE_CHECKING:
    from .data_channel import RTCDataChannel
    from .descriptions import RTCIceCandidate
    from .receiver import RTCRtpReceiver
    from .tracks import MediaStream, MediaStreamTrack
    from .transceiver import RTCRtpTransceiver


@attrs.frozen
class Event:
    """An event that says no more than that it happened (a change of state, an open channel)."""

    type: str
    target: object


@attrs.frozen
class RTCPeerConnectionIceEvent:
    """A local candidate was gathered (W3C webrtc section 4.8.2).

    Attributes:
        candidate: The candidate; one whose ``candidate`` is ``""`` ends a generation, ``None`` ends gathering.
        url: The STUN or TURN server that it came from; ``None`` for host candidates.
    """

    type: str
    target: object
    candidate: "RTCIceCandidate | None"
    url: str | None = None


@attrs.frozen
class RTCPeerConnectionIceErrorEvent:
    """An ICE server could not be used (W3C webrtc section 4.8.3).

    Attributes:
        address: The local address from which it was asked, or ``None``.
        port: The local port, or ``None``.
        url: The server.
        error_code: The STUN error code; 701 when the server could not be reached.
        error_text: The reason.
    """

    type: str
    target: object
    address: str | None
    port: int | None
    url: str
    error_code: int
    error_text: str


@attrs.frozen
class RTCDataChannelEvent:
    """The peer has created a data channel (W3C webrtc section 6.3)."""

    type: str
    target: object
    channel: "RTCDataChannel"


@attrs.frozen
class MessageEvent:
    """A message has arrived on a data channel: ``str`` or ``bytes``."""

    type: str
    target: object
    data: str | bytes


@attrs.frozen
class RTCErrorEvent:
    """A transport or channel has failed (W3C webrtc section 11.3)."""

    type: str
    target: object
    error: RTCError


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
    receiver: "RTCRtpReceiver"
    track: "MediaStreamTrack"
    streams: "tuple[MediaStream, ...]"
    transceiver: "RTCRtpTransceiver"


@attrs.frozen
class MediaStreamTrackEvent:
    """The peer has added a track to a stream, or removed it (W3C mediacapture-main section 4.2)."""

    type: str
    target: object
    track: "MediaStreamTrack"


@attrs.frozen
class MediaStreamEvent:
    """Legacy: the peer has begun or ceased to send a stream."""

    type: str
    target: object
    stream: "MediaStream"


@attrs.frozen
class RTCDTMFToneChangeEvent:
    """A tone begins to play; ``""`` when all have been played (W3C webrtc section 7.3)."""

    type: str
    target: object
    tone: str
