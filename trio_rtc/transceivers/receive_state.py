"""The receiving half of a transceiver: W3C's internal slots of RTCRtpReceiver, the queues and the pipeline."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._pipeline.receive_pipeline import ReceivePipeline
from trio_rtc.enums import MediaStreamTrackState
from trio_rtc.event_target import HandlerRunner
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.protocols.rtp import Codec, ReceivedTelephoneEvent
from trio_rtc.tracks.frame_queue import FrameQueue, always
from trio_rtc.tracks.frame_source import FrameSource
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
from trio_rtc.transports.rtc_transports import RTCDtlsTransport

from .media_plans import w3c_receive_parameters
from .rtp_parameters import RTCRtpReceiveParameters

ItemT = TypeVar("ItemT")

PACKET_CAPACITY: Final = 512
"""Maximum number of packets or frames in a queue of the application; the oldest is dropped and counted beyond."""


@attrs.define(eq=False)
class ReceiveState:
    """The receiving half of a transceiver.

    Attributes:
        track: W3C's ``[[ReceiverTrack]]``.
        transport: W3C's ``[[ReceiverTransport]]``.
        negotiated: The plan of the last negotiation; ``None`` without one.
        codecs: The codecs that may be received: those of the last answer, final or provisional.
        jitter_buffer_target: Milliseconds; ``None`` for automatic adaptation.
    """

    runner: HandlerRunner
    source: FrameSource
    track: MediaStreamTrack
    pipeline: ReceivePipeline
    transport: RTCDtlsTransport | None = None
    negotiated: MediaPlan | None = None
    codecs: tuple[Codec, ...] = ()
    jitter_buffer_target: float | None = None
    event_queues: dict[FrameQueue[ReceivedTelephoneEvent], str | None] = attrs.field(factory=dict)
    _dropped_before: int = 0

    @property
    def parameters(self) -> RTCRtpReceiveParameters:
        """The negotiated parameters in W3C's form."""
        return w3c_receive_parameters(self.track.kind, self.negotiated, self.codecs)

    @property
    def dropped(self) -> int:
        """Number of packets, encoded frames and telephone events that were not received in time."""
        return self._dropped_before + sum(queue.dropped for queue in self._queues)

    @property
    def _queues(self) -> tuple[FrameQueue[Any], ...]:
        return (*self.pipeline.packet_queues, *self.pipeline.encoded_queues, *self.event_queues)

    @asynccontextmanager
    async def subscribe(
        self,
        queues: dict[FrameQueue[ItemT], str | None],
        rid: str | None,
        on_change: Callable[[], None],
        may_begin: Callable[[object], bool] = always,
    ) -> AsyncIterator[FrameQueue[ItemT]]:
        """Register a queue of the application for the duration of a block.

        Args:
            queues: ``event_queues``, or ``packet_queues`` or ``encoded_queues`` of the pipeline.
            rid: The RID of a simulcast layer; ``None`` for all.
            on_change: Called when a queue was added or removed.
            may_begin: Returns whether an item may be the first after a gap.
        """
        queue: FrameQueue[ItemT] = FrameQueue(PACKET_CAPACITY, may_begin)
        if self.track.ready_state is not MediaStreamTrackState.LIVE:
            queue.end()
        queues[queue] = rid
        on_change()
        try:
            await trio.lowlevel.checkpoint()
            yield queue
        finally:
            del queues[queue]
            self._dropped_before += queue.dropped
            queue.close()
            on_change()

    def push_telephone_event(self, event: ReceivedTelephoneEvent) -> None:
        """Add a telephone event to all queues for telephone events."""
        for queue in self.event_queues:
            queue.put(event)

    def end(self) -> None:
        self.source.end()
        for queue in self._queues:
            queue.end()

    def end_later(self) -> None:
        """End the track and all queues on a later turn of the scheduler, since a public method has caused it.

        This includes the end of tracks by closing the connection (W3C webrtc section 4.4.1.10).
        """
        self.pipeline.close()
        self.runner.queue_task(self.end, after_end=True)

    def mute(self, muted: bool) -> None:
        """Mute or unmute the track, in a task of the connection."""
        self.source.mute(muted)

    def mute_later(self, muted: bool) -> None:
        """Mute or unmute the track on a later turn of the scheduler (W3C webrtc section 5.3)."""
        self.runner.queue_task(partial(self.source.mute, muted))
