"""Alerts (RFC 5246 section 7.2) and the exception that carries one through the handshake."""

from enum import IntEnum

import attrs

from trio_rtc.enums import RTCErrorDetailType
from trio_rtc.errors import ProtocolError


class AlertLevel(IntEnum):
    """How serious the sender says an alert is."""

    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """What an alert says (IANA's registry "TLS Alerts")."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    UNSUPPORTED_EXTENSION = 110


@attrs.frozen
class Alert:
    """One alert as it is on the wire.

    Attributes:
        level: The level; anything but "warning" is taken for fatal.
        description: The number of the alert, kept as it came: unknown ones are legal.
    """

    level: int
    description: int

    @property
    def ends_connection(self) -> bool:
        """Whether the sender will not go on after it."""
        return self.level != AlertLevel.WARNING or self.description == AlertDescription.CLOSE_NOTIFY

    @property
    def name(self) -> str:
        """The name in the registry, or the number."""
        try:
            return AlertDescription(self.description).name.lower()
        except ValueError:
            return f"alert {self.description}"

    def encode(self) -> bytes:
        """Return the two bytes of the alert."""
        return bytes((self.level, self.description))

    @classmethod
    def parse(cls, data: bytes) -> "Alert":
        """Parse an alert record.

        Raises:
            ProtocolError: It is not exactly two bytes.
        """
        if len(data) != 2:
            raise ProtocolError(f"an alert of {len(data)} bytes")
        return cls(data[0], data[1])


class HandshakeFailure(ProtocolError):
    """The handshake cannot go on, and this is the alert that tells the peer why.

    Attributes:
        alert: What is sent to the peer.
        detail: Which of W3C's kinds of failure it is.
    """

    def __init__(
        self,
        alert: AlertDescription,
        message: str,
        detail: RTCErrorDetailType = RTCErrorDetailType.DTLS_FAILURE,
    ) -> None:
        super().__init__(message)
        self.alert = alert
        self.detail = detail
