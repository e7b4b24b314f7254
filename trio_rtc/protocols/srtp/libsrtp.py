"""One direction of libsrtp, called past pylibsrtp's wrapper.

The wrapper allocates a length for every packet and slices through a Python object; that takes longer than the cipher.
Here the buffer and the length are allocated once. What owns libsrtp's memory is still pylibsrtp's ``Session``, so its
life is as safe as it was: the pointer is used only while this object, which holds the session, is alive.

libsrtp works in place: what fits :data:`BUFFER_SIZE` with the longest trailer cannot run over the end of the buffer.
"""

from collections.abc import Callable
from typing import Any, Final

from pylibsrtp import ERRORS, Error, Policy, Session
from pylibsrtp._binding import ffi, lib

BUFFER_SIZE: Final = 2048
_OK: Final = lib.srtp_err_status_ok


class Direction:
    """Protects or unprotects packets, all under the keys of one policy.

    Its methods raise pylibsrtp's ``Error`` for what libsrtp does not take.

    Args:
        policy: Keys and profile.
    """

    __slots__ = ("_buffer", "_handle", "_length", "_session", "_view")

    def __init__(self, policy: Policy) -> None:
        self._session = Session(policy)
        self._handle = self._session._srtp[0]
        self._buffer = ffi.new("char[]", BUFFER_SIZE)
        self._view = ffi.buffer(self._buffer)
        self._length = ffi.new("int *")

    def protect(self, packet: bytes) -> bytes:
        """Return the SRTP packet of an RTP packet, which the caller has checked."""
        return self._process(lib.srtp_protect, packet)

    def unprotect(self, packet: bytes) -> bytes:
        """Return the RTP packet of an SRTP packet, which the caller has checked."""
        return self._process(lib.srtp_unprotect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP packet of an RTCP packet, which the caller has checked."""
        return self._process(lib.srtp_protect_rtcp, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Return the RTCP packet of an SRTCP packet, which the caller has checked."""
        return self._process(lib.srtp_unprotect_rtcp, packet)

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
