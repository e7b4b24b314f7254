"""The constructors of RTCPeerConnectionIceEvent and RTCPeerConnectionIceErrorEvent (W3C webrtc section 4.8)."""

import pytest

from trio_rtc import RTCIceCandidate, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent


def test_a_type_is_required() -> None:
    with pytest.raises(TypeError):
        RTCPeerConnectionIceEvent()  # type: ignore[call-arg]


def test_candidate_and_server() -> None:
    candidate = RTCIceCandidate("", "0", 1, "")
    event = RTCPeerConnectionIceEvent("ice_candidate", None, candidate, "stun:stun.example.net")
    assert event.candidate is candidate
    assert (event.type, event.url) == ("ice_candidate", "stun:stun.example.net")
    end = RTCPeerConnectionIceEvent("ice_candidate", None, None)
    assert (end.candidate, end.url) == (None, None)


def test_a_dictionary_is_no_candidate() -> None:
    with pytest.raises(TypeError):
        RTCPeerConnectionIceEvent("ice_candidate", None, {"candidate": "", "sdpMid": "0"})  # type: ignore[arg-type]


def test_an_error_has_the_server_and_the_address() -> None:
    event = RTCPeerConnectionIceErrorEvent(
        "ice_candidate_error", None, "168.3.4.5", 4711, "turn:turn.example.org", 703, "no answer"
    )
    assert event.type == "ice_candidate_error"
    assert (event.address, event.port, event.url) == ("168.3.4.5", 4711, "turn:turn.example.org")
    assert (event.error_code, event.error_text) == (703, "no answer")
