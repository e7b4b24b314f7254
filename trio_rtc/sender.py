"""RTCRtpSender: what sends a track (W3C webrtc section 5.2)."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from .capabilities import capabilities_of
from .encodings import check_parameters
from .enums import MediaStreamTrackState, RTCDegradationPreference
from .errors import InvalidModificationError, InvalidStateError
from .frame_queue import FrameQueue, QueueChannel
from .protocols.rtp import EncodedFrame, RtpPacket
from .rtp_parameters import (
    RTCRtcpParameters,
    RTCRtpCapabilities,
    RTCRtpCodecParameters,
    RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)
from .tracks import MediaStream, MediaStreamTrack

if TYPE_CHECKING:
    from .dtmf import RTCDTMFSender
    from .stats import RTCStatsReport
    from .transport_objects import RTCDtlsTransport


_REQUESTS_KEPT = 16

FrameTransform = Callable[[EncodedFrame], Awaitable[EncodedFrame | None]]
"""What an encoded frame may go through on its way: returns what is to go on, ``None`` to drop the frame."""


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

    async def send_packet(self, sender: "RTCRtpSender", packet: RtpPacket, rid: str | None) -> None:
        """Send a packet in a stream of the sender's."""

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
        carrier: SendingCarrier,
    ) -> None:
        self._kind = kind
        self._track = track
        self._encodings = encodings
        self._carrier = carrier
        self._transport: RTCDtlsTransport | None = None
        self._negotiated = NegotiatedSending()
        self._last_returned: RTCRtpSendParameters | None = None
        self._dtmf: RTCDTMFSender | None = None
        self._stopped = False
        self._id = str(uuid.uuid4())
        self._stream_ids: tuple[str, ...] = ()
        self._has_sent = False
        self._keyframe_requests: set[FrameQueue] = set()
        self._transform: FrameTransform | None = None
        self._degradation_preference: RTCDegradationPreference | None = None
        self._set_streams(streams)

    @property
    def track(self) -> MediaStreamTrack | None:
        """What is sent; ``None`` for nothing."""
        return self._track

    @property
    def transport(self) -> "RTCDtlsTransport | None":
        """Over which transport; ``None`` until one is negotiated."""
        return self._transport

    @property
    def dtmf(self) -> "RTCDTMFSender | None":
        """Sends telephone tones; ``None`` for video."""
        return self._dtmf

    @property
    def transform(self) -> FrameTransform | None:
        """What each encoded frame goes through before it is sent, such as end-to-end encryption.

        W3C's encoded transform, as an asynchronous function: frame in, frame out, or ``None`` to drop it. What it
        leaves in the clear has to be enough for the payload format: the first bytes that tell keyframes and sizes.
        """
        return self._transform

    @transform.setter
    def transform(self, transform: FrameTransform | None) -> None:
        self._transform = transform
        self._carrier.sending_changed(self)

    @staticmethod
    def get_capabilities(kind: str) -> RTCRtpCapabilities | None:
        """Return what can be sent of a kind, ``None`` for a kind that there is not."""
        return capabilities_of(kind)

    def get_parameters(self) -> RTCRtpSendParameters:
        """Return how the track is sent; change the result and give it to ``set_parameters``."""
        self._last_returned = RTCRtpSendParameters(
            str(uuid.uuid4()),
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
            InvalidStateError: The transceiver was stopped, or there was no ``get_parameters`` before.
            InvalidModificationError: Something was changed that is fixed.
            ValueError: A number is out of range.
        """
        await trio.lowlevel.checkpoint()
        if self._stopped:
            raise InvalidStateError("the transceiver was stopped")
        last = self._last_returned
        if last is None:
            raise InvalidStateError("get_parameters comes first, and its result is good for one call")
        encodings = check_parameters(self._kind, parameters, last, self._negotiated.codecs)
        self._last_returned = None
        self._encodings = encodings
        self._degradation_preference = parameters.degradation_preference
        self._carrier.sending_changed(self)

    async def replace_track(self, track: MediaStreamTrack | None) -> None:
        """Send another track of the same kind from now on, or nothing, without negotiation.

        Raises:
            TypeError: It is of another kind.
            InvalidStateError: The connection is closed, or the transceiver was stopped.
            InvalidModificationError: It could not be sent as negotiated.
        """
        if track is not None and track.kind != self._kind:
            raise TypeError(f"a sender of {self._kind} cannot send {track.kind}")
        if self._carrier.is_closed():
            raise InvalidStateError("the peer connection is closed")

        async def replace() -> None:
            if self._stopped:
                raise InvalidStateError("the transceiver was stopped")
            self._set_track(track)

        await self._carrier.chain(replace)

    def set_streams(self, *streams: MediaStream) -> None:
        """Say to which streams the track belongs, as the peer is to see it after the next negotiation.

        Raises:
            InvalidStateError: The connection is closed.
        """
        if self._carrier.is_closed():
            raise InvalidStateError("the peer connection is closed")
        self._set_streams(streams)
        self._carrier.update_negotiation_need()

    async def get_stats(self) -> "RTCStatsReport":
        """Return the statistics of this sender."""
        return await self._carrier.stats_of(self)

    async def send_rtp(self, packet: RtpPacket, *, rid: str | None = None) -> None:
        """Send a packet of another stream as one of ours, for those who forward without decoding.

        Source, sequence number and timestamp are rewritten so that ours go on without a gap, also when the
        source changes. The payload type is kept if it was negotiated here, else the codec of the first encoding is
        taken. Not W3C's.

        Args:
            packet: As a receiver gave it.
            rid: Which of our layers it is for; ``None`` for the first.

        Raises:
            InvalidStateError: The transceiver was stopped.
        """
        if self._stopped:
            raise InvalidStateError("the transceiver was stopped")
        await self._carrier.send_packet(self, packet, rid)

    @asynccontextmanager
    async def keyframe_requests(self) -> AsyncIterator[trio.abc.ReceiveChannel[str | None]]:
        """Hear when the peer needs a keyframe, for those who send encoded frames or packets. Not W3C's.

        Yields:
            The RID of the layer, ``None`` if there is only one.
        """
        queue = FrameQueue(_REQUESTS_KEPT)
        self._keyframe_requests.add(queue)
        try:
            await trio.lowlevel.checkpoint()
            yield QueueChannel(queue)
        finally:
            self._keyframe_requests.discard(queue)
            queue.end(discard=True)

    # -- what the peer connection tells ------------------------------------------------------------------------

    def _set_track(self, track: MediaStreamTrack | None) -> None:
        if track is not self._track:
            self._track = track
            self._carrier.sending_changed(self)

    def _set_streams(self, streams: Sequence[MediaStream]) -> None:
        self._stream_ids = tuple(dict.fromkeys(stream.id for stream in streams))

    def _settle(self, negotiated: NegotiatedSending, transport: "RTCDtlsTransport | None") -> None:
        if negotiated != self._negotiated:
            self._negotiated = negotiated
            self._last_returned = None
        self._transport = transport
        self._carrier.sending_changed(self)

    def _keyframe_requested(self, rid: str | None) -> None:
        """The peer needs a keyframe: for whoever sends encoded frames or packets himself."""
        for waiting in tuple(self._keyframe_requests):
            waiting.put(rid)

    def _stop(self) -> None:
        self._stopped = True
        self._carrier.sending_changed(self)

    def _reject_layers(self, accepted: Sequence[str]) -> None:
        """Keep only the layers that the peer takes (W3C webrtc section 4.4.1.5)."""
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


def require_same_kind(track: MediaStreamTrack, kind: str) -> None:
    """Raise ``InvalidModificationError`` if a track is not of a kind."""
    if track.kind != kind:
        raise InvalidModificationError(f"the track is {track.kind}, not {kind}")
