"""A STUN server that returns its clients' public addresses (RFC 8489 section 6.3.1)."""

from trio_rtc._strict_names.argument_types import check_fields
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import (
    ErrorCode,
    Message,
    MessageClass,
    Method,
    error_response,
    success_response,
)

DEFAULT_PORT = 3478
_UNKNOWN_ATTRIBUTE = 420


def answer_binding_request(data: bytes, source: Address, destination: Address) -> list[tuple[bytes, Address]]:
    """Answer a Binding request with its source address; ignore all other datagrams.

    A ``Service`` for ``SimulatedHost.add_service``.
    """
    check_fields(source, Address)
    try:
        request = Message.parse(data)
    except ProtocolError:
        return []
    if request.method != Method.BINDING or request.message_class is not MessageClass.REQUEST:
        return []
    unknown = request.unknown_required_attributes(frozenset())
    if unknown:
        response = error_response(request, ErrorCode(_UNKNOWN_ATTRIBUTE, "Unknown Attribute"), unknown)
    else:
        response = success_response(request, source)
    return [(response.encode(), source)]
