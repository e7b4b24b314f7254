"""A long path that loses packets, between us and a peer on the same machine: the same ones each time, or at random.

The system's own network is behind it. What we send leaves late, by the whole round-trip time: neither side can tell.
"""

import random
from collections import Counter, deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import attrs
import trio

from tests.strategies.wires import PassThroughNetwork, PassThroughSocket
from trio_rtc.protocols._contract import Address
from trio_rtc.transports.network import DatagramSocket, InterfaceAddress
from trio_rtc.transports.udp import SystemNetwork


class Direction(Protocol):
    """Delay and loss of the datagrams of one direction."""

    def pass_on(self, datagrams: Sequence[bytes]) -> list[bytes]:
        """Return what is not lost."""


DirectionT = TypeVar("DirectionT", bound=Direction)


@attrs.define
class RandomLoss:
    """Loses SRTP and SRTCP packets at random, each by itself. Handshakes pass.

    Attributes:
        probability: Part of the packets that are lost; it may change at any time.
        seed: Of the generator: the same packet of a direction, counted from the first, has the same fate.
        passed: How many packets were subject to loss and passed.
        lost: How many were lost.
    """

    probability: float
    seed: int
    passed: int = 0
    lost: int = 0
    _rng: random.Random = attrs.field(init=False)

    @_rng.default
    def _make_rng(self) -> random.Random:
        return random.Random(self.seed)

    def pass_on(self, datagrams: Sequence[bytes]) -> list[bytes]:
        """Return what is not lost."""
        return [datagram for datagram in datagrams if not self._loses(datagram)]

    def _loses(self, datagram: bytes) -> bool:
        # RFC 7983 section 7.
        if not datagram or not 128 <= datagram[0] < 192:
            return False
        is_lost = self._rng.random() < self.probability
        self.lost += is_lost
        self.passed += not is_lost
        return is_lost


@attrs.define
class Loss:
    """Loses the first packet of every so-many-th frame of each source of one direction; RTCP and all else passes.

    Repair packets among the media follow what they protect, and are spared. So are those of sources of their own as
    soon as it is known what they are: behind each fourth frame, say, all or none of them would be lost.

    Attributes:
        interval: One frame of so many.
        lost_types: Payload types of which every packet is lost.
        spared_types: Payload types of which none is lost.
        lost: How many first packets of frames were lost.
    """

    interval: int
    lost_types: frozenset[int] = frozenset()
    spared_types: frozenset[int] = frozenset()
    lost: int = 0
    _frames: Counter[bytes] = attrs.field(factory=Counter)
    _timestamps: dict[bytes, bytes] = attrs.field(factory=dict)

    def pass_on(self, datagrams: Sequence[bytes]) -> list[bytes]:
        """Return what is not lost."""
        return [datagram for datagram in datagrams if not self._loses(datagram)]

    def _loses(self, datagram: bytes) -> bool:
        # RFC 7983 section 7 and RFC 5761 section 4.
        if len(datagram) < 12 or not 128 <= datagram[0] < 192 or 192 <= datagram[1] < 224:
            return False
        payload_type = datagram[1] & 0x7F
        if payload_type in self.lost_types or payload_type in self.spared_types:
            return payload_type in self.lost_types
        timestamp, ssrc = datagram[4:8], datagram[8:12]
        if self._timestamps.get(ssrc) == timestamp:
            return False
        self._timestamps[ssrc] = timestamp
        self._frames[ssrc] += 1
        is_lost = not self._frames[ssrc] % self.interval
        self.lost += is_lost
        return is_lost


@attrs.define
class LongPath(PassThroughNetwork, Generic[DirectionT]):
    """The network of this host, with a long path that loses packets in front of it.

    Attributes:
        nursery: Where packets are under way.
        round_trip: Seconds.
        outgoing: What becomes of what we send.
        incoming: What becomes of what the peer sends.
    """

    nursery: trio.Nursery
    round_trip: float
    outgoing: DirectionT
    incoming: DirectionT

    @staticmethod
    def of_this_host(nursery: trio.Nursery, *, round_trip: float, interval: int) -> "LongPath[Loss]":
        """Make one that loses the first packet of one of so many frames, in both directions."""
        return LongPath(SystemNetwork(), nursery, round_trip, Loss(interval), Loss(interval))

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> DatagramSocket:
        """See :class:`Network`."""
        socket = _LongPathSocket(
            await self.inner.bind_udp(interface, port), self.round_trip, self.outgoing, self.incoming
        )
        self.nursery.start_soon(socket.run)
        return socket


@attrs.define
class _LongPathSocket(PassThroughSocket):
    """A socket whose packets leave late, and not all of them."""

    _delay: float
    _outgoing: Direction
    _incoming: Direction
    _under_way: deque[tuple[float, list[bytes], Address]] = attrs.Factory(deque)
    _woken: trio.Event = attrs.Factory(trio.Event)

    async def run(self) -> None:
        """Send what is due."""
        while True:
            while self._under_way:
                due, datagrams, remote = self._under_way.popleft()
                await trio.sleep_until(due)
                self.inner.send_nowait(datagrams, remote)
            self._woken = trio.Event()
            await self._woken.wait()

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        while True:
            batch = await self.inner.receive_batch()
            passed = [(sender, self._incoming.pass_on(datagrams)) for sender, datagrams in batch]
            if kept := [each for each in passed if each[1]]:
                return kept

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        self._under_way.append((trio.current_time() + self._delay, self._outgoing.pass_on(batch), remote))
        self._woken.set()
        return True

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()
