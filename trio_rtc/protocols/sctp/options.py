"""The options of an SCTP association."""

import attrs

from .tx.congestion import CongestionControllerFactory
from .tx.congestion_reno import RenoController


@attrs.frozen
class SctpOptions:
    """What can be chosen about an association. Times are in seconds, sizes in bytes.

    Attributes:
        local_port: Our SCTP port; RFC 8841 section 5 has 5000 as the usual one.
        remote_port: The peer's SCTP port.
        max_packet_size: Largest SCTP packet. 1160 fits a DTLS record (13 bytes of header, 8 of explicit nonce, 16
            of tag) into 1200 bytes of UDP, which every path carries (RFC 8261 section 5). A multiple of four.
        inbound_streams: Streams that the peer may use (RFC 8831 section 6.2 asks for all 65535).
        outbound_streams: Streams that we ask for.
        receive_buffer_size: What may wait for the application, per-message overhead included; the first
            ``a_rwnd``. At least twice ``max_message_size``: a message must fit before it is complete.
        send_buffer_size: What ``send`` accepts before it refuses; callers wait at a mark far below.
        max_message_size: Largest message that is taken from the peer; a larger one aborts (RFC 8841 section 6).
        rto_initial: First retransmission time-out. RFC 9260 section 16 has 1 s; the path below has just
            carried a DTLS handshake, and half of that is still ten times a usual round trip.
        rto_min: Least time-out. RFC 9260 has 1 s, made for peers that delay acknowledgements by 200 ms and for
            coarse timers; 200 ms is what TCP stacks use.
        rto_max: Largest time-out. RFC 9260 has 60 s; consent (RFC 7675) ends a dead path after 30 s.
        rto_max_init: The same for the chunks that begin an association, as a user waits for it.
        rto_variance_floor: Least time-out over the smoothed round trip: the peer may delay an acknowledgement by
            200 ms (RFC 9260 section 6.2), which the measured round trips do not show.
        ack_delay: How long the acknowledgement of a single packet waits for company (RFC 9260 section 6.2: at
            most 200 ms). Short, because a delayed acknowledgement spoils the peer's round-trip measurement.
        max_init_retransmissions: How often the chunks that begin and end an association are sent again before
            it fails: INIT, COOKIE ECHO, SHUTDOWN, SHUTDOWN ACK. INIT and COOKIE ECHO share ``set_up_time``.
        max_retransmissions: How many time-outs in a row, of data or heartbeats, end the association. RFC 9260
            section 16 has 10; a path that loses half of all round trips reaches that by bad luck within an hour,
            and whether the peer is still there is for consent (RFC 7675) to decide.
        heartbeat_interval: Silence after which the peer is asked for a sign of life; 0 never asks.
        zero_checksum: Whether to offer, send and accept packets without CRC32c (RFC 9653): DTLS protects them. The
            third INIT and later ones do not offer it, since some peers cannot parse the parameter.
        cookie_life: How long a state cookie is valid (RFC 9260 section 16).
        initial_window_packets: First congestion window in packets. RFC 9260 section 7.2.1 has about four; ten
            is RFC 6928's for TCP.
        max_congestion_window: Upper bound of the congestion window.
        congestion_controller: Makes the :class:`CongestionController` of an association from the packet size, the
            initial and the maximum window, all in bytes. The default is that of RFC 9260 section 7.2.
        shared_queue_delay: By how much data may make a round trip longer while media is sent on the same path. Below
            the queue that congestion control of media takes for overuse (``BandwidthEstimationOptions.queue_limit``).
        coalescing_delay: How long a packet that is not full is held back within a run of sends; 0 is never.
        max_burst: Most packets that one call of ``datagrams_to_send`` returns; the rest follows at once.
        burst_interval: How soon the rest of a burst follows.
        initial_tsn: First TSN, for tests of the wrap; drawn at random by default.
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
    congestion_controller: CongestionControllerFactory = RenoController
    shared_queue_delay: float = attrs.field(default=0.03, validator=attrs.validators.gt(0))
    coalescing_delay: float = 0.001
    max_burst: int = 64
    burst_interval: float = 0.0001
    initial_tsn: int | None = None

    @property
    def set_up_time(self) -> float:
        """Seconds from the first INIT until an association that is not established fails, with the defaults 27.5.

        As long as INIT alone would take with all its retransmissions; COOKIE ECHO adds nothing.
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
                "receive_buffer_size must hold max_message_size twice, or a message could get stuck"
            )
