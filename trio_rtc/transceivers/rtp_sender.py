"""RTCRtpSender: what sends a track (W3C webrtc section 5.2)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from trio_rtc._closed_errors import mark_connection_ended
from trio_rtc._environment import new_id, require_trio
from trio_rtc.enums import MediaStreamTrackState, RTCDegradationPreference
from trio_rtc.errors import InvalidStateError
from trio_rtc.event_target import HandlerRunner
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue
from trio_rtc.tracks.frame_source import FrameTransform, check_transform
from trio_rtc.tracks.media_stream import MediaStream
from trio_rtc.tracks.media_stream_track import MediaStreamTrack

from .capabilities import capabilities_of
from .dtmf_sender import RTCDTMFSender
from .encodings import check_parameters
from .rtp_parameters import (
    RTCRtcpParameters,
    RTCRtpCapabilities,
    RTCRtpCodec,
    RTCRtpCodecParameters,
    RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)

if TYPE_CHECKING:
    from trio_rtc.stats import RTCStatsReport
    from trio_rtc.transports.rtc_transports import RTCDtlsTransport


_REQUESTS_KEPT = 16
_TELEPHONE_EVENT = "audio/telephone-event"


class SendingCarrier(Protocol):
    """What a sender needs of its peer connection."""

    def is_closed(self) -> bool:
        """Whether the connection is closed."""

    async def chain(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Run something in its turn among the operations of the connection."""

    def update_negotiation_need(self) -> None:
        """Look again whether negotiation is needed."""

    def sending_changed(self, sender: "RTCRtpSender") -> None:
        """Hear that the track or the parameters are others."""

    async def send_packets(
        self, sender: "RTCRtpSender", packets: Sequence[RtpPacket], rid: str | None
    ) -> None:
        """Send packets in a stream of the sender's."""

    def is_sending(self, sender: "RTCRtpSender") -> bool:
        """Whether the connection is up and lets the sender send."""

    def choosable_codecs(self, sender: "RTCRtpSender") -> Sequence[RTCRtpCodec]:
        """Return the codecs that could be sent, as long as none was negotiated."""

    def send_event(self, sender: "RTCRtpSender", code: int, elapsed: float, *, end: bool) -> None:
        """Tell the peer how long a telephone event has lasted."""

    async def stats_of(self, selected: object) -> "RTCStatsReport":
        """Return the statistics that concern a sender or receiver."""


@attrs.define
class NegotiatedSending:
    """What the last exchange has settled.

    Attributes:
        codecs: What the peer takes, the preferred one first.
        header_extensions: What both sides know.
        rtcp: Names and modes.
    """

    codecs: tuple[RTCRtpCodecParameters, ...] = ()
    header_extensions: tuple[RTCRtpHeaderExtensionParameters, ...] = ()
    rtcp: RTCRtcpParameters = attrs.field(factory=RTCRtcpParameters)


class RTCRtpSender:
    """Sends a track, or nothing for the time being (W3C webrtc section 5.2).

    Made by ``add_track`` and ``add_transceiver``.
    """

    def __init__(
        self,
        kind: str,
        track: MediaStreamTrack | None,
        encodings: list[RTCRtpEncodingParameters],
        streams: Sequence[MediaStream],
        *,
        carrier: SendingCarrier,
        runner: HandlerRunner,
        cname: str,
    ) -> None:
        self._kind = kind
        self._track = track
        self._encodings = encodings
        self._carrier = carrier
        self._transport: RTCDtlsTransport | None = None
        self._negotiated = NegotiatedSending(rtcp=RTCRtcpParameters(cname))
        self._last_returned: RTCRtpSendParameters | None = None
        self._dtmf = RTCDTMFSender(_Tones(self), runner) if kind == "audio" else None
        self._stopped = False
        self._id = new_id()
        self._stream_ids: tuple[str, ...] = ()
        self._has_sent = False
        # Sets that keep their order.
        self._keyframe_requests: dict[FrameQueue[str | None], None] = {}
        self._target_bitrates: Mapping[str | None, float] = MappingProxyType({})
        self._bitrate_changes: dict[FrameQueue[Mapping[str | None, float]], None] = {}
        self._transform: FrameTransform | None = None
        self._degradation_preference: RTCDegradationPreference | None = None
        self._set_streams(streams)
        if track is not None:
            track._source.begin_retaining()

    @property
    def track(self) -> MediaStreamTrack | None:
        """What is sent; ``None`` for nothing."""
        return self._track

    @property
    def transport(self) -> "RTCDtlsTransport | None":
        """Over which transport; ``None`` until one is negotiated."""
        return self._transport

    @property
    def dtmf(self) -> RTCDTMFSender | None:
        """Sends telephone tones; ``None`` for video."""
        return self._dtmf

    @property
    def transform(self) -> FrameTransform | None:
        """What each encoded frame goes through before it is sent, such as end-to-end encryption.

        W3C's encoded transform, as an asynchronous function: frame in, frame out, or ``None`` to drop it. What it
        leaves in the clear has to be enough for the payload format: the first bytes that tell keyframes and sizes.
        When it drops a frame that was encoded here, or a keyframe, the next video frame is a keyframe.
        """
        return self._transform

    @transform.setter
    def transform(self, transform: FrameTransform | None) -> None:
        check_transform(transform, "RTCRtpSender.transform")
        self._transform = transform
        self._carrier.sending_changed(self)

    @staticmethod
    def get_capabilities(kind: str) -> RTCRtpCapabilities | None:
        """Return what can be sent of a kind, ``None`` for a kind that there is not."""
        return capabilities_of(kind, sends=True)

    def get_parameters(self) -> RTCRtpSendParameters:
        """Return how the track is sent; change the result and give it to ``set_parameters``.

        The result is good for one ``set_parameters``, until the next negotiation.
        """
        if self._last_returned is None:
            self._last_returned = RTCRtpSendParameters(
                new_id(),
                [attrs.evolve(encoding) for encoding in self._encodings],
                self._negotiated.header_extensions,
                self._negotiated.rtcp,
                self._negotiated.codecs,
                self._degradation_preference,
            )
        return attrs.evolve(
            self._last_returned, encodings=[attrs.evolve(encoding) for encoding in self._encodings]
        )

    async def set_parameters(self, parameters: RTCRtpSendParameters) -> None:
        """Change how the track is sent, without negotiation.

        Args:
            parameters: What ``get_parameters`` has returned last, changed.

        Raises:
            InvalidStateError: The connection is closed, the transceiver was stopped, or there was no
                ``get_parameters`` since the last change or negotiation.
            InvalidModificationError: Something was changed that is fixed.
            ValueError: A number is out of range.
        """
        require_trio("RTCRtpSender.set_parameters")
        await trio.lowlevel.checkpoint()
        self._require_live()
        last = self._last_returned
        if last is None:
            raise InvalidStateError("get_parameters comes first, and its result is good for one call")
        codecs = self._negotiated.codecs or self._carrier.choosable_codecs(self)
        encodings = check_parameters(self._kind, parameters, last, codecs)
        self._last_returned = None
        self._encodings = encodings
        self._degradation_preference = parameters.degradation_preference
        self._carrier.sending_changed(self)

    async def replace_track(self, track: MediaStreamTrack | None) -> None:
        """Send another track of the same kind from now on, or nothing, without negotiation.

        Raises:
            TypeError: It is of another kind.
            InvalidStateError: The connection is closed, or the transceiver was stopped.
        """
        require_trio("RTCRtpSender.replace_track")
        if track is not None and track.kind != self._kind:
            raise TypeError(f"a sender of {self._kind} cannot send {track.kind}")
        self._require_open()

        async def replace() -> None:
            self._require_live()
            self._set_track(track)

        await self._carrier.chain(replace)

    def set_streams(self, *streams: MediaStream) -> None:
        """Say to which streams the track belongs, as the peer is to see it after the next negotiation.

        Raises:
            InvalidStateError: The connection is closed.
        """
        self._require_open()
        self._set_streams(streams)
        self._carrier.update_negotiation_need()

    async def get_stats(self) -> "RTCStatsReport":
        """Return the statistics of this sender."""
        require_trio("RTCRtpSender.get_stats")
        return await self._carrier.stats_of(self)

    async def send_rtp(self, *packets: RtpPacket, rid: str | None = None) -> None:
        """Send packets of another stream as ones of ours, for those who forward without decoding.

        Source, sequence number and timestamp are rewritten so that ours go on without a gap, also when the
        source changes. The payload type is kept if it was negotiated here, else the codec of the first encoding is
        taken. Not W3C's.

        Args:
            packets: As a receiver gave them; several at once cost less than one by one.
            rid: Which of our layers it is for; ``None`` for the first.

        Raises:
            InvalidStateError: The connection is closed, or the transceiver was stopped.
            TypeError: There is something else than packets among them.
        """
        require_trio("RTCRtpSender.send_rtp")
        for packet in packets:
            if not isinstance(packet, RtpPacket):
                raise TypeError(f"send_rtp takes packets of type RtpPacket, not {type(packet).__name__}")
        self._require_live()
        await self._carrier.send_packets(self, packets, rid)

    @asynccontextmanager
    async def keyframe_requests(self) -> AsyncIterator[trio.abc.ReceiveChannel[str | None]]:
        """Hear when a keyframe is needed, for those who send encoded frames or packets. Not W3C's.

        The peer has asked for it, or something was dropped on this side: before the connection was there, because the
        pacer was full, or while there was no path to the peer.

        Yields:
            The RID of the layer, ``None`` if there is only one.
        """
        require_trio("RTCRtpSender.keyframe_requests")
        queue: FrameQueue[str | None] = FrameQueue(_REQUESTS_KEPT)
        self._keyframe_requests[queue] = None
        try:
            await trio.lowlevel.checkpoint()
            yield queue
        finally:
            self._keyframe_requests.pop(queue, None)
            queue.close()

    @property
    def target_bitrates(self) -> Mapping[str | None, float]:
        """What each layer may use at present, for those who encode themselves. Not W3C's.

        Bits a second by RID, ``None`` if there is only one; 0 for a layer that the bandwidth does not suffice for.
        Empty before anything was negotiated.
        """
        return self._target_bitrates

    @asynccontextmanager
    async def bitrate_changes(self) -> AsyncIterator[trio.abc.ReceiveChannel[Mapping[str | None, float]]]:
        """Hear when ``target_bitrates`` changes. Not W3C's.

        Yields:
            The present value, if there is one, then each new one; of several that were not taken the last.
        """
        require_trio("RTCRtpSender.bitrate_changes")
        queue: FrameQueue[Mapping[str | None, float]] = FrameQueue(1)
        if self._target_bitrates:
            queue.put(self._target_bitrates)
        self._bitrate_changes[queue] = None
        try:
            await trio.lowlevel.checkpoint()
            yield queue
        finally:
            self._bitrate_changes.pop(queue, None)
            queue.close()

    # -- what the peer connection tells ------------------------------------------------------------------------

    def _require_open(self) -> None:
        if self._carrier.is_closed():
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))

    def _require_live(self) -> None:
        self._require_open()
        if self._stopped:
            raise InvalidStateError("the transceiver was stopped")

    def _set_track(self, track: MediaStreamTrack | None) -> None:
        if track is not self._track:
            self._track = track
            if track is not None:
                track._source.begin_retaining()
            self._carrier.sending_changed(self)

    def _set_streams(self, streams: Sequence[MediaStream]) -> None:
        self._stream_ids = tuple(dict.fromkeys(stream.id for stream in streams))

    def _settle(self, negotiated: NegotiatedSending, transport: "RTCDtlsTransport | None") -> None:
        self._negotiated = negotiated
        self._last_returned = None
        self._transport = transport
        self._carrier.sending_changed(self)

    def _keyframe_requested(self, rid: str | None) -> None:
        """The peer needs a keyframe: for whoever sends encoded frames or packets himself."""
        for waiting in tuple(self._keyframe_requests):
            waiting.put(rid)

    def _bitrates_changed(self, bitrates: Mapping[str | None, float]) -> None:
        """Each layer may use so many bits a second."""
        if bitrates != self._target_bitrates:
            self._target_bitrates = MappingProxyType(dict(bitrates))
            for waiting in tuple(self._bitrate_changes):
                waiting.put(self._target_bitrates)

    def _stop(self) -> None:
        self._stopped = True
        self._carrier.sending_changed(self)

    def _set_encodings(self, encodings: list[RTCRtpEncodingParameters]) -> None:
        self._encodings = encodings
        self._last_returned = None

    def _reject_layers(self, accepted: Sequence[str]) -> None:
        """Keep only the layers that the peer takes (W3C webrtc section 4.4.1.5)."""
        self._last_returned = None
        kept = [encoding for encoding in self._encodings if encoding.rid in accepted]
        self._encodings = kept or self._encodings[:1]
        if len(self._encodings) == 1 and not kept:
            self._encodings[0].rid = None

    @property
    def _wanted_track(self) -> MediaStreamTrack | None:
        """The track, as long as it can give frames."""
        track = self._track
        if track is None or self._stopped or track.ready_state is MediaStreamTrackState.ENDED:
            return None
        return track


class _Tones:
    """What the telephone tones of a sender need of it.

    Args:
        sender: The sender.
    """

    def __init__(self, sender: RTCRtpSender) -> None:
        self._sender = sender

    def can_insert_dtmf(self) -> bool:
        """Whether tones can be sent at present (W3C webrtc section 7.2)."""
        sender = self._sender
        return (
            not sender._stopped
            and sender._carrier.is_sending(sender)
            and sender._encodings[0].active
            and any(codec.mime_type.lower() == _TELEPHONE_EVENT for codec in sender._negotiated.codecs)
        )

    def is_stopped(self) -> bool:
        """Whether nothing is sent any more."""
        return self._sender._stopped or not self._sender._carrier.is_sending(self._sender)

    def send_event(self, code: int, elapsed: float, *, end: bool) -> None:
        """Tell the peer how long a telephone event has lasted."""
        self._sender._carrier.send_event(self._sender, code, elapsed, end=end)
