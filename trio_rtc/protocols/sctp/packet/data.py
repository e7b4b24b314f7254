"""The DATA chunk (RFC 9260 section 3.3.1) as a struct and flags: the hot path creates no objects."""

import struct
from typing import Final

DATA: Final = 0
DATA_HEADER: Final = struct.Struct(">BBHIHHI")
DataHeader = tuple[int, int, int, int, int, int, int]
"""Type, flags, length, TSN, stream identifier, stream sequence number, payload protocol identifier."""
DATA_HEADER_SIZE: Final = 16

END: Final = 1
BEGIN: Final = 2
UNORDERED: Final = 4
IMMEDIATE: Final = 8  # RFC 7053
UNFRAGMENTED: Final = BEGIN | END

# The padding of data, by its length modulo four.
PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
