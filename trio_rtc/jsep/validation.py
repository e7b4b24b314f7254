"""Validation of remote descriptions beyond their grammar (RFC 9429 sections 5.8.3, 5.9 to 5.11).

Each failure is W3C's "content of description is invalid" (webrtc section 4.4.1.5), an ``InvalidAccessError``, except
for a track in two sections. ``RTCError`` is for text that is not valid SDP. Sections that will be rejected are not
checked: an offer of unsupported media is never an error.
"""

from collections.abc import Sequence

from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.errors import InvalidAccessError, OperationError
from trio_rtc.protocols.rtp.codec import Codec, format_parameters
from trio_rtc.protocols.sdp import (
    Msid,
    SessionDescription,
    TransportAttributes,
    groups,
    is_data_section,
    is_rtp_section,
    media_mid,
    rtp_attributes,
)

from .directions import intersect, reverse
from .extensions import negotiated_extensions
from .formats import have_common_media, section_formats
from .offer_answer_exchange import OfferAnswerExchange, has_rtcp_mux, is_rejected, section_mids
from .plan import (
    TransportPlan,
    bundled_transport,
    fingerprint_pairs,
    is_client,
    plan_of,
    standing_dtls_role,
    transport_numbers,
)

TRUSTED_HASHES = frozenset({"sha-224", "sha-256", "sha-384", "sha-512"})
"""Hash functions whose fingerprints authenticate a certificate; SHA-1 and MD5 are too weak."""

RTCP_PAYLOAD_TYPES = range(64, 96)
"""Payload types that look like RTCP on the same port (RFC 5761 section 4)."""


def check_mids(description: SessionDescription) -> None:
    """Check that mids are unique, and that every bundled mid exists and is in one bundle only."""
    mids = [mid for media in description.media if (mid := media_mid(media)) is not None]
    if len(set(mids)) != len(mids):
        raise InvalidAccessError(f"a=mid must be different in all media sections, not {', '.join(mids):.200}")
    bundled = [mid for group in groups(description, "BUNDLE") for mid in group.mids]
    if len(set(bundled)) != len(bundled):
        raise InvalidAccessError(
            f"a mid must be in one BUNDLE group only, once, not {', '.join(bundled):.200}"
        )
    if not set(bundled) <= set(mids):
        raise InvalidAccessError(
            f"a BUNDLE group must have only mids of media sections ({', '.join(mids):.200}), "
            f"not {', '.join(bundled):.200}"
        )


def check_msids(description: SessionDescription) -> None:
    """Check that no track is in two sections (RFC 8830 section 2); one without an id is in no other section.

    Raises:
        OperationError: Two sections have the same track. That is neither syntax nor one of JSEP's checks of the content
            (RFC 9429 section 5.8.3), so W3C webrtc section 4.4.1.5 has it among "all other errors".
    """
    known: dict[Msid, int] = {}
    for index, media in enumerate(description.media):
        if not is_rtp_section(media) or is_rejected(media):
            continue
        msids = rtp_attributes(description, index).msids
        msid = next((each for each in msids if each.track_id is not None), None)
        if msid is None:
            continue
        if known.setdefault(msid, index) != index:
            raise OperationError(
                f"a=msid of media section {index} must be that of another track than in media section {known[msid]}, "
                f"not {msid.stream_id} {msid.track_id}"
            )


def check_sections_kept(offer: SessionDescription, previous: OfferAnswerExchange | None) -> None:
    """Check that an offer has all sections of the previous exchange in the same order.

    A section in use must keep its mid and kind; a rejected one may be recycled (RFC 9429 section 5.2.2).
    """
    if previous is None:
        return
    known = previous.offer.parsed.media
    if len(offer.media) < len(known):
        raise InvalidAccessError(
            f"offer must have the {len(known)} media sections negotiated before, not {len(offer.media)}"
        )
    for live in previous.carried():
        kept = offer.media[live]
        # A section that is now rejected often lacks its attributes, such as the mid.
        mid = media_mid(kept) if kept.port != 0 else media_mid(kept) or media_mid(known[live])
        if kept.kind != known[live].kind or mid != media_mid(known[live]):
            raise InvalidAccessError(
                f"media section {live} must have the kind {known[live].kind!r} and the mid {media_mid(known[live])!r} "
                f"negotiated before, not {kept.kind!r} and {mid!r}"
            )


def check_answer(answer: SessionDescription, offer: SessionDescription) -> None:
    """Check that an answer has the sections of the offer, in their order, and bundles only what it accepts."""
    if len(answer.media) != len(offer.media):
        raise InvalidAccessError(
            f"answer must have the {len(offer.media)} media sections of the offer, not {len(answer.media)}"
        )
    for index, (answered, offered) in enumerate(zip(answer.media, offer.media, strict=True)):
        if answered.kind != offered.kind:
            raise InvalidAccessError(
                f"media section {index} of the answer must be {offered.kind} as in the offer, not {answered.kind}"
            )
        if media_mid(answered) not in (None, media_mid(offered)):
            raise InvalidAccessError(
                f"media section {index} of the answer must have the mid {media_mid(offered)!r} of the offer, "
                f"not {media_mid(answered)!r}"
            )
        if is_data_section(offered) and answered.port != 0 and not is_data_section(answered):
            raise InvalidAccessError(
                f"media section {index} of the answer must be for data channels as in the offer, "
                f"not {answered.protocol}"
            )
        if is_rtp_section(offered) and answered.port != 0:
            _check_direction(answer, offer, index)
    offered_bundles = [set(group.mids) for group in groups(offer, "BUNDLE")]
    mids = section_mids(answer)
    for group in groups(answer, "BUNDLE"):
        if not any(set(group.mids) <= bundle for bundle in offered_bundles):
            raise InvalidAccessError(
                f"the answer's BUNDLE group must be within one of the offer, not {' '.join(group.mids):.200}"
            )
        # RFC 9143 section 7.3.2: the first section of the group has the transport, so it cannot be rejected.
        if group.mids and answer.media[mids.index(group.mids[0])].port == 0:
            raise InvalidAccessError(
                f"the first section of the answer's BUNDLE group, {group.mids[0]}, must not be rejected: "
                "it has the transport"
            )


def _check_direction(answer: SessionDescription, offer: SessionDescription, index: int) -> None:
    offered = Direction(rtp_attributes(offer, index).direction)
    answered = Direction(rtp_attributes(answer, index).direction)
    # RFC 3264 section 6.1: an answer sends only what the offer receives, and the reverse.
    if intersect(answered, reverse(offered)) is not answered:
        raise InvalidAccessError(
            f"media section {index} of the answer must not be {answered} after an offer that is {offered}; at most "
            f"{reverse(offered)}"
        )


def check_transports(exchange: OfferAnswerExchange, standing: Sequence[TransportPlan]) -> None:
    """Check that each bundle's transport has the attributes that ICE, DTLS and RTP require."""
    if exchange.remote is None:
        return
    numbers = transport_numbers(exchange, standing)
    for bundle in exchange.bundles:
        _check_transport(exchange, exchange.remote.parsed, bundle, plan_of(standing, numbers[bundle[0]]))


def _check_transport(
    exchange: OfferAnswerExchange,
    remote: SessionDescription,
    bundle: Sequence[int],
    established: TransportPlan | None,
) -> None:
    index = bundle[0]
    transport = bundled_transport(remote, index)
    if transport.ice_ufrag is None or transport.ice_pwd is None:
        raise InvalidAccessError(f"media section {index} must have a=ice-ufrag and a=ice-pwd")
    if not any(fingerprint.algorithm in TRUSTED_HASHES for fingerprint in transport.fingerprints):
        raise InvalidAccessError(
            f"media section {index} must have an a=fingerprint of a trusted hash function: "
            f"{', '.join(sorted(TRUSTED_HASHES))}"
        )
    for each in bundle:
        if is_rtp_section(remote.media[each]):
            _check_multiplexing(remote, each)
    if established is not None and established.remote_fingerprints:
        credentials = (established.remote_ufrag, established.remote_pwd)
        _check_handover(index, transport, credentials, established.remote_fingerprints)
    if exchange.answer is None:
        fingerprints = fingerprint_pairs(transport.fingerprints)
        _check_offered_setup(index, transport.setup, fingerprints, established)
    elif transport.setup not in ("active", "passive", None):
        raise InvalidAccessError(
            f"a=setup of media section {index} of the answer must be active or passive, not {transport.setup}"
        )


def _check_handover(
    index: int,
    transport: TransportAttributes,
    credentials: tuple[str | None, str | None],
    fingerprints: tuple[tuple[str, str], ...],
) -> None:
    """Check that other fingerprints come with other ICE credentials (RFC 8842 section 5.5, RFC 9429 section 5.11).

    Packets of the two associations can be told apart only on paths of their own.
    """
    changed = set(fingerprint_pairs(transport.fingerprints)) != set(fingerprints)
    if changed and (transport.ice_ufrag, transport.ice_pwd) == credentials:
        raise InvalidAccessError(
            f"a=fingerprint of media section {index} must be the one negotiated before, unless a=ice-ufrag and "
            "a=ice-pwd are new as well (ICE restart)"
        )


def _check_multiplexing(remote: SessionDescription, index: int) -> None:
    """Check that RTP and RTCP share a port, and that no payload type looks like RTCP (RFC 5761 section 4)."""
    if not has_rtcp_mux(remote, index):
        # RFC 9429 section 5.8.3; "require" is the only policy.
        raise InvalidAccessError(
            f"media section {index} must have a=rtcp-mux, as rtcp_mux_policy is require; "
            "RTCP on a separate port is not supported"
        )
    for codec in section_formats(remote, index):
        if codec.payload_type in RTCP_PAYLOAD_TYPES:
            raise InvalidAccessError(
                f"payload type of {codec.name} in media section {index} must not be one of 64 to 95, which RTCP "
                f"uses on the same port, but is {codec.payload_type}"
            )


def check_extension_ids(exchange: OfferAnswerExchange, previous: OfferAnswerExchange | None) -> None:
    """Check that header extensions keep the ids negotiated before (RFC 8285 section 5).

    Packets with the former ids may be in flight. Another fingerprint is another endpoint, which has sent none.
    """
    if previous is None or previous.remote is None or previous.local is None or exchange.remote is None:
        return
    before, ours, now = previous.remote.parsed, previous.local.parsed, exchange.remote.parsed
    kept = set(exchange.carried_mids())
    for index in previous.carried():
        if previous.mids()[index] not in kept or not is_rtp_section(before.media[index]):
            continue
        was, becomes = bundled_transport(before, index), bundled_transport(now, index)
        if set(was.fingerprints) == set(becomes.fingerprints):
            _check_extension_ids_kept(index, (ours, before), now)


def _check_extension_ids_kept(
    index: int, before: tuple[SessionDescription, SessionDescription], now: SessionDescription
) -> None:
    ours, theirs = (rtp_attributes(description, index).extmaps for description in before)
    extmaps = rtp_attributes(now, index).extmaps
    ids = {extmap.uri: extmap.id for extmap in extmaps}
    uris = {extmap.id: extmap.uri for extmap in extmaps}
    for extension in negotiated_extensions(ours, theirs):
        if uris.get(extension.id, extension.uri) != extension.uri:
            raise InvalidAccessError(
                f"header extension {extension.id} of media section {index} must remain {extension.uri}, "
                f"not {uris[extension.id]}"
            )
        if extension.id not in uris and extension.uri in ids:
            raise InvalidAccessError(
                f"header extension {extension.uri} of media section {index} must keep the id {extension.id}, "
                f"not {ids[extension.uri]}"
            )


def check_roles_kept(exchange: OfferAnswerExchange, provisional: OfferAnswerExchange | None) -> None:
    """Check that an answer keeps the DTLS roles of the preceding provisional answer.

    The handshake has begun with those. Other fingerprints mean another association, with its own roles and ICE
    credentials: another endpoint has answered the offer.

    An answer that contradicts the roles of an earlier exchange is accepted and ignored, unlike in libwebrtc: pion
    (until September 2026) and webrtc-rs write their default role into each answer and keep the established one.
    """
    if exchange.answer is None or provisional is None or provisional.answer is None:
        return
    for bundle in exchange.bundles:
        for earlier in provisional.bundles:
            if set(bundle).intersection(earlier):
                _check_role_kept(provisional.answer.parsed, earlier[0], exchange.answer.parsed, bundle[0])


def _check_role_kept(before: SessionDescription, was: int, after: SessionDescription, index: int) -> None:
    provisional, transport = bundled_transport(before, was), bundled_transport(after, index)
    if set(provisional.fingerprints) != set(transport.fingerprints):
        credentials = (provisional.ice_ufrag, provisional.ice_pwd)
        _check_handover(index, transport, credentials, fingerprint_pairs(provisional.fingerprints))
        return
    if is_client(before, was) != is_client(after, index):
        expected, setup = (
            bundled_transport(each, at).setup or "active" for each, at in ((before, was), (after, index))
        )
        raise InvalidAccessError(
            f"a=setup of media section {index} of the answer must be {expected} as in the provisional answer, "
            f"not {setup}: the DTLS handshake has begun"
        )


def check_codecs(exchange: OfferAnswerExchange) -> None:
    """Check that every section accepted by the peer's answer has an offered codec.

    Raises:
        InvalidAccessError: A section has none, so that no media could be exchanged.
    """
    if exchange.answer is None:
        return
    offer, answer = exchange.offer.parsed, exchange.answer.parsed
    for index in exchange.carried():
        if not is_rtp_section(offer.media[index]):
            continue
        offered, answered = section_formats(offer, index), section_formats(answer, index)
        if have_common_media(offered, answered):
            continue
        names = sorted({_described(entry) for entry in answered if entry.is_media})
        raise InvalidAccessError(
            f"media section {index} ({offer.media[index].kind}) of the answer must have an offered codec, "
            f"not only {', '.join(names) or 'unknown ones'}"
        )


def _described(entry: Codec) -> str:
    parameters = format_parameters(entry.parameters)
    name = f"{entry.name}/{entry.clock_rate} under payload type {entry.payload_type}"
    return f"{name} ({parameters})" if parameters else name


def _check_offered_setup(
    index: int,
    setup: str | None,
    fingerprints: tuple[tuple[str, str], ...],
    established: TransportPlan | None,
) -> None:
    if setup == "holdconn":
        raise InvalidAccessError(
            f"a=setup of media section {index} of the offer must be actpass, active or passive, not holdconn"
        )
    standing = standing_dtls_role(fingerprints, established)
    if (standing, setup) in (("client", "active"), ("server", "passive")):
        raise InvalidAccessError(
            f"a=setup of media section {index} of the offer must not change the established DTLS roles, as {setup} "
            "does; only another fingerprint begins a new association"
        )
