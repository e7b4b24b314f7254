"""Raises a single exception of a nursery without its exception group."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


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
