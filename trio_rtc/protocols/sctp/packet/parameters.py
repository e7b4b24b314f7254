"""Type-length-value parameters of INIT, INIT ACK and RE-CONFIG, and error causes of ABORT and ERROR.

All have the same format (RFC 9260 sections 3.2.1 and 3.3.10, RFC 6525 section 4): a type of two bytes, a length of two
bytes that includes the header but not the padding, and the value.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_rtc.errors import ProtocolError

from .data import PADDING

_HEADER: Final = struct.Struct(">HH")

# Parameters of INIT and INIT ACK.
HEARTBEAT_INFO: Final = 1
STATE_COOKIE: Final = 7
UNRECOGNIZED_PARAMETER: Final = 8
ZERO_CHECKSUM_ACCEPTABLE: Final = 0x8001  # RFC 9653 section 4
SUPPORTED_EXTENSIONS: Final = 0x8008  # RFC 5061 section 4.2.7
FORWARD_TSN_SUPPORTED: Final = 0xC000  # RFC 3758 section 3.1

# Address parameters are allowed and have no effect over DTLS (RFC 8261 section 6.1: single-homed only).
IPV4_ADDRESS: Final = 5
IPV6_ADDRESS: Final = 6
COOKIE_PRESERVATIVE: Final = 9
HOST_NAME_ADDRESS: Final = 11
SUPPORTED_ADDRESS_TYPES: Final = 12
ECN_CAPABLE: Final = 0x8000
RANDOM: Final = 0x8002
CHUNK_LIST: Final = 0x8003
REQUESTED_HMAC_ALGORITHM: Final = 0x8004
ADAPTATION_LAYER_INDICATION: Final = 0xC006

IGNORED_PARAMETERS: Final = frozenset(
    {
        IPV4_ADDRESS,
        IPV6_ADDRESS,
        COOKIE_PRESERVATIVE,
        SUPPORTED_ADDRESS_TYPES,
        ECN_CAPABLE,
        RANDOM,
        CHUNK_LIST,
        REQUESTED_HMAC_ALGORITHM,
        ADAPTATION_LAYER_INDICATION,
    }
)

# The alternate error detection method of RFC 9653 section 8.2: SCTP over DTLS.
ERROR_DETECTION_DTLS: Final = 1


class Parameter(NamedTuple):
    """A parameter or error cause: ``kind`` is its 16-bit type or cause code, ``value`` excludes padding."""

    kind: int
    value: bytes

    def encode(self) -> bytes:
        """Return the encoded parameter, padded to four bytes."""
        length = 4 + len(self.value)
        return _HEADER.pack(self.kind, length) + self.value + PADDING[length & 3]

    @property
    def stops_processing(self) -> bool:
        """Whether an unknown parameter of this type stops processing (RFC 9260 section 3.2.1)."""
        return not self.kind & 0x8000

    @property
    def is_reported(self) -> bool:
        """Whether an unknown parameter of this type must be reported to its sender."""
        return bool(self.kind & 0x4000)


def encode_parameters(parameters: Sequence[Parameter]) -> bytes:
    """Return the encoded parameters, the last one without padding.

    The length of a chunk excludes the padding of its last parameter only (RFC 9260 section 3.2).
    """
    encoded = [parameter.encode() for parameter in parameters]
    if encoded:
        encoded[-1] = encoded[-1][: 4 + len(parameters[-1].value)]
    return b"".join(encoded)


def parse_parameters(data: bytes) -> list[Parameter]:
    """Parse parameters; a length below four or beyond the data is a ``ProtocolError``."""
    parameters = []
    offset = 0
    end = len(data)
    while offset + 4 <= end:
        kind, length = _HEADER.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            raise ProtocolError(f"parameter {kind:#06x} of length {length}, {end - offset} bytes left")
        parameters.append(Parameter(kind, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    if offset < end:
        raise ProtocolError(f"{end - offset} bytes after the last parameter")
    return parameters
