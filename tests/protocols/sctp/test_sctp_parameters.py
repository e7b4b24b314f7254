"""Parameters: padding and lengths."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet import parameters as parameter_kinds
from trio_rtc.protocols.sctp.packet.parameters import Parameter, encode_parameters, parse_parameters


def test_the_last_parameter_is_not_padded_and_the_others_are() -> None:
    found = (Parameter(1, b"a"), Parameter(2, b"bc"))
    encoded = encode_parameters(found)
    assert encoded == b"\0\1\0\5a\0\0\0" + b"\0\2\0\6bc"
    assert tuple(parse_parameters(encoded)) == found
    assert tuple(parse_parameters(encoded + b"\0\0")) == found


@pytest.mark.parametrize("data", [b"\0\1\0\3", b"\0\1\0\x09abcd", b"\0\1"])
def test_bad_parameters(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_parameters(data)


def test_numbers_of_parameters() -> None:
    """RFC 9260 section 3.3.2, RFC 3758, RFC 4895, RFC 5061, RFC 9653."""
    numbers = {name: thing for name, thing in vars(parameter_kinds).items() if type(thing) is int}
    assert numbers == {
        "HEARTBEAT_INFO": 1,
        "IPV4_ADDRESS": 5,
        "IPV6_ADDRESS": 6,
        "STATE_COOKIE": 7,
        "UNRECOGNIZED_PARAMETER": 8,
        "COOKIE_PRESERVATIVE": 9,
        "HOST_NAME_ADDRESS": 11,
        "SUPPORTED_ADDRESS_TYPES": 12,
        "ECN_CAPABLE": 0x8000,
        "ZERO_CHECKSUM_ACCEPTABLE": 0x8001,
        "RANDOM": 0x8002,
        "CHUNK_LIST": 0x8003,
        "REQUESTED_HMAC_ALGORITHM": 0x8004,
        "SUPPORTED_EXTENSIONS": 0x8008,
        "FORWARD_TSN_SUPPORTED": 0xC000,
        "ADAPTATION_LAYER_INDICATION": 0xC006,
        "ERROR_DETECTION_DTLS": 1,
    }


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"\0\1\0\4", [Parameter(1, b"")]),
        (b"\0\1\0\5x", [Parameter(1, b"x")]),
        (b"\0\1\0\5x\0\0\0\0\2\0\6yz", [Parameter(1, b"x"), Parameter(2, b"yz")]),
        (b"\0\1\0\5x\0\0\0\0\2\0\7yz", None),
        (b"\0\1\0\3", None),
        (b"\0\1\0\4\0\2\0", None),
    ],
)
def test_parameters_end_within_their_chunk(data: bytes, found: list[Parameter] | None) -> None:
    if found is None:
        with pytest.raises(ProtocolError):
            parse_parameters(data)
    else:
        assert parse_parameters(data) == found
