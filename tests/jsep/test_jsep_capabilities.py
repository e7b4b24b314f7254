"""The default capabilities."""

import pytest

from trio_rtc.jsep import DEFAULT_CAPABILITIES, KindCapabilities, MediaCapabilities
from trio_rtc.protocols.rtp.codec import RTX, UNASSIGNED


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_preferred_numbers_are_different(kind: str) -> None:
    capabilities = DEFAULT_CAPABILITIES.of(kind)
    payload_types = [codec.payload_type for codec in capabilities.codecs if codec.key != RTX]
    assert len(set(payload_types)) == len(payload_types)
    assert UNASSIGNED not in payload_types
    ids = [extension.id for extension in capabilities.header_extensions]
    assert len(set(ids)) == len(ids)


def test_common_extensions_have_the_same_id_in_audio_and_video() -> None:
    audio, video = (
        {each.uri: each.id for each in DEFAULT_CAPABILITIES.of(kind).header_extensions}
        for kind in ("audio", "video")
    )
    assert audio.keys() & video.keys()
    assert all(audio[uri] == video[uri] for uri in audio.keys() & video.keys())
    assert not {audio[uri] for uri in audio.keys() - video.keys()} & set(video.values())


def test_other_kinds_have_no_capabilities() -> None:
    assert DEFAULT_CAPABILITIES.of("application") == KindCapabilities()
    assert MediaCapabilities().of("video") == KindCapabilities()
