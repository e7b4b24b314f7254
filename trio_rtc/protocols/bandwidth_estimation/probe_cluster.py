"""A probe: a few packets sent at a rate that is to be tried."""

import enum

import attrs


class ProbePurpose(enum.Enum):
    """Why a probe is sent."""

    START = "start"
    FURTHER = "further"
    RECOVERY = "recovery"
    APPLICATION_LIMITED = "application_limited"


@attrs.frozen
class ProbeCluster:
    """What the pacer is to send.

    Attributes:
        id: Unique in one estimator; goes into ``record_packet_sent`` with each packet of the cluster.
        bitrate: In bits a second.
        min_packets: Least number of packets.
        min_bytes: Least number of bytes.
        expires: When it is no longer worth beginning.
        purpose: Why.
    """

    id: int
    bitrate: float
    min_packets: int
    min_bytes: int
    expires: float
    purpose: ProbePurpose
