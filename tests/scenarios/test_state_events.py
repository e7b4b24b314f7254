"""The whole order of the events of states: gathering, ICE, DTLS, the connection (W3C webrtc sections 4.3, 5.5, 5.6)."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

from tests.strategies.peers import Peers, connect, description_of, negotiate, trickle, two_peers
from trio_rtc import (
    Event,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDtlsTransport,
    RTCErrorEvent,
    RTCIceTransport,
    RTCPeerConnection,
    RTCPeerConnectionIceEvent,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")


class Recorder:
    """The events of a connection and its transports, each with the states that its handler sees.

    A line has the name of the target, the event, and then the state of ICE or DTLS of the transport, if it is one, and
    the states of the connection.
    """

    def __init__(self, pc: RTCPeerConnection) -> None:
        self.pc = pc
        self.lines: list[str] = []
        self._known: dict[object, str] = {}
        pc.add_event_listener("ice_candidate", self._candidate)
        pc.add_event_listener("ice_gathering_state_change", self._gathering)
        pc.add_event_listener("ice_connection_state_change", self._state)
        pc.add_event_listener("connection_state_change", self._state)
        pc.add_event_listener("signaling_state_change", lambda _: self.watch_transports())

    def watch_transports(self) -> None:
        """Watch the transports that the connection has now."""
        for dtls in transports(self.pc):
            if dtls not in self._known:
                number = sum(isinstance(each, RTCDtlsTransport) for each in self._known)
                ice = dtls.ice_transport
                self._known |= {dtls: f"dtls{number}", ice: f"ice{number}"}
                dtls.on_state_change = ice.on_state_change = dtls.on_error = self._state
                ice.on_gathering_state_change = self._gathering
                ice.on_selected_candidate_pair_change = self._state

    def clear(self) -> None:
        self.lines.clear()

    def _candidate(self, event: RTCPeerConnectionIceEvent) -> None:
        candidate = event.candidate
        what = "null" if candidate is None else (candidate.candidate and str(candidate.type)) or "end"
        mid = "" if candidate is None else f" of {candidate.sdp_mid}"
        gathering = [str(each.ice_transport.gathering_state) for each in transports(self.pc)]
        self.lines.append(f"candidate {what}{mid}: {' '.join(gathering)}, {self.pc.ice_gathering_state}")

    def _gathering(self, event: Event) -> None:
        name = self._known.get(event.target, "pc")
        own = f"{event.target.gathering_state}, " if isinstance(event.target, RTCIceTransport) else ""
        self.lines.append(f"{name} gathering: {own}{self.pc.ice_gathering_state}")

    def _state(self, event: Event | RTCErrorEvent) -> None:
        target = event.target
        own = f"{target.state}, " if isinstance(target, RTCIceTransport | RTCDtlsTransport) else ""
        kind = event.type.removesuffix("_change").removesuffix("_state").removeprefix("selected_candidate_")
        name = f"{self._known.get(target, 'pc')} {kind}"
        self.lines.append(f"{name}: {own}{self.pc.ice_connection_state}, {self.pc.connection_state}")


def transports(pc: RTCPeerConnection) -> list[RTCDtlsTransport]:
    """Return the DTLS transports in use, in the order of the sections."""
    ours = [each.sender.transport for each in pc.get_transceivers()]
    found = [*ours, None if pc.sctp is None else pc.sctp.transport]
    return list(dict.fromkeys(each for each in found if each is not None))


def of_states(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines that are not about gathering."""
    return (line for line in lines if "gathering" not in line and "candidate" not in line)


GATHERED = [
    "ice0 gathering: gathering, gathering",
    "pc gathering: gathering",
    "candidate host of 0: gathering, gathering",
    # The end of candidates is a task before that of the state (W3C webrtc section 5.6).
    "candidate end of 0: gathering, gathering",
    "ice0 gathering: complete, complete",
    "pc gathering: complete",
    "candidate null: complete, complete",
]
CHECKING = [
    "ice0 state: checking, checking, connecting",
    "pc ice_connection: checking, connecting",
    "pc connection: checking, connecting",
]
CONNECTED = [
    # The selected pair and the state change in one task (W3C webrtc section 5.6).
    "ice0 pair: connected, connected, connecting",
    "ice0 state: connected, connected, connecting",
    "pc ice_connection: connected, connecting",
    "dtls0 state: connecting, connected, connecting",
    "ice0 state: completed, completed, connecting",
    "pc ice_connection: completed, connecting",
    "dtls0 state: connected, completed, connected",
    "pc connection: completed, connected",
]
DISCONNECTED = [
    "ice0 state: disconnected, disconnected, disconnected",
    "pc ice_connection: disconnected, disconnected",
    "pc connection: disconnected, disconnected",
]
EXPIRED = [
    "ice0 pair: failed, failed, failed",
    "ice0 state: failed, failed, failed",
    "pc ice_connection: failed, failed",
    "pc connection: failed, failed",
]


@asynccontextmanager
async def recorded_call() -> AsyncIterator[tuple[Peers, Recorder, Recorder]]:
    """Connect two peers with audio; yield them and their recorders, which have the lines of the set-up."""
    async with two_peers() as peers:
        recorders = Recorder(peers.alice), Recorder(peers.bob)
        peers.alice.add_transceiver("audio")
        trickle(peers.alice, peers.bob)
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(2)
        yield peers, *recorders


async def test_success() -> None:
    async with recorded_call() as (_, alice, bob):
        assert alice.lines == [*GATHERED, *CHECKING, *CONNECTED]
        # Bob knows Alice's candidate before he begins to gather.
        assert bob.lines == [*GATHERED[:3], *CHECKING, *GATHERED[3:], *CONNECTED]


async def test_failure() -> None:
    async with two_peers() as peers:
        alice = Recorder(peers.alice)
        peers.network.partition("alice")
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        await trio.sleep(60)
        assert alice.lines == [
            *GATHERED,
            *CHECKING,
            "ice0 state: failed, failed, failed",
            "pc ice_connection: failed, failed",
            "pc connection: failed, failed",
        ]


async def test_failure_of_dtls() -> None:
    async with two_peers() as peers:
        alice, bob = Recorder(peers.alice), Recorder(peers.bob)
        peers.alice.add_transceiver("audio")
        trickle(peers.alice, peers.bob)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        answer = description_of(peers.bob).sdp
        wrong = re.sub("a=fingerprint:sha-256 .*", "a=fingerprint:sha-256 " + ":".join(["00"] * 32), answer)
        await peers.alice.set_remote_description({"type": "answer", "sdp": wrong})
        await trio.sleep(2)
        for recorder in (alice, bob):
            assert list(of_states(recorder.lines)) == [
                *CHECKING,
                *CONNECTED[:-2],
                # The error comes before the states (W3C webrtc section 5.5).
                "dtls0 error: failed, completed, failed",
                "dtls0 state: failed, completed, failed",
                "pc connection: completed, failed",
            ]


async def test_ice_restart() -> None:
    async with recorded_call() as (peers, alice, bob):
        alice.clear()
        bob.clear()
        peers.alice.restart_ice()
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(2)
        for recorder in (alice, bob):
            assert recorder.lines == [
                *GATHERED[:3],
                "ice0 state: connected, connected, connected",
                "pc ice_connection: connected, connected",
                *GATHERED[3:],
                "ice0 pair: completed, completed, connected",
                "ice0 state: completed, completed, connected",
                "pc ice_connection: completed, connected",
            ]


async def test_disconnection_and_recovery() -> None:
    async with recorded_call() as (peers, alice, bob):
        alice.clear()
        bob.clear()
        peers.network.partition("alice", "bob")
        await trio.sleep(10)
        peers.network.heal()
        await trio.sleep(2)
        for recorder in (alice, bob):
            assert recorder.lines == [
                *DISCONNECTED,
                "ice0 state: completed, completed, connected",
                "pc ice_connection: completed, connected",
                "pc connection: completed, connected",
            ]


async def test_disconnection_and_failure() -> None:
    async with recorded_call() as (peers, alice, _):
        alice.clear()
        peers.network.partition("alice", "bob")
        await trio.sleep(60)
        assert alice.lines == [*DISCONNECTED, *EXPIRED]


async def test_a_restart_after_failure() -> None:
    async with recorded_call() as (peers, alice, _):
        peers.network.partition("alice", "bob")
        await trio.sleep(60)
        peers.network.heal()
        alice.clear()
        peers.alice.restart_ice()
        await negotiate(peers.alice, peers.bob)
        await trio.sleep(2)
        assert list(of_states(alice.lines)) == [
            "ice0 state: checking, checking, connecting",
            "pc ice_connection: checking, connecting",
            "pc connection: checking, connecting",
            "ice0 pair: connected, connected, connected",
            "ice0 state: connected, connected, connected",
            "pc ice_connection: connected, connected",
            "pc connection: connected, connected",
            "ice0 state: completed, completed, connected",
            "pc ice_connection: completed, connected",
        ]


async def test_remote_close() -> None:
    async with recorded_call() as (peers, alice, bob):
        alice.clear()
        bob.clear()
        peers.bob.close()
        # Nothing fires at the side that has closed.
        states = peers.bob.connection_state, peers.bob.ice_connection_state, peers.bob.signaling_state
        assert states == ("closed", "closed", "closed")
        await trio.sleep(60)
        assert bob.lines == []
        # The close_notify; W3C counts a closed DTLS transport as connected (section 4.3.3).
        assert alice.lines == ["dtls0 state: closed, completed, connected", *DISCONNECTED, *EXPIRED]


async def test_local_close_in_a_handler() -> None:
    async with two_peers() as peers:
        alice = Recorder(peers.alice)
        peers.alice.add_transceiver("audio")
        trickle(peers.alice, peers.bob)
        await peers.alice.set_local_description()
        (dtls,) = transports(peers.alice)
        dtls.ice_transport.add_event_listener("state_change", lambda _: peers.alice.close())
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        await trio.sleep(2)
        assert (dtls.state, dtls.ice_transport.state) == ("closed", "closed")
        assert alice.lines == [*GATHERED, "ice0 state: checking, checking, connecting"]


@pytest.mark.parametrize("policy", list(RTCBundlePolicy))
async def test_gathering_on_several_transports(policy: RTCBundlePolicy) -> None:
    async with two_peers(configuration=RTCConfiguration(bundle_policy=policy)) as peers:
        alice = Recorder(peers.alice)
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        await trio.sleep(2)
        if policy is RTCBundlePolicy.MAX_BUNDLE:
            assert alice.lines == GATHERED
            return
        assert alice.lines == [
            "ice0 gathering: gathering, gathering",
            "pc gathering: gathering",
            "candidate host of 0: gathering new, gathering",
            "ice1 gathering: gathering, gathering",
            "candidate host of 1: gathering gathering, gathering",
            "candidate end of 1: gathering gathering, gathering",
            "ice1 gathering: complete, gathering",
            "candidate end of 0: gathering complete, gathering",
            "ice0 gathering: complete, complete",
            "pc gathering: complete",
            # Once, when all transports are complete.
            "candidate null: complete complete, complete",
        ]


async def test_a_transport_that_bundling_ends_is_closed_in_a_task() -> None:
    async with two_peers(configuration=RTCConfiguration(bundle_policy="max-compat")) as peers:
        alice = Recorder(peers.alice)
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        trickle(peers.alice, peers.bob)
        await peers.alice.set_local_description()
        kept, ended = transports(peers.alice)
        await peers.bob.set_remote_description(description_of(peers.alice))
        await trio.sleep(1)
        await peers.bob.set_local_description()
        alice.clear()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert alice.lines == []
        assert (ended.state, ended.ice_transport.state) == ("new", "new")
        assert transports(peers.alice) == [kept]
        await trio.sleep(2)
        assert alice.lines == [
            "dtls1 state: closed, new, new",
            "ice1 state: closed, new, new",
            *CHECKING,
            *CONNECTED,
        ]
        assert (ended.state, ended.ice_transport.state) == ("closed", "closed")


async def test_a_transport_that_bundling_ends_is_closed_with_the_connection() -> None:
    async with two_peers(configuration=RTCConfiguration(bundle_policy="max-compat")) as peers:
        alice = Recorder(peers.alice)
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        _, ended = transports(peers.alice)
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        alice.clear()
        await peers.alice.set_remote_description(description_of(peers.bob))
        peers.alice.close()
        await trio.sleep(2)
        assert alice.lines == []
        assert (ended.state, ended.ice_transport.state) == ("closed", "closed")


async def test_the_transports_of_an_offer_that_is_rolled_back_are_closed_in_a_task() -> None:
    async with two_peers(configuration=RTCConfiguration(bundle_policy="max-compat")) as peers:
        alice = Recorder(peers.alice)
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        offered = transports(peers.alice)
        await trio.sleep(2)
        alice.clear()
        await peers.alice.set_local_description({"type": "rollback", "sdp": ""})
        assert peers.alice.ice_gathering_state == "new"
        assert alice.lines == ["pc gathering: new"]
        await trio.sleep(2)
        assert alice.lines[1:] == [
            f"{name}{number} state: closed, new, new" for number in (0, 1) for name in ("dtls", "ice")
        ]
        assert [each.state for each in offered] == ["closed", "closed"]
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        (used,) = transports(peers.alice)
        assert (used.state, peers.alice.connection_state) == ("connected", "connected")
        assert used not in offered
