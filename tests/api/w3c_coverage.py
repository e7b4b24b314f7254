"""W3C's members in this version, and the reasons for missing ones, for the test and the documentation.

All members of the WebIDL file that are not listed here must exist.
"""

from collections.abc import Iterator
from enum import StrEnum

import attrs

from tests.api.webidl import WEBIDL_FILES, Definition, parse
from trio_rtc._strict_names.spelling import python_name


class Status(StrEnum):
    """Availability of a member."""

    PRESENT = "yes"
    NOT_KNOWN = "no: not measured"


@attrs.frozen
class Member:
    """A member of an interface or dictionary under both of its names."""

    definition: str
    idl_name: str
    python_name: str
    status: Status


_CONGESTION_MARKS = {
    "packetsReceivedWithEct1",
    "packetsReceivedWithCe",
    "packetsReportedAsLost",
    "packetsReportedAsLostButRecovered",
}

NOT_KNOWN = {
    "RTCInboundRtpStreamStats": _CONGESTION_MARKS
    | {
        # only a player knows them
        "framesRendered",
        "estimatedPlayoutTimestamp",
        "playoutId",
        # no decoder reports them
        "powerEfficientDecoder",
        "totalCorruptionProbability",
        "totalSquaredCorruptionProbability",
        "corruptionMeasurements",
    },
    "RTCRemoteInboundRtpStreamStats": _CONGESTION_MARKS
    | {"packetsReceived", "packetsWithBleachedEct1Marking"},
    "RTCOutboundRtpStreamStats": {
        "psnrSum",
        "psnrMeasurements",
        "powerEfficientEncoder",
        "scalabilityMode",
        "packetsSentWithEct1",
    },
    "RTCAudioSourceStats": {"echoReturnLoss", "echoReturnLossEnhancement"},
    "RTCIceCandidatePairStats": {
        "availableIncomingBitrate",
        "packetsDiscardedOnSend",
        "bytesDiscardedOnSend",
    },
    "RTCCertificateStats": {"issuerCertificateId"},
}
"""Statistics without a source here, by dictionary. W3C leaves out unknown ones, too."""

KEYWORDS_OF = {
    "RTCIdentityProviderOptions": "RTCPeerConnection.set_identity_provider",
    "RTCOfferOptions": "RTCPeerConnection.create_offer",
    "RTCRtpTransceiverInit": "RTCPeerConnection.add_transceiver",
    "RTCSetParameterOptions": "RTCRtpSender.set_parameters",
    "RTCDataChannelInit": "RTCPeerConnection.create_data_channel",
    "RTCSessionDescriptionInit": "RTCSessionDescription",
    "RTCLocalSessionDescriptionInit": "RTCSessionDescription",
    "RTCIceCandidateInit": "RTCIceCandidate",
    "RTCLocalIceCandidateInit": "RTCIceCandidate",
    "RTCPeerConnectionIceEventInit": "RTCPeerConnectionIceEvent",
    "RTCPeerConnectionIceErrorEventInit": "RTCPeerConnectionIceErrorEvent",
    "RTCDataChannelEventInit": "RTCDataChannelEvent",
    "RTCErrorEventInit": "RTCErrorEvent",
    "RTCTrackEventInit": "RTCTrackEvent",
    "RTCDTMFToneChangeEventInit": "RTCDTMFToneChangeEvent",
    "MediaStreamTrackEventInit": "MediaStreamTrackEvent",
    "MediaStreamEventInit": "MediaStreamEvent",
    "RTCErrorInit": "RTCError",
}
"""Dictionaries without a class in Python: their members are keywords of a method or constructor."""

MAPPINGS = {"RTCCertificateExpiration", "MediaTrackConstraintSet", "MediaTrackConstraints"}
"""Dictionaries that are mappings in Python: WebCrypto's AlgorithmIdentifier has any key, and so have constraints."""

_ONE_METHOD = "one method has both forms, so callbacks are optional"
_LISTENERS = "a handler of one argument, and `once` as a keyword"
_EVENTS = "required: events are created by their objects"

DIFFERING_ARGUMENTS = {
    "RTCPeerConnection.createAnswer.options": "the dictionary has no members",
    "RTCPeerConnection.createOffer.successCallback": _ONE_METHOD,
    "RTCPeerConnection.createOffer.failureCallback": _ONE_METHOD,
    "RTCPeerConnection.createAnswer.successCallback": _ONE_METHOD,
    "RTCPeerConnection.createAnswer.failureCallback": _ONE_METHOD,
    "RTCPeerConnection.setLocalDescription.description": _ONE_METHOD,
    "RTCPeerConnection.setLocalDescription.successCallback": _ONE_METHOD,
    "RTCPeerConnection.setLocalDescription.failureCallback": _ONE_METHOD,
    "RTCPeerConnection.setRemoteDescription.successCallback": _ONE_METHOD,
    "RTCPeerConnection.setRemoteDescription.failureCallback": _ONE_METHOD,
    "RTCPeerConnection.addIceCandidate.candidate": _ONE_METHOD,
    "RTCPeerConnection.addIceCandidate.successCallback": _ONE_METHOD,
    "RTCPeerConnection.addIceCandidate.failureCallback": _ONE_METHOD,
    "RTCPeerConnection.generateCertificate.keygenAlgorithm": "`key_generation_algorithm`, optional: ECDSA",
    "RTCRtpSender.replaceTrack.withTrack": "`track`, as in `add_track`",
    "EventTarget.addEventListener.type": _LISTENERS,
    "EventTarget.addEventListener.callback": _LISTENERS,
    "EventTarget.addEventListener.options": _LISTENERS,
    "EventTarget.removeEventListener.type": _LISTENERS,
    "EventTarget.removeEventListener.callback": _LISTENERS,
    "EventTarget.removeEventListener.options": _LISTENERS,
}
"""Arguments that differ in name, or in whether they are optional, with the reason."""

DIFFERING_DEFAULTS = {
    "MediaStreamEventInit.stream": _EVENTS,
    "RTCTrackEventInit.streams": _EVENTS,
    "RTCDTMFToneChangeEventInit.tone": _EVENTS,
}
"""Members of dictionaries with another default, with the reason."""

BASES = {
    "RTCRtpParameters",
    "RTCRtpCodingParameters",
    "RTCStats",
    "RTCRtpStreamStats",
    "RTCReceivedRtpStreamStats",
    "RTCSentRtpStreamStats",
    "RTCMediaSourceStats",
}
"""Dictionaries that are only bases: their members are in the derived classes."""


def definitions() -> dict[str, Definition]:
    """Return the definitions of all WebIDL files, with inherited members."""
    parsed = parse("\n".join(path.read_text(encoding="utf-8") for path in WEBIDL_FILES))

    def all_members(definition: Definition) -> tuple[str, ...]:
        inherited = all_members(parsed[definition.parent]) if definition.parent in BASES else ()
        return (*inherited, *definition.members)

    return {
        name: attrs.evolve(definition, members=all_members(definition))
        for name, definition in parsed.items()
        if name not in BASES
    }


def members(definition: Definition) -> Iterator[Member]:
    """Return the definition's own members under their rule-given names."""
    for idl_name in definition.members:
        status = Status.PRESENT
        if idl_name in NOT_KNOWN.get(definition.name, ()):
            status = Status.NOT_KNOWN
        yield Member(definition.name, idl_name, python_name(idl_name), status)
