"""W3C's errors as exceptions."""

import pytest

import trio_rtc
from trio_rtc import errors
from trio_rtc.enums import RTCErrorDetailType, RTCErrorDetailTypeIdp

NAMED = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, errors.DOMException) and each is not errors.RTCError
]


@pytest.mark.parametrize("kind", NAMED)
def test_the_name_of_an_error_is_its_class(kind: type[errors.DOMException]) -> None:
    error = kind("what happened")
    assert (error.name, str(error)) == (kind.__name__, "what happened")
    assert getattr(trio_rtc, kind.__name__) is kind


def test_an_rtc_error_is_an_operation_error_by_name() -> None:
    """W3C webrtc section 11.1: its name is OperationError."""
    error = errors.RTCError(RTCErrorDetailType.DTLS_FAILURE, "alert", received_alert=40, sent_alert=0)
    assert isinstance(error, errors.OperationError)
    assert (error.name, str(error)) == ("OperationError", "alert")
    assert (error.error_detail, error.received_alert, error.sent_alert) == ("dtls-failure", 40, 0)
    assert error.sdp_line_number is None
    assert error.sctp_cause_code is None


@pytest.mark.parametrize("detail", [*RTCErrorDetailType, *RTCErrorDetailTypeIdp])
def test_without_a_message_an_rtc_error_shows_its_detail(
    detail: RTCErrorDetailType | RTCErrorDetailTypeIdp,
) -> None:
    assert str(errors.RTCError(detail)) == detail.value


def test_protocol_errors_are_not_errors_of_w3c() -> None:
    assert not issubclass(errors.ProtocolError, errors.DOMException)
