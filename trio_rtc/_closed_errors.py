"""Errors that say only that something is closed: while a connection ends, handlers run into them through no fault.

A handler may be anywhere when its connection ends, or another connection that it uses, or when the peer leaves. What it
calls then raises ``InvalidStateError``, ``trio.ClosedResourceError`` or ``trio.BrokenResourceError``. Such an error is
logged and not raised when it escapes a handler

- of a connection whose block has begun to end, whatever has raised it,
- of a connection whose block ends with an exception of its own, which the error may not hide, or
- of any connection, if it is marked: raised by an object of ours because its connection is closed, or because the peer
  has left or has closed the channel.
"""

from typing import TypeVar

import trio

from .errors import InvalidStateError

ErrorT = TypeVar("ErrorT", bound=BaseException)

CLOSED_ERRORS = (InvalidStateError, trio.ClosedResourceError, trio.BrokenResourceError)
_MARK = "_trio_rtc_connection_ended"


def mark_connection_ended(error: ErrorT) -> ErrorT:
    """Mark an error as one that a closed connection or the peer has caused, and return it."""
    setattr(error, _MARK, True)
    return error


def without_closed_errors(error: BaseException, *, ending: bool) -> BaseException | None:
    """Return what is left to raise of an error that has escaped a handler.

    Args:
        error: The error, or a group that may contain such errors at any depth.
        ending: Whether the block of the handler's connection has begun to end.

    Returns:
        The error itself if there is nothing to leave out; the rest of a group; ``None`` if nothing is left.
    """

    def only_says_closed(leaf: BaseException) -> bool:
        return isinstance(leaf, CLOSED_ERRORS) and (ending or hasattr(leaf, _MARK))

    if isinstance(error, BaseExceptionGroup):
        # A new group only where something is left out: what the application raises stays as it is.
        return error if error.subgroup(only_says_closed) is None else error.split(only_says_closed)[1]
    return None if only_says_closed(error) else error
