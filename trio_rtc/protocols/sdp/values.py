"""Grammars of the attribute values that JSEP uses (RFC 9429 section 5.8), one class or function per attribute.

``parse`` raises ``ProtocolError``; the parser of descriptions decides whether that is an error, and adds the line.
Attributes without a grammar here are kept as text and not checked. So are candidates, which ICE parses, and the
parameters of ``a=fmtp``, which the codecs parse.
"""

import re
from collections.abc import Callable, Mapping
from typing import Self

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .grammar import BLANKS, integer, token, words

# RFC 8839 section 5.4: letters, digits, "+" and "/". The other four are in use, and libwebrtc accepts them as well.
_ICE_TEXT = re.compile(r"[A-Za-z0-9+/=#_-]+")
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*")
_DIGEST_SIZES = {"md5": 16, "sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
_MILLISECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_MAX_ICE_OPTIONS = 32
SETUP_ROLES = frozenset({"active", "passive", "actpass", "holdconn"})
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


@attrs.frozen
class Group:
    """``a=group``, RFC 5888 section 5: ``BUNDLE`` (RFC 9143) or ``LS`` and its mids."""

    semantics: str
    mids: tuple[str, ...]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``BUNDLE 0 1``. The group is empty in an answer that rejects every section."""
        semantics, *mids = value.split() or [""]
        return cls(token(semantics, "group semantics"), tuple(token(mid, "mid of a group") for mid in mids))

    def to_value(self) -> str:
        """Return the attribute's value."""
        return " ".join((self.semantics, *self.mids))


@attrs.frozen
class Fingerprint:
    """``a=fingerprint``, RFC 8122 section 5.

    Attributes:
        algorithm: The hash function in lower case.
        value: The hash in upper-case hex pairs.
    """

    algorithm: str
    value: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``sha-256 AB:CD:…``; the length is checked if the hash function is known."""
        algorithm, digest = words(value, "fingerprint", minimum=2, maximum=2)
        algorithm = token(algorithm, "hash function").lower()
        if _HEX_PAIRS.fullmatch(digest) is None:
            raise ProtocolError("fingerprint must be pairs of hex digits separated by colons")
        size = (len(digest) + 1) // 3
        if size != _DIGEST_SIZES.get(algorithm, size):
            raise ProtocolError(
                f"fingerprint of {algorithm} must have {_DIGEST_SIZES[algorithm]} bytes, not {size}"
            )
        return cls(algorithm, digest.upper())

    def to_value(self) -> str:
        """Return the attribute's value."""
        return f"{self.algorithm} {self.value}"


@attrs.frozen
class SctpMap:
    """``a=sctpmap``, used by data-channel sections before RFC 8841: port, application, streams."""

    port: int
    application: str
    streams: int | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``5000 webrtc-datachannel 1024``."""
        port, application, *streams = words(value, "sctpmap", minimum=2, maximum=3)
        return cls(
            integer(port, "SCTP port", maximum=65535),
            token(application, "SCTP application"),
            integer(streams[0], "number of streams", maximum=65535) if streams else None,
        )


@attrs.frozen
class Rtcp:
    """``a=rtcp``, RFC 3605: the RTCP port and optionally its address."""

    port: int
    address: str | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``9 IN IP4 0.0.0.0`` or ``9``."""
        port, *address = words(value, "rtcp", maximum=2)
        return cls(integer(port, "RTCP port", maximum=65535), address[0] if address else None)


@attrs.frozen
class Msid:
    """``a=msid``, RFC 8830: stream id (``-`` for none) and track id, which newer offers omit."""

    stream_id: str
    track_id: str | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``stream track``."""
        stream_id, *track_id = words(value, "msid", maximum=2)
        return cls(stream_id, track_id[0] if track_id else None)


@attrs.frozen
class ExtMap:
    """``a=extmap``, RFC 8285 section 5: id, optional direction, URI, and optional extension attributes."""

    id: int
    direction: str | None
    uri: str
    attributes: str | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``8/sendonly https://…``."""
        head, uri, *attributes = words(value, "extmap", minimum=2, maximum=3)
        number, slash, direction = head.partition("/")
        if slash and direction not in DIRECTIONS:
            raise ProtocolError(f"extmap direction must be one of {', '.join(DIRECTIONS)}")
        extension_id = integer(number, "extmap id", minimum=1, maximum=4351)
        return cls(extension_id, direction or None, uri, attributes[0] if attributes else None)

    def to_value(self) -> str:
        """Return the attribute's value."""
        head = str(self.id) if self.direction is None else f"{self.id}/{self.direction}"
        return " ".join(word for word in (head, self.uri, self.attributes) if word is not None)


@attrs.frozen
class RtpMap:
    """``a=rtpmap``, RFC 8866 section 6.6. ``clock_rate`` is in Hz; ``channels`` is 1 by default."""

    payload_type: int
    encoding: str
    clock_rate: int
    channels: int

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``111 opus/48000/2``."""
        payload_type, encoding = words(value, "rtpmap", minimum=2, maximum=2)
        name, *numbers = encoding.split("/")
        if not 1 <= len(numbers) <= 2:
            raise ProtocolError("rtpmap must have an encoding, a clock rate and optionally channels")
        return cls(
            integer(payload_type, "payload type", maximum=127),
            token(name, "encoding name"),
            integer(numbers[0], "clock rate", minimum=1, maximum=2**32 - 1),
            integer(numbers[1], "channels", minimum=1, maximum=255) if len(numbers) == 2 else 1,
        )


@attrs.frozen
class Fmtp:
    """``a=fmtp``, RFC 8866 section 6.15: a format and its codec parameters as text."""

    format: str
    parameters: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``111 minptime=10;useinbandfec=1``."""
        media_format, *parameters = words(value, "fmtp", maximum=2)
        return cls(token(media_format, "format"), parameters[0] if parameters else "")


@attrs.frozen
class RtcpFeedback:
    """``a=rtcp-fb``, RFC 4585 section 4.2. ``payload_type`` is ``None`` for ``*``, all formats of the section."""

    payload_type: int | None
    type: str
    parameter: str | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``96 nack pli``."""
        payload_type, kind, *parameter = words(value, "rtcp-fb", minimum=2, maximum=3)
        number = None if payload_type == "*" else integer(payload_type, "payload type", maximum=127)
        return cls(number, token(kind, "feedback type"), parameter[0] if parameter else None)


@attrs.frozen
class Ssrc:
    """``a=ssrc``, RFC 5576 section 4.1: a source-level attribute."""

    ssrc: int
    attribute: str | None
    value: str | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``1468238822 cname:abc``."""
        ssrc, *attribute = words(value, "ssrc", maximum=2)
        number = integer(ssrc, "ssrc", maximum=2**32 - 1)
        if not attribute:
            return cls(number, None, None)
        name, colon, text = attribute[0].partition(":")
        return cls(number, token(name, "source attribute"), text if colon else None)


@attrs.frozen
class SsrcGroup:
    """``a=ssrc-group``, RFC 5576 section 4.2: semantics, such as ``FID``, and the grouped sources."""

    semantics: str
    ssrcs: tuple[int, ...]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``FID 1 2``."""
        semantics, *ssrcs = value.split() or [""]
        numbers = (integer(ssrc, "ssrc", maximum=2**32 - 1) for ssrc in ssrcs)
        return cls(token(semantics, "group semantics"), tuple(numbers))


@attrs.frozen
class Rid:
    """``a=rid``, RFC 8851 section 4: an RTP stream of a simulcast; its restrictions are kept as text."""

    id: str
    direction: str
    restrictions: str | None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``q send`` or ``1 recv pt=97;max-width=1280``."""
        rid, direction, *restrictions = words(value, "rid", minimum=2, maximum=3)
        if direction not in ("send", "recv"):
            raise ProtocolError("rid direction must be send or recv")
        return cls(token(rid, "rid"), direction, restrictions[0] if restrictions else None)

    def to_value(self) -> str:
        """Return the attribute's value."""
        return " ".join(word for word in (self.id, self.direction, self.restrictions) if word is not None)


@attrs.frozen
class SimulcastAlternative:
    """One rid of a simulcast stream; ``paused`` if marked with ``~``."""

    rid: str
    paused: bool


SimulcastStreams = tuple[tuple[SimulcastAlternative, ...], ...]


@attrs.frozen
class Simulcast:
    """``a=simulcast``, RFC 8853 section 5.1: the streams of each direction, each a tuple of alternatives."""

    send: SimulcastStreams = ()
    receive: SimulcastStreams = ()

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``send q;h,~h2;f recv 1``."""
        parts = words(value, "simulcast", minimum=2)
        if len(parts) not in (2, 4):
            raise ProtocolError("simulcast must have one or two pairs of a direction and a list")
        lists = dict(zip(parts[::2], parts[1::2], strict=True))
        if len(lists) * 2 != len(parts) or not lists.keys() <= {"send", "recv"}:
            raise ProtocolError("simulcast directions must be send and recv, each at most once")
        return cls(_simulcast_streams(lists.get("send")), _simulcast_streams(lists.get("recv")))

    def to_value(self) -> str:
        """Return the attribute's value."""
        lists = (("send", self.send), ("recv", self.receive))
        return " ".join(f"{direction} {_simulcast_text(streams)}" for direction, streams in lists if streams)


def _simulcast_streams(text: str | None) -> SimulcastStreams:
    if text is None:
        return ()
    return tuple(
        tuple(
            SimulcastAlternative(token(rid.removeprefix("~"), "rid"), paused=rid.startswith("~"))
            for rid in stream.split(",")
        )
        for stream in text.split(";")
    )


def _simulcast_text(streams: SimulcastStreams) -> str:
    return ";".join(",".join("~" * each.paused + each.rid for each in stream) for stream in streams)


@attrs.frozen
class Bandwidth:
    """A ``b=`` line, RFC 8866 section 5.8: kbit/s for ``AS``, bit/s for ``TIAS`` (RFC 3890)."""

    type: str
    value: int

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse ``AS:128``."""
        kind, colon, number = value.strip(BLANKS).partition(":")
        if not colon:
            raise ProtocolError("bandwidth must have a type and a value, separated by a colon")
        return cls(token(kind, "bandwidth type"), integer(number, "bandwidth", maximum=2**64 - 1))


def parse_mid(value: str) -> str:
    """Parse ``a=mid``, RFC 5888 section 4."""
    return token(value.strip(BLANKS), "mid")


def parse_ice_ufrag(value: str) -> str:
    """Parse ``a=ice-ufrag``, RFC 8839 section 5.4: 4 to 256 characters."""
    return _ice_text(value, "ice-ufrag", 4)


def parse_ice_pwd(value: str) -> str:
    """Parse ``a=ice-pwd``, RFC 8839 section 5.4: 22 to 256 characters."""
    return _ice_text(value, "ice-pwd", 22)


def _ice_text(value: str, name: str, minimum: int) -> str:
    value = value.strip(BLANKS)
    if not minimum <= len(value) <= 256 or _ICE_TEXT.fullmatch(value) is None:
        raise ProtocolError(f"{name} must be {minimum} to 256 letters, digits, '+' and '/'")
    return value


def parse_setup(value: str) -> str:
    """Parse ``a=setup``, RFC 4145 section 4, into lower case; ABNF literals are case-insensitive (RFC 5234)."""
    value = value.strip(BLANKS).lower()
    if value not in SETUP_ROLES:
        raise ProtocolError(f"setup role must be one of {', '.join(sorted(SETUP_ROLES))}")
    return value


def parse_ice_options(value: str) -> tuple[str, ...]:
    """Parse ``a=ice-options``, RFC 8839 section 5.6: words; the IANA registry has five."""
    options = tuple(value.split(None, _MAX_ICE_OPTIONS))
    if len(options) > _MAX_ICE_OPTIONS:
        raise ProtocolError(f"ice-options must have at most {_MAX_ICE_OPTIONS} ICE options")
    return options


def parse_tls_id(value: str) -> str:
    """Parse ``a=tls-id``, RFC 8842 section 4."""
    return token(value.strip(BLANKS), "tls-id")


def parse_sctp_port(value: str) -> int:
    """Parse ``a=sctp-port``, RFC 8841 section 5.1. Port 0 closes the association."""
    return integer(value.strip(BLANKS), "SCTP port", maximum=65535)


def parse_max_message_size(value: str) -> int:
    """Parse ``a=max-message-size``, RFC 8841 section 6.1, in bytes. 0 means any size."""
    return integer(value.strip(BLANKS), "max-message-size", maximum=2**64 - 1)


def parse_ptime(value: str) -> float:
    """Parse ``a=ptime`` or ``a=maxptime``, RFC 8866 sections 6.4 and 6.5: milliseconds of audio in a packet."""
    text = value.strip(BLANKS)
    if _MILLISECONDS.fullmatch(text) is None or not float(text):
        raise ProtocolError("ptime and maxptime must be a positive number of milliseconds")
    return float(text)


VALUE_PARSERS: Mapping[str, Callable[[str], object]] = {
    "extmap": ExtMap.parse,
    "fingerprint": Fingerprint.parse,
    "fmtp": Fmtp.parse,
    "group": Group.parse,
    "ice-options": parse_ice_options,
    "ice-pwd": parse_ice_pwd,
    "ice-ufrag": parse_ice_ufrag,
    "max-message-size": parse_max_message_size,
    "maxptime": parse_ptime,
    "mid": parse_mid,
    "msid": Msid.parse,
    "ptime": parse_ptime,
    "rid": Rid.parse,
    "rtcp": Rtcp.parse,
    "rtcp-fb": RtcpFeedback.parse,
    "rtpmap": RtpMap.parse,
    "sctp-port": parse_sctp_port,
    "sctpmap": SctpMap.parse,
    "setup": parse_setup,
    "simulcast": Simulcast.parse,
    "ssrc": Ssrc.parse,
    "ssrc-group": SsrcGroup.parse,
    "tls-id": parse_tls_id,
}
"""The grammar of each known attribute, by name."""
