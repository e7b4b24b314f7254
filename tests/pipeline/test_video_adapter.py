"""What size and rate of pictures a bitrate is good for."""

from itertools import pairwise

import pytest

from trio_rtc._pipeline.video_adapter import Quality, VideoAdapter, default_max_bitrate, preference
from trio_rtc.enums import RTCDegradationPreference

HD = 1280 * 720
BALANCED = RTCDegradationPreference.BALANCED


def test_enough_is_left_alone() -> None:
    scaler = VideoAdapter()
    assert scaler.adapt(2_500_000, HD, BALANCED, 0.0) == Quality()
    assert not scaler.is_limited


def test_too_little_makes_pictures_smaller_and_fewer_at_once() -> None:
    scaler = VideoAdapter()
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
    step = VideoAdapter().adapt(100_000, HD, wanted, 0.0)
    assert (step.scale_down_by > 1, step.max_framerate is not None) == (scales, rates)


def test_better_pictures_come_back_step_by_step_and_not_at_the_first_good_moment() -> None:
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


def test_a_bitrate_that_swings_around_a_step_does_not_swing_the_picture() -> None:
    scaler = VideoAdapter()
    needed = Quality().needs(HD)
    steps = {
        scaler.adapt(needed * factor, HD, BALANCED, number / 10)
        for number, factor in enumerate([0.8, 1.1, 0.75, 1.3, 0.9] * 20)
    }
    assert steps == {Quality()}


def test_another_preference_never_leaves_its_ladder() -> None:
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
def test_the_content_suggests_and_the_application_decides(
    chosen: RTCDegradationPreference | None, hint: str, expected: RTCDegradationPreference
) -> None:
    assert preference(chosen, hint) is expected


# -- by quantizers ---------------------------------------------------------------------------------------------------

PLENTY = 2_500_000
HIGH = {"VP8": 95, "VP9": 205, "H264": 37, "AV1": 205}
LOW = {"VP8": 29, "VP9": 149, "H264": 24, "AV1": 145}
CODECS = pytest.mark.parametrize("codec", sorted(HIGH))


class Encoder:
    """Gives a scaler pictures for some time, 30 a second."""

    def __init__(
        self, codec: str, wanted: RTCDegradationPreference = BALANCED, bitrate: float = PLENTY
    ) -> None:
        self.scaler = VideoAdapter()
        self.now = 0.0
        self._codec = codec
        self._wanted = wanted
        self._bitrate = bitrate

    def run(self, seconds: float, *quantizers: int | None) -> list[Quality]:
        """Return the steps that there were; the quantizers come in turns, -1 for a picture that is dropped."""
        steps = []
        for index in range(round(seconds * 30)):
            self.now += 1 / 30
            steps.append(self.scaler.adapt(self._bitrate, HD, self._wanted, self.now))
            quantizer = quantizers[index % len(quantizers)]
            self.scaler.record(self._codec, [] if quantizer == -1 else [quantizer], self.now)
        return list(dict.fromkeys(steps))


@CODECS
def test_coarse_pictures_become_smaller_although_there_are_many_bits(codec: str) -> None:
    encoder = Encoder(codec, RTCDegradationPreference.MAINTAIN_FRAMERATE)
    scales = [step.scale_down_by for step in encoder.run(7, HIGH[codec] + 1)]
    # A step takes two seconds each.
    assert scales == [1, 1.5, 2, 3]
    assert encoder.scaler.is_limited


@CODECS
def test_between_the_thresholds_nothing_changes(codec: str) -> None:
    encoder = Encoder(codec)
    encoder.run(2.5, HIGH[codec] + 1)
    assert encoder.run(30, HIGH[codec], LOW[codec]) == [Quality(1.5)]


@CODECS
def test_fine_pictures_become_larger_step_by_step(codec: str) -> None:
    encoder = Encoder(codec)
    encoder.run(5, HIGH[codec] + 1)
    steps = encoder.run(20, LOW[codec] - 1)
    assert [steps[0], steps[-1]] == [Quality(1.5, 20.0), Quality()]
    assert len(steps) == 3


def test_the_mean_decides_and_not_a_single_picture() -> None:
    encoder = Encoder("VP8")
    assert encoder.run(20, 127, 60, 60) == [Quality()]


def test_an_encoder_that_drops_most_pictures_gets_smaller_ones() -> None:
    encoder = Encoder("VP8")
    assert encoder.run(2.5, 60, -1, -1)[-1] == Quality(1.5)
    assert Encoder("VP8").run(20, 60, -1) == [Quality()]


def test_an_encoder_that_drops_all_pictures_gets_smaller_ones() -> None:
    encoder = Encoder("VP8")
    encoder.run(0.1, 60)
    assert encoder.run(2.5, -1)[-1] == Quality(1.5)


def test_few_bits_are_enough_for_pictures_that_are_fine() -> None:
    """A slide that stands still, for example."""
    fine = Encoder("VP8", bitrate=460_000)
    # The first picture has no quantizer yet.
    fine.run(0.1, 10)
    assert fine.run(20, 10)[-1] == Quality()
    unknown = Encoder("VP8", bitrate=460_000)
    assert unknown.run(20, None)[-1] != Quality()


def test_without_quantizers_the_bitrate_decides() -> None:
    encoder = Encoder("VP8")
    assert encoder.run(20, None) == [Quality()]
    assert Encoder("H265").run(20, 51) == [Quality()]


def test_another_codec_is_judged_by_its_own_scale() -> None:
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
def test_small_pictures_are_not_worth_many_bits(width: int, height: int, most: float) -> None:
    assert default_max_bitrate(width * height) == most
