"""Packets of one batch may have different arrival times."""

import pytest

from tests.strategies.rtp_pair import AUDIO, audio_frame, audio_section, make_session, received, srtp_pair
from trio_rtc.protocols.rtp import RtpSession

STEP = 0.02


def ten_packets() -> tuple[RtpSession, list[bytes], list[float]]:
    """Return the receiver, audio packets sent 20 ms apart, and the send time of each."""
    ours, theirs = srtp_pair()
    sender, receiver = make_session(1), make_session(2)
    section = audio_section()
    sender.set_keys(ours, 0.0)
    sender.set_sections([section], [], 0.0)
    receiver.set_keys(theirs, 0.0)
    receiver.set_sections([], [received(section)], 0.0)
    packets, times = [], []
    for number in range(10):
        now = number * STEP
        sender.send_frame(AUDIO, audio_frame(number, now), now)
        for packet in sender.datagrams_to_send(now):
            packets.append(packet)
            times.append(now)
    return receiver, packets, times


def jitter(receiver: RtpSession, now: float) -> int:
    [[block]] = receiver.receiver.report_blocks(["audio", "video"], now).values()
    return block.jitter


@pytest.mark.parametrize("known", [True, False])
def test_jitter_is_that_of_the_path_and_not_of_the_reader(known: bool) -> None:
    receiver, packets, times = ten_packets()
    now = times[-1] + 0.005
    receiver.receive(packets, now, [at + 0.001 for at in times] if known else ())
    if known:
        assert jitter(receiver, now) <= 1
    else:
        assert jitter(receiver, now) > 48000 * STEP / 4
