"""JSEP (RFC 9429): offers and answers, and the transports and media that result from them.

The state consists of two exchanges: the *current* one, which was completed and which the transports follow, and the
*pending* one, an offer without a final answer. The signaling states are a literal table (``signaling``). Applying a
description runs the same steps for both sides: check the signaling state, parse, validate, and only then change
anything. So a failure leaves the session unchanged.

The consequences for the transports are returned as a value (``ApplyResult``), computed from the exchange and the
established plans; the session makes no calls and keeps no events.

Sections of audio and video belong to transceivers, which are outside of the session: they are passed as values
(``LocalTransceiver``) each time, and a plan (``MediaPlan``) has the transceiver of each section and the negotiated
parameters. The session keeps only the transceiver for which a section was created.

Sections share a transport if both sides bundle them (RFC 9143), which local offers always propose. Until the peer has
answered, the bundle policy decides which sections have their own transport. A peer that offers sections outside of a
bundle, or several bundles, gets a transport for each. A transport belongs to the first section of its bundle, and to
the next one when that is rejected. Transports are identified by numbers (``TransportPlan.number``).

Covered: W3C's createOffer, createAnswer, setLocalDescription and setRemoteDescription with rollback and provisional
answers, trickled candidates in both directions (RFC 8838), ICE restart, application sections of today (RFC 8841) and
in the form before it, sections of media with their codecs, header extensions (RFC 8285), repair (RFC 4588, RFC 5109),
streams (RFC 8830) and simulcast (RFC 8853), and the recycling of sections. A description may be changed between
creating and applying it as far as Chromium permits it (``munging``). Not supported: RTCP on a separate port, replacing
the DTLS association through ``a=tls-id``, encrypted header extensions (RFC 6904), and asking the peer for simulcast in
an offer.
"""

import random
from collections.abc import Iterable, Iterator, Sequence, Set

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCBundlePolicy, RTCErrorDetailType, RTCSdpType, RTCSignalingState
from trio_rtc.errors import InvalidModificationError, InvalidStateError, RTCError
from trio_rtc.protocols.sdp import (
    RTP_KINDS,
    Origin,
    SdpSyntaxError,
    SessionDescription,
    is_rtp_section,
    parse,
    rtp_attributes,
    write,
)

from . import trickle
from .association import associate
from .capabilities import MediaCapabilities
from .description import Description, LocalMedia
from .extensions import ExtensionIds
from .media_plan import plan_media
from .munging import changed_description
from .negotiation_needed import needs_negotiation
from .offer_answer import Built, build_answer, build_offer, offers_apart
from .offer_answer_exchange import OfferAnswerExchange, Slots, section_mids
from .options import SessionOptions
from .plan import ApplyResult, Disassociated, TransportPlan, can_trickle, plan_transports
from .sections import UNSPECIFIED_HOST
from .signaling import TRANSITIONS, Side, next_state
from .transceivers import LocalTransceiver
from .validation import (
    check_answer,
    check_codecs,
    check_extension_ids,
    check_mids,
    check_msids,
    check_roles_kept,
    check_sections_kept,
    check_transports,
)

_OFFERABLE = (RTCSignalingState.STABLE, RTCSignalingState.HAVE_LOCAL_OFFER)
_ANSWERABLE = (RTCSignalingState.HAVE_REMOTE_OFFER, RTCSignalingState.HAVE_LOCAL_PRANSWER)


class JsepSession:
    """The offer/answer state of one peer connection.

    All members are immutable values, so ``copy.copy`` is a snapshot: several steps can be tried on a copy.

    Args:
        rng: Source of the session id.
        options: Limits and preferences.
        capabilities: Capabilities for offered sections without a transceiver; ``None`` rejects them.
    """

    def __init__(
        self,
        *,
        rng: random.Random,
        options: SessionOptions | None = None,
        capabilities: MediaCapabilities | None = None,
    ) -> None:
        self._options = options or SessionOptions()
        self._capabilities = capabilities or MediaCapabilities()
        # Random, below the bound of RFC 3264 section 5, and no address of this host (RFC 9429 section 5.2.1).
        self._origin = Origin("-", str(rng.getrandbits(62)), 0, "IN", "IP4", UNSPECIFIED_HOST)
        self._version = 0
        self._ignored_lines = 0
        self._last_written: SessionDescription | None = None
        self._state = RTCSignalingState.STABLE
        self._slots = Slots()
        self._extension_ids = ExtensionIds()
        self._created_offer: Description | None = None
        self._created_answer: Description | None = None
        # The text of the last remote offer, and of the one for which the answer was created.
        self._remote_offer = ""
        self._answered_offer = ""
        # The plans of the last answer; and those, or the last transport, which continues without a section.
        self._established: tuple[TransportPlan, ...] = ()
        self._standing: tuple[TransportPlan, ...] = ()
        self._planned: tuple[TransportPlan, ...] = ()
        self._open_mids: frozenset[str] = frozenset()
        self._next_mid = 0

    # State in W3C's terms.

    @property
    def signaling_state(self) -> RTCSignalingState:
        """The signaling state."""
        return self._state

    @property
    def pending_local(self) -> Description | None:
        """The local description of the pending exchange."""
        return self._slots.pending_local

    @property
    def current_local(self) -> Description | None:
        """The local description of the exchange completed last."""
        return self._slots.current_local

    @property
    def pending_remote(self) -> Description | None:
        """The remote description of the pending exchange."""
        return self._slots.pending_remote

    @property
    def current_remote(self) -> Description | None:
        """The remote description of the exchange completed last."""
        return self._slots.current_remote

    @property
    def local_description(self) -> Description | None:
        """The local description: the pending one, else the current one."""
        return self._slots.local

    @property
    def remote_description(self) -> Description | None:
        """The remote description: the pending one, else the current one."""
        return self._slots.remote

    @property
    def last_created_offer(self) -> str:
        """The offer that ``apply_local`` would accept, ``""`` if there is none."""
        return "" if self._created_offer is None else self._created_offer.sdp

    @property
    def last_created_answer(self) -> str:
        """The answer that ``apply_local`` would accept, ``""`` if there is none."""
        return "" if self._created_answer is None else self._created_answer.sdp

    @property
    def ignored_lines(self) -> int:
        """Total of malformed or misplaced lines ignored in remote descriptions."""
        return self._ignored_lines

    @property
    def can_trickle(self) -> bool | None:
        """Whether the peer supports trickle ICE, ``None`` without a remote description."""
        return can_trickle(self._slots.remote)

    @property
    def transports(self) -> tuple[TransportPlan, ...]:
        """The latest plans of the transports."""
        return self._planned

    def needs_negotiation(
        self,
        transceivers: Iterable[LocalTransceiver] = (),
        *,
        data_channels: bool = False,
        ice_restart: bool = False,
    ) -> bool:
        """Return whether negotiation is needed (W3C webrtc section 4.7.3).

        Data channels end with a rejected or closed section. A later channel needs negotiation again.

        Args:
            transceivers: The local transceivers.
            data_channels: Whether there is a channel that is not closed.
            ice_restart: Whether an ICE restart was requested.
        """
        if ice_restart:
            return True
        current = self._slots.current
        if data_channels and (current is None or current.data_section() is None):
            return True
        return any(needs_negotiation(transceiver, current) for transceiver in transceivers)

    # Checks that W3C makes when a method is called, or its turn in the operations chain has come.

    def check_offerable(self) -> None:
        """Raise ``InvalidStateError`` unless an offer can be created in this signaling state."""
        if self._state not in _OFFERABLE:
            raise InvalidStateError(
                f"signaling state must be one of {', '.join(_OFFERABLE)} to create an offer, not {self._state}"
            )

    def check_answerable(self) -> None:
        """Raise ``InvalidStateError`` unless an answer can be created in this signaling state."""
        if self._slots.pending is None or self._state not in _ANSWERABLE:
            raise InvalidStateError(
                f"signaling state must be one of {', '.join(_ANSWERABLE)} to create an answer, not {self._state}"
            )

    def check_local(self, description_type: RTCSdpType, sdp: str) -> None:
        """Check the type and the text of a local description, which are checked again when it is applied.

        Args:
            description_type: The type.
            sdp: The text, ``""`` for one that will be created.

        Raises:
            InvalidStateError: The type is not allowed in this state.
            InvalidModificationError: The text differs from the one created last in a line that must not be changed.
        """
        next_state(self._state, Side.LOCAL, description_type)
        if description_type is not RTCSdpType.ROLLBACK and sdp:
            self._changed(self._created(description_type), sdp)

    def _changed(self, created: Description | None, sdp: str) -> Description:
        """Return the description created last, with the changes of the application."""
        if created is None:
            raise InvalidModificationError("a description must be created before it is applied with a text")
        if sdp == created.sdp:
            return created
        return changed_description(created, sdp, self._slots, self._options)

    def check_remote_rollback(self) -> None:
        """Raise ``InvalidStateError`` unless there is a remote offer to roll back."""
        next_state(self._state, Side.REMOTE, RTCSdpType.ROLLBACK)

    def check_remote_offer(self) -> None:
        """Raise ``InvalidStateError`` if a remote offer is not allowed, and there is no local offer to roll back."""
        if (self._state, Side.REMOTE, RTCSdpType.OFFER) not in TRANSITIONS:
            # W3C webrtc section 4.4.2, setRemoteDescription: the local offer is rolled back first.
            next_state(self._state, Side.LOCAL, RTCSdpType.ROLLBACK)

    def check_remote_candidate(
        self, mid: str | None, m_line_index: int | None, username_fragment: str | None, line: str | None
    ) -> None:
        """Check the section and the generation of a candidate of the peer, without its line.

        The arguments and errors are those of ``add_remote_candidate``.
        """
        self._addressed(mid, m_line_index, username_fragment, line)

    # Creating.

    def create_offer(self, local: LocalMedia) -> str:
        """Return an offer. New ICE credentials restart ICE.

        Raises:
            InvalidStateError: The signaling state is neither stable nor have-local-offer.
        """
        self.check_offerable()
        slots = self._slots
        base = slots.pending or slots.current
        offer = build_offer(
            self._origin,
            base,
            slots.current,
            self._planned,
            local,
            next_mid=self._next_mid,
            options=self._options,
            former_ids=self._extension_ids,
        )
        self._created_offer = self._write(RTCSdpType.OFFER, offer)
        return self._created_offer.sdp

    def transports_to_offer(self, kinds: Sequence[str], policy: RTCBundlePolicy) -> int:
        """Return the maximum number of additional transports of an offer.

        Args:
            kinds: The kind of each live transceiver, and ``"application"`` for data channels.
            policy: The bundle policy.
        """
        if not offers_apart(self._slots.current, policy):
            return 0
        return len(kinds) if policy is RTCBundlePolicy.MAX_COMPAT else len(set(kinds))

    def create_answer(self, local: LocalMedia) -> str:
        """Return the answer to the pending remote offer.

        If that offer restarts ICE (``TransportPlan.ice_restart``), ``local`` must have new credentials.

        Raises:
            InvalidStateError: The signaling state is neither have-remote-offer nor have-local-pranswer.
        """
        self.check_answerable()
        assert self._slots.pending is not None
        # A local provisional answer must not affect the next one.
        question = self._slots.pending.without_answer()
        answer = build_answer(
            self._origin,
            question,
            self._standing,
            local,
            options=self._options,
            previous=self._slots.current_local,
        )
        self._created_answer = self._write(RTCSdpType.ANSWER, answer)
        self._answered_offer = self._remote_offer
        return self._created_answer.sdp

    def _write(self, description_type: RTCSdpType, built: Built) -> Description:
        """Write a description, with a new version if it differs from the last one written.

        RFC 9429 section 5.2.2: the version counts created descriptions, not applied ones, so that the version of an
        offer that was rolled back is never reused.
        """
        last, description = self._last_written, built.description
        if last is None or attrs.evolve(description, origin=last.origin) != last:
            self._version += 1
            self._origin = attrs.evolve(self._origin, session_version=self._version)
        self._last_written = attrs.evolve(description, origin=self._origin)
        text = write(self._last_written)
        return Description(
            description_type, text, self._last_written, keys=built.keys, transports=built.transports
        )

    # Applying.

    def apply_local(self, description_type: RTCSdpType | str, sdp: str = "") -> ApplyResult:
        """Apply a local description.

        Args:
            description_type: Offer, answer, provisional answer or rollback of the local offer.
            sdp: The text as created or changed, ``""`` for the one created last. Ignored for a rollback.

        Raises:
            InvalidStateError: The type is not allowed in this state, or nothing was created.
            InvalidModificationError: The text differs from the one created last in a line that must not be changed.
        """
        description_type = RTCSdpType(description_type)
        target = next_state(self._state, Side.LOCAL, description_type)
        if description_type is RTCSdpType.ROLLBACK:
            return self._roll_back(target)
        created = self._created(description_type)
        if created is None:
            name = "an offer" if description_type is RTCSdpType.OFFER else "an answer"
            error = InvalidModificationError if sdp else InvalidStateError
            raise error(f"{name} must be created before it is applied")
        changed = self._changed(created, sdp or created.sdp)
        description = attrs.evolve(changed, type=description_type)
        description = trickle.carry_candidates(description, created.parsed, self._slots.local)
        applied = self._commit(target, self._exchange_with(Side.LOCAL, description))
        if changed is not created:
            # The next description differs from this one, and needs another version (RFC 3264 section 8).
            self._last_written = changed.parsed
        return applied

    def apply_remote(
        self,
        description_type: RTCSdpType | str,
        sdp: str = "",
        transceivers: Sequence[LocalTransceiver] = (),
    ) -> ApplyResult:
        """Apply a remote description.

        Args:
            description_type: Offer, answer, provisional answer or rollback of the remote offer.
            sdp: The text. Ignored for a rollback.
            transceivers: The local transceivers, as in ``LocalMedia``; sections of an offer are associated with them
                (``MediaPlan.key``).

        Raises:
            InvalidStateError: The type is not allowed in this state.
            RTCError: ``sdp-syntax-error``: the text is malformed; carries the line's number.
            InvalidAccessError: The content of the description is invalid.
            OperationError: Two sections have the same track.
        """
        description_type = RTCSdpType(description_type)
        target = next_state(self._state, Side.REMOTE, description_type)
        if description_type is RTCSdpType.ROLLBACK:
            return self._roll_back(target)
        description = self._read(description_type, sdp)
        if description_type is RTCSdpType.OFFER:
            description = self._associated(description, transceivers)
        exchange = self._exchange_with(Side.REMOTE, description)
        self._check_remote(exchange)
        applied = self._commit(target, exchange)
        self._ignored_lines += len(description.parsed.ignored)
        if exchange.answer is None:
            self._keep_answer(description, sdp)
        return applied

    def _keep_answer(self, offer: Description, sdp: str) -> None:
        """Keep the answer created last if its offer, which was rolled back, is applied again."""
        created, self._remote_offer = self._created_answer, sdp
        if created is not None:
            is_same = sdp == self._answered_offer
            self._created_answer = attrs.evolve(created, keys=offer.keys) if is_same else None

    def _created(self, description_type: RTCSdpType) -> Description | None:
        return self._created_offer if description_type is RTCSdpType.OFFER else self._created_answer

    def _read(self, description_type: RTCSdpType, sdp: str) -> Description:
        try:
            return Description(description_type, sdp, parse(sdp, self._options.sdp))
        except SdpSyntaxError as error:
            raise RTCError(
                RTCErrorDetailType.SDP_SYNTAX_ERROR, str(error), sdp_line_number=error.line_number
            ) from error

    def _associated(self, offer: Description, transceivers: Sequence[LocalTransceiver]) -> Description:
        """Return a remote offer with the association of its sections."""
        found = associate(offer.parsed, transceivers, self._capabilities)
        mids = section_mids(offer.parsed)
        created = {mid for mid, key in zip(mids, found.keys, strict=True) if key is None}
        if self._slots.pending is not None:
            # This offer replaces another: rolling it back also removes the transceivers that the other created.
            created |= self._slots.pending.offer.created.intersection(mids)
        return attrs.evolve(offer, keys=found.keys, refused=found.refused, created=frozenset(created))

    def _check_remote(self, exchange: OfferAnswerExchange) -> None:
        if exchange.answer is None:
            check_mids(exchange.offer.parsed)
            check_msids(exchange.offer.parsed)
            check_sections_kept(exchange.offer.parsed, self._slots.current)
        else:
            check_mids(exchange.answer.parsed)
            check_msids(exchange.answer.parsed)
            check_answer(exchange.answer.parsed, exchange.offer.parsed)
            check_roles_kept(exchange, self._slots.pending)
        check_transports(exchange, self._standing)
        check_codecs(exchange)
        check_extension_ids(exchange, self._slots.current)

    def close(self) -> None:
        """Close the session: descriptions can no longer be created or applied, only read."""
        self._state = RTCSignalingState.CLOSED

    def _exchange_with(self, side: Side, description: Description) -> OfferAnswerExchange:
        if description.type is RTCSdpType.OFFER or self._slots.pending is None:
            return OfferAnswerExchange(side, description)
        return attrs.evolve(self._slots.pending, answer=description)

    def _commit(self, target: RTCSignalingState, exchange: OfferAnswerExchange) -> ApplyResult:
        limit = self._options.maximum_candidates
        plans = tuple(
            attrs.evolve(plan, remote_candidates=plan.remote_candidates[:limit])
            for plan in plan_transports(exchange, self._standing)
        )
        negotiated = target is RTCSignalingState.STABLE
        # Until the final answer, the sections negotiated before and those offered now both stay open.
        opened = set(exchange.carried_mids())
        if not negotiated:
            opened |= {*exchange.without_answer().carried_mids(), *_mids(self._established)}
        applied = self._enter(target, exchange, plans, opened, negotiated=negotiated)
        self._next_mid = max(self._next_mid, *map(_number_after, exchange.mids()), 0)
        if negotiated:
            self._slots = Slots(current=exchange)
            self._record_extension_ids(exchange)
            self._established = tuple(attrs.evolve(plan, ice_restart=False) for plan in plans)
            self._standing = self._established or self._standing
            self._created_offer = self._created_answer = None
        else:
            self._slots = attrs.evolve(self._slots, pending=exchange)
        return applied

    def _record_extension_ids(self, exchange: OfferAnswerExchange) -> None:
        for description in (exchange.local, exchange.remote):
            assert description is not None
            for index, section in enumerate(description.parsed.media):
                if is_rtp_section(section):
                    for extmap in rtp_attributes(description.parsed, index).extmaps:
                        if self._extension_ids.allows(extmap):
                            self._extension_ids.reserve(extmap)

    def _roll_back(self, target: RTCSignalingState) -> ApplyResult:
        plans = self._established
        applied = self._enter(target, self._slots.current, plans, set(_mids(plans)), negotiated=False)
        self._slots = attrs.evolve(self._slots, pending=None)
        return applied

    def _enter(
        self,
        target: RTCSignalingState,
        exchange: OfferAnswerExchange | None,
        plans: tuple[TransportPlan, ...],
        opened: Set[str],
        *,
        negotiated: bool,
    ) -> ApplyResult:
        """Enter a signaling state with plans, and return the changes."""
        applied = ApplyResult(
            transports=plans,
            rejected_mids=() if exchange is None else exchange.rejected_mids(),
            closed_mids=tuple(sorted(self._open_mids - opened)),
            can_trickle=can_trickle((exchange and exchange.remote) or self._slots.current_remote),
            signaling_state=target,
            signaling_state_changed=target is not self._state,
            negotiated=negotiated,
            media=plan_media(exchange),
            data_mid=None if exchange is None else exchange.data_mid(),
            disassociated=tuple(self._disassociated(exchange)),
        )
        self._state, self._planned = target, plans
        self._open_mids = frozenset(opened)
        return applied

    def _disassociated(self, exchange: OfferAnswerExchange | None) -> Iterator[Disassociated]:
        """Yield the sections of the pending exchange that neither ``exchange`` nor the current one has."""
        pending = self._slots.pending
        if pending is None:
            return
        kept = {mid for each in (exchange, self._slots.current) if each is not None for mid in each.mids()}
        for index, (media, mid) in enumerate(zip(pending.offer.parsed.media, pending.mids(), strict=True)):
            if media.kind in RTP_KINDS and mid not in kept:
                yield Disassociated(mid, pending.key(index), mid in pending.offer.created)

    # Candidates.

    def add_local_candidate(self, mid: str, line: str, username_fragment: str | None = None) -> None:
        """Add a local candidate to the descriptions of its ICE generation.

        Args:
            mid: The candidate's section.
            line: The ``candidate:…`` line.
            username_fragment: The candidate's ICE generation, ``None`` for that of ``local_description``. A candidate
                of a generation without a description is ignored.
        """
        limit = self._options.maximum_candidates
        self._slots = trickle.add_local_candidate(self._slots, mid, line, username_fragment, limit)

    def local_candidates_complete(self, mid: str, username_fragment: str | None = None) -> None:
        """Add the end of candidates of an ICE generation to the descriptions."""
        self._slots = trickle.end_local_candidates(self._slots, mid, username_fragment)

    def add_remote_candidate(
        self,
        mid: str | None,
        m_line_index: int | None,
        username_fragment: str | None = None,
        line: str | None = None,
    ) -> tuple[trickle.CandidateRoute, ...]:
        """Add a trickled candidate of the peer to its descriptions (W3C webrtc section 4.4.1.8).

        Args:
            mid: The candidate's section; precedes the index.
            m_line_index: The section's index, used without a mid.
            username_fragment: The peer's ICE generation, ``None`` for that of its last description.
            line: The ``candidate:…`` line; ``None`` or ``""`` for the end of candidates, where mid and index may both
                be ``None`` to mean every section.

        Returns:
            The transports that receive the candidate. There are several only for the end of all candidates, and none if
            its section was rejected or has the maximum number of candidates.

        Raises:
            InvalidStateError: There is no remote description yet, or the session is closed.
            OperationError: The section or the generation is unknown, or the line is not a candidate line.
            TypeError: A candidate came with neither mid nor index.
        """
        trickled = self._addressed(mid, m_line_index, username_fragment, line)
        limit = self._options.maximum_candidates
        self._slots, routes = trickle.add_remote_candidate(self._slots, trickled, self._planned, limit)
        return routes

    def _addressed(
        self, mid: str | None, m_line_index: int | None, username_fragment: str | None, line: str | None
    ) -> trickle.TrickledCandidate:
        """Return a candidate of the peer whose section and generation are known."""
        if self._state is RTCSignalingState.CLOSED:
            raise InvalidStateError("the session is closed")
        if self._slots.remote is None:
            raise InvalidStateError("the remote description must be applied before candidates are added")
        candidate = trickle.TrickledCandidate(
            mid, m_line_index, username_fragment, (line or "").strip() or None
        )
        trickle.addressed_mids(self._slots, candidate)
        return candidate


def _mids(plans: Sequence[TransportPlan]) -> tuple[str, ...]:
    return tuple(mid for plan in plans for mid in plan.mids)


def _number_after(mid: str) -> int:
    """Return the number after a short numeric mid, from which local mids are counted; 0 for another mid."""
    return int(mid) + 1 if mid.isascii() and mid.isdigit() and len(mid) < 10 else 0
