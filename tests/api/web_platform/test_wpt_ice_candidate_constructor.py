"""The constructor of RTCIceCandidate (W3C webrtc section 4.8.1.1)."""

import json
from typing import Any

import attrs
import pytest

from trio_rtc import RTCIceCandidate

UDP = (
    "candidate:1905690388 1 udp 2113937151 192.168.0.1 58041 typ host generation 0 ufrag thC8 network-cost 50"
)
TCP = (
    "candidate:435653019 2 tcp 1845501695 192.168.0.196 4444 typ srflx raddr www.example.com rport 22222 "
    "tcptype active"
)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"candidate": ""},
        {"candidate": UDP},
        {"sdp_mid": None, "sdp_m_line_index": None},
        {"candidate": "", "sdp_mid": None, "sdp_m_line_index": None, "username_fragment": None},
    ],
    ids=str,
)
def test_a_media_section_is_required(members: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        RTCIceCandidate(**members)


@pytest.mark.parametrize(
    "members",
    [
        {"sdp_mid": "audio"},
        {"sdp_m_line_index": 0},
        {"sdp_mid": "audio", "sdp_m_line_index": 0},
        {"candidate": "", "sdp_mid": "audio"},
        {"candidate": UDP, "sdp_mid": "audio"},
        {"candidate": "<no candidate>;", "sdp_mid": "audio"},
        {"sdp_mid": "<no token>;"},
        {"sdp_m_line_index": 65535},
        {"candidate": UDP, "sdp_mid": "video", "sdp_m_line_index": 1, "username_fragment": "test"},
    ],
    ids=str,
)
def test_members_are_not_parsed(members: dict[str, Any]) -> None:
    candidate = RTCIceCandidate(**members)
    given = {"candidate": "", "sdp_mid": None, "sdp_m_line_index": None, "username_fragment": None, **members}
    assert {name: getattr(candidate, name) for name in given} == given


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            UDP,
            {
                "foundation": "1905690388",
                "component": "rtp",
                "priority": 2113937151,
                "address": "192.168.0.1",
                "protocol": "udp",
                "port": 58041,
                "type": "host",
                "tcp_type": None,
                "related_address": None,
                "related_port": None,
            },
        ),
        (
            TCP,
            {
                "foundation": "435653019",
                "component": "rtcp",
                "priority": 1845501695,
                "address": "192.168.0.196",
                "protocol": "tcp",
                "port": 4444,
                "type": "srflx",
                "tcp_type": "active",
                "related_address": "www.example.com",
                "related_port": 22222,
            },
        ),
    ],
    ids=["udp", "tcp"],
)
def test_members_of_the_line(line: str, expected: dict[str, object]) -> None:
    candidate = RTCIceCandidate(line, "video", 1)
    assert {name: getattr(candidate, name) for name in expected} == expected


def test_server_and_relay_protocol_are_not_signaled() -> None:
    members: dict[str, Any] = {"relay_protocol": "tls", "url": "turn:turn.example.net"}
    candidate = RTCIceCandidate(sdp_mid="video", **members)
    copy = attrs.evolve(candidate)
    assert (copy.relay_protocol, copy.url) == ("tls", "turn:turn.example.net")
    signaled = RTCIceCandidate.from_json(json.loads(json.dumps(candidate.to_json())))
    assert (signaled.sdp_mid, signaled.relay_protocol, signaled.url) == ("video", None, None)
