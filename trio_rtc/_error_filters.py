"""Filters of errors: of closed objects (:func:`without_closed_errors`), and of nurseries (:func:`ungrouped_errors`).

A handler may be running when its connection ends, or another connection that it uses, or when the peer leaves. Its next
call then raises ``InvalidStateError``, ``trio.ClosedResourceError`` or ``trio.BrokenResourceError``. Such an error is
logged and not raised when it escapes a handler

- of a connection whose block has begun to end, whichever object raised it,
- of a connection whose block ends with an exception of its own, which the error must not hide, or
- of any connection, if it is marked: raised by an object of this package because its connection is closed, or because
  the peer has left or has closed the channel.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from .errors import InvalidStateError

ErrorT = TypeVar("ErrorT", bound=BaseException)

CLOSED_ERRORS = (InvalidStateError, trio.ClosedResourceError, trio.BrokenResourceError)
_MARK = "_trio_rtc_connection_ended"


def mark_connection_ended(error: ErrorT) -> ErrorT:
    """Mark an error as caused by a closed connection or by the peer, and return it."""
    setattr(error, _MARK, True)
    return error


def without_closed_errors(error: BaseException, *, ending: bool) -> BaseException | None:
    """Return an error that has escaped a handler, without errors of closed objects.

    Args:
        error: The error, or a group that may contain such errors at any depth.
        ending: Whether the block of the handler's connection has begun to end.

    Returns:
        The error itself if it contains none; the rest of a group; ``None`` if nothing is left.
    """

    def is_closed_error(leaf: BaseException) -> bool:
        return isinstance(leaf, CLOSED_ERRORS) and (ending or hasattr(leaf, _MARK))

    if isinstance(error, BaseExceptionGroup):
        # A new group only if something is left out: the application's errors stay unchanged.
        return error if error.subgroup(is_closed_error) is None else error.split(is_closed_error)[1]
    return None if is_closed_error(error) else error


@contextmanager
def ungrouped_errors() -> Iterator[None]:
    """Raise a single exception from a nursery as it is, not in a group.

    Cancellations of the other tasks are ignored. Several exceptions remain a group.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        errors = [error for error in group.exceptions if not isinstance(error, trio.Cancelled)]
        if len(errors) != 1:
            raise
        error, context = errors[0], errors[0].__context__
        try:
            raise error
        finally:
            error.__context__ = context
            del error, errors, group
