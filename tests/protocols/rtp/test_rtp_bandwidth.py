"""The bandwidth of a session: its allocation to the layers of a simulcast, and a scarce one."""

import math

import attrs
import pytest

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, PacketKind
from trio_rtc.protocols.rtp import Codec, Encoding, SendParameters
from trio_rtc.protocols.rtp.bandwidth import Bandwidth

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


FULL, HALF, QUARTER = 1, 2, 4


def without_headers(bitrate: float) -> float:
    """Return the media in a bitrate on the path: 64 bytes of headers for 1130 of media, half a packet per frame."""
    return (bitrate - 30 / 2 * 8 * 64) / (1 + 64 / 1130)


def simulcast(*encodings: Encoding) -> SendParameters:
    return SendParameters("0", "video", (Codec(96, "VP8", 90_000),), encodings)


def bitrates(start_bitrate: float, *encodings: Encoding) -> dict[int, float]:
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=start_bitrate))
    bandwidth.configure([simulcast(*encodings)], transport_wide=True, now=0.0)
    changes = bandwidth.take_changes()
    assert changes is not None
    return dict(changes)


def layers(*sizes: int, max_bitrate: int | None = None) -> list[Encoding]:
    return [Encoding(ssrc=size, rid=str(size), scale_down_by=size, max_bitrate=max_bitrate) for size in sizes]


@pytest.mark.parametrize("order", [(FULL, HALF, QUARTER), (QUARTER, HALF, FULL)])
def test_the_smallest_layer_is_first_in_any_order_of_encodings(order: tuple[int, ...]) -> None:
    scarce = bitrates(100_000, *layers(*order))
    assert scarce[QUARTER] > 0
    assert scarce[HALF] == scarce[FULL] == 0
    plenty = bitrates(1_600_000, *layers(*order))
    assert 0 < plenty[QUARTER] < plenty[HALF] < plenty[FULL]


def test_the_maximum_bitrate_of_a_layer_is_its_limit() -> None:
    bitrates_set = bitrates(1_100_000, *layers(QUARTER, HALF, FULL, max_bitrate=300_000))
    assert bitrates_set == {QUARTER: 300_000, HALF: 300_000, FULL: pytest.approx(300_000)}


def test_a_single_stream_uses_all_at_any_resolution() -> None:
    assert bitrates(1_000_000, *layers(QUARTER))[QUARTER] == pytest.approx(without_headers(1_000_000))


def test_the_limit_of_one_section_does_not_affect_others() -> None:
    """RFC 8866 section 5.8: ``b=`` of a media section limits that section."""
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=1_000_000))
    limited = attrs.evolve(simulcast(Encoding(ssrc=1)), mid="limited", max_bitrate=50_000)
    bandwidth.configure([limited, simulcast(Encoding(ssrc=2))], transport_wide=True, now=0.0)
    changes = bandwidth.take_changes()
    assert changes is not None
    assert changes[1] == pytest.approx(50_000)
    of_packets_with_one_frame = 50_000 + 30 * 8 * 64
    assert changes[2] == pytest.approx(without_headers(1_000_000 - of_packets_with_one_frame))


def test_the_layers_of_a_limited_section_share_its_limit() -> None:
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=1_000_000))
    limited = attrs.evolve(simulcast(*layers(QUARTER, HALF, FULL)), max_bitrate=200_000)
    bandwidth.configure([limited], transport_wide=True, now=0.0)
    assert bandwidth.available <= 200_000 * (1 + 64 / 1130) + 3 * 30 * 8 * 64
    changes = bandwidth.take_changes()
    assert changes is not None
    assert 0 < sum(changes.values()) <= 200_001


@pytest.mark.parametrize(("available", "limited"), [(10_000_000, frozenset()), (1_200_000, frozenset({1}))])
def test_error_correction_is_no_lack_of_bandwidth(available: float, limited: frozenset[int]) -> None:
    """webrtc-stats, ``qualityLimitationReason``: data may use the bandwidth beyond the media."""
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=available))
    bandwidth.configure([simulcast(Encoding(ssrc=1, max_bitrate=1_500_000))], transport_wide=True, now=0.0)
    bandwidth.set_overhead(1, 0.5)
    changes = bandwidth.take_changes()
    assert changes is not None
    assert changes[1] == pytest.approx(min(without_headers(available), 1_500_000) / 1.5)
    assert bandwidth.limited == limited
    assert (bandwidth.left_for_data == math.inf) == (not limited)
