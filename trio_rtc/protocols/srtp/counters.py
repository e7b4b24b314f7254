"""What the statistics need: how many packets, and why some were dropped."""

import attrs


@attrs.define
class PacketCounters:
    """Counts of packets of one kind, RTP or RTCP, since the session was made.

    Attributes:
        protected: Packets that were encrypted to be sent.
        unprotected: Packets that were authentic and new.
        replayed: Dropped: seen before, or so far behind the newest of their source that this cannot be told. Looked at
            before authenticity, so a forger who takes an old number is counted here.
        forged: Dropped: not authentic.
        malformed: Dropped: too short, too long, or headers that do not fit the packet.
        refused: Dropped unread: of a new source, when there are already ``SrtpOptions.max_inbound_sources``.
    """

    protected: int = 0
    unprotected: int = 0
    replayed: int = 0
    forged: int = 0
    malformed: int = 0
    refused: int = 0


@attrs.define
class SrtpCounters:
    """Both kinds of packets.

    Attributes:
        rtp: Of SRTP.
        rtcp: Of SRTCP.
    """

    rtp: PacketCounters = attrs.field(factory=PacketCounters)
    rtcp: PacketCounters = attrs.field(factory=PacketCounters)
