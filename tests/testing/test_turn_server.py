"""The simulated TURN server: its error responses, and what ends by time. The client's tests cover the rest."""

import random
from collections.abc import Sequence

import pytest

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.stun import (
    AttributeType,
    IntegrityAlgorithm,
    LongTermCredentials,
    Message,
    MessageClass,
    StunAttribute,
    binding_request,
)
from trio_rtc.protocols.turn import AddressFamily, TurnMethod
from trio_rtc.protocols.turn.attributes import (
    channel_number_attribute,
    lifetime_attribute,
    peer_address_attribute,
    requested_address_family,
    requested_transport,
)
from trio_rtc.testing import TurnServer, TurnServerOptions

CLIENT, SERVER = Address("192.0.2.1", 40000), Address("198.51.100.1", 3478)
PEER, PEER6 = Address("203.0.113.5", 5000), Address("2001:db8::5", 5000)
ID = bytes(12)


class Client:
    """Sends authenticated requests to a server."""

    def __init__(self, options: TurnServerOptions | None = None, *, address: Address = CLIENT) -> None:
        users = {"alice": "secret", "bob": "hidden"}
        self.server = TurnServer(users, ["198.51.100.1"], rng=random.Random(1), options=options)
        self.address = address
        self.now = 0.0
        self.sign_in("alice", "secret")

    def sign_in(self, username: str, password: str) -> None:
        self.credentials = LongTermCredentials(username, password)
        self.credentials.accept_challenge(self.exchange(self._message(TurnMethod.REFRESH, ()).encode()))

    def _message(self, method: int, attributes: Sequence[StunAttribute]) -> Message:
        return Message(method, MessageClass.REQUEST, ID, tuple(attributes))

    def exchange(self, data: bytes) -> Message:
        (answer,) = self.server.receive(Datagram(data, SERVER, self.address), self.now)
        return Message.parse(answer.data)

    def request(self, method: int, *attributes: StunAttribute) -> int:
        """Return the code of the error response, 0 for a success response."""
        signed = self.credentials.sign(attributes)
        message = self._message(method, signed.attributes)
        answer = self.exchange(message.encode(key=signed.key, algorithm=signed.algorithm))
        assert answer.transaction_id == ID
        return 0 if answer.error_code is None else answer.error_code.code

    def allocate(self) -> Address:
        assert self.request(TurnMethod.ALLOCATE, requested_transport()) == 0
        return self.server.allocations[-1]


def peer(address: Address = PEER) -> StunAttribute:
    return peer_address_attribute(address, ID)


def test_it_is_a_stun_server_too() -> None:
    assert Client().exchange(binding_request(ID).encode()).mapped_address == CLIENT


def test_error_responses_to_allocate() -> None:
    client = Client()
    assert client.request(TurnMethod.ALLOCATE) == 442
    family = requested_address_family(AddressFamily.IPV6)
    assert client.request(TurnMethod.ALLOCATE, requested_transport(), family) == 440
    unknown = StunAttribute(0x7FFF, b"")
    assert client.request(TurnMethod.ALLOCATE, requested_transport(), unknown) == 420
    client.allocate()
    assert client.request(TurnMethod.ALLOCATE, requested_transport()) == 437


def test_requests_without_an_allocation_or_of_another_user_are_refused() -> None:
    client = Client()
    for method in (TurnMethod.REFRESH, TurnMethod.CREATE_PERMISSION, TurnMethod.CHANNEL_BIND):
        assert client.request(method, peer()) == 437
    client.allocate()
    client.sign_in("bob", "hidden")
    assert client.request(TurnMethod.REFRESH) == 441
    client.sign_in("carol", "unknown")
    assert client.request(TurnMethod.REFRESH) == 401


def test_error_responses_to_permissions_and_channels() -> None:
    client = Client(TurnServerOptions(forbidden_hosts=frozenset({"203.0.113.9"})))
    relayed = client.allocate()
    assert client.request(TurnMethod.CREATE_PERMISSION) == 400
    assert client.request(TurnMethod.CREATE_PERMISSION, peer(PEER6)) == 443
    # None is installed if one is refused (RFC 8656 section 10.2).
    assert client.request(TurnMethod.CREATE_PERMISSION, peer(), peer(Address("203.0.113.9", 1))) == 403
    assert client.server.permissions(relayed) == ()
    assert client.request(TurnMethod.CREATE_PERMISSION, peer()) == 0
    assert client.server.permissions(relayed) == (PEER.host,)
    assert client.request(TurnMethod.CHANNEL_BIND, channel_number_attribute(0x5000), peer()) == 400
    assert client.request(TurnMethod.CHANNEL_BIND, channel_number_attribute(0x4000), peer()) == 0
    assert client.request(TurnMethod.CHANNEL_BIND, channel_number_attribute(0x4000), peer()) == 0
    other = peer(Address("203.0.113.6", 1))
    assert client.request(TurnMethod.CHANNEL_BIND, channel_number_attribute(0x4000), other) == 400
    assert client.request(TurnMethod.CHANNEL_BIND, channel_number_attribute(0x4001), peer()) == 400
    assert client.request(TurnMethod.SEND, peer()) == 400


def test_allocations_permissions_and_channels_expire() -> None:
    client = Client()
    closed: list[Address] = []
    client.server.closed = closed.append
    relayed = client.allocate()
    client.request(TurnMethod.CHANNEL_BIND, channel_number_attribute(0x4000), peer())
    from_peer = Datagram(b"data", relayed, PEER)
    assert client.server.receive(from_peer, 299)[0].data == b"\x40\x00\x00\x04data"
    assert client.server.receive(from_peer, 300) == []
    client.now = 500
    assert client.request(TurnMethod.REFRESH) == 0
    client.request(TurnMethod.CREATE_PERMISSION, peer())
    assert client.server.receive(from_peer, 599)[0].data == b"\x40\x00\x00\x04data"
    assert client.server.receive(from_peer, 600)[0].data[:2] == b"\x00\x17"
    client.server.receive(from_peer, 1100)
    assert closed == [relayed]
    assert client.server.allocations == ()


def test_a_changed_list_of_algorithms_is_refused() -> None:
    """RFC 8489 section 9.2.4: otherwise the list could be shortened on the way."""
    client = Client(TurnServerOptions(password_algorithms=True))
    signed = client.credentials.sign([requested_transport()])
    changed = tuple(
        StunAttribute(each.type, bytes.fromhex("00010000"))
        if each.type == AttributeType.PASSWORD_ALGORITHMS
        else each
        for each in signed.attributes
    )
    message = Message(TurnMethod.ALLOCATE, MessageClass.REQUEST, ID, changed)
    answer = client.exchange(message.encode(key=signed.key, algorithm=IntegrityAlgorithm.SHA256))
    assert answer.error_code is not None
    assert answer.error_code.code == 400
    assert client.request(TurnMethod.ALLOCATE, requested_transport(), lifetime_attribute(10)) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x40\x00\x00\x01x",
        b"\x40\x00\x00\xff",
        binding_request(ID).encode()[:-1],
        Message(TurnMethod.SEND, MessageClass.INDICATION, ID, (peer(),)).encode(),
        Message(1, MessageClass.SUCCESS_RESPONSE, ID).encode(),
    ],
)
def test_other_packets_are_not_answered(data: bytes) -> None:
    assert Client().server.receive(Datagram(data, SERVER, CLIENT), 0) == []
