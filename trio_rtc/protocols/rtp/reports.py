"""When reports are sent, and what is told of the sources (RFC 3550 sections 6.2 to 6.5).

The bandwidth rule of RFC 3550 is for groups of thousands; between two peers the interval is a constant, as in the
browsers: a second with video, five without, each time between half and one and a half of it, so that reports of
many connections do not fall together.

Each media section has datagrams of its own, as in libwebrtc: reports of our sources of the section, with blocks of the
peer's sources of the same section. Janus and others find the stream that a compound is about by the SSRC of its sender,
else by its first report block, and drop what they cannot find. So feedback that may not stand alone begins with the
report block of the source that it is about (:func:`feedback_head`); RFC 3550 section 6.1 would allow an empty report.
"""

import math
import random
from collections.abc import Iterable, Sequence

from trio_rtc.protocols.rtcp import (
    Bye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    SourceDescriptionChunk,
)
from trio_rtc.protocols.rtcp.source_description import ItemType

MAX_BLOCKS = 31
"""What one packet can count: report blocks, sources of a goodbye."""
MAX_DATAGRAM = 1150
"""Bytes of RTCP in a datagram."""
MAX_FEEDBACK = 850
"""Bytes of a packet of feedback: so many are left behind a report block and the longest CNAME."""
_MAX_NAMES_SIZE = 800
"""Bytes of the chunks in one source description."""
_FIRST_INTERVAL = 0.1


class ReportSchedule:
    """Says when the next report is due.

    Args:
        rng: Spreads the reports.

    Attributes:
        due: When the next one is; ``math.inf`` while there is nothing to report.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.due = math.inf

    def start(self, now: float) -> None:
        """Begin to report, soon: the first one carries the clock and the name that the peer synchronizes by."""
        if self.due == math.inf:
            self.due = now + _FIRST_INTERVAL * (0.5 + self._rng.random())

    def take(self, now: float, interval: float) -> bool:
        """Return whether a report is due, and set the time of the next."""
        if now < self.due:
            return False
        self.due = now + interval * (0.5 + self._rng.random())
        return True

    def stop(self) -> None:
        """Report no more."""
        self.due = math.inf


def compound(
    own_ssrc: int,
    reports: Sequence[SenderReport],
    blocks: Sequence[ReportBlock],
    cname: str,
    sources: Iterable[int],
) -> list[RtcpPacket]:
    """Return the packets of a report: the blocks behind the first sender report, the rest in receiver reports.

    Args:
        own_ssrc: Who reports when there is no sender report.
        reports: Of our streams.
        blocks: Of the peer's.
        cname: The name that joins our streams.
        sources: Our sources, whose name that is.
    """
    packets: list[RtcpPacket] = []
    rest = list(blocks)
    for report in reports:
        packets.append(
            SenderReport(
                report.ssrc,
                report.ntp_timestamp,
                report.rtp_timestamp,
                report.packet_count,
                report.octet_count,
                tuple(rest[:MAX_BLOCKS]),
            )
        )
        del rest[:MAX_BLOCKS]
    while rest or not packets:
        packets.append(ReceiverReport(own_ssrc, tuple(rest[:MAX_BLOCKS])))
        del rest[:MAX_BLOCKS]
    return [*packets, *describe(list(dict.fromkeys((own_ssrc, *sources))), cname)]


def describe(sources: Sequence[int], cname: str) -> list[RtcpPacket]:
    """Return the source descriptions that give our sources their CNAME, in as many packets as are needed."""
    items = ((int(ItemType.CNAME), cname.encode()[:255]),)
    chunks = [SourceDescriptionChunk(ssrc, items) for ssrc in sources]
    # SSRC, type, length, and one to four zeros behind the text (RFC 3550 section 6.5).
    size = 4 * ((4 + 2 + len(items[0][1])) // 4 + 1)
    count = min(MAX_BLOCKS, _MAX_NAMES_SIZE // size)
    return [SourceDescription(tuple(chunks[at : at + count])) for at in range(0, len(chunks), count)]


def feedback_head(sender_ssrc: int, cname: str, block: ReportBlock | None) -> list[RtcpPacket]:
    """Return what feedback is sent behind where it may not stand alone: a report and a CNAME.

    Args:
        sender_ssrc: Our SSRC in the section of the source.
        cname: Its CNAME.
        block: Of the source that the feedback is about; ``None`` if it is about no source that is received.
    """
    return compound(sender_ssrc, (), () if block is None else (block,), cname, ())


def goodbye(own_ssrc: int, cname: str, sources: Sequence[int]) -> list[RtcpPacket]:
    """Return the packets that say that our sources leave."""
    parts = [tuple(sources[at : at + MAX_BLOCKS]) for at in range(0, len(sources), MAX_BLOCKS)]
    return [*compound(own_ssrc, (), (), cname, sources), *map(Bye, parts)]
