"""Error causes of ABORT and ERROR (RFC 9260 section 3.3.10)."""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from .parameters import Parameter

_TSN: Final = struct.Struct(">I")
_STREAM: Final = struct.Struct(">HH")
# The peer chooses the length of a reason, which is logged.
_REASON_LIMIT: Final = 256


class CauseCode(IntEnum):
    """The cause codes of RFC 9260 section 3.3.10."""

    INVALID_STREAM_IDENTIFIER = 1
    MISSING_MANDATORY_PARAMETER = 2
    STALE_COOKIE = 3
    OUT_OF_RESOURCE = 4
    UNRESOLVABLE_ADDRESS = 5
    UNRECOGNIZED_CHUNK_TYPE = 6
    INVALID_MANDATORY_PARAMETER = 7
    UNRECOGNIZED_PARAMETERS = 8
    NO_USER_DATA = 9
    COOKIE_RECEIVED_WHILE_SHUTTING_DOWN = 10
    RESTART_WITH_NEW_ADDRESSES = 11
    USER_INITIATED_ABORT = 12
    PROTOCOL_VIOLATION = 13


def user_initiated_abort(reason: str = "") -> Parameter:
    """Return the cause of an abort by the application (section 3.3.10.12)."""
    return Parameter(CauseCode.USER_INITIATED_ABORT, reason.encode()[:_REASON_LIMIT])


def protocol_violation(reason: str) -> Parameter:
    """Return the cause for a violation of the protocol by the peer (section 3.3.10.13)."""
    return Parameter(CauseCode.PROTOCOL_VIOLATION, reason.encode()[:_REASON_LIMIT])


def no_user_data(tsn: int) -> Parameter:
    """Return the cause for a DATA chunk without data (section 3.3.10.9)."""
    return Parameter(CauseCode.NO_USER_DATA, _TSN.pack(tsn))


def invalid_stream_identifier(stream_id: int) -> Parameter:
    """Return the cause for a DATA chunk on a stream that does not exist (section 3.3.10.1)."""
    return Parameter(CauseCode.INVALID_STREAM_IDENTIFIER, _STREAM.pack(stream_id, 0))


def unrecognized_parameters(parameters: Sequence[Parameter]) -> Parameter:
    """Return the cause for unrecognized parameters of an INIT ACK (section 3.3.10.8)."""
    return Parameter(
        CauseCode.UNRECOGNIZED_PARAMETERS, b"".join(parameter.encode() for parameter in parameters)
    )


def stale_cookie(staleness: float) -> Parameter:
    """Return the cause for a cookie that expired ``staleness`` seconds ago (section 3.3.10.3)."""
    return Parameter(CauseCode.STALE_COOKIE, _TSN.pack(min(int(staleness * 1e6), 0xFFFFFFFF)))


def describe_causes(causes: tuple[Parameter, ...]) -> str:
    """Return a description of the peer's causes, without unprintable characters."""
    words = []
    for code, value in causes:
        try:
            name = CauseCode(code).name.lower().replace("_", " ")
        except ValueError:
            name = f"cause {code}"
        if code in (CauseCode.USER_INITIATED_ABORT, CauseCode.PROTOCOL_VIOLATION) and value:
            text = value[:_REASON_LIMIT].decode("utf-8", "replace")
            name += ": " + "".join(letter if letter.isprintable() else "?" for letter in text)
        words.append(name)
    return ", ".join(words) or "no cause given"
