"""Packets and encoded frames of a receiver."""

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import connect, two_peers
from trio_rtc import EncodedFrame, RTCPeerConnection, open_media_track

AUDIO = EncodedFrame(b"\xf8\xff\xfe", 0, 48_000, "opus", audio_level=30)


async def test_channels_end_with_the_receiver(autojump_clock: trio.testing.MockClock) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        receiver = transceiver.receiver
        async with receiver.rtp_packets() as packets, receiver.encoded_frames() as frames:
            transceiver.stop()
            await connect(peers.alice, peers.bob)
            await ended(packets)
            await ended(frames)


async def test_channels_of_an_ended_receiver_end_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with RTCPeerConnection() as pc:
        receiver = pc.add_transceiver("audio").receiver
    async with receiver.rtp_packets() as packets, receiver.encoded_frames() as frames:
        await ended(packets)
        await ended(frames)


async def ended(channel: trio.abc.ReceiveChannel[object]) -> None:
    with trio.fail_after(1), pytest.raises(trio.EndOfChannel):
        await channel.receive()


async def test_packets_can_be_forwarded_to_another_peer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Forwarded packets have the sender's SSRC, continuous sequence numbers and an audio level."""
    async with two_peers(seed=1) as peers, two_peers(seed=2) as others:
        frames, track = open_media_track("audio")
        peers.alice.add_track(track)
        sender = others.alice.add_transceiver("audio", direction="sendonly").sender
        async with peers.bob.subscribe("track") as tracks, others.bob.subscribe("track") as other_tracks:
            await connect(peers.alice, peers.bob)
            await connect(others.alice, others.bob)
            receiver = (await tracks.receive()).receiver
            other_receiver = (await other_tracks.receive()).receiver
        async with (
            receiver.rtp_packets() as packets,
            other_receiver.rtp_packets() as forwarded,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(send_audio, frames)
            for _ in range(20):
                await sender.send_rtp(await packets.receive())
            got = [await forwarded.receive() for _ in range(10)]
            nursery.cancel_scope.cancel()
    assert len({packet.ssrc for packet in got}) == 1
    numbers = [packet.sequence_number for packet in got]
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    assert {packet.payload for packet in got} == {AUDIO.payload}
    assert {packet.header_values().audio_level for packet in got} == {30}


async def send_audio(frames: trio.abc.SendChannel[EncodedFrame]) -> None:
    number = 0
    while True:
        await frames.send(attrs.evolve(AUDIO, timestamp=number * 960))
        await trio.sleep(0.02)
        number += 1
