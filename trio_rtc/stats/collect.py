"""Collects the whole report of a peer connection."""

from collections.abc import Iterator

import attrs

from trio_rtc.certificate import RTCCertificate
from trio_rtc.media_link import MediaLink
from trio_rtc.monitor import ConnectionMonitor
from trio_rtc.transceiver_table import TransceiverTable
from trio_rtc.transports.stack import TransportStack

from .collect_connection import connection_stats
from .collect_media import media_stats
from .layer_stats import LayerStats, layer_counters
from .moment import Moment
from .report import RTCStats, RTCStatsReport


@attrs.frozen(kw_only=True)
class MonitoredConnection:
    """What the statistics of a peer connection are taken of.

    Attributes:
        stack: The transports.
        monitor: The states.
        certificate: Our certificate.
        table: The transceivers.
        media: What carries their media.
    """

    stack: TransportStack
    monitor: ConnectionMonitor
    certificate: RTCCertificate
    table: TransceiverTable
    media: MediaLink


def collect_stats(connection: MonitoredConnection, moment: Moment) -> RTCStatsReport:
    """Return all statistics of one peer connection at one moment."""
    return {stats.id: stats for stats in _all_stats(connection, moment)}


def _all_stats(connection: MonitoredConnection, moment: Moment) -> Iterator[RTCStats]:
    stack, timestamp = connection.stack, moment.timestamp
    yield from connection_stats(stack, connection.monitor, connection.certificate, timestamp)
    yield from media_stats(stack, connection.table, connection.media, moment)
    counters = layer_counters(stack, connection.table.transceivers, connection.media)
    yield LayerStats(id="layers", timestamp=timestamp, counters=counters)
