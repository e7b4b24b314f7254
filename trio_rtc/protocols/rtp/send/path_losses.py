"""Losses that the peer's feedback about the path shows earlier than its requests and reports.

:class:`TransmissionLog` finds the packets that were lost with all their retransmissions. Where many packets are lost,
so are requests for retransmission and the answers to them, and the peer requests a packet again only after a round
trip. Feedback about the path names each transmission of a packet with its own number (transport-wide, or by SSRC in
RFC 8888), and shows half a round trip after it that none of them arrived. Where packets overtake each other it does
not show that: a packet that is late is reported as missing first. So the first losses count only when the next feedback
has not corrected them, and a correction ends all of this for a while.

:class:`InitialLoss` measures the loss from the first packets on. A peer's first report comes after a second.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

PacketKey = tuple[int, int]
"""A media packet: its SSRC and its sequence number of 16 bits."""

_ENOUGH: Final = 30
"""Packets over which the loss is measured for the first time."""
_INTERVAL: Final = 0.1
_MAX_TRANSMISSIONS: Final = 1024
"""Transmissions without feedback; of more the oldest are forgotten. At 10 Mbit/s they are those of a second."""
_MAX_LOST: Final = 64
"""Packets that one feedback shows as lost. More are an outage, after which the peer decides what it still needs."""
_REORDERING_MEMORY: Final = 10.0
"""Seconds after a packet was late for which a missing packet is not held to be lost."""
_ENOUGH_CONFIRMED: Final = 3
"""Missing packets that must have stayed so before others count as lost at once."""
_MAX_FIRST: Final = 1024
"""Packets over which the initial loss is measured at most."""
_MAX_RESENT: Final = 3
"""How often a packet is sent again without a request: feedback costs the peer nothing."""


class TransmissionLog:
    """The transmissions of media packets on which there was no feedback yet."""

    __slots__ = (
        "_confirmed",
        "_in_flight",
        "_missing",
        "_packets",
        "_reordered_at",
        "_resent",
        "_unconfirmed",
    )

    def __init__(self) -> None:
        self._packets: OrderedDict[int, PacketKey] = OrderedDict()
        # The transmissions of each packet that has not arrived.
        self._in_flight: dict[PacketKey, int] = {}
        self._resent: OrderedDict[PacketKey, int] = OrderedDict()
        # The transmissions that were reported as missing.
        self._missing: OrderedDict[int, None] = OrderedDict()
        self._reordered_at = -math.inf
        self._unconfirmed: list[PacketKey] = []
        self._confirmed = 0

    def record(self, number: int, key: PacketKey) -> None:
        """Record the transmission of a packet with an unwrapped transport-wide number."""
        self._packets[number] = key
        self._in_flight[key] = self._in_flight.get(key, 0) + 1
        if len(self._packets) > _MAX_TRANSMISSIONS:
            self._remove(next(iter(self._packets)))

    def handle_feedback(self, results: Iterable[tuple[int, float | None]], now: float) -> list[PacketKey]:
        """Return the packets to send again: those of which no transmission arrived, or is left to arrive.

        ``results`` has the arrival time of each number, ``None`` if it did not arrive.
        """
        lost = []
        for number, arrival in results:
            key = self._packets.get(number)
            if key is None:
                if arrival is not None and number in self._missing:
                    del self._missing[number]
                    self._reordered_at = now
                continue
            if arrival is None:
                self._missing[number] = None
                if len(self._missing) > _MAX_TRANSMISSIONS:
                    self._missing.popitem(last=False)
            if arrival is not None:
                del self._packets[number]
                self._in_flight.pop(key, None)
            elif self._remove(number) and self._may_resend(key):
                lost.append(key)
        if now - self._reordered_at < _REORDERING_MEMORY:
            self._unconfirmed = []
            return []
        if self._confirmed < _ENOUGH_CONFIRMED:
            self._confirmed += len(self._unconfirmed)
            lost, self._unconfirmed = self._unconfirmed, lost
        return lost if len(lost) <= _MAX_LOST else []

    def _may_resend(self, key: PacketKey) -> bool:
        resent = self._resent.pop(key, 0) + 1
        self._resent[key] = resent
        if len(self._resent) > _MAX_TRANSMISSIONS:
            self._resent.popitem(last=False)
        return resent <= _MAX_RESENT

    def _remove(self, number: int) -> bool:
        """Remove a transmission; return whether it was the last one of a packet that has not arrived."""
        key = self._packets.pop(number)
        left = self._in_flight.get(key)
        if left is None:
            return False
        if left > 1:
            self._in_flight[key] = left - 1
            return False
        del self._in_flight[key]
        return True


class InitialLoss:
    """The lost part of the first packets of a session, measured one feedback later, when late ones are known."""

    __slots__ = ("_arrived", "_known", "_lost", "_measured_at")

    def __init__(self) -> None:
        self._arrived: dict[int, bool] = {}
        # Of the packets in all feedback but the last.
        self._known = 0
        self._lost = 0
        self._measured_at = -math.inf

    def record(self, results: Iterable[tuple[int, float | None]]) -> None:
        """Record the arrival time of each number in a feedback, ``None`` if it did not arrive."""
        arrived, first = self._arrived, {}
        for number, arrival in results:
            if number in arrived:
                arrived[number] |= arrival is not None
            else:
                first[number] = arrival is not None
        self._known = len(arrived)
        self._lost = self._known - sum(arrived.values())
        if self._known + len(first) <= _MAX_FIRST:
            arrived.update(first)

    def take_fraction(self, now: float) -> float | None:
        """Return the lost part of the packets, 0 to 1, if enough are known, every tenth of a second."""
        if self._known < _ENOUGH or now - self._measured_at < _INTERVAL:
            return None
        self._measured_at = now
        return self._lost / self._known
