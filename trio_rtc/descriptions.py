"""Data for signaling: session descriptions and ICE candidates, with W3C's JSON spelling."""

from collections.abc import Mapping
from typing import Any

from trio_rtc import _attrs as attrs

from ._strict_names.checks import strict_class
from .enums import (
    RTCIceCandidateType,
    RTCIceComponent,
    RTCIceProtocol,
    RTCIceServerTransportProtocol,
    RTCIceTcpCandidateType,
    RTCSdpType,
    member_of,
)
from .errors import ProtocolError
from .protocols.ice import Candidate

_COMPONENTS = {1: RTCIceComponent.RTP, 2: RTCIceComponent.RTCP}


def _sdp_type(value: str) -> RTCSdpType:
    return member_of(RTCSdpType, value)


@strict_class
@attrs.frozen
class RTCSessionDescription:
    """An offer, an answer or a rollback (W3C webrtc section 4.6.2).

    Attributes:
        type: Offer, answer, provisional answer or rollback.
        sdp: The description in SDP (RFC 8866); empty for a rollback.

    Raises:
        TypeError: ``type`` is unknown, or ``sdp`` is not a string.
    """

    type: RTCSdpType = attrs.field(converter=_sdp_type)
    sdp: str = attrs.field(default="", validator=attrs.validators.instance_of(str))

    def to_json(self) -> dict[str, str]:
        """Return the dictionary that a browser's ``toJSON`` gives."""
        return {"type": self.type.value, "sdp": self.sdp}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RTCSessionDescription":
        """Return a description from the dictionary of a browser's ``toJSON``.

        Raises:
            TypeError: ``type`` is missing or unknown, or a member has the wrong type.
        """
        _require_mapping("RTCSessionDescription", data)
        if "type" not in data:
            raise TypeError(f"a session description must have a 'type'; there is none in {data!r:.100}")
        return cls(data["type"], data.get("sdp", ""))


def _require_mapping(kind: str, data: object) -> None:
    if not isinstance(data, Mapping):
        raise TypeError(
            f"{kind}.from_json() takes the dictionary that toJSON() returns, not {data!r:.100}; "
            "use json.loads(...) for JSON text"
        )


def _parse(text: str) -> Candidate | None:
    if not text:
        return None
    try:
        return Candidate.parse(text)
    except ProtocolError:
        # W3C: the members of a candidate that does not parse are null; add_ice_candidate refuses it.
        return None


@strict_class
@attrs.frozen
class RTCIceCandidate:
    """An ICE candidate for signaling (W3C webrtc section 4.8.1).

    Attributes:
        candidate: The candidate's line, ``candidate:…``; ``""`` is the end of candidates, or a peer-reflexive candidate
            of the peer, which has a ``type``.
        sdp_mid: The ``mid`` of the candidate's media section.
        sdp_m_line_index: The index of the candidate's media section.
        username_fragment: The candidate's ICE generation.
        relay_protocol: Protocol between client and TURN server, for local relay candidates.
        url: The server that provided it, for local candidates.

    Raises:
        TypeError: Both ``sdp_mid`` and ``sdp_m_line_index`` are ``None``.
    """

    candidate: str = attrs.field(default="", validator=attrs.validators.instance_of(str))
    sdp_mid: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(str))
    )
    sdp_m_line_index: int | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.instance_of(int)),
    )
    username_fragment: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(str))
    )
    relay_protocol: RTCIceServerTransportProtocol | None = None
    url: str | None = None
    _parsed: Candidate | None = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if self.sdp_mid is None and self.sdp_m_line_index is None:
            raise TypeError(
                "a candidate must have sdp_mid or sdp_m_line_index, which identify its media section"
            )
        if self.sdp_m_line_index is not None and not 0 <= self.sdp_m_line_index <= 65535:
            raise TypeError(f"sdp_m_line_index must be an int from 0 to 65535, not {self.sdp_m_line_index!r}")

    @_parsed.default
    def _parse_candidate(self) -> Candidate | None:
        return _parse(self.candidate)

    @property
    def foundation(self) -> str | None:
        """The foundation, equal in candidates of the same type, base, server and protocol."""
        return self._parsed.foundation if self._parsed else None

    @property
    def component(self) -> RTCIceComponent | None:
        """``rtp`` or ``rtcp``."""
        return _COMPONENTS.get(self._parsed.component) if self._parsed else None

    @property
    def priority(self) -> int | None:
        """The candidate's priority, RFC 8445 section 5.1.2."""
        return self._parsed.priority if self._parsed else None

    @property
    def address(self) -> str | None:
        """The address: IPv4, IPv6 or a name that ends with ``.local``.

        ``None`` for a peer-reflexive candidate of the peer, unless ``Settings.expose_peer_reflexive`` is set.
        """
        return self._parsed.address or None if self._parsed else None

    @property
    def port(self) -> int | None:
        """The port."""
        return self._parsed.port if self._parsed else None

    @property
    def protocol(self) -> RTCIceProtocol | None:
        """``udp`` or ``tcp``."""
        return self._parsed.protocol if self._parsed else None

    @property
    def type(self) -> RTCIceCandidateType | None:
        """The type of the candidate."""
        return self._parsed.type if self._parsed else None

    @property
    def tcp_type(self) -> RTCIceTcpCandidateType | None:
        """For TCP candidates: the side that opens the connection."""
        return self._parsed.tcp_type if self._parsed else None

    @property
    def related_address(self) -> str | None:
        """The related address: the base of a reflexive candidate, the mapped address of a relayed one (RFC 8839)."""
        return self._parsed.related_address if self._parsed else None

    @property
    def related_port(self) -> int | None:
        """The port of the related address."""
        return self._parsed.related_port if self._parsed else None

    @classmethod
    def _peer_reflexive(
        cls, candidate: Candidate, sdp_mid: str | None, sdp_m_line_index: int | None
    ) -> "RTCIceCandidate":
        """Return a candidate that the peer has not signaled: it has no line and no address (W3C section 4.8.1)."""
        hidden = cls("", sdp_mid, sdp_m_line_index, candidate.username_fragment)
        parsed = attrs.evolve(candidate, address="", related_address=None, related_port=None)
        object.__setattr__(hidden, "_parsed", parsed)
        return hidden

    def to_json(self) -> dict[str, Any]:
        """Return the dictionary that a browser's ``toJSON`` gives."""
        return {
            "candidate": self.candidate,
            "sdpMid": self.sdp_mid,
            "sdpMLineIndex": self.sdp_m_line_index,
            "usernameFragment": self.username_fragment,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RTCIceCandidate":
        """Return a candidate from the dictionary of a browser's ``toJSON``.

        The line may also have the key ``sdp``, its name in libwebrtc's native interfaces (Android, Flutter).

        Raises:
            TypeError: A member has the wrong type, or there is neither ``sdpMid`` nor ``sdpMLineIndex``, or ``sdp``
                is empty: only an empty ``candidate`` is the end of candidates.
        """
        _require_mapping("RTCIceCandidate", data)
        line = data.get("candidate", "")
        if "sdp" in data and not line:
            line = data["sdp"]
            if not line:
                raise TypeError(f"the 'sdp' of a candidate must be its line, not {line!r}")
        return cls(
            candidate=line,
            sdp_mid=data.get("sdpMid"),
            sdp_m_line_index=data.get("sdpMLineIndex"),
            username_fragment=data.get("usernameFragment"),
        )
