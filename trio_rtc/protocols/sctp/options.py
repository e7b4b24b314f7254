"""The options of an SCTP association."""

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class

from .tx.congestion import CongestionControllerFactory
from .tx.congestion_reno import make_reno_controller


@strict_class
@attrs.frozen
class SctpOptions:
    """Options of an association. Times are in seconds, sizes in bytes.

    Attributes:
        local_port: Our SCTP port; 5000 is usual (RFC 8841 section 5).
        remote_port: The peer's SCTP port.
        max_packet_size: Largest SCTP packet. 1160 fits a DTLS record (13 bytes of header, 8 of explicit nonce, 16
            of tag) into 1200 bytes of UDP, which every path carries (RFC 8261 section 5). A multiple of four.
        inbound_streams: Streams that the peer may use (RFC 8831 section 6.2: SHOULD be 65535).
        outbound_streams: Streams that we request.
        receive_buffer_size: Capacity for received data, per-message overhead included; the initial ``a_rwnd``. At least
            twice ``max_message_size``: a message must fit before it is complete.
        send_buffer_size: Bytes that ``send`` queues at most; callers wait at a mark far below.
        max_message_size: Largest message accepted; a larger one aborts the association (RFC 8841 section 6).
        rto_initial: RTO.Initial. RFC 9260 section 16 recommends 1 s; the path has just carried a DTLS handshake, and
            half of that is still ten times a usual round trip.
        rto_min: RTO.Min. RFC 9260 recommends 1 s, for peers that delay acknowledgements by 200 ms and for coarse
            timers; TCP stacks use 200 ms.
        rto_max: RTO.Max. RFC 9260 recommends 60 s; consent (RFC 7675) ends a dead path after 30 s.
        rto_max_init: RTO.Max of INIT and COOKIE ECHO, as a user waits for the association.
        rto_variance_floor: Least difference of RTO and SRTT: the peer may delay an acknowledgement by 200 ms (RFC 9260
            section 6.2), which measured round trips may not include.
        ack_delay: Delay of the acknowledgement of a single packet (RFC 9260 section 6.2: at most 200 ms). Short,
            because a delayed acknowledgement distorts the peer's round-trip measurement.
        max_init_retransmissions: Max.Init.Retransmits, for INIT, COOKIE ECHO, SHUTDOWN and SHUTDOWN ACK. INIT and
            COOKIE ECHO share ``set_up_time``.
        max_retransmissions: Association.Max.Retrans: consecutive timeouts of data or heartbeats that end the
            association. RFC 9260 section 16 recommends 10; a path that loses half of all round trips reaches that by
            chance within an hour, and consent (RFC 7675) detects a dead peer.
        heartbeat_interval: HB.interval: idle time before a HEARTBEAT; 0 sends none.
        zero_checksum: Whether to offer, send and accept packets without CRC32c (RFC 9653): DTLS protects them. The
            third INIT and later ones do not offer it, since some peers cannot parse the parameter.
        cookie_life: Valid.Cookie.Life: how long a state cookie is valid (RFC 9260 section 16).
        initial_window_packets: Initial congestion window in packets. RFC 9260 section 7.2.1 allows about four; ten is
            TCP's (RFC 6928).
        max_congestion_window: Upper bound of the congestion window.
        congestion_controller: Makes the :class:`CongestionController` of an association from the packet size, the
            initial and the maximum window, all in bytes, and the association's generator. The default is that of
            RFC 9260 section 7.2.
        shared_queue_delay: Queueing delay that data may cause while media is sent on the same path. Below the delay
            that bandwidth estimation of media detects as overuse (``BandwidthEstimationOptions.queue_limit``).
        coalescing_delay: Longest delay of a packet that is not full (Nagle's algorithm); 0 delays none.
        max_burst: Packets that one call of ``datagrams_to_send`` returns at most.
        burst_interval: Delay of the rest of a burst.
        initial_tsn: Initial TSN, for tests of the wrap; random by default.
    """

    local_port: int = 5000
    remote_port: int = 5000
    max_packet_size: int = attrs.field(default=1160)
    inbound_streams: int = 65535
    outbound_streams: int = 65535
    receive_buffer_size: int = 4 << 20
    send_buffer_size: int = 64 << 20
    max_message_size: int = 256 << 10
    rto_initial: float = 0.5
    rto_min: float = 0.2
    rto_max: float = 10.0
    rto_max_init: float = 3.0
    rto_variance_floor: float = 0.22
    ack_delay: float = 0.02
    max_init_retransmissions: int = 10
    max_retransmissions: int = 20
    heartbeat_interval: float = 30.0
    zero_checksum: bool = True
    cookie_life: float = 60.0
    initial_window_packets: int = 10
    max_congestion_window: int = 4 << 20
    congestion_controller: CongestionControllerFactory = make_reno_controller
    shared_queue_delay: float = attrs.field(default=0.03, validator=attrs.validators.gt(0))
    coalescing_delay: float = 0.001
    max_burst: int = 64
    burst_interval: float = 0.0001
    initial_tsn: int | None = None

    @property
    def set_up_time(self) -> float:
        """Seconds from the first INIT until an association that is not established fails; 27.5 by default.

        The time of INIT with all its retransmissions; COOKIE ECHO adds nothing.
        """
        tries = range(self.max_init_retransmissions + 1)
        return sum(min(self.rto_initial * 2.0**number, self.rto_max_init) for number in tries)

    @max_packet_size.validator
    def _check_packet_size(self, attribute: "attrs.Attribute[int]", value: int) -> None:
        if value < 512 or value % 4:
            raise ValueError(f"max_packet_size must be a multiple of four from 512 on, not {value}")

    def __attrs_post_init__(self) -> None:
        if self.receive_buffer_size < 2 * self.max_message_size:
            raise ValueError(
                f"receive_buffer_size must hold max_message_size ({self.max_message_size}) twice, "
                f"not {self.receive_buffer_size}, or the window could close before a message is complete"
            )
