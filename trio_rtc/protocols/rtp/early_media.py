"""The beginning of a stream of pictures, kept for whoever takes them a moment later.

A stream begins with a keyframe. An application that begins to read some milliseconds after the first packets would need
another one, and there are peers that answer no request, because they only pass on what they get. So what comes is kept
until somebody wants frames or packets for the first time. If nobody does soon, it is all forgotten: whoever comes later
begins with a keyframe that is asked for.
"""

from typing import Final, NamedTuple

from .packet import RtpPacket

MAX_EARLY_PACKETS: Final = 256
"""More than a keyframe of 1920x1080 pixels is made of, and about a second of a usual call."""
MAX_EARLY_TIME: Final = 2.0
"""Seconds from the first packet on. What is older is of no use but to a stream that has stood still since."""


class EarlyPacket(NamedTuple):
    """A packet that nobody has wanted yet; its number and timestamp are unwrapped."""

    number: int
    timestamp: int
    packet: RtpPacket
    arrival: float
    recovered: bool


class EarlyMedia:
    """Keeps the first packets of a stream, in order of arrival."""

    __slots__ = ("packets",)

    def __init__(self) -> None:
        self.packets: list[EarlyPacket] = []

    def add(self, early: EarlyPacket) -> bool:
        """Keep a packet; return ``False`` if it is one too many, or too late."""
        packets = self.packets
        if packets and (
            len(packets) >= MAX_EARLY_PACKETS or early.arrival > packets[0].arrival + MAX_EARLY_TIME
        ):
            return False
        packets.append(early)
        return True
