"""Data channels (RFC 8831) and their establishment protocol DCEP (RFC 8832), as a pure core."""

from .control import ChannelControl
from .events import (
    AllChannelsClosed,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    DataChannelEvent,
    StreamIdAssigned,
    StreamResetRequested,
)
from .messages import (
    PPID_BINARY,
    PPID_BINARY_EMPTY,
    PPID_DCEP,
    PPID_STRING,
    PPID_STRING_EMPTY,
    ChannelParameters,
    ControlMessage,
)
from .options import DataChannelOptions
from .state import ChannelState

__all__ = [
    "PPID_BINARY",
    "PPID_BINARY_EMPTY",
    "PPID_DCEP",
    "PPID_STRING",
    "PPID_STRING_EMPTY",
    "ChannelAnnounced",
    "ChannelClosed",
    "ChannelClosing",
    "ChannelControl",
    "ChannelOpened",
    "ChannelParameters",
    "ChannelState",
    "AllChannelsClosed",
    "ControlMessage",
    "DataChannelEvent",
    "DataChannelOptions",
    "StreamIdAssigned",
    "StreamResetRequested",
]
