"""RTCSctpTransport, RTCDtlsTransport, RTCIceTransport: existence, attributes and identity."""

import math

import pytest
import trio
from cryptography import x509

from tests.strategies.peers import connect, open_channel, trickle, two_peers
from trio_rtc import InvalidAccessError, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_sctp_appears_with_the_offer() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        await alice.set_local_description()
        sctp = alice.sctp
        assert sctp is not None
        assert (sctp.state, sctp.max_channels, sctp.max_message_size) == ("connecting", None, None)
        assert sctp.transport.ice_transport.role == "controlling"
        assert alice.local_description is not None
        await bob.set_remote_description(alice.local_description)
        theirs = bob.sctp
        assert theirs is not None
        assert (theirs.state, theirs.max_channels, theirs.max_message_size) == ("connecting", None, None)
        assert (theirs.transport.state, theirs.transport.ice_transport.role) == ("new", "controlled")
        assert (bob.connection_state, bob.ice_gathering_state) == ("new", "new")
        await bob.set_local_description()
        assert bob.sctp is theirs
        assert bob.local_description is not None
        await alice.set_remote_description(bob.local_description)
        assert alice.sctp is sctp
        assert (sctp.state, sctp.max_channels, sctp.max_message_size) == ("connecting", None, 262144)
        assert sctp.transport.state == "new"
        assert sctp.transport.ice_transport.state in ("new", "checking")
        assert sctp.transport.get_remote_certificates() == []


async def test_objects_keep_their_identity() -> None:
    async with open_channel() as (_, _, peers):
        sctp = peers.alice.sctp
        assert sctp is not None
        dtls, ice = sctp.transport, sctp.transport.ice_transport
        await connect(peers.bob, peers.alice)
        assert peers.alice.sctp is sctp
        assert sctp.transport is dtls
        assert dtls.ice_transport is ice


async def test_states_change_in_order() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        log: list[str] = []

        def watch(_: object) -> None:
            sctp = alice.sctp
            assert sctp is not None
            for name, target in (
                ("sctp", sctp),
                ("dtls", sctp.transport),
                ("ice", sctp.transport.ice_transport),
            ):
                target.on_state_change = lambda event, name=name: log.append(f"{name} {event.target.state}")

        trickle(alice, bob)
        alice.add_event_listener(
            "signaling_state_change",
            lambda event: watch(event) if alice.signaling_state == "stable" else None,
        )
        channel.on_open = lambda _: log.append("open")
        await connect(alice, bob)
        await channel.opened()
        await trio.sleep(1)
        assert [entry for entry in log if entry.startswith("ice")] == [
            "ice checking",
            "ice connected",
            "ice completed",
        ]
        assert [entry for entry in log if entry.startswith("dtls")] == ["dtls connecting", "dtls connected"]
        assert log.index("ice connected") < log.index("dtls connecting")
        assert log.index("dtls connected") < log.index("sctp connected") < log.index("open")


async def test_attributes_of_connected_transports() -> None:
    async with open_channel() as (_, _, peers):
        for pc, role in ((peers.alice, "controlling"), (peers.bob, "controlled")):
            sctp = pc.sctp
            assert sctp is not None
            assert sctp.state == "connected"
            assert sctp.max_channels is not None
            assert sctp.max_channels > 1000
            (der,) = sctp.transport.get_remote_certificates()
            x509.load_der_x509_certificate(der)
            ice = sctp.transport.ice_transport
            assert (ice.role, ice.component, ice.gathering_state) == (role, "rtp", "complete")
            parameters, pair = ice.get_local_parameters(), ice.get_selected_candidate_pair()
            assert parameters is not None
            assert pc.local_description is not None
            assert f"a=ice-ufrag:{parameters.username_fragment}\r\n" in pc.local_description.sdp
            assert parameters.password not in repr(parameters)
            assert pair is not None
            assert ice.get_local_candidates() == [pair.local]
            assert pair.local.sdp_mid == "0"
        assert peers.alice.sctp is not None
        assert peers.bob.sctp is not None
        one, other = (sctp.transport.ice_transport for sctp in (peers.alice.sctp, peers.bob.sctp))
        assert one.get_remote_parameters() == other.get_local_parameters()
        assert [c.candidate for c in one.get_remote_candidates()] == [
            c.candidate for c in other.get_local_candidates()
        ]


async def test_a_changed_fingerprint_in_a_new_offer_is_rejected() -> None:
    async with open_channel() as (mine, theirs, peers):
        offer = await peers.bob.create_offer()
        lines = offer.sdp.split("\r\n")
        index = next(number for number, line in enumerate(lines) if line.startswith("a=fingerprint:"))
        lines[index] = "a=fingerprint:sha-256 " + ":".join(["00"] * 32)
        with pytest.raises(InvalidAccessError, match="fingerprint"):
            await peers.alice.set_remote_description(RTCSessionDescription("offer", "\r\n".join(lines)))
        assert peers.alice.signaling_state == "stable"
        await mine.send("still here")
        assert await theirs.receive() == "still here"


@pytest.mark.parametrize(("announced", "expected"), [("0", math.inf), ("1000", 1000.0), (None, 65536.0)])
async def test_max_message_size(announced: str | None, expected: float) -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        bob.create_data_channel("chat")
        offer = await bob.create_offer()
        line = "" if announced is None else f"a=max-message-size:{announced}\r\n"
        sdp = offer.sdp.replace("a=max-message-size:262144\r\n", line)
        await alice.set_remote_description({"type": "offer", "sdp": sdp})
        await alice.set_local_description()
        assert alice.sctp is not None
        assert alice.sctp.max_message_size == expected


async def test_a_wrong_fingerprint_fails_the_connection() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = alice.create_data_channel("chat")
        log: list[str] = []
        await alice.set_local_description()
        await trio.sleep(1)
        assert alice.local_description is not None
        await bob.set_remote_description(alice.local_description)
        await bob.set_local_description()
        await trio.sleep(1)
        assert bob.local_description is not None
        head, rest = bob.local_description.sdp.split("a=fingerprint:sha-256 ", 1)
        forged = head + "a=fingerprint:sha-256 " + ":".join(["00"] * 32) + rest[95:]
        await alice.set_remote_description({"type": "answer", "sdp": forged})
        assert alice.sctp is not None
        dtls = alice.sctp.transport
        dtls.on_error = lambda event: log.append(f"error {event.error.error_detail} {alice.connection_state}")
        dtls.on_state_change = lambda _: log.append(f"{dtls.state} {alice.connection_state}")
        channel.on_error = lambda event: log.append(f"channel {event.error.error_detail}")
        alice.on_connection_state_change = lambda _: log.append(f"alice {alice.connection_state}")
        await trio.sleep(5)
        failure = log.index("error fingerprint-failure failed")
        assert log[failure + 1 : failure + 3] == ["failed failed", "alice failed"]
        assert "channel fingerprint-failure" in log
        assert channel.ready_state == "closed"
