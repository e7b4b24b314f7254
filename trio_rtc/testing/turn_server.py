"""A TURN server (RFC 8656) for the simulated network: allocations, permissions, channels, and its error responses.

The server is a function of packets and time, as the cores are, so that a test can also run it without a network. It
authenticates with long-term credentials (RFC 8489 section 9.2), optionally with password algorithms and anonymity of
the user. Expired allocations, permissions and channels are removed when the next packet arrives.
"""

import base64
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    PasswordAlgorithm,
    StunAttribute,
    encode_address,
    error_response,
    long_term_key,
    success_response,
    xor_address,
)
from trio_rtc.protocols.stun.credentials import hash_username
from trio_rtc.protocols.turn import AddressFamily, TurnAttribute, TurnMethod
from trio_rtc.protocols.turn.attributes import (
    COMPREHENDED_BY_TURN,
    lifetime,
    lifetime_attribute,
    peer_address,
    peer_address_attribute,
)
from trio_rtc.protocols.turn.channel_data import (
    FIRST_CHANNEL,
    LAST_CHANNEL,
    encode_channel_data,
    is_channel_data,
    parse_channel_data,
)

PERMISSION_LIFETIME = 300.0
CHANNEL_LIFETIME = 600.0
_UDP = 17
_FIRST_RELAYED_PORT = 49_152
_LAST_RELAYED_PORT = 65_535
_NO_FEATURES = "AAAA"
_ALL_FEATURES = "wAAA"  # the two leftmost of 24 bits


@attrs.frozen(kw_only=True)
class TurnServerOptions:
    """Behavior of a simulated TURN server.

    Attributes:
        realm: Realm of the credentials.
        lifetime: Lifetime of an allocation in seconds.
        nonce_lifetime: Seconds until a nonce becomes stale (438).
        max_allocations: Maximum number of allocations; a further one is refused (486).
        password_algorithms: Whether the server offers SHA-256 and anonymity of the user (RFC 8489 section 9.2.1).
        alternate_server: Another server, to which clients are redirected (300).
        forbidden_hosts: Addresses of peers that are refused (403).
        channels: Whether ChannelBind is supported; otherwise it is refused (403).
    """

    realm: str = "example.org"
    lifetime: int = 600
    nonce_lifetime: float = 3600.0
    max_allocations: int = 1000
    password_algorithms: bool = False
    alternate_server: Address | None = None
    forbidden_hosts: frozenset[str] = frozenset()
    channels: bool = True


@attrs.define
class _Relay:
    """An allocation: the client's transport address and the local one it has used, permissions and channels."""

    client: Address
    server: Address
    username: str
    address: Address
    expires: float
    permissions: dict[str, float] = attrs.Factory(dict)
    channels: dict[int, tuple[Address, float]] = attrs.Factory(dict)

    def find_channel(self, peer: Address, now: float) -> int | None:
        """Return the number of the channel that is bound to a peer."""
        bound = (
            number for number, (each, expires) in self.channels.items() if each == peer and now < expires
        )
        return next(bound, None)


class _RefusedError(Exception):
    def __init__(self, code: int, reason: str, attributes: Sequence[StunAttribute] = ()) -> None:
        self.error = ErrorCode(code, reason)
        self.attributes = attributes


class TurnServer:
    """A TURN server without sockets.

    Args:
        users: Passwords by user name.
        relay_hosts: Addresses of the relayed transport addresses, one for each address family.
        rng: Source of nonces and ports.
        options: Behavior.

    Attributes:
        opened: Called with each relayed transport address that is allocated.
        closed: Called with each one that is released or has expired.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        relay_hosts: Sequence[str],
        *,
        rng: random.Random,
        options: TurnServerOptions | None = None,
    ) -> None:
        self.options = options or TurnServerOptions()
        self.opened: Callable[[Address], None] = _ignore
        self.closed: Callable[[Address], None] = _ignore
        self._users = dict(users)
        self._relay_hosts = tuple(relay_hosts)
        self._rng = rng
        self._nonces: dict[bytes, float] = {}
        self._by_client: dict[Address, _Relay] = {}
        self._by_address: dict[Address, _Relay] = {}
        self._outgoing: list[Datagram] = []

    @property
    def allocations(self) -> Sequence[Address]:
        """The relayed transport addresses of the present allocations, expired ones included until the next packet."""
        return tuple(self._by_address)

    def permissions(self, relayed: Address) -> Sequence[str]:
        """Return the addresses with a permission of an allocation."""
        return tuple(self._by_address[relayed].permissions)

    def forget_allocations(self) -> None:
        """Remove all allocations, as a restarted server does. Clients learn it from error responses (437)."""
        for relay in tuple(self._by_address.values()):
            self._remove(relay)

    def receive(self, datagram: Datagram, now: float) -> list[Datagram]:
        """Process a packet of a client or, if its local address is a relayed one, of a peer.

        Returns:
            The packets to send.
        """
        for relay in [each for each in self._by_address.values() if now >= each.expires]:
            self._remove(relay)
        relay_of_peer = self._by_address.get(datagram.local)
        if relay_of_peer is not None:
            self._relay_to_client(relay_of_peer, datagram, now)
        elif is_channel_data(datagram.data):
            self._relay_channel_data(datagram, now)
        else:
            self._receive_stun(datagram, now)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # -- data ------------------------------------------------------------------------------------------------

    def _relay_to_client(self, relay: _Relay, datagram: Datagram, now: float) -> None:
        peer = datagram.remote
        if now >= relay.permissions.get(peer.host, 0.0):
            return
        number = relay.find_channel(peer, now)
        if number is not None:
            data = encode_channel_data(number, datagram.data, padded=False)
        else:
            transaction_id = self._rng.randbytes(12)
            attributes = (
                peer_address_attribute(peer, transaction_id),
                StunAttribute(TurnAttribute.DATA, datagram.data),
            )
            message = Message(TurnMethod.DATA, MessageClass.INDICATION, transaction_id, attributes)
            data = message.encode(fingerprint=False)
        self._outgoing.append(Datagram(data, relay.server, relay.client))

    def _relay_channel_data(self, datagram: Datagram, now: float) -> None:
        relay = self._by_client.get(datagram.remote)
        try:
            number, payload = parse_channel_data(datagram.data)
        except ProtocolError:
            return
        peer, expires = (None, 0.0) if relay is None else relay.channels.get(number, (None, 0.0))
        if relay is not None and peer is not None and now < expires:
            self._relay_to_peer(relay, payload, peer, now)

    def _relay_to_peer(self, relay: _Relay, payload: bytes, peer: Address, now: float) -> None:
        if now < relay.permissions.get(peer.host, 0.0):
            self._outgoing.append(Datagram(payload, relay.address, peer))

    # -- requests --------------------------------------------------------------------------------------------

    def _receive_stun(self, datagram: Datagram, now: float) -> None:
        try:
            message = Message.parse(datagram.data)
            if message.message_class is MessageClass.INDICATION:
                self._receive_indication(message, datagram.remote, now)
                return
        except ProtocolError:
            return
        if message.message_class is not MessageClass.REQUEST:
            return
        key: bytes | None = None
        try:
            unknown = message.unknown_required_attributes(COMPREHENDED_BY_TURN)
            if unknown:
                response = error_response(message, ErrorCode(420, "Unknown Attribute"), unknown)
            elif message.method == Method.BINDING:
                response = success_response(message, datagram.remote)
            else:
                username, key = self._authenticate(message, now)
                response = self._answer(message, username, datagram, now)
        except _RefusedError as refused:
            response = error_response(message, refused.error)
            response = attrs.evolve(response, attributes=(*response.attributes, *refused.attributes))
        except ProtocolError as malformed:
            response = error_response(message, ErrorCode(400, str(malformed)))
        sha256 = message.find(AttributeType.PASSWORD_ALGORITHM) is not None
        algorithm = IntegrityAlgorithm.SHA256 if sha256 else IntegrityAlgorithm.SHA1
        data = response.encode(key=key, algorithm=algorithm)
        self._outgoing.append(Datagram(data, datagram.local, datagram.remote))

    def _receive_indication(self, message: Message, client: Address, now: float) -> None:
        relay, payload = self._by_client.get(client), message.find(TurnAttribute.DATA)
        if relay is not None and payload is not None and message.method == TurnMethod.SEND:
            self._relay_to_peer(relay, payload, peer_address(message), now)

    def _authenticate(self, request: Message, now: float) -> tuple[str, bytes]:
        realm = self.options.realm
        if not request.has_integrity:
            raise _RefusedError(401, "Unauthorized", self._challenge(now))
        nonce = request.nonce
        if nonce is None or now >= self._nonces.get(nonce, 0.0):
            raise _RefusedError(438, "Stale Nonce", self._challenge(now))
        username = self._find_user(request)
        password = self._users.get(username or "")
        if username is None or password is None:
            raise _RefusedError(401, "Unauthorized", self._challenge(now))
        if request.find(AttributeType.PASSWORD_ALGORITHM) is None:
            key = long_term_key(username, realm, password)
        else:
            if request.find(AttributeType.PASSWORD_ALGORITHMS) != _password_algorithms():
                raise _RefusedError(400, "Bad Request")
            key = hashlib.sha256(f"{username}:{realm}:{password}".encode()).digest()
        if not request.has_valid_integrity(key):
            raise _RefusedError(401, "Unauthorized", self._challenge(now))
        return username, key

    def _find_user(self, request: Message) -> str | None:
        hashed = request.find(AttributeType.USERHASH)
        if hashed is None:
            return request.username
        return next((each for each in self._users if hash_username(each, self.options.realm) == hashed), None)

    def _challenge(self, now: float) -> Sequence[StunAttribute]:
        offers = self.options.password_algorithms
        features = _ALL_FEATURES if offers else _NO_FEATURES
        nonce = b"obMatJos2" + features.encode() + base64.b64encode(self._rng.randbytes(12))
        self._nonces[nonce] = now + self.options.nonce_lifetime
        attributes = [
            StunAttribute(AttributeType.REALM, self.options.realm.encode()),
            StunAttribute(AttributeType.NONCE, nonce),
        ]
        if offers:
            attributes.append(StunAttribute(AttributeType.PASSWORD_ALGORITHMS, _password_algorithms()))
        return attributes

    def _answer(self, request: Message, username: str, datagram: Datagram, now: float) -> Message:
        relay = self._by_client.get(datagram.remote)
        if request.method == TurnMethod.ALLOCATE:
            if relay is not None:
                raise _RefusedError(437, "Allocation Mismatch")
            attributes = self._allocate(request, username, datagram, now)
        elif relay is None:
            raise _RefusedError(437, "Allocation Mismatch")
        elif relay.username != username:
            raise _RefusedError(441, "Wrong Credentials")
        elif request.method == TurnMethod.REFRESH:
            attributes = self._refresh(request, relay, now)
        elif request.method == TurnMethod.CREATE_PERMISSION:
            attributes = self._permit(request, relay, now)
        elif request.method == TurnMethod.CHANNEL_BIND:
            attributes = self._bind_channel(request, relay, now)
        else:
            raise _RefusedError(400, "Bad Request")
        return Message(
            request.method, MessageClass.SUCCESS_RESPONSE, request.transaction_id, tuple(attributes)
        )

    def _allocate(
        self, request: Message, username: str, datagram: Datagram, now: float
    ) -> Sequence[StunAttribute]:
        if self.options.alternate_server is not None:
            alternate = encode_address(self.options.alternate_server)
            raise _RefusedError(
                300, "Try Alternate", [StunAttribute(AttributeType.ALTERNATE_SERVER, alternate)]
            )
        if request.find(TurnAttribute.REQUESTED_TRANSPORT) != bytes([_UDP, 0, 0, 0]):
            raise _RefusedError(442, "Unsupported Transport Protocol")
        if len(self._by_address) >= self.options.max_allocations:
            raise _RefusedError(486, "Allocation Quota Reached")
        family = request.find(TurnAttribute.REQUESTED_ADDRESS_FAMILY) or bytes([AddressFamily.IPV4])
        hosts = [each for each in self._relay_hosts if (":" in each) is (family[0] == AddressFamily.IPV6)]
        if not hosts:
            raise _RefusedError(440, "Address Family not Supported")
        port = self._rng.randint(_FIRST_RELAYED_PORT, _LAST_RELAYED_PORT)
        while Address(hosts[0], port) in self._by_address:
            port = port + 1 if port < _LAST_RELAYED_PORT else _FIRST_RELAYED_PORT
        seconds = self.options.lifetime
        relay = _Relay(datagram.remote, datagram.local, username, Address(hosts[0], port), now + seconds)
        self._by_client[relay.client] = self._by_address[relay.address] = relay
        self.opened(relay.address)
        return (
            _xored(TurnAttribute.XOR_RELAYED_ADDRESS, relay.address, request),
            _xored(AttributeType.XOR_MAPPED_ADDRESS, relay.client, request),
            lifetime_attribute(seconds),
        )

    def _refresh(self, request: Message, relay: _Relay, now: float) -> Sequence[StunAttribute]:
        if lifetime(request) == 0:
            self._remove(relay)
            return [lifetime_attribute(0)]
        relay.expires = now + self.options.lifetime
        return [lifetime_attribute(self.options.lifetime)]

    def _permit(self, request: Message, relay: _Relay, now: float) -> Sequence[StunAttribute]:
        peers = [
            peer_address(attrs.evolve(request, attributes=(attribute,)))
            for attribute in request.attributes
            if attribute.type == TurnAttribute.XOR_PEER_ADDRESS
        ]
        if not peers:
            raise _RefusedError(400, "Bad Request")
        for peer in peers:
            self._require_reachable(relay, peer)
        for peer in peers:
            relay.permissions[peer.host] = now + PERMISSION_LIFETIME
        return ()

    def _bind_channel(self, request: Message, relay: _Relay, now: float) -> Sequence[StunAttribute]:
        peer, value = peer_address(request), request.find(TurnAttribute.CHANNEL_NUMBER) or b""
        number = int.from_bytes(value[:2], "big")
        if not self.options.channels:
            raise _RefusedError(403, "Forbidden")
        bound, expires = relay.channels.get(number, (peer, 0.0))
        if (
            not FIRST_CHANNEL <= number <= LAST_CHANNEL
            or (bound != peer and now < expires)
            or relay.find_channel(peer, now) not in (None, number)
        ):
            raise _RefusedError(400, "Bad Request")
        self._require_reachable(relay, peer)
        relay.channels[number] = peer, now + CHANNEL_LIFETIME
        relay.permissions[peer.host] = now + PERMISSION_LIFETIME
        return ()

    def _require_reachable(self, relay: _Relay, peer: Address) -> None:
        if (":" in peer.host) is not (":" in relay.address.host):
            raise _RefusedError(443, "Peer Address Family Mismatch")
        if peer.host in self.options.forbidden_hosts:
            raise _RefusedError(403, "Forbidden")

    def _remove(self, relay: _Relay) -> None:
        del self._by_client[relay.client], self._by_address[relay.address]
        self.closed(relay.address)


def _ignore(address: Address) -> None:
    pass


def _password_algorithms() -> bytes:
    algorithms = (PasswordAlgorithm.SHA256, PasswordAlgorithm.MD5)
    return b"".join(algorithm.to_bytes(2, "big") + bytes(2) for algorithm in algorithms)


def _xored(attribute: int, address: Address, request: Message) -> StunAttribute:
    return StunAttribute(attribute, xor_address(encode_address(address), request.transaction_id))
