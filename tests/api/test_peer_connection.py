"""RTCPeerConnection: construction, operations in every state, events and their order, closing."""

import random
import warnings
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from tests.strategies.media import media_peers
from tests.strategies.peers import Peers, connect, negotiate, open_channel, trickle, two_peers
from tests.strategies.scenarios import layer_counters
from trio_rtc import (
    DOMException,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    MediaStream,
    RTCConfiguration,
    RTCDataChannelStats,
    RTCError,
    RTCIceCandidate,
    RTCIceCandidatePairStats,
    RTCPeerConnection,
    RTCSessionDescription,
    RTCTransportStats,
    Settings,
    open_media_track,
)
from trio_rtc.event_target import AnyEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")

ROLLBACK = {"type": "rollback"}


def log_events(pc: RTCPeerConnection, *kinds: str) -> list[str]:
    """Record events with the connection's states at that moment."""
    log: list[str] = []
    shown: dict[str, Callable[[], str]] = {
        "signaling_state_change": lambda: pc.signaling_state,
        "ice_gathering_state_change": lambda: pc.ice_gathering_state,
        "ice_connection_state_change": lambda: pc.ice_connection_state,
        "connection_state_change": lambda: pc.connection_state,
    }

    def record(event: AnyEvent) -> None:
        state = shown.get(event.type)
        log.append(event.type if state is None else f"{event.type} {state()}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for kind in kinds or sorted(pc.EVENTS):
            pc.add_event_listener(kind, record)
    return log


async def offer_of(pc: RTCPeerConnection) -> RTCSessionDescription:
    pc.create_data_channel("chat")
    return await pc.create_offer()


# -- every signaling state ----


async def to_stable(peers: Peers) -> None:
    del peers


async def to_local_offer(peers: Peers) -> None:
    peers.alice.create_data_channel("chat")
    await peers.alice.set_local_description()


async def to_remote_offer(peers: Peers) -> None:
    await peers.alice.set_remote_description(await offer_of(peers.bob))


async def to_local_provisional_answer(peers: Peers) -> None:
    await to_remote_offer(peers)
    await peers.alice.set_local_description({"type": "pranswer"})


async def to_remote_provisional_answer(peers: Peers) -> None:
    await to_local_offer(peers)
    assert peers.alice.local_description is not None
    await peers.bob.set_remote_description(peers.alice.local_description)
    await peers.bob.set_local_description({"type": "pranswer"})
    assert peers.bob.local_description is not None
    await peers.alice.set_remote_description(peers.bob.local_description)


async def to_closed(peers: Peers) -> None:
    peers.alice.close()


WAYS: dict[str, Callable[[Peers], Awaitable[None]]] = {
    "stable": to_stable,
    "have-local-offer": to_local_offer,
    "have-remote-offer": to_remote_offer,
    "have-local-pranswer": to_local_provisional_answer,
    "have-remote-pranswer": to_remote_provisional_answer,
    "closed": to_closed,
}


@pytest.mark.parametrize("state", WAYS)
async def test_create_offer_in_each_state(state: str) -> None:
    async with two_peers() as peers:
        await WAYS[state](peers)
        assert peers.alice.signaling_state == state
        if state in ("stable", "have-local-offer"):
            assert (await peers.alice.create_offer()).type == "offer"
        else:
            with pytest.raises(InvalidStateError):
                await peers.alice.create_offer()


@pytest.mark.parametrize("state", WAYS)
async def test_create_answer_in_each_state(state: str) -> None:
    async with two_peers() as peers:
        await WAYS[state](peers)
        if state in ("have-remote-offer", "have-local-pranswer"):
            assert (await peers.alice.create_answer()).type == "answer"
        else:
            with pytest.raises(InvalidStateError):
                await peers.alice.create_answer()


@pytest.mark.parametrize("state", WAYS)
@pytest.mark.parametrize("nothing", [None, {}, {"sdp": ""}], ids=str)
async def test_set_local_description_without_argument_in_each_state(
    state: str, nothing: dict[str, str] | None
) -> None:
    async with two_peers() as peers:
        await WAYS[state](peers)
        if state in ("have-remote-pranswer", "closed"):
            with pytest.raises(InvalidStateError):
                await peers.alice.set_local_description(nothing)
            return
        await peers.alice.set_local_description(nothing)
        offers = state in ("stable", "have-local-offer")
        assert peers.alice.signaling_state == ("have-local-offer" if offers else "stable")
        assert peers.alice.local_description is not None
        assert peers.alice.local_description.type == ("offer" if offers else "answer")


async def test_remote_descriptions_are_unchanged_and_ignored_lines_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with two_peers() as peers:
        offer = (await offer_of(peers.bob)).sdp.replace(
            "a=setup:", "x=private\r\na=rtcp-fb:96 nack \r\na=setup: "
        )
        with caplog.at_level("DEBUG", "trio_rtc.sdp"):
            await peers.alice.set_remote_description({"type": "offer", "sdp": offer})
        assert peers.alice.remote_description is not None
        assert peers.alice.remote_description.sdp == offer
        assert (await layer_counters(peers.alice, "sdp"))["lines_ignored"] == 1
        (record,) = caplog.records
        number = offer.splitlines().index("x=private") + 1
        assert record.getMessage().startswith(
            f"lines ignored in the peer's description: 1 (line {number}: x= is unknown"
        )


async def test_errors_name_the_invalid_line() -> None:
    async with two_peers() as peers:
        offer = (await offer_of(peers.bob)).sdp.replace("a=setup:actpass", "a=setup:perhaps")
        with pytest.raises(RTCError, match="setup") as caught:
            await peers.alice.set_remote_description({"type": "offer", "sdp": offer})
        assert caught.value.sdp_line_number == offer.splitlines().index("a=setup:perhaps") + 1
        assert peers.alice.signaling_state == "stable"


@pytest.mark.parametrize("state", WAYS)
async def test_rollback_in_each_state(state: str) -> None:
    async with two_peers() as peers:
        await WAYS[state](peers)
        for operation, legal in (
            (peers.alice.set_local_description, "have-local-offer"),
            (peers.alice.set_remote_description, "have-remote-offer"),
        ):
            if state != legal:
                with pytest.raises(InvalidStateError):
                    await operation(ROLLBACK)
        if state == "have-local-offer":
            await peers.alice.set_local_description({"type": "rollback", "sdp": "ignored"})
        elif state == "have-remote-offer":
            await peers.alice.set_remote_description(ROLLBACK)
        else:
            return
        assert peers.alice.signaling_state == "stable"
        assert peers.alice.local_description is peers.alice.remote_description is None


async def test_an_empty_sdp_means_the_one_that_would_be_created() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description({"type": "offer"})
        offer = peers.alice.local_description
        assert offer is not None
        assert "m=application" in offer.sdp
        await peers.bob.set_remote_description(offer)
        await peers.bob.set_local_description({"type": "answer"})
        assert peers.bob.signaling_state == "stable"


async def test_only_created_descriptions_can_be_set() -> None:
    async with two_peers() as peers:
        offer = await offer_of(peers.alice)
        changed = RTCSessionDescription("offer", offer.sdp.replace("5000", "5001"))
        with pytest.raises(InvalidModificationError):
            await peers.alice.set_local_description(changed)
        assert peers.alice.signaling_state == "stable"
        await peers.alice.set_local_description(offer)


# -- descriptions ----


async def test_descriptions_and_their_identity() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        await to_local_offer(peers)
        assert alice.local_description is alice.pending_local_description is not None
        assert alice.local_description is alice.local_description
        assert alice.current_local_description is alice.remote_description is None
        offer = alice.local_description
        assert offer is not None
        await bob.set_remote_description(offer)
        assert bob.remote_description is bob.pending_remote_description is not None
        assert bob.remote_description == offer
        await bob.set_local_description()
        assert bob.local_description is bob.current_local_description is not None
        assert bob.remote_description is bob.current_remote_description is not None
        assert bob.pending_local_description is bob.pending_remote_description is None
        await alice.set_remote_description(bob.local_description)
        assert alice.local_description is alice.current_local_description
        assert alice.pending_local_description is None
        await trio.sleep(1)
        after = alice.local_description
        assert after is not None
        assert after is not offer
        assert "a=candidate:" not in offer.sdp
        assert "a=candidate:" in after.sdp
        assert "a=end-of-candidates" in after.sdp


async def test_remote_candidates_are_in_the_remote_description() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        assert peers.bob.remote_description is not None
        assert "a=candidate:" in peers.bob.remote_description.sdp
        assert "a=end-of-candidates" in peers.bob.remote_description.sdp


async def test_can_trickle_ice_candidates() -> None:
    async with two_peers() as peers:
        assert peers.alice.can_trickle_ice_candidates is None
        offer = await offer_of(peers.bob)
        await peers.alice.set_remote_description(offer)
        assert peers.alice.can_trickle_ice_candidates is True
        without = RTCSessionDescription("offer", offer.sdp.replace("a=ice-options:trickle ice2\r\n", ""))
        await peers.alice.set_remote_description(without)
        assert peers.alice.can_trickle_ice_candidates is False


# -- glare and rollback ----


async def test_an_offer_in_glare_passes_through_stable() -> None:
    async with two_peers() as peers:
        await to_local_offer(peers)
        log: list[tuple[str | None, ...]] = []

        def record(_: object) -> None:
            alice = peers.alice
            local, remote = alice.pending_local_description, alice.pending_remote_description
            types = (None if each is None else str(each.type) for each in (local, remote))
            log.append((str(alice.signaling_state), *types))

        peers.alice.on_signaling_state_change = record
        await peers.alice.set_remote_description(await offer_of(peers.bob))
        assert log == [("stable", None, None), ("have-remote-offer", None, "offer")]


@pytest.mark.parametrize(
    "wrong", ["no SDP at all", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=x\r\n"]
)
async def test_an_invalid_offer_in_glare_leaves_none(wrong: str) -> None:
    """W3C webrtc section 4.4.2: the rollback comes first. Another offer is needed then."""
    async with two_peers() as peers:
        alice = peers.alice
        await to_local_offer(peers)
        log = log_events(alice, "signaling_state_change", "negotiation_needed")
        with pytest.raises(DOMException):
            await alice.set_remote_description({"type": "offer", "sdp": wrong})
        assert (alice.signaling_state, alice.local_description, alice.sctp) == ("stable", None, None)
        await trio.sleep(1)
        assert log == ["signaling_state_change stable", "negotiation_needed"]


async def test_glare_of_first_offers_with_trickling_connects() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        mine, theirs = alice.create_data_channel("alice"), bob.create_data_channel("bob")
        trickled: list[RTCIceCandidate] = []
        await alice.set_local_description()
        await bob.set_local_description()
        await trio.sleep(1)
        assert alice.local_description is not None
        rolled_back = alice.local_description.sdp
        alice.on_ice_candidate = lambda event: trickled.append(event.candidate) if event.candidate else None
        assert bob.local_description is not None
        await alice.set_remote_description(bob.local_description)
        assert alice.ice_gathering_state == "new"
        await alice.set_local_description()
        assert alice.local_description is not None
        await bob.set_remote_description(alice.local_description)
        await mine.opened()
        await theirs.opened()
        fragments = {candidate.username_fragment for candidate in trickled}
        assert len(fragments) == 1
        assert f"a=ice-ufrag:{fragments.pop()}" not in rolled_back


async def test_a_rolled_back_first_offer_leaves_nothing_behind() -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await trio.sleep(1)
        log = log_events(peers.alice)
        await peers.alice.set_local_description(ROLLBACK)
        assert peers.alice.ice_gathering_state == "new"
        assert peers.alice.ice_connection_state == "new"
        assert channel.ready_state == "connecting"
        await trio.sleep(1)
        # The channel still needs an offer.
        assert log == [
            "signaling_state_change stable",
            "ice_gathering_state_change new",
            "negotiation_needed",
        ]
        await connect(peers.alice, peers.bob)
        await channel.opened()


@pytest.mark.parametrize("after", ["offer", "answer"])
async def test_a_rolled_back_ice_restart_keeps_the_connection(after: str) -> None:
    async with open_channel() as (mine, theirs, peers):
        alice, bob = peers.alice, peers.bob
        assert alice.sctp is not None
        ice = alice.sctp.transport.ice_transport
        parameters, candidates, pair = (
            ice.get_local_parameters(),
            ice.get_local_candidates(),
            ice.get_selected_candidate_pair(),
        )
        # Neither this offer nor its candidates are sent.
        alice.on_ice_candidate = None
        await alice.set_local_description(await alice.create_offer(ice_restart=True))
        await trio.sleep(1)
        assert ice.get_local_parameters() != parameters
        await alice.set_local_description(ROLLBACK)
        await trio.sleep(1)
        assert ice.get_local_parameters() == parameters
        assert ice.get_local_candidates() == candidates
        assert ice.get_selected_candidate_pair() == pair
        await trio.sleep(60)
        assert alice.connection_state == bob.connection_state == "connected"
        await (negotiate(alice, bob) if after == "offer" else negotiate(bob, alice))
        await mine.send("still here")
        assert await theirs.receive() == "still here"


async def test_an_ice_restart_lost_in_glare_is_repeated() -> None:
    async with open_channel() as (mine, theirs, peers):
        alice, bob = peers.alice, peers.bob
        assert alice.sctp is not None
        ice = alice.sctp.transport.ice_transport
        old = ice.get_local_parameters()
        alice.on_ice_candidate = None
        alice.restart_ice()
        await alice.set_local_description()
        await alice.set_remote_description(await bob.create_offer())
        async with alice.subscribe("negotiation_needed") as needed:
            await alice.set_local_description()
            assert ice.get_local_parameters() == old
            await needed.receive()
        await connect(alice, bob)
        await trio.sleep(2)
        assert ice.get_local_parameters() != old
        selected = ice.get_selected_candidate_pair()
        assert selected is not None
        new = ice.get_local_parameters()
        assert new is not None
        assert selected.local.username_fragment == new.username_fragment
        await mine.send("moved")
        assert await theirs.receive() == "moved"


async def test_an_ice_restart_that_is_only_created_changes_nothing() -> None:
    async with open_channel() as (_, _, peers):
        assert peers.alice.sctp is not None
        ice = peers.alice.sctp.transport.ice_transport
        before = ice.get_local_parameters()
        assert before is not None
        offer = await peers.alice.create_offer(ice_restart=True)
        assert before.username_fragment not in offer.sdp
        assert ice.get_local_parameters() == before
        assert before.username_fragment in (await peers.alice.create_offer()).sdp


@pytest.mark.parametrize("by_offerer", [True, False])
async def test_ice_restart(by_offerer: bool) -> None:
    async with open_channel() as (mine, theirs, peers):
        first, second = (peers.alice, peers.bob) if by_offerer else (peers.bob, peers.alice)
        old = []
        for pc in (first, second):
            assert pc.sctp is not None
            old.append(pc.sctp.transport.ice_transport.get_local_parameters())
        async with first.subscribe("negotiation_needed") as needed:
            first.restart_ice()
            await needed.receive()
        await negotiate(first, second)
        await trio.sleep(2)
        for pc, before in zip((first, second), old, strict=True):
            assert pc.sctp is not None
            ice = pc.sctp.transport.ice_transport
            assert ice.get_local_parameters() != before
            assert len(ice.get_local_candidates()) == len(ice.get_remote_candidates()) == 1
            assert pc.connection_state == "connected"
        await mine.send("after")
        assert await theirs.receive() == "after"


async def test_restart_ice_before_the_first_negotiation_needs_none() -> None:
    async with two_peers() as peers:
        log = log_events(peers.alice)
        peers.alice.restart_ice()
        await trio.sleep(1)
        assert log == []


# -- negotiation needed ----


async def test_negotiation_is_needed_once_for_any_number_of_channels() -> None:
    async with two_peers() as peers:
        log = log_events(peers.alice, "negotiation_needed")
        peers.alice.create_data_channel("one")
        peers.alice.create_data_channel("two")
        assert log == []
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["negotiation_needed"]
        await connect(peers.alice, peers.bob)
        peers.alice.create_data_channel("three")
        await trio.sleep(1)
        assert log == ["negotiation_needed"]


async def test_no_negotiation_for_a_closed_channel() -> None:
    async with two_peers() as peers:
        log = log_events(peers.alice, "negotiation_needed")
        channel = peers.alice.create_data_channel("chat")
        channel.close()
        await trio.sleep(1)
        assert log == []
        assert "m=application" not in (await peers.alice.create_offer()).sdp


async def test_negotiation_needed_waits_for_the_end_of_operations_and_for_stable() -> None:
    async with two_peers() as peers:
        log = log_events(peers.bob, "negotiation_needed", "signaling_state_change")
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        peers.bob.create_data_channel("late")
        await trio.sleep(1)
        assert log == ["signaling_state_change have-remote-offer"]
        await peers.bob.set_local_description()
        await trio.sleep(1)
        assert log[1:] == ["signaling_state_change stable", "negotiation_needed"]


async def test_a_channel_created_before_the_block_is_negotiated_in_it() -> None:
    pc = RTCPeerConnection()
    pc.create_data_channel("early")
    log = log_events(pc, "negotiation_needed")
    async with pc:
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["negotiation_needed"]


# -- the operations chain ----


async def outcome_of(pc: RTCPeerConnection, name: str, offer: RTCSessionDescription) -> str:
    """Call an operation, and return its outcome and the connection's final state."""
    operations: dict[str, Callable[[], Awaitable[object]]] = {
        "offer": pc.create_offer,
        "set remote": lambda: pc.set_remote_description(offer),
        "candidate": lambda: pc.add_ice_candidate(None),
        "answer": pc.create_answer,
        "set local": pc.set_local_description,
    }
    try:
        await operations[name]()
    except InvalidStateError:
        return f"{name} is refused in {pc.signaling_state}"
    return f"{name} leads to {pc.signaling_state}"


@pytest.mark.parametrize("seed", range(10))
async def test_operations_run_in_the_order_of_their_calls(seed: int) -> None:
    """Concurrent calls finish in the order of the calls, as if made sequentially."""
    names = ["offer", "set remote", "candidate", "answer", "set local", "offer", "candidate"]
    random.Random(seed).shuffle(names)
    called: list[str] = []
    ended: list[str] = []
    async with two_peers() as peers:
        peers.bob.create_data_channel("chat")
        offer = await peers.bob.create_offer()

        async def run(name: str) -> None:
            called.append(name)
            # All are called before the first one ends, except what is refused at once in an empty chain.
            assert all("refused" in outcome for outcome in ended)
            ended.append(await outcome_of(peers.alice, name, offer))

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(run, name)
    async with two_peers() as peers:
        one_by_one = [await outcome_of(peers.alice, name, offer) for name in called]
    assert ended == one_by_one
    assert any("refused" in outcome for outcome in ended)
    assert any("leads" in outcome for outcome in ended)


async def test_an_operation_interrupted_by_close() -> None:
    async with two_peers() as peers:
        offer = await offer_of(peers.bob)
        peers.alice.on_signaling_state_change = lambda _: peers.alice.close()
        with pytest.raises(trio.ClosedResourceError):
            await peers.alice.set_remote_description(offer)
        assert peers.alice.signaling_state == "closed"


async def test_operations_waiting_when_the_connection_is_closed() -> None:
    async with two_peers() as peers:
        offer = await offer_of(peers.bob)
        outcomes: list[type[BaseException] | None] = []

        async def run(operation: Callable[[], Awaitable[object]]) -> None:
            try:
                await operation()
            except Exception as error:
                outcomes.append(type(error))
            else:
                outcomes.append(None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, lambda: peers.alice.set_remote_description(offer))
            nursery.start_soon(run, lambda: peers.alice.set_remote_description(offer))
            nursery.start_soon(run, lambda: peers.alice.set_remote_description(offer))
            peers.alice.on_signaling_state_change = lambda _: peers.alice.close()
        assert set(outcomes) <= {trio.ClosedResourceError, InvalidStateError}
        assert outcomes.count(trio.ClosedResourceError) >= 1


async def test_a_cancelled_operation_lets_the_next_one_run() -> None:
    async with two_peers() as peers:
        with trio.CancelScope() as scope:
            scope.cancel()
            await peers.alice.create_offer()
        assert scope.cancelled_caught
        assert (await peers.alice.create_offer()).type == "offer"


# -- events and their order ----


async def test_the_order_of_events_while_connecting() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        log = log_events(alice)
        ends: list[str] = []
        alice.add_event_listener(
            "ice_candidate",
            lambda event: ends.append("None" if event.candidate is None else event.candidate.candidate[:10]),
        )
        channel = alice.create_data_channel("chat")
        await trio.testing.wait_all_tasks_blocked()
        await alice.set_local_description()
        assert log == ["negotiation_needed", "signaling_state_change have-local-offer"]
        assert alice.ice_gathering_state == "new"
        await trio.sleep(1)
        assert log[2:] == [
            "ice_gathering_state_change gathering",
            "ice_candidate",
            "ice_candidate",
            "ice_gathering_state_change complete",
            "ice_candidate",
        ]
        assert ends == ["candidate:", "", "None"]
        del log[:]
        assert alice.local_description is not None
        await peers.bob.set_remote_description(alice.local_description)
        await peers.bob.set_local_description()
        assert peers.bob.local_description is not None
        peers.bob.on_ice_candidate = lambda event: alice.add_ice_candidate(event.candidate)
        await alice.set_remote_description(peers.bob.local_description)
        assert log == ["signaling_state_change stable"]
        await channel.opened()
        await trio.sleep(1)
        assert log[1:] == [
            "ice_connection_state_change checking",
            "connection_state_change connecting",
            "ice_connection_state_change connected",
            "connection_state_change connected",
            "ice_connection_state_change completed",
        ] or log[1:] == [
            "ice_connection_state_change checking",
            "connection_state_change connecting",
            "ice_connection_state_change connected",
            "ice_connection_state_change completed",
            "connection_state_change connected",
        ]


async def test_all_states_are_new_when_the_first_handler_is_called() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        seen: list[tuple[str, str, str]] = []
        alice.create_data_channel("chat")
        trickle(alice, peers.bob)
        await negotiate(alice, peers.bob)
        assert alice.sctp is not None
        dtls = alice.sctp.transport
        ice = dtls.ice_transport

        def record(_: object) -> None:
            seen.append((ice.state, alice.ice_connection_state, alice.connection_state))

        ice.on_state_change = record
        dtls.on_state_change = lambda _: seen.append((dtls.state, "", alice.connection_state))
        await trio.sleep(1)
        assert ("checking", "checking", "connecting") in seen
        assert ("connected", "", "connected") in seen
        assert all(first == second for first, second, _ in seen if second)


# -- adding candidates ----

GOOD = "candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host"


@pytest.mark.parametrize(
    "candidate", [None, {}, {"candidate": ""}, {"candidate": GOOD, "sdpMid": "0"}], ids=str
)
async def test_a_candidate_before_any_remote_description(candidate: dict[str, str] | None) -> None:
    async with two_peers() as peers:
        with pytest.raises(InvalidStateError):
            await peers.alice.add_ice_candidate(candidate)


async def test_an_invalid_candidate_before_any_remote_description_is_a_state_error() -> None:
    async with two_peers() as peers:
        with pytest.raises(InvalidStateError):
            await peers.alice.add_ice_candidate({"candidate": "nonsense", "sdpMid": "0"})


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        ({"candidate": GOOD}, "TypeError"),
        ({"candidate": GOOD, "sdpMid": None, "sdpMLineIndex": None}, "TypeError"),
        ({"candidate": 5, "sdpMid": "0"}, "TypeError"),
        ({"candidate": GOOD, "sdpMLineIndex": "0"}, "TypeError"),
        ("candidate", "TypeError"),
        ({"candidate": GOOD, "sdpMid": "invalid"}, "OperationError"),
        ({"candidate": GOOD, "sdpMLineIndex": 1}, "OperationError"),
        ({"candidate": GOOD, "sdpMid": "0", "usernameFragment": "other"}, "OperationError"),
        ({"candidate": "(invalid) candidate \r\n string", "sdpMid": "0"}, "OperationError"),
        ({"candidate": "candidate:1 1 udp x 203.0.113.100 1 typ host", "sdpMid": "0"}, "OperationError"),
        ({"candidate": "candidate:" + "x" * 100_000, "sdpMid": "0"}, "OperationError"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_rejected_candidates(candidate: object, error: str) -> None:
    async with two_peers() as peers:
        await to_remote_offer(peers)
        description = peers.alice.remote_description
        with pytest.raises((TypeError, DOMException)) as caught:
            await peers.alice.add_ice_candidate(candidate)  # type: ignore[arg-type]
        assert type(caught.value).__name__ == error
        assert peers.alice.remote_description is description


@pytest.mark.parametrize(
    "candidate",
    [
        {"candidate": GOOD, "sdpMid": "0"},
        {"candidate": GOOD, "sdpMid": "0", "sdpMLineIndex": 7},
        {"candidate": GOOD, "sdpMLineIndex": 0, "usernameFragment": None},
        RTCIceCandidate(GOOD, "0"),
    ],
    ids=str,
)
async def test_accepted_candidates(candidate: RTCIceCandidate | dict[str, object]) -> None:
    async with two_peers() as peers:
        await to_remote_offer(peers)
        await peers.alice.add_ice_candidate(candidate)
        assert peers.alice.remote_description is not None
        assert f"a={GOOD}\r\n" in peers.alice.remote_description.sdp


@pytest.mark.parametrize(
    "end",
    [
        None,
        {},
        {"candidate": ""},
        {"candidate": "", "sdpMid": "0"},
        {"sdpMLineIndex": 0},
        {"candidate": "a=end-of-candidates", "sdpMid": "0"},
        RTCIceCandidate("", "0"),
    ],
    ids=str,
)
@pytest.mark.parametrize("way", [to_remote_offer, to_local_provisional_answer])
async def test_the_end_of_candidates(
    end: RTCIceCandidate | dict[str, object] | None, way: Callable[[Peers], Awaitable[None]]
) -> None:
    async with two_peers() as peers:
        await way(peers)
        await peers.alice.add_ice_candidate(end)
        assert peers.alice.remote_description is not None
        assert peers.alice.remote_description.sdp.count("a=end-of-candidates\r\n") == 1


async def test_candidates_before_our_answer_are_used() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        channel = bob.create_data_channel("chat")
        candidates: list[RTCIceCandidate | None] = []
        bob.on_ice_candidate = lambda event: candidates.append(event.candidate)
        offer = await bob.create_offer()
        await bob.set_local_description(offer)
        await trio.sleep(1)
        await alice.set_remote_description(offer)
        for candidate in candidates:
            await alice.add_ice_candidate(candidate)
        await alice.set_local_description()
        assert alice.local_description is not None
        await bob.set_remote_description(alice.local_description)
        await channel.opened()
        assert alice.sctp is not None
        assert len(alice.sctp.transport.ice_transport.get_remote_candidates()) == 1


# -- legacy callbacks ----


@pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")
async def test_legacy_callbacks_are_called_instead_of_returning() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        results: list[object] = []
        errors: list[DOMException] = []
        assert await alice.create_offer(results.append, errors.append) is None  # type: ignore[func-returns-value]
        offer = results.pop()
        assert isinstance(offer, RTCSessionDescription)
        done: list[str] = []
        await alice.set_local_description(offer, lambda: done.append("local"), errors.append)
        await bob.set_remote_description(offer, lambda: done.append("remote"), errors.append)
        await bob.create_answer(results.append, errors.append)
        await bob.add_ice_candidate(None, lambda: done.append("candidate"), errors.append)
        assert done == ["local", "remote", "candidate"]
        assert isinstance(results[0], RTCSessionDescription)
        assert errors == []


@pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")
async def test_legacy_callbacks_get_errors_instead_of_raising() -> None:
    async with two_peers() as peers:
        pc = peers.alice
        errors: list[DOMException] = []

        def unexpected(*_: object) -> None:
            raise AssertionError("called after a failure")

        await pc.create_answer(unexpected, errors.append)
        await pc.set_local_description(ROLLBACK, unexpected, errors.append)
        await pc.set_remote_description(ROLLBACK, unexpected, errors.append)
        await pc.add_ice_candidate(None, unexpected, errors.append)
        pc.close()
        await pc.create_offer(unexpected, errors.append)
        assert [error.name for error in errors] == ["InvalidStateError"] * 5


# -- obsolete members ----


async def test_obsolete_members_warn_at_the_line_that_uses_them() -> None:
    async with media_peers() as peers:
        pc, offer = peers.alice, await peers.bob.create_offer()
        stream = MediaStream([open_media_track("audio")[1]])

        def ignore(_: object = None) -> None:
            pass

        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("default")
            pc.add_stream(stream)
            pc.create_dtmf_sender(stream.get_tracks()[0])
            pc.get_local_streams()
            pc.get_remote_streams()
            pc.get_stream_by_id(stream.id)
            pc.remove_stream(stream)
            pc.on_add_stream = ignore
            pc.add_event_listener("remove_stream", ignore)
            pc.subscribe("add_stream")
            await pc.create_offer(offer_to_receive_audio=False)
            await pc.create_offer(offer_to_receive_video=True)
            await pc.create_offer(ignore, ignore)
            await pc.set_local_description(failure_callback=ignore)
            await pc.set_local_description(ROLLBACK, ignore)
            await pc.set_remote_description(offer, ignore)
            await pc.create_answer(ignore, ignore)
            await pc.add_ice_candidate(None, ignore)
        assert [str(each.message) for each in warned] == [
            "RTCPeerConnection.add_stream() is obsolete; use add_track()",
            "RTCPeerConnection.create_dtmf_sender() is obsolete; use sender.dtmf",
            "RTCPeerConnection.get_local_streams() is obsolete; use get_senders()",
            "RTCPeerConnection.get_remote_streams() is obsolete; "
            "use get_receivers(), and the streams of 'track' events",
            "RTCPeerConnection.get_stream_by_id() is obsolete; use get_senders() and get_receivers()",
            "RTCPeerConnection.remove_stream() is obsolete; use remove_track()",
            "the event 'add_stream' of RTCPeerConnection is obsolete; "
            "use the event 'track', which has the streams",
            "the event 'remove_stream' of RTCPeerConnection is obsolete; "
            "use the event 'remove_track' of the streams",
            "the event 'add_stream' of RTCPeerConnection is obsolete; "
            "use the event 'track', which has the streams",
            *(
                f"offer_to_receive_{kind} of RTCPeerConnection.create_offer() is obsolete; "
                "use add_transceiver(), and its direction"
                for kind in ("audio", "video")
            ),
            *(
                f"the form of RTCPeerConnection.{name}() with callbacks is obsolete; "
                f"use 'await {name}()' without them"
                for name in (
                    *("create_offer", "set_local_description", "set_local_description"),
                    *("set_remote_description", "create_answer", "add_ice_candidate"),
                )
            ),
        ]
        first = warned[0].lineno
        assert [(each.filename, each.lineno - first) for each in warned] == [
            (__file__, line) for line in range(len(warned))
        ]


async def test_an_obsolete_member_warns_once_for_each_line_by_default() -> None:
    pc = RTCPeerConnection()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        for _ in range(3):
            pc.get_local_streams()
        pc.get_local_streams()
    assert len(warned) == 2


async def test_obsolete_event_handlers_are_removed_without_a_warning() -> None:
    pc = RTCPeerConnection()
    pc.on_add_stream = None
    assert pc.on_add_stream is None
    pc.remove_event_listener("remove_stream", print)


@pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")
async def test_create_dtmf_sender_returns_that_of_the_tracks_sender() -> None:
    pc = RTCPeerConnection()
    audio, video, other = (open_media_track(kind)[1] for kind in ("audio", "video", "audio"))
    sender = pc.add_track(audio)
    pc.add_track(video)
    assert pc.create_dtmf_sender(audio) is sender.dtmf
    for track in (video, other):
        with pytest.raises(InvalidAccessError, match="must be an audio track that this connection sends"):
            pc.create_dtmf_sender(track)
    with pytest.raises(TypeError, match="argument 'track' must be a MediaStreamTrack"):
        pc.create_dtmf_sender(sender)  # type: ignore[arg-type]
    pc.close()
    with pytest.raises(InvalidStateError):
        pc.create_dtmf_sender(audio)


# -- outside of the block, and closing ----


async def test_methods_without_network_work_outside_of_the_block() -> None:
    pc = RTCPeerConnection()
    channel = pc.create_data_channel("chat")
    assert (await pc.create_offer()).type == "offer"
    assert channel.ready_state == "connecting"
    assert pc.signaling_state == "stable"
    assert pc.sctp is None
    await pc.get_stats()
    await pc.aclose()
    assert channel.ready_state == "closed"


async def test_methods_with_network_raise_a_helpful_error_outside_of_the_block() -> None:
    pc = RTCPeerConnection()
    offer = await offer_of(pc)
    for operation in (
        pc.set_local_description(),
        pc.set_remote_description(offer),
        pc.add_ice_candidate(None),
    ):
        with pytest.raises(RuntimeError, match="async with RTCPeerConnection"):
            await operation
    pc.close()
    with pytest.raises(InvalidStateError):
        await pc.set_local_description()


async def test_close_is_synchronous_and_silent() -> None:
    async with open_channel() as (mine, _, peers):
        alice = peers.alice
        sctp = alice.sctp
        assert sctp is not None
        log = log_events(alice)
        for target in (mine, sctp, sctp.transport, sctp.transport.ice_transport):
            for kind in target.EVENTS:
                target.add_event_listener(kind, lambda event: log.append(event.type))
        alice.close()
        alice.close()
        states = {str(alice.signaling_state), str(alice.connection_state), str(alice.ice_connection_state)}
        assert states == {"closed"}
        assert alice.sctp is sctp
        dtls = sctp.transport
        assert {str(sctp.state), str(dtls.state), str(dtls.ice_transport.state)} == {"closed"}
        assert mine.ready_state == "closed"
        await trio.sleep(5)
        assert log == []
        assert peers.bob.connection_state != "failed"


async def test_after_close() -> None:
    async with two_peers() as peers:
        pc = peers.alice
        pc.close()
        for operation in (
            pc.create_offer(),
            pc.create_answer(),
            pc.set_local_description(),
            pc.set_remote_description(ROLLBACK),
            pc.add_ice_candidate(None),
        ):
            with pytest.raises(InvalidStateError):
                await operation
        with pytest.raises(InvalidStateError):
            pc.create_data_channel("chat")
        with pytest.raises(InvalidStateError):
            pc.set_configuration(RTCConfiguration())
        pc.restart_ice()
        assert pc.get_configuration() == RTCConfiguration()
        assert pc.local_description is None
        await pc.get_stats()
        async with pc.subscribe("ice_candidate") as candidates:
            assert [candidate async for candidate in candidates] == []


async def test_aclose_is_idempotent_and_waits_for_abort_and_close_notify() -> None:
    async with open_channel() as (_, theirs, peers):
        resource: trio.abc.AsyncResource = peers.alice
        async with trio.open_nursery() as nursery:
            nursery.start_soon(resource.aclose)
            nursery.start_soon(resource.aclose)
        await resource.aclose()
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()


async def test_a_connection_has_one_block() -> None:
    async with two_peers() as peers:
        with pytest.raises(RuntimeError, match="one 'async with' block"):
            await peers.alice.__aenter__()
    with pytest.raises(RuntimeError, match="one 'async with' block"):
        await peers.alice.__aenter__()
    closed = RTCPeerConnection()
    closed.close()
    with pytest.raises(InvalidStateError):
        await closed.__aenter__()


# -- configuration and certificates ----


async def test_a_given_certificate_is_used() -> None:
    certificate = await RTCPeerConnection.generate_certificate({"name": "ECDSA", "namedCurve": "P-256"})
    pc = RTCPeerConnection(RTCConfiguration(certificates=[certificate]))
    offer = await offer_of(pc)
    (fingerprint,) = certificate.get_fingerprints()
    assert f"a=fingerprint:sha-256 {fingerprint.value.upper()}" in offer.sdp
    assert pc.get_configuration().certificates == (certificate,)


async def test_an_expired_certificate_is_rejected_by_the_connection() -> None:
    certificate = await RTCPeerConnection.generate_certificate({"name": "ECDSA", "expires": 1000})
    later = Settings(wall_clock=lambda: certificate.expires / 1000)
    with pytest.raises(InvalidAccessError, match="expired"):
        RTCPeerConnection(RTCConfiguration(certificates=[certificate]), settings=later)
    earlier = Settings(wall_clock=lambda: certificate.expires / 1000 - 1)
    RTCPeerConnection(RTCConfiguration(certificates=[certificate]), settings=earlier)


async def test_relay_policy_signals_no_other_candidates() -> None:
    configuration = RTCConfiguration(ice_transport_policy="relay")
    async with two_peers(configuration=configuration) as peers:
        candidates: list[RTCIceCandidate | None] = []
        peers.alice.on_ice_candidate = lambda event: candidates.append(event.candidate)
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await trio.sleep(1)
        assert [candidate and candidate.candidate for candidate in candidates] == ["", None]
        assert peers.alice.ice_gathering_state == "complete"


# -- statistics ----


async def test_statistics_refer_to_each_other() -> None:
    async with open_channel() as (mine, theirs, peers):
        await mine.send(b"x" * 1000)
        await theirs.receive()
        report = await peers.alice.get_stats()
        by_type: dict[str, list[object]] = {}
        for key, stats in report.items():
            assert key == stats.id
            by_type.setdefault(stats.type, []).append(stats)
            for name in (
                "local_candidate_id",
                "remote_candidate_id",
                "transport_id",
                "selected_candidate_pair_id",
            ):
                assert getattr(stats, name, None) is None or getattr(stats, name) in report
        assert set(by_type) == {
            "peer-connection",
            "transport",
            "local-candidate",
            "remote-candidate",
            "candidate-pair",
            "certificate",
            "data-channel",
            "layers",
        }
        transport = report["transport"]
        assert isinstance(transport, RTCTransportStats)
        pair = report[transport.selected_candidate_pair_id or ""]
        assert isinstance(pair, RTCIceCandidatePairStats)
        assert pair.bytes_sent == transport.bytes_sent > 1000
        assert pair.packets_received == transport.packets_received > 0
        assert transport.dtls_state == "connected"
        assert transport.local_certificate_id in report
        assert transport.remote_certificate_id in report
        (channel,) = [stats for stats in report.values() if isinstance(stats, RTCDataChannelStats)]
        assert (channel.messages_sent, channel.bytes_sent, channel.messages_received) == (1, 1000, 0)
