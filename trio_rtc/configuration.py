"""W3C's configuration dictionaries, and :class:`Settings` for what W3C does not have."""

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from .certificate import RTCCertificate
from .enums import RTCBundlePolicy, RTCIceTransportPolicy, RTCRtcpMuxPolicy
from .errors import InvalidAccessError, NotSupportedError, SyntaxError
from .protocols.datachannel import DataChannelOptions
from .protocols.dtls import DtlsOptions
from .protocols.ice import IceOptions
from .protocols.sctp import SctpOptions
from .transports.network import InterfaceAddress, Network

_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:?@/\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>[A-Za-z]+))?"
)
_DEFAULT_PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


def _string_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen
class IceServerUrl:
    """A parsed ``stun:`` or ``turn:`` URL (RFC 7064, RFC 7065).

    Attributes:
        url: The URL as it was given.
        scheme: ``stun``, ``stuns``, ``turn`` or ``turns``.
        host: Host name or numeric address, without brackets.
        port: The port, by default 3478, or 5349 for the secure schemes.
        transport: ``udp`` or ``tcp``.
    """

    url: str
    scheme: str
    host: str
    port: int
    transport: str

    @classmethod
    def parse(cls, url: str) -> "IceServerUrl":
        """Parse a URL.

        Raises:
            SyntaxError: It is not a ``stun:`` or ``turn:`` URL.
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise SyntaxError(f"not a stun: or turn: URL: {url!r}")
        scheme, transport = match["scheme"], match["transport"]
        port = int(match["port"] or _DEFAULT_PORTS[scheme])
        if scheme.startswith("stun") and transport is not None:
            raise SyntaxError(f"a {scheme}: URL has no transport: {url!r}")
        if transport is not None and transport.lower() not in ("udp", "tcp"):
            raise SyntaxError(f"unknown transport in {url!r}")
        if not 0 < port < 65536:
            raise SyntaxError(f"impossible port in {url!r}")
        default_transport = "tcp" if scheme.endswith("s") else "udp"
        return cls(url, scheme, match["host"].strip("[]"), port, (transport or default_transport).lower())


@attrs.frozen
class RTCIceServer:
    """STUN or TURN servers with one set of credentials (W3C webrtc section 4.2.2).

    Attributes:
        urls: One URL or several.
        username: For TURN: the user name.
        credential: For TURN: the password.

    Raises:
        SyntaxError: A URL does not parse, or there is none.
        InvalidAccessError: A TURN URL without user name and credential.
    """

    urls: tuple[str, ...] = attrs.field(converter=_string_tuple)
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.urls:
            raise SyntaxError("an ICE server needs a URL")
        for url in self.parsed_urls():
            if url.scheme.startswith("turn") and (self.username is None or self.credential is None):
                raise InvalidAccessError(f"{url.url!r} needs username and credential")

    def parsed_urls(self) -> list[IceServerUrl]:
        """Return the URLs in their parts."""
        return [IceServerUrl.parse(url) for url in self.urls]


def _expired_certificates(_: Any, __: Any, certificates: Sequence[RTCCertificate]) -> None:
    for certificate in certificates:
        if certificate.expired:
            raise InvalidAccessError("a certificate of the configuration has expired")


def _ice_candidate_pool_size(_: Any, __: Any, size: int) -> None:
    if not 0 <= size <= 255:
        raise TypeError("ice_candidate_pool_size is between 0 and 255")


@attrs.frozen
class RTCConfiguration:
    """How a peer connection is to be set up (W3C webrtc section 4.2.1).

    Attributes:
        ice_servers: STUN and TURN servers.
        ice_transport_policy: ``all``, or ``relay`` to use relayed candidates only.
        bundle_policy: How media is spread over transports when the peer does not bundle.
        rtcp_mux_policy: ``require`` is the only value.
        peer_identity: Obsolete; only ``None``.
        certificates: Certificates to use; by default one is made for this connection.
        ice_candidate_pool_size: 0 to 255. Accepted; candidates are gathered when descriptions are set.

    Raises:
        InvalidAccessError: A certificate has expired.
        NotSupportedError: ``peer_identity`` is set.
        TypeError: ``ice_candidate_pool_size`` is out of range.
    """

    ice_servers: tuple[RTCIceServer, ...] = attrs.field(default=(), converter=tuple)
    ice_transport_policy: RTCIceTransportPolicy = attrs.field(
        default=RTCIceTransportPolicy.ALL, converter=RTCIceTransportPolicy
    )
    bundle_policy: RTCBundlePolicy = attrs.field(default=RTCBundlePolicy.BALANCED, converter=RTCBundlePolicy)
    rtcp_mux_policy: RTCRtcpMuxPolicy = attrs.field(
        default=RTCRtcpMuxPolicy.REQUIRE, converter=RTCRtcpMuxPolicy
    )
    peer_identity: str | None = None
    certificates: tuple[RTCCertificate, ...] = attrs.field(
        default=(), converter=tuple, validator=_expired_certificates
    )
    ice_candidate_pool_size: int = attrs.field(default=0, validator=_ice_candidate_pool_size)

    def __attrs_post_init__(self) -> None:
        if self.peer_identity is not None:
            raise NotSupportedError("peer_identity is not supported")


def _port_range(_: Any, __: Any, value: tuple[int, int] | None) -> None:
    if value is not None and not 0 < value[0] <= value[1] < 65536:
        raise ValueError("port_range is (first, last), both between 1 and 65535")


@attrs.frozen
class Settings:
    """What W3C does not have: given to the constructor of a peer connection.

    Attributes:
        network: The network to use; ``None``: this host's. Tests give one of ``trio_rtc.testing``.
        close_timeout: Seconds that the goodbyes may take when the connection is closed.
        port_range: First and last UDP port to bind; ``None``: any.
        interface_filter: Says of each address of this host whether it may be used. By default loopback
            addresses are used only where there are no others, and link-local ones not at all.
        send_high_water_mark: Bytes queued on a data channel above which ``send`` waits.
        max_message_size: Bytes of the largest data channel message that we accept, as announced to the peer.
        ice: Options of ICE.
        dtls: Options of DTLS.
        sctp: Options of SCTP.
        data_channels: Options of the data channel core.
        rng: Source of chance; ``None``: the operating system's. Tests give a seeded one.
        wall_clock: Returns the Unix time in seconds; for the dates in certificates and statistics.
    """

    network: Network | None = None
    close_timeout: float = attrs.field(default=1.0, validator=attrs.validators.ge(0))
    port_range: tuple[int, int] | None = attrs.field(default=None, validator=_port_range)
    interface_filter: Callable[[InterfaceAddress], bool] | None = None
    send_high_water_mark: int = attrs.field(default=1 << 20, validator=attrs.validators.gt(0))
    max_message_size: int = attrs.field(default=262144, validator=attrs.validators.gt(0))
    ice: IceOptions = attrs.field(factory=IceOptions)
    dtls: DtlsOptions = attrs.field(factory=DtlsOptions)
    sctp: SctpOptions = attrs.field(factory=SctpOptions)
    data_channels: DataChannelOptions = attrs.field(factory=DataChannelOptions)
    rng: random.Random | None = None
    wall_clock: Callable[[], float] | None = None
