"""Where the packets of each source go, so that most packets cost one look.

Packets that say another section or layer than the ones before, by MID or RID, are routed anew (:mod:`.router`).
"""

from collections.abc import Iterable, Mapping

from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.parameters import Codec, ReceiveParameters
from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

from .demuxer import Demuxer, Route
from .sections import ReceiveSections


class Source:
    """Where the packets of a source go, and what has said so.

    Attributes:
        route: The section and layer.
        codecs: Of the section, by payload type.
        names: What its packets have said by the header extension elements that name section and layer.
        stream: What receives it; ``None`` before there is something to receive.
    """

    __slots__ = ("codecs", "names", "route", "stream")

    def __init__(self, route: Route, codecs: Mapping[int, Codec]) -> None:
        self.route = route
        self.codecs = codecs
        self.names: dict[int, bytes] = {}
        self.stream: RtpReceiveStream | None = None


class SourceTable:
    """Knows the sources that were heard, and routes the others.

    Args:
        max_sources: How many are kept; when there is one more all are forgotten, which costs each a routing.

    Attributes:
        known: What is kept, by SSRC.
    """

    __slots__ = ("_max_sources", "_router", "_sections", "known")

    def __init__(self, max_sources: int) -> None:
        self._max_sources = max_sources
        self._router = Demuxer(max_sources)
        self._sections = ReceiveSections()
        self.known: dict[int, Source] = {}

    def set_sections(self, active: Iterable[ReceiveParameters], sections: ReceiveSections) -> None:
        """Replace what may be received: all sources are to be routed anew."""
        self._router.set_sections(active)
        self._sections = sections
        self.known.clear()

    def route(self, packet: RtpPacket) -> Source | None:
        """Find out where a packet goes whose source is not known, or says other names than before.

        Returns:
            Its source, which is known from now on; ``None`` if no section is to be found.
        """
        sections = self._sections
        values = sections.all_extensions.read(packet.extensions)
        rid = values.rid or values.repaired_rid
        route = self._router.route(packet.ssrc, packet.payload_type, values.mid, rid)
        if route is None:
            return None
        before = self.known.get(packet.ssrc)
        source = Source(route, sections.codecs[route.section.mid])
        if before is not None and before.route.section is route.section:
            source.names.update(before.names)
        for number, value in packet.extensions:
            if number in sections.name_elements:
                source.names[number] = value
        if before is None and len(self.known) >= self._max_sources:
            self.known.clear()
        self.known[packet.ssrc] = source
        return source

    def forget(self, ssrc: int) -> None:
        """Forget a source, and what was learned about it."""
        self.known.pop(ssrc, None)
        self._router.forget(ssrc)
