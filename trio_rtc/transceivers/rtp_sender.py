"""RTCRtpSender: sends a track (W3C webrtc section 5.2)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import new_id, require_trio
from trio_rtc._strict_names.argument_types import check_fields
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.errors import InvalidModificationError, InvalidStateError, NotAllowedError, NotFoundError
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.protocols.rtp.packet.extensions import ExtensionMap
from trio_rtc.protocols.rtp.packet.packet import check_csrcs
from trio_rtc.stats import RTCStatsReport
from trio_rtc.tracks.frame_source import FrameTransform, check_transform
from trio_rtc.tracks.media_stream import MediaStream
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
from trio_rtc.transports.rtc_transports import RTCDtlsTransport

from .capabilities import capabilities_of
from .dtmf_sender import RTCDTMFSender
from .encodings import check_parameters, is_rid
from .media_plans import extension_parameters
from .rtp_parameters import (
    RTCEncodingOptions,
    RTCRtcpParameters,
    RTCRtpCapabilities,
    RTCRtpEncodingParameters,
    RTCRtpSendParameters,
)
from .transceiver import Transceiver


@strict_class
class RTCRtpSender:
    """Sends a track, or nothing while it has no track (W3C webrtc section 5.2).

    Created by ``add_track`` and ``add_transceiver``.
    """

    def __init__(self, transceiver: Transceiver) -> None:
        self._transceiver = transceiver
        self._state = transceiver.send
        self._dtmf = RTCDTMFSender(transceiver) if transceiver.kind == "audio" else None

    @property
    def track(self) -> MediaStreamTrack | None:
        """The track that is sent; ``None`` for no track."""
        return self._state.track

    @property
    def transport(self) -> RTCDtlsTransport | None:
        """The DTLS transport; ``None`` until one is negotiated."""
        return self._state.transport

    @property
    def dtmf(self) -> RTCDTMFSender | None:
        """The sender of DTMF tones; ``None`` for video."""
        return self._dtmf

    @property
    def transform(self) -> FrameTransform | None:
        """A transform of each encoded frame before it is sent, such as end-to-end encryption.

        This is W3C's encoded transform, as an asynchronous function that is called with a frame and returns a frame, or
        ``None`` to drop it. It must leave the payload's first bytes unencrypted as far as the payload format needs
        them, for example to detect keyframes. After it drops a keyframe, or a frame that was encoded by this sender,
        the next video frame is a keyframe.
        """
        return self._state.transform

    @transform.setter
    def transform(self, transform: FrameTransform | None) -> None:
        check_transform(transform, "RTCRtpSender.transform")
        self._state.transform = transform
        self._transceiver.update_section()

    async def generate_key_frame(self, rid: str | None = None) -> None:
        """Generate a keyframe, and wait until it is about to be transformed.

        This is ``generateKeyFrame`` of W3C's ``RTCRtpScriptTransformer`` (webrtc-encoded-transform, "generate key frame
        algorithm"). An application that encodes itself receives the request by :meth:`keyframe_requests`. This waits
        while nothing is encoded: before the connection is established, and while the bandwidth is insufficient.

        Args:
            rid: The RID of the simulcast layer; ``None`` for the first one.

        Raises:
            InvalidStateError: This sender sends audio, the connection is closed, or the transceiver was stopped.
            NotAllowedError: The RID is not 1 to 16 letters and digits.
            NotFoundError: No such layer is sent at present, the track has ended, or one of these happens before there
                is a keyframe.
        """
        require_trio("RTCRtpSender.generate_key_frame")
        self._transceiver.require_live()
        if self._state.kind != "video":
            raise InvalidStateError("generate_key_frame() is for video; this sender sends audio")
        if rid is not None and not is_rid(rid):
            raise NotAllowedError(f"rid must be 1 to 16 letters and digits, not {rid!r}")
        await trio.lowlevel.checkpoint()
        if not await self._state.generate_keyframe(rid):
            layer = "no encoding" if rid is None else f"no encoding with rid {rid!r}"
            raise NotFoundError(
                f"{layer} is sent: it needs a live track, a negotiated direction, and to be active"
            )

    @staticmethod
    def get_capabilities(kind: str) -> RTCRtpCapabilities | None:
        """Return the codecs and header extensions that can be sent of a kind; ``None`` for an unknown kind."""
        return capabilities_of(kind, sends=True)

    def get_parameters(self) -> RTCRtpSendParameters:
        """Return the parameters of sending; change the result and pass it to ``set_parameters``.

        The result is valid for one ``set_parameters`` and only until the calling task waits for anything, since W3C
        forgets it in a queued task.
        """
        state = self._state
        if state.last_returned is None:
            plan = state.negotiated
            state.last_returned = RTCRtpSendParameters(
                new_id(),
                [attrs.evolve(encoding) for encoding in state.encodings],
                () if plan is None else extension_parameters(plan),
                RTCRtcpParameters(
                    self._transceiver.context.cname, plan is not None and plan.rtcp_reduced_size
                ),
                state.codecs,
                state.degradation_preference,
            )
            forget = partial(state.forget_parameters, state.last_returned)
            self._transceiver.context.runner.queue_task(forget)
        return attrs.evolve(
            state.last_returned, encodings=[attrs.evolve(encoding) for encoding in state.encodings]
        )

    async def set_parameters(
        self, parameters: RTCRtpSendParameters, *, encoding_options: Sequence[RTCEncodingOptions] = ()
    ) -> None:
        """Change the parameters of sending, without negotiation.

        Args:
            parameters: The last result of ``get_parameters``, changed.
            encoding_options: What to do once with each encoding, such as sending a keyframe; empty for nothing.

        Raises:
            InvalidStateError: The connection is closed, the transceiver was stopped, or the task has waited for
                something since ``get_parameters``.
            InvalidModificationError: A fixed member was changed, or the number of options is not that of encodings.
            ValueError: A number is out of range.
        """
        require_trio("RTCRtpSender.set_parameters")
        encodings, before = self._checked_encodings(parameters, encoding_options), self._state.encodings
        await trio.lowlevel.checkpoint()
        self._transceiver.require_live()
        if self._state.encodings is not before:
            raise InvalidStateError("a negotiation or another task has changed the encodings meanwhile")
        self._change_parameters(parameters, encodings, encoding_options)

    def _checked_encodings(
        self, parameters: RTCRtpSendParameters, options: Sequence[RTCEncodingOptions]
    ) -> list[RTCRtpEncodingParameters]:
        """Check the arguments of ``set_parameters``, and return the new encodings."""
        self._transceiver.require_live()
        state = self._state
        if state.last_returned is None:
            raise InvalidStateError(
                "call get_parameters() directly before set_parameters(); its result is valid for one call, "
                "and only until the task waits for anything"
            )
        if options and len(options) != len(state.encodings):
            raise InvalidModificationError(
                f"encoding_options must have one element per encoding, {len(state.encodings)}, not {len(options)}"
            )
        codecs = self._transceiver.choosable_codecs()
        return check_parameters(state.kind, parameters, state.last_returned, codecs)

    def _change_parameters(
        self,
        parameters: RTCRtpSendParameters,
        encodings: list[RTCRtpEncodingParameters],
        options: Sequence[RTCEncodingOptions],
    ) -> None:
        state = self._state
        state.encodings = encodings
        state.last_returned = None
        state.degradation_preference = parameters.degradation_preference
        self._transceiver.update_section()
        for encoding, option in zip(encodings, options, strict=False):
            if option.key_frame and encoding.active and state.kind == "video":
                state.request_keyframe_of(encoding)

    async def replace_track(self, track: MediaStreamTrack | None) -> None:
        """Replace the track by another one of the same kind, or by none, without negotiation.

        Raises:
            TypeError: The track is of another kind.
            InvalidStateError: The connection is closed, or the transceiver was stopped.
        """
        require_trio("RTCRtpSender.replace_track")
        transceiver = self._transceiver
        if track is not None and track.kind != transceiver.kind:
            raise TypeError(f"track must be of kind {transceiver.kind!r}, not {track.kind!r}")
        async with transceiver.context.chain.operation(transceiver.require_live):
            transceiver.require_live()
            transceiver.set_track(track)

    def set_streams(self, *streams: MediaStream) -> None:
        """Set the streams of the track for the next negotiation.

        Raises:
            InvalidStateError: The connection is closed.
        """
        context = self._transceiver.context
        context.require_open()
        self._state.set_streams(streams)
        context.negotiation_needed.update()

    async def get_stats(self) -> RTCStatsReport:
        """Return the statistics of this sender."""
        require_trio("RTCRtpSender.get_stats")
        return await self._transceiver.collect_stats(sending=True)

    async def send_rtp(self, *packets: RtpPacket, rid: str | None = None) -> None:
        """Forward RTP packets of a receiver in a stream of this sender. Not W3C's.

        SSRC, sequence number and timestamp are rewritten so that the sent stream is continuous, also when the source
        changes. The payload type is unchanged if it was negotiated here, else it is that of the first encoding's codec.

        Args:
            packets: Packets of a receiver; sending several at once takes less CPU time.
            rid: The RID of the layer to send; ``None`` for the first.

        Raises:
            InvalidStateError: The connection is closed, or the transceiver was stopped.
            TypeError: An argument is not an ``RtpPacket``, or a field of it is of another type.
            ValueError: A field of a packet is out of range.
        """
        require_trio("RTCRtpSender.send_rtp")
        _check_packets(packets)
        self._transceiver.require_live()
        await self._transceiver.send_packets(packets, rid)

    @asynccontextmanager
    async def keyframe_requests(self) -> AsyncIterator[trio.abc.ReceiveChannel[str | None]]:
        """Receive requests for keyframes, for applications that send encoded frames or packets. Not W3C's.

        The request is the peer's, or the result of a frame dropped on this side: before the connection was established,
        because the pacer was full, or while there was no selected candidate pair.

        Yields:
            A channel of RIDs; ``None`` if there is only one layer.
        """
        require_trio("RTCRtpSender.keyframe_requests")
        queue = self._state.new_keyframe_queue()
        try:
            await trio.lowlevel.checkpoint()
            yield queue
        finally:
            self._state.keyframe_requests.pop(queue, None)
            queue.close()

    @property
    def target_bitrates(self) -> Mapping[str | None, float]:
        """The target bitrate of each layer, for applications that encode themselves. Not W3C's.

        Bits per second by RID, which is ``None`` if there is only one layer; 0 for a layer that is paused because of
        insufficient bandwidth. Empty before a negotiation.
        """
        return self._state.target_bitrates

    @asynccontextmanager
    async def bitrate_changes(self) -> AsyncIterator[trio.abc.ReceiveChannel[Mapping[str | None, float]]]:
        """Receive changes of ``target_bitrates``. Not W3C's.

        Yields:
            A channel of the present value, if there is one, and of each new value; only the last unread one is
            retained.
        """
        require_trio("RTCRtpSender.bitrate_changes")
        queue = self._state.new_bitrate_queue()
        try:
            await trio.lowlevel.checkpoint()
            yield queue
        finally:
            self._state.bitrate_changes.pop(queue, None)
            queue.close()


_MAXIMA: Final = {
    "payload_type": 0x7F,
    "sequence_number": 0xFFFF,
    "timestamp": 0xFFFF_FFFF,
    "ssrc": 0xFFFF_FFFF,
    "padding_size": 0xFF,
}


def _check_packets(packets: Sequence[RtpPacket]) -> None:
    """Raise ``TypeError`` or ``ValueError`` for the first wrong field of a packet."""
    if _are_right(packets):
        return
    for packet in packets:
        if not isinstance(packet, RtpPacket):
            raise TypeError(f"packets must be RtpPacket objects, not {type(packet).__name__}")
        check_fields(packet, RtpPacket)
        for name, maximum in _MAXIMA.items():
            value = getattr(packet, name)
            if not 0 <= value <= maximum:
                raise ValueError(f"RtpPacket.{name} must be an int from 0 to {maximum}, not {value}")
        check_csrcs(packet.csrcs, "RtpPacket.csrcs")


def _are_right(packets: Sequence[Any]) -> bool:
    """Return ``True`` if all fields are right, without a call per packet; ``False`` for subclasses of types, too.

    An element with a wrong id is not forwarded, like any other that was not negotiated.
    """
    try:
        for packet in packets:
            payload, marker, extension_map = packet.payload, packet.marker, packet.extension_map
            if (
                not isinstance(packet, RtpPacket)
                or packet.payload_type >> 7
                or packet.padding_size >> 8
                or packet.sequence_number >> 16
                or packet.timestamp >> 32
                or packet.ssrc >> 32
                or type(payload) is not bytes
                or type(marker) is not bool
                or (extension_map is not None and type(extension_map) is not ExtensionMap)
                or (packet.csrcs and packet.csrcs[15:])
            ):
                return False
            for source in packet.csrcs:
                if source >> 32:
                    return False
            for _, value in packet.extensions:
                if type(value) is not bytes:
                    return False
    except (AttributeError, TypeError, ValueError):
        return False
    return True
