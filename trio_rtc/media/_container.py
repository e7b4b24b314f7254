"""FFmpeg's containers in threads.

What reads from a network or a device may block for long. A thread that does is left behind when its caller is
cancelled; it then frees the container itself, as soon as FFmpeg returns, which the timeout that the container was
opened with bounds. Reading a local file is waited for, so that nothing is left behind.
"""

import functools
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import av
import av.container
import trio

from trio_rtc._environment import call_in_thread, thread_limiter

T = TypeVar("T")
ContainerT = TypeVar("ContainerT", bound=av.container.Container)

_THREADS = 64


def media_limiter() -> trio.CapacityLimiter:
    """Return the limiter of this trio run's threads that read and write files and devices."""
    return thread_limiter("media", _THREADS)


def is_local(path_or_url: str) -> bool:
    """Return whether reading from there does not wait for others."""
    return "://" not in path_or_url or path_or_url.startswith("file:")


async def open_container(
    function: Callable[[], ContainerT], name: str, *, local: bool
) -> "ThreadedContainer[ContainerT]":
    """Open a container in a thread.

    Raises:
        OSError: It does not exist, or may not be opened, or does not answer.
        ValueError: It is not of a format that FFmpeg knows.
    """
    try:
        container = await _call(function, local=local, abandon=not local)
    except Exception as error:
        # What PyAV raises for a hostile file is not a closed list.
        raise clear_error(error, name) from None
    return ThreadedContainer(container, local)


async def _call(function: Callable[[], T], *, local: bool, abandon: bool) -> T:
    """Call a function in a thread; what only uses local files may be called in place in a deterministic run."""
    if local:
        return await call_in_thread(function, abandon_on_cancel=abandon, limiter=media_limiter())
    return await trio.to_thread.run_sync(function, abandon_on_cancel=abandon, limiter=media_limiter())


def clear_error(error: Exception, name: str) -> Exception:
    """Return what FFmpeg raised as an ``OSError`` or ``ValueError`` of Python's own that tells the name."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror or "cannot be opened", name)
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ValueError):
        return ValueError(f"{name}: {reason}")
    return OSError(f"{name}: {reason}")


class ThreadedContainer(Generic[ContainerT]):
    """A container that one thread at a time may use.

    Attributes:
        container: FFmpeg's.
    """

    def __init__(self, container: ContainerT, local: bool) -> None:
        self.container = container
        self._local = local
        self._mutex = threading.Lock()
        self._busy = False
        self._closed = False

    async def call(self, function: Callable[[], T], *, abandon: bool = False) -> T:
        """Call a function that uses the container, in a thread, and return what it returns.

        Args:
            function: Called without arguments.
            abandon: Whether the thread may be left behind when this is cancelled, even if the container is local.
                Nothing but ``close`` may be called after that.
        """
        call = functools.partial(self._run, function)
        return await _call(call, local=self._local, abandon=abandon or not self._local)

    async def aclose(self) -> None:
        """Like ``close``, in a thread, as the end of a file may be long in the writing."""
        await _call(self.close, local=self._local, abandon=True)

    def close(self) -> None:
        """Free the container: now, or when the thread that is in it returns."""
        with self._mutex:
            closed, self._closed = self._closed, True
            if self._busy or closed:
                return
        self.container.close()

    def _run(self, function: Callable[[], T]) -> T:
        """Runs in a thread."""
        with self._mutex:
            if self._closed:
                raise ValueError("the container is closed")
            self._busy = True
        try:
            return function()
        finally:
            with self._mutex:
                self._busy = False
                abandoned = self._closed
            if abandoned:
                self.container.close()
