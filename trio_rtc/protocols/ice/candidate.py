"""Candidates: the ``candidate:`` line (RFC 8839 section 5.1), priorities and foundations (RFC 8445 section 5.1)."""

import functools
import ipaddress
import re
import zlib
from enum import StrEnum
from typing import TypeVar

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType, RTCIceProtocol, RTCIceTcpCandidateType
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address

MemberT = TypeVar("MemberT", bound=StrEnum)

MAX_CANDIDATE_LENGTH = 1024
_DECIMAL = re.compile(r"[0-9]{1,10}\Z")
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")
_HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?\Z")
_TYPE_PREFERENCES = {
    RTCIceCandidateType.HOST: 126,
    RTCIceCandidateType.PRFLX: 110,
    RTCIceCandidateType.SRFLX: 100,
    RTCIceCandidateType.RELAY: 0,
}


class UnusableCandidate(ProtocolError):
    """A candidate of an unsupported kind, which is ignored.

    A host name other than a ``.local`` one (RFC 8839 section 5.1 lets an agent ignore it), a transport other than UDP
    and TCP, or TCP without a ``tcptype``, from before RFC 6544.
    """


@attrs.frozen
class Candidate:
    """A candidate (RFC 8839 section 5.1).

    Attributes:
        foundation: Equal for candidates of the same type, base address, server and protocol; any token is accepted.
        component: 1 for RTP and everything multiplexed with it, 2 for RTCP.
        protocol: "udp" or "tcp".
        priority: From 0 to 2**32 - 1, higher is better.
        address: Numeric address, or a name that ends in ".local".
        related_address: Base of a reflexive candidate, mapped address of a relayed one; ``None`` if absent.
        related_port: Port of ``related_address``.
        tcp_type: TCP type (RFC 6544).
        username_fragment: Username fragment of its generation, ``None`` if absent.
        extensions: Further attributes in the order of the line, such as ("network-id", "1").
    """

    foundation: str
    component: int
    protocol: RTCIceProtocol
    priority: int
    address: str
    port: int
    type: RTCIceCandidateType
    related_address: str | None = None
    related_port: int | None = None
    tcp_type: RTCIceTcpCandidateType | None = None
    username_fragment: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @property
    def transport_address(self) -> Address:
        """Address and port."""
        return Address(self.address, self.port)

    @property
    def is_name(self) -> bool:
        """Whether the address is a ``.local`` name that multicast DNS has to resolve."""
        return self.address.endswith(".local")

    @classmethod
    def parse(cls, text: str) -> "Candidate":
        """Parse a candidate, with or without ``a=`` and ``candidate:`` before it.

        Accepted beyond the grammar of RFC 8839 section 5.1: a foundation of other characters or more than 32, an
        IPv6 address in brackets, and an attribute without a value at the end, which is ignored.

        Raises:
            UnusableCandidate: It is well-formed, but its transport or its address is not supported.
            ProtocolError: It is malformed.
        """
        if len(text) > MAX_CANDIDATE_LENGTH:
            raise ProtocolError(f"candidate of {len(text)} characters, at most {MAX_CANDIDATE_LENGTH}")
        return _parse(text)

    def to_sdp(self) -> str:
        """Return the value of the SDP attribute: "candidate:" and the fields."""
        fields = [
            f"candidate:{self.foundation} {self.component} {self.protocol} {self.priority}",
            f"{self.address} {self.port} typ {self.type}",
        ]
        if self.related_address is not None:
            fields.append(f"raddr {self.related_address}")
        if self.related_port is not None:
            fields.append(f"rport {self.related_port}")
        if self.tcp_type is not None:
            fields.append(f"tcptype {self.tcp_type}")
        if self.username_fragment is not None:
            fields.append(f"ufrag {self.username_fragment}")
        fields += [f"{name} {value}" for name, value in self.extensions]
        return " ".join(fields)


def compute_priority(candidate_type: RTCIceCandidateType, local_preference: int, component: int = 1) -> int:
    """Return the priority of a candidate (RFC 8445 section 5.1.2.1).

    ``local_preference`` is from 0 to 65535, higher is better.
    """
    return _TYPE_PREFERENCES[candidate_type] << 24 | local_preference << 8 | (256 - component)


def compute_foundation(candidate_type: RTCIceCandidateType, base_host: str, server_host: str = "") -> str:
    """Return a foundation, equal only for equal type, base address and server (RFC 8445 section 5.1.1.3)."""
    return str(zlib.crc32(f"{candidate_type}|{base_host}|{server_host}".encode()))


def is_ipv6(host: str) -> bool:
    return ":" in host


def is_link_local(host: str) -> bool:
    return host.lower().startswith(("fe8", "fe9", "fea", "feb")) and is_ipv6(host)


def normalize_host(host: str) -> str:
    """Return a numeric address in canonical form, or raise ``ProtocolError``."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError as error:
        raise ProtocolError(str(error)) from None


# The description, W3C's objects and the agent parse the same line.
@functools.lru_cache(maxsize=64)
def _parse(text: str) -> Candidate:
    fields = text.strip().removeprefix("a=").removeprefix("candidate:").split()
    if len(fields) < 8 or fields[6].lower() != "typ":
        raise ProtocolError(f"not a candidate: {text!r}")
    if not _TOKEN.match(fields[0]):
        raise ProtocolError(f"not a foundation: {fields[0]!r}")
    component = _parse_integer("component", fields[1], 1, 256)
    protocol = _parse_member(RTCIceProtocol, fields[2], "unsupported transport protocol", UnusableCandidate)
    priority = _parse_integer("priority", fields[3], 0, 2**32 - 1)
    address = _parse_address(fields[4])
    port = _parse_integer("port", fields[5], 0, 65535)
    candidate_type = _parse_member(RTCIceCandidateType, fields[7], "unknown candidate type")
    related_address = related_port = tcp_type = username_fragment = None
    extensions: list[tuple[str, str]] = []
    # A last name without value is ignored.
    for name, value in zip(fields[8::2], fields[9::2], strict=False):
        match name.lower():
            case "raddr":
                related_address = value
            case "rport":
                related_port = _parse_integer("rport", value, 0, 65535)
            case "tcptype":
                tcp_type = _parse_member(RTCIceTcpCandidateType, value, "unknown tcptype")
            case "ufrag":
                username_fragment = value
            case _:
                extensions.append((name, value))
    if protocol == RTCIceProtocol.TCP and tcp_type is None:
        raise UnusableCandidate("TCP candidate without tcptype")
    return Candidate(
        fields[0],
        component,
        protocol,
        priority,
        address,
        port,
        candidate_type,
        related_address,
        related_port,
        tcp_type,
        username_fragment,
        tuple(extensions),
    )


def _parse_integer(what: str, text: str, minimum: int, maximum: int) -> int:
    if not _DECIMAL.match(text) or not minimum <= int(text) <= maximum:
        raise ProtocolError(f"{what} is not a number from {minimum} to {maximum}: {text!r}")
    return int(text)


def _parse_member(
    enumeration: type[MemberT], text: str, what: str, error: type[ProtocolError] = ProtocolError
) -> MemberT:
    try:
        return enumeration(text.lower())
    except ValueError:
        raise error(f"{what}: {text!r}") from None


def _parse_address(text: str) -> str:
    lowered = text.lower()
    if lowered.endswith(".local") and len(text) <= 255 and _TOKEN.match(text):
        return lowered
    if len(text) <= 255 and _HOST_NAME.match(text):
        raise UnusableCandidate(f"host name that does not end in .local: {text!r}")
    if text.startswith("[") and text.endswith("]") and is_ipv6(text):
        text = text[1:-1]
    return normalize_host(text)
