"""FFmpeg's containers in threads."""

import threading

import pytest
import trio
import trio.testing

from trio_rtc.media._container import (
    ThreadedContainer,
    is_local,
    media_limiter,
    open_container,
    translate_error,
)

LONGEST_HOLD = 30.0
"""Real seconds after which a thread ends that a test failed to release."""


class Container:
    """A container whose use may be held, and that detects use after closing."""

    def __init__(self):
        self.closed = 0
        self.entered = trio.Event()
        self.released = trio.Event()
        self.proceed = threading.Event()
        self._token = trio.lowlevel.current_trio_token()

    def close(self):
        self.closed += 1
        self._token.run_sync_soon(self.released.set)

    def hold(self):
        self._token.run_sync_soon(self.entered.set)
        assert self.proceed.wait(LONGEST_HOLD)
        return "done"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("film.mp4", True),
        ("/tmp/film.mp4", True),
        ("file:film.mp4", True),
        ("file:///film.mp4", True),
        ("http://host/film.mp4", False),
        ("rtsp://host", False),
    ],
)
def test_local_paths(name, expected):
    assert is_local(name) is expected


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (FileNotFoundError(2, "No such file"), FileNotFoundError, "[Errno 2] No such file: 'film'"),
        (OSError(5, None), OSError, "[Errno 5] cannot be opened: 'film'"),
        (ValueError("bad"), ValueError, "film: bad"),
        (RuntimeError("bad"), OSError, "film: bad"),
        (OSError("bad"), OSError, "film: bad"),
    ],
)
def test_errors_have_the_name(error, kind, text):
    translated = translate_error(error, "film")
    assert type(translated) is kind
    assert str(translated) == text


async def test_errors_of_opening_are_translated():
    def fail():
        raise RuntimeError("codec not found")

    with pytest.raises(OSError, match="film: codec not found"):
        await open_container(fail, "film", local=True)
    assert media_limiter().borrowed_tokens == 0


@pytest.mark.parametrize("local", [True, False])
async def test_calls_return_and_raise(local):
    container = Container()
    opened = await open_container(lambda: container, "film", local=local)
    assert opened.container is container
    assert await opened.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await opened.call(lambda: 1 / 0)
    await opened.aclose()
    await opened.aclose()
    assert container.closed == 1
    with pytest.raises(ValueError, match="container is closed"):
        await opened.call(lambda: 7)


async def test_cancelled_call_on_a_local_file_is_awaited():
    container = Container()
    opened = ThreadedContainer(container, local=True)
    results = []
    async with trio.open_nursery() as nursery:

        async def use():
            results.append(await opened.call(container.hold))

        nursery.start_soon(use)
        await container.entered.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        assert media_limiter().borrowed_tokens == 1
        container.proceed.set()
    assert results == ["done"]
    assert media_limiter().borrowed_tokens == 0


async def test_abandoned_thread_releases_the_container_when_it_returns():
    container = Container()
    opened = ThreadedContainer(container, local=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(opened.call, container.hold)
        await container.entered.wait()
        nursery.cancel_scope.cancel()
    opened.close()
    # The thread still uses it.
    assert container.closed == 0
    container.proceed.set()
    await container.released.wait()
    assert container.closed == 1
