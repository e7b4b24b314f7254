"""The parts of a peer connection and their assembly.

Each part has references to the parts below it. ``ConnectionContext`` has the state that all of them share.
"""

from collections.abc import Callable

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import default_wall_clock, new_rng
from trio_rtc.certificate import choose_certificate, core_certificate
from trio_rtc.configuration import RTCConfiguration
from trio_rtc.data_channels.channel_table import ChannelTable
from trio_rtc.data_channels.data_channel import RTCDataChannel, RTCDataChannelEvent
from trio_rtc.event_target import EventTarget, HandlerRunner
from trio_rtc.jsep import JsepSession
from trio_rtc.protocols.ice import IceParameters
from trio_rtc.transceivers.capabilities import OFFERED
from trio_rtc.transceivers.connection_context import ConnectionContext
from trio_rtc.transceivers.transceiver_table import TransceiverTable
from trio_rtc.transports.settings import Settings
from trio_rtc.transports.stack import StackDelegate, TransportStack

from .bundle_transports import BundleTransports
from .connection_states import ConnectionStates
from .ice_credentials import IceCredentials
from .identity import ConnectionIdentity
from .media_engine import MediaEngine, can_decode
from .negotiation import Negotiation
from .negotiation_methods import NegotiationMethods
from .statistics.collector import StatsCollector


class ConnectionAssembly:
    """The parts of one peer connection.

    Args:
        configuration: W3C's configuration.
        settings: Settings that W3C does not have.

    Attributes:
        context: The state that the parts share.
        negotiation: Creates and applies descriptions.
        methods: W3C's chained methods.

    Raises:
        InvalidAccessError: A certificate of the configuration has expired.
    """

    def __init__(
        self,
        target: EventTarget,
        runner: HandlerRunner,
        configuration: RTCConfiguration,
        settings: Settings,
        close: Callable[[], None],
    ) -> None:
        rng = settings.rng or new_rng()
        wall_clock = settings.wall_clock or default_wall_clock()
        certificate = choose_certificate(configuration.certificates, rng, wall_clock())
        context = self.context = ConnectionContext(
            target,
            runner,
            rng,
            wall_clock,
            # RFC 7022 section 4.2: a random name, which does not identify the host.
            cname=f"{rng.getrandbits(96):024x}",
            decode=can_decode() if settings.decode is None else settings.decode,
            opus=settings.opus,
            video_decoder=settings.video_decoder,
            peer_identity=configuration.peer_identity,
            expose_peer_reflexive=settings.expose_peer_reflexive,
        )
        self.channels = ChannelTable(runner, self._max_message_size, self._fire_data_channel)
        self.transceivers = TransceiverTable(context)
        self.media = MediaEngine(self.transceivers, context)
        self.states = ConnectionStates(context, self.channels, self._add_local_candidate, self.transceivers)

        def open_stack(delegate: StackDelegate, ice_parameters: IceParameters | None) -> TransportStack:
            return TransportStack(
                settings,
                rng=rng,
                wall_clock=wall_clock,
                certificate=core_certificate(certificate),
                delegate=delegate,
                ice_parameters=ice_parameters,
            )

        self.transports = BundleTransports(open_stack, self.states, IceCredentials(settings.ice_credentials))
        capabilities = attrs.evolve(OFFERED, any_profile=not context.decode)
        self.negotiation = Negotiation(
            JsepSession(rng=rng, options=settings.session, capabilities=capabilities),
            settings,
            configuration,
            certificate,
            self.transports,
            self.states,
            self.transceivers,
            self.media,
        )
        self.identity = ConnectionIdentity(
            context,
            settings.identity,
            self.negotiation.fingerprints,
            configured=lambda: self.negotiation.configuration.peer_identity,
            remote=self.negotiation.remote_description,
            close=close,
            on_validated=self.transceivers.update_sending,
        )
        self.methods = NegotiationMethods(self.negotiation, context, self.identity)
        self.statistics = StatsCollector(
            self.transports,
            self.channels,
            certificate,
            self.transceivers,
            wall_clock,
            lambda: self.negotiation.session.ignored_lines,
        )
        context.collect_stats = self.statistics.collect_section
        for transport in self.transports:
            self.channels.set_stack(transport.stack)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the transports in the nursery of their tasks, and gather candidates for the pool."""
        await self.transports.start(nursery)
        self.negotiation.fill_pool()

    def close(self) -> None:
        """Close all parts at once and without events; the transports run until the peer has been notified."""
        self.methods.close()
        self.identity.close()
        self.transceivers.close()
        self.context.close()
        self.states.close()

    def _fire_data_channel(self, channel: RTCDataChannel) -> None:
        self.context.fire(RTCDataChannelEvent("data_channel", self.context.target, channel))

    def _max_message_size(self) -> float:
        return self.states.max_message_size()

    def _add_local_candidate(self, mid: str, line: str | None, username_fragment: str | None) -> None:
        self.negotiation.candidate_gathered(mid, line, username_fragment)
