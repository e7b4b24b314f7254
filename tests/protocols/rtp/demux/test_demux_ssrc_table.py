"""Where packets go: known of their source, routed anew when they say something else, and bounded."""

import attrs

from tests.strategies.rtp_pair import NAMES_ONLY, VIDEO, VIDEO_SSRC, VP8, video_section
from trio_rtc.protocols.rtp import ReceiveParameters, RtpPacket
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections
from trio_rtc.protocols.rtp.demux.ssrc_table import SourceTable

VIDEO_SECTION = ReceiveParameters(VIDEO, "video", video_section().codecs, NAMES_ONLY)
OTHER_SECTION = attrs.evolve(VIDEO_SECTION, mid="2", codecs=(attrs.evolve(VP8, payload_type=100),))


def table(*sections: ReceiveParameters, max_sources: int = 8) -> SourceTable:
    made = SourceTable(max_sources)
    made.set_sections(sections, ReceiveSections(sections))
    return made


def packet(ssrc: int = VIDEO_SSRC, payload_type: int = 96, **names: bytes) -> RtpPacket:
    numbers = {"mid": 4, "rid": 10}
    elements = tuple((numbers[name], value) for name, value in names.items())
    return RtpPacket(payload_type, 1, 9000, ssrc, b"x", extensions=elements)


def test_a_source_is_known_from_its_first_packet_on() -> None:
    made = table(VIDEO_SECTION, OTHER_SECTION)
    source = made.route(packet(mid=b"0", rid=b"q"))
    assert source is not None
    assert (source.route.section, source.route.rid) == (VIDEO_SECTION, "q")
    assert source.codecs[96] == VP8
    assert source.names == {4: b"0", 10: b"q"}
    assert source.stream is None
    assert made.known == {VIDEO_SSRC: source}


def test_what_belongs_nowhere_is_not_known() -> None:
    made = table(VIDEO_SECTION, OTHER_SECTION)
    assert made.route(packet(payload_type=5)) is None
    assert made.route(packet(mid=b"7")) is None
    assert made.known == {}


def test_what_was_said_before_counts_as_long_as_the_section_is_the_same() -> None:
    made = table(VIDEO_SECTION, OTHER_SECTION)
    made.route(packet(mid=b"0"))
    later = made.route(packet(rid=b"q"))
    assert later is not None
    assert later.names == {4: b"0", 10: b"q"}
    elsewhere = made.route(packet(mid=b"2"))
    assert elsewhere is not None
    assert elsewhere.route.section is OTHER_SECTION
    assert elsewhere.names == {4: b"2"}
    assert made.known == {VIDEO_SSRC: elsewhere}


def test_when_sections_change_all_is_found_out_anew() -> None:
    made = table(VIDEO_SECTION)
    made.route(packet())
    made.set_sections([OTHER_SECTION], ReceiveSections([OTHER_SECTION]))
    assert made.known == {}
    assert made.route(packet()) is None
    assert made.route(packet(payload_type=100)) is not None


def test_a_peer_with_ever_new_sources_fills_nothing() -> None:
    made = table(VIDEO_SECTION, max_sources=3)
    for ssrc in range(10):
        made.route(packet(ssrc))
        assert len(made.known) <= 3
    assert 9 in made.known


def test_of_a_forgotten_source_nothing_is_left() -> None:
    made = table(VIDEO_SECTION, OTHER_SECTION)
    made.route(packet(payload_type=100, mid=b"0"))
    made.forget(VIDEO_SSRC)
    made.forget(VIDEO_SSRC)
    assert made.known == {}
    source = made.route(packet(payload_type=100))
    assert source is not None
    assert source.route.section is OTHER_SECTION
