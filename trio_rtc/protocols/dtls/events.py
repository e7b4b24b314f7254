"""What a DTLS connection tells the layer above."""

import attrs

from trio_rtc.enums import RTCErrorDetailType


@attrs.frozen
class DtlsError:
    """Why a connection failed, in the terms of W3C's ``RTCError``.

    Attributes:
        detail: ``FINGERPRINT_FAILURE`` when the peer's certificate was not the signaled one, otherwise
            ``DTLS_FAILURE``.
        message: What happened, for people.
        sent_alert: The alert that we sent, or None.
        received_alert: The alert that the peer sent, or None.
    """

    detail: RTCErrorDetailType
    message: str
    sent_alert: int | None = None
    received_alert: int | None = None


@attrs.frozen
class HandshakeCompleted:
    """The peer is who signaling said it is, and data can flow.

    Attributes:
        cipher_suite: IANA's name of the cipher suite.
        group: IANA's name of the group of the key exchange ("x25519").
        srtp_profile: IANA's name of the SRTP protection profile, or None.
        remote_certificate: The peer's certificate in DER.
        version: The version as W3C's statistics have it: four upper-case hexadecimal digits ("FEFD" is 1.2).
    """

    cipher_suite: str
    group: str
    srtp_profile: str | None
    remote_certificate: bytes = attrs.field(repr=False)
    version: str


@attrs.frozen
class FinalFlightRetransmitted:
    """The peer has sent its last flight again after the handshake was complete here, so ours was sent again.

    Ours was lost, or had not arrived when the peer repeated its own. Without it the peer has no keys.

    Attributes:
        waited: Seconds since our flight was sent the time before.
    """

    waited: float


@attrs.frozen
class ApplicationDataReceived:
    """Data came: all that one call of ``receive`` brought.

    Attributes:
        batch: The contents of the records, in the order of arrival.
    """

    batch: list[bytes] = attrs.field(repr=False)


@attrs.frozen
class DtlsClosed:
    """The connection has ended; it is the last event.

    Attributes:
        error: What went wrong; None when one of the sides closed it, or the layer below ended.
    """

    error: DtlsError | None


DtlsEvent = HandshakeCompleted | FinalFlightRetransmitted | ApplicationDataReceived | DtlsClosed
