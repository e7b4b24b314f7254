"""The transceivers of a peer connection: making them, and carrying out what descriptions say of their sections.

The session decides what a description means for each section (a ``MediaPlan``); here that reaches W3C's objects, in the
order of W3C webrtc section 4.4.1.5: first all states, then the events, when the signaling state has been told.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from weakref import WeakValueDictionary

import attrs

from trio_rtc._environment import new_id
from trio_rtc.enums import RTCRtpTransceiverDirection, RTCSignalingState
from trio_rtc.errors import InvalidAccessError
from trio_rtc.event_target import AnyEvent, HandlerRunner
from trio_rtc.jsep import ApplyResult, OpusParameters
from trio_rtc.jsep.directions import reverse
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.jsep.transceivers import LocalTransceiver, SendEncoding
from trio_rtc.tracks.media_stream import MediaStream, MediaStreamEvent
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
from trio_rtc.transports.rtc_transports import RTCDtlsTransport

from .capabilities import capabilities_of, codecs_by_preference
from .encodings import initial_encodings, proposed_encodings
from .media_plans import SentStream, codec_parameters, extension_parameters, received_as_w3c
from .rtp_parameters import RTCRtcpParameters, RTCRtpEncodingParameters, RTCRtpReceiveParameters
from .rtp_receiver import ReceivingCarrier, RTCRtpReceiver
from .rtp_sender import NegotiatedSending, RTCRtpSender, SendingCarrier
from .rtp_transceiver import RTCRtpTransceiver, RTCTrackEvent

_SENDRECV = RTCRtpTransceiverDirection.SENDRECV
_SENDONLY = RTCRtpTransceiverDirection.SENDONLY
_RECVONLY = RTCRtpTransceiverDirection.RECVONLY
_INACTIVE = RTCRtpTransceiverDirection.INACTIVE


class MediaCarrier(SendingCarrier, ReceivingCarrier, Protocol):
    """What senders, receivers and transceivers need of their peer connection, all together."""


@attrs.define
class _Changes:
    """What a description has changed, to be told once the signaling state has been."""

    tracks: list[RTCRtpTransceiver] = attrs.field(factory=list)
    ended: list[RTCRtpTransceiver] = attrs.field(factory=list)
    muted: list[RTCRtpTransceiver] = attrs.field(factory=list)
    added: list[tuple[MediaStream, MediaStreamTrack]] = attrs.field(factory=list)
    removed: list[tuple[MediaStream, MediaStreamTrack]] = attrs.field(factory=list)
    new_streams: dict[MediaStream, None] = attrs.field(factory=dict)


class TransceiverTable:
    """Keeps the transceivers, in the order of their creation.

    Args:
        target: The peer connection, as the target of its events.
        fire: Lets an event happen to it.
        runner: Runs the handlers.
        carrier: What the objects need.
        rng: Source of SSRCs.
        cname: The name that joins our streams.
        decode: Whether tracks give decoded frames.
        opus: How Opus is to be sent to us, unless a transceiver says otherwise.

    Attributes:
        plans: What was negotiated, by mid.
    """

    def __init__(
        self,
        target: object,
        fire: Callable[[AnyEvent], None],
        runner: HandlerRunner,
        carrier: MediaCarrier,
        *,
        rng: random.Random,
        cname: str,
        decode: bool,
        opus: OpusParameters,
    ) -> None:
        self._target = target
        self._fire = fire
        self._runner = runner
        self._carrier = carrier
        self._rng = rng
        self._cname = cname
        self._decode = decode
        self._opus = opus
        self._transceivers: list[RTCRtpTransceiver] = []
        # By transceiver and layer: the SSRC of the media, that of its retransmissions, and that of its FlexFEC.
        self._sources: dict[tuple[int, str | None], tuple[int, int, int]] = {}
        # A stream that comes back is the same object, for whoever has kept it.
        self._streams: WeakValueDictionary[str, MediaStream] = WeakValueDictionary()
        # Streams of the peer's tracks, with how often they are named: a peer can name ten thousand.
        self._named_streams: dict[MediaStream, int] = {}
        self._next_key = 0
        self._changes = _Changes()
        self.plans: dict[str, MediaPlan] = {}

    # -- what there is -------------------------------------------------------------------------------------------

    @property
    def transceivers(self) -> list[RTCRtpTransceiver]:
        """W3C's set of transceivers: all but those of which both sides know that they were stopped."""
        return list(self._transceivers)

    @property
    def live(self) -> list[RTCRtpTransceiver]:
        """The transceivers that were not stopped for good."""
        return [each for each in self._transceivers if not each._stopped]

    @property
    def remote_streams(self) -> list[MediaStream]:
        """Legacy: the streams that the peer sends."""
        return list(dict.fromkeys(stream for each in self._transceivers for stream in each._remote_streams))

    def by_mid(self, mid: str) -> RTCRtpTransceiver | None:
        """Return the transceiver of a section."""
        return next((each for each in self._transceivers if each._mid == mid), None)

    def of_sender(self, sender: RTCRtpSender) -> RTCRtpTransceiver | None:
        """Return the transceiver of a sender, ``None`` for one of another connection."""
        return next((each for each in self._transceivers if each._sender is sender), None)

    def sent_streams(self, transceiver: RTCRtpTransceiver) -> list[SentStream]:
        """Return what is sent, each stream with its sources."""
        streams = []
        for encoding in transceiver._sender._encodings:
            place = transceiver._key, encoding.rid
            if place not in self._sources:
                ssrc, rtx_ssrc, fec_ssrc = (self._rng.getrandbits(32) for _ in range(3))
                self._sources[place] = ssrc, rtx_ssrc, fec_ssrc
            streams.append(SentStream(encoding, *self._sources[place]))
        return streams

    # -- what the application does -------------------------------------------------------------------------------

    def add_track(self, track: MediaStreamTrack, streams: Sequence[MediaStream]) -> RTCRtpSender:
        """Send a track: by a transceiver that has nothing to send, or by a new one (W3C ``addTrack``).

        Raises:
            InvalidAccessError: It is being sent already.
        """
        if any(each._sender.track is track for each in self.live):
            raise InvalidAccessError("the track is being sent already")
        free = next((each for each in self._transceivers if _can_take(each, track)), None)
        if free is None:
            transceiver = self._create(
                track.kind, track, [RTCRtpEncodingParameters()], streams, _SENDRECV, by_add_track=True
            )
            return transceiver._sender
        free._reused_by_add_track = True
        free._direction = _SENDRECV if free._direction.receives else _SENDONLY
        free._sender._set_streams(streams)
        free._sender._set_track(track)
        return free._sender

    def remove_track(self, sender: RTCRtpSender) -> bool:
        """Send the track no more (W3C ``removeTrack``); return whether that needs negotiation.

        Raises:
            InvalidAccessError: The sender belongs to another connection.
        """
        if sender._carrier is not self._carrier:
            raise InvalidAccessError("the sender belongs to another peer connection")
        transceiver = self.of_sender(sender)
        if transceiver is None or transceiver._stopping or sender.track is None:
            return False
        transceiver._direction = _RECVONLY if transceiver._direction.receives else _INACTIVE
        sender._set_track(None)
        return True

    def add_transceiver(
        self,
        track_or_kind: MediaStreamTrack | str,
        direction: RTCRtpTransceiverDirection,
        streams: Sequence[MediaStream],
        encodings: Sequence[RTCRtpEncodingParameters],
    ) -> RTCRtpTransceiver:
        """Make a transceiver (W3C ``addTransceiver``).

        Raises:
            TypeError: There is no such kind or direction, or the encodings contradict each other.
            ValueError: A number of an encoding is out of range.
            OperationError: A codec cannot be sent.
        """
        track = track_or_kind if isinstance(track_or_kind, MediaStreamTrack) else None
        kind = track_or_kind if isinstance(track_or_kind, str) else track_or_kind.kind
        capabilities = capabilities_of(kind)
        if capabilities is None:
            raise TypeError(f"a transceiver is of kind 'audio' or 'video', not {kind!r}")
        if direction is RTCRtpTransceiverDirection.STOPPED:
            raise TypeError(
                "direction must be 'sendrecv', 'sendonly', 'recvonly' or 'inactive', not 'stopped'"
            )
        wanted = initial_encodings(kind, encodings, capabilities.codecs)
        return self._create(kind, track, wanted, streams, direction)

    def offer_to_receive(self, kind: str, *, wanted: bool) -> None:
        """Obsolete: let the peer send a kind by the next offer, or not (W3C webrtc section 4.4.3.2)."""
        live = [each for each in self.live if each._kind == kind and not each._stopping]
        receiving = [each for each in live if each._direction.receives]
        if wanted and not receiving:
            self._create(kind, None, [RTCRtpEncodingParameters()], (), _RECVONLY)
        if not wanted:
            for each in receiving:
                each._direction = _SENDONLY if each._direction.sends else _INACTIVE

    def close(self) -> None:
        """Stop all transceivers at once (W3C webrtc section 4.4.1.10); they stay to be looked at."""
        for transceiver in (*self._transceivers, *self._changes.ended):
            transceiver._become_stopped()
            transceiver._receiver._end_later()

    def _stop(self, transceiver: RTCRtpTransceiver) -> None:
        transceiver._become_stopped()
        self._changes.ended.append(transceiver)

    def _create(
        self,
        kind: str,
        track: MediaStreamTrack | None,
        encodings: list[RTCRtpEncodingParameters],
        streams: Sequence[MediaStream],
        direction: RTCRtpTransceiverDirection,
        *,
        by_add_track: bool = False,
        remote_track_id: str | None = None,
    ) -> RTCRtpTransceiver:
        sender = RTCRtpSender(
            kind,
            track,
            encodings,
            streams,
            carrier=self._carrier,
            runner=self._runner,
            cname=self._cname,
        )
        receiver = RTCRtpReceiver(
            kind, remote_track_id, decode=self._decode, carrier=self._carrier, runner=self._runner
        )
        transceiver = RTCRtpTransceiver(
            self._next_key,
            kind,
            sender,
            receiver,
            direction=direction,
            carrier=self._carrier,
            opus=self._opus,
            by_add_track=by_add_track,
        )
        self._next_key += 1
        self._transceivers.append(transceiver)
        return transceiver

    # -- for the session -------------------------------------------------------------------------------------------

    def local(self) -> tuple[LocalTransceiver, ...]:
        """Return the transceivers as the session sees them."""
        return tuple(self._local(each) for each in self._transceivers)

    def _local(self, transceiver: RTCRtpTransceiver) -> LocalTransceiver:
        sender, kind = transceiver._sender, transceiver._kind
        is_video = kind == "video"
        return LocalTransceiver(
            transceiver._key,
            "audio" if kind == "audio" else "video",
            transceiver._direction,
            codecs_by_preference(kind, transceiver._preferred, transceiver.opus_parameters),
            transceiver._mid,
            transceiver._stopping,
            transceiver._stopped,
            transceiver._extensions_to_negotiate(),
            sender._stream_ids,
            sender._id if sender.track is None else sender.track.id,
            tuple(
                SendEncoding(
                    stream.encoding.rid,
                    stream.encoding.active,
                    stream.ssrc,
                    stream.rtx_ssrc if is_video else None,
                    stream.fec_ssrc if is_video else None,
                )
                for stream in self.sent_streams(transceiver)
            ),
            self._cname,
            bool(transceiver._preferred),
            transceiver._by_add_track,
            sender._has_sent,
            not transceiver._receiver.decode,
            transceiver.opus_parameters.ptime if kind == "audio" else None,
        )

    # -- what a description says -----------------------------------------------------------------------------------

    def apply(self, applied: ApplyResult, views: Mapping[str, RTCDtlsTransport], *, remote: bool) -> None:
        """Carry out what a description says of our sections; what there is to tell waits for ``announce``.

        Args:
            applied: What the description has changed.
            views: The transport of each section, by mid.
            remote: Whether the description is the peer's.
        """
        self._disassociate(applied)
        rolled_back = not applied.negotiated and applied.signaling_state is RTCSignalingState.STABLE
        for plan in applied.media:
            transceiver = self._find(plan)
            if transceiver is None:
                continue
            transceiver._mid = plan.mid
            if plan.rejected:
                self._reject(transceiver, plan)
                continue
            if rolled_back:
                _restore_encodings(transceiver)
            if remote and not rolled_back:
                assert plan.remote_direction is not None
                self._process_remote(transceiver, plan, reverse(plan.remote_direction))
            elif plan.direction is not None:
                self._process_remote(transceiver, plan, plan.direction)
            dtls = views.get(plan.mid)
            if plan.direction is not None:
                self._settle(transceiver, plan, dtls, final=applied.negotiated)
            elif remote:
                _take_proposal(transceiver, plan)
            else:
                _prepare(transceiver, plan, dtls)
        if applied.negotiated:
            self._remove_stopped()

    def _remove_stopped(self) -> None:
        """Let go of what both sides know to be stopped, or what the peer has never heard of."""
        for transceiver in self._transceivers:
            if transceiver._stopping and transceiver._mid is None:
                self._stop(transceiver)
        stopped = {each._key for each in self._transceivers if each._stopped}
        self._transceivers = [each for each in self._transceivers if not each._stopped]
        self._sources = {place: ssrcs for place, ssrcs in self._sources.items() if place[0] not in stopped}

    def announce(self) -> None:
        """Fire what the last description has changed (W3C webrtc section 4.4.1.5, the last steps)."""
        changes, self._changes = self._changes, _Changes()
        for transceiver in changes.ended:
            transceiver._receiver._end()
        for transceiver in changes.muted:
            transceiver._receiver._mute(True)
        for stream, track in changes.removed:
            stream._remove_remote(track)
        for stream, track in changes.added:
            stream._add_remote(track)
        for transceiver in changes.tracks:
            receiver, streams = transceiver._receiver, transceiver._remote_streams
            self._fire(RTCTrackEvent("track", self._target, receiver, receiver.track, streams, transceiver))
        for stream in changes.new_streams:
            self._fire(MediaStreamEvent("add_stream", self._target, stream))
        for stream in dict.fromkeys(stream for stream, _ in changes.removed):
            if stream not in self._named_streams:
                self._fire(MediaStreamEvent("remove_stream", self._target, stream))

    def _disassociate(self, applied: ApplyResult) -> None:
        """Take back what an offer had done that was rolled back or replaced."""
        for lost in applied.disassociated:
            transceiver = self.by_mid(lost.mid)
            if transceiver is None:
                continue
            transceiver._mid = None
            self.plans.pop(lost.mid, None)
            _restore_encodings(transceiver)
            transceiver._sender._transport = None
            transceiver._receiver._settle(RTCRtpReceiveParameters(), None)
            self._remove_remote_track(transceiver)
            if transceiver._reused_by_add_track:
                transceiver._by_add_track |= lost.created
            elif lost.created and not transceiver._by_add_track:
                self._stop(transceiver)
                self._transceivers.remove(transceiver)

    def _find(self, plan: MediaPlan) -> RTCRtpTransceiver | None:
        """Return the transceiver of a section, a new one if the peer's offer needs it."""
        known = next((each for each in self._transceivers if each._key == plan.key), None)
        known = known or self.by_mid(plan.mid)
        if known is not None or plan.rejected:
            return known
        return self._create(
            plan.kind,
            None,
            _proposed(plan) or [RTCRtpEncodingParameters()],
            (),
            _RECVONLY,
            remote_track_id=plan.remote_track_id,
        )

    def _reject(self, transceiver: RTCRtpTransceiver, plan: MediaPlan) -> None:
        self.plans.pop(plan.mid, None)
        if plan.stopped and not transceiver._stopped:
            self._remove_remote_track(transceiver)
            self._stop(transceiver)

    def _process_remote(
        self, transceiver: RTCRtpTransceiver, plan: MediaPlan, direction: RTCRtpTransceiverDirection
    ) -> None:
        """Add or remove the peer's track (W3C webrtc section 5.1.1, "process remote tracks")."""
        stream_ids = plan.remote_stream_ids
        if direction.receives and not plan.remote_msid:
            # RFC 8830 section 3.1: without a=msid the track is in a stream all the same, here in one of its own.
            transceiver._default_stream_id = transceiver._default_stream_id or new_id()
            stream_ids = (transceiver._default_stream_id,)
        if not direction.receives:
            self._remove_remote_track(transceiver)
        elif self._set_remote_streams(transceiver, stream_ids) or not transceiver._fired_receiving:
            self._changes.tracks.append(transceiver)
        transceiver._fired_direction = direction

    def _remove_remote_track(self, transceiver: RTCRtpTransceiver) -> None:
        self._set_remote_streams(transceiver, ())
        if transceiver._fired_receiving:
            self._changes.muted.append(transceiver)
        transceiver._fired_direction = _INACTIVE

    def _set_remote_streams(self, transceiver: RTCRtpTransceiver, stream_ids: Sequence[str]) -> bool:
        """Set to which streams the peer's track belongs; return whether there are more than before."""
        track, before = transceiver._receiver.track, transceiver._remote_streams
        streams = tuple(self._stream(stream_id) for stream_id in stream_ids)
        gone = dict.fromkeys(before)
        added = [(stream, track) for stream in streams if stream not in gone]
        for stream in streams:
            gone.pop(stream, None)
        self._changes.removed += [(stream, track) for stream in gone]
        self._changes.added += added
        named = self._named_streams
        for stream in streams:
            named[stream] = named.get(stream, 0) + 1
        for stream in before:
            named[stream] -= 1
            if not named[stream]:
                del named[stream]
        transceiver._remote_streams = streams
        return bool(added)

    def _stream(self, stream_id: str) -> MediaStream:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = MediaStream(id=stream_id, runner=self._runner)
        if stream not in self._named_streams:
            self._changes.new_streams[stream] = None
        return stream

    def _settle(
        self, transceiver: RTCRtpTransceiver, plan: MediaPlan, dtls: RTCDtlsTransport | None, *, final: bool
    ) -> None:
        """Take what both sides have agreed on."""
        direction = plan.direction
        assert direction is not None
        self.plans[plan.mid] = plan
        transceiver._current_direction = direction
        transceiver._negotiated_extensions = {each.uri: each.direction for each in plan.header_extensions}
        if final:
            transceiver._encodings_before = None
        sender = transceiver._sender
        if len(sender._encodings) > 1:
            sender._reject_layers([layer.rid for layer in plan.send_layers])
        sender._settle(
            NegotiatedSending(
                codec_parameters(plan.kind, plan.send_codecs),
                extension_parameters(plan),
                RTCRtcpParameters(self._cname, plan.rtcp_reduced_size),
            ),
            dtls,
        )
        transceiver._receiver._settle(received_as_w3c(plan), dtls)
        if direction.sends:
            sender._has_sent = True


def _proposed(plan: MediaPlan) -> list[RTCRtpEncodingParameters]:
    """Return the layers of video that the peer's offer asks for."""
    return proposed_encodings(layer.rid for layer in plan.send_layers) if plan.kind == "video" else []


def _take_proposal(transceiver: RTCRtpTransceiver, plan: MediaPlan) -> None:
    """Take the simulcast that an offer of the peer's asks for, where we have not chosen anything else."""
    proposed, sender = _proposed(plan), transceiver._sender
    if proposed and [encoding.rid for encoding in sender._encodings] == [None]:
        transceiver._encodings_before = transceiver._encodings_before or sender._encodings
        sender._set_encodings(proposed)


def _restore_encodings(transceiver: RTCRtpTransceiver) -> None:
    before, transceiver._encodings_before = transceiver._encodings_before, None
    if before is not None:
        transceiver._sender._set_encodings(before)


def _prepare(transceiver: RTCRtpTransceiver, plan: MediaPlan, dtls: RTCDtlsTransport | None) -> None:
    """Show what an offer of ours makes of a transceiver: where it will be carried, and what may come at once."""
    sender, receiver = transceiver._sender, transceiver._receiver
    sender._transport = sender._transport or dtls
    codecs = codec_parameters(plan.kind, plan.receive_codecs)
    receiver._settle(attrs.evolve(receiver.get_parameters(), codecs=codecs), receiver.transport or dtls)


def _can_take(transceiver: RTCRtpTransceiver, track: MediaStreamTrack) -> bool:
    """Whether ``add_track`` may use a transceiver (W3C webrtc section 5.1)."""
    sender = transceiver._sender
    return (
        transceiver._kind == track.kind
        and sender.track is None
        and not transceiver._stopping
        and not transceiver._stopped
        and not sender._has_sent
    )


def new_cname(rng: random.Random) -> str:
    """Return a name for our streams that tells nothing of this host (RFC 7022)."""
    return f"{rng.getrandbits(96):024x}"
