"""Synthetic sources of audio and video."""

import pytest
import trio

from trio_rtc import media


async def test_without_realtime_frames_are_received_at_once(autojump_clock):
    source = media.test_pattern(64, 48, realtime=False)
    audio = media.tone(realtime=False)
    begun = trio.current_time()
    assert [media.read_counter(await source.receive()) for _ in range(50)] == list(range(50))
    assert [(await audio.receive()).pts for _ in range(3)] == [0, 960, 1920]
    assert trio.current_time() == begun


@pytest.mark.parametrize("source", [media.test_pattern(64, 48), media.tone()])
async def test_closed_source_raises(source):
    await source.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await source.receive()
