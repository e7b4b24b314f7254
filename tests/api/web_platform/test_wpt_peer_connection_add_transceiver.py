"""``add_transceiver`` (W3C webrtc section 5.1)."""

from typing import Any

import pytest

from tests.api.web_platform.negotiation import local_track, section
from tests.strategies.peers import description_of, two_peers
from trio_rtc import (
    InvalidStateError,
    MediaStream,
    RTCRtpEncodingParameters,
    RTCRtpReceiver,
    RTCRtpSender,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("with_track", [False, True])
async def test_a_new_transceiver(kind: str, with_track: bool) -> None:
    async with two_peers() as peers:
        track = local_track(kind) if with_track else None
        transceiver = peers.alice.add_transceiver(track or kind)
        assert (transceiver.mid, transceiver.stopped, transceiver.current_direction) == (None, False, None)
        assert transceiver.direction == "sendrecv"
        assert isinstance(transceiver.sender, RTCRtpSender)
        assert isinstance(transceiver.receiver, RTCRtpReceiver)
        assert transceiver.sender.track is track
        received = transceiver.receiver.track
        assert (received.kind, received.ready_state, received.muted) == (kind, "live", True)
        assert received.label == f"remote {kind}"
        assert peers.alice.get_transceivers() == [transceiver]
        assert peers.alice.get_senders() == [transceiver.sender]
        assert peers.alice.get_receivers() == [transceiver.receiver]


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
async def test_its_direction(direction: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction=direction)
        assert transceiver.direction == direction
        await peers.alice.set_local_description()
        assert f"a={direction}\r\n" in section(peers.alice.local_description, 0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("invalid", {}),
        ("", {}),
        ("audio", {"direction": "invalid"}),
        ("audio", {"direction": "stopped"}),
        ("audio", {"send_encodings": [RTCRtpEncodingParameters("@Invalid!")]}),
        ("audio", {"send_encodings": [RTCRtpEncodingParameters("a" * 17)]}),
        ("video", {"send_encodings": [RTCRtpEncodingParameters("")]}),
        ("video", {"send_encodings": [RTCRtpEncodingParameters("a"), RTCRtpEncodingParameters("a")]}),
    ],
)
async def test_arguments_that_are_type_errors(kind: str, options: dict[str, Any]) -> None:
    async with two_peers() as peers:
        with pytest.raises(TypeError):
            peers.alice.add_transceiver(kind, **options)
        assert peers.alice.get_transceivers() == []


async def test_encodings_are_those_of_the_sender() -> None:
    async with two_peers() as peers:
        encodings = [
            RTCRtpEncodingParameters("foo", active=False, max_bitrate=8, max_framerate=25),
            RTCRtpEncodingParameters("bar", scale_resolution_down_by=2),
        ]
        sender = peers.alice.add_transceiver("video", send_encodings=encodings).sender
        set_ones = sender.get_parameters().encodings
        assert [(each.rid, each.active) for each in set_ones] == [("foo", False), ("bar", True)]
        assert (set_ones[0].max_bitrate, set_ones[0].max_framerate) == (8, 25)
        assert set_ones[1].scale_resolution_down_by == 2


async def test_a_track_can_have_many_transceivers() -> None:
    async with two_peers() as peers:
        track = local_track()
        one, two = peers.alice.add_transceiver(track), peers.alice.add_transceiver(track)
        assert one is not two
        assert one.sender.track is two.sender.track is track
        assert peers.alice.get_senders() == [one.sender, two.sender]


async def test_its_streams_are_signaled() -> None:
    async with two_peers() as peers:
        streams = [MediaStream(), MediaStream()]
        peers.alice.add_transceiver(local_track(), streams=streams)
        await peers.alice.set_local_description()
        offered = section(description_of(peers.alice), 0)
        assert [f"a=msid:{stream.id}" in offered for stream in streams] == [True, True]


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            peers.alice.add_transceiver("audio")
        # An invalid kind is an error before the state is checked (W3C webrtc section 5.1, step 3).
        with pytest.raises((TypeError, InvalidStateError)):
            peers.alice.add_transceiver("invalid")
