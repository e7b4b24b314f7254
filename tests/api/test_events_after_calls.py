"""No event is fired inside the public call that causes it; events required by W3C are fired on a later turn."""

import contextlib
import inspect
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.media import connect_track, media_peers
from tests.strategies.peers import description_of, open_channel, two_peers
from trio_rtc import (
    EventTarget,
    MediaStream,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCDTMFSender,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSctpTransport,
    RTCSessionDescription,
    open_media_track,
)
from trio_rtc.event_target import AnyEvent
from trio_rtc.stats import RTCPeerConnectionStats
from trio_rtc.testing import run

pytestmark = pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")

virtual_time = pytest.mark.usefixtures("autojump_clock")


@attrs.define
class World:
    """Two connected peers with audio in both directions and a channel; all events of Alice's objects are recorded."""

    pc: RTCPeerConnection
    peer: RTCPeerConnection
    channel: RTCDataChannel
    their_channel: RTCDataChannel
    source: MediaStreamTrackSource
    track: MediaStreamTrack
    stream: MediaStream
    names: dict[int, str] = attrs.field(factory=dict)
    fired: list[str] = attrs.field(factory=list)

    @property
    def transceiver(self) -> RTCRtpTransceiver:
        return self.pc.get_transceivers()[0]

    @property
    def sender(self) -> RTCRtpSender:
        return self.transceiver.sender

    @property
    def dtmf(self) -> RTCDTMFSender:
        assert self.sender.dtmf is not None
        return self.sender.dtmf

    @property
    def receiver(self) -> RTCRtpReceiver:
        return self.transceiver.receiver

    def listen(self, target: EventTarget, name: str) -> None:
        """Record every event of an object, except messages, which a listener would consume."""
        self.names[id(target)] = name
        for event in target.EVENTS - {"message"}:
            target.add_event_listener(event, self.record)

    def record(self, event: AnyEvent) -> None:
        self.fired.append(f"{self.names[id(event.target)]}: {event.type}")


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with media_peers() as peers, peers.bob.subscribe("data_channel") as announced:
        source, track = open_media_track("audio")
        stream = MediaStream([track])
        peers.alice.add_track(track, stream)
        peers.bob.add_track(open_media_track("audio")[1], MediaStream())
        channel = peers.alice.create_data_channel("chat")
        await connect_track(peers.alice, peers.bob)
        theirs = (await announced.receive()).channel
        await channel.opened()
        world = World(peers.alice, peers.bob, channel, theirs, source, track, stream)
        sctp = peers.alice.sctp
        assert sctp is not None
        for target, name in (
            (peers.alice, "connection"),
            (sctp, "sctp"),
            (sctp.transport, "dtls"),
            (sctp.transport.ice_transport, "ice"),
            (channel, "channel"),
            (track, "local track"),
            (world.receiver.track, "remote track"),
            (stream, "stream"),
            (peers.alice.get_remote_streams()[0], "remote stream"),
            (world.dtmf, "dtmf"),
        ):
            world.listen(target, name)
        await trio.sleep(1)
        assert world.fired == []
        yield world


@attrs.frozen
class Call:
    """A synchronous public method or attribute.

    Attributes:
        member: Class and name of the method or attribute.
        do: Calls it; events of a returned object are recorded, too.
        then: Events that W3C requires later, in this order.
    """

    member: str
    do: Callable[[World], object]
    then: tuple[str, ...] = ()


NEGOTIATION = ("connection: negotiation_needed",)


def setting(path: str, value: object) -> Callable[[World], object]:
    """Return a function that sets an attribute of one of the world's objects."""
    target, _, attribute = path.rpartition(".")

    def set_attribute(world: World) -> None:
        found: Any = world
        for part in target.split("."):
            found = getattr(found, part)
        setattr(found, attribute, value)

    return set_attribute


async def keep_frame(frame: object) -> None:
    """Return the frame unchanged: a transform."""


def stop_both(world: World) -> None:
    world.track.stop()
    world.receiver.track.stop()


CALLS = [
    Call("RTCPeerConnection.create_data_channel", lambda w: w.pc.create_data_channel("b"), ("new: open",)),
    Call("RTCPeerConnection.restart_ice", lambda w: w.pc.restart_ice(), NEGOTIATION),
    Call("RTCPeerConnection.set_configuration", lambda w: w.pc.set_configuration(RTCConfiguration())),
    Call("RTCPeerConnection.set_identity_provider", lambda w: w.pc.set_identity_provider("example.org")),
    Call("RTCPeerConnection.add_track", lambda w: w.pc.add_track(open_media_track("video")[1]), NEGOTIATION),
    Call("RTCPeerConnection.remove_track", lambda w: w.pc.remove_track(w.sender), NEGOTIATION),
    Call("RTCPeerConnection.add_transceiver", lambda w: w.pc.add_transceiver("video"), NEGOTIATION),
    Call(
        "RTCPeerConnection.add_stream",
        lambda w: w.pc.add_stream(MediaStream([open_media_track("video")[1]])),
        NEGOTIATION,
    ),
    Call("RTCPeerConnection.create_dtmf_sender", lambda w: w.pc.create_dtmf_sender(w.track)),
    Call("RTCPeerConnection.remove_stream", lambda w: w.pc.remove_stream(w.stream), NEGOTIATION),
    # W3C webrtc section 4.4.1.10: the connection, its transports and its channels close without events.
    Call("RTCPeerConnection.close", lambda w: w.pc.close(), ("remote track: ended",)),
    Call("RTCDataChannel.close", lambda w: w.channel.close(), ("channel: close",)),
    Call(
        "RTCDataChannel.send_nowait", lambda w: w.channel.send_nowait("x"), ("channel: buffered_amount_low",)
    ),
    Call("RTCDataChannel.as_stream", lambda w: w.channel.as_stream()),
    Call("RTCDataChannel.binary_type", setting("channel.binary_type", "blob")),
    Call("RTCDataChannel.buffered_amount_low_threshold", setting("channel.buffered_amount_low_threshold", 9)),
    Call("RTCRtpTransceiver.direction", setting("transceiver.direction", "sendonly"), NEGOTIATION),
    Call(
        "RTCRtpTransceiver.stop",
        lambda w: w.transceiver.stop(),
        ("connection: negotiation_needed", "remote track: ended"),
    ),
    Call("RTCRtpTransceiver.set_opus_parameters", lambda w: w.transceiver.set_opus_parameters(None)),
    Call("RTCRtpTransceiver.set_codec_preferences", lambda w: w.transceiver.set_codec_preferences([])),
    Call(
        "RTCRtpTransceiver.set_header_extensions_to_negotiate",
        lambda w: w.transceiver.set_header_extensions_to_negotiate(
            w.transceiver.get_header_extensions_to_negotiate()
        ),
    ),
    Call("RTCRtpSender.set_streams", lambda w: w.sender.set_streams(MediaStream()), NEGOTIATION),
    Call("RTCRtpSender.transform", setting("sender.transform", keep_frame)),
    Call("RTCRtpReceiver.transform", setting("receiver.transform", keep_frame)),
    Call("RTCRtpReceiver.decode", setting("receiver.decode", False)),
    Call("RTCRtpReceiver.layer", setting("receiver.layer", "h")),
    Call("RTCRtpReceiver.jitter_buffer_target", setting("receiver.jitter_buffer_target", 100)),
    Call("RTCRtpReceiver.request_keyframe", lambda w: w.receiver.request_keyframe()),
    # W3C mediacapture-main section 4.3.3: stop() fires no ended event.
    Call("MediaStreamTrack.stop", stop_both),
    Call("MediaStreamTrack.clone", lambda w: w.track.clone()),
    Call("MediaStreamTrack.enabled", setting("track.enabled", False)),
    Call("MediaStreamTrack.content_hint", setting("track.content_hint", "speech")),
    Call("MediaStreamTrackSource.drop_queued", lambda w: w.source.drop_queued()),
    Call("MediaStreamTrackSource.close", lambda w: w.source.close(), ("local track: ended",)),
    Call("MediaStreamTrackSource.drop_queued", lambda w: w.source.drop_queued()),
    # Section 4.2.2: changes by the application fire no events.
    Call("MediaStream.add_track", lambda w: w.stream.add_track(open_media_track("video")[1])),
    Call("MediaStream.remove_track", lambda w: w.stream.remove_track(w.track)),
    Call("MediaStream.clone", lambda w: w.stream.clone()),
    Call("RTCDTMFSender.insert_dtmf", lambda w: w.dtmf.insert_dtmf("1"), ("dtmf: tone_change",) * 2),
]


@virtual_time
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.member)
async def test_nothing_is_fired_before_the_call_has_returned(call: Call) -> None:
    async with world() as here:
        result = call.do(here)
        assert here.fired == []
        if isinstance(result, EventTarget):
            here.listen(result, "new")
        await trio.sleep(1)
        assert sorted(here.fired) == sorted(call.then)


OBJECTS = (
    RTCPeerConnection,
    RTCDataChannel,
    RTCRtpTransceiver,
    RTCRtpSender,
    RTCRtpReceiver,
    MediaStreamTrack,
    MediaStreamTrackSource,
    MediaStream,
    RTCDTMFSender,
    RTCSctpTransport,
    RTCDtlsTransport,
    RTCIceTransport,
)
ELSEWHERE = {
    # W3C dispatches this event in the call; adding a handler is tested below.
    *("add_event_listener", "remove_event_listener", "dispatch_event", "subscribe"),
    # These are asynchronous.
    *("rtp_packets", "encoded_frames", "telephone_events", "keyframe_requests", "bitrate_changes"),
}


def synchronous_members(of: type) -> set[str]:
    """Return the synchronous public methods and the writable attributes of a class."""
    members = set()
    for name, value in inspect.getmembers(of):
        if name.startswith(("_", "get_", "on_")) or name in ELSEWHERE or inspect.iscoroutinefunction(value):
            continue
        if inspect.isfunction(value) or (isinstance(value, property) and value.fset is not None):
            members.add(f"{of.__name__}.{name}")
    return members


def test_every_synchronous_method_is_called() -> None:
    members = set().union(*map(synchronous_members, OBJECTS))
    assert {call.member for call in CALLS} == members


@attrs.define(eq=False)
class FirstStep(trio.abc.Instrument):
    """Records the events fired before a task's first checkpoint, which are those in the log then."""

    log: Sequence[object]
    task: trio.lowlevel.Task = attrs.Factory(trio.lowlevel.current_task)
    fired: list[object] | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Record only after the first step."""
        if task is self.task and self.fired is None:
            self.fired = list(self.log)


async def restart(world: World) -> None:
    """Restart ICE, which gathers candidates again; the peer does not receive the offer."""
    world.pc.on_ice_candidate = None
    world.pc.restart_ice()
    await world.pc.set_local_description()


WAITING: list[Callable[[World], Any]] = [
    lambda w: w.pc.create_offer(),
    lambda w: w.pc.create_offer(offer_to_receive_video=True),
    lambda w: w.pc.set_local_description(),
    restart,
    lambda w: w.pc.set_remote_description(description_of(w.peer)),
    lambda w: w.pc.add_ice_candidate(None),
    lambda w: w.pc.get_stats(),
    lambda w: w.pc.aclose(),
    lambda w: w.channel.send("x"),
    lambda w: w.channel.aclose(),
    lambda w: w.channel.wait_for_room(),
    lambda w: w.sender.replace_track(None),
    lambda w: w.sender.set_parameters(w.sender.get_parameters()),
    lambda w: w.sender.send_rtp(),
    lambda w: w.track.apply_constraints(),
    lambda w: w.track.aclose(),
    lambda w: w.source.aclose(),
]


@virtual_time
@pytest.mark.parametrize("number", range(len(WAITING)))
async def test_nothing_is_fired_before_the_first_checkpoint(number: int) -> None:
    async with world() as here:
        first = FirstStep(here.fired)
        trio.lowlevel.add_instrument(first)
        try:
            with contextlib.suppress(Exception):
                await WAITING[number](here)
        finally:
            trio.lowlevel.remove_instrument(first)
        assert first.fired == []


GATHERING = "connection: ice_gathering_state_change"


@virtual_time
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.member)
async def test_no_synchronous_call_changes_the_gathering_state(call: Call) -> None:
    async with world() as here:
        await restart(here)
        here.fired.clear()
        # Gathering begins on the next turn.
        assert here.pc.ice_gathering_state == "complete"
        call.do(here)
        assert here.fired == []
        assert here.pc.ice_gathering_state == "complete"
        await trio.sleep(1)
        is_closed = call.member == "RTCPeerConnection.close"
        assert here.fired.count(GATHERING) == (0 if is_closed else 2)


@virtual_time
async def test_gathering_begins_after_set_local_description_has_returned() -> None:
    """W3C webrtc section 5.6: a task queued when gathering begins updates the state, and fires the event."""
    async with two_peers() as peers:
        log: list[str] = []

        def listen(pc: RTCPeerConnection) -> None:
            pc.on_ice_gathering_state_change = lambda _: log.append(pc.ice_gathering_state)

        listen(peers.alice)
        listen(peers.bob)
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        assert (peers.alice.ice_gathering_state, log) == ("new", [])
        await trio.sleep(1)
        assert log == ["gathering", "complete"]
        await peers.bob.set_remote_description(description_of(peers.alice))
        await trio.sleep(1)
        await peers.bob.set_local_description()
        assert (peers.bob.ice_gathering_state, log[2:]) == ("new", [])
        await trio.sleep(1)
        assert log[2:] == ["gathering", "complete"]
        await peers.alice.set_remote_description(description_of(peers.bob))
        await trio.sleep(1)
        peers.alice.restart_ice()
        await peers.alice.set_local_description()
        assert (peers.alice.ice_gathering_state, log[4:]) == ("complete", [])
        await trio.sleep(1)
        assert log[4:] == ["gathering", "complete"]


@virtual_time
async def test_a_rollback_resets_the_gathering_state_after_the_signaling_state() -> None:
    """The rolled back offer's transport is removed; the events precede the return (W3C webrtc section 4.4.1.5)."""
    async with two_peers() as peers:
        pc = peers.alice
        pc.create_data_channel("chat")
        await pc.set_local_description()
        await trio.sleep(1)
        log: list[str] = []
        pc.on_signaling_state_change = lambda _: log.append(pc.signaling_state)
        pc.on_ice_gathering_state_change = lambda _: log.append(pc.ice_gathering_state)
        first = FirstStep(log)
        trio.lowlevel.add_instrument(first)
        await pc.set_local_description(RTCSessionDescription("rollback"))
        trio.lowlevel.remove_instrument(first)
        assert first.fired == []
        assert log == ["stable", "new"]


@virtual_time
async def test_a_channel_on_a_connected_connection_is_connecting_first() -> None:
    async with open_channel() as (_, _, peers):
        channel = peers.alice.create_data_channel("later")
        assert channel.ready_state == "connecting"
        assert channel.id is not None
        opened: list[str] = []
        channel.on_open = lambda event: opened.append(event.target.ready_state)  # type: ignore[attr-defined]
        await trio.testing.wait_all_tasks_blocked()
        assert opened == ["open"]


@virtual_time
async def test_a_channel_created_in_a_handler_opens_after_the_handler_has_returned() -> None:
    log: list[str] = []

    def make(_: object) -> None:
        channel = peers.alice.create_data_channel("reply")
        log.append(f"{channel.ready_state} {channel.id}")
        channel.on_open = lambda _: log.append("open")

    async with open_channel() as (_, _, peers):
        peers.alice.on_data_channel = make
        peers.bob.create_data_channel("question")
        await trio.sleep(1)
    assert log == ["connecting 3", "open"]


@virtual_time
async def test_a_channel_that_is_closed_before_it_was_open_only_closes() -> None:
    async with open_channel() as (_, _, peers):
        channel = peers.alice.create_data_channel("short")
        fired: list[str] = []
        for event in ("open", "closing", "close", "error"):
            channel.add_event_listener(event, lambda event: fired.append(event.type))
        channel.close()
        assert (channel.ready_state, fired) == ("closing", [])
        await channel.aclose()
        assert fired == ["close"]
        stats = (await peers.alice.get_stats()).values()
        (of_connection,) = (each for each in stats if isinstance(each, RTCPeerConnectionStats))
        assert (of_connection.data_channels_opened, of_connection.data_channels_closed) == (1, 0)


@virtual_time
async def test_messages_to_a_channel_closed_before_it_was_open_are_not_retained() -> None:
    async with open_channel() as (_, _, peers), peers.bob.subscribe("data_channel") as announced:
        channel = peers.alice.create_data_channel("short")
        channel.close()
        theirs = (await announced.receive()).channel
        for _ in range(100):
            with contextlib.suppress(trio.BrokenResourceError):
                await theirs.send(bytes(60_000))
        with trio.fail_after(10):
            await channel.aclose()


@virtual_time
async def test_closing_the_connection_discards_queued_events() -> None:
    async with open_channel() as (_, _, peers):
        channel = peers.alice.create_data_channel("never")
        fired: list[object] = []
        channel.on_open = channel.on_close = fired.append
        other = peers.alice.create_data_channel("closed first")
        other.on_close = fired.append
        other.close()
        peers.alice.close()
        assert (channel.ready_state, other.ready_state) == ("closed", "closed")
        await trio.sleep(1)
        assert fired == []


@virtual_time
async def test_events_of_one_turn_keep_their_order() -> None:
    async with two_peers() as peers:
        pc = peers.alice
        channels = [pc.create_data_channel(str(number)) for number in range(20)]
        closed: list[str] = []
        for channel in channels:
            channel.on_close = lambda event: closed.append(event.target.label)  # type: ignore[attr-defined]
        for channel in reversed(channels):
            channel.close()
        assert closed == []
        await trio.testing.wait_all_tasks_blocked()
        assert closed == [channel.label for channel in reversed(channels)]


async def test_channels_and_tracks_end_also_before_the_block() -> None:
    pc = RTCPeerConnection()
    channel, transceiver = pc.create_data_channel("chat"), pc.add_transceiver("audio")
    fired: list[str] = []
    channel.on_close = transceiver.receiver.track.on_ended = lambda event: fired.append(event.type)
    await channel.aclose()
    transceiver.stop()
    assert fired == ["close"]
    await trio.testing.wait_all_tasks_blocked()
    assert fired == ["close", "ended"]


def test_without_a_scheduler_events_wait_for_the_block() -> None:
    """An application may create its objects before it runs trio."""
    pc = RTCPeerConnection()
    fired: list[str] = []
    channel = pc.create_data_channel("chat")
    channel.on_close = lambda event: fired.append(event.type)
    channel.close()
    assert fired == []

    async def enter() -> None:
        async with pc:
            await trio.testing.wait_all_tasks_blocked()

    run(enter)
    assert fired == ["close"]


@virtual_time
@pytest.mark.parametrize("how", ["attribute", "listener"])
async def test_adding_a_handler_does_not_deliver_queued_messages_in_the_call(how: str) -> None:
    async with open_channel() as (mine, theirs, _):
        await mine.send("early")
        await trio.sleep(1)
        received: list[object] = []
        if how == "attribute":
            theirs.on_message = received.append
        else:
            theirs.add_event_listener("message", received.append)
        assert received == []
        await trio.testing.wait_all_tasks_blocked()
        assert len(received) == 1


@virtual_time
async def test_an_error_in_a_queued_event_ends_the_block() -> None:
    def fail(_: object) -> None:
        raise LookupError("in open")

    async def block() -> None:
        async with open_channel() as (_, _, peers):
            peers.alice.create_data_channel("another").on_open = fail
            await trio.sleep_forever()

    with pytest.raises(LookupError, match="in open"):
        await block()


@virtual_time
async def test_a_track_whose_nursery_has_ended_still_ends() -> None:
    ended: list[object] = []
    async with trio.open_nursery() as nursery:
        source, track = open_media_track("audio", nursery=nursery)
        track.on_ended = ended.append
    source.close()
    await trio.testing.wait_all_tasks_blocked()
    assert (track.ready_state, len(ended)) == ("ended", 1)


@virtual_time
async def test_a_handler_that_always_causes_events_does_not_block_other_tasks() -> None:
    async with two_peers() as peers:

        def close_another(_: object) -> None:
            channel = peers.alice.create_data_channel("and on")
            channel.on_close = close_another
            channel.close()

        close_another(None)
        with trio.fail_after(1):
            for _ in range(100):
                await trio.lowlevel.checkpoint()


CALLS_AT_RANDOM = st.lists(
    st.tuples(
        st.sampled_from(["create", "close", "send", "listen", "peer closes", "peer sends", "pause"]),
        st.integers(0, 5),
    ),
    max_size=30,
)


class RandomChannelCalls:
    """Calls methods of both peers' channels, and records the events of Alice's channels."""

    def __init__(self, pc: RTCPeerConnection, peer: RTCPeerConnection) -> None:
        self.pc = pc
        self.mine: list[RTCDataChannel] = []
        self.theirs: list[RTCDataChannel] = []
        self.fired: list[tuple[RTCDataChannel, str]] = []
        peer.on_data_channel = lambda event: self.theirs.append(event.channel)

    def record(self, event: AnyEvent) -> None:
        channel = event.target
        assert isinstance(channel, RTCDataChannel)
        self.fired.append((channel, event.type))
        expected = {"open": "open", "close": "closed", "closing": "closing"}
        assert channel.ready_state == expected.get(event.type, channel.ready_state)

    def create(self) -> None:
        channel = self.pc.create_data_channel("")
        assert (channel.ready_state, channel.id is None) == ("connecting", False)
        for event in channel.EVENTS - {"message"}:
            channel.add_event_listener(event, self.record)
        self.mine.append(channel)

    def call(self, verb: str, number: int) -> None:
        channels = self.theirs if verb.startswith("peer") else self.mine
        if verb == "create":
            self.create()
        elif channels:
            channel = channels[number % len(channels)]
            if verb.endswith(("close", "closes")):
                channel.close()
            elif verb == "listen":
                channel.on_message = self.record
            elif channel.ready_state == "open":
                channel.send_nowait("x")


async def call_randomly(calls: list[tuple[str, int]], ends: str) -> None:
    async with open_channel() as (_, _, peers):
        channels = RandomChannelCalls(peers.alice, peers.bob)
        for verb, number in calls:
            before = len(channels.fired)
            channels.call(verb, number)
            assert len(channels.fired) == before
            if verb == "pause":
                await trio.sleep(number / 100)
        if ends == "close":
            before = len(channels.fired)
            peers.alice.close()
            await trio.sleep(1)
            assert len(channels.fired) == before
        else:
            await trio.sleep(10)
        for channel in channels.mine:
            events = " ".join(event for target, event in channels.fired if target is channel)
            pattern = r"(open)?( ?(message|buffered_amount_low))*( ?closing)?( ?message)*( ?close)?"
            assert re.fullmatch(pattern, events), events
            if ends == "close":
                assert channel.ready_state == "closed"
            else:
                assert channel.ready_state in {"open", "closed"}
                assert events.endswith("close") == (channel.ready_state == "closed")


@given(CALLS_AT_RANDOM, st.sampled_from(["close", "wait"]))
def test_random_calls_fire_events_later_and_in_order(calls: list[tuple[str, int]], ends: str) -> None:
    run(call_randomly, calls, ends)
