"""The errors: W3C's DOMException names as classes, and ``ProtocolError`` for malformed packets and texts.

Where W3C throws ``TypeError`` Python's ``TypeError`` is raised, where it throws ``RangeError`` Python's
``ValueError``. Channels and tracks raise trio's own errors: ``trio.ClosedResourceError`` (closed by the application),
``trio.BrokenResourceError`` (closed by a failure or by the peer), ``trio.EndOfChannel``.
"""

from .enums import RTCErrorDetailType, RTCErrorDetailTypeIdp, member_of


class ProtocolError(Exception):
    """A received packet or text violates its specification."""


class DOMException(Exception):
    """Base of the errors that W3C names. ``name`` is W3C's name of the error."""

    @property
    def name(self) -> str:
        """The W3C name, the value of ``DOMException.name``."""
        return type(self).__name__


class InvalidStateError(DOMException):
    """The operation is not allowed in the object's state."""


class InvalidAccessError(DOMException):
    """The object does not support the operation or argument (an expired certificate, a foreign sender)."""


class InvalidModificationError(DOMException):
    """The object cannot be modified in this way (a configuration member that is fixed, a changed SDP)."""


class NotSupportedError(DOMException):
    """The operation is not supported (an algorithm, a value of the configuration)."""


class NotAllowedError(DOMException):
    """The request is not allowed (a string that cannot be a RID)."""


class NotFoundError(DOMException):
    """The object was not found (an encoding that is sent)."""


class SyntaxError(DOMException):
    """A string did not match the expected pattern (the URL of an ICE server)."""


class InvalidCharacterError(DOMException):
    """A string contains an invalid character (telephone tones)."""


class NetworkError(DOMException):
    """A network error occurred."""


class OperationError(DOMException):
    """The operation failed for an operation-specific reason (a candidate that does not parse)."""


class RTCError(OperationError):
    """An error with details of WebRTC (W3C webrtc section 11, webrtc-identity section 7). Its members are read-only.

    Raises:
        TypeError: ``error_detail`` is unknown.
    """

    def __init__(
        self,
        error_detail: RTCErrorDetailType | RTCErrorDetailTypeIdp,
        message: str = "",
        *,
        sdp_line_number: int | None = None,
        sctp_cause_code: int | None = None,
        received_alert: int | None = None,
        sent_alert: int | None = None,
        http_request_status_code: int | None = None,
        idp_login_url: str | None = None,
        idp_error_info: str | None = None,
    ) -> None:
        self._error_detail = _detail(error_detail)
        super().__init__(message or self._error_detail.value)
        self._sdp_line_number = sdp_line_number
        self._sctp_cause_code = sctp_cause_code
        self._received_alert = received_alert
        self._sent_alert = sent_alert
        self._http_request_status_code = http_request_status_code
        self._idp_login_url = idp_login_url
        self._idp_error_info = idp_error_info

    @property
    def error_detail(self) -> RTCErrorDetailType | RTCErrorDetailTypeIdp:
        """The kind of failure."""
        return self._error_detail

    @property
    def sdp_line_number(self) -> int | None:
        """For ``sdp-syntax-error``: the line, counted from 1."""
        return self._sdp_line_number

    @property
    def sctp_cause_code(self) -> int | None:
        """For ``sctp-failure``: the cause code of the ABORT chunk, RFC 9260 section 3.3.10."""
        return self._sctp_cause_code

    @property
    def received_alert(self) -> int | None:
        """For ``dtls-failure``: the DTLS alert that the peer sent."""
        return self._received_alert

    @property
    def sent_alert(self) -> int | None:
        """For ``dtls-failure``: the DTLS alert sent to the peer."""
        return self._sent_alert

    @property
    def http_request_status_code(self) -> int | None:
        """For ``idp-load-failure``: the HTTP status of the response."""
        return self._http_request_status_code

    @property
    def idp_login_url(self) -> str | None:
        """For ``idp-need-login``: the page on which the user can log in."""
        return self._idp_login_url

    @property
    def idp_error_info(self) -> str | None:
        """Information of the identity provider, in a form of its own."""
        return self._idp_error_info

    @property
    def name(self) -> str:
        """W3C gives every RTCError the name OperationError."""
        return "OperationError"


def _detail(
    value: RTCErrorDetailType | RTCErrorDetailTypeIdp,
) -> RTCErrorDetailType | RTCErrorDetailTypeIdp:
    return value if isinstance(value, RTCErrorDetailTypeIdp) else member_of(RTCErrorDetailType, value)
