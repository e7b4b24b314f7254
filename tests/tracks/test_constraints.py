"""Settings and constraints of tracks (W3C mediacapture-main section 11)."""

import av
import pytest
import trio
import trio.testing

from tests.strategies.media import (
    send_frames,
)
from trio_rtc import MediaTrackCapabilities, MediaTrackSettings, open_media_track

Clock = trio.testing.MockClock


async def test_settings_are_those_of_the_frames(autojump_clock: Clock) -> None:
    source, track = open_media_track("video")
    assert track.get_settings() == MediaTrackSettings()
    with trio.move_on_after(2):
        await send_frames(source, "video", every=0.04)
    settings = track.get_settings()
    assert (settings.width, settings.height, settings.aspect_ratio) == (64, 48, 64 / 48)
    assert settings.frame_rate == pytest.approx(25, abs=1)
    assert settings.sample_rate is None
    assert track.clone().get_settings() == settings

    source, track = open_media_track("audio")
    audio_frame = av.AudioFrame("s16", "stereo", 960)
    audio_frame.sample_rate = 48_000
    await source.send(audio_frame)
    assert track.get_settings().channel_count == 2
    assert track.get_settings().width is None


async def test_constraints_are_stored_but_unsupported() -> None:
    _, track = open_media_track("video")
    assert track.get_capabilities() == MediaTrackCapabilities()
    assert track.get_constraints() == {}
    constraints = {"width": {"exact": 1}, "advanced": [{"frame_rate": 5}]}
    await track.apply_constraints(constraints)
    assert track.get_constraints() == constraints
    assert track.clone().get_constraints() == constraints
    await track.apply_constraints()
    assert track.get_constraints() == {}
    track.stop()
    await track.apply_constraints(constraints)
