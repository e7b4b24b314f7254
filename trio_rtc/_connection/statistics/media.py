"""Collection of the statistics of media sources, codecs and RTP streams."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from trio_rtc import _attrs as attrs
from trio_rtc._connection.bundle_transports import BundleTransport
from trio_rtc.protocols.rtp.codec import Codec, format_parameters
from trio_rtc.stats.media_stats import (
    RTCAudioSourceStats,
    RTCCodecStats,
    RTCInboundRtpStreamStats,
    RTCMediaSourceStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCRemoteOutboundRtpStreamStats,
    RTCVideoSourceStats,
)
from trio_rtc.stats.moment import Moment
from trio_rtc.transceivers.sent_sources import SentSource
from trio_rtc.transceivers.transceiver import Transceiver
from trio_rtc.transceivers.transceiver_table import TransceiverTable

from .connection import id_of_transport
from .inbound import inbound_stats, remote_outbound_stats
from .outbound import outbound_stats, remote_inbound_stats

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp import RtpSession

MediaStats = (
    RTCCodecStats
    | RTCMediaSourceStats
    | RTCOutboundRtpStreamStats
    | RTCRemoteInboundRtpStreamStats
    | RTCInboundRtpStreamStats
    | RTCRemoteOutboundRtpStreamStats
)


@attrs.define(eq=False)
class StreamNumbers:
    """Numbers RTP streams, so that no id is used again when another stream has the SSRC of one that has ended."""

    _numbers: WeakKeyDictionary[object, int] = attrs.field(factory=WeakKeyDictionary)
    _count: int = 0

    def name_of(self, stream: object, ssrc: int) -> str:
        """Return the part of an id that identifies a stream."""
        number = self._numbers.get(stream)
        if number is None:
            number = self._numbers[stream] = self._count
            self._count += 1
        return f"{ssrc}-{number}"


def media_stats(
    transports: Iterable[BundleTransport], table: TransceiverTable, numbers: StreamNumbers, moment: Moment
) -> Iterator[MediaStats]:
    """Yield the statistics of media.

    A stream has statistics from its first packet on, until its media section or its SSRC is removed. Codecs have
    statistics while a stream uses them.
    """
    for source in table.sources.all:
        yield _source_stats(source, moment)
    for transport in transports:
        if (rtp := transport.stack.rtp) is not None:
            transport_id = id_of_transport(transport.number)
            yield from _sent_streams(rtp.session, transport_id, table, numbers, moment)
            yield from _received_streams(rtp.session, transport_id, table, numbers, moment)


def _sent_streams(
    session: "RtpSession",
    transport_id: str,
    table: TransceiverTable,
    numbers: StreamNumbers,
    moment: Moment,
) -> Iterator[MediaStats]:
    for stream, report in session.sender.streams:
        transceiver = table.by_mid(stream.mid)
        if transceiver is None or not stream.clock.is_running:
            continue
        codec = _codec_stats(transceiver, stream.codec, transport_id, moment)
        if codec is not None:
            yield codec
        codec_id = None if codec is None else codec.id
        source, pipeline = table.sources.find(transceiver.send.track), transceiver.send.pipeline
        name = numbers.name_of(stream, stream.encoding.ssrc)
        remote = remote_inbound_stats(
            transceiver, stream, report, name, transport_id=transport_id, codec_id=codec_id, moment=moment
        )
        if remote is not None:
            yield remote
        yield outbound_stats(
            transceiver,
            stream,
            name,
            session.sender.parameters_of(stream),
            None if pipeline is None else pipeline.layers.get(stream.encoding.ssrc),
            transport_id=transport_id,
            codec_id=codec_id,
            media_source_id=None if source is None else _source_id(source),
            remote_id=None if remote is None else remote.id,
            moment=moment,
        )


def _received_streams(
    session: "RtpSession",
    transport_id: str,
    table: TransceiverTable,
    numbers: StreamNumbers,
    moment: Moment,
) -> Iterator[MediaStats]:
    for stream in session.receiver.streams:
        transceiver = table.by_mid(stream.mid)
        if transceiver is None:
            continue
        codec = _codec_stats(transceiver, stream.codec, transport_id, moment)
        if codec is not None:
            yield codec
        codec_id = None if codec is None else codec.id
        name = numbers.name_of(stream, stream.ssrc)
        remote = remote_outbound_stats(
            transceiver, stream, name, transport_id=transport_id, codec_id=codec_id, moment=moment
        )
        if remote is not None:
            yield remote
        yield inbound_stats(
            transceiver,
            stream,
            name,
            transceiver.receive.pipeline,
            transport_id=transport_id,
            codec_id=codec_id,
            remote_id=None if remote is None else remote.id,
            moment=moment,
        )


def _codec_stats(
    transceiver: Transceiver, codec: Codec | None, transport_id: str, moment: Moment
) -> RTCCodecStats | None:
    if codec is None:
        return None
    kind = transceiver.receive.track.kind
    mime_type, channels = f"{kind}/{codec.name}", codec.channels if kind == "audio" else None
    fmtp = format_parameters(codec.parameters) or None
    # A payload type may have other format parameters in the other direction, or another codec after a negotiation.
    digest = sha256(f"{mime_type} {codec.clock_rate} {channels} {fmtp}".encode()).hexdigest()
    suffix = transport_id.removeprefix("transport")
    return RTCCodecStats(
        id=f"codec-{codec.payload_type}-{digest[:8]}{suffix}",
        timestamp=moment.timestamp,
        payload_type=codec.payload_type,
        transport_id=transport_id,
        mime_type=mime_type,
        clock_rate=codec.clock_rate,
        channels=channels,
        sdp_fmtp_line=fmtp,
    )


def _source_id(source: SentSource) -> str:
    return f"media-source-{source.number}"


def _source_stats(source: SentSource, moment: Moment) -> RTCMediaSourceStats:
    track = source.track
    stats = source.media.stats
    if track.kind == "audio":
        level = stats.audio_level
        return RTCAudioSourceStats(
            id=_source_id(source),
            timestamp=moment.timestamp,
            track_identifier=track.id,
            kind=track.kind,
            audio_level=level.level,
            total_audio_energy=None if level.level is None else source.energy,
            total_samples_duration=source.seconds,
        )
    return RTCVideoSourceStats(
        id=_source_id(source),
        timestamp=moment.timestamp,
        track_identifier=track.id,
        kind=track.kind,
        width=stats.width,
        height=stats.height,
        frames=source.frames,
        frames_per_second=stats.rate.in_last_second(moment.now) if moment.now >= source.since + 1 else None,
    )
