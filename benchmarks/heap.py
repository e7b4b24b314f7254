"""Bytes that the program has allocated and not freed, without the reserves of the allocators."""

import ctypes
import os
import re
import sys
import tempfile
from typing import Final

_SMALL_OBJECTS: Final = re.compile(r"^# bytes in allocated blocks\s+= +([\d,]+)$", re.MULTILINE)
_STDERR: Final = 2


class _MallocInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def bytes_in_use() -> int:
    """Return the bytes in use of Python's small objects and of the C heap; OpenSSL and libsrtp allocate there too.

    Needs CPython with its own allocator, and glibc 2.33.
    """
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _MallocInfo
    info = mallinfo2()
    return _small_objects() + int(info.uordblks) + int(info.hblkhd)


def _small_objects() -> int:
    """Return the bytes allocated by Python's own allocator, which prints them to stderr only."""
    with tempfile.TemporaryFile() as printed:
        stderr = os.dup(_STDERR)
        try:
            os.dup2(printed.fileno(), _STDERR)
            sys._debugmallocstats()
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
        printed.seek(0)
        found = _SMALL_OBJECTS.search(printed.read().decode())
    assert found is not None, "sys._debugmallocstats() did not print the bytes in allocated blocks"
    return int(found[1].replace(",", ""))
