"""The whole order of events and results of descriptions (W3C webrtc sections 4.4.1.5, 4.4.2, 4.7.3, 5.1.1).

In one task, W3C fires the event of the signaling state, mutes tracks, removes them from streams, adds them to streams,
fires the ``track`` events, and settles the promise. Gathering, ICE, DTLS and the negotiation-needed flag have tasks of
their own, which follow.
"""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.media import frame_of, media_peers, only, until_connected
from tests.strategies.peers import Peers, connect, description_of, negotiate
from trio_rtc import (
    Event,
    MediaStream,
    MediaStreamTrackEvent,
    MediaStreamTrackSource,
    RTCPeerConnection,
    RTCPeerConnectionIceEvent,
    RTCSessionDescription,
    RTCTrackEvent,
    open_media_track,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

ROLLBACK = RTCSessionDescription("rollback")
GATHERED = [
    "gathering",
    "candidate",
    "candidate end",
    "complete",
    "candidate null",
]


@attrs.define(eq=False)
class Recorder:
    """The events of a connection, its streams and received tracks, and the results of its methods, in one list.

    Each entry of a stream or track has the mid of the track's section.
    """

    pc: RTCPeerConnection
    log: list[str] = attrs.field(factory=list)
    mids: dict[object, str] = attrs.field(factory=dict)
    watched: set[object] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        pc = self.pc
        pc.add_event_listener("signaling_state_change", lambda _: self.log.append(str(pc.signaling_state)))
        pc.add_event_listener("negotiation_needed", lambda _: self.log.append("negotiation needed"))
        pc.add_event_listener("ice_gathering_state_change", self._gathering)
        pc.add_event_listener("ice_candidate", self._candidate)
        pc.add_event_listener("track", self._track)

    def taken(self) -> list[str]:
        """Return the entries, and clear the list."""
        log = self.log.copy()
        self.log.clear()
        return log

    async def result(self, operation: Awaitable[object]) -> list[str]:
        """Return the entries until a method has returned, with its result, and afterwards."""
        try:
            await operation
            self.log.append("returned")
        except Exception as error:
            self.log.append(type(error).__name__)
        await trio.testing.wait_all_tasks_blocked()
        return self.taken()

    def _gathering(self, _: Event) -> None:
        self.log.append(str(self.pc.ice_gathering_state))

    def _candidate(self, event: RTCPeerConnectionIceEvent) -> None:
        candidate = event.candidate
        end = " null" if candidate is None else "" if candidate.candidate else " end"
        self.log.append(f"candidate{end}")

    def _track(self, event: RTCTrackEvent) -> None:
        mid = self.mids[event.track] = event.transceiver.mid or ""
        self.log.append(f"track {mid}")
        if event.track not in self.watched:
            self.watched.add(event.track)
            for name in ("mute", "unmute", "ended"):
                event.track.add_event_listener(name, self._of_track)
        for stream in event.streams:
            if stream not in self.watched:
                self.watched.add(stream)
                for name in ("add_track", "remove_track"):
                    stream.add_event_listener(name, self._of_stream)

    def _of_track(self, event: Event) -> None:
        self.log.append(f"{event.type} {self.mids[event.target]}")

    def _of_stream(self, event: MediaStreamTrackEvent) -> None:
        # A track is added to a stream before its first event.
        by_track = {each.receiver.track: each.mid for each in self.pc.get_transceivers()}
        self.log.append(f"{event.type} {self.mids.get(event.track) or by_track[event.track]}")


@attrs.frozen
class Call:
    """A call in which Alice sends audio and video in one stream, with recorders of both sides."""

    peers: Peers
    alice: Recorder
    bob: Recorder
    stream: MediaStream

    async def unmute(self, sources: list[MediaStreamTrackSource]) -> None:
        """Send frames of both tracks, until Bob's are not muted."""
        for index in range(20):
            for source, kind in zip(sources, ("audio", "video"), strict=True):
                await source.send(frame_of(kind, index))
            await trio.sleep(0.02)
        assert sorted(self.bob.taken()) == ["unmute 0", "unmute 1"]


@asynccontextmanager
async def call() -> AsyncIterator[Call]:
    async with media_peers() as peers:
        alice, bob = Recorder(peers.alice), Recorder(peers.bob)
        sources, stream = [], MediaStream()
        for kind in ("audio", "video"):
            source, track = open_media_track(kind)
            sources.append(source)
            peers.alice.add_track(track, stream)
        await connect(peers.alice, peers.bob)
        for pc in (peers.alice, peers.bob):
            await until_connected(pc)
        await trio.sleep(1)
        alice.taken()
        bob.taken()
        made = Call(peers, alice, bob, stream)
        await made.unmute(sources)
        yield made


# -- the first exchange ----


async def test_an_offer_and_its_answer() -> None:
    async with media_peers() as peers:
        alice, bob = Recorder(peers.alice), Recorder(peers.bob)
        peers.alice.add_track(open_media_track("audio")[1], MediaStream())
        await trio.testing.wait_all_tasks_blocked()
        assert alice.taken() == ["negotiation needed"]
        operation = peers.alice.set_local_description()
        assert await alice.result(operation) == ["have-local-offer", "returned", *GATHERED]
        operation = peers.bob.set_remote_description(description_of(peers.alice))
        assert await bob.result(operation) == ["have-remote-offer", "track 0", "returned"]
        assert await bob.result(peers.bob.set_local_description()) == ["stable", "returned", *GATHERED]
        operation = peers.alice.set_remote_description(description_of(peers.bob))
        assert await alice.result(operation) == ["stable", "returned"]


async def test_provisional_answers() -> None:
    async with media_peers() as peers:
        alice, bob = Recorder(peers.alice), Recorder(peers.bob)
        peers.alice.add_track(open_media_track("audio")[1], MediaStream())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.add_track(open_media_track("audio")[1], MediaStream())
        await trio.testing.wait_all_tasks_blocked()
        alice.taken()
        bob.taken()
        operation = peers.bob.set_local_description({"type": "pranswer"})
        assert await bob.result(operation) == ["have-local-pranswer", "returned", *GATHERED]
        operation = peers.alice.set_remote_description(description_of(peers.bob))
        assert await alice.result(operation) == ["have-remote-pranswer", "track 0", "returned"]
        # A second one changes no state.
        operation = peers.bob.set_local_description({"type": "pranswer"})
        assert await bob.result(operation) == ["returned"]
        operation = peers.alice.set_remote_description(description_of(peers.bob))
        assert await alice.result(operation) == ["returned"]
        only(peers.bob.get_transceivers()).direction = "recvonly"
        assert await bob.result(peers.bob.set_local_description()) == ["stable", "returned"]
        operation = peers.alice.set_remote_description(description_of(peers.bob))
        assert await alice.result(operation) == ["stable", "remove_track 0", "returned"]


async def test_the_streams_of_an_answer_that_stops_receiving_precede_gathering() -> None:
    async with media_peers() as peers:
        bob = Recorder(peers.bob)
        peers.alice.add_track(open_media_track("audio")[1], MediaStream())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        only(peers.bob.get_transceivers()).direction = "inactive"
        await trio.testing.wait_all_tasks_blocked()
        assert bob.taken() == ["have-remote-offer", "track 0"]
        operation = peers.bob.set_local_description()
        assert await bob.result(operation) == ["stable", "remove_track 0", "returned", *GATHERED]


async def test_rollback_of_the_first_offer_on_both_sides() -> None:
    async with media_peers() as peers:
        alice, bob = Recorder(peers.alice), Recorder(peers.bob)
        peers.alice.add_track(open_media_track("audio")[1], MediaStream())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await trio.testing.wait_all_tasks_blocked()
        alice.taken()
        bob.taken()
        operation = peers.bob.set_remote_description(ROLLBACK)
        # The transceiver that the offer had created is stopped, which ends its track in a task of its own.
        assert await bob.result(operation) == ["stable", "remove_track 0", "returned", "ended 0"]
        operation = peers.alice.set_local_description(ROLLBACK)
        assert await alice.result(operation) == ["stable", "new", "returned", "negotiation needed"]


# -- in a call ----


async def test_mute_precedes_the_streams_and_the_tracks() -> None:
    async with call() as made:
        pc, streams = made.peers.alice, [MediaStream(), MediaStream()]
        audio, video = pc.get_senders()
        pc.remove_track(audio)
        video.set_streams(*streams)
        pc.add_track(open_media_track("video")[1], made.stream)
        await trio.testing.wait_all_tasks_blocked()
        assert made.alice.taken() == ["negotiation needed"]
        assert await made.alice.result(pc.set_local_description()) == ["have-local-offer", "returned"]
        operation = made.peers.bob.set_remote_description(description_of(pc))
        assert await made.bob.result(operation) == [
            "have-remote-offer",
            "mute 0",
            "remove_track 0",
            "remove_track 1",
            "add_track 2",
            "track 1",
            "track 2",
            "returned",
        ]


async def test_a_task_that_a_handler_queues_follows_the_whole_description() -> None:
    async with call() as made:
        alice, bob = made.peers.alice, made.peers.bob
        alice.remove_track(alice.get_senders()[0])
        await alice.set_local_description()
        bob.add_event_listener("signaling_state_change", lambda _: bob.get_transceivers()[1].stop())
        operation = bob.set_remote_description(description_of(alice))
        assert await made.bob.result(operation) == [
            "have-remote-offer",
            "mute 0",
            "remove_track 0",
            "returned",
            "ended 1",
        ]


async def test_a_rollback_restores_streams_and_tracks() -> None:
    async with call() as made:
        alice, bob = made.peers.alice, made.peers.bob
        alice.remove_track(alice.get_senders()[0])
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        made.bob.taken()
        operation = bob.set_remote_description(ROLLBACK)
        assert await made.bob.result(operation) == ["stable", "add_track 0", "track 0", "returned"]
        made.alice.taken()
        operation = alice.set_local_description(ROLLBACK)
        assert await made.alice.result(operation) == ["stable", "returned", "negotiation needed"]


async def test_glare() -> None:
    async with call() as made:
        alice, bob = made.peers.alice, made.peers.bob
        alice.remove_track(alice.get_senders()[0])
        bob.add_transceiver("audio")
        await alice.set_local_description()
        await bob.set_local_description()
        await trio.testing.wait_all_tasks_blocked()
        made.bob.taken()
        operation = bob.set_remote_description(description_of(alice))
        assert await made.bob.result(operation) == [
            "stable",
            "have-remote-offer",
            "mute 0",
            "remove_track 0",
            "returned",
        ]
        # The flag is checked in the state stable, and only after the operation.
        operation = bob.set_local_description()
        assert await made.bob.result(operation) == ["stable", "returned", "negotiation needed"]


async def test_an_answer_that_stops_receiving() -> None:
    async with call() as made:
        alice, bob = made.peers.alice, made.peers.bob
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        for transceiver in bob.get_transceivers():
            transceiver.direction = "inactive"
        made.bob.taken()
        operation = bob.set_local_description()
        assert await made.bob.result(operation) == [
            "stable",
            "mute 0",
            "mute 1",
            "remove_track 0",
            "remove_track 1",
            "returned",
        ]


async def test_a_rejected_section_ends_its_track_in_a_task_of_its_own() -> None:
    async with call() as made:
        alice, bob = made.peers.alice, made.peers.bob
        alice.get_transceivers()[0].stop()
        await alice.set_local_description()
        operation = bob.set_remote_description(description_of(alice))
        assert await made.bob.result(operation) == [
            "have-remote-offer",
            "mute 0",
            "remove_track 0",
            "returned",
            "ended 0",
        ]


@pytest.mark.parametrize("kind", ["answer", "pranswer"])
async def test_an_answer_without_an_offer_fires_nothing(kind: str) -> None:
    async with call() as made:
        bob = made.peers.bob
        answer = RTCSessionDescription(kind, description_of(made.peers.alice).sdp)
        assert await made.bob.result(bob.set_remote_description(answer)) == ["InvalidStateError"]


# -- closing, and the negotiation-needed flag ----


async def test_closing_in_a_handler_ends_the_events_of_the_description() -> None:
    async with call() as made:
        alice, bob = made.peers.alice, made.peers.bob
        alice.remove_track(alice.get_senders()[0])
        await alice.set_local_description()
        bob.add_event_listener("signaling_state_change", lambda _: bob.close())
        operation = bob.set_remote_description(description_of(alice))
        result = await made.bob.result(operation)
        assert result[:2] == ["have-remote-offer", "ClosedResourceError"]
        assert sorted(result[2:]) == ["ended 0", "ended 1"]


async def test_an_operation_during_which_the_connection_is_closed_fires_nothing() -> None:
    async with media_peers() as peers:
        alice = Recorder(peers.alice)
        peers.alice.add_track(open_media_track("audio")[1], MediaStream())
        await trio.testing.wait_all_tasks_blocked()
        alice.taken()
        results: list[list[str]] = []

        async def offer() -> None:
            results.append(await alice.result(peers.alice.set_local_description()))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(offer)
            await trio.lowlevel.checkpoint()
            peers.alice.close()
        # The second is the error of an operation that begins later, so the order of the tasks decides.
        entries = [entry for result in results for entry in result]
        assert len(entries) == 3
        assert set(entries) <= {"ClosedResourceError", "InvalidStateError"}


async def test_negotiation_needed_waits_for_the_end_of_the_chain() -> None:
    async with media_peers() as peers:
        alice = Recorder(peers.alice)
        await negotiate(peers.alice, peers.bob)
        alice.taken()
        peers.alice.add_transceiver("audio")
        operation = peers.alice.create_offer()
        assert await alice.result(operation) == ["returned", "negotiation needed"]
