"""The negotiated parameters of the sections that receive, indexed for demultiplexing."""

import attrs

from tests.strategies.rtp_pair import (
    AUDIO,
    FEC_SSRC,
    NAMES_ONLY,
    OPUS,
    RTX_SSRC,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    VP8_RTX,
    audio_section,
    received,
    video_section,
)
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections, Route
from trio_rtc.protocols.rtp.packet.extensions import AUDIO_LEVEL, MID

VIDEO_SECTION = received(video_section(fec=True), extensions=NAMES_ONLY)
AUDIO_SECTION = received(audio_section(), extensions={1: AUDIO_LEVEL, 4: MID}, sync_group="talk")
BOTH = ReceiveSections([VIDEO_SECTION, AUDIO_SECTION])


def test_codecs_are_indexed_by_section_and_payload_type() -> None:
    assert BOTH.codecs == {VIDEO: {96: VP8, 97: VP8_RTX}, AUDIO: {111: OPUS}}


def test_extensions_mean_the_same_everywhere() -> None:
    assert BOTH.extensions[AUDIO].uris == {1: AUDIO_LEVEL, 4: MID}
    assert BOTH.all_extensions.uris == {1: AUDIO_LEVEL, **NAMES_ONLY}
    assert BOTH.identifying_elements == NAMES_ONLY.keys()
    assert ReceiveSections([attrs.evolve(AUDIO_SECTION, extensions={})]).identifying_elements == set()


def test_repair_ssrcs_are_indexed_in_both_directions() -> None:
    assert BOTH.rtx_ssrcs == {RTX_SSRC: VIDEO_SSRC}
    assert BOTH.fec_ssrcs == {FEC_SSRC: VIDEO_SSRC}
    assert (BOTH.rtx_ssrc_of(VIDEO_SSRC), BOTH.fec_ssrc_of(VIDEO_SSRC)) == (RTX_SSRC, FEC_SSRC)
    assert BOTH.rtx_ssrc_of(RTX_SSRC) is BOTH.fec_ssrc_of(RTX_SSRC) is None


def test_announced_ssrcs_have_a_route() -> None:
    assert BOTH.announced == {
        VIDEO_SSRC: Route(VIDEO_SECTION),
        RTX_SSRC: Route(VIDEO_SECTION),
        FEC_SSRC: Route(VIDEO_SECTION),
        **{ssrc: Route(AUDIO_SECTION) for ssrc in AUDIO_SECTION.ssrcs},
    }


def test_sections_that_are_played_in_sync_have_a_group() -> None:
    assert BOTH.sync_groups == {AUDIO: "talk"}


def test_without_sections_all_is_empty() -> None:
    nothing = ReceiveSections()
    assert not nothing.codecs
    assert nothing.all_extensions.uris == {}
