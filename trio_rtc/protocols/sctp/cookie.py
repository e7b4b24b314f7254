"""The state cookie (RFC 9260 section 5.1.3): the state after INIT, authenticated by us and kept by the peer.

So an INIT costs no memory. The cookie is parsed only after its HMAC has been verified.
"""

import hashlib
import hmac
import struct
from typing import Final

from trio_rtc import _attrs as attrs

_FIELDS: Final = struct.Struct(">IIIIIHHBd")
_MAC_SIZE: Final = 32


@attrs.frozen
class Capabilities:
    """Extensions that both sides support.

    Attributes:
        partial_reliability: RFC 3758.
        reconfiguration: RFC 6525.
        zero_checksum: Packets without checksum (RFC 9653).
    """

    partial_reliability: bool
    reconfiguration: bool
    zero_checksum: bool


@attrs.frozen
class StateCookie:
    """The content of a state cookie, from which a transmission control block is made.

    Attributes:
        local_tag: Verification tag of packets to us.
        peer_tag: Verification tag of packets to the peer.
        peer_window: The peer's initial ``a_rwnd``.
        inbound_streams: Number of streams from the peer.
        outbound_streams: Number of streams to the peer.
        capabilities: Extensions that both sides support.
        created: When the cookie was created, on our monotonic clock.
    """

    local_tag: int
    local_initial_tsn: int
    peer_tag: int
    peer_initial_tsn: int
    peer_window: int
    inbound_streams: int
    outbound_streams: int
    capabilities: Capabilities
    created: float

    def encode(self, secret: bytes) -> bytes:
        can = self.capabilities
        fields = _FIELDS.pack(
            self.local_tag,
            self.local_initial_tsn,
            self.peer_tag,
            self.peer_initial_tsn,
            self.peer_window,
            self.inbound_streams,
            self.outbound_streams,
            can.partial_reliability | can.reconfiguration << 1 | can.zero_checksum << 2,
            self.created,
        )
        return fields + hmac.digest(secret, fields, hashlib.sha256)


def parse_cookie(data: bytes, secret: bytes) -> StateCookie | None:
    """Return the content of a cookie, None if its HMAC is not ours."""
    fields, mac = data[:-_MAC_SIZE], data[-_MAC_SIZE:]
    if len(fields) != _FIELDS.size:
        return None
    if not hmac.compare_digest(mac, hmac.digest(secret, fields, hashlib.sha256)):
        return None
    local_tag, local_tsn, peer_tag, peer_tsn, window, inbound, outbound, bits, created = _FIELDS.unpack(
        fields
    )
    capabilities = Capabilities(bool(bits & 1), bool(bits & 2), bool(bits & 4))
    return StateCookie(
        local_tag, local_tsn, peer_tag, peer_tsn, window, inbound, outbound, capabilities, created
    )
