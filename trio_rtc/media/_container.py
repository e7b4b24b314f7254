"""FFmpeg's containers in threads.

Reading from a network or a device may block for long. When the caller is cancelled, the thread is abandoned; it
releases the container as soon as FFmpeg returns, at the latest after the container's timeout. Reading a local file is
always awaited, so that no thread is abandoned.
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
    """Return whether reading from this path or URL involves neither network nor other programs."""
    return "://" not in path_or_url or path_or_url.startswith("file:")


async def open_container(
    function: Callable[[], ContainerT], name: str, *, local: bool
) -> "ThreadedContainer[ContainerT]":
    """Open a container in a thread, which is not abandoned if the container is a local file.

    Raises:
        OSError: It does not exist, must not be opened, or does not answer.
        ValueError: FFmpeg does not know its format.
    """
    try:
        container = await _call(function, local=local, abandon=not local)
    except Exception as error:
        # PyAV does not document which exceptions a hostile file raises.
        raise translate_error(error, name) from None
    return ThreadedContainer(container, local)


async def _call(function: Callable[[], T], *, local: bool, abandon: bool) -> T:
    """Call a function in a thread, or in place if it only uses local files and the run is deterministic."""
    if local:
        return await call_in_thread(function, abandon_on_cancel=abandon, limiter=media_limiter())
    return await trio.to_thread.run_sync(function, abandon_on_cancel=abandon, limiter=media_limiter())


def translate_error(error: Exception, name: str) -> Exception:
    """Return an exception of FFmpeg as a built-in ``OSError`` or ``ValueError`` with the name."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror or "cannot be opened", name)
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, ValueError):
        return ValueError(f"{name}: {reason}")
    return OSError(f"{name}: {reason}")


class ThreadedContainer(Generic[ContainerT]):
    """A container that at most one thread at a time uses."""

    def __init__(self, container: ContainerT, local: bool) -> None:
        self.container = container
        self._local = local
        self._mutex = threading.Lock()
        self._busy = False
        self._closed = False

    async def call(self, function: Callable[[], T], *, abandon: bool = False) -> T:
        """Call a function that uses the container in a thread, and return its result.

        With ``abandon``, a cancellation abandons the thread even if the container is local. Only ``close`` may be
        called after that.
        """
        call = functools.partial(self._run, function)
        return await _call(call, local=self._local, abandon=abandon or not self._local)

    async def aclose(self) -> None:
        """Close in a thread, since writing the end of a file may take long."""
        await _call(self.close, local=self._local, abandon=True)

    def close(self) -> None:
        """Release the container: at once, or when the thread that uses it returns."""
        with self._mutex:
            closed, self._closed = self._closed, True
            if self._busy or closed:
                return
        self.container.close()

    def _run(self, function: Callable[[], T]) -> T:
        with self._mutex:
            if self._closed:
                raise ValueError("container is closed")
            self._busy = True
        try:
            return function()
        finally:
            with self._mutex:
                self._busy = False
                abandoned = self._closed
            if abandoned:
                self.container.close()
