"""The receive pipeline of audio."""

import pytest

from tests.strategies.rtp_payloads import make_depacketizer
from trio_rtc.protocols.rtp import Codec, EncodedFrame, RtpOptions, RtpPacket
from trio_rtc.protocols.rtp.packet.extensions import HeaderValues
from trio_rtc.protocols.rtp.packet.packet import MediaPacket
from trio_rtc.protocols.rtp.receive.audio.pipeline import AudioReceivePipeline

CLOCK, STEP = 48_000, 0.02
DURATION = round(CLOCK * STEP)
# Pauses in which the sender's clock stands still; Chromium plays 99 of each hundred frames.
PAUSES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)


@pytest.mark.parametrize("pause", PAUSES)
def test_stereo_and_long_frames_through_the_path(pause: float) -> None:
    """Opus in stereo, of 60 ms a packet, as packets."""
    codec = Codec(111, "opus", CLOCK, 2, parameters={"stereo": "1"})
    pipeline = AudioReceivePipeline(codec, make_depacketizer("opus"), RtpOptions(), ssrc=7, rid=None)
    played_frames, now, timestamp = 0, 1.0, 0
    for index in range(32):
        if index and index % 8 == 0:
            end = now + pause
            while pipeline.next_timer() < end:
                played_frames += sum(
                    isinstance(each, EncodedFrame) for each in pipeline.frames(pipeline.next_timer())
                )
            now = end
        # TOC: CELT of 20 ms, stereo, code 3; three frames of the same size.
        packet = RtpPacket(111, index, timestamp, 7, bytes([0xFF, 0x03]) + bytes(90))
        pipeline.insert(MediaPacket(index, timestamp, packet, now, False), HeaderValues())
        end = now + 0.06
        while pipeline.next_timer() < end:
            played_frames += sum(
                isinstance(each, EncodedFrame) for each in pipeline.frames(pipeline.next_timer())
            )
        now, timestamp = end, timestamp + 3 * DURATION
    while pipeline.next_timer() < now + 1:
        played_frames += sum(
            isinstance(each, EncodedFrame) for each in pipeline.frames(pipeline.next_timer())
        )
    assert played_frames == 32
