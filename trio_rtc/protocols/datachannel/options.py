"""Options of the data channel core."""

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class


@strict_class
@attrs.frozen
class DataChannelOptions:
    """Limits of the data channel core.

    Attributes:
        max_channels: Number of channels at a time, ours and the peer's together. Further ones of the peer are refused
            by resetting their streams (RFC 8832 section 6).
        max_announced_size: Memory in bytes of all channels opened by the peer: their labels and protocols, and 4 KiB
            for each. Further ones are refused likewise.
        max_early_reuses: How often in a row the peer may reuse a stream identifier before its response to our reset has
            arrived. A correct peer is ahead of its own responses by a packet or two.
        max_control_message_size: Largest DCEP message accepted, in bytes. Label and protocol have at most 65,535 bytes
            each (RFC 8832 section 5.1).
    """

    max_channels: int = 65535
    max_announced_size: int = 64 << 20
    max_early_reuses: int = 8
    max_control_message_size: int = 12 + 2 * 65535
