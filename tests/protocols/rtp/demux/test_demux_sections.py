"""What is negotiated for the sections that receive, as packets need it."""

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
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections
from trio_rtc.protocols.rtp.packet.extensions import AUDIO_LEVEL, MID

VIDEO_SECTION = received(video_section(fec=True), extensions=NAMES_ONLY)
AUDIO_SECTION = received(audio_section(), extensions={1: AUDIO_LEVEL, 4: MID}, sync_group="talk")
BOTH = ReceiveSections([VIDEO_SECTION, AUDIO_SECTION])


def test_payload_types_mean_something_by_section() -> None:
    assert BOTH.codecs == {VIDEO: {96: VP8, 97: VP8_RTX}, AUDIO: {111: OPUS}}


def test_extensions_mean_the_same_everywhere() -> None:
    assert BOTH.extensions[AUDIO].uris == {1: AUDIO_LEVEL, 4: MID}
    assert BOTH.all_extensions.uris == {1: AUDIO_LEVEL, **NAMES_ONLY}
    assert BOTH.name_elements == NAMES_ONLY.keys()
    assert ReceiveSections([attrs.evolve(AUDIO_SECTION, extensions={})]).name_elements == set()


def test_who_repairs_whom_is_known_in_both_directions() -> None:
    assert BOTH.repaired == {RTX_SSRC: VIDEO_SSRC}
    assert BOTH.corrected == {FEC_SSRC: VIDEO_SSRC}
    assert (BOTH.retransmits(VIDEO_SSRC), BOTH.corrects(VIDEO_SSRC)) == (RTX_SSRC, FEC_SSRC)
    assert BOTH.retransmits(RTX_SSRC) is BOTH.corrects(RTX_SSRC) is None


def test_who_is_played_together_is_in_a_group() -> None:
    assert BOTH.sync_groups == {AUDIO: "talk"}


def test_of_no_section_nothing_is_known() -> None:
    nothing = ReceiveSections()
    assert not nothing.codecs
    assert nothing.all_extensions.uris == {}
