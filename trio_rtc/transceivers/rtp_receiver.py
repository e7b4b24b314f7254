"""RTCRtpReceiver: receives a track (W3C webrtc section 5.3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from trio_rtc._environment import require_trio
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.errors import InvalidStateError
from trio_rtc.protocols.rtp import EncodedFrame, ReceivedTelephoneEvent
from trio_rtc.stats import RTCStatsReport
from trio_rtc.tracks.frame_queue import at_keyframe
from trio_rtc.tracks.frame_source import FrameTransform, check_transform
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
from trio_rtc.transports.rtc_transports import RTCDtlsTransport

from .capabilities import capabilities_of
from .packet_channel import RtpPacketChannel
from .rtp_parameters import (
    RTCRtpCapabilities,
    RTCRtpContributingSource,
    RTCRtpReceiveParameters,
    RTCRtpSynchronizationSource,
)
from .transceiver import Transceiver

_MAX_JITTER_BUFFER_TARGET: Final = 4000


@strict_class
class RTCRtpReceiver:
    """Receives a track (W3C webrtc section 5.3). Created with its transceiver and its track."""

    def __init__(self, transceiver: Transceiver) -> None:
        self._transceiver = transceiver
        self._state = transceiver.receive

    @property
    def track(self) -> MediaStreamTrack:
        """The track, which exists from the beginning and is muted until the peer sends."""
        return self._state.track

    @property
    def transport(self) -> RTCDtlsTransport | None:
        """The DTLS transport; ``None`` until one is negotiated."""
        return self._state.transport

    @property
    def decode(self) -> bool:
        """Whether the track provides decoded frames. Not W3C's.

        ``True`` by default if the extra ``media`` is installed. With ``False``, set before the track is read, it
        provides :class:`.EncodedFrame`, and a remote offer of this section may have any profile of H.264, VP9, AV1 and
        H.265; for sections without a transceiver, ``Settings(decode=False)`` has this effect.
        """
        return self._state.pipeline.decode

    @decode.setter
    def decode(self, decode: bool) -> None:
        self._state.pipeline.decode = decode

    @property
    def layer(self) -> str | None:
        """The RID of the simulcast layer to select; ``None`` for the first one received. Not W3C's."""
        return self._state.pipeline.layer

    @layer.setter
    def layer(self, rid: str | None) -> None:
        self._state.pipeline.layer = rid

    @property
    def transform(self) -> FrameTransform | None:
        """A transform of each received encoded frame, such as end-to-end decryption.

        This is W3C's encoded transform, as an asynchronous function that is called with a frame and returns a frame, or
        ``None`` to drop it. An exception that it raises ends the connection's block.
        """
        return self._state.pipeline.transform

    @transform.setter
    def transform(self, transform: FrameTransform | None) -> None:
        check_transform(transform, "RTCRtpReceiver.transform")
        self._state.pipeline.transform = transform

    @property
    def jitter_buffer_target(self) -> float | None:
        """The jitter buffer target in milliseconds; ``None`` for automatic adaptation (W3C webrtc-extensions).

        Buffers are bounded by frames, so the delay can be shorter than the target: audio is delayed by 75 frames at
        most (1500 ms with packets of 20 ms; :class:`~trio_rtc.protocols.rtp.AudioPlayoutOptions`), video by 128.

        Raises:
            ValueError: Setting: the value is not between 0 and 4000.
        """
        return self._state.jitter_buffer_target

    @jitter_buffer_target.setter
    def jitter_buffer_target(self, target: float | None) -> None:
        if target is not None and not 0 <= target <= _MAX_JITTER_BUFFER_TARGET:
            raise ValueError(f"jitter_buffer_target must be between 0 and 4000 ms, not {target}")
        self._state.jitter_buffer_target = target
        self._transceiver.update_demand()

    @staticmethod
    def get_capabilities(kind: str) -> RTCRtpCapabilities | None:
        """Return the codecs and header extensions that can be received of a kind; ``None`` for an unknown kind."""
        return capabilities_of(kind)

    def get_parameters(self) -> RTCRtpReceiveParameters:
        """Return the negotiated parameters."""
        return self._state.parameters

    def get_contributing_sources(self) -> list[RTCRtpContributingSource]:
        """Return the contributing sources (CSRC) of the media played in the last ten seconds, the newest first.

        While the media has no consumer, the sources of the received media.
        """
        return self._transceiver.media_sources().contributing()

    def get_synchronization_sources(self) -> list[RTCRtpSynchronizationSource]:
        """Return the sources (SSRC) of the media played in the last ten seconds, the newest first.

        While the media has no consumer, the sources of the received media.
        """
        return self._transceiver.media_sources().synchronizing()

    async def get_stats(self) -> RTCStatsReport:
        """Return the statistics of this receiver."""
        require_trio("RTCRtpReceiver.get_stats")
        return await self._transceiver.collect_stats(sending=False)

    async def send_key_frame_request(self) -> None:
        """Request a keyframe from the peer.

        This is ``sendKeyFrameRequest`` of W3C's ``RTCRtpScriptTransformer`` (webrtc-encoded-transform, "send request
        key frame algorithm"). The RTP session limits the rate of requests (RFC 5104 section
        4.3.1), and sends the kind that was negotiated (PLI or FIR).

        Raises:
            InvalidStateError: This receiver receives audio, the connection is closed, or the negotiated direction does
                not include receiving.
        """
        require_trio("RTCRtpReceiver.send_key_frame_request")
        if self._state.track.kind != "video":
            raise InvalidStateError("send_key_frame_request() is for video; this receiver receives audio")
        self._transceiver.require_live()
        direction = self._transceiver.current_direction
        if direction is None or not direction.receives:
            raise InvalidStateError(
                f"send_key_frame_request() needs a negotiated direction that receives, not {direction!r}"
            )
        self._transceiver.request_keyframe(None)
        await trio.lowlevel.checkpoint()

    def request_keyframe(self, *, rid: str | None = None) -> None:
        """Request a keyframe from the peer, for example for a new member of a forwarding server. Not W3C's."""
        self._transceiver.request_keyframe(rid)

    @asynccontextmanager
    async def rtp_packets(self, *, rid: str | None = None) -> AsyncIterator[RtpPacketChannel]:
        """Receive RTP packets in the order of their arrival, repaired ones included, for forwarding. Not W3C's.

        Packets that are not received in time are dropped, the oldest first. The iteration ends with the receiver.

        Args:
            rid: The RID of a simulcast layer; ``None`` for all. Only the first packets of a layer carry the RID.

        Yields:
            A channel of packets, which can also be received in batches.
        """
        require_trio("RTCRtpReceiver.rtp_packets")
        state, update = self._state, self._transceiver.update_demand
        async with state.subscribe(state.pipeline.packet_queues, rid, update) as queue:
            yield RtpPacketChannel(queue)

    @asynccontextmanager
    async def encoded_frames(
        self, *, rid: str | None = None
    ) -> AsyncIterator[trio.abc.ReceiveChannel[EncodedFrame]]:
        """Receive encoded frames in addition to the track. Not W3C's.

        Frames that are not received in time are dropped, the oldest first. With video, the following frames are dropped
        too until the next keyframe, which is requested. The iteration ends with the receiver.

        Args:
            rid: The RID of a simulcast layer; ``None`` for all.

        Yields:
            A channel of encoded frames.
        """
        require_trio("RTCRtpReceiver.encoded_frames")
        state, update = self._state, self._transceiver.update_demand
        async with state.subscribe(state.pipeline.encoded_queues, rid, update, at_keyframe) as queue:
            yield queue

    @asynccontextmanager
    async def telephone_events(self) -> AsyncIterator[trio.abc.ReceiveChannel[ReceivedTelephoneEvent]]:
        """Receive the peer's telephone events (RFC 4733), such as DTMF tones. Not W3C's.

        Each event is received at its beginning and again at its end. Events that are not received in time are dropped,
        the oldest first. The iteration ends with the receiver.

        Yields:
            A channel of telephone events.
        """
        require_trio("RTCRtpReceiver.telephone_events")
        state, update = self._state, self._transceiver.update_demand
        async with state.subscribe(state.event_queues, None, update) as queue:
            yield queue
