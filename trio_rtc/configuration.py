"""W3C's configuration dictionaries. Settings beyond W3C's are in :class:`trio_rtc.Settings`."""

from collections.abc import Sequence
from typing import Any

from trio_rtc import _attrs as attrs

from ._strict_names.checks import strict_class
from .certificate import RTCCertificate
from .enums import RTCBundlePolicy, RTCIceTransportPolicy, RTCRtcpMuxPolicy, member_of
from .errors import InvalidAccessError, SyntaxError
from .protocols.ice import IceServer


def _string_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@strict_class
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
        TypeError: A URL is not a string.
    """

    urls: tuple[str, ...] = attrs.field(
        converter=_string_tuple, validator=attrs.validators.deep_iterable(attrs.validators.instance_of(str))
    )
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.urls:
            raise SyntaxError("urls of an ICE server must not be empty")
        for url in map(IceServer.parse, self.urls):
            if url.is_turn and (self.username is None or self.credential is None):
                raise InvalidAccessError(
                    f"an ICE server with the URL {url.url!r} must have username and credential"
                )


def _all_instances_of(wanted: type) -> Any:
    return attrs.validators.deep_iterable(attrs.validators.instance_of(wanted))


# With a bare ``tuple`` as converter, type checkers would not know the members' type.
def _server_tuple(servers: Sequence[RTCIceServer]) -> tuple[RTCIceServer, ...]:
    return tuple(servers)


def _certificate_tuple(certificates: Sequence[RTCCertificate]) -> tuple[RTCCertificate, ...]:
    return tuple(certificates)


def _ice_candidate_pool_size(_: Any, __: Any, size: Any) -> None:
    if not isinstance(size, int) or not 0 <= size <= 255:
        raise TypeError(f"ice_candidate_pool_size must be an int from 0 to 255, not {size!r}")


def _ice_transport_policy(value: str) -> RTCIceTransportPolicy:
    return member_of(RTCIceTransportPolicy, value)


def _bundle_policy(value: str) -> RTCBundlePolicy:
    return member_of(RTCBundlePolicy, value)


def _rtcp_mux_policy(value: str) -> RTCRtcpMuxPolicy:
    return member_of(RTCRtcpMuxPolicy, value)


@strict_class
@attrs.frozen
class RTCConfiguration:
    """Configuration of a peer connection (W3C webrtc section 4.2.1).

    Attributes:
        ice_servers: STUN and TURN servers.
        ice_transport_policy: ``all``, or ``relay`` to use relayed candidates only.
        bundle_policy: Which sections of an offer are usable without BUNDLE. All share one transport if the peer
            bundles.
        rtcp_mux_policy: ``require`` is the only value.
        peer_identity: The target peer identity, ``user@domain`` (W3C webrtc-identity): remote descriptions without a
            valid assertion of it are refused. The providers are in ``Settings.identity``.
        certificates: Certificates, of which the first is used; descriptions have the fingerprints of all. By default a
            new one is generated for this connection.
        ice_candidate_pool_size: 0 to 255: the number of transports whose candidates are gathered before the first
            description, at most 16. Those that the first negotiation does not need are closed. Most connections need
            one.

    Raises:
        TypeError: A member has the wrong type, is no member of its enumeration, or is out of range.
    """

    ice_servers: tuple[RTCIceServer, ...] = attrs.field(
        default=(), converter=_server_tuple, validator=_all_instances_of(RTCIceServer)
    )
    ice_transport_policy: RTCIceTransportPolicy = attrs.field(
        default=RTCIceTransportPolicy.ALL, converter=_ice_transport_policy
    )
    bundle_policy: RTCBundlePolicy = attrs.field(default=RTCBundlePolicy.BALANCED, converter=_bundle_policy)
    rtcp_mux_policy: RTCRtcpMuxPolicy = attrs.field(
        default=RTCRtcpMuxPolicy.REQUIRE, converter=_rtcp_mux_policy
    )
    peer_identity: str | None = None
    certificates: tuple[RTCCertificate, ...] = attrs.field(
        default=(), converter=_certificate_tuple, validator=_all_instances_of(RTCCertificate)
    )
    ice_candidate_pool_size: int = attrs.field(default=0, validator=_ice_candidate_pool_size)
