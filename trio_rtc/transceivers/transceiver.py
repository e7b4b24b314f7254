"""The internal record of a transceiver (W3C webrtc section 5.4).

``RTCRtpTransceiver``, ``RTCRtpSender`` and ``RTCRtpReceiver`` read this record and call its methods. The record has all
their internal slots, the plan of its media section, and the RTP transport that carries it. It configures its own
section; the media engine configures all sections after a negotiation.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import trio

from trio_rtc._pipeline.receive_pipeline import ReceivePipeline
from trio_rtc._pipeline.send_pipeline import SendPipeline, SendPlan
from trio_rtc.enums import MediaStreamTrackState, RTCPeerConnectionState, RTCRtpTransceiverDirection
from trio_rtc.errors import InvalidStateError
from trio_rtc.jsep import OpusParameters
from trio_rtc.jsep.codecs import fits_encoders
from trio_rtc.jsep.extensions import HeaderExtension
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.jsep.transceivers import LocalTransceiver
from trio_rtc.protocols.rtp import Codec, RtpPacket
from trio_rtc.protocols.rtp.codec import TELEPHONE_EVENT
from trio_rtc.stats import RTCStatsReport
from trio_rtc.tracks.frame_source import FrameSource
from trio_rtc.tracks.media_stream import MediaStream
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
from trio_rtc.transports.rtc_transports import RTCDtlsTransport
from trio_rtc.transports.rtp import RtpTransport, Section

from .capabilities import OFFERED, capabilities_of, codecs_by_preference
from .connection_context import ConnectionContext
from .media_plans import receive_parameters, send_parameters, with_added_codecs
from .media_sources import MediaSources
from .receive_state import ReceiveState
from .rtp_parameters import RTCRtpCodec, RTCRtpEncodingParameters
from .send_state import initial_sending

if TYPE_CHECKING:
    from trio_rtc.protocols.rtp.receive.stream import RtpReceiveStream

_SENDRECV = RTCRtpTransceiverDirection.SENDRECV
_SENDONLY = RTCRtpTransceiverDirection.SENDONLY
_RECVONLY = RTCRtpTransceiverDirection.RECVONLY
_INACTIVE = RTCRtpTransceiverDirection.INACTIVE
_STOPPED = RTCRtpTransceiverDirection.STOPPED


class Transceiver:
    """One transceiver.

    Args:
        key: Its number in the table, by which JSEP refers to it.
        kind: ``"audio"`` or ``"video"``.
        encodings: W3C's ``[[SendEncodings]]``.
        direction: W3C's ``[[Direction]]``.
        by_add_track: Whether ``add_track`` has created or used it.
        remote_track_id: The id of the received track; ``None`` for a new one.

    Attributes:
        mid: W3C's ``[[Mid]]``.
        plan: The plan of its media section; ``None`` before a negotiation and after a rejection.
        current_direction: W3C's ``[[CurrentDirection]]``.
        fired_direction: W3C's ``[[FiredDirection]]``.
        stopping: W3C's ``[[Stopping]]``.
        stopped: W3C's ``[[Stopped]]``.
        stop_negotiated: Whether a description has stopped it; it has no media section any more.
        preferred: W3C's ``[[PreferredCodecs]]``.
        opus: The Opus parameters set by the application; ``None`` for those of the connection.
        header_extensions: W3C's ``[[HeaderExtensionsToNegotiate]]``: URI → direction.
        negotiated_extensions: W3C's ``[[HeaderExtensionsNegotiated]]``.
        remote_streams: The streams of the received track.
        default_stream_id: Id of the received track's stream while the peer signals none (RFC 8830 section 3.1).
        rtp: The RTP transport of its section; ``None`` without one.
    """

    def __init__(
        self,
        key: int,
        kind: str,
        context: ConnectionContext,
        encodings: list[RTCRtpEncodingParameters],
        *,
        direction: RTCRtpTransceiverDirection,
        streams: Sequence[MediaStream] = (),
        by_add_track: bool = False,
        remote_track_id: str | None = None,
    ) -> None:
        self.key = key
        self.kind = kind
        self.context = context
        self.send = initial_sending(kind, encodings, streams)
        self.receive = self._initial_receiving(remote_track_id)
        self.direction = direction
        self.by_add_track = by_add_track
        self.mid: str | None = None
        self.plan: MediaPlan | None = None
        self.rtp: RtpTransport | None = None
        self.current_direction: RTCRtpTransceiverDirection | None = None
        self.fired_direction: RTCRtpTransceiverDirection | None = None
        self.stopping = False
        self.stopped = False
        self.stop_negotiated = False
        self.preferred: tuple[RTCRtpCodec, ...] = ()
        self.opus: OpusParameters | None = None
        self.header_extensions = {each.uri: each.direction for each in OFFERED.of(kind).header_extensions}
        self.negotiated_extensions: dict[str, RTCRtpTransceiverDirection] = {}
        self.remote_streams: tuple[MediaStream, ...] = ()
        self.default_stream_id: str | None = None

    def _initial_receiving(self, track_id: str | None) -> ReceiveState:
        context = self.context
        source = FrameSource(self.kind, self.update_demand)
        pipeline = ReceivePipeline(
            source, self.request_keyframe, decode=context.decode, video_decoder=context.video_decoder
        )
        track = MediaStreamTrack(
            source,
            runner=context.runner,
            id=track_id,
            label=f"remote {self.kind}",
            muted=True,
            peer_identity=context.peer_identity,
        )
        return ReceiveState(context.runner, source, track, pipeline)

    @property
    def opus_parameters(self) -> OpusParameters:
        """The Opus parameters that are requested from the peer's encoder."""
        return self.opus or self.context.opus

    @property
    def fired_receiving(self) -> bool:
        """Whether the last ``track`` event announced that the peer sends."""
        return self.fired_direction is not None and self.fired_direction.receives

    @property
    def is_sending(self) -> bool:
        """Whether the connection is connected and the negotiated direction includes sending."""
        direction = self.current_direction
        connected = self.context.connection_state is RTCPeerConnectionState.CONNECTED
        return direction is not None and direction.sends and connected

    def require_live(self) -> None:
        """Raise ``InvalidStateError`` if the connection is closed or the transceiver stopped."""
        self.context.require_open()
        if self.stopping:
            raise InvalidStateError("the transceiver was stopped")

    async def collect_stats(self, *, sending: bool) -> RTCStatsReport:
        """Return the statistics of one direction; empty without a section."""
        return await self.context.collect_stats(self.mid, sending)

    # -- for JSEP ----------------------------------------------------------------------------------------------------

    def to_jsep(self) -> LocalTransceiver:
        send = self.send
        return LocalTransceiver(
            self.key,
            "audio" if self.kind == "audio" else "video",
            self.direction,
            codecs_by_preference(self.kind, self.preferred, self.opus_parameters),
            self.mid,
            self.stopping,
            self.stopped,
            self._extensions_to_negotiate(),
            send.stream_ids,
            send.id,
            tuple(send.streams(self.context.rng)),
            self.context.cname,
            bool(self.preferred),
            self.by_add_track,
            send.has_sent,
            not self.receive.pipeline.decode,
            self.opus_parameters.ptime if self.kind == "audio" else None,
        )

    def _extensions_to_negotiate(self) -> tuple[HeaderExtension, ...]:
        chosen = self.header_extensions
        return tuple(
            HeaderExtension(each.uri, each.id, chosen[each.uri])
            for each in OFFERED.of(self.kind).header_extensions
            if chosen[each.uri] is not _STOPPED
        )

    # -- negotiation -------------------------------------------------------------------------------------------------

    def apply_local_offer(self, dtls: RTCDtlsTransport | None) -> None:
        """Apply the transport of the local offer.

        Its codecs can be received, and are those of the receiver (W3C webrtc section 5.3), from the answer on. Until
        then, the receiver has those of the last exchange, as in browsers.
        """
        self.send.transport = self.send.transport or dtls
        self.receive.transport = self.receive.transport or dtls

    def apply_answer(self, plan: MediaPlan, dtls: RTCDtlsTransport | None, *, final: bool) -> None:
        """Apply the plan, with a direction, of a final or provisional answer."""
        plan = self.plan = with_added_codecs(plan)
        assert plan.direction is not None
        send = self.send
        self.current_direction = plan.direction
        self.negotiated_extensions = {each.uri: each.direction for each in plan.header_extensions}
        if final:
            send.encodings_before = None
        # A section on hold lists no layers, which it has again when it is resumed.
        if len(send.encodings) > 1 and plan.direction.sends:
            send.reject_layers([layer.rid for layer in plan.send_layers])
        send.set_negotiated(plan, dtls)
        if final:
            send.unset_rejected_codecs()
        receive = self.receive
        receive.negotiated, receive.transport = plan, dtls
        # W3C webrtc section 4.4.1.5: without the direction, nothing can be received.
        receive.codecs = plan.receive_codecs if plan.direction.receives else ()
        send.has_sent |= plan.direction.sends

    def disassociate(self) -> None:
        """Undo the association with a section by an offer that was rolled back or replaced."""
        self.plan = None
        self.send.restore_encodings()
        self.send.transport = None
        self.receive.negotiated, self.receive.codecs, self.receive.transport = None, (), None

    def stop_sending_and_receiving(self) -> None:
        """W3C's "stop sending and receiving": sending ends now; the next negotiation signals it to the peer."""
        self.stopping = True
        self.direction = _INACTIVE

    def become_stopped(self) -> None:
        """W3C's "stop the RTCRtpTransceiver", except the end of the received track."""
        if not self.stopping:
            self.stop_sending_and_receiving()
        self.stopped = True
        self.current_direction = None

    # -- RTP ---------------------------------------------------------------------------------------------------------

    def section(self) -> Section | None:
        """Return RTP's parameters of the section; ``None`` for none."""
        plan = self.plan
        if plan is None or plan.direction is None or self.stopping:
            return None
        sending = send_parameters(plan, self.send.streams(self.context.rng), self.send.encodings)
        return Section(sending, receive_parameters(plan), self.receive.pipeline)

    def set_rtp(self, rtp: RtpTransport | None) -> None:
        self.rtp = rtp
        if self.context.nursery is not None:
            self.receive.pipeline.open(self.context.nursery)
        self.update_demand()

    def update_section(self) -> None:
        """Configure RTP for a change of the track or the parameters of this transceiver alone."""
        if self.context.is_closed:
            return
        if self.rtp is not None and self.mid is not None:
            self.rtp.replace_section(self.mid, self.section())
        self.update_sending()

    def update_sending(self) -> None:
        """Start, change or stop the send pipeline as the plan, the track and the parameters require."""
        send, plan = self.send, self._send_plan()
        pipeline = send.pipeline
        if pipeline is not None and self.rtp is not None and pipeline.rtp is not self.rtp:
            # The section has moved to another transport.
            pipeline.close()
            pipeline = send.pipeline = None
        if pipeline is None:
            if plan is None or self.rtp is None or self.context.nursery is None:
                return
            pipeline = send.pipeline = SendPipeline(self.rtp)
            if self.rtp.session.is_open:
                pipeline.open()
            self.context.nursery.start_soon(pipeline.run)
        pipeline.transform = send.transform
        pipeline.set_plan(plan)

    def _send_plan(self) -> SendPlan | None:
        plan, track = self.plan, self.send.track_state
        if track is None or self.stopping or track.ready_state is MediaStreamTrackState.ENDED:
            return None
        if not self.context.permits(track):
            return None
        if plan is None or plan.direction is None or not plan.direction.sends:
            return None
        codec = _chosen_codec(plan.send_codecs, self.send.encodings[0])
        if codec is None:
            return None
        self.context.open_handlers(track)
        return SendPlan(
            plan.mid,
            plan.kind,
            track,
            codec.name,
            _with_packet_times(codec.parameters, plan),
            tuple(self.send.streams(self.context.rng)),
            self.send.degradation_preference,
        )

    def update_demand(self) -> None:
        """Update the demand for frames and packets in RTP; without a consumer, decoding stops."""
        receive = self.receive
        if self.rtp is None or self.mid is None:
            return
        self.rtp.session.set_demand(
            self.mid,
            frames=receive.pipeline.wants_frames,
            packets=receive.pipeline.wants_packets,
            min_delay=(receive.jitter_buffer_target or 0.0) / 1000,
            decoded=receive.pipeline.only_decodes,
        )
        self.rtp.wake()
        if not receive.source.has_consumers:
            receive.pipeline.pause()

    def request_keyframe(self, rid: str | None) -> None:
        if self.rtp is not None and self.mid is not None:
            self.rtp.call(self.rtp.session.request_keyframe, self.mid, rid)

    def send_telephone_event(self, code: int, elapsed: float, *, end: bool) -> None:
        """Send a telephone event with its elapsed duration in seconds."""
        if self.rtp is not None and self.mid is not None:
            self.rtp.call(functools.partial(self.rtp.session.send_event, end=end), self.mid, code, elapsed)

    @property
    def can_send_telephone_events(self) -> bool:
        """W3C's conditions of ``canInsertDTMF`` (webrtc section 7.2)."""
        plan = self.send.negotiated
        return (
            not self.stopping
            and self.is_sending
            and self.send.encodings[0].active
            and plan is not None
            and any(codec.key == TELEPHONE_EVENT for codec in plan.send_codecs)
        )

    async def send_packets(self, packets: Sequence[RtpPacket], rid: str | None) -> None:
        """Send packets in an RTP stream of this transceiver; before the connection is established they are dropped."""
        if self.rtp is not None and self.mid is not None:
            await self.rtp.send_packets(self.mid, packets, rid)
        await trio.lowlevel.checkpoint()

    def media_sources(self) -> MediaSources:
        """Return the sources of played media, and while the media has no consumer, of received packets."""
        streams: list[RtpReceiveStream] = []
        if not self.receive.pipeline.wants_frames and self.rtp is not None:
            streams = [each for each in self.rtp.session.receiver.streams if each.mid == self.mid]
        return MediaSources(self.receive.pipeline, streams, self.context.wall_clock)

    def mute_without_streams(self) -> None:
        """Mute the received track when its last RTP stream has ended (W3C webrtc section 5.3)."""
        if self.rtp is not None and all(each.mid != self.mid for each in self.rtp.session.receiver.streams):
            self.receive.mute_later(True)

    def choosable_codecs(self) -> Sequence[RTCRtpCodec]:
        """Return the codecs that an encoding may choose: the negotiated, else the preferred, else all codecs."""
        if codecs := self.send.codecs:
            return codecs
        capabilities = capabilities_of(self.kind, sends=True)
        assert capabilities is not None
        return self.preferred or capabilities.codecs

    def close_pipelines(self) -> None:
        if self.send.pipeline is not None:
            self.send.pipeline.close()
            self.send.pipeline = None
        self.receive.pipeline.pause()

    # -- tracks ------------------------------------------------------------------------------------------------------

    def set_track(self, track: MediaStreamTrack | None) -> None:
        """Replace the track that is sent; ``None`` for no track."""
        if track is not self.send.track:
            self.context.sources.replace(self.send.track, track)
            self.send.set_track(track)
            self.update_section()

    def can_reuse_for(self, track: MediaStreamTrack) -> bool:
        """Return whether ``add_track`` may use this transceiver (W3C webrtc section 5.1)."""
        unused = self.send.track is None and not self.send.has_sent
        return self.kind == track.kind and unused and not self.stopping and not self.stopped

    def include_sending(self) -> None:
        self.direction = _SENDRECV if self.direction.receives else _SENDONLY

    def exclude_sending(self) -> None:
        """Change the direction to one that does not send."""
        self.direction = _RECVONLY if self.direction.receives else _INACTIVE

    def exclude_receiving(self) -> None:
        """Change the direction to one that does not receive."""
        self.direction = _SENDONLY if self.direction.sends else _INACTIVE


def _with_packet_times(parameters: Mapping[str, str], plan: MediaPlan) -> Mapping[str, str]:
    """Return the peer's format parameters with ``a=ptime`` and ``a=maxptime`` of its media section."""
    times = {"ptime": plan.ptime, "maxptime": plan.maxptime}
    return {
        **{name: f"{time:g}" for name, time in times.items() if time is not None},
        **parameters,
    }


def _chosen_codec(codecs: tuple[Codec, ...], encoding: RTCRtpEncodingParameters) -> Codec | None:
    """Return the codec to send: that of the encoding, else the first media codec."""
    media = sorted((each for each in codecs if each.is_media), key=lambda each: not fits_encoders(each))
    if encoding.codec is not None:
        name = encoding.codec.name
        media.sort(key=lambda each: not each.is_called(name))
    return next(iter(media), None)
