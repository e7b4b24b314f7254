"""The codec of DCEP (RFC 8832 section 5) and the payload protocol identifiers of RFC 8831 section 8."""

import struct
from typing import NamedTuple

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

PPID_DCEP = 50
PPID_STRING = 51
PPID_BINARY = 53
PPID_STRING_EMPTY = 56
PPID_BINARY_EMPTY = 57

DATA_CHANNEL_ACK = 0x02
DATA_CHANNEL_OPEN = 0x03

_OPEN_HEADER = struct.Struct("!BBHIHH")
_UNORDERED = 0x80
_RELIABLE = 0x00
_LIMITED_RETRANSMITS = 0x01
_LIMITED_LIFETIME = 0x02


class ControlMessage(NamedTuple):
    """A DCEP message and its stream; always sent ordered and reliable."""

    stream_id: int
    data: bytes


@attrs.frozen
class ChannelParameters:
    """The parameters of a channel (RFC 8831 section 6.1).

    Attributes:
        label: Label of the channel; not unique.
        protocol: Subprotocol of the application.
        ordered: Whether messages are delivered in the order of sending.
        max_retransmits: Limit of retransmissions of a message; ``None`` for no limit.
        max_packet_life_time: Milliseconds in which a message is transmitted; ``None`` for no limit.
        priority: Priority of RFC 8831 section 6.4: 128 below normal, 256 normal, 512 high, 1024 extra high.
    """

    label: str = ""
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_packet_life_time: int | None = None
    priority: int = 256


def encode_open(parameters: ChannelParameters) -> bytes:
    """Return a DATA_CHANNEL_OPEN message (RFC 8832 section 5.1)."""
    if parameters.max_retransmits is not None:
        channel_type, reliability = _LIMITED_RETRANSMITS, parameters.max_retransmits
    elif parameters.max_packet_life_time is not None:
        channel_type, reliability = _LIMITED_LIFETIME, parameters.max_packet_life_time
    else:
        channel_type, reliability = _RELIABLE, 0
    if not parameters.ordered:
        channel_type |= _UNORDERED
    label, protocol = parameters.label.encode(), parameters.protocol.encode()
    header = _OPEN_HEADER.pack(
        DATA_CHANNEL_OPEN, channel_type, parameters.priority, reliability, len(label), len(protocol)
    )
    return header + label + protocol


def encode_ack() -> bytes:
    return bytes([DATA_CHANNEL_ACK])


def parse_open(data: bytes) -> ChannelParameters:
    """Parse a DATA_CHANNEL_OPEN message."""
    if len(data) < _OPEN_HEADER.size or data[0] != DATA_CHANNEL_OPEN:
        raise ProtocolError("not a DATA_CHANNEL_OPEN message")
    _, channel_type, priority, reliability, label_length, protocol_length = _OPEN_HEADER.unpack_from(data)
    if len(data) != _OPEN_HEADER.size + label_length + protocol_length:
        raise ProtocolError("DATA_CHANNEL_OPEN: the lengths of label and protocol do not match the message")
    kind = channel_type & ~_UNORDERED
    if kind not in (_RELIABLE, _LIMITED_RETRANSMITS, _LIMITED_LIFETIME):
        raise ProtocolError(f"DATA_CHANNEL_OPEN: unknown channel type {channel_type:#x}")
    label_end = _OPEN_HEADER.size + label_length
    try:
        label, protocol = data[_OPEN_HEADER.size : label_end].decode(), data[label_end:].decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("DATA_CHANNEL_OPEN: label or protocol is not UTF-8") from error
    return ChannelParameters(
        label=label,
        protocol=protocol,
        ordered=not channel_type & _UNORDERED,
        # W3C members are unsigned short; larger limits have no effect in practice.
        max_retransmits=min(reliability, 0xFFFF) if kind == _LIMITED_RETRANSMITS else None,
        max_packet_life_time=min(reliability, 0xFFFF) if kind == _LIMITED_LIFETIME else None,
        priority=priority,
    )
