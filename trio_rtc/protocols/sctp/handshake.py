"""The four-way handshake: its chunks, the negotiation, and the control block that results (RFC 9260 section 5).

An association has one verification tag and one initial TSN, in our INIT as well as in every INIT ACK. So INITs that
cross agree without tie-tags; an association over DTLS is never restarted, which would need them.

The peer may be unable to parse an INIT that stays unanswered. After two of them the optional parameter (zero checksum)
is omitted. Tag and TSN do not change, so a late answer to one of the first INITs is as valid as one to a later INIT.
Packets without a checksum are accepted even then, because the first INITs have offered that; ours have one.
"""

import random
from typing import Final, TypeVar

from trio_rtc import _attrs as attrs

from .cookie import Capabilities, StateCookie, parse_cookie
from .heartbeat import PathMonitor
from .options import SctpOptions
from .packet.causes import unrecognized_parameters
from .packet.chunks import Error, ForwardTsn, Init, InitAck, ReConfig
from .packet.data import DATA_HEADER_SIZE
from .packet.header import HEADER_SIZE, encode_header
from .packet.parameters import (
    ERROR_DETECTION_DTLS,
    FORWARD_TSN_SUPPORTED,
    IGNORED_PARAMETERS,
    STATE_COOKIE,
    SUPPORTED_EXTENSIONS,
    UNRECOGNIZED_PARAMETER,
    ZERO_CHECKSUM_ACCEPTABLE,
    Parameter,
)
from .rx.receiver import Receiver
from .state import ControlBlock
from .stream_reset import StreamReset
from .tx.path_share import PathShare
from .tx.rto import RetransmissionTimeout
from .tx.send_queue import SendQueue
from .tx.transmitter import Transmitter

_KNOWN: Final = IGNORED_PARAMETERS | {
    STATE_COOKIE,
    SUPPORTED_EXTENSIONS,
    FORWARD_TSN_SUPPORTED,
    UNRECOGNIZED_PARAMETER,
    ZERO_CHECKSUM_ACCEPTABLE,
}
# Bytes of unknown parameters reported to the peer: the reply must fit a packet.
_REPORT_LIMIT: Final = 256

_InitChunk = TypeVar("_InitChunk", Init, InitAck)


def _own_parameters(*, zero_checksum: bool) -> tuple[Parameter, ...]:
    parameters = [
        Parameter(FORWARD_TSN_SUPPORTED, b""),
        Parameter(SUPPORTED_EXTENSIONS, bytes((ReConfig.kind, ForwardTsn.kind))),
    ]
    if zero_checksum:
        parameters.append(Parameter(ZERO_CHECKSUM_ACCEPTABLE, ERROR_DETECTION_DTLS.to_bytes(4, "big")))
    return tuple(parameters)


def without_unprocessed(init: _InitChunk) -> _InitChunk:
    """Return the chunk without the parameters after an unknown one whose type stops processing (section 3.2.1).

    These must not be processed. The unknown one is kept, because it may have to be reported.
    """
    for index, parameter in enumerate(init.parameters):
        if parameter.kind not in _KNOWN and parameter.stops_processing:
            return attrs.evolve(init, parameters=init.parameters[: index + 1])
    return init


def is_acceptable(init: Init) -> bool:
    """Return whether the mandatory fields have valid values (section 3.3.2)."""
    return init.initiate_tag != 0 and init.outbound_streams != 0 and init.inbound_streams != 0


def _capabilities(init: Init, *, zero_checksum: bool) -> Capabilities:
    extensions = init.parameter(SUPPORTED_EXTENSIONS) or b""
    method = init.parameter(ZERO_CHECKSUM_ACCEPTABLE)
    return Capabilities(
        partial_reliability=init.parameter(FORWARD_TSN_SUPPORTED) is not None
        or ForwardTsn.kind in extensions,
        reconfiguration=ReConfig.kind in extensions,
        zero_checksum=zero_checksum and method == ERROR_DETECTION_DTLS.to_bytes(4, "big"),
    )


def error_report(init_ack: InitAck) -> bytes:
    """Return the ERROR chunk for unknown parameters of an INIT ACK (section 3.2.2), empty if there is none."""
    unknown = _unrecognized(init_ack)
    return Error((unrecognized_parameters(unknown),)).encode() if unknown else b""


def _unrecognized(init: Init) -> list[Parameter]:
    """Return the unknown parameters whose types require a report (section 3.2.1)."""
    unknown = []
    size = 0
    for parameter in init.parameters:
        if parameter.kind in _KNOWN:
            continue
        if parameter.is_reported:
            size += len(parameter.value) + 8
            if size > _REPORT_LIMIT:
                break
            unknown.append(parameter)
    return unknown


class Handshake:
    """Creates and parses the chunks of the handshake.

    Attributes:
        local_tag: Verification tag of packets to us.
        initial_tsn: The TSN of our first DATA chunk.
    """

    def __init__(self, options: SctpOptions, rng: random.Random, share: PathShare) -> None:
        self._options = options
        self._offers_zero_checksum = options.zero_checksum
        self._share = share
        self._rng = rng
        self._secret = rng.randbytes(32)
        self.local_tag = rng.randrange(1, 1 << 32)
        self.initial_tsn = rng.randrange(1 << 32) if options.initial_tsn is None else options.initial_tsn

    def withdraw_optional_parameters(self) -> None:
        """Omit the optional parameters from now on, and do not use their extensions.

        Only zero checksum (RFC 9653) is optional among ours: data channels need stream reset and partial reliability
        (RFC 8831 sections 6.1 and 6.7), and leaving these out of an INIT that was merely lost would disable them.
        """
        self._offers_zero_checksum = False

    def make_init(self) -> Init:
        options = self._options
        return Init(
            self.local_tag,
            options.receive_buffer_size,
            options.outbound_streams,
            options.inbound_streams,
            self.initial_tsn,
            _own_parameters(zero_checksum=self._offers_zero_checksum),
        )

    def answer(self, init: Init, now: float) -> InitAck:
        """Return the INIT ACK: our own fields, the cookie, and unknown parameters to report.

        It has the zero checksum parameter only if the INIT had it: other peers may fail to parse that.
        """
        options = self._options
        agreed = self.negotiate(init, now)
        cookie = Parameter(STATE_COOKIE, agreed.encode(self._secret))
        return InitAck(
            self.local_tag,
            options.receive_buffer_size,
            options.outbound_streams,
            options.inbound_streams,
            self.initial_tsn,
            (
                cookie,
                *_own_parameters(zero_checksum=agreed.capabilities.zero_checksum),
                *(Parameter(UNRECOGNIZED_PARAMETER, each.encode()) for each in _unrecognized(init)),
            ),
        )

    def negotiate(self, init: Init, now: float) -> StateCookie:
        """Return the parameters negotiated by the peer's INIT or INIT ACK and our options."""
        options = self._options
        return StateCookie(
            local_tag=self.local_tag,
            local_initial_tsn=self.initial_tsn,
            peer_tag=init.initiate_tag,
            peer_initial_tsn=init.initial_tsn,
            peer_window=init.advertised_receiver_window,
            inbound_streams=min(options.inbound_streams, init.outbound_streams),
            outbound_streams=min(options.outbound_streams, init.inbound_streams),
            capabilities=_capabilities(init, zero_checksum=self._offers_zero_checksum),
            created=now,
        )

    def find_cookie(self, init_ack: InitAck) -> bytes | None:
        """Return the cookie of an INIT ACK; None if that is not acceptable or the cookie too large for a packet."""
        cookie = init_ack.cookie
        if not is_acceptable(init_ack) or not cookie:
            return None
        largest = self._options.max_packet_size - HEADER_SIZE - DATA_HEADER_SIZE
        return cookie if len(cookie) <= largest else None

    def read_cookie(self, data: bytes) -> StateCookie | None:
        return parse_cookie(data, self._secret)

    def staleness(self, cookie: StateCookie, now: float) -> float:
        """Return the seconds since the cookie has expired; not positive while it is valid."""
        return now - cookie.created - self._options.cookie_life

    def make_control_block(
        self, agreed: StateCookie, queue: SendQueue, transmitter: Transmitter | None = None
    ) -> ControlBlock:
        """Create the control block from the negotiated parameters, with ``transmitter`` if there is one already."""
        options = self._options
        return ControlBlock(
            peer_tag=agreed.peer_tag,
            inbound_header=encode_header(options.remote_port, options.local_port, agreed.local_tag),
            outbound_header=encode_header(options.local_port, options.remote_port, agreed.peer_tag),
            capabilities=agreed.capabilities,
            inbound_streams=agreed.inbound_streams,
            outbound_streams=agreed.outbound_streams,
            receiver=Receiver(
                agreed.peer_initial_tsn,
                buffer_size=options.receive_buffer_size,
                max_message_size=options.max_message_size,
                streams=agreed.inbound_streams,
                ack_delay=options.ack_delay,
            ),
            transmitter=transmitter or _make_transmitter(agreed, queue, self._share, options, self._rng),
            path=PathMonitor(options.heartbeat_interval),
            resets=StreamReset(
                agreed.local_initial_tsn, agreed.peer_initial_tsn, agreed.capabilities.reconfiguration
            ),
        )


def _make_transmitter(
    agreed: StateCookie, queue: SendQueue, share: PathShare, options: SctpOptions, rng: random.Random
) -> Transmitter:
    packet_size = options.max_packet_size - HEADER_SIZE
    congestion = options.congestion_controller(
        packet_size, options.initial_window_packets * packet_size, options.max_congestion_window, rng
    )
    timeout = RetransmissionTimeout(
        options.rto_initial, options.rto_min, options.rto_max, options.rto_variance_floor
    )
    return Transmitter(
        agreed.local_initial_tsn,
        queue,
        congestion,
        timeout,
        share,
        advertised_window=agreed.peer_window,
        full_size=packet_size - DATA_HEADER_SIZE,
        partial_reliability=agreed.capabilities.partial_reliability,
    )
