"""``set_remote_description`` with any description (W3C webrtc sections 4.4.1.5 and 4.4.2)."""

import pytest
import trio

from tests.api.web_platform.negotiation import (
    answer_of,
    event_log,
    local_track,
    receiving_offer,
    sections,
    signaling_log,
)
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidAccessError, RTCError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_an_unknown_type_is_a_type_error() -> None:
    async with two_peers() as peers:
        for description in ({"type": "invalid"}, {}, {"sdp": "v=0\r\n"}):
            with pytest.raises(TypeError):
                await peers.alice.set_remote_description(description)
        assert peers.alice.signaling_state == "stable"


@pytest.mark.parametrize("sdp", ["no SDP", "", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nm=audio\r\n"])
async def test_text_that_is_no_sdp_is_an_rtc_error(sdp: str) -> None:
    async with two_peers() as peers:
        states = signaling_log(peers.alice)
        with pytest.raises(RTCError) as caught:
            await peers.alice.set_remote_description({"type": "offer", "sdp": sdp})
        assert caught.value.error_detail == "sdp-syntax-error"
        assert states == []
        assert peers.alice.remote_description is None


async def test_an_offer_without_fingerprint_is_refused() -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.bob, "audio")
        lines = offer.sdp.splitlines(keepends=True)
        sdp = "".join(line for line in lines if not line.startswith("a=fingerprint:"))
        with pytest.raises(InvalidAccessError, match="fingerprint"):
            await peers.alice.set_remote_description({"type": "offer", "sdp": sdp})
        assert peers.alice.get_transceivers() == []


async def test_roles_may_change_and_sections_stay() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        first = await receiving_offer(alice, "audio")
        await alice.set_local_description(first)
        await alice.set_remote_description(await answer_of(peers.bob, first))
        second = await receiving_offer(peers.bob, "video")
        assert sections(second) == 2
        await alice.set_remote_description(second)
        assert alice.pending_remote_description == second
        assert alice.current_remote_description is not None
        assert sections(alice.current_remote_description) == 1
        assert states == ["have-local-offer", "stable", "have-remote-offer"]


async def test_the_state_changes_before_tracks_are_announced_and_both_before_it_returns() -> None:
    async with two_peers() as peers:
        log = event_log(peers.bob, "signaling_state_change", "track")
        peers.alice.add_track(local_track())
        peers.alice.add_track(local_track("video"))
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        log.append("returned")
        assert log == ["signaling_state_change", "track", "track", "returned"]


async def test_closing_in_an_event_ends_the_operation() -> None:
    async with two_peers() as peers:
        peers.bob.on_signaling_state_change = lambda _: peers.bob.close()
        with pytest.raises(trio.ClosedResourceError):
            await peers.bob.set_remote_description(await receiving_offer(peers.alice, "audio"))
        assert peers.bob.signaling_state == "closed"


async def test_an_exchange_without_sections() -> None:
    async with two_peers() as peers:
        await negotiate(peers.alice, peers.bob)
        assert sections(peers.alice.remote_description) == 0
        assert peers.alice.signaling_state == peers.bob.signaling_state == "stable"
