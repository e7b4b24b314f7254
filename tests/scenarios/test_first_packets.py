"""Contents of the first packets of each protocol, since a peer may fail on new elements in them.

Each addition needs a row in the table of docs/interoperability.md, and a fallback where peers exist that do not
answer it. SCTP's INIT and COOKIE ECHO are encrypted: tests/protocols/sctp/test_sctp_handshake.py.
"""

import pytest

from tests.strategies.peers import channel_pair, settings_for, two_peers
from trio_rtc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from trio_rtc.protocols.dtls.extensions import ExtensionType
from trio_rtc.protocols.dtls.messages import ClientHello
from trio_rtc.protocols.stun import AttributeType, Message, MessageClass
from trio_rtc.testing import Packet, Pass, SimulatedNetwork, TraceKind

pytestmark = pytest.mark.usefixtures("autojump_clock")

HANDSHAKE = 22
CLIENT_HELLO = 1


class Recorder:
    """Keeps the packets of one sender."""

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self.packets: list[bytes] = []

    def __call__(self, packet: Packet) -> Pass:
        if packet.sender == self._sender:
            self.packets.append(packet.data)
        return Pass()


async def packets_of(sender: str) -> list[bytes]:
    async with two_peers() as peers:
        recorder = Recorder(sender)
        peers.network.add_filter(recorder)
        await channel_pair(peers.alice, peers.bob)
        return recorder.packets


async def test_connectivity_checks_have_only_required_attributes() -> None:
    """RFC 8445 section 7.1; no comprehension-optional attributes of other specifications."""
    packets = await packets_of("alice")
    stun = [Message.parse(packet) for packet in packets if packet[0] < 4]
    requests = [message for message in stun if message.message_class is MessageClass.REQUEST]
    assert requests
    for request in requests:
        kinds = {attribute.type for attribute in request.attributes}
        assert kinds - {AttributeType.USE_CANDIDATE} == {
            AttributeType.USERNAME,
            AttributeType.PRIORITY,
            AttributeType.ICE_CONTROLLING,
        }
    first, *_ = requests
    # Regular nomination: the first check has no USE-CANDIDATE.
    assert AttributeType.USE_CANDIDATE not in {attribute.type for attribute in first.attributes}


@pytest.mark.parametrize(("address", "family"), [("192.0.2.11", []), ("2001:db8::11", [0x0017])])
async def test_an_allocate_request_has_only_required_attributes(address: str, family: list[int]) -> None:
    network = SimulatedNetwork()
    network.add_turn_server("turn.example", ["198.51.100.1", "2001:db8::1"], {"alice": "secret"})
    host = network.add_host("alice", [address])
    server = RTCIceServer("turn:turn.example", "alice", "secret")
    configuration = RTCConfiguration([server], ice_transport_policy="relay")
    async with network, RTCPeerConnection(configuration, settings=settings_for(host, 0)) as pc:
        pc.create_data_channel("")
        await pc.set_local_description()
        await pc.gathering_complete()
    sent = [Message.parse(packet.data) for packet in network.trace.packets(TraceKind.SENT, sender="alice")]
    first, second, *_ = [[attribute.type for attribute in message.attributes] for message in sent]
    assert first == [0x0019, *family]
    assert second == [0x0019, *family, AttributeType.USERNAME, AttributeType.REALM, AttributeType.NONCE]


async def test_the_client_hello_fits_a_datagram_with_extensions_of_all_browsers() -> None:
    """Unfragmented: Mbed TLS (until 2026) and wolfSSL do not reassemble a ClientHello."""
    packets = await packets_of("bob")
    hello, *_ = (packet for packet in packets if packet[0] == HANDSHAKE)
    assert len(hello) < 200
    assert hello[13] == CLIENT_HELLO
    body = hello[13 + 12 :]
    assert int.from_bytes(hello[14:17], "big") == int.from_bytes(hello[22:25], "big") == len(body)
    parsed = ClientHello.parse(body)
    assert parsed.cookie == parsed.session_id == b""
    assert set(parsed.extensions) == {
        ExtensionType.EXTENDED_MASTER_SECRET,
        ExtensionType.RENEGOTIATION_INFO,
        ExtensionType.SUPPORTED_GROUPS,
        ExtensionType.EC_POINT_FORMATS,
        ExtensionType.SIGNATURE_ALGORITHMS,
        ExtensionType.USE_SRTP,
    }
    # RFC 8827 section 6.5: mandatory to implement.
    assert 0xC02B in parsed.cipher_suites


async def test_the_default_offer_has_these_attributes() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("x")
        for kind in ("audio", "video"):
            peers.alice.add_transceiver(kind)
        offer = await peers.alice.create_offer()
    names = {line[2:].partition(":")[0] for line in offer.sdp.splitlines() if line.startswith("a=")}
    assert names == {
        # Session, transport.
        "group", "msid-semantic", "mid", "ice-options", "ice-ufrag", "ice-pwd", "fingerprint", "setup",
        # Audio and video.
        "extmap", "extmap-allow-mixed", "sendrecv", "msid", "rtcp-mux", "rtcp-mux-only", "rtcp-rsize", "rtpmap",
        "rtcp-fb", "fmtp", "ssrc", "ssrc-group",
        # Data channels.
        "sctp-port", "max-message-size",
    }  # fmt: skip
    # Pion interprets any other group as a second track ("plan B").
    groups = [line for line in offer.sdp.splitlines() if line.startswith("a=ssrc-group:")]
    assert [group.split()[0] for group in groups] == ["a=ssrc-group:FID"]
