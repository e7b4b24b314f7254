"""Lets an exception leave a nursery of ours as it is, not wrapped in a group."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


@contextmanager
def plain_errors() -> Iterator[None]:
    """Around a nursery: when one exception comes out of it, raise that one and not the group around it.

    That the other tasks were cancelled because of it is no news. Several exceptions stay a group.
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
