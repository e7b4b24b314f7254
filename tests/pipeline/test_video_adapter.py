"""Adaptation of frame size and frame rate to the bitrate."""

from itertools import pairwise

import pytest

from trio_rtc._pipeline.video_adapter import Quality, VideoAdapter, default_max_bitrate, effective_preference
from trio_rtc.enums import RTCDegradationPreference

HD = 1280 * 720
BALANCED = RTCDegradationPreference.BALANCED


def test_a_sufficient_bitrate_changes_nothing() -> None:
    scaler = VideoAdapter()
    assert scaler.adapt(2_500_000, HD, BALANCED, 0.0) == Quality()
    assert not scaler.is_limited


def test_a_low_bitrate_reduces_size_and_rate_at_once() -> None:
    scaler = VideoAdapter()
    step = scaler.adapt(150_000, HD, BALANCED, 0.0)
    assert step.scale_down_by >= 2
    assert step.max_framerate is not None
    assert scaler.is_limited
    assert step.required_bitrate(HD) < 150_000 / 0.7 or step.scale_down_by == 4


@pytest.mark.parametrize(
    ("wanted", "scales", "rates"),
    [
        (RTCDegradationPreference.MAINTAIN_FRAMERATE, True, False),
        (RTCDegradationPreference.MAINTAIN_RESOLUTION, False, True),
        (RTCDegradationPreference.MAINTAIN_FRAMERATE_AND_RESOLUTION, False, False),
        (RTCDegradationPreference.BALANCED, True, True),
    ],
)
def test_the_degradation_preference_is_respected(
    wanted: RTCDegradationPreference, scales: bool, rates: bool
) -> None:
    step = VideoAdapter().adapt(100_000, HD, wanted, 0.0)
    assert (step.scale_down_by > 1, step.max_framerate is not None) == (scales, rates)


def test_recovery_is_gradual_and_delayed() -> None:
    scaler = VideoAdapter()
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


def test_a_bitrate_oscillating_around_a_step_causes_no_oscillation() -> None:
    scaler = VideoAdapter()
    needed = Quality().required_bitrate(HD)
    steps = {
        scaler.adapt(needed * factor, HD, BALANCED, number / 10)
        for number, factor in enumerate([0.8, 1.1, 0.75, 1.3, 0.9] * 20)
    }
    assert steps == {Quality()}


def test_another_preference_stays_on_its_ladder() -> None:
    scaler = VideoAdapter()
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
def test_the_content_hint_is_a_default_for_the_preference(
    chosen: RTCDegradationPreference | None, hint: str, expected: RTCDegradationPreference
) -> None:
    assert effective_preference(chosen, hint) is expected


# -- by quantizers ---------------------------------------------------------------------------------------------------

PLENTY = 2_500_000
HIGH = {"VP8": 95, "VP9": 205, "H264": 37, "AV1": 205}
LOW = {"VP8": 29, "VP9": 149, "H264": 24, "AV1": 145}
CODECS = pytest.mark.parametrize("codec", sorted(HIGH))


class Encoder:
    """Feeds an adapter with frames, 30 per second."""

    def __init__(
        self, codec: str, wanted: RTCDegradationPreference = BALANCED, bitrate: float = PLENTY
    ) -> None:
        self.scaler = VideoAdapter()
        self.now = 0.0
        self._codec = codec
        self._wanted = wanted
        self._bitrate = bitrate

    def run(self, seconds: float, *quantizers: int | None) -> list[Quality]:
        """Return the steps taken; the quantizers are used in turn, -1 for a dropped frame."""
        steps = []
        for index in range(round(seconds * 30)):
            self.now += 1 / 30
            steps.append(self.scaler.adapt(self._bitrate, HD, self._wanted, self.now))
            quantizer = quantizers[index % len(quantizers)]
            self.scaler.record(self._codec, [] if quantizer == -1 else [quantizer], self.now)
        return list(dict.fromkeys(steps))


@CODECS
def test_high_quantizers_scale_down_despite_a_high_bitrate(codec: str) -> None:
    encoder = Encoder(codec, RTCDegradationPreference.MAINTAIN_FRAMERATE)
    scales = [step.scale_down_by for step in encoder.run(7, HIGH[codec] + 1)]
    # A step takes two seconds each.
    assert scales == [1, 1.5, 2, 3]
    assert encoder.scaler.is_limited


@CODECS
def test_no_change_between_the_thresholds(codec: str) -> None:
    encoder = Encoder(codec)
    encoder.run(2.5, HIGH[codec] + 1)
    assert encoder.run(30, HIGH[codec], LOW[codec]) == [Quality(1.5)]


@CODECS
def test_low_quantizers_scale_up_gradually(codec: str) -> None:
    encoder = Encoder(codec)
    encoder.run(5, HIGH[codec] + 1)
    steps = encoder.run(20, LOW[codec] - 1)
    assert [steps[0], steps[-1]] == [Quality(1.5, 20.0), Quality()]
    assert len(steps) == 3


def test_the_mean_quantizer_decides() -> None:
    encoder = Encoder("VP8")
    assert encoder.run(20, 127, 60, 60) == [Quality()]


def test_an_encoder_that_drops_most_frames_is_scaled_down() -> None:
    encoder = Encoder("VP8")
    assert encoder.run(2.5, 60, -1, -1)[-1] == Quality(1.5)
    assert Encoder("VP8").run(20, 60, -1) == [Quality()]


def test_an_encoder_that_drops_all_frames_is_scaled_down() -> None:
    encoder = Encoder("VP8")
    encoder.run(0.1, 60)
    assert encoder.run(2.5, -1)[-1] == Quality(1.5)


def test_low_quantizers_override_a_low_bitrate() -> None:
    """For example a still slide."""
    fine = Encoder("VP8", bitrate=460_000)
    # The first frame has no quantizer yet.
    fine.run(0.1, 10)
    assert fine.run(20, 10)[-1] == Quality()
    unknown = Encoder("VP8", bitrate=460_000)
    assert unknown.run(20, None)[-1] != Quality()


def test_without_quantizers_the_bitrate_decides() -> None:
    encoder = Encoder("VP8")
    assert encoder.run(20, None) == [Quality()]
    assert Encoder("H265").run(20, 51) == [Quality()]


def test_thresholds_depend_on_the_codec() -> None:
    scaler = VideoAdapter()
    for index in range(600):
        now = index / 30
        step = scaler.adapt(PLENTY, HD, BALANCED, now)
        codec, quantizer = ("VP8", 120) if now < 1.9 else ("VP9", 150)
        scaler.record(codec, [quantizer], now)
        assert step == Quality()


@pytest.mark.parametrize(
    ("width", "height", "most"),
    [
        (160, 90, 600_000),
        (320, 240, 600_000),
        (640, 360, 1_700_000),
        (960, 540, 2_000_000),
        (1280, 720, 2_500_000),
        (3840, 2160, 2_500_000),
    ],
)
def test_the_maximum_bitrate_of_small_frames(width: int, height: int, most: float) -> None:
    assert default_max_bitrate(width * height) == most
