"""The allocation of the bandwidth to the layers of a simulcast."""

import math

import attrs
import pytest

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp import Codec, Encoding, SendParameters
from trio_rtc.protocols.rtp.bandwidth import Bandwidth

FULL, HALF, QUARTER = 1, 2, 4


def without_headers(bitrate: float) -> float:
    """Return the media in a bitrate on the path: 64 bytes of headers for 1130 of media, half a packet per frame."""
    return (bitrate - 30 / 2 * 8 * 64) / (1 + 64 / 1130)


def section(*encodings: Encoding) -> SendParameters:
    return SendParameters("0", "video", (Codec(96, "VP8", 90_000),), encodings)


def bitrates(start_bitrate: float, *encodings: Encoding) -> dict[int, float]:
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=start_bitrate))
    bandwidth.configure([section(*encodings)], transport_wide=True, now=0.0)
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
    limited = attrs.evolve(section(Encoding(ssrc=1)), mid="limited", max_bitrate=50_000)
    bandwidth.configure([limited, section(Encoding(ssrc=2))], transport_wide=True, now=0.0)
    changes = bandwidth.take_changes()
    assert changes is not None
    assert changes[1] == pytest.approx(50_000)
    of_packets_with_one_frame = 50_000 + 30 * 8 * 64
    assert changes[2] == pytest.approx(without_headers(1_000_000 - of_packets_with_one_frame))


def test_the_layers_of_a_limited_section_share_its_limit() -> None:
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=1_000_000))
    limited = attrs.evolve(section(*layers(QUARTER, HALF, FULL)), max_bitrate=200_000)
    bandwidth.configure([limited], transport_wide=True, now=0.0)
    assert bandwidth.available <= 200_000 * (1 + 64 / 1130) + 3 * 30 * 8 * 64
    changes = bandwidth.take_changes()
    assert changes is not None
    assert 0 < sum(changes.values()) <= 200_001


@pytest.mark.parametrize(("available", "limited"), [(10_000_000, frozenset()), (1_200_000, frozenset({1}))])
def test_error_correction_is_no_lack_of_bandwidth(available: float, limited: frozenset[int]) -> None:
    """webrtc-stats, ``qualityLimitationReason``: data may use the bandwidth beyond the media."""
    bandwidth = Bandwidth(BandwidthEstimationOptions(start_bitrate=available))
    bandwidth.configure([section(Encoding(ssrc=1, max_bitrate=1_500_000))], transport_wide=True, now=0.0)
    bandwidth.set_overhead(1, 0.5)
    changes = bandwidth.take_changes()
    assert changes is not None
    assert changes[1] == pytest.approx(min(without_headers(available), 1_500_000) / 1.5)
    assert bandwidth.limited == limited
    assert (bandwidth.left_for_data == math.inf) == (not limited)
