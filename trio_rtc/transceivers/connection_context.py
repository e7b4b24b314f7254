"""State shared by the parts of a peer connection."""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._error_filters import mark_connection_ended
from trio_rtc.enums import RTCPeerConnectionState
from trio_rtc.errors import InvalidStateError
from trio_rtc.event_target import AnyEvent, EventTarget, HandlerRunner
from trio_rtc.events import Event
from trio_rtc.jsep import OpusParameters
from trio_rtc.jsep.identity import Identity, parsed_identity
from trio_rtc.stats import RTCStatsReport
from trio_rtc.tracks.frame_source import TrackState

from .operations_chain import NegotiationNeeded, OperationsChain
from .sent_sources import SentSources

if TYPE_CHECKING:
    from trio_rtc.codecs import VideoDecoderOptions


@attrs.define(eq=False)
class ConnectionContext:
    """The state and the services of one peer connection that its parts share.

    Attributes:
        rng: Random generator of SSRCs and ids.
        wall_clock: Returns the Unix time in seconds.
        cname: RTCP's canonical name, which identifies our streams as related.
        decode: Whether received tracks provide decoded frames.
        opus: The Opus parameters of transceivers without their own.
        video_decoder: Options of video decoders; ``None`` for the defaults.
        is_closed: W3C's ``[[IsClosed]]``.
        connection_state: W3C's ``[[ConnectionState]]``.
        peer_identity: The ``peer_identity`` of the configuration, which isolates received tracks.
        expose_peer_reflexive: See ``Settings``.
        nursery: Runs encoders, decoders and transforms; ``None`` outside the block.
        negotiation_needed: W3C's negotiation-needed flag.
        chain: W3C's operations chain.
        sources: The media sources of the senders.
        collect_stats: Collects the statistics of one media section and direction. Set by the assembly, because they
            are selected from the report of the connection (W3C webrtc section 8.5).
    """

    target: EventTarget
    runner: HandlerRunner
    rng: random.Random
    wall_clock: Callable[[], float]
    cname: str
    decode: bool
    opus: OpusParameters
    video_decoder: "VideoDecoderOptions | None" = None
    is_closed: bool = False
    connection_state: RTCPeerConnectionState = RTCPeerConnectionState.NEW
    peer_identity: str | None = None
    validated_identity: Identity | None = None
    expose_peer_reflexive: bool = False
    nursery: trio.Nursery | None = None
    sources: SentSources = attrs.field(factory=SentSources, init=False)
    chain: OperationsChain = attrs.field(init=False)
    negotiation_needed: NegotiationNeeded = attrs.field(init=False)
    collect_stats: Callable[[str | None, bool], Awaitable[RTCStatsReport]] = attrs.field(init=False)
    # Local tracks run their handlers in the block of the first connection that sends them.
    _track_runners: list[HandlerRunner] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.chain = OperationsChain(lambda: self.is_closed)
        self.negotiation_needed = NegotiationNeeded(self.runner, self.chain)

    def fire(self, event: AnyEvent) -> None:
        """Fire an event at the connection."""
        self.target._fire(event)

    def fire_simple(self, name: str) -> None:
        """Fire an event without further attributes at the connection."""
        self.fire(Event(name, self.target))

    def require_open(self) -> None:
        """Raise ``InvalidStateError`` if the connection is closed."""
        if self.is_closed:
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))

    def permits(self, track: TrackState) -> bool:
        """Return whether a track may be sent to the peer: an isolated one only to its peer."""
        wanted = track.peer_identity
        return wanted is None or parsed_identity(wanted) == self.validated_identity is not None

    def open_handlers(self, track: TrackState) -> None:
        """Run the asynchronous handlers of a local track in this connection's block, if they have no nursery yet."""
        nursery = self.runner.nursery
        if nursery is not None and track.runner.nursery is None:
            track.runner.open(nursery, self.runner)
            self._track_runners.append(track.runner)

    def close(self) -> None:
        """Stop running the handlers of local tracks."""
        for runner in self._track_runners:
            runner.leave()
        self._track_runners.clear()
