"""What a peer connection consists of, and how its parts hang together.

Each part knows only those that it needs. Where two need each other, the one that is made first gets a function that
looks the other up, or is told of it by ``attach`` when both are there.
"""

from collections.abc import Callable

import attrs

from trio_rtc._environment import default_wall_clock, new_rng
from trio_rtc.certificate import choose_certificate, core_certificate
from trio_rtc.configuration import RTCConfiguration
from trio_rtc.data_channels.channel_table import ChannelTable
from trio_rtc.data_channels.data_channel import RTCDataChannel, RTCDataChannelEvent
from trio_rtc.enums import RTCPeerConnectionState
from trio_rtc.event_target import AnyEvent, HandlerRunner
from trio_rtc.events import Event
from trio_rtc.jsep import JsepSession
from trio_rtc.protocols.ice import IceParameters
from trio_rtc.stats import StatsCollector
from trio_rtc.transceivers.capabilities import OFFERED
from trio_rtc.transceivers.transceiver_table import TransceiverTable, new_cname
from trio_rtc.transports.settings import Settings
from trio_rtc.transports.stack import StackDelegate, TransportStack

from .bundle_transports import BundleTransports
from .connection_states import ConnectionStates
from .media_engine import MediaEngine, can_decode
from .negotiation import Negotiation
from .negotiation_methods import NegotiationMethods


@attrs.frozen(eq=False)
class EventSink:
    """What the parts need of W3C's object.

    Attributes:
        target: It, as the target of its events.
        fire: Lets an event happen to it.
        runner: Runs the handlers.
        is_closed: Tells whether it is closed.
    """

    target: object
    fire: Callable[[AnyEvent], None]
    runner: HandlerRunner
    is_closed: Callable[[], bool]

    def announce(self, event: str) -> None:
        """Let an event that has nothing but a name happen to it."""
        self.fire(Event(event, self.target))

    def announce_channel(self, channel: RTCDataChannel) -> None:
        """Let it hear of a data channel of the peer's."""
        self.fire(RTCDataChannelEvent("data_channel", self.target, channel))


class ConnectionAssembly:
    """The parts of one peer connection.

    Args:
        face: What they need of W3C's object.
        configuration: W3C's configuration.
        settings: What W3C does not have.

    Attributes:
        channels: The data channels.
        media: Between the transceivers and RTP.
        transceivers: The transceivers.
        monitor: The states that the transports bring about.
        transports: One for each bundle.
        negotiation: Creates and applies descriptions.
        operations: Runs that one after another.
        statistics: Collects the report.

    Raises:
        InvalidAccessError: A certificate of the configuration has expired.
    """

    def __init__(self, face: EventSink, configuration: RTCConfiguration, settings: Settings) -> None:
        rng = settings.rng or new_rng()
        wall_clock = settings.wall_clock or default_wall_clock()
        certificate = choose_certificate(configuration.certificates, rng, wall_clock())
        cname = new_cname(rng)
        target, fire, runner, is_closed = face.target, face.fire, face.runner, face.is_closed
        self.channels = ChannelTable(runner, self._max_message_size, face.announce_channel)
        self.media = MediaEngine(is_closed, self._is_connected, wall_clock, cname, settings.video_decoder)
        decode = can_decode() if settings.decode is None else settings.decode
        self.transceivers = TransceiverTable(
            target, fire, runner, self.media, rng=rng, cname=cname, decode=decode, opus=settings.opus
        )
        self.monitor = ConnectionStates(
            target, fire, runner, self.channels, self._candidate_gathered, self.media
        )

        def open_stack(delegate: StackDelegate, ice_parameters: IceParameters | None) -> TransportStack:
            return TransportStack(
                settings,
                rng=rng,
                wall_clock=wall_clock,
                certificate=core_certificate(certificate),
                delegate=delegate,
                ice_parameters=ice_parameters,
            )

        self.transports = BundleTransports(open_stack, self.monitor)
        capabilities = attrs.evolve(OFFERED, any_profile=not decode)
        session = JsepSession(rng=rng, options=settings.session, capabilities=capabilities)
        self.negotiation = Negotiation(
            session,
            settings,
            configuration,
            certificate,
            self.transports,
            self.monitor,
            self.transceivers,
            self.media,
        )
        self.operations = NegotiationMethods(self.negotiation, runner, face.announce, is_closed)
        self.statistics = StatsCollector(
            self.transports,
            self.monitor,
            certificate,
            self.transceivers,
            self.media,
            wall_clock,
            lambda: self.negotiation.session.ignored_lines,
        )
        for transport in self.transports:
            self.channels.attach(transport.stack)
        self.media.attach(self.transceivers, self.operations, self.statistics.collect)

    def close(self) -> None:
        """Close all at once and silently; the transports go on for their goodbyes."""
        self.operations.close()
        self.transceivers.close()
        self.media.close()
        self.monitor.close()

    def _is_connected(self) -> bool:
        return self.monitor.connection_state is RTCPeerConnectionState.CONNECTED

    def _max_message_size(self) -> float:
        return self.monitor.max_message_size()

    def _candidate_gathered(self, mid: str, line: str | None, username_fragment: str | None) -> None:
        self.negotiation.candidate_gathered(mid, line, username_fragment)
