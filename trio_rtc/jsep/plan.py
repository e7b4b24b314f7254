"""Plans of the transports, computed from an exchange."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Literal

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCSignalingState
from trio_rtc.protocols.sdp import (
    Fingerprint,
    Section,
    SessionDescription,
    TransportAttributes,
    application_attributes,
    has_attribute,
    transport_attributes,
)
from trio_rtc.protocols.sdp.description import parsed_values

from .description import Description
from .media_plan import MediaPlan
from .offer_answer_exchange import OfferAnswerExchange, shared_sections
from .signaling import Side

DtlsRole = Literal["client", "server"]


@attrs.frozen
class TransportPlan:
    """The state of a transport, from the descriptions of both sides.

    Attributes:
        mid: The section of the transport, and of local candidates. It can change with the next exchange, when the
            first section of the bundle is rejected: the transport stays.
        m_line_index: Index of that section.
        controlling: Whether the local ICE agent is initially controlling. The role stays for the life of the
            transport, restarts included (RFC 8445 section 6.1.1); ICE itself resolves role conflicts.
        remote_ufrag: The peer's ICE username fragment, ``None`` until its description is known.
        remote_pwd: The peer's ICE password, ``None`` until its description is known.
        remote_ice_lite: Whether the peer is a lite agent.
        ice_restart: Whether the peer's credentials differ from those of the exchange completed last. An answer to such
            an offer needs new local credentials too (RFC 8839 section 4.4.1.1.1).
        remote_candidates: ``candidate:…`` lines of the peer's description.
        remote_candidates_complete: Whether no candidates follow: the section has ``a=end-of-candidates``, or the peer
            does not trickle.
        remote_fingerprints: Pairs of hash function (lower case) and digest (upper case, colons).
        dtls_role: The local role in the DTLS handshake, ``None`` until answered.
        remote_sctp_port: The peer's SCTP port, ``None`` until its description is known or without data channels.
        remote_max_message_size: Bytes of the largest message that the peer accepts; 0 for any size.
        mids: All sections that use the transport, ``mid`` first.
        number: Identifies the transport for its life: 0 for the first, others only if the peer does not bundle.
    """

    mid: str
    m_line_index: int
    controlling: bool
    remote_ufrag: str | None = None
    remote_pwd: str | None = attrs.field(default=None, repr=False)
    remote_ice_lite: bool = False
    ice_restart: bool = False
    remote_candidates: tuple[str, ...] = ()
    remote_candidates_complete: bool = False
    remote_fingerprints: tuple[tuple[str, str], ...] = ()
    dtls_role: DtlsRole | None = None
    remote_sctp_port: int | None = None
    remote_max_message_size: int | None = None
    mids: tuple[str, ...] = ()
    number: int = 0


@attrs.frozen
class Disassociated:
    """A section that a transceiver has lost, because its offer was rolled back or replaced.

    Attributes:
        mid: The section; the transceiver with this mid loses it.
        key: The transceiver, if known.
        created: Whether a remote offer created the transceiver, which is then removed unless ``add_track`` has used it
            since.
    """

    mid: str
    key: int | None
    created: bool


@attrs.frozen
class ApplyResult:
    """Result of applying a description: changes, and the new state of transports and media.

    Attributes:
        transports: The plans of the transports.
        rejected_mids: Sections of the exchange that either side rejected.
        closed_mids: Sections that were in use and are not any more.
        can_trickle: Whether the peer supports trickle ICE, ``None`` without a remote description.
        signaling_state: The new signaling state.
        signaling_state_changed: Whether it differs from the state before.
        negotiated: Whether an exchange was completed.
        media: The plan of each section of audio or video, in order; after a rollback those of the exchange completed
            last.
        data_mid: The section in use for data channels, or ``None``. The transport may continue without it.
        disassociated: Sections that transceivers have lost.
    """

    transports: tuple[TransportPlan, ...]
    rejected_mids: tuple[str, ...]
    closed_mids: tuple[str, ...]
    can_trickle: bool | None
    signaling_state: RTCSignalingState
    signaling_state_changed: bool
    negotiated: bool
    media: tuple[MediaPlan, ...] = ()
    data_mid: str | None = None
    disassociated: tuple[Disassociated, ...] = ()

    @property
    def transport(self) -> TransportPlan | None:
        """The first transport, ``None`` if there is none."""
        return next(iter(self.transports), None)


def plan_transports(
    exchange: OfferAnswerExchange, standing: Sequence[TransportPlan]
) -> tuple[TransportPlan, ...]:
    """Return the plans of the transports of an exchange, in the order of their sections.

    ``standing`` are the plans of the exchange completed last, including the first transport while no section uses it:
    roles stay, and credentials are compared. The section may differ: a rejected one leaves the transport to the next.
    """
    numbers = transport_numbers(exchange, standing)
    plans = []
    for bundle in exchange.bundles:
        established = plan_of(standing, numbers[bundle[0]])
        plan = _plan_transport(exchange, bundle, established)
        plans.append(attrs.evolve(plan, number=numbers[bundle[0]]))
    return tuple(plans)


def transport_numbers(exchange: OfferAnswerExchange, standing: Sequence[TransportPlan]) -> dict[int, int]:
    """Return the number of the transport of each usable section of an offer.

    A local offer assigns the numbers. A bundle of a remote offer keeps the transport that one of its sections had. The
    first bundle without one gets the first transport, if that is free. The answer does not change the numbers.
    """
    if exchange.offer.transports:
        return dict(enumerate(exchange.offer.transports))
    mids = exchange.mids()
    known = {mid: plan.number for plan in standing for mid in plan.mids}
    bundles = exchange.without_answer().bundles
    chosen: dict[int, int] = {}
    for place, bundle in enumerate(bundles):
        numbers = (known[mids[index]] for index in bundle if mids[index] in known)
        number = next((each for each in numbers if each not in chosen.values()), None)
        if number is not None:
            chosen[place] = number
    in_use = {plan.number for plan in standing if plan.number}
    for place in range(len(bundles)):
        if place not in chosen:
            taken = in_use.union(chosen.values())
            chosen[place] = next(number for number in itertools.count() if number not in taken)
    return {index: chosen[place] for place, bundle in enumerate(bundles) for index in bundle}


def plan_of(plans: Iterable[TransportPlan], number: int) -> TransportPlan | None:
    """Return the plan of a transport, or ``None``."""
    return next((plan for plan in plans if plan.number == number), None)


def _plan_transport(
    exchange: OfferAnswerExchange, bundle: Sequence[int], established: TransportPlan | None
) -> TransportPlan:
    known = exchange.mids()
    index, mids = bundle[0], tuple(known[each] for each in bundle)
    if exchange.remote is not None:
        return attrs.evolve(
            _plan_with_remote(exchange, exchange.remote.parsed, bundle, established), mids=mids
        )
    if established is not None:
        return attrs.evolve(established, mid=mids[0], m_line_index=index, ice_restart=False, mids=mids)
    return TransportPlan(mids[0], index, controlling=not _is_lite(exchange.local), mids=mids)


def _plan_with_remote(
    exchange: OfferAnswerExchange,
    remote: SessionDescription,
    bundle: Sequence[int],
    established: TransportPlan | None,
) -> TransportPlan:
    index = bundle[0]
    transport = bundled_transport(remote, index)
    data_index = exchange.data_section()
    application = None
    if data_index is not None and data_index in bundle:
        application = application_attributes(remote.media[data_index])
    credentials = (transport.ice_ufrag, transport.ice_pwd)
    plan = TransportPlan(
        mid=exchange.mids()[index],
        m_line_index=index,
        controlling=_controlling(exchange, established),
        remote_ufrag=transport.ice_ufrag,
        remote_pwd=transport.ice_pwd,
        remote_ice_lite=transport.ice_lite,
        ice_restart=established is not None
        and credentials != (established.remote_ufrag, established.remote_pwd),
        remote_candidates=_remote_candidates(remote, index),
        remote_candidates_complete=transport_attributes(remote, index).end_of_candidates
        or not can_trickle(exchange.remote),
        remote_fingerprints=fingerprint_pairs(transport.fingerprints),
        remote_sctp_port=None if application is None else application.sctp_port,
        remote_max_message_size=None if application is None else application.max_message_size,
    )
    return attrs.evolve(plan, dtls_role=_dtls_role(exchange, plan, established))


def _remote_candidates(remote: SessionDescription, index: int) -> tuple[str, ...]:
    """Return the candidates of a section, or those of its bundle if it has none.

    A browser that bundles from the start writes candidates into the first section only, which may be rejected here.
    Otherwise every section has its own, although all have the same credentials.
    """
    own = transport_attributes(remote, index).candidates
    if own:
        return own
    shared = (transport_attributes(remote, other).candidates for other in shared_sections(remote, index))
    return tuple(dict.fromkeys(candidate for candidates in shared for candidate in candidates))


def bundled_transport(description: SessionDescription, index: int) -> TransportAttributes:
    """Return the transport attributes of a section, or those of its bundle if it has none."""
    transport = transport_attributes(description, index)
    if transport.ice_ufrag is not None:
        return transport
    for other in shared_sections(description, index):
        tagged = transport_attributes(description, other)
        if tagged.ice_ufrag is not None:
            return tagged
    return transport


def _controlling(exchange: OfferAnswerExchange, established: TransportPlan | None) -> bool:
    remote_lite = _is_lite(exchange.remote)
    if remote_lite != _is_lite(exchange.local):
        return remote_lite
    if established is not None:
        return established.controlling
    return exchange.offerer is Side.LOCAL


def _is_lite(description: Description | None) -> bool:
    return description is not None and has_attribute(description.parsed, "ice-lite")


def _dtls_role(
    exchange: OfferAnswerExchange, plan: TransportPlan, established: TransportPlan | None
) -> DtlsRole | None:
    standing = standing_dtls_role(plan.remote_fingerprints, established)
    if standing is not None or exchange.answer is None:
        return standing
    answerer_is_client = is_client(exchange.answer.parsed, plan.m_line_index)
    return "client" if answerer_is_client == (exchange.offerer is Side.REMOTE) else "server"


def is_client(answer: SessionDescription, index: int) -> bool:
    """Return whether an answerer is the DTLS client; without ``a=setup`` it is, as in libwebrtc."""
    return bundled_transport(answer, index).setup != "passive"


def standing_dtls_role(
    remote_fingerprints: tuple[tuple[str, str], ...], established: TransportPlan | None
) -> DtlsRole | None:
    """Return the local role in the established DTLS association, ``None`` if a new one is needed.

    The association continues while the peer's fingerprints stay the same (RFC 8842 section 4).
    """
    if established is None or set(established.remote_fingerprints) != set(remote_fingerprints):
        return None
    return established.dtls_role


def fingerprint_pairs(fingerprints: tuple[Fingerprint, ...]) -> tuple[tuple[str, str], ...]:
    """Return fingerprints as pairs of hash function and digest."""
    return tuple((fingerprint.algorithm, fingerprint.value) for fingerprint in fingerprints)


def can_trickle(remote: Description | None) -> bool | None:
    """Return whether the peer supports trickle ICE (``a=ice-options``); ``None`` without a description of it."""
    if remote is None:
        return None
    # Session-level options apply to all sections.
    parts: list[Section] = [remote.parsed, *remote.parsed.media] if remote.parsed.media else []
    return any(
        "trickle" in options for part in parts for options in parsed_values(part, "ice-options", tuple)
    )
