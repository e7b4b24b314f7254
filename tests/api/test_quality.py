"""What size and rate of pictures a bitrate is good for."""

from itertools import pairwise

import pytest

from trio_rtc.enums import RTCDegradationPreference
from trio_rtc.quality import Quality, QualityScaler, preference

HD = 1280 * 720
BALANCED = RTCDegradationPreference.BALANCED


def test_enough_is_left_alone() -> None:
    scaler = QualityScaler()
    assert scaler.adapt(2_500_000, HD, BALANCED, 0.0) == Quality()
    assert not scaler.is_limited


def test_too_little_makes_pictures_smaller_and_fewer_at_once() -> None:
    scaler = QualityScaler()
    step = scaler.adapt(150_000, HD, BALANCED, 0.0)
    assert step.scale_down_by >= 2
    assert step.max_framerate is not None
    assert scaler.is_limited
    assert step.needs(HD) < 150_000 / 0.7 or step.scale_down_by == 4


@pytest.mark.parametrize(
    ("wanted", "scales", "rates"),
    [
        (RTCDegradationPreference.MAINTAIN_FRAMERATE, True, False),
        (RTCDegradationPreference.MAINTAIN_RESOLUTION, False, True),
        (RTCDegradationPreference.MAINTAIN_FRAMERATE_AND_RESOLUTION, False, False),
        (RTCDegradationPreference.BALANCED, True, True),
    ],
)
def test_what_suffers_is_what_was_chosen(wanted: RTCDegradationPreference, scales: bool, rates: bool) -> None:
    step = QualityScaler().adapt(100_000, HD, wanted, 0.0)
    assert (step.scale_down_by > 1, step.max_framerate is not None) == (scales, rates)


def test_better_pictures_come_back_step_by_step_and_not_at_the_first_good_moment() -> None:
    scaler = QualityScaler()
    scaler.adapt(100_000, HD, BALANCED, 0.0)
    changes = []
    last = None
    for tick in range(300):
        now = tick / 10
        step = scaler.adapt(2_500_000, HD, BALANCED, now)
        if step != last:
            changes.append(now)
            last = step
    assert last == Quality()
    assert all(later - earlier >= 2 for earlier, later in pairwise(changes))


def test_a_bitrate_that_swings_around_a_step_does_not_swing_the_picture() -> None:
    scaler = QualityScaler()
    needed = Quality().needs(HD)
    steps = {
        scaler.adapt(needed * factor, HD, BALANCED, number / 10)
        for number, factor in enumerate([0.8, 1.1, 0.75, 1.3, 0.9] * 20)
    }
    assert steps == {Quality()}


def test_another_preference_never_leaves_its_ladder() -> None:
    scaler = QualityScaler()
    scaler.adapt(10_000, HD, BALANCED, 0.0)
    only = RTCDegradationPreference.MAINTAIN_FRAMERATE_AND_RESOLUTION
    assert scaler.adapt(10_000, HD, only, 0.1) == Quality()


@pytest.mark.parametrize(
    ("chosen", "hint", "expected"),
    [
        (None, "", RTCDegradationPreference.BALANCED),
        (None, "motion", RTCDegradationPreference.MAINTAIN_FRAMERATE),
        (None, "text", RTCDegradationPreference.MAINTAIN_RESOLUTION),
        (RTCDegradationPreference.MAINTAIN_FRAMERATE, "text", RTCDegradationPreference.MAINTAIN_FRAMERATE),
    ],
)
def test_the_content_suggests_and_the_application_decides(
    chosen: RTCDegradationPreference | None, hint: str, expected: RTCDegradationPreference
) -> None:
    assert preference(chosen, hint) is expected
