"""The constructor and members of RTCError (W3C webrtc section 11)."""

from typing import Any

import pytest

from trio_rtc import DOMException, RTCError, RTCErrorDetailType

DETAIL = RTCErrorDetailType.DATA_CHANNEL_FAILURE
NUMBERS = ["sdp_line_number", "sctp_cause_code", "received_alert", "sent_alert"]


def test_detail_and_message() -> None:
    error = RTCError(DETAIL, "message")
    assert isinstance(error, DOMException)
    assert str(error) == "message"
    assert error.error_detail == "data-channel-failure"
    assert error.name == "OperationError"


def test_a_detail_is_required() -> None:
    with pytest.raises(TypeError):
        RTCError()  # type: ignore[call-arg]


@pytest.mark.parametrize("wrong", ["invalid", None, 5])
def test_an_unknown_detail(wrong: Any) -> None:
    with pytest.raises(TypeError):
        RTCError(wrong, "message")


def test_the_value_of_a_detail() -> None:
    value: Any = "dtls-failure"
    assert RTCError(value).error_detail is RTCErrorDetailType.DTLS_FAILURE


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers(name: str) -> None:
    assert getattr(RTCError(DETAIL), name) is None
    numbers: dict[str, Any] = {name: 0}
    assert getattr(RTCError(DETAIL, **numbers), name) == 0


@pytest.mark.parametrize("name", ["error_detail", *NUMBERS])
def test_its_members_are_read_only(name: str) -> None:
    error = RTCError(DETAIL, "message")
    before = getattr(error, name)
    with pytest.raises(AttributeError):
        setattr(error, name, 42)
    assert getattr(error, name) == before
