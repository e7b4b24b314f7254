"""Offers and answers of one peer connection: applies the plans of the JSEP session to the transports.

The session computes a plan for each description. A local offer only starts gathering, with its ICE credentials; a
remote offer changes no transport; a rollback undoes the effects of its offer. With an answer of either side, the peer's
ICE credentials are set, and DTLS and SCTP start. Earlier candidates of the peer are in its description by then. Each of
these steps is done for every transport; there are several if the peer does not bundle.
"""

import copy
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.certificate import RTCCertificate
from trio_rtc.configuration import RTCConfiguration
from trio_rtc.descriptions import RTCIceCandidate, RTCSessionDescription
from trio_rtc.enums import RTCIceGathererState, RTCSdpType, RTCSignalingState
from trio_rtc.errors import OperationError, ProtocolError
from trio_rtc.jsep import (
    ApplyResult,
    CandidateRoute,
    Description,
    JsepSession,
    LocalMedia,
    LocalTransport,
    TransportPlan,
)
from trio_rtc.jsep.transceivers import LocalTransceiver
from trio_rtc.protocols.dtls import DtlsRole, Fingerprint
from trio_rtc.protocols.ice import Candidate, IceParameters, IceRole, IceServer, UnusableCandidate
from trio_rtc.protocols.sdp import SessionDescription, media_mid, transport_attributes
from trio_rtc.transceivers.transceiver_table import TransceiverTable
from trio_rtc.transports.rtc_transports import RTCDtlsTransport
from trio_rtc.transports.settings import Settings
from trio_rtc.transports.stack import TransportStack

from .bundle_transports import BundleTransport, BundleTransports
from .connection_states import ConnectionStates
from .media_engine import BundleSections, MediaEngine

logger = logging.getLogger("trio_rtc.sdp")

_OFFER_STATES = (
    RTCSignalingState.STABLE,
    RTCSignalingState.HAVE_LOCAL_OFFER,
    RTCSignalingState.HAVE_REMOTE_PRANSWER,
)
_ONLY_OFFERED = (RTCSignalingState.HAVE_LOCAL_OFFER, RTCSignalingState.HAVE_REMOTE_OFFER)
_MAX_CANDIDATE_LENGTH = 4096
_MAX_LOGGED_LINES = 10
_END_OF_CANDIDATES = ("", "end-of-candidates", "a=end-of-candidates")


@attrs.define(eq=False)
class Negotiation:
    """Creates and applies descriptions.

    Attributes:
        settings: Settings that W3C does not have.
        configuration: W3C's configuration.
        can_trickle: W3C's ``canTrickleIceCandidates``.
        assertion: Value of ``a=identity`` in created descriptions; ``None`` for no assertion.
    """

    session: JsepSession
    settings: Settings
    configuration: RTCConfiguration
    certificate: RTCCertificate
    transports: BundleTransports
    states: ConnectionStates
    transceivers: TransceiverTable
    media: MediaEngine
    can_trickle: bool | None = None
    assertion: str | None = attrs.field(default=None, repr=False)
    # The MID of the data channels' section after the last negotiation.
    _data_mid: str | None = None
    _data_closed: bool = False
    # Transports with a new endpoint of the peer, until the description has been applied.
    _handed_over: list[tuple[BundleTransport, TransportPlan]] = attrs.field(factory=list)
    # W3C's [[LocalIceCredentialsToReplace]], as username fragments.
    _credentials_to_replace: frozenset[str] = frozenset()
    _w3c_descriptions: WeakKeyDictionary[Description, RTCSessionDescription] = attrs.field(
        factory=WeakKeyDictionary
    )

    # -- creating ----------------------------------------------------------------------------------------------

    def create_offer(self, *, ice_restart: bool) -> RTCSessionDescription:
        """Create an offer, with new ICE credentials for transports that restart ICE."""
        transceivers = self.transceivers.to_jsep()
        kinds: list[str] = [each.kind for each in transceivers if each.is_live]
        if self.states.channels.channels:
            kinds.append("application")
        for number in range(self.session.transports_to_offer(kinds, self.configuration.bundle_policy)):
            self.transports.get_or_open(number)
        described = self.session.local_description is not None
        restarting = {
            transport.number
            for transport in self.transports
            if described
            and (ice_restart or _local_username_fragment(transport) in self._credentials_to_replace)
        }
        media = self._local_media(transceivers, restarting)
        return RTCSessionDescription(RTCSdpType.OFFER, self.session.create_offer(media))

    def create_answer(self) -> RTCSessionDescription:
        """Create an answer, with new ICE credentials for transports on which the peer restarts ICE."""
        restarting = set()
        for plan in self.session.transports:
            transport = self.transports.get_or_open(plan.number)
            remote = None if transport is None else transport.stack.agent.remote_parameters
            if plan.ice_restart and remote is not None and remote.username_fragment != plan.remote_ufrag:
                restarting.add(plan.number)
        media = self._local_media(self.transceivers.to_jsep(), restarting)
        return RTCSessionDescription(RTCSdpType.ANSWER, self.session.create_answer(media))

    def complete(self, type: RTCSdpType | None, sdp: str) -> RTCSessionDescription:
        """Add missing members to the argument of ``set_local_description`` (W3C webrtc section 4.4.2)."""
        type = type or self._default_type()
        if sdp or type is RTCSdpType.ROLLBACK:
            return RTCSessionDescription(type, sdp)
        created = self.create_offer(ice_restart=False) if type is RTCSdpType.OFFER else self.create_answer()
        return RTCSessionDescription(type, created.sdp)

    def _default_type(self) -> RTCSdpType:
        """Return the type of a local description without one (W3C webrtc section 4.4.2)."""
        offers = self.session.signaling_state in _OFFER_STATES
        return RTCSdpType.OFFER if offers else RTCSdpType.ANSWER

    def _local_media(
        self, transceivers: tuple[LocalTransceiver, ...], restarting: Collection[int]
    ) -> LocalMedia:
        """Return the local state for JSEP: the transceivers and the transports.

        Args:
            transceivers: The result of ``TransceiverTable.to_jsep``.
            restarting: The numbers of the transports that restart ICE.
        """
        # The first transport may have ended without media sections; new sections may need it again.
        self.transports.get_or_open(0)
        renewed = self._prepare_generation(restarting)
        locals_by_number = {
            each.number: self._local_transport(each, renewed=each in renewed) for each in self.transports
        }
        first = locals_by_number.pop(0)
        return LocalMedia(
            data_channels=bool(self.states.channels.channels),
            ice_parameters=(first.username_fragment, first.password),
            fingerprints=first.fingerprints,
            candidates=first.candidates,
            candidates_complete=first.candidates_complete,
            max_message_size=self.settings.max_message_size,
            transceivers=transceivers,
            bundle_policy=self.configuration.bundle_policy,
            further=locals_by_number,
            identity=self.assertion,
        )

    def _prepare_generation(self, restarting: Collection[int]) -> list[BundleTransport]:
        """Prepare new ICE credentials, shared by all transports that need them; return these transports."""
        renewed = [each for each in self.transports if each.number in restarting or each.generation_abandoned]
        # Transports whose credentials have not been signaled get the same ones.
        unsignaled = [each for each in self.transports if renewed and not each.stack.gathering_started]
        renewed = list(dict.fromkeys((*renewed, *unsignaled)))
        parameters = next((each.prepared for each in renewed if each.prepared is not None), None)
        if renewed and parameters is None:
            parameters = self.transports.credentials.next_generation()
        for transport in renewed:
            parameters = transport.prepared = transport.stack.agent.prepare_restart(parameters)
        return renewed

    def _local_transport(self, transport: BundleTransport, *, renewed: bool) -> LocalTransport:
        agent, ice = transport.stack.agent, transport.events.ice_transport
        parameters = agent.local_parameters
        candidates: list[str] = []
        complete = False
        if renewed and transport.prepared is not None:
            parameters = transport.prepared
        elif ice is not None:
            candidates = [candidate.candidate for candidate in ice.get_local_candidates()]
            states = (agent.gathering_state, ice.gathering_state)
            complete = all(state is RTCIceGathererState.COMPLETE for state in states)
        return LocalTransport(
            parameters.username_fragment,
            parameters.password,
            fingerprints=self.fingerprints,
            candidates=tuple(candidates),
            candidates_complete=complete,
        )

    @property
    def fingerprints(self) -> tuple[tuple[str, str], ...]:
        """Pairs of hash function and digest of all certificates (RFC 9429 section 5.2.1), the used one last.

        libwebrtc compares with the last fingerprint only.
        """
        return tuple(
            (fingerprint.algorithm, fingerprint.value.upper())
            for certificate in [*self.configuration.certificates[:0:-1], self.certificate]
            for fingerprint in certificate.get_fingerprints()
        )

    def fill_pool(self) -> None:
        """Gather candidates early as configured (RFC 9429 section 3.5.5), until the first negotiation is complete."""
        if self.session.current_local is None:
            configuration = self.configuration
            self.transports.fill_pool(
                configuration.ice_candidate_pool_size, self._ice_servers(), configuration.ice_transport_policy
            )

    def request_ice_restart(self) -> None:
        """Replace the local ICE credentials in the next negotiation (W3C webrtc section 4.4.2, ``restartIce``)."""
        descriptions = (self.session.current_local, self.session.pending_local)
        self._credentials_to_replace = frozenset().union(*map(_username_fragments, descriptions))

    def is_needed(self) -> bool:
        """Return whether negotiation is needed (W3C webrtc section 4.7.3)."""
        return self.session.needs_negotiation(
            self.transceivers.to_jsep(),
            data_channels=bool(self.states.channels.channels),
            ice_restart=bool(self._credentials_to_replace),
        )

    # -- checks when a method begins ----------------------------------------------------------------------------

    def check_offerable(self) -> None:
        """Raise ``InvalidStateError`` unless an offer can be created."""
        self.session.check_offerable()

    def check_answerable(self) -> None:
        """Raise ``InvalidStateError`` unless an answer can be created."""
        self.session.check_answerable()

    def check_local(self, type: RTCSdpType | None, sdp: str) -> None:
        """Check the argument of ``set_local_description``, as far as W3C does before going in parallel."""
        self.session.check_local(type or self._default_type(), sdp)

    def check_remote(self, description: RTCSessionDescription) -> None:
        """Check the argument of ``set_remote_description``, as far as W3C does before going in parallel."""
        if description.type is RTCSdpType.ROLLBACK:
            self.session.check_remote_rollback()
        elif description.type is RTCSdpType.OFFER:
            self.session.check_remote_offer()

    def check_candidate(self, candidate: "CandidateInit") -> None:
        """Check the argument of ``add_ice_candidate``, as far as W3C does before going in parallel."""
        self.session.check_remote_candidate(
            candidate.sdp_mid, candidate.sdp_m_line_index, candidate.username_fragment, candidate.line or None
        )

    # -- applying ----------------------------------------------------------------------------------------------

    def apply_local(self, description: RTCSessionDescription) -> ApplyResult:
        """Apply a local description to the session, the transports and the transceivers."""
        applied = self.session.apply_local(description.type, description.sdp)
        if description.type is RTCSdpType.ROLLBACK:
            self._roll_back(applied)
        else:
            self._prepare_replaced_credentials()
            self._begin_prepared_generation()
            self._apply_transports(applied, gather=True)
        self._apply_media(applied, remote=False)
        return applied

    def collides(self, description: RTCSessionDescription) -> bool:
        """Return whether a remote description is an offer that collides with a local offer."""
        in_glare = self.session.signaling_state is RTCSignalingState.HAVE_LOCAL_OFFER
        return in_glare and description.type is RTCSdpType.OFFER

    def remote_description(self) -> SessionDescription | None:
        """Return the present remote description, parsed."""
        remote = self.session.remote_description
        return None if remote is None else remote.parsed

    def preview_remote(self, description: RTCSessionDescription) -> SessionDescription:
        """Return a remote description as it would be applied; change nothing.

        Raises:
            RTCError: The description would be rejected; also the errors of ``JsepSession.apply_remote``.
        """
        # A session has only immutable values, so a copy can be used for validation.
        session = copy.copy(self.session)
        transceivers = self.transceivers.to_jsep()
        session.apply_remote(description.type, description.sdp, transceivers)
        assert session.remote_description is not None
        return session.remote_description.parsed

    def apply_remote(self, description: RTCSessionDescription) -> ApplyResult:
        """Apply a remote description to the session, the transports and the transceivers."""
        session = copy.copy(self.session)
        applied = session.apply_remote(description.type, description.sdp, self.transceivers.to_jsep())
        self.session = session
        self.can_trickle = applied.can_trickle
        _log_ignored_lines(session.remote_description)
        if description.type is RTCSdpType.ROLLBACK:
            self._roll_back(applied)
        else:
            self._apply_transports(applied, gather=False)
        self._apply_media(applied, remote=True)
        return applied

    def finish(self, applied: ApplyResult) -> None:
        """Finish an applied description: data channels, SCTP, and the events after that of the signaling state."""
        if self._data_closed:
            self._data_closed = False
            self.states.channels.stack.end_channels()
        # What the transports do then are tasks of their own (W3C webrtc section 5.5).
        with self.states.context.runner:
            self._replace_associations()
            self._start_association(applied)
        # W3C webrtc section 4.4.1.5: nothing comes between the events of the signaling state, tracks and streams.
        self.transceivers.fire_events()
        offered = applied.signaling_state is RTCSignalingState.HAVE_REMOTE_OFFER
        self.states.description_applied(has_sections=None if offered else bool(applied.transports))

    def candidate_gathered(self, mid: str, line: str | None, username_fragment: str | None) -> None:
        """Add a local candidate to the descriptions; ``None`` as ``line`` is the end of candidates."""
        if line is None:
            self.session.local_candidates_complete(mid, username_fragment)
        else:
            self.session.add_local_candidate(mid, line, username_fragment)

    def add_candidate(self, candidate: "CandidateInit") -> None:
        """Add a remote candidate, or the end of candidates.

        Raises:
            InvalidStateError: There is no remote description.
            OperationError: The candidate does not parse, or has an unknown media section or ICE generation.
        """
        session = copy.copy(self.session)
        routes = session.add_remote_candidate(
            candidate.sdp_mid, candidate.sdp_m_line_index, candidate.username_fragment, candidate.line or None
        )
        try:
            parsed = _parse_candidate(candidate.line) if candidate.line else None
        except UnusableCandidate as error:
            self.session = session
            for transport in self._current_transports(routes):
                transport.stack.agent.ignore_remote_candidate(candidate.line, str(error))
            return
        self.session = session
        for transport in self._current_transports(routes):
            agent = transport.stack.agent
            if parsed is None:
                agent.remote_candidates_complete(trio.current_time())
            elif agent.remote_parameters is not None:
                _add_remote(transport, parsed, candidate.line, agent.remote_parameters.username_fragment)

    def _current_transports(self, routes: Sequence[CandidateRoute]) -> Iterator[BundleTransport]:
        """Yield the transports whose present ICE generation a candidate belongs to.

        A candidate of the next generation remains in the description until then.
        """
        for route in routes:
            transport = self.transports.get(route.number)
            remote = None if transport is None else transport.stack.agent.remote_parameters
            if transport is None or remote is None:
                continue
            if route.username_fragment == remote.username_fragment:
                yield transport

    def description(self, description: Description | None) -> RTCSessionDescription | None:
        """Return W3C's object of a description, the same one until the description changes."""
        if description is None:
            return None
        if description not in self._w3c_descriptions:
            self._w3c_descriptions[description] = RTCSessionDescription(description.type, description.sdp)
        return self._w3c_descriptions[description]

    # -- inside ------------------------------------------------------------------------------------------------

    def _prepare_replaced_credentials(self) -> None:
        """Prepare ICE credentials that the application has written into the applied description."""
        described = self.session.local_description
        replaced = {} if described is None else described.replaced_credentials
        for transport in self.transports:
            created = transport.prepared or transport.stack.agent.local_parameters
            if created.username_fragment in replaced:
                parameters = IceParameters(*replaced[created.username_fragment])
                transport.prepared = transport.stack.agent.prepare_restart(parameters)

    def _begin_prepared_generation(self) -> None:
        """Restart ICE if the applied description has the prepared credentials."""
        described = _username_fragments(self.session.local_description)
        for transport in self.transports:
            prepared = transport.prepared
            if prepared is not None and prepared.username_fragment in described:
                transport.prepared = None
                transport.generation_abandoned = False
                transport.stack.restart_ice(self._ice_servers(), self.configuration.ice_transport_policy)

    def _roll_back(self, applied: ApplyResult) -> None:
        self.states.withdraw_sctp_transport()
        needed = {plan.number for plan in applied.transports}
        for transport in self.transports:
            transport.stack.agent.roll_back_restart(trio.current_time())
            # Transports whose roles an answer has determined remain, even without media sections.
            if transport.number in needed or transport.role_settled:
                continue
            if transport.number:
                self._remove_transport(transport)
            else:
                transport.generation_abandoned = transport.stack.gathering_started
                transport.events.end_w3c_objects()

    def _apply_transports(self, applied: ApplyResult, *, gather: bool) -> None:
        if applied.negotiated:
            self._complete_negotiation(applied)
        if applied.signaling_state is not RTCSignalingState.HAVE_REMOTE_OFFER:
            for plan in applied.transports:
                transport = self.transports.get_or_open(plan.number)
                if transport is not None:
                    self._apply_transport(transport, plan, applied, gather=gather)
        if applied.signaling_state in _ONLY_OFFERED:
            self._offer_sctp(applied)
        if applied.negotiated and applied.transports:
            self._remove_unused(applied)
        if self.session.current_local is not None:
            # RFC 9429 section 3.5.5: the pool is for the first exchange only.
            self.transports.empty_pool()

    def _apply_transport(
        self, transport: BundleTransport, plan: TransportPlan, applied: ApplyResult, *, gather: bool
    ) -> None:
        stack = transport.stack
        transport.events.add_w3c_objects(stack.agent, plan.mid, plan.m_line_index)
        if not transport.role_settled:
            stack.agent.set_role(_ice_role(plan), trio.current_time())
        if gather:
            self._gather(stack)
        if applied.signaling_state is not RTCSignalingState.HAVE_LOCAL_OFFER:
            transport.role_settled = True
            _set_remote_ice(transport, plan)
            with self.states.context.runner:
                self._start_upper_layers(transport, plan)

    def _offer_sctp(self, applied: ApplyResult) -> None:
        """Create W3C's SCTP transport, and the transports below it, for an offer of data channels."""
        plan = next((plan for plan in applied.transports if applied.data_mid in plan.mids), None)
        transport = None if plan is None else self.transports.get_or_open(plan.number)
        if plan is None or transport is None:
            self.states.withdraw_sctp_transport()
            return
        agent = transport.stack.agent
        if not transport.role_settled:
            agent.set_role(_ice_role(plan), trio.current_time())
        self.states.offer_sctp_transport(transport.events.create_w3c_objects(agent))

    def _remove_unused(self, applied: ApplyResult) -> None:
        """Remove transports without media sections after a negotiation in which another transport has some."""
        needed = {plan.number for plan in applied.transports}
        for transport in self.transports:
            if transport.number not in needed and (transport.number or transport.role_settled):
                self._remove_transport(transport)

    def _remove_transport(self, transport: BundleTransport) -> None:
        channels = self.states.channels
        if channels.stack is transport.stack:
            remaining = [each for each in self.transports if each is not transport]
            channels.set_stack(remaining[0].stack)
        self.transports.remove(transport.number)

    def _complete_negotiation(self, applied: ApplyResult) -> None:
        """Update the state of ICE restarts and data channels after a completed negotiation."""
        if not self._credentials_to_replace & _username_fragments(self.session.current_local):
            self._credentials_to_replace = frozenset()
        self._data_closed = self._closes_data_section(applied)
        self._data_mid = applied.data_mid
        if self._data_closed:
            self.states.remove_sctp_transport()

    def _closes_data_section(self, applied: ApplyResult) -> bool:
        """Return whether a negotiation has closed or rejected the media section of the data channels."""
        if self._data_mid in applied.closed_mids:
            return True
        current = self.session.current_local
        sections = () if current is None else current.parsed.media
        return any(
            media.kind == "application" and media_mid(media) in applied.closed_mids for media in sections
        )

    def _apply_media(self, applied: ApplyResult, *, remote: bool) -> None:
        dtls_by_mid: dict[str, RTCDtlsTransport] = {}
        bundles = []
        for plan in applied.transports:
            transport = self.transports.get(plan.number)
            if transport is not None:
                bundles.append(BundleSections(plan.number, transport.stack, frozenset(plan.mids)))
                if transport.events.dtls_transport is not None:
                    dtls_by_mid.update(dict.fromkeys(plan.mids, transport.events.dtls_transport))
        self.transceivers.apply(applied, dtls_by_mid, remote=remote)
        if bundles and applied.signaling_state not in _ONLY_OFFERED:
            self.media.configure(bundles)
        self.media.update_sections()

    def _gather(self, stack: TransportStack) -> None:
        stack.gather(self._ice_servers(), self.configuration.ice_transport_policy)

    def _ice_servers(self) -> Sequence[IceServer]:
        return [
            IceServer.parse(url, server.username, server.credential)
            for server in self.configuration.ice_servers
            for url in server.urls
        ]

    def _start_upper_layers(self, transport: BundleTransport, plan: TransportPlan) -> None:
        stack = transport.stack
        if plan.dtls_role is not None and plan.remote_fingerprints:
            if stack.needs_new_dtls(_fingerprints(plan)):
                self._handed_over.append((transport, plan))
                if self.states.channels.stack is stack and self.states.has_negotiated_sctp:
                    self.states.remove_sctp_transport()
            else:
                stack.start_dtls(_dtls_role(plan), _fingerprints(plan))
        if plan.remote_max_message_size is not None:
            assert transport.events.dtls_transport is not None
            self.states.update_sctp_transport(transport.events.dtls_transport, plan.remote_max_message_size)

    def _replace_associations(self) -> None:
        """Begin a new DTLS association with each endpoint to which the peer has handed over (RFC 8842)."""
        handed_over, self._handed_over = self._handed_over, []
        for transport, plan in handed_over:
            transport.events.association_replaced()
            transport.stack.replace_dtls(_dtls_role(plan), _fingerprints(plan))

    def _start_association(self, applied: ApplyResult) -> None:
        """Start SCTP, after the end of an association whose media section the same answer has closed."""
        if not applied.transports or applied.signaling_state in _ONLY_OFFERED:
            return
        for plan in applied.transports:
            transport = self.transports.get(plan.number)
            if transport is not None and plan.remote_sctp_port is not None:
                self.states.channels.set_stack(transport.stack)
                transport.stack.start_sctp(plan.remote_sctp_port)
        self.states.channels.stack.flush_channel_control()


def _set_remote_ice(transport: BundleTransport, plan: TransportPlan) -> None:
    if plan.remote_ufrag is None or plan.remote_pwd is None:
        return
    agent, now = transport.stack.agent, trio.current_time()
    parameters = IceParameters(plan.remote_ufrag, plan.remote_pwd, plan.remote_ice_lite)
    # The local description has the local credentials already, so another answer must not replace them.
    agent.set_remote_parameters(parameters, now, keep_local=True)
    for line in plan.remote_candidates:
        # A candidate that does not parse is ignored; the description is valid (JSEP, RFC 9429).
        try:
            _add_remote(transport, _parse_candidate(line), line, plan.remote_ufrag)
        except (UnusableCandidate, OperationError) as error:
            agent.ignore_remote_candidate(line, str(error))
    if plan.remote_candidates_complete:
        agent.remote_candidates_complete(now)


def _add_remote(transport: BundleTransport, candidate: Candidate, line: str, username_fragment: str) -> None:
    events = transport.events
    assert events.ice_transport is not None
    w3c_candidate = RTCIceCandidate(line, events.mid, events.m_line_index, username_fragment)
    if events.ice_transport._add_remote_candidate(w3c_candidate):
        candidate = attrs.evolve(candidate, username_fragment=username_fragment)
        transport.stack.agent.add_remote_candidate(candidate, trio.current_time())


def _local_username_fragment(transport: BundleTransport) -> str:
    return transport.stack.agent.local_parameters.username_fragment


@attrs.frozen
class CandidateInit:
    """The argument of ``add_ice_candidate`` (W3C webrtc section 4.8.1, RTCIceCandidateInit).

    Attributes:
        line: The candidate line; ``""`` for the end of candidates.
        sdp_m_line_index: The index of its media section. The end of candidates without both is that of all sections.
    """

    line: str = ""
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None


def _username_fragments(description: Description | None) -> frozenset[str]:
    if description is None:
        return frozenset()
    parsed = description.parsed
    fragments = (transport_attributes(parsed, index).ice_ufrag for index in range(len(parsed.media)))
    return frozenset(fragment for fragment in fragments if fragment is not None)


def _log_ignored_lines(description: Description | None) -> None:
    ignored = () if description is None else description.parsed.ignored
    if ignored:
        details = "; ".join(f"line {line.number}: {line.reason}" for line in ignored[:_MAX_LOGGED_LINES])
        logger.debug("lines ignored in the peer's description: %d (%s)", len(ignored), details)


def _ice_role(plan: TransportPlan) -> IceRole:
    return IceRole.CONTROLLING if plan.controlling else IceRole.CONTROLLED


def _dtls_role(plan: TransportPlan) -> DtlsRole:
    return DtlsRole.CLIENT if plan.dtls_role == "client" else DtlsRole.SERVER


def _fingerprints(plan: TransportPlan) -> list[Fingerprint]:
    return [Fingerprint(algorithm, value) for algorithm, value in plan.remote_fingerprints]


def _parse_candidate(line: str) -> Candidate:
    if len(line) > _MAX_CANDIDATE_LENGTH:
        raise OperationError(
            f"the candidate has {len(line)} characters; at most {_MAX_CANDIDATE_LENGTH} are accepted"
        )
    try:
        return Candidate.parse(line)
    except UnusableCandidate:
        raise
    except ProtocolError as error:
        raise OperationError(f"the candidate does not parse: {error}") from error


def as_description(description: RTCSessionDescription | Mapping[str, Any]) -> RTCSessionDescription:
    """Return a description, converted if it is a dictionary as returned by a browser's ``toJSON``."""
    if isinstance(description, RTCSessionDescription):
        return description
    if isinstance(description, Mapping):
        return RTCSessionDescription.from_json(description)
    raise TypeError(f"description must be an RTCSessionDescription or a dictionary, not {description!r:.100}")


def as_local_description(
    description: RTCSessionDescription | Mapping[str, Any] | None,
) -> tuple[RTCSdpType | None, str]:
    """Return the type and SDP of a local description, both of which may be missing."""
    if description is None or (isinstance(description, Mapping) and "type" not in description):
        sdp = (description or {}).get("sdp", "")
        if not isinstance(sdp, str):
            raise TypeError(f"the 'sdp' of a session description must be a str, not {sdp!r:.100}")
        return None, sdp
    known = as_description(description)
    return known.type, known.sdp


def as_candidate(candidate: RTCIceCandidate | Mapping[str, Any] | None) -> CandidateInit:
    """Return a candidate for an object, a dictionary as returned by a browser's ``toJSON``, or ``None``."""
    if candidate is None:
        return CandidateInit()
    if isinstance(candidate, Mapping):
        members = ("candidate", "sdpMid", "sdpMLineIndex", "usernameFragment")
        line, mid, index, fragment = (candidate.get(member) for member in members)
        if not line and "sdp" not in candidate and mid is None and index is None:
            return CandidateInit(username_fragment=fragment)
        candidate = RTCIceCandidate.from_json(candidate)
    elif not isinstance(candidate, RTCIceCandidate):
        raise TypeError(f"candidate must be an RTCIceCandidate, a dictionary or None, not {candidate!r:.100}")
    line = candidate.candidate
    return CandidateInit(
        "" if line in _END_OF_CANDIDATES else line,
        candidate.sdp_mid,
        candidate.sdp_m_line_index,
        candidate.username_fragment,
    )
