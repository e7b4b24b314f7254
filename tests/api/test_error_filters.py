"""Errors of closed objects among the errors of handlers, and single errors of nurseries."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc import InvalidStateError
from trio_rtc._error_filters import (
    CLOSED_ERRORS,
    mark_connection_ended,
    ungrouped_errors,
    without_closed_errors,
)


@pytest.mark.parametrize("kind", CLOSED_ERRORS)
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("ending", [True, False])
def test_an_error_of_a_closed_object(kind: type[Exception], marked: bool, ending: bool) -> None:
    error = kind("closed")
    if marked:
        assert mark_connection_ended(error) is error
    assert without_closed_errors(error, ending=ending) is (None if marked or ending else error)


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), trio.BusyResourceError()])
def test_other_errors_stay_even_if_marked(error: BaseException) -> None:
    assert without_closed_errors(mark_connection_ended(error), ending=True) is error


def test_a_group_loses_its_errors_of_closed_objects_at_any_depth() -> None:
    kept, closed = ValueError(), trio.ClosedResourceError()
    inner = ExceptionGroup("inner", [closed, kept])
    group = ExceptionGroup("outer", [InvalidStateError(), inner, trio.BrokenResourceError()])
    remaining = without_closed_errors(group, ending=True)
    assert isinstance(remaining, ExceptionGroup)
    (nested,) = remaining.exceptions
    assert isinstance(nested, ExceptionGroup)
    assert (remaining.message, nested.message, nested.exceptions) == ("outer", "inner", (kept,))


def test_a_group_without_such_errors_stays_the_same_object() -> None:
    group = ExceptionGroup("application", [ValueError(), trio.ClosedResourceError()])
    assert without_closed_errors(group, ending=False) is group


def test_a_group_of_nothing_else_disappears() -> None:
    group = BaseExceptionGroup("all", [ExceptionGroup("inner", [InvalidStateError()])])
    assert without_closed_errors(group, ending=True) is None
    assert without_closed_errors(group, ending=False) is group


LEAVES = st.sampled_from([*CLOSED_ERRORS, ValueError, OSError]).map(lambda kind: kind())
GROUPS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda each: ExceptionGroup("", each))
)


def leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [] if error is None else [error]


@given(GROUPS)
def test_all_other_errors_remain_in_order(error: Exception) -> None:
    expected = [leaf for leaf in leaves(error) if not isinstance(leaf, CLOSED_ERRORS)]
    assert leaves(without_closed_errors(error, ending=True)) == expected
    assert without_closed_errors(error, ending=False) is error


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


async def test_cancellations_beside_the_error_are_ignored() -> None:
    error = KeyError("mine")
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            group = BaseExceptionGroup("", [cancelled, error])
            with pytest.raises(KeyError) as raised, ungrouped_errors():
                raise group from None
            assert raised.value is error


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
