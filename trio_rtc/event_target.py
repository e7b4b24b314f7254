"""W3C's EventTarget in three styles: ``on_*`` slots, ``add_event_listener`` and trio's ``subscribe``.

A synchronous handler is called in the same step that changes the state, with no checkpoint between. An
asynchronous one runs in the peer connection's nursery; one handler gets its events one at a time and in order.
An error of a handler ends the ``async with`` block of its peer connection, and is raised there. The exception are
errors of closed objects, which are logged while the connection ends.

No event is fired inside the public method that causes it. The change of state and its event are a task, as in HTML's
event loop, which runs in a later iteration of the scheduler.

Subscriptions are unbounded queues, because their events are rare. (Messages of a data channel are not: ``receive``,
which has back-pressure, returns them.)
"""

import contextvars
import inspect
import logging
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar, overload

import trio

from trio_rtc import _attrs as attrs

from ._environment import require_trio
from ._error_filters import without_closed_errors
from ._strict_names.checks import strict_class, suggestion, warn_obsolete

logger = logging.getLogger("trio_rtc.handlers")

HandlerEventT = TypeVar("HandlerEventT")

Handler = Callable[[HandlerEventT], Awaitable[None] | None]
"""A handler of an event, synchronous or asynchronous."""


class AnyEvent(Protocol):
    """The common members of events: W3C's ``type`` (in snake_case) and ``target``."""

    @property
    def type(self) -> str: ...
    @property
    def target(self) -> object: ...


@attrs.define(eq=False)
class HandlerRunner:
    """Runs the handlers of a peer connection and of its objects.

    Queued tasks are changes of state together with their events. They run in order, in the next iteration of the
    scheduler, in the nursery of the handlers. The queue is emptied in every iteration, so its size is bounded by the
    calls of one iteration. A task that a task queues runs in a later iteration.

    Attributes:
        nursery: Nursery of asynchronous handlers; ``None`` before the ``async with`` block.
        failed: Whether a handler has raised: the block is ending, and no more events are fired.
        ending: Whether the connection is closed: only the tasks that close its tracks still run.
    """

    nursery: trio.Nursery | None = None
    failed: bool = False
    ending: bool = False
    _lender: "HandlerRunner | None" = None
    _waiting: list[Callable[[], Awaitable[None]]] = attrs.field(factory=list)
    _tasks: deque[tuple[Callable[[], None], bool]] = attrs.field(factory=deque)
    _scheduled: bool = False
    _calls: int = 0

    def open(self, nursery: trio.Nursery, lender: "HandlerRunner | None" = None) -> None:
        """Start the functions and tasks that waited for the block.

        ``lender`` is the runner of the connection that lends its nursery to a track created by the application.
        """
        self.nursery = nursery
        self._lender = lender
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            nursery.start_soon(run)
        self._schedule()

    def leave(self) -> None:
        """Wait for another block, as the one that lent its nursery to this track ends."""
        self.nursery = None

    def end(self) -> None:
        """Discard the queued tasks, except those that close tracks: no events follow the end of the connection."""
        self.ending = True
        remaining = [each for each in self._tasks if each[1]]
        self._tasks.clear()
        self._tasks.extend(remaining)

    def start(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a function in the nursery, now or when the block begins."""
        if not self._start_in_nursery(run):
            self._waiting.append(run)

    # -- tasks of the event loop -----------------------------------------------------------------------------------

    @property
    def in_call(self) -> bool:
        """Whether a public method is running, in which no event may be fired."""
        return self._calls > 0

    def __enter__(self) -> None:
        """Begin a synchronous part of a public method, whose tasks are queued."""
        self._calls += 1

    def __exit__(self, *_: object) -> None:
        self._calls -= 1

    def queue_task(self, task: Callable[[], None], *, after_end: bool = False) -> None:
        """Queue a task that changes a state and fires its events; ``after_end``: even if the connection is closed."""
        if after_end or not self.ending:
            self._tasks.append((task, after_end))
            self._schedule()

    def run_queued_tasks(self) -> None:
        """Run the tasks queued so far, before a task that begins now."""
        self._run_queued_tasks()

    def run_task(self, task: Callable[[], None]) -> None:
        """Run a task of a transport after all queued ones; in a public method, queue it."""
        if self._calls:
            self.queue_task(task)
            return
        self._run_queued_tasks()
        if not self.ending:
            task()

    def _schedule(self) -> None:
        if self._scheduled or not self._tasks:
            return
        if self._start_in_nursery(self._run_scheduled):
            self._scheduled = True
        elif trio.lowlevel.in_trio_run():
            # Synchronous handlers and subscriptions need no nursery.
            context = contextvars.copy_context()
            trio.lowlevel.current_trio_token().run_sync_soon(context.run, self._run_scheduled_nowait)
            self._scheduled = True
        # Else there is no scheduler: the tasks wait until another one is queued, or for the block.

    def _start_in_nursery(self, run: Callable[[], Awaitable[None]]) -> bool:
        if self.nursery is None:
            return False
        try:
            self.nursery.start_soon(run)
        except RuntimeError:
            # The application's nursery of a track has ended before the track.
            self.nursery = None
            return False
        return True

    async def _run_scheduled(self) -> None:
        # Without a checkpoint: queued tasks run even if the block is being cancelled.
        self._run_scheduled_nowait()

    def _run_scheduled_nowait(self) -> None:
        self._scheduled = False
        try:
            self._run_queued_tasks()
        finally:
            self._schedule()

    def _run_queued_tasks(self) -> None:
        for _ in range(len(self._tasks)):
            # An earlier task may have closed the connection, which empties the queue.
            if not self._tasks:
                return
            task, _ = self._tasks.popleft()
            try:
                task()
            except BaseException as error:
                self.fail(error)

    # -- errors of handlers ----------------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """End the block with an error of a synchronous handler, unless it is an error of a closed object."""
        remaining = self._remaining(error, ending=self._is_ending)
        if remaining is None:
            return
        self.failed = True

        async def raise_error() -> None:
            # Without a checkpoint: the error is raised even if the block is being cancelled.
            raised = self.remaining_error(remaining)
            if raised is not None:
                raise raised
            self.failed = False

        self.start(raise_error)

    def remaining_error(self, error: BaseException) -> BaseException | None:
        """Return an asynchronous handler's error without errors of closed objects, which are logged instead.

        It is called in a task of the handlers' nursery. A cancelled block has begun to end, too.
        """
        cancelled = trio.current_effective_deadline() == -math.inf
        remaining = self._remaining(error, ending=self._is_ending or cancelled)
        if remaining is not None and not isinstance(remaining, trio.Cancelled):
            self.failed = True
        return remaining

    @property
    def _is_ending(self) -> bool:
        return self.ending or (self._lender is not None and self._lender.ending)

    def _remaining(self, error: BaseException, *, ending: bool) -> BaseException | None:
        remaining = without_closed_errors(error, ending=ending)
        if remaining is not error:
            # Without a traceback, as this is no fault.
            logger.info("a handler used something that is closed: %r", error)
        return remaining


@attrs.define(eq=False)
class _Listener:
    """A handler, with the pending calls of an asynchronous one."""

    callback: Handler[Any]
    runner: HandlerRunner
    idle: Callable[[], None]
    once: bool = False
    waiting: deque[Awaitable[None]] = attrs.field(factory=deque)
    busy: bool = False

    def call(self, event: AnyEvent) -> None:
        try:
            result: object = self.callback(event)
        except Exception as error:
            self.runner.fail(error)
            return
        if inspect.isawaitable(result):
            self.waiting.append(result)
            if not self.busy:
                self.busy = True
                self.runner.start(self._work)
        elif inspect.isgenerator(result) or inspect.isasyncgen(result):
            # For example of a lambda that calls a generator function.
            self.runner.fail(
                TypeError(
                    f"a handler of {event.type!r}, {self.callback!r}, returned a generator, which would never run"
                )
            )

    async def _work(self) -> None:
        try:
            while self.waiting:
                await self._handle(self.waiting.popleft())
        finally:
            self.busy = False
            while self.waiting:
                rest = self.waiting.popleft()
                if inspect.iscoroutine(rest):
                    rest.close()
        self.idle()

    async def _handle(self, result: Awaitable[None]) -> None:
        try:
            await result
        except BaseException as error:
            remaining = self.runner.remaining_error(error)
            if remaining is error:
                raise
            if remaining is not None:
                raise remaining from None


def _refuse_generator_function(name: str, handler: object) -> None:
    """Raise ``TypeError`` for a function with ``yield``, whose body a call does not run."""
    for called in (handler, getattr(type(handler), "__call__", None)):  # noqa: B004 - its kind matters
        if not (inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called)):
            continue
        # types.coroutine makes a generator function awaitable.
        code = getattr(called, "__code__", None)
        if code is None or not code.co_flags & inspect.CO_ITERABLE_COROUTINE:
            raise TypeError(
                f"{name} must be a function without 'yield', not {handler!r}: a generator would never run"
            )


class EventHandler(Generic[HandlerEventT]):
    """The ``on_*`` slot of an event: a handler, or ``None``.

    As in W3C, the handler's position among the listeners is that of the first assignment.
    """

    def __init__(self, event: str) -> None:
        self._event = event

    @overload
    def __get__(self, instance: None, owner: type[object]) -> "EventHandler[HandlerEventT]": ...
    @overload
    def __get__(self, instance: "EventTarget", owner: type[object]) -> Handler[HandlerEventT] | None: ...
    def __get__(
        self, instance: "EventTarget | None", owner: type[object]
    ) -> "EventHandler[HandlerEventT] | Handler[HandlerEventT] | None":
        if instance is None:
            return self
        return instance._slot(self._event)

    def __set__(self, instance: "EventTarget", handler: Handler[HandlerEventT] | None) -> None:
        if handler is not None and not callable(handler):
            raise TypeError(f"on_{self._event} must be a function or None, not {handler!r}")
        _refuse_generator_function(f"on_{self._event}", handler)
        instance._set_slot(self._event, handler)

    def __delete__(self, instance: "EventTarget") -> None:
        instance._set_slot(self._event, None)


@strict_class
class EventTarget:
    """An object that fires events (WHATWG DOM section 2.7, in Python's spelling)."""

    EVENTS: frozenset[str] = frozenset()
    """Names of this object's events."""

    _OBSOLETE_EVENTS: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Obsolete events of this object → what replaces them."""

    def __init__(self, runner: HandlerRunner) -> None:
        self._runner = runner
        self._listeners: dict[str, dict[object, _Listener]] = {}
        self._subscribers: dict[str, dict[trio.MemorySendChannel[Any], None]] = {}
        self._events_ended = False

    def add_event_listener(self, event: str, handler: Handler[Any], *, once: bool = False) -> None:
        """Register a handler for an event. Adding the same handler twice has no effect.

        Args:
            event: Name of the event, such as ``"ice_candidate"``.
            handler: A function of one argument, the event; an ``async`` one runs in the connection's nursery.
            once: Whether to remove the handler after the first event.

        Raises:
            TypeError: The handler is a generator function, which would never run.
            ValueError: This object has no such event.
        """
        self._check_event(event)
        _refuse_generator_function("add_event_listener() argument 'handler'", handler)
        self._warn_if_obsolete(event)
        listeners = self._listeners.setdefault(event, {})
        if handler not in listeners:
            listeners[handler] = _Listener(handler, self._runner, self._handlers_idle, once)
            self._handler_added()

    def remove_event_listener(self, event: str, handler: Handler[Any]) -> None:
        """Remove a handler. Without effect if it was not added.

        Raises:
            ValueError: This object has no such event.
        """
        self._check_event(event)
        self._listeners.get(event, {}).pop(handler, None)

    def dispatch_event(self, event: AnyEvent) -> bool:
        """Fire an event at this object.

        Returns:
            ``True``: none of these events is cancelable.

        Raises:
            ValueError: This object has no such event.
        """
        self._check_event(event.type)
        self._fire(event)
        return True

    def subscribe(self, event: str) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[Any]]:
        """Return a context manager that collects events of one kind for ``async for``.

        The subscription starts with the block; the iteration ends when the object is closed.

        Raises:
            ValueError: This object has no such event.
        """
        self._check_event(event)
        self._warn_if_obsolete(event)
        return self._subscription(event)

    @asynccontextmanager
    async def _subscription(self, event: str) -> AsyncIterator[trio.MemoryReceiveChannel[Any]]:
        require_trio("EventTarget.subscribe")
        # Unbounded: the events of a connection are rare.
        send, receive = trio.open_memory_channel[Any](float("inf"))
        if self._events_ended:
            send.close()
        subscribers = self._subscribers.setdefault(event, {})
        subscribers[send] = None
        try:
            await trio.lowlevel.checkpoint()
            with receive:
                yield receive
        finally:
            subscribers.pop(send, None)
            send.close()

    def _fire(self, event: AnyEvent) -> None:
        """Call the handlers and send to the subscriptions, unless the object has ended."""
        if self._events_ended or self._runner.failed:
            return
        kind = event.type
        listeners = self._listeners.get(kind)
        if listeners:
            for key, listener in list(listeners.items()):
                # A handler removed by an earlier one is not called (WHATWG DOM section 2.10).
                if listeners.get(key) is not listener:
                    continue
                if listener.once:
                    listeners.pop(key, None)
                listener.call(event)
        for subscriber in tuple(self._subscribers.get(kind, ())):
            subscriber.send_nowait(event)

    def _end_events(self) -> None:
        """End the events and the subscriptions."""
        self._events_ended = True
        for subscribers in self._subscribers.values():
            for subscriber in subscribers:
                subscriber.close()

    def _is_heard(self, event: str) -> bool:
        return bool(self._listeners.get(event) or self._subscribers.get(event))

    def _has_handler(self, event: str) -> bool:
        return bool(self._listeners.get(event))

    def _handlers_are_busy(self, event: str) -> bool:
        return any(listener.busy for listener in self._listeners.get(event, {}).values())

    def _handler_added(self) -> None:
        """Called inside the public method that has added a handler."""

    def _handlers_idle(self) -> None:
        """Called when an asynchronous handler has finished its work."""

    def _slot(self, event: str) -> Handler[Any] | None:
        listener = self._listeners.get(event, {}).get(_SLOT)
        return None if listener is None else listener.callback

    def _set_slot(self, event: str, handler: Handler[Any] | None) -> None:
        if handler is not None:
            self._warn_if_obsolete(event)
        listeners = self._listeners.setdefault(event, {})
        if handler is None:
            listeners.pop(_SLOT, None)
        elif (listener := listeners.get(_SLOT)) is not None:
            listener.callback = handler
        else:
            listeners[_SLOT] = _Listener(handler, self._runner, self._handlers_idle)
        if handler is not None:
            self._handler_added()

    def _check_event(self, event: str) -> None:
        if event not in self.EVENTS:
            known = sorted(self.EVENTS)
            raise ValueError(
                f"{type(self).__name__} has no event {event!r}{suggestion(event, known, 'it has')}"
            )

    def _warn_if_obsolete(self, event: str) -> None:
        replacement = self._OBSOLETE_EVENTS.get(event)
        if replacement is not None:
            warn_obsolete(f"the event {event!r} of {type(self).__name__}", replacement)


_SLOT = object()
