"""One direction of SRTP, on the functions of libsrtp without pylibsrtp's wrapper.

The wrapper allocates a length for every packet and copies through a Python object, which takes longer than the cipher.
Here the buffer and the length are allocated once. libsrtp's memory is owned by pylibsrtp's ``Session``; the pointer is
used only while this object, which holds the session, is alive.

libsrtp works in place: a packet that fits :data:`BUFFER_SIZE` with the longest trailer cannot overrun the buffer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pylibsrtp import ERRORS, Error, Policy, Session
from pylibsrtp._binding import ffi, lib

BUFFER_SIZE: Final = 2048
Transform = Callable[[bytes], bytes]
"""Returns the encrypted packet of a plain one, or vice versa."""
_OK: Final = lib.srtp_err_status_ok


class SrtpContext:
    """The cryptographic contexts of one direction (RFC 3711 section 3.2), for all SSRCs.

    Its functions expect a packet that the caller has validated, and raise pylibsrtp's ``Error`` if libsrtp fails.

    Args:
        policy: Keys and profile.

    Attributes:
        protect: Returns the SRTP packet of an RTP packet.
        unprotect: Returns the RTP packet of an SRTP packet.
        protect_rtcp: Returns the SRTCP packet of an RTCP packet.
        unprotect_rtcp: Returns the RTCP packet of an SRTCP packet.
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
        """Remove the context of an SSRC."""
        self._session.remove_stream(ssrc)

    def _process(self, function: Callable[[Any, Any, Any], int], packet: bytes) -> bytes:
        size = len(packet)
        # A packet larger than the buffer raises ValueError here, before anything is written.
        self._view[0:size] = packet
        self._length[0] = size
        status = function(self._handle, self._buffer, self._length)
        if status != _OK:
            raise Error(ERRORS[status])
        result: bytes = self._view[0 : self._length[0]]
        return result
