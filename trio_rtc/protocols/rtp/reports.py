"""RTCP reports: their schedule and their compound packets (RFC 3550 sections 6.2 to 6.5).

The bandwidth rule of RFC 3550 is for groups of thousands; between two peers the interval is a constant, as in
browsers: a second for video, five for audio, each time between half and one and a half of it, so that the reports of
many connections are not sent at the same time.

Each media section has datagrams of its own, as in libwebrtc: reports of our SSRCs of the section, with blocks of the
peer's SSRCs of the same section. Janus and others find the stream of a compound by the SSRC of its sender, else by its
first report block, and drop it if they find none. So feedback without reduced-size RTCP begins with the report block of
the SSRC that it is about (:func:`feedback_head`); RFC 3550 section 6.1 would allow an empty report.
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
"""The maximum count of a packet: report blocks, or SSRCs of a BYE."""
MAX_DATAGRAM = 1150
"""The maximum size of a datagram of RTCP in bytes."""
MAX_FEEDBACK = 850
"""The maximum size of a feedback packet in bytes: what is left behind a report block and the longest CNAME."""
_MAX_CHUNKS_SIZE = 800
"""The maximum size of the chunks in a source description in bytes."""
_FIRST_INTERVAL = 0.1


class ReportSchedule:
    """The schedule of reports, of audio and of video sections.

    Without video, the first report is sent soon. With video, audio sections follow RFC 3550 section 6.2 exactly, as in
    libwebrtc: the first report after about half of their interval. From the second pair of sender reports on,
    libwebrtc's receiver delays video until it is synchronous with the audio: by tens of milliseconds on a slow path,
    which are less than a viewer notices, but are added to the delay of the call.

    Args:
        audio_interval: The time between reports of audio sections.
        video_interval: The time between reports of video sections.

    Attributes:
        due: When the next report is due; ``math.inf`` while there is nothing to report.
    """

    def __init__(self, rng: random.Random, audio_interval: float, video_interval: float) -> None:
        self._rng = rng
        self._intervals = {"audio": audio_interval, "video": video_interval}
        self._due = dict.fromkeys(self._intervals, math.inf)
        self._has_video = False
        self.due = math.inf

    def set_video(self, has_video: bool, now: float) -> None:
        is_running = self.due < math.inf
        self._has_video = has_video
        if not has_video:
            self._due["video"] = math.inf
            self.due = min(self._due.values())
        elif is_running and self._due["video"] == math.inf:
            self._schedule("video", now, _FIRST_INTERVAL)

    def start(self, now: float) -> None:
        """Start to report, soon: the first report has the clock and the CNAME for the peer's synchronization."""
        if self.due < math.inf:
            return
        if self._has_video:
            self._schedule("video", now, _FIRST_INTERVAL)
            self._schedule("audio", now, self._intervals["audio"] / 2)
        else:
            self._schedule("audio", now, _FIRST_INTERVAL)

    def take_due(self, now: float) -> list[str]:
        """Return the kinds of sections whose reports are due, and schedule their next."""
        kinds = [kind for kind, due in self._due.items() if now >= due]
        for kind in kinds:
            self._schedule(kind, now, self._intervals[kind])
        return kinds

    def stop(self) -> None:
        self._due = dict.fromkeys(self._intervals, math.inf)
        self.due = math.inf

    def _schedule(self, kind: str, now: float, interval: float) -> None:
        self._due[kind] = now + interval * (0.5 + self._rng.random())
        self.due = min(self._due.values())


def compound(
    own_ssrc: int,
    reports: Sequence[SenderReport],
    blocks: Sequence[ReportBlock],
    cname: str,
    sources: Iterable[int],
) -> list[RtcpPacket]:
    """Return the packets of a report: blocks in the sender reports, the rest of them in receiver reports.

    Args:
        own_ssrc: Our SSRC if there is no sender report.
        reports: The reports of our streams.
        blocks: The blocks of the peer's streams.
        cname: The CNAME of our streams.
        sources: Our SSRCs, for the source description.
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
    """Return the source descriptions with the CNAME of our SSRCs, in as many packets as are needed."""
    items = ((int(ItemType.CNAME), cname.encode()[:255]),)
    chunks = [SourceDescriptionChunk(ssrc, items) for ssrc in sources]
    # SSRC, type, length, and one to four zeros behind the text (RFC 3550 section 6.5).
    size = 4 * ((4 + 2 + len(items[0][1])) // 4 + 1)
    count = min(MAX_BLOCKS, _MAX_CHUNKS_SIZE // size)
    return [SourceDescription(tuple(chunks[at : at + count])) for at in range(0, len(chunks), count)]


def feedback_head(sender_ssrc: int, cname: str, block: ReportBlock | None) -> list[RtcpPacket]:
    """Return the packets in front of feedback without reduced-size RTCP: a report and a CNAME.

    ``block`` is that of the stream that the feedback is about; ``None`` if it is about no received stream.
    """
    return compound(sender_ssrc, (), () if block is None else (block,), cname, ())


def make_bye(own_ssrc: int, cname: str, sources: Sequence[int]) -> list[RtcpPacket]:
    parts = [tuple(sources[at : at + MAX_BLOCKS]) for at in range(0, len(sources), MAX_BLOCKS)]
    return [*compound(own_ssrc, (), (), cname, sources), *map(Bye, parts)]
