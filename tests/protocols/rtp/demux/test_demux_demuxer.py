"""Routing of packets to sections and layers (RFC 9143 section 9.2)."""

from collections.abc import Iterable

import attrs

from tests.strategies.rtp_pair import (
    NAMES_ONLY,
    OPUS,
    VIDEO,
    VIDEO_SSRC,
    VP8,
    video_section,
)
from trio_rtc.protocols.rtp import (
    ReceiveParameters,
    RtpPacket,
)
from trio_rtc.protocols.rtp.demux.demuxer import Demuxer
from trio_rtc.protocols.rtp.demux.sections import ReceiveSections, Route
from trio_rtc.protocols.rtp.demux.ssrc_table import SsrcState


def section(mid: str, *payload_types: int, **changes: object) -> ReceiveParameters:
    codecs = tuple(attrs.evolve(OPUS, payload_type=number) for number in payload_types)
    return attrs.evolve(ReceiveParameters(mid, "audio", codecs), **changes)  # type: ignore[arg-type]


class Router:
    """A demuxer that returns the routes for values of packets."""

    def __init__(self, *sections: ReceiveParameters, max_idle: int = 8) -> None:
        self.demuxer: Demuxer[object] = Demuxer(max_idle)
        self.set_sections(sections)

    def set_sections(self, sections: Iterable[ReceiveParameters]) -> None:
        self.demuxer.set_sections(ReceiveSections(sections))

    def route(self, ssrc: int, payload_type: int, mid: str | None, rid: str | None) -> Route | None:
        entry = self.demuxer.table.record_use(ssrc)
        return self.demuxer.find_route(entry, payload_type, mid, rid)


def test_the_mid_decides_before_everything_else() -> None:
    made = Router(section("a", 96, ssrcs={1: None}), section("b", 97))
    route = made.route(1, 96, "b", None)
    assert route is not None
    assert route.section.mid == "b"
    # It is kept for packets without MID, and takes precedence over the announcement.
    later = made.route(1, 96, None, None)
    assert later is not None
    assert later.section.mid == "b"


def test_an_unknown_mid_drops_the_packet_whatever_else_matches() -> None:
    made = Router(section("a", 96, ssrcs={1: None}))
    assert made.route(1, 96, None, None) is not None
    assert made.route(1, 96, "nobody", None) is None


def test_a_later_mid_moves_the_ssrc() -> None:
    made = Router(section("a", 96), section("b", 96))
    for mid in ("a", "b", "a"):
        moved = made.route(5, 96, mid, None)
        assert moved is not None
        assert moved.section.mid == mid


def test_an_announced_ssrc_needs_no_mid() -> None:
    made = Router(section("a", 96, ssrcs={1: None}), section("b", 96, ssrcs={2: None}, rtx_ssrcs={3: 2}))
    for ssrc, mid in ((1, "a"), (2, "b"), (3, "b")):
        route = made.route(ssrc, 96, None, None)
        assert route is not None
        assert route.section.mid == mid


def test_a_payload_type_of_only_one_section_determines_it() -> None:
    made = Router(section("a", 96, 98), section("b", 96, 99))
    route = made.route(7, 99, None, None)
    assert route is not None
    assert route.section.mid == "b"
    # The route is kept, under other payload types too.
    again = made.route(7, 96, None, None)
    assert again is not None
    assert again.section.mid == "b"
    assert made.route(8, 96, None, None) is None
    assert made.route(8, 1, None, None) is None


def test_layers_are_learned_and_kept() -> None:
    made = Router(section("a", 96, ssrcs={1: "q"}, rtx_ssrcs={2: 1}))
    for ssrc, rid, expected in ((1, None, "q"), (2, None, "q"), (5, "h", "h"), (5, None, "h"), (5, "f", "f")):
        route = made.route(ssrc, 96, "a" if rid else None, rid)
        assert route is not None
        assert route.rid == expected


def test_a_learned_route_stays_as_long_as_its_section() -> None:
    made = Router(section("a", 96), section("b", 96))
    assert made.route(5, 96, "a", "q") is not None
    assert made.route(6, 96, "b", None) is not None
    made.set_sections([section("a", 96, 97)])
    kept = made.route(5, 96, None, None)
    assert kept is not None
    assert (kept.section.mid, kept.rid) == ("a", "q")
    assert kept.section.codecs[-1].payload_type == 97
    made.set_sections([section("a", 96), section("b", 96)])
    assert made.route(6, 96, None, None) is None


def test_learned_routes_are_bounded_and_may_be_cleared() -> None:
    made = Router(section("a", 96), section("b", 96), max_idle=2)
    for ssrc in (1, 2, 3):
        assert made.route(ssrc, 96, "a", None) is not None
    assert made.route(1, 96, None, None) is None
    assert made.route(3, 96, None, None) is not None
    made.demuxer.table.entries[3].clear_route()
    assert made.route(3, 96, None, None) is None


VIDEO_SECTION = ReceiveParameters(VIDEO, "video", video_section().codecs, NAMES_ONLY)
OTHER_SECTION = attrs.evolve(VIDEO_SECTION, mid="2", codecs=(attrs.evolve(VP8, payload_type=100),))


def demuxer(*sections: ReceiveParameters, max_idle: int = 8) -> Demuxer[object]:
    made: Demuxer[object] = Demuxer(max_idle)
    made.set_sections(ReceiveSections(sections))
    return made


def packet(ssrc: int = VIDEO_SSRC, payload_type: int = 96, **identifiers: bytes) -> RtpPacket:
    numbers = {"mid": 4, "rid": 10}
    elements = tuple((numbers[name], value) for name, value in identifiers.items())
    return RtpPacket(payload_type, 1, 9000, ssrc, b"x", extensions=elements)


def test_an_ssrc_has_a_route_from_its_first_packet_on() -> None:
    made = demuxer(VIDEO_SECTION, OTHER_SECTION)
    entry = made.route(packet(mid=b"0", rid=b"q"))
    assert entry is not None
    assert entry.route == Route(VIDEO_SECTION, "q")
    assert entry.codecs[96] == VP8
    assert entry.identifiers == {4: b"0", 10: b"q"}
    assert (entry.state, entry.stream) == (SsrcState.IDLE, None)
    assert made.table.entries == {VIDEO_SSRC: entry}


def test_a_packet_of_no_section_has_a_record_without_a_route() -> None:
    made = demuxer(VIDEO_SECTION, OTHER_SECTION)
    assert made.route(packet(payload_type=5)) is None
    assert made.route(packet(mid=b"7")) is None
    assert made.table.entries[VIDEO_SSRC].route is None


def test_an_unknown_mid_leaves_the_route_of_the_packets_before() -> None:
    made = demuxer(VIDEO_SECTION)
    made.route(packet(mid=b"0"))
    assert made.route(packet(mid=b"7")) is None
    assert made.table.entries[VIDEO_SSRC].route == Route(VIDEO_SECTION)


def test_identifiers_are_kept_as_long_as_the_section_is_the_same() -> None:
    made = demuxer(VIDEO_SECTION, OTHER_SECTION)
    made.route(packet(mid=b"0"))
    later = made.route(packet(rid=b"q"))
    assert later is not None
    assert later.identifiers == {4: b"0", 10: b"q"}
    elsewhere = made.route(packet(mid=b"2"))
    assert elsewhere is not None
    assert elsewhere.route is not None
    assert elsewhere.route.section is OTHER_SECTION
    assert elsewhere.identifiers == {4: b"2"}
    assert made.table.entries == {VIDEO_SSRC: elsewhere}


def test_a_new_route_must_be_confirmed_for_the_stream() -> None:
    made = demuxer(VIDEO_SECTION, OTHER_SECTION)
    entry = made.route(packet(mid=b"0"))
    assert entry is not None
    made.table.activate(entry, object())
    assert entry.state is SsrcState.ACTIVE
    assert made.route(packet(mid=b"2")) is entry
    assert entry.state is SsrcState.REROUTED


def test_when_sections_change_every_ssrc_is_routed_again() -> None:
    made = demuxer(VIDEO_SECTION)
    made.route(packet())
    made.set_sections(ReceiveSections([OTHER_SECTION]))
    entry = made.table.entries[VIDEO_SSRC]
    assert (entry.route, entry.codecs, entry.identifiers) == (None, {}, {})
    assert made.route(packet()) is None
    assert made.route(packet(payload_type=100)) is not None


def test_a_peer_with_many_ssrcs_does_not_fill_the_table() -> None:
    made = demuxer(VIDEO_SECTION, max_idle=3)
    for ssrc in range(10):
        made.route(packet(ssrc))
        assert len(made.table.entries) <= 3
    assert 9 in made.table.entries


def test_nothing_is_left_of_a_cleared_route() -> None:
    made = demuxer(VIDEO_SECTION, OTHER_SECTION)
    made.route(packet(payload_type=100, mid=b"0"))
    made.table.entries[VIDEO_SSRC].clear_route()
    entry = made.route(packet(payload_type=100))
    assert entry is not None
    assert entry.route is not None
    assert entry.route.section is OTHER_SECTION
