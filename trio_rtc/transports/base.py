"""The shell that drives a core: one task, one inbox, one timer.

Up never waits: the layer below puts a batch into the :class:`Inbox` above it, and when the inbox is full the
batch is dropped and counted, as any UDP queue does. A transport that has nothing else to do answers the batch in
the very step that delivers it: a change of tasks costs as much as a packet's whole way through a core. Down
waits, where it has to: a batch goes through all layers in one synchronous call, and when the socket has not taken
all of it, the caller waits in ``drain``, so that back-pressure reaches it in its own stack. If both directions
waited, two full channels would deadlock.

A call into a core never contains an ``await``, so no core is ever seen half-changed and nothing needs a lock.
"""

import abc
import math
from collections.abc import Callable, Sequence
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

    def send_nowait(self, batch: Sequence[bytes], now: float) -> bool:
        """Send a batch as far as the wire takes it.

        Returns:
            Whether all has left. If not, the rest is kept at the bottom: wait in ``drain`` before sending more.
        """

    async def drain(self) -> None:
        """Wait until what was kept has left."""


class Inbox(Generic[ItemT]):
    """The bounded queue between a transport and the one above it.

    Its owner is the upper transport, which takes from it. The lower one puts into it and closes it when it
    ends. When it is full, what arrives is dropped and counted. While its owner waits and it is empty, an item goes
    straight to the owner.

    Attributes:
        dropped: Packets that were dropped because the queue was full.
    """

    def __init__(self, capacity: int = INBOX_CAPACITY) -> None:
        self._into, self._out = trio.open_memory_channel[ItemT](capacity)
        self._waiting = 0
        self._direct_receiver: Callable[[ItemT, float], None] | None = None
        self.dropped = 0

    def push(self, item: ItemT, packets: int, now: float) -> None:
        """Hand over or put an item of so many packets, or drop it when the queue is full or its owner has ended."""
        if self._direct_receiver is not None:
            self._direct_receiver(item, now)
            return
        try:
            self._into.send_nowait(item)
            self._waiting += 1
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            self.dropped += packets

    def close(self) -> None:
        """Tell the owner that nothing will come any more."""
        self._into.close()

    async def receive(self, direct_receiver: Callable[[ItemT, float], None] | None = None) -> ItemT:
        """Wait for the next item.

        Args:
            direct_receiver: Called with every item that comes while this waits, and the time, in the step of whoever
                delivers it. Then this goes on waiting, and returns nothing but what was in the queue before.

        Raises:
            trio.EndOfChannel: The layer below is gone and everything it left has been taken.
        """
        if not self._waiting:
            # Nothing is overtaken: until this returns, nothing comes into the queue.
            self._direct_receiver = direct_receiver
        try:
            item = await self._out.receive()
        finally:
            self._direct_receiver = None
        self._waiting -= 1
        return item

    def receive_nowait(self) -> ItemT | None:
        """Take the next item, ``None`` when there is none or nothing will come any more."""
        if not self._waiting:
            return None
        self._waiting -= 1
        return self._out.receive_nowait()

    def close_receiver(self) -> None:
        """The owner has ended: what is put from now on is dropped."""
        self._out.close()


class Transport(abc.ABC, Generic[ItemT, PacketT, EventT]):
    """Drives one core. A concrete transport says what an inbox item, a packet and an event mean to it.

    The task waits in one cancel scope whose deadline is the core's next timer. A scope, and moving its deadline,
    cost about as much as a packet. So the scope is entered anew only when it has expired, and its deadline is
    only ever moved forward in time: when the core's timer moves back, as it does with every acknowledgement, the
    scope expires too early once, the core finds nothing due, and the next scope is right.
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
        """Packets from below that were dropped because this transport did not keep up."""
        return self._inbox.dropped

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive the core until it has closed, then close the inboxes above."""
        core = self._core
        task_status.started()
        try:
            while not core.closed:
                self._armed = -math.inf if self._woken else core.next_timer()
                with trio.CancelScope(deadline=self._armed) as self._timer:
                    await self._process_inbox()
                self._woken = False
                now = trio.current_time()
                core.handle_timer(now)
                if not (self.flush_nowait(now) and self._all_sent):
                    self._all_sent = True
                    # Out of reach of the timer, which must not cut the waiting short.
                    await self._drain()
        finally:
            self._inbox.close_receiver()
            self._close_upper_inboxes()

    async def _process_inbox(self) -> None:
        """Work through the inbox until the timer expires, the core has closed or the layer below is gone or full."""
        core, inbox = self._core, self._inbox
        try:
            while self._all_sent and not core.closed:
                item: ItemT | None = await inbox.receive(self._receive_directly)
                now = trio.current_time()
                for _ in range(_MAX_ITEMS):
                    if item is None:
                        break
                    self._receive(item, now)
                    item = inbox.receive_nowait()
                if item is not None:
                    self._receive(item, now)
                if not self.flush_nowait(now):
                    self._all_sent = False
        except trio.EndOfChannel:
            core.lower_closed(trio.current_time())

    def _receive_directly(self, item: ItemT, now: float) -> None:
        """Take an item while the task waits for one, and let the task go on if there is something for it to do."""
        self._receive(item, now)
        if not self.flush_nowait(now):
            self._all_sent = False
            self.wake()
        elif self._core.closed:
            self.wake()

    def flush_nowait(self, now: float) -> bool:
        """Send and report what the core has to say. Called after anything touched the core, by any task.

        Args:
            now: The time of this step: it is read once for all layers, since reading it costs as much as some of
                what they do.

        Returns:
            Whether all has left; if not, wait in ``flush`` or ``drain`` before sending more.
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
        """The same, waiting until all has left."""
        if not self.flush_nowait(trio.current_time()):
            await self._drain()

    def wake(self) -> None:
        """Let the task look at its core soon: for synchronous callers, who cannot flush."""
        if not self._woken:
            # The flag is for a task that is between two scopes.
            self._woken = True
            self._armed = self._timer.deadline = -math.inf

    async def close(self) -> None:
        """Let the core say goodbye, and the task end. Idempotent."""
        self._core.close(trio.current_time())
        self.wake()
        await self.flush()

    @abc.abstractmethod
    def _receive(self, item: ItemT, now: float) -> None:
        """Hand an inbox item to the core."""

    @abc.abstractmethod
    def _handle(self, event: EventT, now: float) -> None:
        """Act on an event of the core. Synchronous: nothing else runs before the next event is handled."""

    @abc.abstractmethod
    def _send_down(self, datagrams: list[PacketT], now: float) -> bool:
        """Give packets to the layer below. Returns whether all have left."""

    @abc.abstractmethod
    async def _drain(self) -> None:
        """Wait until what the layers below have kept has left."""

    @abc.abstractmethod
    def _close_upper_inboxes(self) -> None:
        """Let the layers above see that this one is gone."""
