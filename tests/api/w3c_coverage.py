"""Which of W3C's members this version has, and why the others are missing: for the test and for the docs.

Whatever the WebIDL file has and this file does not name must be there.
"""

from collections.abc import Iterator
from enum import StrEnum

import attrs

from tests.api.webidl import Definition
from trio_rtc._names import python_name


class Status(StrEnum):
    """Whether a member is there."""

    PRESENT = "yes"
    MEDIA = "with media"
    IDENTITY = "no: WebRTC Identity"


@attrs.frozen
class Member:
    """A member of an interface or dictionary under both of its names."""

    definition: str
    idl_name: str
    python_name: str
    status: Status


MEDIA = {
    "RTCPeerConnection": {
        "getSenders",
        "getReceivers",
        "getTransceivers",
        "addTrack",
        "removeTrack",
        "addTransceiver",
        "ontrack",
        # of before there were transceivers
        "addStream",
        "removeStream",
        "getLocalStreams",
        "getRemoteStreams",
        "onaddstream",
        "onremovestream",
    },
    "RTCTrackEvent": {"receiver", "track", "streams", "transceiver"},
    "RTCOfferOptions": {"offerToReceiveAudio", "offerToReceiveVideo"},
}
"""Members of the media version, by interface."""

IDENTITY = {
    "RTCPeerConnection": {
        "setIdentityProvider",
        "getIdentityAssertion",
        "peerIdentity",
        "idpLoginUrl",
        "idpErrorInfo",
    },
}
"""Members of WebRTC Identity, by interface: only Firefox has them, and no identity provider is left to ask."""

KEYWORDS_OF = {
    "RTCOfferOptions": "RTCPeerConnection.create_offer",
    "RTCDataChannelInit": "RTCPeerConnection.create_data_channel",
    "RTCSessionDescriptionInit": "RTCSessionDescription",
    "RTCLocalSessionDescriptionInit": "RTCSessionDescription",
    "RTCIceCandidateInit": "RTCIceCandidate",
    "RTCLocalIceCandidateInit": "RTCIceCandidate",
    "RTCPeerConnectionIceEventInit": "RTCPeerConnectionIceEvent",
    "RTCPeerConnectionIceErrorEventInit": "RTCPeerConnectionIceErrorEvent",
    "RTCDataChannelEventInit": "RTCDataChannelEvent",
    "RTCErrorEventInit": "RTCErrorEvent",
    "RTCErrorInit": "RTCError",
}
"""Dictionaries that are no classes in Python: their members are keywords of a method or constructor."""

MAPPINGS = {"RTCCertificateExpiration"}
"""Dictionaries that are mappings in Python: WebCrypto's AlgorithmIdentifier has any key."""


def members(definition: Definition) -> Iterator[Member]:
    """Return the definition's own members under their rule-given names."""
    for idl_name in definition.members:
        if idl_name in MEDIA.get(definition.name, ()):
            status = Status.MEDIA
        elif idl_name in IDENTITY.get(definition.name, ()):
            status = Status.IDENTITY
        else:
            status = Status.PRESENT
        yield Member(definition.name, idl_name, python_name(idl_name), status)
