"""Events of a DTLS connection."""

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCErrorDetailType


@attrs.frozen
class DtlsError:
    """Failure of a connection, in the terms of W3C's ``RTCError``.

    Attributes:
        detail: ``FINGERPRINT_FAILURE`` when the peer's certificate was not the signaled one, otherwise
            ``DTLS_FAILURE``.
        message: Description for people.
        sent_alert: Description of the alert sent, or None.
        received_alert: Description of the alert received, or None.
    """

    detail: RTCErrorDetailType
    message: str
    sent_alert: int | None = None
    received_alert: int | None = None


@attrs.frozen
class HandshakeCompleted:
    """The handshake is complete and the peer is authenticated.

    Attributes:
        cipher_suite: Name of the cipher suite in IANA's registry.
        group: Name of the group of the key exchange in IANA's registry ("x25519").
        srtp_profile: Name of the SRTP protection profile in IANA's registry, or None.
        remote_certificate: The peer's certificate in DER.
        version: Version in the form of W3C's ``tlsVersion``: four upper-case hexadecimal digits ("FEFD" is 1.2).
    """

    cipher_suite: str
    group: str
    srtp_profile: str | None
    remote_certificate: bytes = attrs.field(repr=False)
    version: str


@attrs.frozen
class FinalFlightRetransmitted:
    """Our final flight was retransmitted, because the peer has retransmitted its own after the handshake was complete.

    Ours was lost, or had not arrived when the peer retransmitted. Without it the peer has no keys.

    Attributes:
        waited: Seconds since our flight was sent before.
    """

    waited: float


@attrs.frozen
class ApplicationDataReceived:
    """Application data: all of one call of ``receive``.

    Attributes:
        batch: Contents of the records, in the order of arrival.
    """

    batch: list[bytes] = attrs.field(repr=False)


@attrs.frozen
class DtlsClosed:
    """The connection has ended. This is the last event.

    Attributes:
        error: The failure; None when either side closed the connection, or the layer below ended.
    """

    error: DtlsError | None


DtlsEvent = HandshakeCompleted | FinalFlightRetransmitted | ApplicationDataReceived | DtlsClosed
