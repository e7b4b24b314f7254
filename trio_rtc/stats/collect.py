"""Collects the report of a peer connection."""

from collections.abc import Callable, Iterator

import attrs
import trio

from trio_rtc._connection.bundle_transports import BundleTransports
from trio_rtc._connection.connection_states import ConnectionStates
from trio_rtc._connection.media_engine import MediaEngine
from trio_rtc.certificate import RTCCertificate
from trio_rtc.transceivers.rtp_sender import RTCRtpSender
from trio_rtc.transceivers.transceiver_table import TransceiverTable

from .collect_connection import connection_stats
from .collect_media import media_stats
from .layer_stats import LayerStats, layer_counters
from .moment import Moment
from .report import RTCStats, RTCStatsReport, select_stats


@attrs.frozen(eq=False)
class StatsCollector:
    """Takes the statistics of one peer connection.

    Attributes:
        transports: One for each bundle.
        monitor: The states.
        certificate: Our certificate.
        table: The transceivers.
        media: What carries their media.
        wall_clock: Returns the Unix time in seconds.
        ignored_lines: Returns how many lines of the peer's descriptions were ignored.
    """

    transports: BundleTransports
    monitor: ConnectionStates
    certificate: RTCCertificate
    table: TransceiverTable
    media: MediaEngine
    wall_clock: Callable[[], float]
    ignored_lines: Callable[[], int]

    async def collect(self, selected: object = None) -> RTCStatsReport:
        """Return all statistics at this moment, or those that concern one sender or receiver."""
        await trio.lowlevel.checkpoint()
        moment = Moment(trio.current_time(), self.wall_clock() * 1000)
        report = {stats.id: stats for stats in self._all(moment)}
        if selected is None:
            return report
        transceivers = self.table.transceivers
        mid = next((each.mid for each in transceivers if selected in (each.sender, each.receiver)), None)
        return select_stats(report, mid, sending=isinstance(selected, RTCRtpSender))

    def _all(self, moment: Moment) -> Iterator[RTCStats]:
        timestamp = moment.timestamp
        yield from connection_stats(self.transports, self.monitor.channels, self.certificate, timestamp)
        yield from media_stats(self.transports, self.table, self.media, moment)
        counters = layer_counters(self.transports, self.table.transceivers, self.media)
        counters["sdp"] = {"lines_ignored": self.ignored_lines()}
        yield LayerStats(id="layers", timestamp=timestamp, counters=counters)
