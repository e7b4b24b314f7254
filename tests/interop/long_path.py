"""A long path with loss to a peer on the same machine, deterministic or random.

It uses the host's network. Our packets are delayed by the whole round-trip time, which neither side can detect.
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

    def keep_undropped(self, datagrams: Sequence[bytes]) -> list[bytes]:
        """Return what is not lost."""


DirectionT = TypeVar("DirectionT", bound=Direction)


@attrs.define
class RandomLoss:
    """Drops SRTP and SRTCP packets independently at random, but no handshake packets.

    Attributes:
        probability: Loss probability; it may change at any time.
        seed: Seed of the generator, which determines the outcome of each packet of a direction by its index.
        passed: Number of packets that were subject to loss and passed.
        lost: Number of packets lost.
    """

    probability: float
    seed: int
    passed: int = 0
    lost: int = 0
    _rng: random.Random = attrs.field(init=False)

    @_rng.default
    def _make_rng(self) -> random.Random:
        return random.Random(self.seed)

    def keep_undropped(self, datagrams: Sequence[bytes]) -> list[bytes]:
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
    """Drops the first packet of every ``interval``-th frame of each SSRC in one direction, but no other packets.

    Repair packets in the media's SSRC follow the protected packets and are not dropped. Repair packets in an own
    SSRC are not dropped either once they are identified, as those of each fourth frame would be lost always or never.

    Attributes:
        interval: Number of frames per dropped packet.
        lost_types: Payload types of which every packet is lost.
        spared_types: Payload types of which none is lost.
        lost: Number of first packets of frames dropped.
    """

    interval: int
    lost_types: frozenset[int] = frozenset()
    spared_types: frozenset[int] = frozenset()
    lost: int = 0
    _frames: Counter[bytes] = attrs.field(factory=Counter)
    _timestamps: dict[bytes, bytes] = attrs.field(factory=dict)

    def keep_undropped(self, datagrams: Sequence[bytes]) -> list[bytes]:
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
    """The network of this host, behind a long path with loss.

    Attributes:
        nursery: Nursery of packets in flight.
        round_trip: Round-trip time in seconds.
        outgoing: Conditions of our packets.
        incoming: Conditions of the peer's packets.
    """

    nursery: trio.Nursery
    round_trip: float
    outgoing: DirectionT
    incoming: DirectionT

    @staticmethod
    def of_this_host(nursery: trio.Nursery, *, round_trip: float, interval: int) -> "LongPath[Loss]":
        """Return a path that drops the first packet of every ``interval``-th frame in both directions."""
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
    """A socket with delay and loss."""

    _delay: float
    _outgoing: Direction
    _incoming: Direction
    _in_flight: deque[tuple[float, list[bytes], Address]] = attrs.Factory(deque)
    _woken: trio.Event = attrs.Factory(trio.Event)

    async def run(self) -> None:
        """Send packets when they are due."""
        while True:
            while self._in_flight:
                due, datagrams, remote = self._in_flight.popleft()
                await trio.sleep_until(due)
                self.inner.send_nowait(datagrams, remote)
            self._woken = trio.Event()
            await self._woken.wait()

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        while True:
            batch = await self.inner.receive_batch()
            passed = [(sender, self._incoming.keep_undropped(datagrams)) for sender, datagrams in batch]
            if kept := [each for each in passed if each[1]]:
                return kept

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        self._in_flight.append(
            (trio.current_time() + self._delay, self._outgoing.keep_undropped(batch), remote)
        )
        self._woken.set()
        return True

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()
