"""The loss-based estimate."""

import random
from collections.abc import Callable

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    LossState,
    ReceivedPacket,
    SentPacket,
)
from trio_rtc.protocols.bandwidth_estimation.loss_based import LossBasedEstimator

OPTIONS = BandwidthEstimationOptions()


def send(
    control: LossBasedEstimator,
    seconds: float,
    loss: Callable[[float], float],
    delay_based: float,
    begin: float = 0.0,
    seed: int = 1,
) -> float:
    """Send at what the control allows; lose ``loss(sending rate)`` of it. Return the mean rate of the last half."""
    rng = random.Random(seed)
    now, number, rate = begin, 0, min(control.bitrate, delay_based)
    rates: list[float] = []
    while now < begin + seconds:
        received: list[ReceivedPacket] = []
        lost: list[SentPacket] = []
        until = now + 0.1
        while now < until:
            if rng.random() < loss(rate):
                lost.append(SentPacket(number, now, 1200, None))
            else:
                received.append(ReceivedPacket(number, now, now, 1200, None))
            now += 9600 / rate
            number += 1
        acknowledged = rate * len(received) / (len(received) + len(lost))
        rate = control.update(received, lost, delay_based, acknowledged)
        rates.append(rate)
    half = rates[len(rates) // 2 :]
    return sum(half) / len(half)


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.05, 0.1])
def test_loss_independent_of_the_rate_is_inherent(fraction: float) -> None:
    control = LossBasedEstimator(OPTIONS)
    assert send(control, 20.0, lambda rate: fraction, 2e6) >= 0.9 * 2e6
    assert control.loss == pytest.approx(fraction, abs=0.04)


@pytest.mark.parametrize("capacity", [500_000.0, 1_000_000.0])
def test_loss_of_a_full_link_limits(capacity: float) -> None:
    control = LossBasedEstimator(OPTIONS)
    mean = send(control, 20.0, lambda rate: max(0.0, 1 - capacity / rate), 3e6)
    assert 0.8 * capacity <= mean <= 1.35 * capacity
    assert control.state is not LossState.UNLIMITED


def test_much_random_loss_leaves_something() -> None:
    control = LossBasedEstimator(OPTIONS)
    assert send(control, 20.0, lambda rate: 0.25, 3e6) >= 300_000


def test_the_limit_ends_with_the_loss() -> None:
    control = LossBasedEstimator(OPTIONS)
    send(control, 10.0, lambda rate: max(0.0, 1 - 500_000 / rate), 2e6)
    limited = control.bitrate
    assert limited < 1e6
    send(control, 10.0, lambda rate: 0.0, 2e6, begin=10.0)
    assert control.state is LossState.UNLIMITED
    assert control.bitrate == float("inf")


def test_a_probe_lifts_the_limit() -> None:
    control = LossBasedEstimator(OPTIONS)
    send(control, 10.0, lambda rate: max(0.0, 1 - 500_000 / rate), 2e6)
    control.raise_to(1.5e6)
    assert control.bitrate >= 1.5e6
