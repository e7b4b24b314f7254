"""``RTCTrackEvent`` made by an application (W3C webrtc section 5.7)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from trio_rtc import MediaStream, RTCPeerConnection, RTCTrackEvent


async def test_its_members() -> None:
    pc = RTCPeerConnection()
    transceiver = pc.add_transceiver("audio")
    receiver, stream = transceiver.receiver, MediaStream([transceiver.receiver.track])
    event = RTCTrackEvent("track", pc, receiver, receiver.track, (stream,), transceiver)
    assert (event.type, event.target) == ("track", pc)
    assert event.receiver is receiver
    assert event.track is receiver.track
    assert event.streams == (stream,)
    assert event.transceiver is transceiver
    with pytest.raises(AttributeError):
        event.track = receiver.track  # type: ignore[misc]


async def test_members_need_not_belong_together() -> None:
    pc = RTCPeerConnection()
    one, two = pc.add_transceiver("audio"), pc.add_transceiver("audio")
    event = RTCTrackEvent("track", pc, one.receiver, local_track(), (), two)
    assert event.receiver is not event.transceiver.receiver
    assert event.streams == ()


@pytest.mark.parametrize("missing", ["receiver", "track", "streams", "transceiver"])
async def test_every_member_is_required(missing: str) -> None:
    pc = RTCPeerConnection()
    transceiver = pc.add_transceiver("audio")
    members = {
        "receiver": transceiver.receiver,
        "track": transceiver.receiver.track,
        "streams": (),
        "transceiver": transceiver,
    }
    del members[missing]
    with pytest.raises(TypeError):
        RTCTrackEvent("track", pc, **members)  # type: ignore[arg-type]
