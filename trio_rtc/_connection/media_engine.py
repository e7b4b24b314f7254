"""Between W3C's transceivers and RTP: what was negotiated goes down, what happens comes up.

One object for a peer connection. It starts RTP when the first section is agreed on, keeps a task for each sender
that has something to send and a decoder for each track that somebody watches, and hands every event of RTP to whom
it concerns.
"""

import functools
import importlib.util
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from trio_rtc._pipeline.receive_pipeline import ReceivePipeline
from trio_rtc._pipeline.send_pipeline import LayerPlan, SendingPlan, SendPipeline
from trio_rtc.event_target import HandlerRunner
from trio_rtc.jsep.codecs import NegotiatedCodec, fits_encoders
from trio_rtc.jsep.media_plan import MediaPlan
from trio_rtc.protocols.rtp import (
    BitratesChanged,
    Closed,
    FramesReceived,
    KeyframeRequested,
    Opened,
    PacketsReceived,
    ReceiveParameters,
    RtpEvent,
    RtpPacket,
    SendParameters,
    StreamEnded,
    StreamStarted,
    TelephoneEventReceived,
)
from trio_rtc.transceivers.media_plans import SentStream, receive_parameters, send_parameters
from trio_rtc.transceivers.rtp_parameters import RTCRtpCodec, RTCRtpEncodingParameters
from trio_rtc.transceivers.rtp_receiver import RTCRtpReceiver
from trio_rtc.transceivers.rtp_sender import RTCRtpSender
from trio_rtc.transceivers.rtp_transceiver import RTCRtpTransceiver
from trio_rtc.transceivers.source_tracker import ReceivedSources, received_sources
from trio_rtc.transports.rtp import RtpTransport
from trio_rtc.transports.stack import TransportStack

if TYPE_CHECKING:
    from trio_rtc.codecs import VideoDecoderOptions
    from trio_rtc.stats import RTCStatsReport
    from trio_rtc.transceivers.transceiver_table import TransceiverTable

    from .negotiation_methods import NegotiationMethods


def can_decode() -> bool:
    """Return whether the extra ``media`` is installed."""
    return importlib.util.find_spec("av") is not None


@attrs.frozen
class MediaCarrier:
    """A transport that carries sections.

    Attributes:
        number: The transport's (``TransportPlan.number``).
        stack: Its layers.
        mids: All its sections.
    """

    number: int
    stack: TransportStack
    mids: frozenset[str]


class MediaEngine:
    """Carries media between the transceivers of a peer connection and its RTP sessions, one on each transport.

    Args:
        is_closed: Tells whether the connection is closed.
        is_connected: Tells whether it is connected.
        wall_clock: Returns the Unix time in seconds.
        cname: The name that joins our streams.
        video_decoder: How received video is decoded.
    """

    def __init__(
        self,
        is_closed: Callable[[], bool],
        is_connected: Callable[[], bool],
        wall_clock: Callable[[], float],
        cname: str,
        video_decoder: "VideoDecoderOptions | None",
    ) -> None:
        self._is_closed = is_closed
        self._is_connected = is_connected
        self._wall_clock = wall_clock
        self._cname = cname
        self._video_decoder = video_decoder
        self._nursery: trio.Nursery | None = None
        self._handlers: HandlerRunner | None = None
        self._operations: NegotiationMethods | None = None
        self._stats_of: Callable[[object], Awaitable[RTCStatsReport]] | None = None
        self._table: TransceiverTable | None = None
        self._rtps: dict[int, RtpTransport] = {}
        self._rtp_of_mid: dict[str, RtpTransport] = {}
        # Local tracks run their handlers in the block of the first connection that sends them.
        self._lent: list[HandlerRunner] = []
        self._sections_deferred = False
        self._sections_changed = False
        self._sending: dict[RTCRtpSender, SendPipeline] = {}
        self._receiving: dict[RTCRtpReceiver, ReceivePipeline] = {}

    def attach(
        self,
        table: "TransceiverTable",
        operations: "NegotiationMethods",
        stats_of: "Callable[[object], Awaitable[RTCStatsReport]]",
    ) -> None:
        """Say which transceivers there are, what negotiates them, and who has the statistics of each end."""
        self._table = table
        self._operations = operations
        self._stats_of = stats_of

    def open(self, nursery: trio.Nursery, handlers: HandlerRunner) -> None:
        """Set where tasks run, once the block has begun.

        Args:
            nursery: Where encoding, decoding and transforms run.
            handlers: Lends its nursery to the asynchronous handlers of the application's tracks.
        """
        self._nursery = nursery
        self._handlers = handlers

    def close(self) -> None:
        """Hear that the connection ends."""
        for runner in self._lent:
            runner.leave()
        self._lent.clear()

    @property
    def has_sections(self) -> bool:
        """Whether audio or video was negotiated."""
        return self._table is not None and bool(self._table.plans)

    def sending(self, sender: RTCRtpSender) -> SendPipeline | None:
        """Return what sends the frames of a sender, if it has ever had anything to send."""
        return self._sending.get(sender)

    def receiving(self, receiver: RTCRtpReceiver) -> ReceivePipeline | None:
        """Return what gives a receiver's track its frames, if there were any."""
        return self._receiving.get(receiver)

    # -- what was negotiated ---------------------------------------------------------------------------------------

    @contextmanager
    def one_change(self) -> Iterator[None]:
        """Configure RTP once, at the end of the block, for whatever changes within it.

        It costs the time of all sections, so once for each of 256 would be too much.
        """
        self._sections_deferred, self._sections_changed = True, False
        try:
            yield
        finally:
            self._sections_deferred = False
            if self._sections_changed:
                self._set_sections()

    def configure(self, carriers: Sequence[MediaCarrier]) -> None:
        """Configure RTP on all transports for the negotiated sections."""
        assert self._table is not None
        if not self._rtps and not self._table.plans:
            return
        self._rtps = {
            carrier.number: carrier.stack.start_rtp(self._cname)
            for carrier in carriers
            if carrier.stack.rtp is not None or carrier.mids.intersection(self._table.plans)
        }
        self._rtp_of_mid = {
            mid: self._rtps[carrier.number]
            for carrier in carriers
            if carrier.number in self._rtps
            for mid in carrier.mids
        }
        for transceiver in self._table.transceivers:
            self._set_demand(transceiver.receiver)
        self._set_sections()

    def _set_sections(self) -> None:
        table = self._table
        if self._sections_deferred:
            self._sections_changed = True
            return
        if not self._rtps or table is None:
            return
        sections: dict[int, tuple[list[SendParameters], list[ReceiveParameters]]]
        sections = {id(rtp): ([], []) for rtp in self._rtps.values()}
        for transceiver in table.transceivers:
            plan, rtp = table.plans.get(transceiver.mid or ""), self._rtp_of(transceiver)
            if plan is None or plan.direction is None or transceiver._stopping or rtp is None:
                continue
            sending, receiving = sections[id(rtp)]
            receiving.append(receive_parameters(plan))
            sending.append(send_parameters(plan, self._sent_streams(transceiver)))
        for rtp in self._rtps.values():
            rtp.call(rtp.session.set_sections, *sections[id(rtp)])
        for transceiver in table.transceivers:
            self._plan_sending(transceiver)
        self._forget_gone(table)

    def _forget_gone(self, table: "TransceiverTable") -> None:
        """End what serves transceivers that were removed."""
        senders = {transceiver.sender for transceiver in table.transceivers}
        for sender in [each for each in self._sending if each not in senders]:
            self._sending.pop(sender).close()
        receivers = {transceiver.receiver for transceiver in table.transceivers}
        for receiver in [each for each in self._receiving if each not in receivers]:
            self._receiving.pop(receiver).pause()

    def _sent_streams(self, transceiver: RTCRtpTransceiver) -> list[SentStream]:
        assert self._table is not None
        return self._table.sent_streams(transceiver)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _plan_sending(self, transceiver: RTCRtpTransceiver) -> None:
        sender = transceiver.sender
        plan, rtp = self._sending_plan(transceiver), self._rtp_of(transceiver)
        pump = self._sending.get(sender)
        if pump is not None and rtp is not None and pump.rtp is not rtp:
            # Its section has moved to the transport of another.
            pump.close()
            pump = None
        if pump is None:
            if plan is None or rtp is None or self._nursery is None:
                return
            pump = self._sending[sender] = SendPipeline(rtp)
            if rtp.session.is_open:
                pump.open()
            self._nursery.start_soon(pump.run)
        pump.transform = sender.transform
        pump.set_plan(plan)

    def _sending_plan(self, transceiver: RTCRtpTransceiver) -> SendingPlan | None:
        assert self._table is not None
        track = transceiver.sender._wanted_track
        plan = self._table.plans.get(transceiver.mid or "")
        if track is None or plan is None or plan.direction is None or not plan.direction.sends:
            return None
        streams = self._sent_streams(transceiver)
        codec = _chosen_codec(plan.send_codecs, streams[0].encoding)
        if codec is None:
            return None
        handlers = self._handlers
        if handlers is not None and handlers.nursery is not None and track._runner.nursery is None:
            track._runner.open(handlers.nursery, handlers)
            self._lent.append(track._runner)
        return SendingPlan(
            plan.mid,
            plan.kind,
            track,
            codec.codec.name,
            _with_packet_times(codec.codec.parameters, plan),
            tuple(LayerPlan(stream.ssrc, stream.encoding.rid, stream.encoding) for stream in streams),
            transceiver.sender._degradation_preference,
        )

    # -- what senders, receivers and transceivers ask for ------------------------------------------------------------

    def is_closed(self) -> bool:
        """Whether the connection is closed."""
        return self._is_closed()

    async def chain(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Run something in its turn among the operations of the connection."""
        assert self._operations is not None
        async with self._operations.chain.operation():
            await operation()

    def update_negotiation_need(self) -> None:
        """Look again whether negotiation is needed."""
        assert self._operations is not None
        self._operations.update_need()

    def sending_changed(self, sender: RTCRtpSender) -> None:
        """Hear that the track or the parameters of a sender are others."""
        if self._sections_deferred:
            self._sections_changed = True
        elif self._table is not None and not self._is_closed() and self._table.of_sender(sender) is not None:
            self._set_sections()

    def is_sending(self, sender: RTCRtpSender) -> bool:
        """Whether the connection is up and lets the sender send."""
        transceiver = None if self._table is None else self._table.of_sender(sender)
        direction = None if transceiver is None else transceiver.current_direction
        return direction is not None and direction.sends and self._is_connected()

    def choosable_codecs(self, sender: RTCRtpSender) -> Sequence[RTCRtpCodec]:
        """Return the codecs that could be sent, as long as none was negotiated."""
        transceiver = None if self._table is None else self._table.of_sender(sender)
        capabilities = sender.get_capabilities(sender._kind)
        if transceiver is not None and transceiver._preferred:
            return transceiver._preferred
        return () if capabilities is None else capabilities.codecs

    def send_event(self, sender: RTCRtpSender, code: int, elapsed: float, *, end: bool) -> None:
        """Tell the peer how long a telephone event has lasted."""
        transceiver = None if self._table is None else self._table.of_sender(sender)
        rtp = self._rtp_of(transceiver)
        if rtp is not None and transceiver is not None and transceiver.mid is not None:
            rtp.call(functools.partial(rtp.session.send_event, end=end), transceiver.mid, code, elapsed)

    async def send_packets(self, sender: RTCRtpSender, packets: Sequence[RtpPacket], rid: str | None) -> None:
        """Send packets in a stream of a sender's; before there is a connection they are lost."""
        transceiver = None if self._table is None else self._table.of_sender(sender)
        rtp = self._rtp_of(transceiver)
        if rtp is None or transceiver is None or transceiver.mid is None:
            await trio.lowlevel.checkpoint()
            return
        await rtp.send_packets(transceiver.mid, packets, rid)
        await trio.lowlevel.checkpoint()

    def wall_clock(self) -> float:
        """Return the time of day in milliseconds."""
        return self._wall_clock() * 1000

    def demand_changed(self, receiver: RTCRtpReceiver) -> None:
        """Hear that somebody wants frames or packets of a receiver, or nobody any more."""
        self._set_demand(receiver)

    def _set_demand(self, receiver: RTCRtpReceiver) -> None:
        transceiver = self._of_receiver(receiver)
        rtp = self._rtp_of(transceiver)
        if rtp is None or transceiver is None or transceiver.mid is None:
            return
        rtp.session.set_demand(
            transceiver.mid,
            frames=receiver._wants_frames,
            packets=receiver._wants_packets,
            min_delay=(receiver.jitter_buffer_target or 0.0) / 1000,
        )
        rtp.wake()
        if not receiver._source.is_wanted and (pump := self._receiving.get(receiver)) is not None:
            pump.pause()

    def request_keyframe(self, receiver: RTCRtpReceiver, rid: str | None) -> None:
        """Ask the peer for a keyframe."""
        transceiver = self._of_receiver(receiver)
        rtp = self._rtp_of(transceiver)
        if rtp is not None and transceiver is not None and transceiver.mid is not None:
            rtp.call(rtp.session.request_keyframe, transceiver.mid, rid)

    def received_sources(self, receiver: RTCRtpReceiver) -> list[ReceivedSources]:
        """Return who is in what a receiver's streams bring."""
        transceiver = self._of_receiver(receiver)
        rtp = self._rtp_of(transceiver)
        if transceiver is None or rtp is None:
            return []
        now, time_of_day = trio.current_time(), self.wall_clock()
        streams = [each for each in rtp.session.receiver.streams if each.mid == transceiver.mid]
        sources = [received_sources(each, lambda at: time_of_day - (now - at) * 1000) for each in streams]
        return [each for each in sources if each is not None]

    async def stats_of(self, selected: object) -> "RTCStatsReport":
        """Return the statistics that concern a sender or receiver."""
        assert self._stats_of is not None
        return await self._stats_of(selected)

    def _of_receiver(self, receiver: RTCRtpReceiver) -> RTCRtpTransceiver | None:
        transceivers = [] if self._table is None else self._table.transceivers
        return next((each for each in transceivers if each.receiver is receiver), None)

    # -- events of RTP -----------------------------------------------------------------------------------------------

    def handle_event(self, number: int, event: RtpEvent) -> None:
        """Dispatch an RTP event of a transport."""
        match event:
            case FramesReceived():
                self._take_frames(event)
            case PacketsReceived() | StreamStarted() | TelephoneEventReceived():
                if (transceiver := self._by_mid(event.mid)) is not None:
                    _tell_receiver(transceiver.receiver, event)
            case KeyframeRequested():
                if (transceiver := self._by_mid(event.mid)) is not None:
                    if (pump := self._sending.get(transceiver.sender)) is not None:
                        pump.request_keyframe(event.rid)
                    transceiver.sender._keyframe_requested(event.rid)
            case Opened():
                for pump in self._pumps_on(number):
                    pump.open()
            case BitratesChanged():
                for pump in self._pumps_on(number):
                    pump.set_bitrates(event.bitrates)
                self._tell_bitrates(event.bitrates)
            case StreamEnded():
                self._note_silence(event.mid)
            case Closed():
                pass

    def _pumps_on(self, number: int) -> list[SendPipeline]:
        return [pump for pump in self._sending.values() if pump.rtp is self._rtps.get(number)]

    def _rtp_of(self, transceiver: RTCRtpTransceiver | None) -> RtpTransport | None:
        return None if transceiver is None else self._rtp_of_mid.get(transceiver.mid or "")

    def _tell_bitrates(self, bitrates: Mapping[int, float]) -> None:
        """Tell the senders, for applications that encode themselves."""
        assert self._table is not None
        for transceiver in self._table.transceivers:
            shares = {
                stream.encoding.rid: bitrates[stream.ssrc]
                for stream in self._sent_streams(transceiver)
                if stream.ssrc in bitrates
            }
            transceiver.sender._bitrates_changed(shares)

    def _note_silence(self, mid: str) -> None:
        """Mute a track whose last source has left (W3C webrtc section 5.3)."""
        transceiver = self._by_mid(mid)
        rtp = self._rtp_of(transceiver)
        if transceiver is None or rtp is None:
            return
        if all(stream.mid != mid for stream in rtp.session.receiver.streams):
            transceiver.receiver._mute_later(True)

    def _take_frames(self, event: FramesReceived) -> None:
        transceiver = self._by_mid(event.mid)
        if transceiver is None or self._nursery is None:
            return
        receiver = transceiver.receiver
        pump = self._receiving.get(receiver)
        if pump is None:
            pump = self._receiving[receiver] = ReceivePipeline(receiver, self._nursery, self._video_decoder)
        for frame in event.frames:
            pump.take(event.rid, frame)

    def _by_mid(self, mid: str) -> RTCRtpTransceiver | None:
        return None if self._table is None else self._table.by_mid(mid)


def _tell_receiver(
    receiver: RTCRtpReceiver, event: PacketsReceived | StreamStarted | TelephoneEventReceived
) -> None:
    match event:
        case PacketsReceived():
            receiver._take_packets(event.rid, event.packets)
        case StreamStarted():
            receiver._mute_later(False)
        case TelephoneEventReceived():
            receiver._take_event(event.heard)


def _with_packet_times(parameters: Mapping[str, str], plan: MediaPlan) -> Mapping[str, str]:
    """Return the peer's parameters of a codec with what its section says of the duration of packets."""
    times = {"ptime": plan.ptime, "maxptime": plan.maxptime}
    return {
        **{name: f"{time:g}" for name, time in times.items() if time is not None},
        **parameters,
    }


def _chosen_codec(
    codecs: tuple[NegotiatedCodec, ...], encoding: RTCRtpEncodingParameters
) -> NegotiatedCodec | None:
    """Return the codec that is sent: the one that the encoding names, else the first that carries media."""
    media = sorted(
        (each for each in codecs if each.codec.is_media), key=lambda each: not fits_encoders(each.codec)
    )
    if encoding.codec is not None:
        wanted = encoding.codec.name
        media.sort(key=lambda each: not each.codec.is_called(wanted))
    return next(iter(media), None)
