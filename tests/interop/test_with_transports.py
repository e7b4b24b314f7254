"""Transports with every peer: DTLS roles, ICE restarts, media sections, closing."""

import re

import pytest
import trio

from tests.interop.connecting import Connection, connected, negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.negotiation import connect
from tests.interop.opening import PEERS, Peers
from trio_rtc import RTCIceCandidatePairStats, RTCTransportStats, Settings
from trio_rtc.protocols.ice import IceOptions

BROWSERS = ("chromium", "firefox")
LIBWEBRTC_AND_FIREFOX = ("wrtc", *BROWSERS)
WITHOUT_TRANSPORT_STATS = ("aiortc", "pion", "pion-passive")
QUICKLY_MISSING = Settings(
    ice=IceOptions(
        consent_interval=0.5,
        consent_timeout=3,
        disconnected_timeout=1.5,
        disconnected_patience=1,
        # Descriptions of browsers have no end of candidates.
        late_candidate_timeout=1.5,
    )
)
OFFERING = pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "we-answer"])


def with_setup(description: JsonObject, setup: str) -> JsonObject:
    """Return an offer that fixes the DTLS role."""
    return {**description, "sdp": re.sub(r"a=setup:\w+", f"a=setup:{setup}", description["sdp"])}


def without_candidates(description: JsonObject) -> JsonObject:
    """Return a description without candidates."""
    return {**description, "sdp": re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", description["sdp"])}


def ufrags(description: JsonObject) -> set[str]:
    """Return the ICE username fragments of a description."""
    return set(re.findall(r"a=ice-ufrag:(\S+)", description["sdp"]))


async def assert_stats(connection: Connection, *, role: str) -> None:
    """Require consistent statistics of the transport on both sides."""
    ours: RTCTransportStats = await connection.own.transport_stats()
    assert ours.dtls_role == role
    assert ours.dtls_state == "connected"
    assert ours.tls_version == "FEFD"
    assert ours.dtls_cipher is not None
    assert ours.selected_candidate_pair_id is not None
    stats = await connection.own.pc.get_stats()
    pair = stats[ours.selected_candidate_pair_id]
    assert isinstance(pair, RTCIceCandidatePairStats)
    assert pair.state == "succeeded"
    if connection.remote.name in WITHOUT_TRANSPORT_STATS:
        return
    theirs = await connection.remote.stats_of("transport")
    assert theirs["dtlsState"] == "connected"
    assert theirs["tlsVersion"] == "FEFD"
    assert theirs["dtlsCipher"] == ours.dtls_cipher
    assert theirs["srtpCipher"] == ours.srtp_cipher
    assert (theirs["dtlsRole"], ours.dtls_role) in {("client", "server"), ("server", "client")}
    assert (theirs["iceRole"], ours.ice_role) in {
        ("controlling", "controlled"),
        ("controlled", "controlling"),
    }


@pytest.mark.parametrize("role", ["client", "server"])
@OFFERING
@pytest.mark.parametrize("name", PEERS)
async def test_dtls_connects_in_either_role(peers: Peers, name: str, we_offer: bool, role: str) -> None:
    if name == "pion" and we_offer and role == "client":
        name = "pion-passive"  # this peer answers with its configured role
    async with negotiating(peers, name) as (own, remote, nursery):
        # The answerer chooses unless the offer fixes the role; all these peers choose active.
        if we_offer:
            ours = own.pc.create_data_channel("chat")
            offer = await own.create_offer(trickle=False)
            forced = with_setup(offer, "active") if role == "client" else offer
            answer = await remote.create_answer(forced, trickle=False)
            await own.set_answer(answer)
            theirs = await remote.accept_channel()
        else:
            theirs = await remote.create_data_channel("chat")
            offer = await remote.create_offer(trickle=False)
            forced = with_setup(offer, "active") if role == "server" else offer
            answer = await own.create_answer(forced, trickle=False)
            await remote.set_answer(answer)
            ours = await own.accept_channel()
        await ours.opened()
        await theirs.opened.wait()
        connection = Connection(own, remote, ours, theirs, nursery)
        await connection.assert_alive()
        await assert_stats(connection, role=role)


@pytest.mark.parametrize("we_restart", [True, False], ids=["we-restart", "peer-restarts"])
@pytest.mark.parametrize("name", [*LIBWEBRTC_AND_FIREFOX, "pion"])
async def test_a_connection_survives_renegotiation_and_ice_restart(
    peers: Peers, name: str, we_restart: bool
) -> None:
    async with connected(peers, name, we_offer=we_restart) as connection:
        own, remote = connection.own, connection.remote
        before = await own.transport_stats()
        offerer, answerer = (own, remote) if we_restart else (remote, own)
        # Without changes there is no restart and no gathering.
        offer, answer = await connect(offerer, answerer, trickle=False, nursery=connection.nursery)
        await connection.assert_alive("negotiated again")
        assert before.ice_local_username_fragment in ufrags(offer) | ufrags(answer)
        if we_restart:
            own.pc.restart_ice()
        else:
            await remote.restart_ice()
        new_offer, new_answer = await connect(offerer, answerer, trickle=True, nursery=connection.nursery)
        assert not ufrags(new_offer) & ufrags(offer)
        assert not ufrags(new_answer) & ufrags(answer)
        await connection.assert_alive("restarted")
        new_ours = new_offer if we_restart else new_answer
        await until_selected(connection, ufrags(new_ours))
        await connection.assert_alive("on the new path")
        after = await own.transport_stats()
        assert after.dtls_role == before.dtls_role
        assert own.pc.connection_state == "connected"


async def until_selected(connection: Connection, fragments: set[str]) -> None:
    """Wait until our selected pair has these username fragments of an ICE generation."""
    assert connection.own.pc.sctp is not None
    ice_transport = connection.own.pc.sctp.transport.ice_transport
    async with ice_transport.subscribe("selected_candidate_pair_change") as changes:
        while True:
            pair = ice_transport.get_selected_candidate_pair()
            if pair is not None and pair.local.username_fragment in fragments:
                return
            await changes.receive()


@pytest.mark.parametrize("name", [*LIBWEBRTC_AND_FIREFOX, "pion"])
async def test_a_peer_that_also_offers_media(peers: Peers, name: str) -> None:
    async with negotiating(peers, name) as (own, remote, nursery):
        await remote.add_transceivers("audio", "video")
        theirs = await remote.create_data_channel("chat")
        offer, answer = await connect(remote, own, trickle=True, nursery=nursery)
        assert len(re.findall("m=(?:audio|video)", offer["sdp"])) == 2
        # No section is rejected, since the peer may send later.
        assert not re.findall("m=(?:audio|video) 0 ", answer["sdp"])
        assert len(re.findall("a=recvonly", answer["sdp"])) == 2
        ours = await own.accept_channel()
        await theirs.opened.wait()
        connection = Connection(own, remote, ours, theirs, nursery)
        await connection.assert_alive()
        # Our offer keeps the existing sections in their order.
        offer, _ = await connect(own, remote, trickle=False, nursery=nursery)
        assert re.findall(r"m=(\w+)", offer["sdp"]) == re.findall(r"m=(\w+)", answer["sdp"])
        await connection.assert_alive("negotiated again")


@pytest.mark.parametrize("we_are_polite", [True, False], ids=["we-are-polite", "peer-is-polite"])
@pytest.mark.parametrize("name", BROWSERS)
async def test_glare_with_perfect_negotiation(peers: Peers, name: str, we_are_polite: bool) -> None:
    async with negotiating(peers, name) as (own, remote, nursery):
        ours = own.pc.create_data_channel("ours")
        theirs = await remote.create_data_channel("theirs")
        our_offer = await own.create_offer(trickle=False)
        their_offer = await remote.create_offer(trickle=False)
        # The polite peer accepts the other's offer and rolls back its own.
        if we_are_polite:
            await remote.set_answer(await own.create_answer(their_offer, trickle=False))
        else:
            await own.set_answer(await remote.create_answer(our_offer, trickle=False))
        theirs_here, ours_there = await own.accept_channel(), await remote.accept_channel()
        await theirs.opened.wait()
        await ours.opened()
        await Connection(own, remote, ours, ours_there, nursery).assert_alive("ours")
        await Connection(own, remote, theirs_here, theirs, nursery).assert_alive("theirs")


@pytest.mark.parametrize("name", LIBWEBRTC_AND_FIREFOX)
async def test_each_side_obeys_the_announced_max_message_size(peers: Peers, name: str) -> None:
    async with connected(
        peers, name, we_offer=True, settings=Settings(max_message_size=70_000)
    ) as connection:
        assert await connection.remote.max_message_size() == 70_000
        await connection.theirs.send(bytes(70_000))
        assert await connection.ours.receive() == bytes(70_000)
        pc = connection.own.pc
        assert pc.remote_description is not None
        assert pc.sctp is not None
        limit = pc.sctp.max_message_size
        assert limit is not None
        assert re.findall(r"a=max-message-size:(\d+)", pc.remote_description.sdp) == [str(limit)]
        if limit < 1 << 20:
            largest = bytes(int(limit))
            await connection.ours.send(largest)
            assert await connection.theirs.receive() == largest
            with pytest.raises(TypeError):
                await connection.ours.send(largest + b"\0")
        await connection.assert_alive()


async def test_mdns_names_are_resolved(peers: Peers) -> None:
    """Chromium hides its addresses from a page without camera permission, as for most users."""
    async with negotiating(peers, "chromium-mdns") as (own, remote, nursery):
        theirs = await remote.create_data_channel("chat")
        offer = await remote.create_offer(trickle=False)
        assert re.search(r"a=candidate:\S+ 1 udp \d+ \S+\.local ", offer["sdp"])
        assert not re.search(r"a=candidate:\S+ 1 udp \d+ [0-9.]+ ", offer["sdp"])
        # It gets no addresses of ours, so that we must resolve its name.
        answer = without_candidates(await own.create_answer(offer, trickle=True))
        await remote.set_answer(answer)
        ours = await own.accept_channel()
        await theirs.opened.wait()
        await Connection(own, remote, ours, theirs, nursery).assert_alive()


@OFFERING
@pytest.mark.parametrize("name", PEERS)
async def test_the_end_of_our_connection_reaches_the_peer(peers: Peers, name: str, we_offer: bool) -> None:
    async with connected(peers, name, we_offer=we_offer, trickle=False) as connection:
        with trio.fail_after(10):
            await connection.own.pc.aclose()
            await connection.theirs.closed.wait()


@OFFERING
@pytest.mark.parametrize("name", PEERS)
async def test_the_end_of_the_peers_connection_reaches_us(peers: Peers, name: str, we_offer: bool) -> None:
    async with connected(peers, name, we_offer=we_offer, trickle=False) as connection:
        with trio.fail_after(10):
            await connection.remote.close()
            with pytest.raises((trio.EndOfChannel, trio.BrokenResourceError)):
                await connection.ours.receive()
            assert connection.ours.ready_state == "closed"


@pytest.mark.parametrize("name", ["aiortc", "wrtc", "pion"])
async def test_a_vanished_peer_is_detected(peers: Peers, name: str) -> None:
    async with connected(peers, name, we_offer=True, trickle=False, settings=QUICKLY_MISSING) as connection:
        await connection.remote.vanish()
        await connection.own.connection_state("disconnected")
        await connection.own.connection_state("failed")


@pytest.mark.parametrize("name", BROWSERS)
async def test_a_closed_page_is_detected(peers: Peers, name: str) -> None:
    async with connected(peers, name, we_offer=True, trickle=False, settings=QUICKLY_MISSING) as connection:
        await connection.remote.vanish()
        # Firefox ends the association, Chromium becomes silent; ICE fails for both.
        await connection.own.connection_state("failed")
