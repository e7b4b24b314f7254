"""Which section a packet belongs to (RFC 9143 section 9.2, formerly RFC 8843), and to which of its streams.

A packet says its section by the MID extension; else its SSRC was heard before or announced; else its payload type
is used in one section only. What none of these tells is dropped: guessing would give one track's packets to another.
"""

from collections.abc import Iterable

import attrs

from trio_rtc.protocols.rtp.parameters import ReceiveParameters


@attrs.frozen
class Route:
    """Where packets of one source go.

    Attributes:
        section: What was negotiated there.
        rid: The simulcast layer, of repair packets that of what they repair.
    """

    section: ReceiveParameters
    rid: str | None = None


class Demuxer:
    """Knows the sections and learns the sources.

    Args:
        max_sources: How many sources are remembered, announced ones not counted.
    """

    def __init__(self, max_sources: int) -> None:
        self._max_sources = max_sources
        self._sections: dict[str, ReceiveParameters] = {}
        self._by_payload_type: dict[int, ReceiveParameters] = {}
        self._announced: dict[int, Route] = {}
        self._learned: dict[int, Route] = {}

    def set_sections(self, sections: Iterable[ReceiveParameters]) -> None:
        """Replace the sections. What was learned of sources of sections that stay is kept."""
        self._sections = {section.mid: section for section in sections}
        self._announced.clear()
        users: dict[int, list[ReceiveParameters]] = {}
        for section in self._sections.values():
            for codec in section.codecs:
                users.setdefault(codec.payload_type, []).append(section)
            for ssrc, rid in section.ssrcs.items():
                self._announced[ssrc] = Route(section, rid)
            for repair, repaired in (*section.repairs.items(), *section.fec_ssrcs.items()):
                self._announced[repair] = Route(section, section.ssrcs.get(repaired))
        self._by_payload_type = {number: found[0] for number, found in users.items() if len(found) == 1}
        self._learned = {
            ssrc: Route(self._sections[route.section.mid], route.rid)
            for ssrc, route in self._learned.items()
            if route.section.mid in self._sections
        }

    def route(self, ssrc: int, payload_type: int, mid: str | None, rid: str | None) -> Route | None:
        """Return where a packet belongs, ``None`` if nothing tells.

        Args:
            ssrc: Its source.
            payload_type: Its payload type.
            mid: What the MID extension says.
            rid: What the RID extension says, or for a repair packet the one of what it repairs.
        """
        known = self._learned.get(ssrc)
        if mid is None and rid is None:
            if known is not None:
                return known
            known = self._announced.get(ssrc)
            if known is not None:
                return known
        elif known is not None and mid in (None, known.section.mid) and rid in (None, known.rid):
            return known
        section = self._section(ssrc, payload_type, mid)
        if section is None:
            return None
        announced = self._announced.get(ssrc)
        if rid is None and announced is not None and announced.section is section:
            rid = announced.rid
        return self._learn(ssrc, Route(section, rid))

    def forget(self, ssrc: int) -> None:
        """Forget what was learned about a source."""
        self._learned.pop(ssrc, None)

    def _section(self, ssrc: int, payload_type: int, mid: str | None) -> ReceiveParameters | None:
        if mid is not None:
            return self._sections.get(mid)
        known = self._learned.get(ssrc) or self._announced.get(ssrc)
        if known is not None:
            return known.section
        return self._by_payload_type.get(payload_type)

    def _learn(self, ssrc: int, route: Route) -> Route:
        if ssrc not in self._learned and len(self._learned) >= self._max_sources:
            # Full: the one that was learned first goes, which costs its next packets a look at their extensions.
            del self._learned[next(iter(self._learned))]
        self._learned[ssrc] = route
        return route
