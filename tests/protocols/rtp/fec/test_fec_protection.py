"""The protection of streams follows the loss and the round-trip time."""

import random

import pytest

from tests.strategies.rtp_pair import (
    FLEXFEC,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    video_section,
)
from trio_rtc.protocols.rtp import (
    RtpOptions,
    RtpPacket,
)
from trio_rtc.protocols.rtp.fec.protection import LossLevel, LossResponse, VideoProtection, respond_to_loss
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceCounters
from trio_rtc.protocols.rtp.send.sender import RemoteInboundReport


@pytest.mark.parametrize(
    ("loss", "round_trip", "factor", "copies"),
    [
        # Little loss: retransmissions arrive in time.
        (0.005, 0.05, 0.0, 1),
        (0.02, 0.02, 0.0, 1),
        # Two requests fit before the deadline, and hardly both fail if each is answered twice.
        (0.03, 0.02, 0.0, 2),
        (0.1, 0.02, 0.5, 2),
        # One fits: the more is lost, the more FEC packets are needed.
        (0.01, 0.05, 0.05, 2),
        (0.02, 0.05, 0.072, 2),
        (0.05, 0.05, 0.25, 2),
        (0.1, 0.05, 0.5, 2),
        (0.1, 0.12, 0.5, 2),
        # None fits: FEC packets in proportion to the loss.
        (0.005, 0.2, 0.05, 2),
        (0.02, 0.2, 0.1, 2),
        (0.05, 0.3, 0.25, 2),
        (1.0, 0.3, 0.5, 2),
        # The round trip is not known yet.
        (0.1, None, 0.5, 2),
    ],
)
def test_protection_by_loss_and_round_trip(
    loss: float, round_trip: float | None, factor: float, copies: int
) -> None:
    response = respond_to_loss(loss, round_trip, retransmits=True)
    assert response == LossResponse(pytest.approx(factor, abs=0.001), copies)


def test_protection_without_retransmissions_and_without_fec() -> None:
    assert respond_to_loss(0.1, 0.02, retransmits=False) == LossResponse(0.5, 1)
    assert respond_to_loss(0.1, 0.05, retransmits=True, corrects=False) == LossResponse(0.0, 2)
    assert respond_to_loss(0.0, 0.2, retransmits=True) == LossResponse(0.0, 1)


def test_video_is_protected_only_while_there_is_loss() -> None:
    section = video_section(VP8, VP8_RTX, FLEXFEC, fec=True)
    numbers = SequenceCounters(random.Random(1))
    protection = VideoProtection(section, section.encodings[0], VP8, RtpOptions(fec_loss=0.01), numbers)
    factors = []
    for fraction in (0.0, 0.02, 0.02, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0):
        protection.set_loss(fraction, 0.3, retransmits=True)
        factors.append(protection.factor)
    assert factors[0] == factors[-1] == 0
    assert factors[1:3] == pytest.approx([0.05, 0.075])
    assert 0.075 < max(factors) == factors[3] <= 0.5
    packets = [RtpPacket(96, number, 9000, VIDEO_SSRC, bytes(100), marker=True) for number in range(30)]
    assert protection.protect(packets) == []
    protection.set_loss(0.2, 0.3, retransmits=True)
    assert protection.protect(packets)
    # On a short path lost packets are retransmitted in time.
    for _ in range(3):
        protection.set_loss(0.01, 0.02, retransmits=True)
    assert protection.factor == 0


def test_a_report_counts_by_the_time_that_it_covers() -> None:
    """A second of 2 % loss has the same effect in one report and in fifty, one of which has the only loss."""
    once, often = LossLevel(0.01), LossLevel(0.01)
    for _ in range(10):
        once.record(0.02)
        for index in range(50):
            often.record(1.0 if index == 25 else 0.0, 1 / 50)
    assert once.loss == pytest.approx(0.02, rel=0.01)
    assert often.loss == pytest.approx(0.02, rel=0.25)


def test_loss_in_reports_of_few_packets_counts_together() -> None:
    """One packet lost of five is no loss of 20 %, if it is the only one of fifty."""
    report = RemoteInboundReport()
    fractions = []
    for index in range(10):
        report.fraction_lost = 0.2 if index == 4 else 0.0
        fractions.append(report.take_loss(5))
    assert [fraction for fraction in fractions if fraction is not None] == pytest.approx([0.0, 0.05])
    report.fraction_lost = 0.1
    assert report.take_loss(90) == pytest.approx(0.09)


def test_the_level_of_loss_does_not_flutter() -> None:
    level = LossLevel(0.1)
    changes = []
    for fraction in [0.0, 0.3, 0.0, 0.15, 0.05, 0.05, 0.0, 0.0, 0.0, 0.0]:
        level.record(fraction)
        changes.append(level.is_lossy)
    assert changes == [False, True, True, True, True, True, False, False, False, False]
