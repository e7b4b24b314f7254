"""When reports are sent, and what is told of the sources (RFC 3550 sections 6.2 to 6.5).

The bandwidth rule of RFC 3550 is for groups of thousands; between two peers the interval is a constant, as in the
browsers: a second with video, five without, each time between half and one and a half of it, so that reports of
many connections do not fall together.
"""

import math
import random
from collections.abc import Iterable, Sequence

from trio_rtc.protocols.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    SourceDescriptionChunk,
)
from trio_rtc.protocols.rtcp.description import ItemType

MAX_BLOCKS = 31
"""What one packet can count: report blocks, sources of a goodbye."""
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
    named = tuple(dict.fromkeys((own_ssrc, *sources)))[:MAX_BLOCKS]
    items = ((int(ItemType.CNAME), cname.encode()[:255]),)
    packets.append(SourceDescription(tuple(SourceDescriptionChunk(ssrc, items) for ssrc in named)))
    return packets


def goodbye(own_ssrc: int, cname: str, sources: Sequence[int]) -> list[RtcpPacket]:
    """Return the packets that say that our sources leave."""
    return [*compound(own_ssrc, (), (), cname, sources), Goodbye(tuple(sources[:MAX_BLOCKS]))]
