"""The shell that drives a core: one task, one inbox, one timer.

Receiving never waits: the lower layer pushes a batch into the :class:`Inbox` of the upper one; a full inbox drops the
batch and counts it, like the receive buffer of a UDP socket. While the upper layer's task waits at an empty inbox, the
batch is processed directly, in the call of the lower layer: a task switch costs as much as the processing of a packet
in a core.

Sending applies back-pressure: a batch passes all layers in one synchronous call; if the socket does not accept all of
it, the caller waits in ``drain``. If both directions waited, two full queues would deadlock.

A call into a core contains no ``await``, so that no other task sees a core in an intermediate state, and no locks are
needed.

A transport runs until its core is closed: by ``close``, by the peer, or by the end of the layer below, which closes
the inbox. Then it closes the inboxes of the layers above.
"""

import abc
import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

import trio

from trio_rtc.protocols._contract import Core

ItemT = TypeVar("ItemT")
PacketT = TypeVar("PacketT")
EventT = TypeVar("EventT")

INBOX_CAPACITY = 32
"""Maximum number of batches in an inbox; a batch has at most about 64 packets."""


_MAX_ITEMS = 8
"""Maximum number of batches that are received from the inbox before one flush."""


class Lower(Protocol):
    """The layer below a transport."""

    def send_nowait(self, batch: Sequence[bytes], now: float) -> bool:
        """Send a batch.

        Returns:
            Whether the socket has accepted all of it. If not, the rest is queued there: wait in ``drain`` before
            sending more.
        """

    async def drain(self) -> None:
        """Wait until the queued rest is sent."""


class Inbox(Generic[ItemT]):
    """The bounded queue between a transport and the one above it.

    The lower transport pushes items and closes the inbox; the upper one receives them. A full inbox drops new items and
    counts their packets. While the upper transport waits at an empty inbox, an item is passed to it directly.

    Attributes:
        dropped: Number of packets dropped by a full inbox, or after ``close_receiver``.
    """

    def __init__(self, capacity: int = INBOX_CAPACITY) -> None:
        # ``None`` wakes the receiver.
        self._into, self._out = trio.open_memory_channel[ItemT | None](capacity)
        self._waiting = 0
        self._direct_receiver: Callable[[ItemT, float], None] | None = None
        self.dropped = 0

    def push(self, item: ItemT, packets: int, now: float) -> None:
        """Pass on or queue an item with this number of packets, or drop it if the queue is full or closed."""
        if self._direct_receiver is not None:
            self._direct_receiver(item, now)
            return
        try:
            self._into.send_nowait(item)
            self._waiting += 1
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            self.dropped += packets

    def wake(self) -> None:
        """Make ``receive`` return, with ``None`` if no item is queued."""
        if not self._waiting:
            with contextlib.suppress(trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                self._into.send_nowait(None)

    def close(self) -> None:
        """Close the sending side: no further items follow."""
        self._into.close()

    async def receive(self, direct_receiver: Callable[[ItemT, float], None] | None = None) -> ItemT | None:
        """Wait for the next item, or for ``wake``: then the result is ``None``.

        Args:
            direct_receiver: Called with each item that is pushed while this waits, and the time, within ``push``. Only
                items that were queued before are returned.

        Raises:
            trio.EndOfChannel: The inbox is closed and empty.
        """
        if not self._waiting:
            # The order is kept: until this returns, no item is queued.
            self._direct_receiver = direct_receiver
        try:
            item = await self._out.receive()
        finally:
            self._direct_receiver = None
        if item is not None:
            self._waiting -= 1
        return item

    def receive_nowait(self) -> ItemT | None:
        item = None
        while self._waiting and item is None:
            item = self._out.receive_nowait()
        if item is not None:
            self._waiting -= 1
        return item

    def close_receiver(self) -> None:
        """Close the receiving side: items pushed from now on are dropped."""
        self._out.close()


class Transport(abc.ABC, Generic[ItemT, PacketT, EventT]):
    """Drives one core. A subclass defines inbox items, packets and events.

    The task waits in a cancel scope whose deadline is the core's next timer. Entering a scope, and moving its deadline,
    costs about as much as a packet. So a new scope is entered only when the last one has expired, and its deadline is
    only moved to an earlier time: when the core's timer moves to a later time, as T3-rtx does with every SACK, the
    scope expires too early once, the core has nothing due, and the next scope has the right deadline. ``wake`` makes
    the inbox return and keeps the scope.
    """

    def __init__(self, core: Core[PacketT, EventT], inbox: Inbox[ItemT]) -> None:
        self._core = core
        self._inbox = inbox
        self._timer = trio.CancelScope()
        self._armed = math.inf
        self._woken = False
        self._all_sent = True

    @property
    def inbox_dropped(self) -> int:
        """Number of received packets that were dropped because the inbox was full."""
        return self._inbox.dropped

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive the core until it is closed, then close the inboxes of the layers above."""
        core = self._core
        task_status.started()
        try:
            while not core.closed:
                self._armed = core.next_timer()
                with trio.CancelScope(deadline=self._armed) as self._timer:
                    await self._process_inbox()
                now = trio.current_time()
                core.handle_timer(now)
                if not (self.flush_nowait(now) and self._all_sent):
                    self._all_sent = True
                    # Outside of the scope, because the timer must not interrupt it.
                    await self._drain()
        finally:
            self._inbox.close_receiver()
            self._close_upper_inboxes()

    async def _process_inbox(self) -> None:
        """Process the inbox until the core or the inbox is closed, or the socket is full."""
        core, inbox = self._core, self._inbox
        try:
            while self._all_sent and not core.closed:
                item = await inbox.receive(self._receive_directly)
                now = trio.current_time()
                for _ in range(_MAX_ITEMS):
                    if item is None:
                        break
                    self._receive(item, now)
                    item = inbox.receive_nowait()
                if item is not None:
                    self._receive(item, now)
                if self._woken:
                    self._woken = False
                    core.handle_timer(now)
                if not self.flush_nowait(now):
                    self._all_sent = False
        except trio.EndOfChannel:
            core.lower_closed(trio.current_time())

    def _receive_directly(self, item: ItemT, now: float) -> None:
        """Process an item while the task waits for one, and wake the task if it must drain or end."""
        self._receive(item, now)
        if not self.flush_nowait(now):
            self._all_sent = False
            self.wake()
        elif self._core.closed:
            self.wake()

    def flush_nowait(self, now: float) -> bool:
        """Send the core's packets and handle its events. Must be called after each change of the core, by any task.

        Args:
            now: The time, which is read once for all layers because reading it is not free.

        Returns:
            Whether the socket has accepted all packets; if not, wait in ``flush`` or ``drain`` before sending more.
        """
        core = self._core
        datagrams = core.datagrams_to_send(now)
        all_sent = not datagrams or self._send_down(datagrams, now)
        for event in core.events():
            self._handle(event, now)
        deadline = core.next_timer()
        if deadline < self._armed:
            self._armed = deadline
            self._timer.deadline = deadline
        return all_sent

    async def flush(self) -> None:
        """Flush, and wait until all packets are sent."""
        if not self.flush_nowait(trio.current_time()):
            await self._drain()

    def wake(self) -> None:
        """Schedule a flush by the task, for synchronous callers."""
        if not self._woken:
            self._woken = True
            self._inbox.wake()

    async def close(self) -> None:
        """Close the core and send its close message. Idempotent."""
        self._core.close(trio.current_time())
        self.wake()
        await self.flush()

    @abc.abstractmethod
    def _receive(self, item: ItemT, now: float) -> None: ...

    @abc.abstractmethod
    def _handle(self, event: EventT, now: float) -> None:
        """Handle an event of the core. Synchronous: no other task runs before the next event."""

    @abc.abstractmethod
    def _send_down(self, datagrams: list[PacketT], now: float) -> bool:
        """Send packets through the layer below. Return whether the socket has accepted all."""

    @abc.abstractmethod
    async def _drain(self) -> None: ...

    @abc.abstractmethod
    def _close_upper_inboxes(self) -> None: ...
