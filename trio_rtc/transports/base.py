"""The shell that drives a core: one task, one inbox, one timer.

Up never waits: the layer below puts a batch into the :class:`Inbox` above it, and when the inbox is full the
batch is dropped and counted, as any UDP queue does. Down waits: ``await lower.send(batch)``, so that
back-pressure reaches the caller in its own stack. If both directions waited, two full channels would deadlock.

A call into a core never contains an ``await``, so no core is ever seen half-changed and nothing needs a lock.
"""

import abc
import math
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import trio

from trio_rtc.protocols._contract import Core

ItemT = TypeVar("ItemT")
PacketT = TypeVar("PacketT")
EventT = TypeVar("EventT")

INBOX_CAPACITY = 32
"""Batches that wait between two layers; a batch is at most about 64 packets."""


_MAX_ITEMS = 8
"""Batches that a transport takes from its inbox before it answers them all together."""


class Lower(Protocol):
    """What a transport needs of the one below it."""

    async def send(self, batch: Sequence[bytes]) -> None:
        """Send a batch, waiting for the wire."""


class Inbox(Generic[ItemT]):
    """The bounded queue between a transport and the one above it.

    Its owner is the upper transport, which takes from it. The lower one puts into it and closes it when it
    ends. When it is full, what arrives is dropped and counted.

    Attributes:
        dropped: Packets that were dropped because the queue was full.
    """

    def __init__(self, capacity: int = INBOX_CAPACITY) -> None:
        self._into, self._out = trio.open_memory_channel[tuple[ItemT, int]](capacity)
        self.dropped = 0

    def deliver(self, item: ItemT, packets: int) -> None:
        """Put an item of so many packets, or drop it when the queue is full or its owner has ended."""
        try:
            self._into.send_nowait((item, packets))
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            self.dropped += packets

    def close(self) -> None:
        """Tell the owner that nothing will come any more."""
        self._into.close()

    async def take(self) -> ItemT:
        """Wait for the next item.

        Raises:
            trio.EndOfChannel: The layer below is gone and everything it left has been taken.
        """
        return (await self._out.receive())[0]

    def take_nowait(self) -> ItemT | None:
        """Take the next item, ``None`` when there is none or nothing will come any more."""
        try:
            return self._out.receive_nowait()[0]
        except (trio.WouldBlock, trio.EndOfChannel):
            return None

    def abandon(self) -> None:
        """The owner has ended: what is put from now on is dropped."""
        self._out.close()


class Transport(abc.ABC, Generic[ItemT, PacketT, EventT]):
    """Drives one core. A concrete transport says what an inbox item, a packet and an event mean to it."""

    def __init__(self, core: Core[PacketT, EventT], inbox: Inbox[ItemT]) -> None:
        self._core = core
        self._inbox = inbox
        # The scope in which the task waits, None while it works.
        self._timer: trio.CancelScope | None = None
        self._woken = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive the core until it has closed, then close the inboxes above."""
        core = self._core
        task_status.started()
        try:
            while not core.closed:
                item = self._inbox.take_nowait()
                if item is None:
                    item = await self._wait()
                else:
                    # A cancel scope costs as much as a packet: a busy transport goes without.
                    await trio.lowlevel.checkpoint()
                now = trio.current_time()
                taken = 0
                while item is not None:
                    self._receive(item, now)
                    taken += 1
                    item = self._inbox.take_nowait() if taken < _MAX_ITEMS else None
                if self._woken or core.next_timer() <= now:
                    self._woken = False
                    core.handle_timer(now)
                await self.flush()
        finally:
            self._inbox.abandon()
            self._close_upper_inboxes()

    async def _wait(self) -> ItemT | None:
        """Wait for the inbox, the timer or ``wake``. Tells the core when the layer below is gone."""
        deadline = -math.inf if self._woken else self._core.next_timer()
        item: ItemT | None = None
        try:
            with trio.CancelScope(deadline=deadline) as self._timer:
                item = await self._inbox.take()
        except trio.EndOfChannel:
            self._core.lower_closed(trio.current_time())
        finally:
            self._timer = None
        return item

    @property
    def inbox_dropped(self) -> int:
        """Packets from below that were dropped because this transport did not keep up."""
        return self._inbox.dropped

    async def flush(self) -> None:
        """Send and report what the core has to say. Called after anything touched the core, by any task."""
        datagrams = self._settle()
        if datagrams:
            await self._send_down(datagrams)

    def wake(self) -> None:
        """Let the task look at its core soon: for synchronous callers, who cannot flush."""
        self._woken = True
        if self._timer is not None:
            self._timer.deadline = -math.inf

    async def close(self) -> None:
        """Let the core say goodbye. Idempotent."""
        self._core.close(trio.current_time())
        await self.flush()

    def _settle(self) -> list[PacketT]:
        core = self._core
        datagrams = core.datagrams_to_send(trio.current_time())
        for event in core.events():
            self._handle(event)
        timer = self._timer
        if timer is not None and not self._woken:
            deadline = core.next_timer()
            if deadline != timer.deadline:
                timer.deadline = deadline
        return datagrams

    @abc.abstractmethod
    def _receive(self, item: ItemT, now: float) -> None:
        """Hand an inbox item to the core."""

    @abc.abstractmethod
    def _handle(self, event: EventT) -> None:
        """Act on an event of the core. Synchronous: nothing else runs before the next event is handled."""

    @abc.abstractmethod
    async def _send_down(self, datagrams: list[PacketT]) -> None:
        """Give packets to the layer below."""

    @abc.abstractmethod
    def _close_upper_inboxes(self) -> None:
        """Let the layers above see that this one is gone."""
