"""From an exchange to what its sections of audio and video carry."""

from collections.abc import Iterable

import attrs

from trio_rtc.enums import RTCRtpTransceiverDirection
from trio_rtc.protocols.sdp import (
    RTP_KINDS,
    Bandwidth,
    Msid,
    RtpAttributes,
    SessionDescription,
    SsrcGroup,
    rtp_attributes,
)

from .codecs import NegotiatedCodec
from .directions import intersect, reverse
from .extensions import NegotiatedExtension, negotiated_extensions
from .formats import negotiated_formats, section_formats
from .offer_answer_exchange import OfferAnswerExchange, is_rejected
from .signaling import Side
from .simulcast import Layer, section_layers

MAXIMUM_STREAMS = 16
"""Streams that are taken from one section; further ones are ignored. Each costs an object and two events."""
MAXIMUM_SOURCES = 64
"""Sources and groups of sources that are taken from one section; further ones are ignored."""


@attrs.frozen
class RemoteSource:
    """A source that the peer announces (``a=ssrc``).

    Attributes:
        ssrc: Its number.
        cname: Its canonical name, ``None`` if that is not told.
    """

    ssrc: int
    cname: str | None = None


@attrs.frozen
class MediaPlan:
    """What an exchange, as far as it has come, makes of a section of audio or video.

    Attributes:
        index: Where the section stands, from 0.
        mid: Its mid; a generated one where the peer gave none.
        kind: ``"audio"`` or ``"video"``.
        key: The transceiver associated with it. ``None`` if an offer of the peer needs a new one (unless
            ``rejected``): of direction ``recvonly``, with this mid. A transceiver whose own mid was ``None`` takes
            this one.
        rejected: Whether the section carries nothing: either side refused it, nothing is in common, or it does not
            share the one transport. Of all that follows then only ``stopped`` counts.
        stopped: Whether the transceiver is stopped by that: the peer's offer gives it up, or an answer rejects it.
        direction: Ours, as answered: W3C's ``currentDirection``. ``None`` while there is only an offer.
        remote_direction: What the peer's description says, from its side; ``None`` before it is known.
        remote_stream_ids: The streams in which the peer announces its track.
        remote_msid: Whether the peer says of its track which streams it is in, be it none (``a=msid:-``).
        remote_track_id: The id that the peer gives its track, ``None`` if it gives none.
        send_codecs: What we may send, with the payload types and parameters of the peer, in the order of the
            answer. Empty until answered.
        receive_codecs: What we have to expect, under our payload types and with our parameters. For an offer of
            ours all that it has, as packets may come before the answer; for an offer of the peer's empty.
        header_extensions: What may stand in headers; empty until answered.
        send_layers: The simulcast layers that the peer takes; of its offer those that it asks for. Empty if there
            is no simulcast: then only the first encoding is sent.
        receive_layers: The simulcast layers that the peer sends; of its offer all of them. Empty without simulcast.
        remote_sources: The peer's sources, as far as it announces them.
        remote_source_groups: ``FID`` (media, retransmission), ``FEC-FR`` (media, FlexFEC) and ``SIM`` over them.
        bandwidth: What the peer can take in this section, bits a second; ``None`` for no limit.
        ptime: Milliseconds of audio that the peer wants in a packet, ``None`` if it does not say.
        maxptime: Milliseconds of audio that it takes in a packet at most, ``None`` if it does not say.
        flexfec_announced: Whether our description announces a source of FlexFEC. The peer drops the packets of one that
            is not announced.
        rtcp_reduced_size: Whether feedback may be sent alone (RFC 5506).
        extmap_allow_mixed: Whether short and long header extensions may be mixed in a stream (RFC 8285).
    """

    index: int
    mid: str
    kind: str
    key: int | None = None
    rejected: bool = False
    stopped: bool = False
    direction: RTCRtpTransceiverDirection | None = None
    remote_direction: RTCRtpTransceiverDirection | None = None
    remote_stream_ids: tuple[str, ...] = ()
    remote_msid: bool = False
    remote_track_id: str | None = None
    send_codecs: tuple[NegotiatedCodec, ...] = ()
    receive_codecs: tuple[NegotiatedCodec, ...] = ()
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
    """Return what becomes of each section of audio or video of an exchange."""
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
        return attrs.evolve(plan, stopped=given_up or exchange.answer is not None)
    local = None if exchange.local is None else exchange.local.parsed
    remote = None if exchange.remote is None else exchange.remote.parsed
    if remote is None:
        return (
            plan if local is None else attrs.evolve(plan, receive_codecs=section_formats(local, plan.index))
        )
    plan = _with_remote(plan, remote)
    return plan if local is None else _with_both(plan, local, remote, exchange)


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
    if exchange.offerer is Side.REMOTE:
        # Our answer has the payload types of the offer, perhaps in an order that was asked for.
        places = {entry.payload_type: place for place, entry in enumerate(our_formats)}
        send_codecs = tuple(
            sorted(send_codecs, key=lambda entry: places.get(entry.payload_type, len(places)))
        )
    direction = intersect(
        RTCRtpTransceiverDirection(ours.direction),
        reverse(RTCRtpTransceiverDirection(theirs.direction)),
    )
    return attrs.evolve(
        plan,
        direction=direction,
        send_codecs=send_codecs,
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
    """Return what peers before RFC 8830 say per source (``a=ssrc:1 msid:stream track``)."""
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
    """Return the limit in bits a second; ``TIAS``, which is exact, goes before ``AS`` (RFC 3890)."""
    limits = {bandwidth.type.upper(): bandwidth.value for bandwidth in bandwidths}
    if "TIAS" in limits:
        return limits["TIAS"]
    return limits["AS"] * 1000 if "AS" in limits else None
