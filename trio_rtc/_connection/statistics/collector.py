"""Collection of the statistics report of a peer connection."""

from collections.abc import Callable, Iterable, Iterator

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._connection.bundle_transports import BundleTransport
from trio_rtc.certificate import RTCCertificate
from trio_rtc.data_channels.channel_table import ChannelTable
from trio_rtc.stats import LayerStats, Moment, RTCStats, RTCStatsReport, select_stats
from trio_rtc.transceivers.transceiver_table import TransceiverTable

from .connection import connection_stats
from .layers import layer_counters
from .media import StreamNumbers, media_stats


@attrs.frozen(eq=False)
class StatsCollector:
    """Collects the statistics of one peer connection.

    Attributes:
        wall_clock: Returns the Unix time in seconds.
        ignored_lines: Returns the number of ignored lines in the peer's descriptions.
    """

    transports: Iterable[BundleTransport]
    channels: ChannelTable
    certificate: RTCCertificate
    table: TransceiverTable
    wall_clock: Callable[[], float]
    ignored_lines: Callable[[], int]
    _numbers: StreamNumbers = attrs.field(factory=StreamNumbers, init=False)

    async def collect(self) -> RTCStatsReport:
        """Return the present statistics."""
        await trio.lowlevel.checkpoint()
        moment = Moment(trio.current_time(), self.wall_clock() * 1000)
        return RTCStatsReport((stats.id, stats) for stats in self._all(moment))

    async def collect_section(self, mid: str | None, sending: bool) -> RTCStatsReport:
        """Return the statistics of one media section and direction; empty for ``None`` as ``mid``."""
        return select_stats(await self.collect(), mid, sending=sending)

    def _all(self, moment: Moment) -> Iterator[RTCStats]:
        timestamp = moment.timestamp
        yield from connection_stats(self.transports, self.channels, self.certificate, moment)
        yield from media_stats(self.transports, self.table, self._numbers, moment)
        counters = layer_counters(self.transports, self.table.records)
        counters["sdp"] = {"lines_ignored": self.ignored_lines()}
        yield LayerStats(id="layers", timestamp=timestamp, counters=counters)
