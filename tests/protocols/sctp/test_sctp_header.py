"""The common header and its checksum."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet import chunks
from trio_rtc.protocols.sctp.packet.header import (
    add_checksum,
    encode_header,
    has_valid_checksum,
    parse_header,
)


def test_checksum_is_crc32c_stored_in_little_endian() -> None:
    """The CRC32c of "123456789" is e3069283 in every catalogue; here it is computed over a header and its chunk."""
    packet = add_checksum(encode_header(1, 2, 3) + chunks.CookieAck().encode())
    assert has_valid_checksum(packet)
    for position in range(len(packet)):
        changed = packet[:position] + bytes([packet[position] ^ 1]) + packet[position + 1 :]
        assert not has_valid_checksum(changed)


@pytest.mark.parametrize("packet", [b"", bytes(12), bytes(15), bytes(17)])
def test_packets_too_short_or_not_aligned(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_header(packet)
