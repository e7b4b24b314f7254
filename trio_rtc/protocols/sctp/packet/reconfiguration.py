"""The parameters of RE-CONFIG (RFC 6525 section 4) that WebRTC endpoints use."""

import struct
from enum import IntEnum
from typing import ClassVar, Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .parameters import Parameter

_OUTGOING: Final = struct.Struct(">III")
_RESPONSE: Final = struct.Struct(">II")
_SEQUENCE: Final = struct.Struct(">I")


class Result(IntEnum):
    """The result codes of RFC 6525 section 4.4."""

    NOTHING_TO_DO = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_SSN = 3
    REQUEST_IN_PROGRESS = 4
    BAD_SEQUENCE_NUMBER = 5
    IN_PROGRESS = 6


@attrs.frozen
class OutgoingResetRequest:
    """Outgoing SSN Reset Request, section 4.1. No stream identifiers means all streams."""

    kind: ClassVar[int] = 13
    request_sequence: int
    response_sequence: int
    last_tsn: int
    stream_ids: tuple[int, ...]

    def encode(self) -> Parameter:
        head = _OUTGOING.pack(self.request_sequence, self.response_sequence, self.last_tsn)
        return Parameter(self.kind, head + struct.pack(f">{len(self.stream_ids)}H", *self.stream_ids))


@attrs.frozen
class ReconfigurationResponse:
    """Re-configuration Response, section 4.4, without the optional TSNs of an SSN/TSN reset."""

    kind: ClassVar[int] = 16
    response_sequence: int
    result: int

    def encode(self) -> Parameter:
        return Parameter(self.kind, _RESPONSE.pack(self.response_sequence, self.result))


@attrs.frozen
class UnsupportedRequest:
    """A request that is always denied: incoming SSN reset, SSN/TSN reset, adding streams."""

    kinds: ClassVar[frozenset[int]] = frozenset({14, 15, 17, 18})
    request_sequence: int


Reconfiguration = OutgoingResetRequest | ReconfigurationResponse | UnsupportedRequest


def parse_reconfiguration(parameter: Parameter) -> Reconfiguration | None:
    """Parse a parameter of RE-CONFIG; return None for an unknown type."""
    kind, value = parameter
    if kind == OutgoingResetRequest.kind:
        if len(value) < _OUTGOING.size or len(value) % 2:
            raise ProtocolError(f"outgoing reset request with {len(value)} bytes")
        streams = struct.unpack(f">{(len(value) - _OUTGOING.size) // 2}H", value[_OUTGOING.size :])
        request, response, last_tsn = _OUTGOING.unpack_from(value)
        return OutgoingResetRequest(request, response, last_tsn, streams)
    if kind == ReconfigurationResponse.kind:
        if len(value) < _RESPONSE.size:
            raise ProtocolError(f"re-configuration response with {len(value)} bytes")
        return ReconfigurationResponse(*_RESPONSE.unpack_from(value))
    if kind in UnsupportedRequest.kinds:
        if len(value) < _SEQUENCE.size:
            raise ProtocolError(f"re-configuration request {kind} with {len(value)} bytes")
        return UnsupportedRequest(_SEQUENCE.unpack_from(value)[0])
    return None
