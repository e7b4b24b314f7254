"""SRTP in both directions, with the keys of one DTLS association.

libsrtp has one session for each direction, and in it a stream (keys, rollover counter, replay windows) for every SSRC,
created when the first packet of that SSRC is sent, or has proved authentic. So only the authenticated peer can make it
allocate, by sending from ever new SSRCs. This session therefore counts the SSRCs received and refuses new ones beyond a
bound, before libsrtp reads the packet. The demultiplexer removes those that have ended by ``remove_source``.

Lengths and header fields are checked here before libsrtp reads a packet. Not supported: master key identifiers and
re-keying, which DTLS-SRTP does not use (a new association brings a new session), and cryptex (RFC 9335).
"""

import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pylibsrtp import ERRORS, Error, Policy, Session
from pylibsrtp._binding import ffi, lib

from trio_rtc import _attrs as attrs

from .options import SrtpOptions
from .profiles import (
    MAX_PROTECTED_SIZE,
    MAX_RTCP_SIZE,
    MAX_RTP_SIZE,
    PROFILES,
    RTCP_HEADER_SIZE,
    RTP_HEADER_SIZE,
    Profile,
)

_VERSION: Final = 2
_PLAIN_HEADER: Final = 0x80
"""First byte of a packet without padding, header extension and CSRCs."""
_UINT16: Final = struct.Struct("!H")
_UINT32: Final = struct.Struct("!I")
_RTP_SSRC_OFFSET: Final = 8
_RTCP_SSRC_OFFSET: Final = 4
# Error messages of libsrtp: bad index or index too old; packet index too old to consider.
_REPLAYED: Final = ("replay check failed", "packet index is too old")
_FORGED: Final = "authentication failure"
_OK: Final = lib.srtp_err_status_ok
BUFFER_SIZE: Final = 2048
Transform = Callable[[bytes], bytes]
"""Returns the encrypted packet of a plain one, or vice versa."""


@attrs.define
class PacketCounters:
    """Counts of SRTP or SRTCP packets over the life of a session.

    Attributes:
        protected: Packets encrypted for sending.
        unprotected: Packets received, authentic and new.
        replayed: Dropped because received before, or older than the replay window of their SSRC. This is checked before
            authenticity, so forged packets with an old index are counted here.
        forged: Dropped because not authentic.
        malformed: Dropped because too short, too long, or with an invalid header.
        refused: Dropped because of a new SSRC beyond ``SrtpOptions.max_inbound_sources``.
    """

    protected: int = 0
    unprotected: int = 0
    replayed: int = 0
    forged: int = 0
    malformed: int = 0
    refused: int = 0


@attrs.define
class SrtpCounters:
    """Counts of both protocols.

    Attributes:
        rtp: SRTP packets.
        rtcp: SRTCP packets.
    """

    rtp: PacketCounters = attrs.field(factory=PacketCounters)
    rtcp: PacketCounters = attrs.field(factory=PacketCounters)


class SrtpContext:
    """The cryptographic contexts of one direction (RFC 3711 section 3.2), for all SSRCs.

    It calls libsrtp without pylibsrtp's wrapper, which allocates a length for every packet and copies through a Python
    object: that takes longer than the cipher. Here the buffer and the length are allocated once. libsrtp's memory is
    owned by pylibsrtp's ``Session``; the pointer is used only while this object, which holds the session, is alive.

    libsrtp works in place: a packet that fits :data:`BUFFER_SIZE` with the longest trailer cannot overrun the buffer.

    Its functions expect a packet that the caller has validated, and raise pylibsrtp's ``Error`` if libsrtp fails.

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


class SrtpSession:
    """Encrypts packets to send, decrypts and authenticates received ones.

    Args:
        profile: Name of the protection profile, as in :class:`.SrtpProfile`.
        local_key: Master key of the packets sent.
        local_salt: Its salt.
        remote_key: Master key of the packets received.
        remote_salt: Its salt.
        options: Bounds.

    Raises:
        ValueError: The profile is not supported, or a key or a salt does not have its size.
    """

    def __init__(
        self,
        profile: str,
        local_key: bytes,
        local_salt: bytes,
        remote_key: bytes,
        remote_salt: bytes,
        *,
        options: SrtpOptions | None = None,
    ) -> None:
        if profile not in PROFILES:
            raise ValueError(f"SRTP profile: {profile!r}, must be one of {', '.join(PROFILES)}")
        self.profile: Final[Profile] = PROFILES[profile]
        self.counters: Final = SrtpCounters()
        self._options = options or SrtpOptions()
        self._outbound = SrtpContext(self._policy(Policy.SSRC_ANY_OUTBOUND, local_key, local_salt))
        self._inbound = SrtpContext(self._policy(Policy.SSRC_ANY_INBOUND, remote_key, remote_salt))
        self._inbound_sources: set[int] = set()
        self._rtp_overhead = self.profile.rtp_overhead

    @property
    def inbound_sources(self) -> frozenset[int]:
        """SSRCs of which an authentic packet was received."""
        return frozenset(self._inbound_sources)

    def protect(self, packet: bytes) -> bytes:
        """Return the SRTP packet of an RTP packet.

        A packet may be protected again while it is in the window of ``SrtpOptions.window_size`` packets of its SSRC. It
        must then be **the same, byte for byte, header extensions included**: other bytes with this SSRC and sequence
        number would be encrypted with the same nonce, which with the AEAD profiles reveals the authentication key (RFC
        7714 section 8.1). Retransmissions with new header extensions must use RTX.

        Raises:
            ValueError: It is longer than ``MAX_RTP_SIZE``, not RTP, or older than the window.
        """
        if len(packet) > MAX_RTP_SIZE or not _is_rtp(packet, len(packet)):
            raise ValueError(f"packet of {len(packet)} bytes, must be RTP of at most {MAX_RTP_SIZE} bytes")
        try:
            protected = self._outbound.protect(packet)
        except Error as error:
            raise ValueError(f"the RTP packet cannot be protected: {error}") from error
        self.counters.rtp.protected += 1
        return protected

    def unprotect(self, packet: bytes) -> bytes | None:
        """Return the RTP packet of an SRTP packet, or ``None`` if it was dropped and counted."""
        counters = self.counters.rtp
        size = len(packet)
        if size > MAX_PROTECTED_SIZE or not _is_rtp(packet, size - self._rtp_overhead):
            counters.malformed += 1
            return None
        (ssrc,) = _UINT32.unpack_from(packet, _RTP_SSRC_OFFSET)
        return self._open(packet, ssrc, self._inbound.unprotect, counters)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP packet of an RTCP packet, compound or of reduced size (RFC 5506).

        Raises:
            ValueError: It is longer than ``MAX_RTCP_SIZE``, or not RTCP.
        """
        if len(packet) > MAX_RTCP_SIZE or not _is_rtcp(packet, len(packet)):
            raise ValueError(f"packet of {len(packet)} bytes, must be RTCP of at most {MAX_RTCP_SIZE} bytes")
        try:
            protected = self._outbound.protect_rtcp(packet)
        except Error as error:
            raise ValueError(f"the RTCP packet cannot be protected: {error}") from error
        self.counters.rtcp.protected += 1
        return protected

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """Return the RTCP packet of an SRTCP packet, or ``None`` if it was dropped and counted."""
        counters = self.counters.rtcp
        size = len(packet)
        if size > MAX_PROTECTED_SIZE or not _is_rtcp(packet, size - self.profile.rtcp_overhead):
            counters.malformed += 1
            return None
        (ssrc,) = _UINT32.unpack_from(packet, _RTCP_SSRC_OFFSET)
        return self._open(packet, ssrc, self._inbound.unprotect_rtcp, counters)

    def _open(self, packet: bytes, ssrc: int, unprotect: Transform, counters: PacketCounters) -> bytes | None:
        """Decrypt a well-formed packet, unless its SSRC would exceed the bound."""
        known = ssrc in self._inbound_sources
        if not known and len(self._inbound_sources) >= self._options.max_inbound_sources:
            counters.refused += 1
            return None
        try:
            unprotected = unprotect(packet)
        except Error as error:
            _count_failure(counters, error)
            return None
        if not known:
            self._inbound_sources.add(ssrc)
        counters.unprotected += 1
        return unprotected

    def remove_source(self, ssrc: int) -> None:
        """Remove the state of a received SSRC, if there is any.

        This includes its replay window, so that recorded packets would be accepted once more: call it only for SSRCs
        that have no stream any more.
        """
        if ssrc in self._inbound_sources:
            self._inbound_sources.remove(ssrc)
            self._inbound.remove_source(ssrc)

    def _policy(self, direction: int, key: bytes, salt: bytes) -> Policy:
        if len(key) != self.profile.key_size or len(salt) != self.profile.salt_size:
            raise ValueError(
                f"{self.profile.name}: key of {len(key)} and salt of {len(salt)} bytes, must be "
                f"{self.profile.key_size} and {self.profile.salt_size}"
            )
        policy = Policy(key + salt, ssrc_type=direction, srtp_profile=self.profile.identifier)
        policy.window_size = self._options.window_size
        policy.allow_repeat_tx = True
        return policy


def _is_rtp(packet: bytes, end: int) -> bool:
    """Return whether this is RTP whose header, with CSRCs and header extension, ends at ``end`` at the latest."""
    if end < RTP_HEADER_SIZE:
        return False
    first = packet[0]
    if first == _PLAIN_HEADER:
        return True
    if first >> 6 != _VERSION:
        return False
    header_size = RTP_HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        header_size += 4
        if header_size > end:
            return False
        header_size += 4 * int(_UINT16.unpack_from(packet, header_size - 2)[0])
    return header_size <= end


def _is_rtcp(packet: bytes, end: int) -> bool:
    """Return whether this is RTCP, of whole 32-bit words up to ``end``."""
    return end >= RTCP_HEADER_SIZE and end % 4 == 0 and packet[0] >> 6 == _VERSION


def _count_failure(counters: PacketCounters, error: Error) -> None:
    reason = str(error)
    if reason == _FORGED:
        counters.forged += 1
    elif reason.startswith(_REPLAYED):
        counters.replayed += 1
    else:
        counters.malformed += 1
