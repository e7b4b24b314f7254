"""Role and options of a DTLS connection."""

from enum import StrEnum

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._strict_names.checks import strict_class

from .crypto.cipher_suites import CIPHER_SUITES, CipherSuite
from .crypto.key_exchange import GROUPS, NamedGroup
from .crypto.srtp import SRTP_PROFILES, SrtpProfile


class DtlsRole(StrEnum):
    """Role in the handshake: ``a=setup:active`` is the client (RFC 5763 section 5)."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> "DtlsRole":
        """The peer's role."""
        return DtlsRole.SERVER if self is DtlsRole.CLIENT else DtlsRole.CLIENT


@strict_class
@attrs.frozen(kw_only=True)
class DtlsOptions:
    """Options of a DTLS connection. The defaults suit WebRTC; tests stress the protocol with others.

    Attributes:
        mtu: Largest datagram sent, in bytes of UDP payload (RFC 8261 section 5: SCTP leaves room for the record).
        cipher_suites: Cipher suites offered and accepted, in order of preference.
        groups: Groups of the key exchange, in order of preference.
        srtp_profiles: SRTP profiles in order of preference (RFC 5764); if empty, ``use_srtp`` is neither offered nor
            answered.
        retransmission_initial: Seconds until a flight is retransmitted for the first time. RFC 6347 section 4.2.4.1
            suggests 1 s for an unknown path; ICE has just checked this one, and browsers start with 50 ms too.
        retransmission_maximum: Upper bound of the interval, which doubles, in seconds (RFC 6347: 60 s; here a user
            waits).
        handshake_timeout: Seconds from the first flight sent until the handshake fails.
        require_cookie: Whether a server requests a cookie (RFC 6347 section 4.2.1). Not by default: ICE has verified
            the peer's address, and a cookie costs a round trip.
        replay_window: Size of the anti-replay window in records (RFC 6347 section 4.1.2.6).
        max_message_size: Largest handshake message that is reassembled, in bytes.
        max_reassembly_size: Memory for handshake messages in reassembly, in bytes.
        max_early_records: Bound of the records kept until they can be opened or delivered (Finished before the key
            exchange, application data before Finished), and of the datagrams kept before ``start``.
        unauthenticated_alert_grace: Least seconds before a fatal alert in the clear takes effect; more if the round
            trip is long or unknown, see "Alerts in the clear" in the module of the connection.
    """

    mtu: int = attrs.field(default=1200, validator=[validators.ge(96), validators.le(65535)])
    cipher_suites: tuple[CipherSuite, ...] = attrs.field(
        default=CIPHER_SUITES, validator=validators.min_len(1)
    )
    groups: tuple[NamedGroup, ...] = attrs.field(default=GROUPS, validator=validators.min_len(1))
    srtp_profiles: tuple[SrtpProfile, ...] = SRTP_PROFILES
    retransmission_initial: float = attrs.field(default=0.05, validator=validators.gt(0))
    retransmission_maximum: float = attrs.field(default=3.0, validator=validators.gt(0))
    handshake_timeout: float = attrs.field(default=60.0, validator=validators.gt(0))
    require_cookie: bool = False
    replay_window: int = attrs.field(default=64, validator=[validators.ge(32), validators.le(65536)])
    max_message_size: int = attrs.field(default=16384, validator=validators.ge(1024))
    max_reassembly_size: int = attrs.field(default=65536, validator=validators.ge(1024))
    max_early_records: int = attrs.field(default=32, validator=validators.ge(0))
    unauthenticated_alert_grace: float = attrs.field(default=1.0, validator=validators.ge(0))
