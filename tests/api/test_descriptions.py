"""RTCSessionDescription and RTCIceCandidate: their arguments and their JSON form."""

import json

import attrs
import pytest

from trio_rtc import RTCIceCandidate, RTCSdpType, RTCSessionDescription

LINE = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.1 rport 40000 "
    "generation 0 ufrag EEtu network-cost 999"
)


def test_session_description() -> None:
    description = RTCSessionDescription("offer", "v=0\r\n")
    assert description.type is RTCSdpType.OFFER
    assert description.to_json() == {"type": "offer", "sdp": "v=0\r\n"}
    assert RTCSessionDescription.from_json(json.loads(json.dumps(description.to_json()))) == description
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        description.sdp = ""  # type: ignore[misc]


def test_a_rollback_has_no_sdp() -> None:
    assert RTCSessionDescription.from_json({"type": "rollback"}) == RTCSessionDescription("rollback", "")


@pytest.mark.parametrize(
    "data",
    [{}, {"sdp": ""}, {"type": "proposal"}, {"type": None}, {"type": 5}, {"type": "offer", "sdp": None}],
    ids=str,
)
def test_invalid_session_descriptions(data: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        RTCSessionDescription.from_json(data)


def test_the_members_of_a_candidate() -> None:
    candidate = RTCIceCandidate(LINE, "data", 0, "EEtu")
    assert candidate.foundation == "842163049"
    assert candidate.component == "rtp"
    assert candidate.protocol == "udp"
    assert candidate.priority == 1677729535
    assert (candidate.address, candidate.port) == ("203.0.113.7", 46154)
    assert candidate.type == "srflx"
    assert (candidate.related_address, candidate.related_port) == ("10.0.0.1", 40000)
    assert (candidate.tcp_type, candidate.relay_protocol, candidate.url) == (None, None, None)
    assert candidate.username_fragment == "EEtu"


def test_a_tcp_candidate() -> None:
    candidate = RTCIceCandidate("candidate:1 2 TCP 5 a.local 9 typ host tcptype active", sdp_m_line_index=3)
    assert (candidate.component, candidate.protocol, candidate.tcp_type) == ("rtcp", "tcp", "active")
    assert candidate.address == "a.local"


@pytest.mark.parametrize("line", ["", "candidate:", "nonsense", "candidate:1 1 udp 1 1.2.3.4 99999 typ host"])
def test_the_members_of_an_unparsable_candidate_are_none(line: str) -> None:
    candidate = RTCIceCandidate(line, "0")
    assert candidate.candidate == line
    for member in ("foundation", "component", "priority", "address", "port", "protocol", "type", "tcp_type"):
        assert getattr(candidate, member) is None


def test_the_json_form_of_a_candidate() -> None:
    candidate = RTCIceCandidate(LINE, "data", 0, "EEtu")
    assert candidate.to_json() == {
        "candidate": LINE,
        "sdpMid": "data",
        "sdpMLineIndex": 0,
        "usernameFragment": "EEtu",
    }
    assert RTCIceCandidate.from_json(json.loads(json.dumps(candidate.to_json()))) == candidate
    assert RTCIceCandidate.from_json({"candidate": "", "sdpMLineIndex": 0}).sdp_mid is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"candidate": LINE},
        {"candidate": None, "sdpMid": "0"},
        {"candidate": LINE, "sdpMid": 0},
        {"candidate": LINE, "sdpMLineIndex": "0"},
        {"candidate": LINE, "sdpMLineIndex": -1},
        {"candidate": LINE, "sdpMLineIndex": 65536},
        {"candidate": LINE, "sdpMid": "0", "usernameFragment": 5},
    ],
    ids=str,
)
def test_invalid_candidates(data: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        RTCIceCandidate.from_json(data)
