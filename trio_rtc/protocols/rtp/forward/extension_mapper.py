"""Header extensions of forwarded packets: end-to-end elements under the outgoing section's ids.

Audio level, orientation, playout delay and capture time describe the media, and so may every other extension that both
sides negotiated: they are copied. MID and RID, transport-wide sequence numbers and send times concern one hop and are
written again. An abs-capture-time element may also carry the offset between the capturing clock and the sender's clock;
the offset to our own clock is not known, so it is removed.
"""

from typing import Final

from trio_rtc.protocols.rtp.packet.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    MID,
    REPAIRED_RTP_STREAM_ID,
    RTP_STREAM_ID,
    TRANSMISSION_OFFSET,
    TRANSPORT_WIDE_CC,
    ExtensionMap,
)
from trio_rtc.protocols.rtp.packet.packet import RtpPacket

HOP_BY_HOP: Final = frozenset(
    {
        MID,
        RTP_STREAM_ID,
        REPAIRED_RTP_STREAM_ID,
        ABS_SEND_TIME,
        TRANSMISSION_OFFSET,
        TRANSPORT_WIDE_CC,
        "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02",
    }
)

_CAPTURE_TIME_SIZE: Final = 8
_MAX_SIZE: Final = 16
"""Bytes of the longest element of the one-byte form, which every peer supports."""


class ExtensionMapper:
    """Maps the end-to-end elements of packets of another stream to our ids.

    Args:
        ours: The negotiated extensions of the packets that we send.
    """

    __slots__ = ("_capture_time", "_numbers", "_ours", "_theirs")

    def __init__(self, ours: ExtensionMap) -> None:
        self._ours = ours
        self._capture_time = ours.number(ABS_CAPTURE_TIME)
        self._theirs: ExtensionMap | None = None
        self._numbers: dict[int, int] = {}

    def map_elements(self, packet: RtpPacket) -> tuple[tuple[int, bytes], ...]:
        """Return the elements of a packet that are forwarded, with our ids."""
        theirs = packet.extension_map
        if theirs is None:
            return ()
        if theirs is not self._theirs:
            self._theirs, self._numbers = theirs, self._renumber(theirs)
        numbers = self._numbers
        for number, _ in packet.extensions:
            if number in numbers:
                break
        else:
            # Most video packets have only elements that concern one hop.
            return ()
        return tuple(
            [
                (ours, value[:_CAPTURE_TIME_SIZE] if ours == self._capture_time else value)
                for number, value in packet.extensions
                if (ours := numbers.get(number)) is not None and 0 < len(value) <= _MAX_SIZE
            ]
        )

    def _renumber(self, theirs: ExtensionMap) -> dict[int, int]:
        found = {
            number: self._ours.number(uri) for number, uri in theirs.uris.items() if uri not in HOP_BY_HOP
        }
        return {number: ours for number, ours in found.items() if ours is not None}
