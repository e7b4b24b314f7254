"""Payload formats with one frame in a payload."""

import pytest

from tests.strategies.rtp_payloads import make_depacketizer, make_frame, make_packetizer
from trio_rtc.errors import ProtocolError

AUDIO_CODECS = ("opus", "PCMU", "PCMA", "G722", "CN", "telephone-event")


@pytest.mark.parametrize("codec", AUDIO_CODECS)
def test_payload_is_one_frame(codec: str) -> None:
    payload = bytes.fromhex("050a0140")
    assert make_packetizer(codec).packetize(make_frame(payload, codec), 4) == [payload]
    depacketizer = make_depacketizer(codec)
    assert depacketizer.starts_frame(payload)
    assert depacketizer.is_keyframe_start(payload)
    frame = depacketizer.assemble([payload])
    assert (frame.payload, frame.keyframe) == (payload, True)


@pytest.mark.parametrize("codec", AUDIO_CODECS)
@pytest.mark.parametrize("payloads", [[], [b""], [b"\x05\x0a\x01\x40"] * 2])
def test_malformed_frames(codec: str, payloads: list[bytes]) -> None:
    depacketizer = make_depacketizer(codec)
    with pytest.raises(ProtocolError):
        depacketizer.assemble(payloads)
    assert not depacketizer.starts_frame(b"")
    assert not depacketizer.is_keyframe_start(b"")


@pytest.mark.parametrize("codec", AUDIO_CODECS)
def test_audio_frames_are_not_split(codec: str) -> None:
    with pytest.raises(ValueError, match=r"must have"):
        make_packetizer(codec).packetize(make_frame(bytes(8), codec), 7)
