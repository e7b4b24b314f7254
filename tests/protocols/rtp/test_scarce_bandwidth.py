"""Sending with very little bandwidth: never nothing, or an increase would not be detected."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp import Codec, Encoding, SendParameters
from trio_rtc.protocols.rtp.bandwidth import Bandwidth, PacketKind

OPUS, VP8 = Codec(111, "opus", 48_000, channels=2), Codec(96, "VP8", 90_000)
LEAST_AUDIO = 6_000
LEAST_VIDEO = 30_000 / 2  # the other half of the share is for headers


def section(kind: str, ssrc: int, *, active: bool = True, priority: str = "low") -> SendParameters:
    encoding = Encoding(ssrc=ssrc, priority=priority)
    return SendParameters(str(ssrc), kind, (OPUS if kind == "audio" else VP8,), (encoding,), active=active)


def scarce(
    *sections: SendParameters, repairs: bool = True, options: BandwidthEstimationOptions | None = None
) -> dict[int, float]:
    """Return the bitrates at the minimum estimate, with or without retransmissions."""
    bandwidth = Bandwidth(options or BandwidthEstimationOptions(min_bitrate=30_000, start_bitrate=30_000))
    if repairs:
        assert bandwidth.enqueue("a packet", 1000, PacketKind.RETRANSMISSION, 1.0)
    bandwidth.configure(sections, transport_wide=True, now=1.0)
    changes = bandwidth.take_changes()
    assert changes is not None
    return dict(changes)


@pytest.mark.parametrize("repairs", [False, True])
def test_retransmissions_leave_the_minimum_for_video(repairs: bool) -> None:
    assert scarce(section("video", 1), repairs=repairs)[1] == LEAST_VIDEO


def test_audio_leaves_the_minimum_for_video() -> None:
    bitrates_set = scarce(section("audio", 1), section("video", 2))
    assert bitrates_set == {1: pytest.approx(LEAST_AUDIO), 2: LEAST_VIDEO}


def test_of_several_videos_the_one_of_highest_priority_is_sent() -> None:
    bitrates_set = scarce(
        section("video", 1), section("video", 2, priority="high"), section("video", 3, priority="medium")
    )
    assert bitrates_set == {1: 0, 2: LEAST_VIDEO, 3: 0}


def test_inactive_streams_need_no_bitrate() -> None:
    bitrates_set = scarce(section("video", 1, active=False), section("audio", 2))
    assert bitrates_set[1] == 0
    assert bitrates_set[2] >= LEAST_AUDIO


def test_an_application_that_allows_very_little_gets_that_little() -> None:
    options = BandwidthEstimationOptions(min_bitrate=5_000, start_bitrate=10_000, max_bitrate=10_000)
    assert scarce(section("video", 1), options=options)[1] == pytest.approx(5_000)


def test_headers_are_counted_with_the_media() -> None:
    """Opus packets of 20 ms: 50 headers of 64 bytes a second are 25.6 kbit/s."""
    options = BandwidthEstimationOptions(start_bitrate=60_000)
    assert scarce(section("audio", 1), repairs=False, options=options)[1] == pytest.approx(34_400)
