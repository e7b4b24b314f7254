"""The receive pipeline: the media of one section, from the RTP session to the application.

Packets go to the application's queues. Frames pass the application's transform, go to its queues for encoded frames,
and are decoded for the track in worker threads while the track has a consumer.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp import Concealment, EncodedFrame, RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue, at_keyframe, payload_size
from trio_rtc.tracks.frame_source import FrameSource, FrameTransform, apply_transform

if TYPE_CHECKING:
    from trio_rtc.codecs import DecodeWorker, VideoDecoderOptions
    from trio_rtc.codecs.worker import DecodeCounters

logger = logging.getLogger("trio_rtc.media")

_TRANSFORMS_WAITING = 64
"""Maximum number of frames that wait for the application's transform; the oldest is dropped beyond."""
_MAX_SOURCES = 16
_MAX_PLAYED = 64
"""SSRCs, and CSRCs, whose last playout is recorded."""


class PlayedSource(NamedTuple):
    """The last playout of a source.

    Attributes:
        at: Its time on trio's clock, in seconds.
        audio_level: The audio level in -dBov (RFC 6464); ``None`` if it was not signaled.
        timestamp: The RTP timestamp, 32 bits.
    """

    at: float
    audio_level: int | None
    timestamp: int


class ReceivePipeline:
    """Processes the frames and packets of one media section.

    Args:
        request_keyframe: Requests a keyframe of a layer. The media section may move from one transport to another, so
            this is not a method of one RTP session.
        decode: Whether the track provides decoded frames.
        video_decoder: Options of video decoders; ``None`` for the defaults.

    Attributes:
        decode: Whether the track provides decoded frames.
        layer: The RID of the simulcast layer to select; ``None`` for the layer of the first frame.
        transform: The application's transform of encoded frames.
        decoded: Counters of the decoders by SSRC, for the last 16 SSRCs.
        dropped: Frames dropped before the decoder by SSRC, for the last 16 SSRCs.
        packet_queues: Queues of the application for RTP packets, each with its RID; ``None`` for all layers.
        encoded_queues: The same for encoded frames.
        played: The last playout of each SSRC, the latest last; at most 64.
        contributing: The same for CSRCs.
    """

    def __init__(
        self,
        source: FrameSource,
        request_keyframe: Callable[[str | None], None],
        *,
        decode: bool,
        video_decoder: "VideoDecoderOptions | None" = None,
    ) -> None:
        self._source = source
        self._request_keyframe = request_keyframe
        self._video_decoder = video_decoder
        self._nursery: trio.Nursery | None = None
        self._closed = False
        self._worker: DecodeWorker[Any] | None = None
        self._scope: trio.CancelScope | None = None
        self._codec: str | None = None
        self._clock_rate = 1
        self._rid: str | None = None
        self._transforming: FrameQueue[tuple[str | None, Any]] | None = None
        self._ssrc: int | None = None
        self.decode = decode
        self.layer: str | None = None
        self.transform: FrameTransform | None = None
        self.decoded: dict[int, DecodeCounters] = {}
        self.dropped: Counter[int] = Counter()
        self.packet_queues: dict[FrameQueue[RtpPacket], str | None] = {}
        self.encoded_queues: dict[FrameQueue[EncodedFrame], str | None] = {}
        self.played: dict[int, PlayedSource] = {}
        self.contributing: dict[int, PlayedSource] = {}

    def open(self, nursery: trio.Nursery) -> None:
        """Set the nursery of decoders and transforms; media before that is ignored."""
        self._nursery = nursery

    def close(self) -> None:
        """Ignore all further media."""
        self._closed = True

    @property
    def wants_frames(self) -> bool:
        return self._source.has_consumers or bool(self.encoded_queues)

    @property
    def only_decodes(self) -> bool:
        """Whether all frames are decoded for the track, so that the decoder can lengthen and shorten audio."""
        return self.decode and self._source.has_consumers and not self.encoded_queues

    @property
    def wants_packets(self) -> bool:
        return bool(self.packet_queues)

    @property
    def transforms_dropped(self) -> int:
        """Frames dropped because the application's transform was too slow."""
        return 0 if self._transforming is None else self._transforming.dropped

    @property
    def implementation(self) -> str | None:
        """Name of the decoder; ``None`` while nothing is decoded."""
        return None if self._worker is None else self._worker.implementation

    @property
    def all_dropped(self) -> int:
        """Frames dropped before the decoder, of all SSRCs."""
        present = 0 if self._worker is None else self._worker.dropped
        return self.dropped.total() + present

    def dropped_of(self, ssrc: int) -> int:
        """Return the number of frames of an SSRC that were dropped before the decoder."""
        present = self._worker if ssrc == self._ssrc else None
        return self.dropped[ssrc] + (0 if present is None else present.dropped)

    def push_packets(self, rid: str | None, packets: list[RtpPacket]) -> None:
        """Add received packets to the queues of their layer."""
        if self._nursery is None or self._closed:
            return
        for queue, queue_rid in self.packet_queues.items():
            if queue_rid is None or queue_rid == rid:
                queue.put_all(packets)

    def push_frames(self, rid: str | None, frames: Sequence[EncodedFrame | Concealment]) -> None:
        if self._nursery is None or self._closed:
            return
        for frame in frames:
            if self.transform is None and self._transforming is None:
                self._push_transformed(rid, frame)
            else:
                self._push_to_transform(self._nursery, rid, frame)

    def _push_to_transform(
        self, nursery: trio.Nursery, rid: str | None, frame: EncodedFrame | Concealment
    ) -> None:
        if self._transforming is None:
            self._transforming = FrameQueue(_TRANSFORMS_WAITING, _may_begin, size_of=_size_of)
            nursery.start_soon(self._transform, self._transforming)
        self._transforming.put((rid, frame))
        if self._transforming.needs_keyframe:
            self._request_keyframe(rid)

    async def _transform(self, queue: FrameQueue[tuple[str | None, Any]]) -> None:
        """Pass frames through the application's transform, one after the other."""
        while True:
            rid, frame = await queue.receive()
            transform = self.transform
            if transform is not None:
                # The following frame has not been transformed yet, so its in-band FEC cannot be decoded.
                if isinstance(frame, EncodedFrame):
                    stretch = frame.stretch
                    frame = await apply_transform(transform, frame, "RTCRtpReceiver.transform")
                    if stretch and frame is not None:
                        frame = attrs.evolve(frame, stretch=stretch)
                else:
                    frame = attrs.evolve(frame, following=None)
            if frame is not None:
                self._push_transformed(rid, frame)

    def _push_transformed(self, rid: str | None, frame: Any) -> None:
        if isinstance(frame, EncodedFrame):
            self._push_encoded(frame)
        if not self._source.has_consumers or not self._is_selected(rid, frame):
            return
        if not self.decode:
            if isinstance(frame, EncodedFrame):
                self._source.push(frame)
                if self._source.needs_keyframe:
                    self._request_keyframe(rid)
            return
        if isinstance(frame, EncodedFrame):
            worker = self._worker_for(frame)
            if worker is not None:
                # Measured only without the sender's level: it takes longer than everything else with a frame here.
                self._source.stats.measures_levels = frame.audio_level is None
                self._count_for(frame, worker)
                worker.put(frame)
        elif self._worker is not None:
            self._worker.conceal(frame.duration / self._clock_rate, frame.following)

    def _push_encoded(self, frame: EncodedFrame) -> None:
        """Record the sources of a frame, and add it to the queues of its layer."""
        played = PlayedSource(trio.current_time(), frame.audio_level, frame.timestamp & 0xFFFFFFFF)
        if frame.ssrc is not None:
            _record_last(self.played, frame.ssrc, played)
        for csrc in frame.contributing_sources:
            # Levels of contributing sources (RFC 6465) are not received.
            _record_last(self.contributing, csrc, played._replace(audio_level=None))
        needs_keyframe = False
        for queue, rid in self.encoded_queues.items():
            if rid is None or rid == frame.rid:
                queue.put(frame)
                needs_keyframe |= queue.needs_keyframe
        if needs_keyframe:
            self._request_keyframe(frame.rid)

    def pause(self) -> None:
        """Stop decoding, because the track has no consumer."""
        self._stop_decoding()
        self._rid = None

    def _stop_decoding(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
        if self._worker is not None and self._ssrc is not None:
            self.dropped[self._ssrc] += self._worker.dropped
            if len(self.dropped) > _MAX_SOURCES:
                del self.dropped[next(iter(self.dropped))]
        self._worker = self._scope = self._codec = None

    def _is_selected(self, rid: str | None, frame: Any) -> bool:
        """Return whether a frame belongs to the selected layer, or to the first one received if none is selected.

        A newly selected layer begins with its next keyframe, which is requested; until then the previous one continues.
        """
        chosen = self.layer
        if self._rid is None:
            self._rid = rid if chosen is None else chosen
        if rid == chosen != self._rid and isinstance(frame, EncodedFrame):
            if frame.keyframe:
                self._rid = chosen
            else:
                # Repeated with every frame, since a request may be lost; the RTP session limits their rate.
                self._request_keyframe(chosen)
        return rid == self._rid

    def _worker_for(self, frame: EncodedFrame) -> "DecodeWorker[Any] | None":
        if self._codec == frame.codec:
            return self._worker
        self._stop_decoding()
        self._codec, self._clock_rate = frame.codec, frame.clock_rate
        worker = _open_decoder(self._source.kind, frame.codec, self._video_decoder)
        if worker is not None:
            self._worker = worker
            self._scope = trio.CancelScope()
            assert self._nursery is not None
            self._nursery.start_soon(self._run, worker, self._scope)
        return worker

    def _count_for(self, frame: EncodedFrame, worker: "DecodeWorker[Any]") -> None:
        """Attribute the worker's counters to the SSRC of a frame."""
        ssrc = frame.ssrc or 0
        counters = self.decoded.get(ssrc)
        if counters is None:
            counters = self.decoded[ssrc] = type(worker.counters)()
            if len(self.decoded) > _MAX_SOURCES:
                del self.decoded[next(iter(self.decoded))]
        worker.counters = counters
        self._ssrc = ssrc

    async def _run(self, worker: "DecodeWorker[Any]", scope: trio.CancelScope) -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._request_needed_keyframes, worker)
                await worker.run(self._source.push)

    async def _request_needed_keyframes(self, worker: "DecodeWorker[Any]") -> None:
        while True:
            await worker.keyframe_needed()
            self._request_keyframe(self._rid)


def _record_last(sources: dict[int, PlayedSource], number: int, played: PlayedSource) -> None:
    sources.pop(number, None)
    sources[number] = played
    if len(sources) > _MAX_PLAYED:
        del sources[next(iter(sources))]


def _may_begin(item: tuple[str | None, Any]) -> bool:
    return at_keyframe(item[1])


def _size_of(item: tuple[str | None, Any]) -> int:
    return payload_size(item[1])


def _open_decoder(kind: str, codec: str, options: "VideoDecoderOptions | None") -> "DecodeWorker[Any] | None":
    from trio_rtc.codecs import (  # noqa: PLC0415 (an optional extra, imported on use)
        CodecError,
        DecodeWorker,
        create_audio_decoder,
        create_video_decoder,
    )
    from trio_rtc.codecs.stretching_decoder import StretchingDecoder  # noqa: PLC0415 (as above)

    try:
        if kind == "video":
            return DecodeWorker(create_video_decoder(codec, options))
        return DecodeWorker(StretchingDecoder(create_audio_decoder(codec)))
    except CodecError as error:
        logger.warning("a received stream cannot be decoded: %s", error)
        return None
