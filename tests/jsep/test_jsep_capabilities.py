"""The default capabilities."""

import re
from pathlib import Path

import pytest

from trio_rtc.jsep import DEFAULT_CAPABILITIES, KindCapabilities, MediaCapabilities
from trio_rtc.protocols.rtp.codec import RTX, UNASSIGNED

CAPTURED = Path(__file__).parents[1] / "data" / "sdp"


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


@pytest.mark.parametrize("offer", ["av", "recvonly", "sped-snap-ccfb"])
def test_extensions_have_ids_that_chromium_uses_for_no_others(offer: str) -> None:
    """In a call it refuses an offer with another extension at an id of its pending offer, although it rolls that back.

    Offers of video alone have other ids.
    """
    text = (CAPTURED / f"chromium-offer-{offer}.sdp").read_text()
    theirs = {int(number): uri for number, uri in re.findall(r"a=extmap:(\d+)\S* (\S+)", text)}
    for kind in ("audio", "video"):
        for extension in DEFAULT_CAPABILITIES.of(kind).header_extensions:
            assert extension.id is not None
            assert theirs.get(extension.id, extension.uri) == extension.uri


def test_other_kinds_have_no_capabilities() -> None:
    assert DEFAULT_CAPABILITIES.of("application") == KindCapabilities()
    assert MediaCapabilities().of("video") == KindCapabilities()
