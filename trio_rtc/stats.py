"""Statistics: W3C's identifiers (webrtc-stats) for transports, candidates, certificates and channels.

A report is a mapping from an id to a frozen object with W3C's members in snake_case. Beyond W3C, the object
``layers`` has the counters of our own layers: what was dropped where, and why.
"""

import base64
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import attrs

from .certificate import RTCCertificate, core_certificate
from .descriptions import RTCIceCandidate
from .enums import (
    RTCDataChannelState,
    RTCDtlsRole,
    RTCDtlsTransportState,
    RTCIceCandidateType,
    RTCIceRole,
    RTCIceTransportState,
)
from .monitor import ConnectionMonitor
from .pair_traffic import Traffic
from .protocols.ice import Agent, Candidate, CheckedPair
from .transport_objects import RTCIceTransport
from .transports.stack import TransportStack


@attrs.frozen(kw_only=True)
class RTCPeerConnectionStats:
    """The peer connection as a whole."""

    id: str
    timestamp: float
    type: str = "peer-connection"
    data_channels_opened: int
    data_channels_closed: int


@attrs.frozen(kw_only=True)
class RTCTransportStats:
    """ICE and DTLS together. Bytes and packets are those of DTLS records, without IP and UDP headers."""

    id: str
    timestamp: float
    type: str = "transport"
    bytes_sent: int
    bytes_received: int
    packets_sent: int
    packets_received: int
    ice_role: RTCIceRole
    ice_local_username_fragment: str
    ice_state: RTCIceTransportState
    dtls_state: RTCDtlsTransportState
    dtls_role: RTCDtlsRole
    tls_version: str | None
    dtls_cipher: str | None
    srtp_cipher: str | None
    local_certificate_id: str
    remote_certificate_id: str | None
    selected_candidate_pair_id: str | None


@attrs.frozen(kw_only=True)
class RTCIceCandidateStats:
    """A candidate; ``type`` is ``local-candidate`` or ``remote-candidate``."""

    id: str
    timestamp: float
    type: str
    transport_id: str
    address: str | None
    port: int | None
    protocol: str | None
    candidate_type: RTCIceCandidateType | None
    priority: int | None
    foundation: str | None
    username_fragment: str | None
    related_address: str | None
    related_port: int | None
    tcp_type: str | None
    url: str | None


@attrs.frozen(kw_only=True)
class RTCIceCandidatePairStats:
    """A pair of candidates. Times in seconds.

    Bytes and packets are those of the layers above while the pair was selected.
    """

    id: str
    timestamp: float
    type: str = "candidate-pair"
    transport_id: str
    local_candidate_id: str
    remote_candidate_id: str
    state: str
    nominated: bool
    bytes_sent: int
    bytes_received: int
    packets_sent: int
    packets_received: int
    requests_sent: int
    requests_received: int
    responses_sent: int
    responses_received: int
    consent_requests_sent: int
    current_round_trip_time: float | None
    total_round_trip_time: float


@attrs.frozen(kw_only=True)
class RTCCertificateStats:
    """A certificate of either side."""

    id: str
    timestamp: float
    type: str = "certificate"
    fingerprint: str
    fingerprint_algorithm: str
    base64_certificate: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class RTCDataChannelStats:
    """A data channel. Bytes are those of the messages alone."""

    id: str
    timestamp: float
    type: str = "data-channel"
    label: str
    protocol: str
    data_channel_identifier: int | None
    state: RTCDataChannelState
    messages_sent: int
    bytes_sent: int
    messages_received: int
    bytes_received: int


@attrs.frozen(kw_only=True)
class LayerStats:
    """Not W3C's: the counters of our layers, by their own names.

    Attributes:
        counters: Layer → counter → number, or reason → number for what was dropped.
    """

    id: str
    timestamp: float
    type: str = "layers"
    counters: Mapping[str, Mapping[str, float]]


RTCStats = (
    RTCPeerConnectionStats
    | RTCTransportStats
    | RTCIceCandidateStats
    | RTCIceCandidatePairStats
    | RTCCertificateStats
    | RTCDataChannelStats
    | LayerStats
)

RTCStatsReport = dict[str, RTCStats]
"""W3C's RTCStatsReport: statistics by their id."""

_TRANSPORT_ID = "transport"


def collect_stats(
    stack: TransportStack, monitor: ConnectionMonitor, certificate: RTCCertificate, timestamp: float
) -> RTCStatsReport:
    """Return all statistics of one peer connection.

    Args:
        stack: The transports.
        monitor: The states.
        certificate: Our certificate.
        timestamp: Milliseconds since 1970.
    """
    report: RTCStatsReport = {}
    for stats in _all_stats(stack, monitor, certificate, timestamp):
        report[stats.id] = stats
    return report


def _all_stats(
    stack: TransportStack, monitor: ConnectionMonitor, certificate: RTCCertificate, timestamp: float
) -> Iterator[RTCStats]:
    channels = monitor.channels
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
    yield LayerStats(id="layers", timestamp=timestamp, counters=_layer_counters(stack))
    if monitor.ice_transport is not None:
        yield from _transport_stats(stack, monitor, certificate, timestamp)


def _transport_stats(
    stack: TransportStack, monitor: ConnectionMonitor, certificate: RTCCertificate, timestamp: float
) -> Iterator[RTCStats]:
    assert monitor.ice_transport is not None
    assert monitor.dtls_transport is not None
    local = _certificate_stats(core_certificate(certificate).der, timestamp)
    remote = [_certificate_stats(der, timestamp) for der in monitor.dtls_transport.get_remote_certificates()]
    yield local
    yield from remote
    yield from _candidate_stats(stack.agent, monitor.ice_transport, timestamp)
    for pair in stack.agent.pairs:
        yield _pair_stats(pair, timestamp, monitor.traffic.of(pair.key))
    selected = stack.agent.selected_entry
    handshake = monitor.handshake
    yield RTCTransportStats(
        id=_TRANSPORT_ID,
        timestamp=timestamp,
        bytes_sent=stack.ice.bytes_sent,
        bytes_received=stack.ice.bytes_received,
        packets_sent=stack.ice.packets_sent,
        packets_received=stack.ice.packets_received,
        ice_role=monitor.ice_transport.role,
        ice_local_username_fragment=stack.agent.local_parameters.username_fragment,
        ice_state=monitor.ice_transport.state,
        dtls_state=monitor.dtls_transport.state,
        dtls_role=RTCDtlsRole.UNKNOWN
        if stack.dtls is None
        else RTCDtlsRole(stack.dtls.connection.role.value),
        tls_version=None if handshake is None else handshake.version,
        dtls_cipher=None if handshake is None else handshake.cipher_suite,
        srtp_cipher=None if handshake is None else handshake.srtp_profile,
        local_certificate_id=local.id,
        remote_certificate_id=remote[0].id if remote else None,
        selected_candidate_pair_id=None if selected is None else _pair_id(selected),
    )


def _certificate_stats(der: bytes, timestamp: float) -> RTCCertificateStats:
    digest = sha256(der).hexdigest()
    return RTCCertificateStats(
        id=f"certificate-{digest[:16]}",
        timestamp=timestamp,
        fingerprint=":".join(digest[i : i + 2] for i in range(0, len(digest), 2)),
        fingerprint_algorithm="sha-256",
        base64_certificate=base64.b64encode(der).decode(),
    )


def _candidate_id(kind: str, address: str | None, port: int | None, protocol: str | None) -> str:
    return f"{kind}-{protocol}-{address}-{port}"


def _candidate_stats(agent: Agent, ice: RTCIceTransport, timestamp: float) -> Iterator[RTCIceCandidateStats]:
    """Return the candidates that were told, and those that only checks have revealed but pairs speak of."""
    known = set()
    told = [("local-candidate", candidate) for candidate in ice.get_local_candidates()]
    told += [("remote-candidate", candidate) for candidate in ice.get_remote_candidates()]
    revealed: list[tuple[str, RTCIceCandidate | Candidate]] = []
    for pair in agent.pairs:
        revealed.append(("local-candidate", pair.local.candidate))
        revealed.append(("remote-candidate", pair.remote.candidate))
    for kind, candidate in (*told, *revealed):
        stats = _one_candidate(candidate, kind, timestamp)
        if stats.id not in known:
            known.add(stats.id)
            yield stats


def _one_candidate(
    candidate: RTCIceCandidate | Candidate, kind: str, timestamp: float
) -> RTCIceCandidateStats:
    return RTCIceCandidateStats(
        id=_candidate_id(kind, candidate.address, candidate.port, candidate.protocol),
        timestamp=timestamp,
        type=kind,
        transport_id=_TRANSPORT_ID,
        address=candidate.address,
        port=candidate.port,
        protocol=candidate.protocol,
        candidate_type=candidate.type,
        priority=candidate.priority,
        foundation=candidate.foundation,
        username_fragment=candidate.username_fragment,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
        tcp_type=candidate.tcp_type,
        url=candidate.url if isinstance(candidate, RTCIceCandidate) else None,
    )


def _ids_of_pair(pair: CheckedPair) -> tuple[str, str]:
    local, remote = pair.local.candidate, pair.remote.candidate
    return (
        _candidate_id("local-candidate", local.address, local.port, local.protocol),
        _candidate_id("remote-candidate", remote.address, remote.port, remote.protocol),
    )


def _pair_id(pair: CheckedPair) -> str:
    local_id, remote_id = _ids_of_pair(pair)
    return f"pair-{local_id}-{remote_id}"


def _pair_stats(pair: CheckedPair, timestamp: float, traffic: Traffic) -> RTCIceCandidatePairStats:
    local_id, remote_id = _ids_of_pair(pair)
    counters = pair.statistics
    return RTCIceCandidatePairStats(
        id=_pair_id(pair),
        timestamp=timestamp,
        transport_id=_TRANSPORT_ID,
        local_candidate_id=local_id,
        remote_candidate_id=remote_id,
        bytes_sent=traffic.bytes_sent,
        bytes_received=traffic.bytes_received,
        packets_sent=traffic.packets_sent,
        packets_received=traffic.packets_received,
        state=pair.state.value,
        nominated=pair.nominated,
        requests_sent=counters.requests_sent,
        requests_received=counters.requests_received,
        responses_sent=counters.responses_sent,
        responses_received=counters.responses_received,
        consent_requests_sent=counters.consent_requests_sent,
        current_round_trip_time=counters.current_round_trip_time,
        total_round_trip_time=counters.total_round_trip_time,
    )


def _layer_counters(stack: TransportStack) -> dict[str, Mapping[str, float]]:
    ice: dict[str, float] = {
        "inbox_dropped": stack.ice.inbox_dropped,
        "unsent": stack.ice.unsent,
        "unexpected": stack.ice.unexpected,
        "unsendable": stack.ice.unsendable,
        **stack.agent.dropped,
    }
    layers: dict[str, Mapping[str, float]] = {"ice": ice}
    if stack.dtls is not None:
        layers["dtls"] = {
            "inbox_dropped": stack.dtls.inbox_dropped,
            "unsent": stack.dtls.unsent,
            **_numbers(stack.dtls.connection.counters),
        }
    if stack.sctp is not None:
        layers["sctp"] = {
            "inbox_dropped": stack.sctp.inbox_dropped,
            **_numbers(stack.sctp.association.statistics()),
        }
    layers["data_channels"] = dict(stack.control.dropped)
    if stack.mdns is not None:
        layers["mdns"] = {
            "inbox_dropped": stack.mdns.inbox_dropped,
            "unsendable": stack.mdns.unsendable,
            **stack.mdns.resolver.dropped,
        }
    return layers


def _numbers(counters: Any) -> dict[str, float]:
    """Return the numbers among the fields of an attrs object, mappings of reasons flattened."""
    numbers: dict[str, float] = {}
    for name, value in attrs.asdict(counters, recurse=False).items():
        if isinstance(value, Mapping):
            numbers.update(value)
        elif isinstance(value, int | float):
            numbers[name] = value
    return numbers
