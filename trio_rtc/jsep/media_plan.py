"""Plans of the sections of audio and video, computed from an exchange."""

from collections.abc import Iterable

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.rtp.codec import Codec
from trio_rtc.protocols.sdp import (
    RTP_KINDS,
    Bandwidth,
    Msid,
    RtpAttributes,
    SessionDescription,
    SsrcGroup,
    rtp_attributes,
)

from .directions import intersect, reverse
from .extensions import NegotiatedExtension, negotiated_extensions
from .formats import negotiated_formats, section_formats
from .offer_answer_exchange import OfferAnswerExchange, is_rejected
from .signaling import Side
from .simulcast import Layer, section_layers

MAXIMUM_STREAMS = 16
"""Streams per section; further ones are ignored. Each costs an object and two events."""
MAXIMUM_SOURCES = 64
"""SSRCs and SSRC groups per section; further ones are ignored."""


@attrs.frozen
class RemoteSource:
    """An SSRC that the peer announces (``a=ssrc``).

    Attributes:
        ssrc: The SSRC.
        cname: Its canonical name, ``None`` if unknown.
    """

    ssrc: int
    cname: str | None = None


@attrs.frozen
class MediaPlan:
    """The state of a section of audio or video after an offer or an answer.

    Attributes:
        index: Index of the section.
        mid: Its mid; a generated one if the peer gave none.
        kind: ``"audio"`` or ``"video"``.
        key: The associated transceiver. ``None`` if a remote offer needs a new one (unless ``rejected``), with
            direction ``recvonly`` and this mid. A transceiver whose mid was ``None`` gets this mid.
        rejected: Whether the section is not in use: either side rejected it, there is no common codec, or it does not
            share its bundle's transport. Of the following members only ``stopped`` and ``unanswerable`` are valid then.
        stopped: Whether that stops the transceiver: the peer's offer removes the section, or an answer rejects it.
        unanswerable: Whether this is the peer's offer, and the answer will reject the section for want of a codec.
            Until then it has a transceiver, and the members that describe the peer are valid, too.
        direction: The local direction as answered, W3C's ``currentDirection``. ``None`` while there is only an offer.
        remote_direction: The direction in the peer's description, from its side; ``None`` before it is known.
        remote_stream_ids: The streams of the peer's track.
        remote_msid: Whether the peer's description has ``a=msid``, including ``a=msid:-``, which means no stream.
        remote_track_id: The peer's id of its track, ``None`` without one.
        send_codecs: Codecs that may be sent, with the peer's payload types and parameters, in the order of the answer.
            Empty until answered.
        answer_codecs: All formats of the peer's answer if it has some for media that the local offer has not, which may
            be sent too (RFC 3264 section 6.1); otherwise empty.
        receive_codecs: Codecs that may be received, with the local payload types and parameters. For a local offer
            to receive all of its codecs, as packets may arrive before the answer; empty for another offer.
        header_extensions: The negotiated header extensions; empty until answered.
        send_layers: The simulcast layers that the peer accepts; for its offer, the ones it requests. Empty without
            simulcast: then only the first encoding is sent.
        receive_layers: The simulcast layers that the peer sends; for its offer, all of them. Empty without simulcast.
        remote_sources: The SSRCs that the peer announces.
        remote_source_groups: Their groups: ``FID`` (media, RTX), ``FEC-FR`` (media, FlexFEC) and ``SIM``.
        bandwidth: The peer's limit for this section in bits per second; ``None`` for no limit.
        ptime: The peer's preferred milliseconds of audio per packet, ``None`` without one.
        maxptime: The peer's maximum milliseconds of audio per packet, ``None`` without one.
        flexfec_announced: Whether the local description announces an SSRC of FlexFEC. The peer drops FlexFEC packets
            of an SSRC that is not announced.
        rtcp_reduced_size: Whether reduced-size RTCP may be sent (RFC 5506).
        extmap_allow_mixed: Whether one-byte and two-byte header extensions may be mixed in a stream (RFC 8285).
    """

    index: int
    mid: str
    kind: str
    key: int | None = None
    rejected: bool = False
    stopped: bool = False
    unanswerable: bool = False
    direction: RTCRtpTransceiverDirection | None = None
    remote_direction: RTCRtpTransceiverDirection | None = None
    remote_stream_ids: tuple[str, ...] = ()
    remote_msid: bool = False
    remote_track_id: str | None = None
    send_codecs: tuple[Codec, ...] = ()
    answer_codecs: tuple[Codec, ...] = ()
    receive_codecs: tuple[Codec, ...] = ()
    header_extensions: tuple[NegotiatedExtension, ...] = ()
    send_layers: tuple[Layer, ...] = ()
    receive_layers: tuple[Layer, ...] = ()
    remote_sources: tuple[RemoteSource, ...] = ()
    remote_source_groups: tuple[SsrcGroup, ...] = ()
    bandwidth: int | None = None
    ptime: float | None = None
    maxptime: float | None = None
    flexfec_announced: bool = False
    rtcp_reduced_size: bool = False
    extmap_allow_mixed: bool = False


def plan_media(exchange: OfferAnswerExchange | None) -> tuple[MediaPlan, ...]:
    """Return the plan of each section of audio or video of an exchange."""
    if exchange is None:
        return ()
    carried, mids = set(exchange.carried()), exchange.mids()
    return tuple(
        _plan_section(
            exchange,
            MediaPlan(index, mids[index], media.kind, exchange.key(index), rejected=index not in carried),
        )
        for index, media in enumerate(exchange.offer.parsed.media)
        if media.kind in RTP_KINDS
    )


def _plan_section(exchange: OfferAnswerExchange, plan: MediaPlan) -> MediaPlan:
    if plan.rejected:
        given_up = exchange.offerer is Side.REMOTE and is_rejected(exchange.offer.parsed.media[plan.index])
        if exchange.answer is None and plan.index in exchange.offer.refused and not given_up:
            return attrs.evolve(_with_remote(plan, exchange.offer.parsed), unanswerable=True)
        return attrs.evolve(plan, stopped=given_up or exchange.answer is not None)
    local = None if exchange.local is None else exchange.local.parsed
    remote = None if exchange.remote is None else exchange.remote.parsed
    if remote is None:
        return (
            plan if local is None else attrs.evolve(plan, receive_codecs=_offered_codecs(local, plan.index))
        )
    plan = _with_remote(plan, remote)
    return plan if local is None else _with_both(plan, local, remote, exchange)


def _offered_codecs(local: SessionDescription, index: int) -> tuple[Codec, ...]:
    """Return the codecs that may be received before the answer to a local offer."""
    if not RTCRtpTransceiverDirection(rtp_attributes(local, index).direction).receives:
        return ()
    return section_formats(local, index)


def _with_remote(plan: MediaPlan, remote: SessionDescription) -> MediaPlan:
    attributes = rtp_attributes(remote, plan.index)
    layers = section_layers(attributes)
    msids = attributes.msids or _old_msids(attributes)
    stream_ids = dict.fromkeys(msid.stream_id for msid in msids if msid.stream_id != "-")
    return attrs.evolve(
        plan,
        remote_direction=RTCRtpTransceiverDirection(attributes.direction),
        remote_stream_ids=tuple(stream_ids)[:MAXIMUM_STREAMS],
        remote_msid=bool(msids),
        remote_track_id=next((msid.track_id for msid in msids if msid.track_id), None),
        send_layers=layers.received,
        receive_layers=layers.sent,
        remote_sources=_sources(attributes),
        remote_source_groups=attributes.ssrc_groups[:MAXIMUM_SOURCES],
        bandwidth=_bandwidth(attributes.bandwidths),
        ptime=attributes.ptime,
        maxptime=attributes.maxptime,
    )


def _with_both(
    plan: MediaPlan, local: SessionDescription, remote: SessionDescription, exchange: OfferAnswerExchange
) -> MediaPlan:
    ours, theirs = rtp_attributes(local, plan.index), rtp_attributes(remote, plan.index)
    our_formats, their_formats = section_formats(local, plan.index), section_formats(remote, plan.index)
    our_layers, their_layers = section_layers(ours), section_layers(theirs)
    send_codecs = negotiated_formats(their_formats, our_formats)
    answer_codecs: tuple[Codec, ...] = ()
    if exchange.offerer is Side.REMOTE:
        # The local answer has the offer's payload types, perhaps in the application's order.
        places = {entry.payload_type: place for place, entry in enumerate(our_formats)}
        send_codecs = tuple(
            sorted(send_codecs, key=lambda entry: places.get(entry.payload_type, len(places)))
        )
    elif not {entry.payload_type for entry in their_formats if entry.is_media} <= {
        entry.payload_type for entry in send_codecs
    }:
        answer_codecs = their_formats
    direction = intersect(
        RTCRtpTransceiverDirection(ours.direction),
        reverse(RTCRtpTransceiverDirection(theirs.direction)),
    )
    return attrs.evolve(
        plan,
        direction=direction,
        send_codecs=send_codecs,
        answer_codecs=answer_codecs,
        receive_codecs=negotiated_formats(our_formats, their_formats),
        header_extensions=negotiated_extensions(ours.extmaps, theirs.extmaps),
        send_layers=_common_layers(their_layers.received, our_layers.sent),
        receive_layers=_common_layers(their_layers.sent, our_layers.received),
        flexfec_announced=any(group.semantics == "FEC-FR" for group in ours.ssrc_groups),
        rtcp_reduced_size=ours.rtcp_rsize and theirs.rtcp_rsize,
        extmap_allow_mixed=ours.extmap_allow_mixed and theirs.extmap_allow_mixed,
    )


def _common_layers(theirs: Iterable[Layer], ours: Iterable[Layer]) -> tuple[Layer, ...]:
    rids = {layer.rid for layer in ours}
    return tuple(layer for layer in theirs if layer.rid in rids)


def _old_msids(attributes: RtpAttributes) -> tuple[Msid, ...]:
    """Return the msids of peers older than RFC 8830, per SSRC (``a=ssrc:1 msid:stream track``)."""
    words = (
        each.value.split(None, 1)
        for each in attributes.ssrcs
        if each.attribute == "msid" and each.value and each.value.strip()
    )
    return tuple(Msid(stream_id, track_id[0] if track_id else None) for stream_id, *track_id in words)


def _sources(attributes: RtpAttributes) -> tuple[RemoteSource, ...]:
    cnames: dict[int, str | None] = {}
    for each in attributes.ssrcs:
        cnames.setdefault(each.ssrc, None)
        if each.attribute == "cname":
            cnames[each.ssrc] = each.value
    return tuple(RemoteSource(ssrc, cname) for ssrc, cname in cnames.items())[:MAXIMUM_SOURCES]


def _bandwidth(bandwidths: Iterable[Bandwidth]) -> int | None:
    """Return the limit in bits per second; ``TIAS``, which is exact, precedes ``AS`` (RFC 3890)."""
    limits = {bandwidth.type.upper(): bandwidth.value for bandwidth in bandwidths}
    if "TIAS" in limits:
        return limits["TIAS"]
    return limits["AS"] * 1000 if "AS" in limits else None
