"""RTCRtpReceiver: what receives a track (W3C webrtc section 5.3)."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import trio

from trio_rtc._environment import require_trio
from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.event_target import HandlerRunner
from trio_rtc.protocols.rtp import EncodedFrame, ReceivedTelephoneEvent, RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue, always, at_keyframe
from trio_rtc.tracks.frame_source import FrameSource, FrameTransform, check_transform
from trio_rtc.tracks.media_stream_track import MediaStreamTrack

from .capabilities import capabilities_of
from .packet_channel import RtpPacketChannel
from .rtp_parameters import (
    RTCRtpCapabilities,
    RTCRtpContributingSource,
    RTCRtpReceiveParameters,
    RTCRtpSynchronizationSource,
)
from .source_tracker import ReceivedSources, SourceTracker

if TYPE_CHECKING:
    from trio_rtc.stats import RTCStatsReport
    from trio_rtc.transports.rtc_transports import RTCDtlsTransport


ItemT = TypeVar("ItemT")

_MAX_JITTER_BUFFER_TARGET = 4000
PACKET_CAPACITY = 512
"""Packets that wait for whoever forwards them; beyond, the oldest is dropped and counted."""


class ReceivingCarrier(Protocol):
    """What a receiver needs of its peer connection."""

    def wall_clock(self) -> float:
        """Return the time of day in milliseconds."""

    def demand_changed(self, receiver: "RTCRtpReceiver") -> None:
        """Hear that somebody wants frames or packets of the receiver, or nobody any more."""

    def request_keyframe(self, receiver: "RTCRtpReceiver", rid: str | None) -> None:
        """Ask the peer for a keyframe."""

    def received_sources(self, receiver: "RTCRtpReceiver") -> list[ReceivedSources]:
        """Return who is in what the receiver's streams bring."""

    async def stats_of(self, selected: object) -> "RTCStatsReport":
        """Return the statistics that concern a sender or receiver."""


class RTCRtpReceiver:
    """Receives a track (W3C webrtc section 5.3). Made with its transceiver, and its track with it.

    Attributes:
        decode: Whether the track gives decoded frames. By default it does if the extra ``media`` is installed; set
            to ``False`` before frames are taken, it gives :class:`.EncodedFrame`. Not W3C's.
        layer: Which simulcast layer the track shows, by RID; ``None`` for the first that comes. Not W3C's.
    """

    decode: bool = False
    layer: str | None = None

    def __init__(
        self,
        kind: str,
        track_id: str | None,
        *,
        decode: bool,
        carrier: ReceivingCarrier,
        runner: HandlerRunner,
    ) -> None:
        self._carrier = carrier
        self._source = FrameSource(kind, self._demand_changed)
        self._track = MediaStreamTrack(self._source, runner=runner, id=track_id, muted=True)
        self._transport: RTCDtlsTransport | None = None
        self._parameters = RTCRtpReceiveParameters()
        self._sources = SourceTracker(carrier.wall_clock)
        self._packet_queues: dict[FrameQueue[RtpPacket], str | None] = {}
        self._encoded_queues: dict[FrameQueue[EncodedFrame], str | None] = {}
        self._event_queues: dict[FrameQueue[ReceivedTelephoneEvent], str | None] = {}
        self._transform: FrameTransform | None = None
        self._dropped_before = 0
        self._jitter_buffer_target: float | None = None
        self.decode = decode

    @property
    def track(self) -> MediaStreamTrack:
        """The track; its frames come as soon as the peer sends."""
        return self._track

    @property
    def transport(self) -> "RTCDtlsTransport | None":
        """Over which transport; ``None`` until one is negotiated."""
        return self._transport

    @property
    def transform(self) -> FrameTransform | None:
        """What each encoded frame goes through before anybody gets it, such as end-to-end encryption.

        W3C's encoded transform, as an asynchronous function: frame in, frame out, or ``None`` to drop it. An error
        that it raises ends the connection's block.
        """
        return self._transform

    @transform.setter
    def transform(self, transform: FrameTransform | None) -> None:
        check_transform(transform, "RTCRtpReceiver.transform")
        self._transform = transform

    @property
    def jitter_buffer_target(self) -> float | None:
        """Milliseconds that media is to be held to even out jitter; ``None``: as it needs (W3C webrtc-extensions).

        Raises:
            ValueError: Setting: it is not between 0 and 4000.
        """
        return self._jitter_buffer_target

    @jitter_buffer_target.setter
    def jitter_buffer_target(self, target: float | None) -> None:
        if target is not None and not 0 <= target <= _MAX_JITTER_BUFFER_TARGET:
            raise ValueError(f"jitter_buffer_target is between 0 and 4000 ms, not {target}")
        self._jitter_buffer_target = target
        self._demand_changed()

    @staticmethod
    def get_capabilities(kind: str) -> RTCRtpCapabilities | None:
        """Return what can be received of a kind, ``None`` for a kind that there is not."""
        return capabilities_of(kind)

    def get_parameters(self) -> RTCRtpReceiveParameters:
        """Return what was negotiated."""
        return self._parameters

    def get_contributing_sources(self) -> list[RTCRtpContributingSource]:
        """Return who contributed (CSRC) to what was played in the last ten seconds, the newest first.

        While nobody takes the frames, to what came.
        """
        return self._sources.contributing(self._received_sources())

    def get_synchronization_sources(self) -> list[RTCRtpSynchronizationSource]:
        """Return the sources (SSRC) of what was played in the last ten seconds, the newest first.

        While nobody takes the frames, of what came.
        """
        return self._sources.synchronizing(self._received_sources())

    def _received_sources(self) -> list[ReceivedSources]:
        return [] if self._wants_frames else self._carrier.received_sources(self)

    async def get_stats(self) -> "RTCStatsReport":
        """Return the statistics of this receiver."""
        require_trio("RTCRtpReceiver.get_stats")
        return await self._carrier.stats_of(self)

    def request_keyframe(self, *, rid: str | None = None) -> None:
        """Ask the peer for a keyframe, such as for who has just begun to forward. Not W3C's."""
        self._carrier.request_keyframe(self, rid)

    @asynccontextmanager
    async def rtp_packets(self, *, rid: str | None = None) -> AsyncIterator[RtpPacketChannel]:
        """Take the packets as they come, repaired ones among them, for those who forward. Not W3C's.

        What is not taken in time is dropped, oldest first. The iteration ends with the receiver.

        Args:
            rid: Of which simulcast layer; ``None`` for all. Packets tell it themselves only at the beginning.

        Yields:
            A channel of packets, which also gives all that are there at once.
        """
        require_trio("RTCRtpReceiver.rtp_packets")
        async with self._queue_among(self._packet_queues, rid) as queue:
            yield RtpPacketChannel(queue)

    @asynccontextmanager
    async def encoded_frames(
        self, *, rid: str | None = None
    ) -> AsyncIterator[trio.abc.ReceiveChannel[EncodedFrame]]:
        """Take encoded frames beside the track, also of one simulcast layer only. Not W3C's.

        What is not taken in time is dropped, oldest first, and of pictures what needs it; then the next one is a
        keyframe, which is asked for. The iteration ends with the receiver.
        """
        require_trio("RTCRtpReceiver.encoded_frames")
        async with self._queue_among(self._encoded_queues, rid, at_keyframe) as queue:
            yield queue

    @asynccontextmanager
    async def telephone_events(self) -> AsyncIterator[trio.abc.ReceiveChannel[ReceivedTelephoneEvent]]:
        """Take the telephone events that the peer sends (RFC 4733), such as the tones of DTMF. Not W3C's.

        Each comes when it begins, and once more when it is over. What is not taken in time is dropped, oldest first.
        The iteration ends with the receiver.
        """
        require_trio("RTCRtpReceiver.telephone_events")
        async with self._queue_among(self._event_queues, None) as queue:
            yield queue

    @asynccontextmanager
    async def _queue_among(
        self,
        queues: dict[FrameQueue[ItemT], str | None],
        rid: str | None,
        may_begin: Callable[[object], bool] = always,
    ) -> AsyncIterator[FrameQueue[ItemT]]:
        """Have another queue among those of its kind, for as long as somebody takes from it."""
        queue: FrameQueue[ItemT] = FrameQueue(PACKET_CAPACITY, may_begin)
        if not self._is_live:
            queue.end()
        queues[queue] = rid
        self._demand_changed()
        try:
            await trio.lowlevel.checkpoint()
            yield queue
        finally:
            del queues[queue]
            self._dropped_before += queue.dropped
            queue.close()
            self._demand_changed()

    # -- what the peer connection tells ------------------------------------------------------------------------

    @property
    def _wants_frames(self) -> bool:
        return self._source.is_wanted or bool(self._encoded_queues)

    @property
    def _wants_packets(self) -> bool:
        return bool(self._packet_queues)

    @property
    def _queues(self) -> tuple[FrameQueue[Any], ...]:
        return (*self._packet_queues, *self._encoded_queues, *self._event_queues)

    @property
    def _dropped(self) -> int:
        """Packets, encoded frames and telephone events that were not taken in time."""
        return self._dropped_before + sum(queue.dropped for queue in self._queues)

    def _settle(self, parameters: RTCRtpReceiveParameters, transport: "RTCDtlsTransport | None") -> None:
        self._parameters = parameters
        self._transport = transport

    def _take_packets(self, rid: str | None, packets: list[RtpPacket]) -> None:
        for queue, wanted in self._packet_queues.items():
            if wanted is None or wanted == rid:
                queue.put_all(packets)

    def _take_event(self, heard: ReceivedTelephoneEvent) -> None:
        for queue in self._event_queues:
            queue.put(heard)

    def _take_encoded(self, frame: EncodedFrame) -> None:
        """Take a frame for those who want encoded ones, and note who is in it."""
        self._sources.note(frame)
        for queue, rid in self._encoded_queues.items():
            if rid is None or rid == frame.rid:
                queue.put(frame)
                if queue.waits_for_beginning:
                    self.request_keyframe(rid=frame.rid)

    def _end(self) -> None:
        """End the track and everything else that is taken from here."""
        self._source.end()
        for queue in self._queues:
            queue.end()

    def _end_later(self) -> None:
        """End on a later turn of the scheduler, since a public method has caused it.

        Closing the connection is one: its tracks end as tracks do (W3C webrtc section 4.4.1.10).
        """
        self._track._runner.queue_task(self._end, after_end=True)

    def _mute(self, muted: bool) -> None:
        """Mute or unmute the track, after what is queued."""
        self._track._runner.run_task(partial(self._source.mute, muted))

    def _mute_later(self, muted: bool) -> None:
        """Mute or unmute the track on a later turn of the scheduler (W3C webrtc section 5.3)."""
        self._track._runner.queue_task(partial(self._source.mute, muted))

    @property
    def _is_live(self) -> bool:
        return self._track.ready_state is MediaStreamTrackState.LIVE

    def _demand_changed(self) -> None:
        self._carrier.demand_changed(self)
