"""Demultiplexing of received RTP packets (RFC 9143 section 9.2, formerly RFC 8843).

The MID extension of a packet determines its media section; else the section of its SSRC, as learned from earlier
packets or announced in the remote description; else its payload type, if only one section uses it. Packets for which
none of these determines a section are dropped: a guess would give the packets of one track to another.

The result is kept in the record of the SSRC (:mod:`.ssrc_table`), so most packets cost one dictionary look-up. A packet
whose MID or RID element differs from the ones before is routed again.
"""

from typing import Generic

from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.parameters import ReceiveParameters

from .sections import ReceiveSections, Route
from .ssrc_table import SsrcEntry, SsrcState, SsrcTable, StreamT


class Demuxer(Generic[StreamT]):
    """Determines the section and simulcast layer of packets.

    Args:
        max_idle: How many SSRCs without a stream are kept.
    """

    __slots__ = ("sections", "table")

    def __init__(self, max_idle: int) -> None:
        self.table: SsrcTable[StreamT] = SsrcTable(max_idle)
        self.sections = ReceiveSections()

    def set_sections(self, sections: ReceiveSections) -> None:
        """Replace the sections: every SSRC is routed again."""
        self.sections = sections
        self.table.reset_routes(sections)

    def route(self, packet: RtpPacket) -> SsrcEntry[StreamT] | None:
        """Route a packet whose SSRC has no route, or which has other identifiers than the packets before.

        Returns:
            The record of its SSRC; ``None`` if the packet belongs to no section.
        """
        sections = self.sections
        values = sections.all_extensions.read(packet.extensions)
        entry = self.table.record_use(packet.ssrc)
        rid = values.rid or values.repaired_rid
        route = self.find_route(entry, packet.payload_type, values.mid, rid)
        if route is None:
            return None
        if entry.route is None or entry.route.section is not route.section:
            entry.identifiers = {}
        for number, value in packet.extensions:
            if number in sections.identifying_elements:
                entry.identifiers[number] = value
        entry.route = route
        entry.codecs = sections.codecs[route.section.mid]
        if entry.stream is not None:
            entry.state = SsrcState.REROUTED
        return entry

    def find_route(
        self, entry: SsrcEntry[StreamT], payload_type: int, mid: str | None, rid: str | None
    ) -> Route | None:
        """Return the route of a packet by its payload type, MID and RID, which may be the repaired RID.

        It is stored in the record of the SSRC if it differs from the announced one.
        """
        known = entry.learned
        announced = self.sections.announced.get(entry.ssrc)
        if mid is None and rid is None:
            if known is not None:
                return known
            if announced is not None:
                return announced
        elif known is not None and mid in (None, known.section.mid) and rid in (None, known.rid):
            return known
        section = self._find_section(known or announced, payload_type, mid)
        if section is None:
            return None
        if rid is None and announced is not None and announced.section is section:
            rid = announced.rid
        entry.learned = Route(section, rid)
        return entry.learned

    def _find_section(
        self, known: Route | None, payload_type: int, mid: str | None
    ) -> ReceiveParameters | None:
        if mid is not None:
            return self.sections.by_mid.get(mid)
        if known is not None:
            return known.section
        return self.sections.by_payload_type.get(payload_type)
