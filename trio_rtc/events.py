"""Events of W3C's interfaces. ``type`` is the event's name in snake_case, ``target`` its object.

Events with a track, stream, transceiver or channel are in the module of that class.
"""

from typing import TYPE_CHECKING

from trio_rtc import _attrs as attrs

from ._strict_names.checks import strict_class
from .errors import RTCError

if TYPE_CHECKING:
    from .descriptions import RTCIceCandidate


@strict_class
@attrs.frozen
class Event:
    """An event without further data (a change of state, an open channel)."""

    type: str
    target: object


@strict_class
@attrs.frozen
class RTCPeerConnectionIceEvent:
    """A local candidate was gathered (W3C webrtc section 4.8.2).

    Attributes:
        candidate: The candidate; with ``candidate`` ``""`` the end of an ICE generation, ``None`` the end of gathering.
        url: The STUN or TURN server that provided it; ``None`` for host candidates.
    """

    type: str
    target: object
    candidate: "RTCIceCandidate | None"
    url: str | None = None


@strict_class
@attrs.frozen
class RTCPeerConnectionIceErrorEvent:
    """An ICE server could not be used (W3C webrtc section 4.8.3).

    Attributes:
        address: The local address of the request, or ``None``.
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


@strict_class
@attrs.frozen
class MessageEvent:
    """A message has arrived on a data channel: ``str`` or ``bytes``."""

    type: str
    target: object
    data: str | bytes


@strict_class
@attrs.frozen
class RTCErrorEvent:
    """A transport or channel has failed (W3C webrtc section 11.3)."""

    type: str
    target: object
    error: RTCError


@strict_class
@attrs.frozen
class RTCDTMFToneChangeEvent:
    """A tone begins to play; ``""`` when all have been played (W3C webrtc section 7.3)."""

    type: str
    target: object
    tone: str
