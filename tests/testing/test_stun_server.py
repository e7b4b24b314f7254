"""The simulated STUN server, used through a NAT."""

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import Message, MessageClass, Method, StunAttribute, binding_request
from trio_rtc.testing import SimulatedNetwork, answer_binding_request

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.leaves_sockets]


async def test_client_behind_a_nat_receives_its_public_address() -> None:
    network = SimulatedNetwork()
    home = network.add_nat("router", kind="port_restricted", public="203.0.113.1")
    alice = network.add_host("alice", ["192.168.0.2"], behind=home)
    network.add_stun_server("stun.example", ["198.51.100.1"])
    async with network:
        client = await alice.bind_udp(alice.interface_addresses()[0])
        (server,) = await alice.resolve("stun.example", 3478)
        await client.send_batch([binding_request(bytes(12)).encode()], server)
        ((source, (data,)),) = await client.receive_batch()
        response = Message.parse(data)
        assert source == server
        assert response.message_class is MessageClass.SUCCESS_RESPONSE
        assert response.mapped_address is not None
        assert response.mapped_address.host == "203.0.113.1"


CLIENT, SERVER = Address("192.0.2.1", 5000), Address("198.51.100.1", 3478)


def test_unknown_attributes_are_rejected() -> None:
    request = binding_request(bytes(12), [StunAttribute(0x7FFF, b"")])
    ((data, destination),) = answer_binding_request(request.encode(), CLIENT, SERVER)
    response = Message.parse(data)
    assert destination == CLIENT
    assert response.error_code is not None
    assert response.error_code.code == 420
    assert response.unknown_attributes == (0x7FFF,)


@pytest.mark.parametrize(
    "data", [b"garbage", Message(Method.BINDING, MessageClass.INDICATION, bytes(12)).encode()]
)
def test_other_datagrams_are_not_answered(data: bytes) -> None:
    assert answer_binding_request(data, CLIENT, SERVER) == []
