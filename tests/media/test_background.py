"""Tasks that run concurrently with a block."""

import pytest
import trio

from trio_rtc.media._background import background


async def test_tasks_run_during_the_block_and_are_cancelled_at_its_end(autojump_clock):
    log = []

    async def work(name):
        try:
            log.append(f"{name} begins")
            await trio.sleep_forever()
        finally:
            log.append(f"{name} ends")

    async with background(lambda: work("a")) as nursery:
        nursery.start_soon(work, "b")
        await trio.sleep(1)
        assert sorted(log) == ["a begins", "b begins"]
    assert sorted(log[2:]) == ["a ends", "b ends"]


async def test_an_exception_of_the_block_is_raised_as_it_is(autojump_clock):
    error = KeyError("mine")

    async def use():
        async with background(trio.sleep_forever):
            await trio.sleep(1)
            raise error

    with pytest.raises(KeyError) as raised:
        await use()
    assert raised.value is error


async def test_an_exception_of_a_task_ends_the_block_and_is_raised_as_it_is(autojump_clock):
    error = ZeroDivisionError()
    reached = []

    async def fail():
        await trio.sleep(1)
        raise error

    async def use():
        async with background(fail, trio.sleep_forever):
            try:
                await trio.sleep_forever()
            finally:
                reached.append(trio.current_time())

    begun = trio.current_time()
    with pytest.raises(ZeroDivisionError) as raised:
        await use()
    assert raised.value is error
    assert reached == [begun + 1]


async def test_exceptions_of_several_tasks_are_a_group(autojump_clock):
    async def fail():
        await trio.sleep(1)
        raise KeyError

    async def fail_when_cancelled():
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError

    async def use():
        async with background(fail, fail_when_cancelled):
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as raised:
        await use()
    assert {type(each) for each in raised.value.exceptions} == {KeyError, ValueError}


async def test_cancellation_from_outside_passes(autojump_clock):
    with trio.move_on_after(1) as scope:
        async with background(trio.sleep_forever):
            await trio.sleep_forever()
    assert scope.cancelled_caught
