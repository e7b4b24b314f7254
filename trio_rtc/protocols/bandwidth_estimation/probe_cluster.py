"""A probe cluster: a few packets sent at the rate to test."""

import enum

from trio_rtc import _attrs as attrs


class ProbePurpose(enum.Enum):
    """The reason for a probe."""

    START = "start"
    FURTHER = "further"
    RECOVERY = "recovery"
    APPLICATION_LIMITED = "application_limited"


@attrs.frozen
class ProbeCluster:
    """A probe cluster for the pacer to send.

    Attributes:
        id: Unique within an estimator; an argument of ``record_packet_sent`` for each packet of the cluster.
        bitrate: Rate of the cluster in bits a second.
        min_packets: Number of packets, at least.
        min_bytes: Number of bytes, at least.
        expires: Time after which it must not be started.
        purpose: The reason for the probe.
    """

    id: int
    bitrate: float
    min_packets: int
    min_bytes: int
    expires: float
    purpose: ProbePurpose
