"""ChannelData messages, and the framing of TURN over a stream (RFC 8656 section 12)."""

import struct

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.stun.message import HEADER_SIZE as STUN_HEADER_SIZE
from trio_rtc.protocols.stun.message import MAX_MESSAGE_SIZE

FIRST_CHANNEL = 0x4000
LAST_CHANNEL = 0x4FFF
"""RFC 8656 section 12: 0x5000 and above are reserved, since RFC 7983 needs the first byte."""

CHANNEL_HEADER_SIZE = 4
_HEADER = struct.Struct("!HH")
_MAX_CHANNEL_DATA = CHANNEL_HEADER_SIZE + MAX_MESSAGE_SIZE


def is_channel_data(packet: bytes) -> bool:
    """Return whether a packet has the first byte of a ChannelData message."""
    return len(packet) >= CHANNEL_HEADER_SIZE and 0x40 <= packet[0] <= 0x4F


def encode_channel_data(number: int, payload: bytes, *, padded: bool) -> bytes:
    """Return a ChannelData message.

    Args:
        number: Channel number.
        payload: Application data.
        padded: Whether to pad to four bytes, which is required over a stream (RFC 8656 section 12.5).
    """
    message = _HEADER.pack(number, len(payload)) + payload
    return message + bytes(-len(message) % 4) if padded else message


def parse_channel_data(packet: bytes) -> tuple[int, bytes]:
    """Return channel number and application data of a ChannelData message; padding is removed.

    Raises:
        ProtocolError: The message is shorter than its length field requires.
    """
    number, length = _HEADER.unpack_from(packet)
    end = CHANNEL_HEADER_SIZE + length
    if end > len(packet):
        raise ProtocolError(f"ChannelData of {len(packet)} bytes has length {length} in its header")
    return number, packet[CHANNEL_HEADER_SIZE:end]


class StreamFramer:
    """Splits a stream into STUN and ChannelData messages. Its buffer is bounded by the longest message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete with the next bytes of the stream.

        Raises:
            ProtocolError: Neither a STUN nor a ChannelData message follows, or it is too long. The stream is useless
                afterwards.
        """
        self._buffer += data
        messages: list[bytes] = []
        position = 0
        while True:
            size = self._next_size(position)
            if size is None or position + size > len(self._buffer):
                break
            messages.append(bytes(self._buffer[position : position + size]))
            position += size
        del self._buffer[:position]
        return messages

    def _next_size(self, position: int) -> int | None:
        """Return the size of the message at a position with its padding, ``None`` while its header is incomplete."""
        if position + CHANNEL_HEADER_SIZE > len(self._buffer):
            return None
        kind, length = _HEADER.unpack_from(self._buffer, position)
        if kind < FIRST_CHANNEL:
            size, maximum = STUN_HEADER_SIZE + length, MAX_MESSAGE_SIZE
        elif kind <= LAST_CHANNEL:
            size, maximum = CHANNEL_HEADER_SIZE + ((length + 3) & ~3), _MAX_CHANNEL_DATA
        else:
            raise ProtocolError(f"neither STUN nor ChannelData in a stream: {kind:#06x}")
        if size > maximum:
            raise ProtocolError(f"a message of {size} bytes in a stream is longer than {maximum}")
        return int(size)
