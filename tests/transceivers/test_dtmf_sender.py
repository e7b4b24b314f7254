"""RTCDTMFSender: W3C's algorithm and RFC 4733 packets."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.media import connect_track, media_peers, only, send_frames
from tests.strategies.peers import Peers, negotiate
from trio_rtc import (
    InvalidCharacterError,
    InvalidStateError,
    RTCDTMFSender,
    RTCDTMFToneChangeEvent,
    RTCRtpReceiver,
    RtpPacket,
    open_media_track,
)
from trio_rtc.protocols.rtp.payload import TelephoneEvent


@attrs.define
class Call:
    """Two peers, one of which sends audio and may send tones."""

    peers: Peers
    tones: RTCDTMFSender
    receiver: RTCRtpReceiver
    recorded_tones: list[tuple[float, str, str]] = attrs.field(factory=list)

    def listen(self) -> None:
        """Record each tone with its time and the tones that remain."""
        start = trio.current_time()

        def record_tone(event: RTCDTMFToneChangeEvent) -> None:
            assert event.target is self.tones
            self.recorded_tones.append(
                (round(trio.current_time() - start, 3), event.tone, self.tones.tone_buffer)
            )

        self.tones.on_tone_change = record_tone


@asynccontextmanager
async def call(*, audio: bool = True) -> AsyncIterator[Call]:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        if audio:
            nursery.start_soon(send_frames, source, "audio")
        assert sender.dtmf is not None
        call = Call(peers, sender.dtmf, event.receiver)
        call.listen()
        yield call
        nursery.cancel_scope.cancel()


async def record(receiver: RTCRtpReceiver, seconds: float) -> list[tuple[float, RtpPacket]]:
    """Return the received packets with their times."""
    packets = []
    async with receiver.rtp_packets() as channel:
        with trio.move_on_after(seconds):
            while True:
                packet = await channel.receive()
                packets.append((trio.current_time(), packet))
    return packets


async def insert_later(tones: RTCDTMFSender, wanted: str) -> None:
    await trio.sleep(0.1)
    tones.insert_dtmf(wanted)


def payload_types(call: Call) -> tuple[int, int]:
    """Return the payload types of audio and of its telephone events."""
    codecs = only(call.peers.alice.get_transceivers()).sender.get_parameters().codecs
    (opus,) = (codec for codec in codecs if codec.name == "opus")
    (events,) = (c for c in codecs if c.name == "telephone-event" and c.clock_rate == opus.clock_rate)
    return opus.payload_type, events.payload_type


async def test_tones_are_reported_sequentially(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:
        one.tones.insert_dtmf("1,a#", 100, 70)
        assert one.tones.tone_buffer == "1,A#"
        assert one.recorded_tones == []
        await trio.sleep(4)
        assert one.recorded_tones == [
            (0.0, "1", ",A#"),
            (0.17, ",", "A#"),
            (2.17, "A", "#"),
            (2.34, "#", ""),
            (2.51, "", ""),
        ]


async def test_a_tone_on_the_wire(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:
        opus, events = payload_types(one)
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(insert_later, one.tones, "5")
            packets = await record(one.receiver, 0.5)

    tone = [packet for _, packet in packets if packet.payload_type == events]
    tone_events = [TelephoneEvent.parse(packet.payload) for packet in tone]
    assert {event.event for event in tone_events} == {5}
    # The duration so far every 20 ms, at 48 units per millisecond; the end three times.
    assert [event.duration for event in tone_events] == [960, 1920, 2880, 3840, 4800, 4800, 4800]
    assert [event.end for event in tone_events] == [False] * 4 + [True] * 3
    assert [packet.marker for packet in tone] == [True] + [False] * 6
    (timestamp,) = {packet.timestamp for packet in tone}
    assert {packet.ssrc for packet in tone} == {packet.ssrc for _, packet in packets}

    # Consecutive sequence numbers, and no audio during the tone.
    numbers = [packet.sequence_number for _, packet in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    audio = [packet.timestamp for _, packet in packets if packet.payload_type == opus]
    gaps = [(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(audio)]
    assert sorted(set(gaps)) == [960, 6 * 960]
    before = audio[gaps.index(6 * 960)]
    assert 0 <= (timestamp - before) & 0xFFFFFFFF <= 960


async def test_a_tone_longer_than_sixteen_bits_has_segments(autojump_clock: trio.testing.MockClock) -> None:
    async with call(audio=False) as one:
        _, events = payload_types(one)
        one.tones.insert_dtmf("9", 3000)
        packets = [packet for _, packet in await record(one.receiver, 4) if packet.payload_type == events]
    tone_events = [(packet.timestamp, TelephoneEvent.parse(packet.payload)) for packet in packets]
    starts = list(dict.fromkeys(timestamp for timestamp, _ in tone_events))
    assert [(start - starts[0]) & 0xFFFFFFFF for start in starts] == [0, 0xFFFF, 2 * 0xFFFF]
    for start in starts[:-1]:
        segment = [event for timestamp, event in tone_events if timestamp == start]
        assert segment[-1].duration == 0xFFFF
        assert not any(event.end for event in segment)
    assert tone_events[-1][1] == TelephoneEvent(9, end=True, duration=3 * 48000 - 2 * 0xFFFF)
    assert [packet.marker for packet in packets].count(True) == 1


@pytest.mark.parametrize(
    ("duration", "gap", "times"),
    [(1, 1, [0.0, 0.07, 0.14]), (9999, 9999, [0.0, 12.0, 24.0]), (40, 30, [0.0, 0.07, 0.14])],
)
async def test_durations_are_clamped(
    duration: float, gap: float, times: list[float], autojump_clock: trio.testing.MockClock
) -> None:
    async with call(audio=False) as one:
        one.tones.insert_dtmf("12", duration, gap)
        await trio.sleep(30)
        assert [at for at, _, _ in one.recorded_tones] == times


async def test_short_tones_are_separated(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:
        _, events = payload_types(one)
        one.tones.insert_dtmf("123", 40, 30)
        packets = [packet for _, packet in await record(one.receiver, 1) if packet.payload_type == events]
    tone_events = [TelephoneEvent.parse(packet.payload) for packet in packets]
    assert [(event.event, event.end) for event in tone_events] == [
        (tone, end) for tone in (1, 2, 3) for end in (False, True, True, True)
    ]


async def test_later_tones_replace_remaining_ones(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with call() as one:
        one.tones.insert_dtmf("123")
        await trio.sleep(0.05)
        one.tones.insert_dtmf("9", 200)
        await trio.sleep(1)
        assert [tone for _, tone, _ in one.recorded_tones] == ["1", "9", ""]


async def test_an_empty_string_stops_the_tones(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:
        one.tones.insert_dtmf("123")
        await trio.sleep(0.05)
        one.tones.insert_dtmf("")
        assert one.tones.tone_buffer == ""
        await trio.sleep(1)
        assert [tone for _, tone, _ in one.recorded_tones] == ["1", ""]
        one.tones.insert_dtmf("")
        await trio.sleep(1)
        assert len(one.recorded_tones) == 2


async def test_a_handler_may_insert_more(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:

        def more(event: RTCDTMFToneChangeEvent) -> None:
            if event.tone == "" and len(one.recorded_tones) < 4:
                one.tones.insert_dtmf("2")

        one.tones.add_event_listener("tone_change", more)
        one.tones.insert_dtmf("1")
        await trio.sleep(2)
        assert [tone for _, tone, _ in one.recorded_tones] == ["1", "", "2", ""]


async def test_invalid_tones_are_rejected(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:
        one.tones.insert_dtmf("1")
        with pytest.raises(InvalidCharacterError, match="EX"):
            one.tones.insert_dtmf("1xe2")
        assert one.tones.tone_buffer == "1"


async def test_tones_need_a_sending_connection(autojump_clock: trio.testing.MockClock) -> None:
    async with media_peers() as peers:
        _, track = open_media_track("audio")
        sender = peers.alice.add_track(track)
        assert sender.dtmf is not None
        assert sender.dtmf is sender.dtmf
        assert not sender.dtmf.can_insert_dtmf
        with pytest.raises(InvalidStateError):
            sender.dtmf.insert_dtmf("1")
        await connect_track(peers.alice, peers.bob)
        assert sender.dtmf.can_insert_dtmf
        their = only(peers.bob.get_transceivers()).sender.dtmf
        assert their is not None
        assert not their.can_insert_dtmf

        parameters = sender.get_parameters()
        parameters.encodings[0].active = False
        await sender.set_parameters(parameters)
        assert not sender.dtmf.can_insert_dtmf
        parameters = sender.get_parameters()
        parameters.encodings[0].active = True
        await sender.set_parameters(parameters)
        assert sender.dtmf.can_insert_dtmf

        only(peers.alice.get_transceivers()).direction = "recvonly"
        await negotiate(peers.alice, peers.bob)
        assert not sender.dtmf.can_insert_dtmf


async def test_tones_need_a_codec_for_them(autojump_clock: trio.testing.MockClock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        capabilities = transceiver.sender.get_capabilities("audio")
        assert capabilities is not None
        opus = [codec for codec in capabilities.codecs if codec.name == "opus"]
        transceiver.set_codec_preferences(opus)
        await connect_track(peers.alice, peers.bob)
        assert transceiver.sender.dtmf is not None
        assert not transceiver.sender.dtmf.can_insert_dtmf


async def test_stopping_the_transceiver_stops_the_tones(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one:
        one.tones.insert_dtmf("123456789")
        await trio.sleep(0.2)
        only(one.peers.alice.get_transceivers()).stop()
        assert not one.tones.can_insert_dtmf
        await trio.sleep(2)
        assert [tone for _, tone, _ in one.recorded_tones] == ["1", "2"]


async def test_no_tones_for_video(autojump_clock: trio.testing.MockClock) -> None:
    async with media_peers() as peers:
        assert peers.alice.add_transceiver("video").sender.dtmf is None


async def test_audio_continues_after_tones(autojump_clock: trio.testing.MockClock) -> None:
    """All sent frames are received: tones do not reset the jitter buffer."""
    async with call() as one:
        indices = []
        with trio.move_on_after(4):
            one.tones.insert_dtmf("1,2")
            while True:
                frame = await one.receiver.track.receive()
                indices.append(int.from_bytes(frame.payload[1:], "big"))
        assert len(indices) > 150
        # Five or six frames are not sent during a tone of 100 ms.
        steps = [b - a for a, b in itertools.pairwise(indices)]
        assert sorted(set(steps)) in ([1, 6], [1, 5, 6], [1, 5])
        assert len(steps) - steps.count(1) <= 2


async def test_the_peer_receives_the_tones(autojump_clock: trio.testing.MockClock) -> None:
    async with call() as one, one.receiver.telephone_events() as events:
        # Tones are received although the audio is not consumed.
        one.tones.insert_dtmf("1#", 100, 70)
        await trio.sleep(1)
        received_tones = [await events.receive() for _ in range(4)]
        assert [(each.tone, each.ended) for each in received_tones] == [
            ("1", False),
            ("1", True),
            ("#", False),
            ("#", True),
        ]
        assert [each.duration for each in received_tones if each.ended] == pytest.approx([0.1, 0.1])
        one.peers.bob.close()
        with pytest.raises(trio.EndOfChannel):
            await events.receive()


async def test_a_tone_ends_when_its_end_is_lost(autojump_clock: trio.testing.MockClock) -> None:
    async with call(audio=False) as one, one.receiver.telephone_events() as events:
        one.tones.insert_dtmf("7", 2000)
        assert not (await events.receive()).ended
        one.peers.network.partition("alice", "bob")
        over = await events.receive()
        assert (over.tone, over.ended) == ("7", True)
        assert over.duration < 0.5
