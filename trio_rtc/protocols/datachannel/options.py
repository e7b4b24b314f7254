"""Options of the data channel core."""

import attrs


@attrs.frozen
class DataChannelOptions:
    """Bounds of the data channel core.

    Attributes:
        max_channels: How many channels may exist at a time, ours and the peer's together. What the peer opens
            beyond is refused by resetting its stream (RFC 8832 section 6).
        max_announced_size: Bytes that the channels which the peer has opened may take together: their labels and
            protocols, and 4 KiB for each channel as such. Refused beyond, too.
        max_early_reuses: How often in a row the peer may use a stream identifier again before its answer to our
            reset has come. An honest one is ahead of its own answers by a packet or two.
        max_control_message_size: Bytes of the largest DCEP message that is looked at. Label and protocol have at
            most 65,535 bytes each (RFC 8832 section 5.1).
    """

    max_channels: int = 65535
    max_announced_size: int = 64 << 20
    max_early_reuses: int = 8
    max_control_message_size: int = 12 + 2 * 65535
