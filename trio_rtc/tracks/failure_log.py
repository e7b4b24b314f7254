"""A log of failures of single frames, which are many and have few causes."""

import logging
import re
from typing import Final

_MAX_CAUSES: Final = 16
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


class FailureLog:
    """Logs each cause of failure once at WARNING, and its repetitions at DEBUG.

    Args:
        logger: The logger. Causes beyond the first 16 are logged at DEBUG only.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._causes: set[str] = set()

    def record(self, message: str, *args: object) -> None:
        """Log a failure; the same text with other numbers in it is the same cause."""
        cause = _NUMBER.sub("0", message % args)
        is_new = cause not in self._causes and len(self._causes) < _MAX_CAUSES
        if is_new:
            self._causes.add(cause)
        self._logger.log(logging.WARNING if is_new else logging.DEBUG, message, *args)
