"""Collection of the statistics of media sources, codecs and RTP streams."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

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
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
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


def media_stats(
    transports: Iterable[BundleTransport], table: TransceiverTable, moment: Moment
) -> Iterator[MediaStats]:
    """Yield the statistics of media.

    A stream has statistics from its first packet on, until its media section or its SSRC is removed. Codecs have
    statistics while a stream uses them.
    """
    for transceiver in table.records:
        if (track := transceiver.send.track) is not None:
            yield _source_stats(track, moment)
    for transport in transports:
        if (rtp := transport.stack.rtp) is not None:
            transport_id = id_of_transport(transport.number)
            yield from _sent_streams(rtp.session, transport_id, table, moment)
            yield from _received_streams(rtp.session, transport_id, table, moment)


def _sent_streams(
    session: "RtpSession", transport_id: str, table: TransceiverTable, moment: Moment
) -> Iterator[MediaStats]:
    for stream, report in session.sender.streams:
        transceiver = table.by_mid(stream.mid)
        if transceiver is None or not stream.clock.is_running:
            continue
        codec = _codec_stats(transceiver, stream.codec, transport_id, moment)
        if codec is not None:
            yield codec
        codec_id = None if codec is None else codec.id
        track, pipeline = transceiver.send.track, transceiver.send.pipeline
        remote = remote_inbound_stats(
            transceiver, stream, report, transport_id=transport_id, codec_id=codec_id, moment=moment
        )
        if remote is not None:
            yield remote
        yield outbound_stats(
            transceiver,
            stream,
            session.sender.parameters_of(stream),
            None if pipeline is None else pipeline.layers.get(stream.encoding.ssrc),
            transport_id=transport_id,
            codec_id=codec_id,
            media_source_id=None if track is None else _source_id(track),
            remote_id=None if remote is None else remote.id,
            moment=moment,
        )


def _received_streams(
    session: "RtpSession", transport_id: str, table: TransceiverTable, moment: Moment
) -> Iterator[MediaStats]:
    for stream in session.receiver.streams:
        transceiver = table.by_mid(stream.mid)
        if transceiver is None:
            continue
        codec = _codec_stats(transceiver, stream.codec, transport_id, moment)
        if codec is not None:
            yield codec
        codec_id = None if codec is None else codec.id
        remote = remote_outbound_stats(transceiver, stream, transport_id, codec_id, moment)
        if remote is not None:
            yield remote
        yield inbound_stats(
            transceiver,
            stream,
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


def _source_id(track: MediaStreamTrack) -> str:
    return f"media-source-{track.id}"


def _source_stats(track: MediaStreamTrack, moment: Moment) -> RTCMediaSourceStats:
    source = track._state.source
    stats = source.stats
    if track.kind == "audio":
        level = stats.audio_level
        return RTCAudioSourceStats(
            id=_source_id(track),
            timestamp=moment.timestamp,
            track_identifier=track.id,
            kind=track.kind,
            audio_level=level.level,
            total_audio_energy=None if level.level is None else level.energy,
            total_samples_duration=stats.seconds,
        )
    return RTCVideoSourceStats(
        id=_source_id(track),
        timestamp=moment.timestamp,
        track_identifier=track.id,
        kind=track.kind,
        width=stats.width,
        height=stats.height,
        frames=source.frames,
        frames_per_second=stats.rate.in_last_second(moment.now),
    )
