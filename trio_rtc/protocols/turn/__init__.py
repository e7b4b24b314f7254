"""TURN (RFC 8656): the client of one allocation, and the framing of its packets."""

from .allocation import ALLOCATION_MISMATCH, Allocation
from .attributes import AddressFamily, TurnAttribute, TurnMethod
from .channel_data import StreamFramer, encode_channel_data, parse_channel_data
from .events import (
    AllocationCreated,
    AllocationEnded,
    AllocationFailed,
    AllocationRedirected,
    AllocationRefreshed,
    PeerRefused,
    TurnEvent,
)
from .options import TurnOptions

__all__ = [
    "ALLOCATION_MISMATCH",
    "AddressFamily",
    "Allocation",
    "AllocationCreated",
    "AllocationEnded",
    "AllocationFailed",
    "AllocationRedirected",
    "AllocationRefreshed",
    "PeerRefused",
    "StreamFramer",
    "TurnAttribute",
    "TurnEvent",
    "TurnMethod",
    "TurnOptions",
    "encode_channel_data",
    "parse_channel_data",
]
