import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.bandwidth_estimation import PRIORITY_WEIGHTS, Encoding, allocate


def test_nothing_to_allocate() -> None:
    assert allocate(1e6, []) == []
    assert allocate(0.0, [Encoding(1.0, 2.0)]) == [0.0]


def test_minima_first_then_by_weight() -> None:
    audio = Encoding(6_000, 48_000, PRIORITY_WEIGHTS["high"])
    video = Encoding(50_000, 2_500_000, PRIORITY_WEIGHTS["low"])
    assert allocate(5e6, [audio, video]) == [48_000, 2_500_000]
    assert allocate(66_000, [audio, video]) == pytest.approx([14_000, 52_000])
    assert allocate(50_000, [video, audio]) == pytest.approx([0, 48_000])


def test_weights_divide_the_rest() -> None:
    encodings = [Encoding(0, 1e7, weight) for weight in PRIORITY_WEIGHTS.values()]
    assert allocate(7.5e6, encodings) == pytest.approx([0.5e6, 1e6, 2e6, 4e6])


def test_unusable_bitrate_goes_to_the_others() -> None:
    assert allocate(3e6, [Encoding(0, 5e5), Encoding(0, 1e7)]) == pytest.approx([5e5, 2.5e6])


LAYERS = [
    Encoding(30_000, 200_000, stream=1),
    Encoding(150_000, 700_000, stream=1),
    Encoding(600_000, 2_500_000, stream=1),
]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (20_000, [0, 0, 0]),
        (100_000, [100_000, 0, 0]),
        (300_000, [200_000, 0, 0]),
        (400_000, [200_000, 200_000, 0]),
        (1_400_000, [200_000, 700_000, 0]),
        (1_600_000, [200_000, 700_000, 700_000]),
        (9_000_000, [200_000, 700_000, 2_500_000]),
    ],
)
def test_lower_layers_first(target: float, expected: list[float]) -> None:
    assert allocate(target, LAYERS) == pytest.approx(expected)


def test_an_inactive_layer_gets_nothing() -> None:
    layers = [LAYERS[0], Encoding(150_000, 700_000, stream=1, active=False), LAYERS[2]]
    assert allocate(9e6, layers) == pytest.approx([200_000, 0, 2_500_000])


def test_bitrate_unusable_by_simulcast_goes_to_another_stream() -> None:
    assert allocate(600_000, [*LAYERS, Encoding(0, 1e6)]) == pytest.approx([200_000, 0, 0, 400_000], abs=2)


@pytest.mark.parametrize(
    "arguments", [(2.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 0.0), (0.0, 1.0, float("nan"))]
)
def test_invalid_encodings_are_refused(arguments: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"bitrates must be in order|weight"):
        Encoding(*arguments)


@st.composite
def _encodings(draw: st.DrawFn) -> Encoding:
    low, high = sorted(draw(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7))))
    weight = draw(st.sampled_from(sorted(PRIORITY_WEIGHTS.values())))
    return Encoding(low, high, weight, draw(st.none() | st.integers(0, 3)), draw(st.booleans()))


@given(st.floats(0, 5e7), st.lists(_encodings(), max_size=10))
def test_never_more_than_there_is_and_each_within_its_bounds(
    target: float, encodings: list[Encoding]
) -> None:
    bitrates = allocate(target, encodings)
    assert len(bitrates) == len(encodings)
    assert sum(bitrates) <= target + 1
    for bitrate, encoding in zip(bitrates, encodings, strict=True):
        if not encoding.active:
            assert bitrate == 0
        elif bitrate:
            assert encoding.min_bitrate - 1 <= bitrate <= encoding.max_bitrate + 1
