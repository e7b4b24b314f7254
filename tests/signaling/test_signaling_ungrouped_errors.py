"""A single exception of a nursery without its exception group."""

import pytest
import trio

from trio_rtc.signaling.ungrouped_errors import ungrouped_errors


async def fail(error: BaseException) -> None:
    await trio.lowlevel.checkpoint()
    raise error


async def test_a_single_error_is_raised_as_it_is() -> None:
    cause, error = ValueError("cause"), KeyError("mine")
    error.__context__ = cause

    async def use() -> None:
        with ungrouped_errors():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail, error)
                nursery.start_soon(trio.sleep_forever)

    with pytest.raises(KeyError) as raised:
        await use()
    assert raised.value is error
    assert raised.value.__context__ is cause


def test_cancellations_beside_the_error_are_ignored() -> None:
    error = KeyError("mine")

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                group = BaseExceptionGroup("", [cancelled, error])
                with pytest.raises(KeyError) as raised, ungrouped_errors():
                    raise group from None
                assert raised.value is error

    trio.run(main)


def test_several_errors_remain_a_group() -> None:
    group = ExceptionGroup("both", [KeyError(), ValueError()])
    with pytest.raises(ExceptionGroup) as raised, ungrouped_errors():
        raise group
    assert raised.value is group


def test_an_error_without_a_group_is_unchanged() -> None:
    error = KeyError()
    with pytest.raises(KeyError) as raised, ungrouped_errors():
        raise error
    assert raised.value is error
    with ungrouped_errors():
        pass
