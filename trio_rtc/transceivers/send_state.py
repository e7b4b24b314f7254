"""The sending half of a transceiver: W3C's internal slots of RTCRtpSender, its SSRCs and its pipeline."""

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc._environment import new_id
from trio_rtc._pipeline.send_pipeline import SendPipeline
from trio_rtc.enums import MediaStreamTrackState, RTCDegradationPreference
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.protocols.rtp import Encoding
from trio_rtc.tracks.frame_queue import FrameQueue
from trio_rtc.tracks.frame_source import FrameTransform, TrackState
from trio_rtc.tracks.media_stream import MediaStream
from trio_rtc.tracks.media_stream_track import MediaStreamTrack, source_of
from trio_rtc.transports.rtc_transports import RTCDtlsTransport

from .media_plans import codec_parameters
from .rtp_parameters import RTCRtpCodecParameters, RTCRtpEncodingParameters, RTCRtpSendParameters

_MAX_KEYFRAME_REQUESTS: Final = 16


@attrs.define(eq=False)
class SendState:
    """The sending half of a transceiver.

    Attributes:
        kind: ``"audio"`` or ``"video"``.
        track: W3C's ``[[SenderTrack]]``; ``None`` for no track.
        encodings: W3C's ``[[SendEncodings]]``.
        negotiated: The plan of the last negotiation; ``None`` before there was one.
        transport: W3C's ``[[SenderTransport]]``.
        id: Track id in ``a=msid``: that of the first track; another track keeps it (W3C webrtc section 5.2).
        stream_ids: W3C's ``[[AssociatedMediaStreamIds]]``.
        has_sent: Whether the direction has ever been negotiated to include sending.
        last_returned: W3C's ``[[LastReturnedParameters]]``.
        degradation_preference: Set by the application.
        transform: The application's transform of encoded frames.
        encodings_before: The encodings that the peer's offer of simulcast has replaced, until the offer is answered.
        target_bitrates: Target bitrates in bits per second by RID.
        keyframe_requests: Queues of the application for keyframe requests, by RID.
        bitrate_changes: Queues of the application for new target bitrates.
        pipeline: Sends the track's frames; ``None`` before there is a track to send.
    """

    kind: str
    encodings: list[RTCRtpEncodingParameters]
    negotiated: MediaPlan | None = None
    track: MediaStreamTrack | None = None
    transport: RTCDtlsTransport | None = None
    id: str = attrs.field(factory=new_id)
    stream_ids: tuple[str, ...] = ()
    has_sent: bool = False
    last_returned: RTCRtpSendParameters | None = None
    degradation_preference: RTCDegradationPreference | None = None
    transform: FrameTransform | None = None
    encodings_before: list[RTCRtpEncodingParameters] | None = None
    target_bitrates: Mapping[str | None, float] = MappingProxyType({})
    # Ordered sets.
    keyframe_requests: dict[FrameQueue[str | None], None] = attrs.field(factory=dict)
    bitrate_changes: dict[FrameQueue[Mapping[str | None, float]], None] = attrs.field(factory=dict)
    pipeline: SendPipeline | None = None
    # By RID: the SSRCs of media, RTX and FlexFEC. A layer that is added again has the same.
    _ssrcs: dict[str | None, tuple[int, int, int]] = attrs.field(factory=dict)

    @property
    def track_state(self) -> TrackState | None:
        """The state of the track; ``None`` for no track."""
        return None if self.track is None else self.track._state

    def set_track(self, track: MediaStreamTrack | None) -> None:
        """Replace the track, whose last video frame is retained from now on."""
        self.track = track
        if track is not None:
            source_of(track).begin_retaining()

    def set_streams(self, streams: Sequence[MediaStream]) -> None:
        self.stream_ids = tuple(dict.fromkeys(stream.id for stream in streams))

    def streams(self, rng: random.Random) -> list[Encoding]:
        """Return the RTP streams of all encodings, with new SSRCs for encodings that have none yet."""
        return [self._stream(encoding, rng) for encoding in self.encodings]

    def rid_of(self, ssrc: int) -> str | None:
        """Return the RID of an encoding by its SSRC, also of one that is not sent as a layer of a simulcast."""
        return next((rid for rid, ssrcs in self._ssrcs.items() if ssrcs[0] == ssrc), None)

    def scalability_mode_of(self, ssrc: int) -> str | None:
        """Return the scalability mode of an encoding by its SSRC."""
        rid = self.rid_of(ssrc)
        return next((each.scalability_mode for each in self.encodings if each.rid == rid), None)

    def _stream(self, encoding: RTCRtpEncodingParameters, rng: random.Random) -> Encoding:
        ssrcs = self._ssrcs.get(encoding.rid)
        if ssrcs is None:
            ssrc, rtx_ssrc, fec_ssrc = (rng.getrandbits(32) for _ in range(3))
            ssrcs = self._ssrcs[encoding.rid] = ssrc, rtx_ssrc, fec_ssrc
        ssrc, rtx_ssrc, fec_ssrc = ssrcs
        return Encoding(
            ssrc,
            rtx_ssrc,
            self._layer(encoding),
            encoding.active,
            encoding.max_bitrate,
            encoding.priority.value,
            fec_ssrc,
            encoding.scale_resolution_down_by or 1.0,
            encoding.max_framerate,
        )

    def _layer(self, encoding: RTCRtpEncodingParameters) -> str | None:
        """Return the RID of a layer; ``None`` without simulcast, where a remaining RID is not sent."""
        return encoding.rid if len(self.encodings) > 1 else None

    def set_encodings(self, encodings: list[RTCRtpEncodingParameters]) -> None:
        """Replace the encodings; parameters that were returned before are no longer accepted."""
        self.encodings = encodings
        self.last_returned = None

    def propose_simulcast(self, proposed: list[RTCRtpEncodingParameters]) -> None:
        """Use the simulcast layers of the peer's offer, if the application has set none."""
        if proposed and [encoding.rid for encoding in self.encodings] == [None]:
            self.encodings_before = self.encodings_before or self.encodings
            self.set_encodings(proposed)

    def restore_encodings(self) -> None:
        """Restore the encodings before the peer's offer, which was rolled back."""
        before, self.encodings_before = self.encodings_before, None
        if before is not None:
            self.set_encodings(before)

    def reject_layers(self, accepted: Sequence[str]) -> None:
        """Keep only the layers that the peer accepts, or the first for none (W3C webrtc section 4.4.1.5)."""
        self.last_returned = None
        kept = [encoding for encoding in self.encodings if encoding.rid in accepted]
        self.encodings = kept or self.encodings[:1]

    def forget_parameters(self, returned: RTCRtpSendParameters) -> None:
        """Accept a result of ``get_parameters`` no longer (W3C webrtc section 5.2)."""
        if self.last_returned is returned:
            self.last_returned = None

    def unset_rejected_codecs(self) -> None:
        """Unset codecs of encodings that are no longer negotiated (W3C webrtc section 4.4.1.5)."""
        for encoding in self.encodings:
            if encoding.codec is not None and not any(map(encoding.codec.matches, self.codecs)):
                encoding.codec = None

    @property
    def codecs(self) -> tuple[RTCRtpCodecParameters, ...]:
        """The codecs that the peer accepts, the preferred one first; empty before a negotiation."""
        plan = self.negotiated
        return () if plan is None else codec_parameters(plan.kind, plan.send_codecs)

    def set_negotiated(self, negotiated: MediaPlan, transport: RTCDtlsTransport | None) -> None:
        self.negotiated = negotiated
        self.last_returned = None
        self.transport = transport

    # -- events of RTP -----------------------------------------------------------------------------------------------

    def handle_keyframe_request(self, rid: str | None) -> None:
        """Pass a keyframe request to the encoder, and to an application that encodes itself."""
        if self.pipeline is not None:
            self.pipeline.request_keyframe(rid)
        for queue in tuple(self.keyframe_requests):
            queue.put(rid)

    def request_keyframe_of(self, encoding: RTCRtpEncodingParameters) -> None:
        """Request a keyframe of an encoding, as the peer does."""
        self.handle_keyframe_request(self._layer(encoding))

    async def generate_keyframe(self, rid: str | None) -> bool:
        """Request a keyframe of a layer, and wait for it; return whether there was one.

        Args:
            rid: The RID of the encoding; ``None`` for the first one.
        """
        found = next((each for each in self.encodings if rid in (None, each.rid)), None)
        pipeline, track = self.pipeline, self.track_state
        if (
            found is None
            or pipeline is None
            or track is None
            or track.ready_state is not MediaStreamTrackState.LIVE
        ):
            return False
        layer = self._layer(found)
        if not pipeline.has_active_layer(layer):
            return False
        self.handle_keyframe_request(layer)
        return await pipeline.wait_for_keyframe(layer)

    def handle_bitrates(self, bitrates: Mapping[int, float]) -> None:
        """Distribute new target bitrates (bits per second by SSRC) to the encoder and to the application."""
        if self.pipeline is not None:
            self.pipeline.set_bitrates(bitrates)
        layers = {
            self._layer(encoding): bitrates[ssrcs[0]]
            for encoding in self.encodings
            if (ssrcs := self._ssrcs.get(encoding.rid)) is not None and ssrcs[0] in bitrates
        }
        if layers != self.target_bitrates:
            self.target_bitrates = MappingProxyType(layers)
            for queue in tuple(self.bitrate_changes):
                queue.put(self.target_bitrates)

    def new_keyframe_queue(self) -> FrameQueue[str | None]:
        """Return a registered queue for keyframe requests; the oldest is dropped when it is full."""
        queue: FrameQueue[str | None] = FrameQueue(_MAX_KEYFRAME_REQUESTS)
        self.keyframe_requests[queue] = None
        return queue

    def new_bitrate_queue(self) -> FrameQueue[Mapping[str | None, float]]:
        """Return a registered queue of the newest target bitrates, with the present ones in it."""
        queue: FrameQueue[Mapping[str | None, float]] = FrameQueue(1)
        if self.target_bitrates:
            queue.put(self.target_bitrates)
        self.bitrate_changes[queue] = None
        return queue


def initial_sending(
    kind: str, encodings: list[RTCRtpEncodingParameters], streams: Sequence[MediaStream]
) -> SendState:
    """Return the sending half of a new transceiver, without a track."""
    state = SendState(kind, encodings)
    state.set_streams(streams)
    return state
