"""The transceivers of a peer connection: their creation, and the application of descriptions.

JSEP computes a ``MediaPlan`` for each media section of a description. The table applies the plans to its records in
the order of W3C webrtc section 4.4.1.5: first all states, then, after the event of the signaling state, the events.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from weakref import WeakKeyDictionary, WeakValueDictionary

from trio_rtc import _attrs as attrs
from trio_rtc._environment import new_id
from trio_rtc.enums import RTCRtpTransceiverDirection, RTCSignalingState
from trio_rtc.errors import InvalidAccessError
from trio_rtc.jsep import ApplyResult
from trio_rtc.jsep.directions import reverse
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.jsep.transceivers import LocalTransceiver
from trio_rtc.tracks.media_stream import MediaStream, MediaStreamEvent
from trio_rtc.tracks.media_stream_track import MediaStreamTrack
from trio_rtc.transports.rtc_transports import RTCDtlsTransport

from .capabilities import capabilities_of
from .connection_context import ConnectionContext
from .encodings import initial_encodings, proposed_encodings
from .rtp_parameters import RTCRtpEncodingParameters
from .rtp_sender import RTCRtpSender
from .rtp_transceiver import RTCRtpTransceiver, RTCTrackEvent
from .sent_sources import SentSources
from .transceiver import Transceiver

_SENDRECV = RTCRtpTransceiverDirection.SENDRECV
_RECVONLY = RTCRtpTransceiverDirection.RECVONLY
_INACTIVE = RTCRtpTransceiverDirection.INACTIVE


@attrs.define
class _Changes:
    """Changes of a description whose events follow that of the signaling state."""

    tracks: list[tuple[RTCRtpTransceiver, tuple[MediaStream, ...]]] = attrs.field(factory=list)
    ended: list[Transceiver] = attrs.field(factory=list)
    muted: list[Transceiver] = attrs.field(factory=list)
    added: list[tuple[MediaStream, MediaStreamTrack]] = attrs.field(factory=list)
    removed: list[tuple[MediaStream, MediaStreamTrack]] = attrs.field(factory=list)
    new_streams: dict[MediaStream, None] = attrs.field(factory=dict)


class TransceiverTable:
    """The records of the transceivers in the order of their creation, and their W3C objects."""

    def __init__(self, context: ConnectionContext) -> None:
        self._context = context
        self._by_key: dict[int, Transceiver] = {}
        self._by_mid: dict[str, Transceiver] = {}
        self._w3c_objects: dict[Transceiver, RTCRtpTransceiver] = {}
        # Senders of removed transceivers are still those of this connection for remove_track().
        self._senders: WeakKeyDictionary[RTCRtpSender, Transceiver] = WeakKeyDictionary()
        # A stream that is signaled again is the same object, if the application has retained it.
        self._streams: WeakValueDictionary[str, MediaStream] = WeakValueDictionary()
        # The streams of received tracks → number of their tracks. Counted, because a peer can signal 10,000 streams.
        self._signaled_streams: dict[MediaStream, int] = {}
        self._next_key = 0
        self._changes = _Changes()

    # -- access --------------------------------------------------------------------------------------------------

    @property
    def records(self) -> list[Transceiver]:
        """The records of W3C's set of transceivers, without those whose stop has been negotiated."""
        return list(self._by_key.values())

    @property
    def live(self) -> list[Transceiver]:
        """The records without ``[[Stopped]]``."""
        return [each for each in self._by_key.values() if not each.stopped]

    @property
    def sources(self) -> SentSources:
        """The media sources of the senders."""
        return self._context.sources

    @property
    def has_sections(self) -> bool:
        return any(each.plan is not None for each in self._by_key.values())

    @property
    def remote_streams(self) -> list[MediaStream]:
        """Legacy: the streams of received tracks."""
        return list(dict.fromkeys(stream for each in self._by_key.values() for stream in each.remote_streams))

    def w3c_object(self, transceiver: Transceiver) -> RTCRtpTransceiver:
        """Return W3C's object of a record."""
        return self._w3c_objects[transceiver]

    def by_mid(self, mid: str) -> Transceiver | None:
        return self._by_mid.get(mid)

    def to_jsep(self) -> tuple[LocalTransceiver, ...]:
        return tuple(each.to_jsep() for each in self._by_key.values())

    # -- methods of RTCPeerConnection ----------------------------------------------------------------------------

    def update_sending(self) -> None:
        """Start or stop sending, as the identity of the peer was validated."""
        for transceiver in self.records:
            transceiver.update_sending()

    def isolate(self, peer_identity: str) -> None:
        """Isolate the received tracks, those of later transceivers too, in a queued task."""
        self._context.peer_identity = peer_identity
        for transceiver in self.records:
            self._context.runner.queue_task(partial(transceiver.receive.source.isolate, peer_identity))

    def add_track(self, track: MediaStreamTrack, streams: Sequence[MediaStream]) -> RTCRtpSender:
        """Send a track with an unused or new transceiver (W3C ``addTrack``).

        Raises:
            InvalidAccessError: The track is being sent already.
        """
        if any(each.send.track is track for each in self.live):
            raise InvalidAccessError("the track already has a sender")
        free = next((each for each in self._by_key.values() if each.can_reuse_for(track)), None)
        if free is None:
            created = self._create(
                track.kind, track, [RTCRtpEncodingParameters()], streams, _SENDRECV, by_add_track=True
            )
            return self.w3c_object(created).sender
        free.by_add_track = True
        self._identify_by(track, free)
        free.include_sending()
        free.send.set_streams(streams)
        free.set_track(track)
        return self.w3c_object(free).sender

    def remove_track(self, sender: RTCRtpSender) -> bool:
        """Stop sending a track (W3C ``removeTrack``); return whether negotiation is needed.

        Raises:
            InvalidAccessError: The sender belongs to another connection.
        """
        transceiver = self._senders.get(sender)
        if transceiver is None:
            raise InvalidAccessError("the sender belongs to another peer connection")
        if transceiver.key not in self._by_key or transceiver.stopping or transceiver.send.track is None:
            return False
        transceiver.exclude_sending()
        transceiver.set_track(None)
        return True

    def add_transceiver(
        self,
        track_or_kind: MediaStreamTrack | str,
        direction: RTCRtpTransceiverDirection,
        streams: Sequence[MediaStream],
        encodings: Sequence[RTCRtpEncodingParameters],
    ) -> RTCRtpTransceiver:
        """Create a transceiver (W3C ``addTransceiver``).

        Raises:
            TypeError: The kind or the direction is unknown, or the encodings contradict each other.
            ValueError: A number is out of range.
            OperationError: A codec cannot be sent.
        """
        track = None if isinstance(track_or_kind, str) else track_or_kind
        kind = track_or_kind if isinstance(track_or_kind, str) else track_or_kind.kind
        capabilities = capabilities_of(kind, sends=True)
        if capabilities is None:
            raise TypeError(f"track_or_kind must be a track, 'audio' or 'video', not {kind!r}")
        if direction is RTCRtpTransceiverDirection.STOPPED:
            raise TypeError(
                "direction must be 'sendrecv', 'sendonly', 'recvonly' or 'inactive', not 'stopped'"
            )
        initial = initial_encodings(kind, encodings, capabilities.codecs)
        return self.w3c_object(self._create(kind, track, initial, streams, direction))

    def offer_to_receive(self, kind: str, *, receive: bool) -> None:
        """Obsolete: include or exclude receiving of a kind in the next offer (W3C webrtc section 4.4.3.2)."""
        live = [each for each in self.live if each.kind == kind and not each.stopping]
        receiving = [each for each in live if each.direction.receives]
        if receive and not receiving:
            self._create(kind, None, [RTCRtpEncodingParameters()], (), _RECVONLY)
        if not receive:
            for each in receiving:
                each.exclude_receiving()

    def close(self) -> None:
        """Stop all transceivers at once (W3C webrtc section 4.4.1.10); their states remain readable."""
        for transceiver in (*self._by_key.values(), *self._changes.ended):
            transceiver.become_stopped()
            transceiver.receive.end_later()

    def _stop(self, transceiver: Transceiver) -> None:
        transceiver.become_stopped()
        transceiver.stop_negotiated = True
        self._changes.ended.append(transceiver)

    def _remove(self, transceiver: Transceiver) -> None:
        del self._by_key[transceiver.key], self._w3c_objects[transceiver]
        if transceiver.mid is not None and self._by_mid.get(transceiver.mid) is transceiver:
            del self._by_mid[transceiver.mid]
        self._context.sources.replace(transceiver.send.track, None)
        transceiver.close_pipelines()

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
    ) -> Transceiver:
        transceiver = Transceiver(
            self._next_key,
            kind,
            self._context,
            encodings,
            direction=direction,
            streams=streams,
            by_add_track=by_add_track,
            remote_track_id=remote_track_id,
        )
        if track is not None:
            self._identify_by(track, transceiver)
        transceiver.send.set_track(track)
        self._context.sources.replace(None, track)
        self._next_key += 1
        self._by_key[transceiver.key] = transceiver
        w3c_object = self._w3c_objects[transceiver] = RTCRtpTransceiver(transceiver)
        self._senders[w3c_object.sender] = transceiver
        return transceiver

    def _identify_by(self, track: MediaStreamTrack, transceiver: Transceiver) -> None:
        """Signal a track's id, unless another section has it (RFC 8830 section 2)."""
        if all(each.send.id != track.id for each in self._by_key.values()):
            transceiver.send.id = track.id

    # -- descriptions --------------------------------------------------------------------------------------------

    def apply(
        self, applied: ApplyResult, dtls_by_mid: Mapping[str, RTCDtlsTransport], *, remote: bool
    ) -> None:
        """Apply a description to its sections; the events wait for ``fire_events``.

        ``dtls_by_mid`` has the DTLS transport of each media section.
        """
        self._disassociate(applied)
        rolled_back = not applied.negotiated and applied.signaling_state is RTCSignalingState.STABLE
        for plan in applied.media:
            transceiver = self._find(plan)
            if transceiver is None:
                continue
            self._associate(transceiver, plan.mid)
            if plan.rejected:
                if plan.unanswerable:
                    assert plan.remote_direction is not None
                    self._process_remote_track(transceiver, plan, reverse(plan.remote_direction))
                self._reject(transceiver, plan)
                continue
            if rolled_back:
                transceiver.send.restore_encodings()
            if remote and not rolled_back:
                assert plan.remote_direction is not None
                self._process_remote_track(transceiver, plan, reverse(plan.remote_direction))
            elif plan.direction is not None:
                self._process_remote_track(transceiver, plan, plan.direction)
            dtls = dtls_by_mid.get(plan.mid)
            if plan.direction is not None:
                transceiver.apply_answer(plan, dtls, final=applied.negotiated)
            elif remote:
                transceiver.send.propose_simulcast(_proposed_layers(plan))
            else:
                transceiver.apply_local_offer(dtls)
        if applied.negotiated:
            self._remove_stopped()

    def _associate(self, transceiver: Transceiver, mid: str) -> None:
        transceiver.mid = mid
        self._by_mid[mid] = transceiver

    def _remove_stopped(self) -> None:
        """Remove transceivers whose stop was negotiated, and stopped ones that were never negotiated."""
        for transceiver in self.records:
            if transceiver.stopping and transceiver.mid is None:
                self._stop(transceiver)
            if transceiver.stopped:
                self._remove(transceiver)

    def fire_events(self) -> None:
        """Fire the events of the last description (W3C webrtc section 4.4.1.5, the last steps)."""
        changes, self._changes = self._changes, _Changes()
        for transceiver in changes.muted:
            transceiver.receive.mute(True)
        for stream, track in changes.removed:
            stream._remove_remote(track)
        for stream, track in changes.added:
            stream._add_remote(track)
        fire, target = self._context.fire, self._context.target
        for w3c_object, streams in changes.tracks:
            fire(
                RTCTrackEvent(
                    "track", target, w3c_object.receiver, w3c_object.receiver.track, streams, w3c_object
                )
            )
        for stream in changes.new_streams:
            fire(MediaStreamEvent("add_stream", target, stream))
        for stream in dict.fromkeys(stream for stream, _ in changes.removed):
            if stream not in self._signaled_streams:
                fire(MediaStreamEvent("remove_stream", target, stream))
        for transceiver in changes.ended:
            transceiver.receive.end_later()

    def _disassociate(self, applied: ApplyResult) -> None:
        """Undo the effects of an offer that was rolled back or replaced."""
        for section in applied.disassociated:
            transceiver = self._by_mid.pop(section.mid, None)
            if transceiver is None:
                continue
            transceiver.mid = None
            transceiver.disassociate()
            self._remove_remote_track(transceiver)
            if section.created and not transceiver.by_add_track:
                self._stop(transceiver)
                self._remove(transceiver)

    def _find(self, plan: MediaPlan) -> Transceiver | None:
        """Return the transceiver of a section; create one if the peer's offer needs it."""
        known = None if plan.key is None else self._by_key.get(plan.key)
        known = known or self._by_mid.get(plan.mid)
        if known is not None or (plan.rejected and not plan.unanswerable):
            return known
        return self._create(
            plan.kind,
            None,
            _proposed_layers(plan) or [RTCRtpEncodingParameters()],
            (),
            _RECVONLY,
            remote_track_id=plan.remote_track_id,
        )

    def _reject(self, transceiver: Transceiver, plan: MediaPlan) -> None:
        transceiver.plan = None
        if plan.stopped and not transceiver.stopped:
            self._remove_remote_track(transceiver)
            self._stop(transceiver)

    def _process_remote_track(
        self, transceiver: Transceiver, plan: MediaPlan, direction: RTCRtpTransceiverDirection
    ) -> None:
        """Add or remove the received track (W3C webrtc section 5.1.1, "process remote tracks")."""
        stream_ids = plan.remote_stream_ids
        if direction.receives and not plan.remote_msid:
            # RFC 8830 section 3.1: without a=msid, the track is in a default stream; here each track has its own.
            transceiver.default_stream_id = transceiver.default_stream_id or new_id()
            stream_ids = (transceiver.default_stream_id,)
        if not direction.receives:
            self._remove_remote_track(transceiver)
        elif self._set_remote_streams(transceiver, stream_ids) or not transceiver.fired_receiving:
            self._changes.tracks.append((self.w3c_object(transceiver), transceiver.remote_streams))
        transceiver.fired_direction = direction

    def _remove_remote_track(self, transceiver: Transceiver) -> None:
        self._set_remote_streams(transceiver, ())
        if transceiver.fired_receiving:
            self._changes.muted.append(transceiver)
        transceiver.fired_direction = _INACTIVE

    def _set_remote_streams(self, transceiver: Transceiver, stream_ids: Sequence[str]) -> bool:
        """Set the streams of the received track; return whether it has joined one."""
        track, before = transceiver.receive.track, transceiver.remote_streams
        streams = tuple(self._stream(stream_id) for stream_id in stream_ids)
        left = dict.fromkeys(before)
        added = [(stream, track) for stream in streams if stream not in left]
        for stream in streams:
            left.pop(stream, None)
        self._changes.removed += [(stream, track) for stream in left]
        self._changes.added += added
        signaled = self._signaled_streams
        for stream in streams:
            signaled[stream] = signaled.get(stream, 0) + 1
        for stream in before:
            signaled[stream] -= 1
            if not signaled[stream]:
                del signaled[stream]
        transceiver.remote_streams = streams
        return bool(added)

    def _stream(self, stream_id: str) -> MediaStream:
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = MediaStream(id=stream_id, runner=self._context.runner)
        if stream not in self._signaled_streams:
            self._changes.new_streams[stream] = None
        return stream


def _proposed_layers(plan: MediaPlan) -> list[RTCRtpEncodingParameters]:
    """Return encodings for the simulcast layers of the peer's offer."""
    return proposed_encodings(layer.rid for layer in plan.send_layers) if plan.kind == "video" else []
