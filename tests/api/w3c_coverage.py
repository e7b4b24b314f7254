"""W3C's members in this version, and the reasons for missing ones, for the test and the documentation.

All members of the WebIDL files that are not listed here must exist. The repository's files have W3C's definitions as
far as they apply; ``nox -s webidl`` compares them with W3C's own.
"""

from collections.abc import Iterator
from enum import StrEnum

import attrs

from tests.api.webidl import WEBIDL_FILES, Definition, parse
from trio_rtc._strict_names.spelling import python_name


class Status(StrEnum):
    """Availability of a member."""

    PRESENT = "yes"
    NOT_KNOWN = "no"


@attrs.frozen
class Member:
    """A member of an interface or dictionary under both of its names, with the reason if it does not exist."""

    definition: str
    idl_name: str
    python_name: str
    status: Status
    reason: str = ""


_ECN = "the ECN bits of received datagrams are not read, and none are set"
_LOSS_REPORTS = "RFC 8888 reports are not counted by stream"
_DECODERS = "no decoder or encoder reports it"
_PLAYOUT = "the application plays audio, on no device of this package"

_RECEIVED = {
    "packetsReceivedWithEct1": _ECN,
    "packetsReceivedWithCe": _ECN,
    "packetsReportedAsLost": _LOSS_REPORTS,
    "packetsReportedAsLostButRecovered": _LOSS_REPORTS,
}

NOT_KNOWN = {
    "RTCInboundRtpStreamStats": {
        **_RECEIVED,
        "estimatedPlayoutTimestamp": _PLAYOUT,
        "playoutId": _PLAYOUT,
        "powerEfficientDecoder": _DECODERS,
        "totalCorruptionProbability": "corruption detection is not implemented",
        "totalSquaredCorruptionProbability": "corruption detection is not implemented",
        "corruptionMeasurements": "corruption detection is not implemented",
    },
    "RTCRemoteInboundRtpStreamStats": {**_RECEIVED, "packetsWithBleachedEct1Marking": _ECN},
    "RTCOutboundRtpStreamStats": {
        "psnrSum": _DECODERS,
        "psnrMeasurements": _DECODERS,
        "powerEfficientEncoder": _DECODERS,
        "packetsSentWithEct1": _ECN,
    },
    "RTCAudioSourceStats": {
        "echoReturnLoss": "exists only for a microphone with echo cancellation",
        "echoReturnLossEnhancement": "exists only for a microphone with echo cancellation",
    },
    "RTCCertificateStats": {"issuerCertificateId": "exists only for chains; certificates are self-signed"},
}
"""Statistics without a source here, by dictionary, with the reason. W3C leaves out unknown ones, too."""

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

_DEVICES = "capture devices are the application's, which sends their frames into a track"
_PAGE = "an element of a page"
_SFRAME = "SFrame (RFC 9605): ciphers and keys are the application's, in a transform"
_WORKER = "there are no workers: a transform is an asynchronous function"
_FRAMES = "`EncodedFrame`, whose attributes are the metadata; `attrs.evolve` copies it with changes"
_UNKNOWN = "not known where frames are transformed"
_STANDALONE_ICE = "ICE without a connection is `trio_rtc.protocols.ice`"
_SCOPE = "providers are registered by domain and protocol in `IdentityOptions`"

LEFT_OUT = {
    "CameraDevicePermissionDescriptor": _DEVICES,
    "ConstrainBooleanOrDOMStringParameters": "a constraint is a mapping",
    "ConstrainBooleanParameters": "a constraint is a mapping",
    "ConstrainDOMStringParameters": "a constraint is a mapping",
    "ConstrainDoubleRange": "a constraint is a mapping",
    "ConstrainULongRange": "a constraint is a mapping",
    "DeviceChangeEvent": _DEVICES,
    "DeviceChangeEventInit": _DEVICES,
    "DoubleRange": "no capability of a track is a range: its source is not a device",
    "EchoCancellationModeEnum": _DEVICES,
    "GetUserMediaSemantics": _DEVICES,
    "InputDeviceInfo": _DEVICES,
    "MediaDeviceInfo": _DEVICES,
    "MediaDeviceKind": _DEVICES,
    "MediaDevices": _DEVICES,
    "MediaStreamConstraints": _DEVICES,
    "MediaTrackSupportedConstraints": _DEVICES,
    "Navigator": _DEVICES,
    "OverconstrainedError": "raised only by `getUserMedia` and by devices, which alone restrict settings",
    "ULongRange": "no capability of a track is a range: its source is not a device",
    "VideoFacingModeEnum": _DEVICES,
    "VideoResizeModeEnum": _DEVICES,
    "BackgroundBlur": _DEVICES,
    "HTMLCameraElement": _PAGE,
    "HTMLMediaStreamConstraints": _PAGE,
    "HTMLMicrophoneElement": _PAGE,
    "HTMLUserMediaElement": _PAGE,
    "HumanFaceDetectionModeEnum": _DEVICES,
    "MediaEffectInfo": _DEVICES,
    "MediaStreamTrack.onconfigurationchange": _DEVICES,
    "MediaStreamTrack.stats": "of a device; `dropped_frames` counts what a consumer has missed",
    "MediaStreamTrackAudioStats": _DEVICES,
    "MediaStreamTrackVideoStats": _DEVICES,
    "Segment": _DEVICES,
    "SegmentType": _DEVICES,
    "VideoFrameMetadata": _DEVICES,
    "DedicatedWorkerGlobalScope": _WORKER,
    "KeyFrameRequestEvent": "`RTCRtpSender.keyframe_requests`",
    "RTCEncodedAudioFrame": _FRAMES,
    "RTCEncodedAudioFrameMetadata": _FRAMES,
    "RTCEncodedAudioFrameOptions": _FRAMES,
    "RTCEncodedFrameMetadata": _FRAMES,
    "RTCEncodedVideoFrame": _FRAMES,
    "RTCEncodedVideoFrameMetadata": _FRAMES,
    "RTCEncodedVideoFrameOptions": _FRAMES,
    "RTCEncodedAudioFrame.data": "`EncodedFrame.payload`",
    "RTCEncodedVideoFrame.data": "`EncodedFrame.payload`",
    "RTCEncodedVideoFrame.type": "`EncodedFrame.keyframe`",
    "RTCEncodedFrameMetadata.captureTime": "`EncodedFrame.capture_time`",
    "RTCEncodedFrameMetadata.contributingSources": "`EncodedFrame.contributing_sources`",
    "RTCEncodedFrameMetadata.mimeType": "`EncodedFrame.codec`",
    "RTCEncodedFrameMetadata.payloadType": _UNKNOWN,
    "RTCEncodedFrameMetadata.receiveTime": "`EncodedFrame.received_at`",
    "RTCEncodedFrameMetadata.rtpTimestamp": "`EncodedFrame.timestamp`, unwrapped",
    "RTCEncodedFrameMetadata.senderCaptureTimeOffset": _UNKNOWN,
    "RTCEncodedFrameMetadata.synchronizationSource": "`EncodedFrame.ssrc`",
    "RTCEncodedAudioFrameMetadata.audioLevel": "`EncodedFrame.audio_level`",
    "RTCEncodedAudioFrameMetadata.sequenceNumber": _UNKNOWN,
    "RTCEncodedVideoFrameMetadata.dependencies": _UNKNOWN,
    "RTCEncodedVideoFrameMetadata.frameId": _UNKNOWN,
    "RTCEncodedVideoFrameMetadata.height": "`EncodedFrame.height`",
    "RTCEncodedVideoFrameMetadata.spatialIndex": "`EncodedFrame.spatial_id`",
    "RTCEncodedVideoFrameMetadata.temporalIndex": "`EncodedFrame.temporal_id`",
    "RTCEncodedVideoFrameMetadata.timestamp": "`EncodedFrame.timestamp`, in units of `clock_rate`",
    "RTCEncodedVideoFrameMetadata.width": "`EncodedFrame.width`",
    "RTCRtpSFrameDecryptor": _SFRAME,
    "RTCRtpSFrameEncryptor": _SFRAME,
    "RTCRtpSFrameEncryptorOptions": _SFRAME,
    "RTCRtpScriptTransform": _WORKER,
    "RTCRtpScriptTransformType": _SFRAME,
    "RTCRtpScriptTransformer": "`RTCRtpSender.generate_key_frame`, `RTCRtpReceiver.send_key_frame_request`",
    "RTCTransformEvent": _WORKER,
    "SFrameCipherSuite": _SFRAME,
    "SFrameDecryptorManager": _SFRAME,
    "SFrameDecryptorStream": _SFRAME,
    "SFrameEncryptorManager": _SFRAME,
    "SFrameEncryptorStream": _SFRAME,
    "SFrameTransformErrorEvent": _SFRAME,
    "SFrameTransformErrorEventInit": _SFRAME,
    "SFrameTransformErrorEventType": _SFRAME,
    "SFrameTransformOptions": _SFRAME,
    "SFrameType": _SFRAME,
    "WorkerAndParameters": _WORKER,
    "RTCIceGatherOptions": _STANDALONE_ICE,
    "RTCIceParameters.iceLite": _STANDALONE_ICE,
    "RTCIceTransport.addRemoteCandidate": _STANDALONE_ICE,
    "RTCIceTransport.constructor": _STANDALONE_ICE,
    "RTCIceTransport.gather": _STANDALONE_ICE,
    "RTCIceTransport.onerror": _STANDALONE_ICE,
    "RTCIceTransport.onicecandidate": _STANDALONE_ICE,
    "RTCIceTransport.start": _STANDALONE_ICE,
    "RTCIceTransport.stop": _STANDALONE_ICE,
    "RTCIdentityProviderGlobalScope": _SCOPE,
    "RTCIdentityProviderRegistrar": _SCOPE,
    "RTCAudioPlayoutStats": _PLAYOUT,
    **{
        f"{dictionary}.{member}": _DEVICES
        for member in (
            "backgroundSegmentationMask",
            "eyeGazeCorrection",
            "faceFraming",
            "gestureReactions",
            "humanFaceDetectionMode",
            "powerEfficient",
            "powerEfficientPixelFormat",
            "voiceIsolation",
        )
        for dictionary in ("MediaTrackCapabilities", "MediaTrackConstraintSet", "MediaTrackSettings")
        if not (member.startswith("power") and dictionary == "MediaTrackConstraintSet")
    },
}
"""Definitions and members of W3C's specifications that do not exist here, with the reason."""

_OBSOLETE = "dropped by W3C, kept by browsers"
_EXTENSIONS = "WebRTC Extensions, which the WebIDL package lacks"
_DOM = "DOM, HTML and WebSockets"

ADDED = {
    "BinaryType": _DOM,
    "EventTarget": _DOM,
    "MessageEvent": _DOM,
    "MediaStreamEvent": _OBSOLETE,
    "MediaStreamEventInit": _OBSOLETE,
    "RTCDataChannel.reliable": _OBSOLETE,
    "RTCDataChannel.stream": _OBSOLETE,
    "RTCPeerConnection.addStream": _OBSOLETE,
    "RTCPeerConnection.getLocalStreams": _OBSOLETE,
    "RTCPeerConnection.getRemoteStreams": _OBSOLETE,
    "RTCPeerConnection.getStreamById": _OBSOLETE,
    "RTCPeerConnection.onaddstream": _OBSOLETE,
    "RTCPeerConnection.onremovestream": _OBSOLETE,
    "RTCPeerConnection.removeStream": _OBSOLETE,
    "RTCRtpTransceiver.stopped": _OBSOLETE,
    "RTCEncodingOptions": _EXTENSIONS,
    "RTCRtpEncodingParameters.adaptivePtime": _EXTENSIONS,
    "RTCRtpHeaderExtensionCapability.direction": _EXTENSIONS,
    "RTCRtpTransceiver.getHeaderExtensionsToNegotiate": _EXTENSIONS,
    "RTCRtpTransceiver.getNegotiatedHeaderExtensions": _EXTENSIONS,
    "RTCRtpTransceiver.setHeaderExtensionsToNegotiate": _EXTENSIONS,
    "RTCSetParameterOptions.encodingOptions": _EXTENSIONS,
}
"""Definitions and members of the repository's WebIDL files that are in none of W3C's, with their source."""

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


def is_left_out(definition: str, member: str) -> bool:
    """Return whether a definition or a member of it does not exist here."""
    return definition in LEFT_OUT or f"{definition}.{member}" in LEFT_OUT


OWN_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in WEBIDL_FILES)


def definitions(text: str = OWN_TEXT) -> dict[str, Definition]:
    """Return the interfaces and dictionaries of WebIDL, by default the repository's, with inherited members."""
    parsed = parse(text)

    def all_members(definition: Definition) -> tuple[str, ...]:
        inherited = all_members(parsed[definition.parent]) if definition.parent in BASES else ()
        return (*inherited, *definition.members)

    return {
        name: attrs.evolve(definition, members=all_members(definition))
        for name, definition in parsed.items()
        if definition.kind != "enum" and name not in BASES
    }


def enumerations(text: str = OWN_TEXT) -> dict[str, tuple[str, ...]]:
    """Return the values of the enumerations of WebIDL, by default the repository's."""
    return {name: definition.members for name, definition in parse(text).items() if definition.kind == "enum"}


def members(definition: Definition) -> Iterator[Member]:
    """Return the definition's own members under their rule-given names."""
    for idl_name in definition.members:
        reason = NOT_KNOWN.get(definition.name, {}).get(idl_name, "")
        status = Status.NOT_KNOWN if reason else Status.PRESENT
        yield Member(definition.name, idl_name, python_name(idl_name), status, reason)
