"""The event ``error`` of DTLS transports (W3C webrtc section 5.5)."""

import pytest
import trio

from tests.strategies.media import media_peers
from tests.strategies.peers import description_of, trickle
from trio_rtc import RTCError, RTCErrorEvent, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_wrong_fingerprint() -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        trickle(alice, bob)
        alice.add_transceiver("audio")
        await alice.set_local_description()
        head, _, tail = description_of(alice).sdp.partition("a=fingerprint:sha-256 ")
        wrong = f"{head}a=fingerprint:sha-256 {'1' if tail[0] == '0' else '0'}{tail[1:]}"
        await bob.set_remote_description(RTCSessionDescription("offer", wrong))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
        errors: dict[str, RTCErrorEvent] = {}
        for name, pc in (("offerer", alice), ("answerer", bob)):
            dtls = pc.get_senders()[0].transport
            assert dtls is not None
            dtls.on_error = lambda event, name=name: errors.update({name: event})
        await trio.sleep(5)
        for event in errors.values():
            assert isinstance(event, RTCErrorEvent)
            assert isinstance(event.error, RTCError)
            assert event.error.name == "OperationError"
        answerer, offerer = errors["answerer"].error, errors["offerer"].error
        assert answerer.error_detail == "fingerprint-failure"
        assert answerer.sent_alert is answerer.received_alert is None
        assert offerer.error_detail == "dtls-failure"
