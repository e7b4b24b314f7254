"""One direction of libsrtp, called past pylibsrtp's wrapper.

The wrapper allocates a length for every packet and slices through a Python object; that takes longer than the cipher.
Here the buffer and the length are allocated once. What owns libsrtp's memory is still pylibsrtp's ``Session``, so its
life is as safe as it was: the pointer is used only while this object, which holds the session, is alive.

libsrtp works in place: what fits :data:`BUFFER_SIZE` with the longest trailer cannot run over the end of the buffer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pylibsrtp import ERRORS, Error, Policy, Session
from pylibsrtp._binding import ffi, lib

BUFFER_SIZE: Final = 2048
Transform = Callable[[bytes], bytes]
"""Makes the encrypted packet of a plain one, or the other way round."""
_OK: Final = lib.srtp_err_status_ok


class SrtpContext:
    """Protects or unprotects packets, all under the keys of one policy.

    Each way takes a packet, which the caller has checked, and returns what becomes of it. It raises pylibsrtp's
    ``Error`` for what libsrtp does not take.

    Args:
        policy: Keys and profile.

    Attributes:
        protect: From RTP to SRTP.
        unprotect: From SRTP to RTP.
        protect_rtcp: From RTCP to SRTCP.
        unprotect_rtcp: From SRTCP to RTCP.
    """

    __slots__ = (
        "_buffer",
        "_handle",
        "_length",
        "_session",
        "_view",
        "protect",
        "protect_rtcp",
        "unprotect",
        "unprotect_rtcp",
    )

    def __init__(self, policy: Policy) -> None:
        self._session = Session(policy)
        self._handle = self._session._srtp[0]
        self._buffer = ffi.new("char[]", BUFFER_SIZE)
        self._view = ffi.buffer(self._buffer)
        self._length = ffi.new("int *")
        self.protect: Final[Transform] = partial(self._process, lib.srtp_protect)
        self.unprotect: Final[Transform] = partial(self._process, lib.srtp_unprotect)
        self.protect_rtcp: Final[Transform] = partial(self._process, lib.srtp_protect_rtcp)
        self.unprotect_rtcp: Final[Transform] = partial(self._process, lib.srtp_unprotect_rtcp)

    def remove_source(self, ssrc: int) -> None:
        """Forget a source."""
        self._session.remove_stream(ssrc)

    def _process(self, function: Callable[[Any, Any, Any], int], packet: bytes) -> bytes:
        size = len(packet)
        # A slice of another size is refused by the view itself, before anything is written.
        self._view[0:size] = packet
        self._length[0] = size
        status = function(self._handle, self._buffer, self._length)
        if status != _OK:
            raise Error(ERRORS[status])
        result: bytes = self._view[0 : self._length[0]]
        return result
