"""Local contents of a section of audio or video."""

import re
from typing import Literal

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.rtp import Codec, Encoding

from .extensions import HeaderExtension

MediaKind = Literal["audio", "video"]

# Text in a description must not contain separators or line breaks.
_WORD = re.compile(r"[!-~]{1,255}")
# RFC 8851 section 10, as RFC 8852 section 3.3 narrows it for header extensions.
_RID = re.compile(r"[0-9A-Za-z_-]{1,255}")


def _word(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if value and _WORD.fullmatch(value) is None:
        raise ValueError(f"{attribute.name} must be at most 255 visible ASCII characters, not {value!r}")


def _words(_: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: tuple[str, ...]) -> None:
    for each in value:
        if _WORD.fullmatch(each) is None:
            raise ValueError(f"{attribute.name} must be 1 to 255 visible ASCII characters each, not {each!r}")


def _rids(_: object, __: object, value: tuple[Encoding, ...]) -> None:
    for each in value:
        if each.rid is not None and _RID.fullmatch(each.rid) is None:
            raise ValueError(f"rid {each.rid!r} must be 1 to 255 letters, digits, '-' or '_'")


@attrs.frozen
class LocalTransceiver:
    """The members of a transceiver that a session uses.

    Attributes:
        key: Opaque identifier, returned in plans.
        kind: ``"audio"`` or ``"video"``.
        direction: The preferred direction: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``.
        codecs: Codecs that can be negotiated, in the order of preference. One ``rtx`` means retransmission of every
            codec in the list, one ``red`` of audio the redundancy of Opus.
        mid: The associated section, ``None`` without one.
        stopping: Whether ``stop`` was called and is not negotiated yet.
        stopped: Whether it is stopped.
        header_extensions: Header extensions that can be negotiated.
        stream_ids: The streams of its track.
        track_id: The track's id in ``a=msid``.
        encodings: The streams that it sends; several with rids are the layers of a simulcast. A single one has its
            SSRCs announced.
        cname: The canonical name of its SSRCs (RFC 3550 section 6.5.1).
        codecs_preferred: Whether the application chose the order of ``codecs`` (``set_codec_preferences``), which
            then precedes the offer's order in an answer, and the negotiated order in a subsequent offer.
        added_by_track: Whether ``add_track`` created or used it: then a section of a remote offer may be associated
            with it.
        has_sent: Whether it has sent: then its SSRCs stay announced while it does not send. Chromium does not render an
            SSRC that was removed and added again.
        any_profile: Whether an answer accepts other profiles than those in ``codecs``, because nothing is decoded.
        ptime: Preferred milliseconds of audio per packet, ``None`` to leave it to the peer.
    """

    key: int
    kind: MediaKind
    direction: RTCRtpTransceiverDirection
    codecs: tuple[Codec, ...]
    mid: str | None = None
    stopping: bool = False
    stopped: bool = False
    header_extensions: tuple[HeaderExtension, ...] = ()
    stream_ids: tuple[str, ...] = attrs.field(default=(), validator=_words)
    track_id: str = attrs.field(default="", validator=_word)
    encodings: tuple[Encoding, ...] = attrs.field(default=(), validator=_rids)
    cname: str = attrs.field(default="", validator=_word)
    codecs_preferred: bool = False
    added_by_track: bool = False
    has_sent: bool = False
    any_profile: bool = False
    ptime: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is neither stopping nor stopped."""
        return not (self.stopping or self.stopped or self.direction is RTCRtpTransceiverDirection.STOPPED)

    @property
    def simulcast(self) -> tuple[Encoding, ...]:
        """The layers of its simulcast, ``()`` for a single stream."""
        layers = tuple(encoding for encoding in self.encodings if encoding.rid is not None)
        return layers if len(layers) > 1 else ()
