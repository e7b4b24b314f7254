"""The constructor of RTCDataChannelEvent (W3C webrtc section 6.4)."""

import pytest

from trio_rtc import RTCDataChannelEvent, RTCPeerConnection


def test_the_channel_is_required() -> None:
    with pytest.raises(TypeError):
        RTCDataChannelEvent("data_channel", None)  # type: ignore[call-arg]


@pytest.mark.parametrize("wrong", [None, "channel", 5])
def test_the_channel_must_be_one(wrong: object) -> None:
    with pytest.raises(TypeError, match="channel"):
        RTCDataChannelEvent("data_channel", None, wrong)  # type: ignore[arg-type]


def test_its_members() -> None:
    pc = RTCPeerConnection()
    channel = pc.create_data_channel("chat")
    event = RTCDataChannelEvent("data_channel", pc, channel)
    assert (event.type, event.target) == ("data_channel", pc)
    assert event.channel is channel
