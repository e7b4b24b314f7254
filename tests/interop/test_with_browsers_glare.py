"""Perfect negotiation with browsers: offers that collide, and a storm of changes by both sides."""

import random
import re
from contextlib import suppress

import attrs
import pytest
import trio

from tests.interop.calling import THEIR_START, THEIR_TONE, Call, calling, wait_until
from tests.interop.drivers.rpc import JsonObject
from tests.interop.opening import Peers
from tests.interop.own_media import read_counters, wait_for_tone
from tests.interop.perfect_negotiation import PerfectNegotiation, negotiating_perfectly
from tests.interop.remote_media import FRAMERATE, HEIGHT, WIDTH
from tests.interop.remote_peer import RemoteChannel
from trio_rtc import (
    InvalidStateError,
    MediaStream,
    MediaStreamTrack,
    RTCDataChannel,
    RTCRtpTransceiver,
    RTCRtpTransceiverDirection,
)

BROWSERS = pytest.mark.parametrize("name", ["chromium", "firefox"])
POLITENESS = pytest.mark.parametrize(
    "we_are_polite", [True, False], ids=["we-are-polite", "browser-is-polite"]
)
SIZE = {"width": WIDTH, "height": HEIGHT, "framerate": FRAMERATE}
MIRRORED = {"sendonly": "recvonly", "recvonly": "sendonly"}
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
VERBS = ("add", "add", "remove", "stop", "replace", "direction", "direction", "channel", "restart")
CHANGES = 20
LONGEST_PAUSE = 0.12
RANGE = 20_000
"""Numbers of video frames of one source."""


def tone_of(number: int) -> float:
    """Return the frequency of an audio source of the storm."""
    return 500.0 + 40 * number


@attrs.frozen
class Change:
    """A change of one side.

    Attributes:
        verb: The kind of change.
        number: A number of its own, which distinguishes its source and its channel.
        choice: Selects one of several transceivers, kinds or directions.
    """

    verb: str
    number: int
    choice: int

    @property
    def kind(self) -> str:
        """The kind of an added track."""
        return ("audio", "video")[self.choice % 2]

    @property
    def direction(self) -> str:
        """The direction set."""
        return DIRECTIONS[self.choice % 4]


def random_changes(rng: random.Random, first: int) -> list[Change]:
    """Return the changes of a side, which begin with a track of each kind."""
    begin = [Change("add", first + choice, choice) for choice in range(2)]
    numbers = range(first + 2, first + CHANGES)
    return begin + [Change(rng.choice(VERBS), number, rng.randrange(8)) for number in numbers]


@attrs.define
class Storm:
    """Changes of both sides; those of the browser are in ``negotiating.js``.

    Attributes:
        numbers: Number of the source, by the id of our track.
        channels: Our channels.
        their_channels: The browser's channels.
    """

    call: Call
    rng: random.Random
    numbers: dict[str, int] = attrs.field(factory=dict)
    channels: list[RTCDataChannel] = attrs.field(factory=list)
    their_channels: list[RemoteChannel] = attrs.field(factory=list)

    async def run_ours(self, changes: list[Change]) -> None:
        """Change our side."""
        for change in changes:
            await trio.sleep(self.rng.uniform(0, LONGEST_PAUSE))
            with suppress(InvalidStateError):  # the browser has stopped the transceiver meanwhile
                await self._change_ours(change)

    async def _change_ours(self, change: Change) -> None:
        pc = self.call.own.pc
        if change.verb == "restart":
            pc.restart_ice()
        elif change.verb == "channel":
            self.channels.append(pc.create_data_channel(str(change.number)))
        elif change.verb == "add":
            track = self._open(change.kind, change.number)
            pc.add_track(track, MediaStream([track]))
        elif live := live_transceivers(self.call):
            await self._change_transceiver(live[change.choice % len(live)], change)

    async def _change_transceiver(self, transceiver: RTCRtpTransceiver, change: Change) -> None:
        if change.verb == "stop":
            transceiver.stop()
        elif change.verb == "direction":
            transceiver.direction = RTCRtpTransceiverDirection(change.direction)
        elif change.verb == "remove":
            self.call.own.pc.remove_track(transceiver.sender)
        else:
            track = self._open(transceiver.receiver.track.kind, change.number)
            await transceiver.sender.replace_track(track)

    def _open(self, kind: str, number: int) -> MediaStreamTrack:
        if kind == "video":
            track = self.call.ours.open_video(start=number * RANGE)
        else:
            track = self.call.ours.open_audio(frequency=tone_of(number))
        self.numbers[track.id] = number
        return track

    async def run_theirs(self, changes: list[Change]) -> None:
        """Change the browser's side."""
        remote = self.call.remote
        for change in changes:
            await trio.sleep(self.rng.uniform(0, LONGEST_PAUSE))
            number = change.number
            source = {"start": number * RANGE, "frequency": tone_of(number), **SIZE}
            if change.verb == "restart":
                await remote.restart_ice()
            elif change.verb == "channel":
                self.their_channels.append(await remote.create_data_channel(str(number)))
            elif change.verb == "add":
                await remote.negotiation.add(change.kind, **source)
            else:
                options = {"direction": change.direction, **source}
                await remote.negotiation.change(change.verb, change.choice, **options)

    async def assert_channels_open(self) -> None:
        """Wait until all channels are open."""
        for ours in self.channels:
            await ours.opened()
        for theirs in self.their_channels:
            await theirs.opened.wait()

    async def assert_media(self) -> None:
        """Wait until all that is sent in either direction arrives, in the right section."""
        received = await received_by_section(self.call)
        async with trio.open_nursery() as nursery:
            for each in await self.call.remote.negotiation.sections():
                transceiver = self.call.ours.of_mid(each["mid"])
                if each["sent"] and each["currentDirection"] in ("sendrecv", "sendonly"):
                    nursery.start_soon(assert_source_received, transceiver, each["sent"])
                track = transceiver.sender.track
                if track is not None and transceiver.current_direction in ("sendrecv", "sendonly"):
                    nursery.start_soon(assert_browser_receives, self.call, received, each["mid"])


def live_transceivers(call: Call) -> list[RTCRtpTransceiver]:
    """Return our transceivers that are not stopped."""
    stopped = {"stopping", "stopped"}
    transceivers = call.own.pc.get_transceivers()
    return [each for each in transceivers if not {str(each.direction), str(each.current_direction)} & stopped]


async def received_by_section(call: Call) -> dict[str, int]:
    """Return the number of frames or packets that the browser has received, by MID."""
    received: dict[str, int] = {}
    for each in await call.remote.get_stats():
        if each["type"] == "inbound-rtp":
            member = "framesDecoded" if each["kind"] == "video" else "packetsReceived"
            received[each["mid"]] = received.get(each["mid"], 0) + each.get(member, 0)
    return received


async def assert_browser_receives(call: Call, before: dict[str, int], mid: str) -> None:
    """Wait until the browser has received more of a section."""

    async def reached() -> bool:
        return (await received_by_section(call)).get(mid, 0) >= before.get(mid, 0) + 5

    await wait_until(reached)


async def assert_source_received(transceiver: RTCRtpTransceiver, source: JsonObject) -> None:
    """Wait until we receive a source of the browser."""
    track = transceiver.receiver.track
    if source["kind"] == "audio":
        await wait_for_tone(track, source["frequency"])
        return
    while True:
        (counter,) = await read_counters(track, count=1)
        if source["start"] <= counter < source["start"] + RANGE:
            return


async def assert_agreement(call: Call) -> None:
    """Require the same sections, mirrored directions and the same ICE credentials on both sides."""
    pc, theirs = call.own.pc, await call.remote.negotiation.sections()
    ours = {
        each.mid: (each.receiver.track.kind, str(each.current_direction)) for each in live_transceivers(call)
    }
    mirrored = {
        each["mid"]: (each["kind"], MIRRORED.get(each["currentDirection"], each["currentDirection"]))
        for each in theirs
    }
    assert ours == mirrored
    assert None not in ours
    descriptions = await call.remote.negotiation.descriptions()
    assert pc.local_description is not None
    assert pc.remote_description is not None
    for one, other in (
        (pc.local_description.sdp, descriptions["remote"]["sdp"]),
        (pc.remote_description.sdp, descriptions["local"]["sdp"]),
    ):
        for pattern in (r"a=ice-ufrag:(\S+)", r"a=mid:(\S+)"):
            assert re.findall(pattern, one) == re.findall(pattern, other)
    await call.own.connection_state("connected")
    await wait_until(lambda: browser_connected(call))


async def browser_connected(call: Call) -> bool:
    """Return whether the browser is connected."""
    states = await call.remote.negotiation.states()
    return bool(states["connectionState"] == "connected")


async def offer_at_once(call: Call, negotiation: PerfectNegotiation) -> None:
    """Deliver the offers of both sides only after both were made."""
    answers = negotiation.answers
    await negotiation.offers_collide()
    negotiation.release()
    await negotiation.quiet()
    assert negotiation.answers > answers
    await assert_agreement(call)


@POLITENESS
@BROWSERS
async def test_offers_of_both_sides_collide(peers: Peers, name: str, we_are_polite: bool) -> None:
    """First before the call, then with tracks of both sides in it, then with ICE restarts of both sides."""
    async with (
        calling(peers, name) as call,
        negotiating_perfectly(call, we_are_polite=we_are_polite) as negotiation,
    ):
        negotiation.hold()
        await call.add_all("audio")
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=0)
        theirs = await call.remote.create_data_channel("chat", negotiated=True, id=0)
        await offer_at_once(call, negotiation)
        await ours.opened()
        negotiation.hold()
        await call.add_all("video")
        await offer_at_once(call, negotiation)
        negotiation.hold()
        call.own.pc.restart_ice()
        await call.remote.restart_ice()
        await offer_at_once(call, negotiation)
        await call.assert_media_received()
        await ours.send("to")
        await theirs.send("fro")
        assert (await theirs.receive(), await ours.receive()) == ("to", "fro")


@pytest.mark.parametrize("seed", [1, 3])
@POLITENESS
@BROWSERS
async def test_a_storm_of_changes_by_both_sides(
    peers: Peers, name: str, we_are_polite: bool, seed: int
) -> None:
    """Both sides agree when it is over, and what is sent is received in the right section."""
    rng = random.Random(f"{name} {we_are_polite} {seed}")
    async with (
        calling(peers, name) as call,
        negotiating_perfectly(call, we_are_polite=we_are_polite) as negotiation,
    ):
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=0)
        theirs = await call.remote.create_data_channel("chat", negotiated=True, id=0)
        storm = Storm(call, rng)
        async with trio.open_nursery() as nursery:
            our_changes = random_changes(rng, 0)
            if name == "firefox" and not we_are_polite:
                # It refuses an offer that restarts ICE and collides with its own.
                our_changes = [each for each in our_changes if each.verb != "restart"]
            nursery.start_soon(storm.run_ours, our_changes)
            nursery.start_soon(storm.run_theirs, random_changes(rng, CHANGES))
        await negotiation.quiet()
        # The impolite side has ignored some offers.
        assert negotiation.offers > negotiation.answers
        await assert_agreement(call)
        await storm.assert_channels_open()
        await storm.assert_media()
        await ours.send("to")
        await theirs.send("fro")
        assert (await theirs.receive(), await ours.receive()) == ("to", "fro")


@BROWSERS
async def test_tracks_and_channels_come_and_go_in_a_call(peers: Peers, name: str) -> None:
    """Each change negotiates by itself, while the first channel and the tones continue."""
    async with (
        calling(peers, name) as call,
        negotiating_perfectly(call, we_are_polite=True) as negotiation,
    ):
        ours = call.own.pc.create_data_channel("chat", negotiated=True, id=0)
        theirs = await call.remote.create_data_channel("chat", negotiated=True, id=0)
        await call.add_all("audio")
        await negotiation.quiet()
        sender = call.ours.add_video()
        source = await call.theirs.add_video(start=THEIR_START)
        await negotiation.quiet()
        await call.assert_media_received()
        (video,) = call.ours.of_kind("video")
        await assert_a_channel_of_each_side(call)
        call.own.pc.remove_track(sender)
        await negotiation.quiet()
        assert video.current_direction == "recvonly"
        await call.theirs.remove(source)
        await negotiation.quiet()
        assert video.current_direction == "inactive"
        await assert_agreement(call)
        # Both sides use the section again.
        video.direction = RTCRtpTransceiverDirection.SENDRECV
        await sender.replace_track(call.ours.open_video())
        await call.remote.negotiation.change("replace", 1, start=THEIR_START, frequency=0, **SIZE)
        await call.remote.negotiation.change("direction", 1, direction="sendrecv")
        await negotiation.quiet()
        assert video.current_direction == "sendrecv"
        await call.assert_media_received()
        await call.remote.negotiation.change("stop", 1)
        await negotiation.quiet()
        assert video.current_direction == "stopped"
        await assert_agreement(call)
        (audio,) = call.ours.of_kind("audio")
        await wait_for_tone(audio.receiver.track, THEIR_TONE)
        await ours.send("to")
        await theirs.send("fro")
        assert (await theirs.receive(), await ours.receive()) == ("to", "fro")


async def assert_a_channel_of_each_side(call: Call) -> None:
    """Open a channel from each side, send a message through it, and close it."""
    ours = call.own.pc.create_data_channel("ours")
    theirs = await call.remote.accept_channel()
    await ours.opened()
    await ours.send("to")
    assert await theirs.receive() == "to"
    await ours.aclose()
    await theirs.closed.wait()
    theirs = await call.remote.create_data_channel("theirs")
    ours = await call.own.accept_channel()
    await theirs.opened.wait()
    await theirs.send("fro")
    assert await ours.receive() == "fro"
    await theirs.close()
    with pytest.raises(trio.EndOfChannel):
        await ours.receive()
