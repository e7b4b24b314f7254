"""Offers and answers of one peer connection: between the session, which knows JSEP, and the transports.

The session says what a description means (a plan); this carries the plan out.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import attrs
import trio

from .certificate import RTCCertificate
from .configuration import RTCConfiguration
from .descriptions import RTCIceCandidate, RTCSessionDescription
from .enums import RTCSdpType, RTCSignalingState
from .errors import OperationError, ProtocolError
from .monitor import ConnectionMonitor
from .protocols.dtls import DtlsRole, Fingerprint
from .protocols.ice import Candidate, IceParameters, IceRole
from .session import Applied, Description, LocalMedia, Session, TransportPlan
from .transports.server_url import IceServerUrl
from .transports.settings import Settings
from .transports.stack import TransportStack

_OFFER_STATES = (
    RTCSignalingState.STABLE,
    RTCSignalingState.HAVE_LOCAL_OFFER,
    RTCSignalingState.HAVE_REMOTE_PRANSWER,
)
_MAX_CANDIDATE_LENGTH = 4096


@attrs.define(eq=False)
class Negotiation:
    """Creates and applies descriptions.

    Attributes:
        session: JSEP's state.
        data_channels_wanted: Whether a data channel has been created.
        ice_restart_wanted: Whether the next offer is to restart ICE.
        can_trickle: Whether the peer can take candidates later than its description.
    """

    session: Session
    settings: Settings
    configuration: RTCConfiguration
    certificate: RTCCertificate
    stack: TransportStack
    monitor: ConnectionMonitor
    data_channels_wanted: bool = False
    ice_restart_wanted: bool = False
    can_trickle: bool | None = None
    _wrapped: WeakKeyDictionary[Description, RTCSessionDescription] = attrs.field(factory=WeakKeyDictionary)

    # -- creating ----------------------------------------------------------------------------------------------

    def create_offer(self, *, ice_restart: bool) -> RTCSessionDescription:
        """Create an offer, with new ICE credentials where ICE is to be restarted."""
        if ice_restart or self.ice_restart_wanted:
            self._restart_ice()
        return RTCSessionDescription(RTCSdpType.OFFER, self.session.create_offer(self.local_media()))

    def create_answer(self) -> RTCSessionDescription:
        """Create an answer. Where the peer restarts ICE, applying its offer has given us new credentials too."""
        return RTCSessionDescription(RTCSdpType.ANSWER, self.session.create_answer(self.local_media()))

    def create_implicit(self) -> RTCSessionDescription:
        """Create what ``set_local_description`` without argument sets (W3C webrtc section 4.4.2)."""
        if self.session.signaling_state in _OFFER_STATES:
            return self.create_offer(ice_restart=False)
        return self.create_answer()

    def local_media(self) -> LocalMedia:
        """Return what our side has to put into a description."""
        agent, monitor = self.stack.agent, self.monitor
        parameters = agent.local_parameters
        gathered = [] if monitor.ice_transport is None else monitor.ice_transport.get_local_candidates()
        candidates = [c.candidate for c in gathered if c.username_fragment == parameters.username_fragment]
        return LocalMedia(
            data_channels=self.data_channels_wanted,
            ice_parameters=(parameters.username_fragment, parameters.password),
            fingerprints=tuple(
                (fingerprint.algorithm, fingerprint.value.upper())
                for fingerprint in self.certificate.get_fingerprints()
            ),
            candidates=tuple(candidates),
            candidates_complete=monitor.ice_gathering_state == "complete",
            max_message_size=self.settings.max_message_size,
        )

    def is_needed(self) -> bool:
        """Whether negotiation is needed (W3C webrtc section 4.7.3)."""
        return self.session.negotiation_needed(self.local_media(), self.ice_restart_wanted)

    # -- applying ----------------------------------------------------------------------------------------------

    def apply_local(self, description: RTCSessionDescription) -> Applied:
        """Apply a description of ours and start what it asks for."""
        applied = self.session.apply_local(description.type, description.sdp)
        if description.type is RTCSdpType.OFFER:
            self.ice_restart_wanted = False
        self._carry_out(applied, gather=description.type is not RTCSdpType.ROLLBACK)
        return applied

    def apply_remote(self, description: RTCSessionDescription) -> Applied:
        """Apply a description of the peer's and start what it asks for.

        An offer that meets an offer of ours rolls ours back first (W3C webrtc section 4.4.1.5). A session holds
        immutable values only, so it is tried on a copy: when the peer's offer is refused, ours still stands.
        """
        session = copy.copy(self.session)
        is_offer = description.type is RTCSdpType.OFFER
        if is_offer and session.signaling_state is RTCSignalingState.HAVE_LOCAL_OFFER:
            session.apply_local(RTCSdpType.ROLLBACK)
        applied = session.apply_remote(description.type, description.sdp)
        self.session = session
        self._carry_out(applied, gather=False)
        self.can_trickle = applied.can_trickle
        return applied

    def add_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Take a candidate of the peer's, or hear that there are no more.

        Raises:
            InvalidStateError: There is no remote description.
            OperationError: It does not parse, or belongs to no known section or generation.
        """
        text = "" if candidate is None else candidate.candidate
        parsed = _parse_candidate(text) if text else None
        route = self.session.add_remote_candidate(
            None if candidate is None else candidate.sdp_mid,
            None if candidate is None else candidate.sdp_m_line_index,
            None if candidate is None else candidate.username_fragment,
            text or None,
        )
        if route is None:
            return
        if parsed is None:
            self.stack.agent.remote_candidates_complete(trio.current_time())
        else:
            self._add_remote(parsed, text)

    def description(self, description: Description | None) -> RTCSessionDescription | None:
        """Return W3C's object for a description: the same one as long as it has not changed."""
        if description is None:
            return None
        if description not in self._wrapped:
            self._wrapped[description] = RTCSessionDescription(description.type, description.sdp)
        return self._wrapped[description]

    # -- inside ------------------------------------------------------------------------------------------------

    def _restart_ice(self) -> None:
        if self.stack.gathering_started:
            self.stack.agent.restart(trio.current_time())

    def _carry_out(self, applied: Applied, *, gather: bool) -> None:
        plan = applied.transport
        if applied.closed_mids:
            self.stack.end_channels()
        if plan is None:
            if not self.stack.gathering_started:
                self.monitor.forget_transports()
            return
        self.monitor.show_transports(self.stack.agent, plan.mid, plan.m_line_index)
        if gather:
            self.stack.gather(self._server_urls())
        self._set_remote_ice(plan)
        self._start_upper_layers(plan)
        self.monitor.update_states()

    def _server_urls(self) -> Sequence[IceServerUrl]:
        return [url for server in self.configuration.ice_servers for url in server.parsed_urls()]

    def _set_remote_ice(self, plan: TransportPlan) -> None:
        agent, now = self.stack.agent, trio.current_time()
        if agent.remote_parameters is None:
            agent.set_role(IceRole.CONTROLLING if plan.controlling else IceRole.CONTROLLED, now)
        if plan.remote_ufrag is None or plan.remote_pwd is None:
            return
        agent.set_remote_parameters(
            IceParameters(plan.remote_ufrag, plan.remote_pwd, plan.remote_ice_lite), now
        )
        for line in plan.remote_candidates:
            # JSEP: a candidate in a description that does not parse is left out, the description stands.
            try:
                self._add_remote(_parse_candidate(line), line)
            except OperationError:
                continue
        if plan.remote_candidates_complete:
            agent.remote_candidates_complete(now)

    def _add_remote(self, candidate: Candidate, line: str) -> None:
        view = self.monitor.ice_transport
        self.stack.agent.add_remote_candidate(candidate, trio.current_time())
        if view is not None:
            w3c_candidate = RTCIceCandidate(
                line, self.monitor.mid, self.monitor.m_line_index, candidate.username_fragment
            )
            if w3c_candidate not in view._remote_candidates:
                view._remote_candidates.append(w3c_candidate)

    def _start_upper_layers(self, plan: TransportPlan) -> None:
        if plan.dtls_role is not None and plan.remote_fingerprints:
            role = DtlsRole.CLIENT if plan.dtls_role == "client" else DtlsRole.SERVER
            fingerprints = [Fingerprint(algorithm, value) for algorithm, value in plan.remote_fingerprints]
            self.stack.start_dtls(role, fingerprints)
        if self.monitor.sctp_transport is not None and plan.remote_max_message_size is not None:
            self.monitor.sctp_transport._set_remote_max_message_size(plan.remote_max_message_size)
        if plan.remote_sctp_port is not None:
            self.stack.start_sctp(plan.remote_sctp_port)
        self.stack.pump_channels()


def _parse_candidate(line: str) -> Candidate:
    if len(line) > _MAX_CANDIDATE_LENGTH:
        raise OperationError("a candidate of impossible length")
    try:
        return Candidate.parse(line)
    except ProtocolError as error:
        raise OperationError(f"the candidate does not parse: {error}") from error


def as_description(description: RTCSessionDescription | Mapping[str, Any]) -> RTCSessionDescription:
    """Take a description, or the dictionary that a browser's ``toJSON`` gives."""
    if isinstance(description, RTCSessionDescription):
        return description
    if isinstance(description, Mapping):
        return RTCSessionDescription.from_json(description)
    raise TypeError(f"not a session description: {description!r}")


def as_candidate(candidate: RTCIceCandidate | Mapping[str, Any] | None) -> RTCIceCandidate | None:
    """Take a candidate, or the dictionary that a browser's ``toJSON`` gives, or ``None``."""
    if candidate is None or isinstance(candidate, RTCIceCandidate):
        return candidate
    if isinstance(candidate, Mapping):
        return RTCIceCandidate.from_json(candidate)
    raise TypeError(f"not a candidate: {candidate!r}")
