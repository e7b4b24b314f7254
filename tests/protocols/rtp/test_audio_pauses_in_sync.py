"""Audio whose clock stands still in pauses, with video: all of it is played, and in sync."""

import attrs
import pytest

from tests.strategies.rtp_pair import AUDIO, VIDEO, Pair, audio_frame, audio_section, video_section
from trio_rtc.protocols.rtp import EncodedFrame

STEP, SPURT = 0.02, 75


def call_with_pauses(pause: float, *, pauses: int, video: bool) -> tuple[Pair, int]:
    """Send talkspurts of 1.5 s with continuous timestamps from Alice; return the number of frames."""
    pair = Pair()
    pair.negotiate(video_section(), audio_section(), sync_group="stream")
    count = 0
    for spurt in range(pauses + 1):
        for _ in range(SPURT):
            frame = attrs.evolve(audio_frame(count, pair.now), timestamp=count * 960)
            pair.sent_at[frame.payload] = pair.now
            pair.alice.session.send_frame(AUDIO, frame, pair.now)
            count += 1
            pair.run(STEP, video=25 * video)
        if spurt < pauses:
            pair.run(pause, video=25 * video)
    pair.run(0.5, video=25 * video)
    return pair, count


@pytest.mark.parametrize("pause", [0.5, 1.0, 1.5, 2.0, 3.0, 5.0])
def test_all_audio_is_played(pause: float) -> None:
    pair, count = call_with_pauses(pause, pauses=3, video=False)
    assert len(pair.bob.frames(AUDIO)) >= 0.99 * count


@pytest.mark.parametrize("pause", [0.1, 0.5, 1.0, 1.5, 3.0])
def test_video_does_not_wait_for_a_clock_that_stood_still(pause: float) -> None:
    pair, count = call_with_pauses(pause, pauses=5, video=True)
    assert len(pair.bob.frames(AUDIO)) >= 0.99 * count
    delays: dict[str, list[float]] = {VIDEO: [], AUDIO: []}
    for at, mid, each in pair.bob.played:
        if isinstance(each, EncodedFrame):
            delays[mid].append(at - pair.sent_at[each.payload])
    assert max(delays[VIDEO]) < 0.1
    assert max(delays[AUDIO]) < 0.15
