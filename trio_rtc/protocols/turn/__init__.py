"""TURN (RFC 8656): the client of one allocation, and the framing of its packets."""

from .allocation import Allocation
from .attributes import AddressFamily, TurnAttribute, TurnMethod
from .channel_data import StreamFramer, encode_channel_data, parse_channel_data
from .events import (
    AllocationCreated,
    AllocationEnded,
    AllocationFailed,
    AllocationRedirected,
    PeerRefused,
    TurnEvent,
)
from .options import TurnOptions

__all__ = [
    "AddressFamily",
    "Allocation",
    "AllocationCreated",
    "AllocationEnded",
    "AllocationFailed",
    "AllocationRedirected",
    "PeerRefused",
    "StreamFramer",
    "TurnAttribute",
    "TurnEvent",
    "TurnMethod",
    "TurnOptions",
    "encode_channel_data",
    "parse_channel_data",
]
