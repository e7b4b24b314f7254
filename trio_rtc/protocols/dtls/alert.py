"""Alerts (RFC 5246 section 7.2) and the exception that carries one through the handshake."""

from enum import IntEnum

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCErrorDetailType
from trio_rtc.errors import ProtocolError


class AlertLevel(IntEnum):
    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """Descriptions of alerts (IANA's registry "TLS Alerts")."""

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
    """An alert.

    Attributes:
        level: The level; any value but "warning" counts as fatal.
        description: Number of the alert, which may be unknown.
    """

    level: int
    description: int

    @property
    def ends_connection(self) -> bool:
        """Whether the sender has ended the connection with it: a fatal alert or close_notify."""
        return self.level != AlertLevel.WARNING or self.description == AlertDescription.CLOSE_NOTIFY

    @property
    def name(self) -> str:
        try:
            return AlertDescription(self.description).name.lower()
        except ValueError:
            return f"alert {self.description}"

    def encode(self) -> bytes:
        return bytes((self.level, self.description))

    @classmethod
    def parse(cls, data: bytes) -> "Alert":
        """Parse the contents of an alert record, which are two bytes."""
        if len(data) != 2:
            raise ProtocolError(f"alert of {len(data)} bytes, must be 2")
        return cls(data[0], data[1])


class HandshakeFailure(ProtocolError):
    """The handshake fails with an alert.

    Attributes:
        alert: Description of the fatal alert sent to the peer.
        detail: The error detail in W3C's terms.
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
