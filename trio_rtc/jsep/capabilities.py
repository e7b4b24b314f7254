"""Default capabilities: codecs with their parameters and feedback, and header extensions, in order of preference.

Payload types are Chromium's, so that those of both sides seldom collide.
"""

from collections.abc import Mapping

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.codec import UNASSIGNED, Codec

from .extensions import HeaderExtension

AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MIXER_AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID_URI = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID_URI = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TRANSPORT_SEQUENCE_NUMBER_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ABS_SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
ABS_CAPTURE_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
PLAYOUT_DELAY_URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
VIDEO_ORIENTATION_URI = "urn:3gpp:video-orientation"

_AUDIO_FEEDBACK = ("transport-cc", "ack ccfb")
_VIDEO_FEEDBACK = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli", "ack ccfb")


@attrs.frozen
class KindCapabilities:
    """Codecs and header extensions of one kind of media."""

    codecs: tuple[Codec, ...] = ()
    header_extensions: tuple[HeaderExtension, ...] = ()


@attrs.frozen
class MediaCapabilities:
    """Capabilities for offered sections that have no transceiver yet.

    Attributes:
        audio: For audio; without codecs its sections are rejected.
        video: For video; without codecs its sections are rejected.
        any_profile: Whether other profiles than the listed ones are accepted, because nothing is decoded.
    """

    audio: KindCapabilities = KindCapabilities()
    video: KindCapabilities = KindCapabilities()
    any_profile: bool = False

    def of(self, kind: str) -> KindCapabilities:
        """Return the capabilities of a kind of section; empty ones unless it is audio or video."""
        return {"audio": self.audio, "video": self.video}.get(kind, KindCapabilities())


def _h264(profile_level_id: str, packetization_mode: int, payload_type: int) -> Codec:
    return _video(
        "H264",
        payload_type,
        {
            "level-asymmetry-allowed": "1",
            "packetization-mode": str(packetization_mode),
            "profile-level-id": profile_level_id,
        },
    )


def _video(
    name: str,
    payload_type: int,
    parameters: Mapping[str, str] | None = None,
    *,
    receive_only: bool = False,
) -> Codec:
    return Codec(
        payload_type,
        name,
        90000,
        parameters=parameters or {},
        feedback=_VIDEO_FEEDBACK,
        receive_only=receive_only,
    )


AUDIO_CODECS: tuple[Codec, ...] = (
    Codec(
        111,
        "opus",
        48000,
        channels=2,
        parameters={"minptime": "10", "useinbandfec": "1"},
        feedback=_AUDIO_FEEDBACK,
    ),
    Codec(63, "red", 48000, channels=2),
    Codec(9, "G722", 8000, feedback=_AUDIO_FEEDBACK),
    Codec(0, "PCMU", 8000, feedback=_AUDIO_FEEDBACK),
    Codec(8, "PCMA", 8000, feedback=_AUDIO_FEEDBACK),
    Codec(13, "CN", 8000),
    Codec(110, "telephone-event", 48000, parameters={"": "0-15"}),
    Codec(126, "telephone-event", 8000, parameters={"": "0-15"}),
)
"""Opus with its redundancy, the codecs of the telephone network, comfort noise and DTMF."""

_VP9_PROFILES = ((100, "2"), (51, "1"), (53, "3"))
VIDEO_CODECS: tuple[Codec, ...] = (
    _video("VP8", 96),
    _h264("42e01f", 1, 108),
    _h264("42e01f", 0, 114),
    _h264("42001f", 1, 102),
    _h264("42001f", 0, 104),
    # Decoders of these also decode constrained baseline, which the encoders here produce.
    _h264("4d001f", 1, 116),
    _h264("4d001f", 0, 39),
    _h264("640c1f", 1, 106),
    _h264("640c1f", 0, 43),
    _h264("64001f", 1, 112),
    _h264("64001f", 0, 41),
    _video("AV1", 45, {"level-idx": "5", "profile": "0", "tier": "0"}),
    _video("AV1", 47, {"level-idx": "5", "profile": "1", "tier": "0"}, receive_only=True),
    _video("VP9", 98, {"profile-id": "0"}),
    *(_video("VP9", number, {"profile-id": profile}, receive_only=True) for number, profile in _VP9_PROFILES),
    _video("H265", 49, {"level-id": "93", "profile-id": "1", "tier-flag": "0", "tx-mode": "SRST"}),
    _video(
        "H265",
        55,
        {"level-id": "93", "profile-id": "2", "tier-flag": "0", "tx-mode": "SRST"},
        receive_only=True,
    ),
    Codec(UNASSIGNED, "rtx", 90000),
    Codec(118, "red", 90000),
    Codec(120, "ulpfec", 90000),
    Codec(
        35,
        "flexfec-03",
        90000,
        parameters={"repair-window": "10000000"},
        feedback=("goog-remb", "transport-cc"),
    ),
)
"""The video codecs of WebRTC, their retransmission and forward error correction."""

# The ids of libwebrtc, which applies no offer that would use one of them for another extension: not even if the offer
# collides with its own, which is rolled back. 9 is unused there.
_COMMON_EXTENSIONS = (
    HeaderExtension(ABS_SEND_TIME_URI, 2),
    HeaderExtension(TRANSPORT_SEQUENCE_NUMBER_URI, 3),
    HeaderExtension(MID_URI, 4),
    HeaderExtension(ABS_CAPTURE_TIME_URI, 12),
)
AUDIO_EXTENSIONS: tuple[HeaderExtension, ...] = (
    HeaderExtension(AUDIO_LEVEL_URI, 1),
    HeaderExtension(MIXER_AUDIO_LEVEL_URI, 9),
    *_COMMON_EXTENSIONS,
)
"""Header extensions for audio."""

VIDEO_EXTENSIONS: tuple[HeaderExtension, ...] = (
    *_COMMON_EXTENSIONS,
    HeaderExtension(VIDEO_ORIENTATION_URI, 13),
    HeaderExtension(PLAYOUT_DELAY_URI, 5),
    HeaderExtension(RID_URI, 10),
    HeaderExtension(REPAIRED_RID_URI, 11),
)
"""Header extensions for video."""

DEFAULT_CAPABILITIES = MediaCapabilities(
    KindCapabilities(AUDIO_CODECS, AUDIO_EXTENSIONS), KindCapabilities(VIDEO_CODECS, VIDEO_EXTENSIONS)
)
"""Every codec and header extension that the library can send and receive."""
