"""The chunks of the four-way handshake and what is negotiated in them (RFC 9260 section 5)."""

from typing import Final

from .cookie import Capabilities, StateCookie
from .options import SctpOptions
from .packet.chunks import ForwardTsn, Init, InitAck, ReConfig
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

_KNOWN: Final = IGNORED_PARAMETERS | {
    STATE_COOKIE,
    SUPPORTED_EXTENSIONS,
    FORWARD_TSN_SUPPORTED,
    UNRECOGNIZED_PARAMETER,
    ZERO_CHECKSUM_ACCEPTABLE,
}
# What is reported back of unknown parameters, in bytes: an answer must not outgrow a packet.
_REPORT_LIMIT: Final = 256


def own_parameters(options: SctpOptions) -> tuple[Parameter, ...]:
    """Return the parameters of our INIT and INIT ACK."""
    parameters = [
        Parameter(FORWARD_TSN_SUPPORTED, b""),
        Parameter(SUPPORTED_EXTENSIONS, bytes((ReConfig.kind, ForwardTsn.kind))),
    ]
    if options.zero_checksum:
        parameters.append(Parameter(ZERO_CHECKSUM_ACCEPTABLE, ERROR_DETECTION_DTLS.to_bytes(4, "big")))
    return tuple(parameters)


def make_init(tag: int, initial_tsn: int, options: SctpOptions) -> Init:
    """Return our INIT."""
    return Init(
        tag,
        options.receive_buffer_size,
        options.outbound_streams,
        options.inbound_streams,
        initial_tsn,
        own_parameters(options),
    )


def make_init_ack(init: Init, cookie: StateCookie, secret: bytes, options: SctpOptions) -> InitAck:
    """Return the answer to an INIT: our own fields, the cookie, and the parameters that we did not know."""
    return InitAck(
        cookie.local_tag,
        options.receive_buffer_size,
        options.outbound_streams,
        options.inbound_streams,
        cookie.local_initial_tsn,
        (Parameter(STATE_COOKIE, cookie.encode(secret)), *own_parameters(options), *_unrecognized(init)),
    )


def negotiate(
    init: Init, local_tag: int, local_initial_tsn: int, options: SctpOptions, now: float
) -> StateCookie:
    """Return what follows from the peer's INIT or INIT ACK and our own options."""
    return StateCookie(
        local_tag=local_tag,
        local_initial_tsn=local_initial_tsn,
        peer_tag=init.initiate_tag,
        peer_initial_tsn=init.initial_tsn,
        peer_window=init.advertised_receiver_window,
        inbound_streams=min(options.inbound_streams, init.outbound_streams),
        outbound_streams=min(options.outbound_streams, init.inbound_streams),
        capabilities=_capabilities(init, options),
        created=now,
    )


def is_acceptable(init: Init) -> bool:
    """Return whether the mandatory fields have legal values (section 3.3.2)."""
    return init.initiate_tag != 0 and init.outbound_streams != 0 and init.inbound_streams != 0


def _capabilities(init: Init, options: SctpOptions) -> Capabilities:
    extensions = init.parameter(SUPPORTED_EXTENSIONS) or b""
    method = init.parameter(ZERO_CHECKSUM_ACCEPTABLE)
    return Capabilities(
        partial_reliability=init.parameter(FORWARD_TSN_SUPPORTED) is not None
        or ForwardTsn.kind in extensions,
        reconfiguration=ReConfig.kind in extensions,
        zero_checksum=options.zero_checksum and method == ERROR_DETECTION_DTLS.to_bytes(4, "big"),
    )


def _unrecognized(init: Init) -> list[Parameter]:
    """Return the reports of unknown parameters, as far as their types ask for them (section 3.2.1)."""
    reports = []
    size = 0
    for parameter in init.parameters:
        if parameter.kind in _KNOWN:
            continue
        if parameter.is_reported:
            size += len(parameter.value) + 8
            if size > _REPORT_LIMIT:
                break
            reports.append(Parameter(UNRECOGNIZED_PARAMETER, parameter.encode()))
        if parameter.stops_processing:
            break
    return reports
