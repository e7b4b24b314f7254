"""Counters of packets for the statistics."""

import attrs


@attrs.define
class PacketCounters:
    """Counts of SRTP or SRTCP packets over the life of a session.

    Attributes:
        protected: Packets encrypted for sending.
        unprotected: Packets received, authentic and new.
        replayed: Dropped because received before, or older than the replay window of their SSRC. This is checked before
            authenticity, so forged packets with an old index are counted here.
        forged: Dropped because not authentic.
        malformed: Dropped because too short, too long, or with an invalid header.
        refused: Dropped because of a new SSRC beyond ``SrtpOptions.max_inbound_sources``.
    """

    protected: int = 0
    unprotected: int = 0
    replayed: int = 0
    forged: int = 0
    malformed: int = 0
    refused: int = 0


@attrs.define
class SrtpCounters:
    """Counts of both protocols.

    Attributes:
        rtp: SRTP packets.
        rtcp: SRTCP packets.
    """

    rtp: PacketCounters = attrs.field(factory=PacketCounters)
    rtcp: PacketCounters = attrs.field(factory=PacketCounters)
