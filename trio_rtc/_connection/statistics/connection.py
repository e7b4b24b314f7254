"""Collection of the statistics of transports, candidates, certificates and data channels."""

import base64
from collections.abc import Iterable, Iterator
from hashlib import sha256

from trio_rtc._connection.bundle_transports import BundleTransport
from trio_rtc._connection.transport_events import TransportEvents
from trio_rtc.certificate import RTCCertificate, core_certificate
from trio_rtc.data_channels.channel_table import ChannelTable
from trio_rtc.descriptions import RTCIceCandidate
from trio_rtc.enums import RTCDtlsRole, RTCStatsIceCandidatePairState, RTCStatsType
from trio_rtc.protocols.ice import Agent, Candidate, CheckedPair
from trio_rtc.stats.candidate_pair_traffic import CandidatePairTraffic, key_of
from trio_rtc.stats.connection_stats import (
    RTCCertificateStats,
    RTCDataChannelStats,
    RTCIceCandidatePairStats,
    RTCIceCandidateStats,
    RTCPeerConnectionStats,
    RTCTransportStats,
)
from trio_rtc.stats.moment import Moment
from trio_rtc.transports.rtc_transports import RTCIceTransport
from trio_rtc.transports.stack import TransportStack


def id_of_transport(number: int) -> str:
    """Return the id of a transport; there are several if the peer does not bundle."""
    return f"transport-{number}" if number else "transport"


ConnectionStats = (
    RTCPeerConnectionStats
    | RTCTransportStats
    | RTCIceCandidateStats
    | RTCIceCandidatePairStats
    | RTCCertificateStats
    | RTCDataChannelStats
)


def connection_stats(
    transports: Iterable[BundleTransport],
    channels: ChannelTable,
    certificate: RTCCertificate,
    moment: Moment,
) -> Iterator[ConnectionStats]:
    """Yield the statistics of everything but media."""
    timestamp = moment.timestamp
    yield RTCPeerConnectionStats(
        id="peer-connection",
        timestamp=timestamp,
        data_channels_opened=channels.opened,
        data_channels_closed=channels.closed,
    )
    for channel in channels.channels:
        counters = channel._counters
        yield RTCDataChannelStats(
            id=f"data-channel-{channel._key}",
            timestamp=timestamp,
            label=channel.label,
            protocol=channel.protocol,
            data_channel_identifier=channel.id,
            state=channel.ready_state,
            messages_sent=counters.messages_sent,
            bytes_sent=counters.bytes_sent,
            messages_received=counters.messages_received,
            bytes_received=counters.bytes_received,
        )
    for transport in transports:
        if transport.events.ice_transport is not None:
            yield from _transport_stats(transport.stack, transport.events, certificate, moment)


def _transport_stats(
    stack: TransportStack, events: TransportEvents, certificate: RTCCertificate, moment: Moment
) -> Iterator[ConnectionStats]:
    timestamp = moment.timestamp
    transport_id = id_of_transport(events.number)
    assert events.ice_transport is not None
    assert events.dtls_transport is not None
    local = _certificate_stats(core_certificate(certificate).der, timestamp)
    remote = [_certificate_stats(der, timestamp) for der in events.dtls_transport.get_remote_certificates()]
    yield local
    yield from remote
    yield from _candidate_stats(stack.agent, events.ice_transport, transport_id, timestamp)
    selected = stack.agent.selected_entry
    for pair in stack.agent.pairs:
        yield _pair_stats(stack, pair, transport_id, moment, events.traffic)
    handshake, rtp = events.handshake, stack.rtp
    yield RTCTransportStats(
        id=transport_id,
        timestamp=timestamp,
        bytes_sent=stack.ice.bytes_sent,
        bytes_received=stack.ice.bytes_received,
        packets_sent=stack.ice.packets_sent,
        packets_received=stack.ice.packets_received,
        ice_role=events.ice_transport.role,
        ice_local_username_fragment=stack.agent.local_parameters.username_fragment,
        ice_state=events.ice_transport.state,
        dtls_state=events.dtls_transport.state,
        dtls_role=RTCDtlsRole.UNKNOWN
        if stack.dtls is None
        else RTCDtlsRole(stack.dtls.connection.role.value),
        tls_version=None if handshake is None else handshake.version,
        dtls_cipher=None if handshake is None else handshake.cipher_suite,
        srtp_cipher=None if handshake is None else handshake.srtp_profile,
        local_certificate_id=local.id,
        remote_certificate_id=remote[0].id if remote else None,
        selected_candidate_pair_id=None if selected is None else _pair_id(stack.agent, selected),
        selected_candidate_pair_changes=events.traffic.changes,
        ccfb_messages_sent=None if rtp is None else rtp.session.receiver.ccfb_sent,
        ccfb_messages_received=None if rtp is None else rtp.session.ccfb_received,
    )


def _certificate_stats(der: bytes, timestamp: float) -> RTCCertificateStats:
    digest = sha256(der).hexdigest()
    return RTCCertificateStats(
        id=f"certificate-{digest[:16]}",
        timestamp=timestamp,
        # RFC 8122 section 5: upper case, as in SDP.
        fingerprint=":".join(digest[i : i + 2].upper() for i in range(0, len(digest), 2)),
        fingerprint_algorithm="sha-256",
        base64_certificate=base64.b64encode(der).decode(),
    )


def _candidate_id(
    agent: Agent, kind: str, candidate: RTCIceCandidate | Candidate, generation: str | None
) -> str:
    """Return the id of a candidate, the same one for a peer-reflexive candidate that the peer signals later.

    The generation, identified by the local username fragment, is part of it: no id is used again after an ICE restart.
    """
    address = f"{candidate.protocol}-{candidate.address}-{candidate.port}-{generation}"
    if kind == "remote-candidate":
        address = sha256(agent.identifier_key + address.encode()).hexdigest()[:16]
    return f"{kind}-{address}"


def _candidate_stats(
    agent: Agent, ice: RTCIceTransport, transport_id: str, timestamp: float
) -> Iterator[RTCIceCandidateStats]:
    """Yield the signaled candidates, and the peer-reflexive ones of candidate pairs."""
    known = set()
    generation = agent.local_parameters.username_fragment
    found: list[tuple[str, RTCIceCandidate | Candidate, str | None]] = []
    found += [("local-candidate", each, generation) for each in ice.get_local_candidates()]
    found += [("remote-candidate", each, generation) for each in ice.get_remote_candidates()]
    for pair in agent.pairs:
        local, remote = pair.local.candidate, pair.remote.candidate
        found.append(("local-candidate", local, local.username_fragment))
        found.append(("remote-candidate", remote, local.username_fragment))
    for kind, candidate, of_generation in found:
        candidate_id = _candidate_id(agent, kind, candidate, of_generation)
        if candidate_id in known:
            continue
        known.add(candidate_id)
        hidden = kind == "remote-candidate" and isinstance(candidate, Candidate) and ice._hides(candidate)
        yield _one_candidate(candidate, kind, candidate_id, transport_id, timestamp, hidden=hidden)


def _one_candidate(
    candidate: RTCIceCandidate | Candidate,
    kind: str,
    candidate_id: str,
    transport_id: str,
    timestamp: float,
    *,
    hidden: bool,
) -> RTCIceCandidateStats:
    return RTCIceCandidateStats(
        id=candidate_id,
        timestamp=timestamp,
        type=RTCStatsType(kind),
        transport_id=transport_id,
        address=None if hidden else candidate.address,
        port=candidate.port,
        protocol=candidate.protocol,
        candidate_type=candidate.type,
        priority=candidate.priority,
        foundation=candidate.foundation,
        username_fragment=candidate.username_fragment,
        related_address=None if hidden else candidate.related_address,
        related_port=None if hidden else candidate.related_port,
        tcp_type=candidate.tcp_type,
        url=candidate.url if isinstance(candidate, RTCIceCandidate) else None,
        relay_protocol=candidate.relay_protocol if isinstance(candidate, RTCIceCandidate) else None,
    )


def _ids_of_pair(agent: Agent, pair: CheckedPair) -> tuple[str, str]:
    local, remote = pair.local.candidate, pair.remote.candidate
    return (
        _candidate_id(agent, "local-candidate", local, local.username_fragment),
        _candidate_id(agent, "remote-candidate", remote, local.username_fragment),
    )


def _pair_id(agent: Agent, pair: CheckedPair) -> str:
    local_id, remote_id = _ids_of_pair(agent, pair)
    return f"pair-{local_id}-{remote_id}"


def _available_bitrate(stack: TransportStack) -> float | None:
    """Return the estimated bitrate; ``None`` without media, or before the peer has sent feedback."""
    rtp = stack.rtp
    return None if rtp is None else rtp.session.bandwidth.statistics().available_outgoing_bitrate


def _incoming_bitrate(stack: TransportStack) -> float | None:
    """Return the bitrate estimated for the peer (REMB); ``None`` if it estimates by itself."""
    rtp = stack.rtp
    return None if rtp is None else rtp.session.receiver.available_incoming_bitrate


def _pair_stats(
    stack: TransportStack,
    pair: CheckedPair,
    transport_id: str,
    moment: Moment,
    of_pairs: CandidatePairTraffic,
) -> RTCIceCandidatePairStats:
    agent = stack.agent
    local_id, remote_id = _ids_of_pair(agent, pair)
    counters = pair.statistics
    key, is_selected = key_of(*pair.key, pair.local.candidate), pair is agent.selected_entry
    traffic, last = of_pairs.of(key), of_pairs.last_packets_of(key)
    return RTCIceCandidatePairStats(
        id=_pair_id(agent, pair),
        timestamp=moment.timestamp,
        transport_id=transport_id,
        local_candidate_id=local_id,
        remote_candidate_id=remote_id,
        bytes_sent=traffic.bytes_sent,
        bytes_received=traffic.bytes_received,
        packets_sent=traffic.packets_sent,
        packets_received=traffic.packets_received,
        last_packet_sent_timestamp=None if last.sent_at is None else moment.time_of_day(last.sent_at),
        last_packet_received_timestamp=(
            None if last.received_at is None else moment.time_of_day(last.received_at)
        ),
        state=RTCStatsIceCandidatePairState(pair.state.value),
        nominated=pair.nominated,
        requests_sent=counters.requests_sent,
        requests_received=counters.requests_received,
        responses_sent=counters.responses_sent,
        responses_received=counters.responses_received,
        consent_requests_sent=counters.consent_requests_sent,
        current_round_trip_time=counters.current_round_trip_time,
        total_round_trip_time=counters.total_round_trip_time,
        available_outgoing_bitrate=_available_bitrate(stack) if is_selected else None,
        available_incoming_bitrate=_incoming_bitrate(stack) if is_selected else None,
        packets_discarded_on_send=traffic.packets_discarded,
        bytes_discarded_on_send=traffic.bytes_discarded,
    )
