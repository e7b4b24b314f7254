"""What our side brings into a section of audio or video."""

import re
from typing import Literal

import attrs

from trio_rtc.enums import RTCRtpTransceiverDirection

from .codecs import Codec
from .extensions import HeaderExtension

MediaKind = Literal["audio", "video"]

# Whatever goes into a description must not be able to end its word or begin a new line.
_WORD = re.compile(r"[!-~]{1,255}")
# RFC 8851 section 10, as RFC 8852 section 3.3 narrows it for header extensions.
_RID = re.compile(r"[0-9A-Za-z_-]{1,255}")


def _word(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if value and _WORD.fullmatch(value) is None:
        raise ValueError(f"{attribute.name} {value!r} cannot stand in a description")


def _words(_: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: tuple[str, ...]) -> None:
    for each in value:
        if _WORD.fullmatch(each) is None:
            raise ValueError(f"{each!r} of {attribute.name} cannot stand in a description")


def _rid(_: object, __: object, value: str | None) -> None:
    if value is not None and _RID.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no rid")


@attrs.frozen
class SendEncoding:
    """One RTP stream that we send: the only one of a sender, or a layer of its simulcast.

    Attributes:
        rid: The layer's name; needed as soon as there are several.
        active: Whether it is sent; a simulcast offers the others as paused.
        ssrc: Its source, ``None`` to leave it out of the description.
        rtx_ssrc: The source of its retransmissions, ``None`` for none.
        fec_ssrc: The source of its FlexFEC packets, ``None`` for none.
    """

    rid: str | None = attrs.field(default=None, validator=_rid)
    active: bool = True
    ssrc: int | None = None
    rtx_ssrc: int | None = None
    fec_ssrc: int | None = None


@attrs.frozen
class LocalTransceiver:
    """A transceiver as the session sees it.

    Attributes:
        key: Which one it is; the session hands it back and never looks into it.
        kind: ``"audio"`` or ``"video"``.
        direction: What is wanted: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``.
        codecs: What can be negotiated, in the order of preference. One ``rtx`` stands for the retransmission of
            every codec in the list, one ``red`` of audio for the redundancy of Opus.
        mid: The section it is associated with, ``None`` for none yet.
        stopping: Whether ``stop`` was called and the peer does not know yet.
        stopped: Whether it is stopped for good.
        header_extensions: What can be negotiated.
        stream_ids: The streams that its track is announced in.
        track_id: The track's id in ``a=msid``.
        encodings: What it sends; several with rids are a simulcast.
        cname: The canonical name of our sources (RFC 3550 section 6.5.1).
        codecs_preferred: Whether the order of ``codecs`` was asked for (``set_codec_preferences``), so that an
            answer follows it instead of the offer, and a later offer instead of what was negotiated.
        added_by_track: Whether ``add_track`` created it: then an offer of the peer may take it for its section.
        has_sent: Whether it has sent: then its sources are announced on while it does not. Chromium shows nothing of a
            source that was taken back and comes again.
        any_profile: Whether an answer accepts profiles beside those in ``codecs``, because nothing is decoded.
        ptime: Milliseconds of audio that we want in a packet, ``None`` to leave it to the peer.
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
    encodings: tuple[SendEncoding, ...] = ()
    cname: str = attrs.field(default="", validator=_word)
    codecs_preferred: bool = False
    added_by_track: bool = False
    has_sent: bool = False
    any_profile: bool = False
    ptime: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether it still wants a section."""
        return not (self.stopping or self.stopped or self.direction is RTCRtpTransceiverDirection.STOPPED)

    @property
    def simulcast(self) -> tuple[SendEncoding, ...]:
        """The layers of its simulcast, ``()`` if it sends one stream."""
        layers = tuple(encoding for encoding in self.encodings if encoding.rid is not None)
        return layers if len(layers) > 1 else ()
