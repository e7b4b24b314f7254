"""Refused destinations: addresses to which no packet is sent.

A remote candidate causes connectivity checks to an address that the peer chooses. As in libwebrtc, unspecified
addresses and ports below 1024 are refused, except ports 80 and 443 of public addresses. Multicast and broadcast
addresses are also refused, and loopback addresses unless there is a local one. An IPv6 address that embeds an IPv4
address is treated as that IPv4 address, because a translator or tunnel would send the packet there.
"""

import ipaddress

from trio_rtc.protocols._contract import Address

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PUBLIC_SYSTEM_PORTS = (80, 443)
_FIRST_USER_PORT = 1024  # RFC 6335 section 6
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")  # RFC 1122 section 3.2.1.3: never a destination
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
        *("100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),  # RFC 6598, RFC 3927, RFC 1122
        *("fc00::/7", "fe80::/10", "fec0::/10", "::1/128"),  # RFC 4193, RFC 4291, RFC 3879
    )
)
# The last 32 bits are an IPv4 address. Of 64:ff9b:1::/48 that holds for prefixes of 96 bits within it.
_IPV4_AT_END = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96"),  # RFC 4291 sections 2.5.5.1 and 2.5.5.2, RFC 2765
        *("64:ff9b::/96", "64:ff9b:1::/48"),  # RFC 6052, RFC 8215
    )
)


def refuse_destination(address: Address) -> str | None:
    """Return the reason to send no packet to an address; ``None`` if it is permitted."""
    ip = _reached_address(address.host)
    reason = _refuse_host(ip)
    if reason is not None:
        return reason
    if address.port >= _FIRST_USER_PORT:
        return None
    if address.port not in _PUBLIC_SYSTEM_PORTS:
        return f"port {address.port} is below 1024, and neither 80 nor 443"
    return f"port {address.port} of a private address" if _is_private(ip) else None


def refuse_source(base: Address, source: Address) -> str | None:
    """Return the reason not to answer a request to a local address from a source; ``None`` if it is permitted.

    A NAT may map a peer to any port of its public address, so that ports are refused in private networks only.
    """
    ip = _reached_address(source.host)
    reason = _refuse_host(ip)
    if reason is not None:
        return reason
    if ip.is_loopback and not is_loopback(base.host):
        return "a loopback address"
    if source.port == 0:
        return "port 0"
    if source.port < _FIRST_USER_PORT and _is_private(ip):
        return f"port {source.port} of a private address"
    return None


def is_loopback(host: str) -> bool:
    """Return whether packets to a numeric address stay on this host."""
    return _reached_address(host).is_loopback


def _refuse_host(ip: IpAddress) -> str | None:
    if ip in _THIS_NETWORK:
        return "an unspecified address"
    if ip.is_multicast:
        return "a multicast address"
    return "the broadcast address" if ip == _BROADCAST else None


def _is_private(ip: IpAddress) -> bool:
    """Return whether an address is private in libwebrtc's sense: private, shared, link-local or loopback."""
    return any(ip in network for network in _PRIVATE)


def _reached_address(host: str) -> IpAddress:
    """Return a numeric address, or the IPv4 address that it embeds."""
    ip = ipaddress.ip_address(host)
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback:
        return ip
    if ip.sixtofour is not None:  # RFC 3056
        return ip.sixtofour
    if ip.teredo is not None:  # RFC 4380: the server, and the client that the packet is for
        return ip.teredo[1]
    if any(ip in network for network in _IPV4_AT_END):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip
