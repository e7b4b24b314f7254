"""``ice_servers``: URLs by RFC 7064 and 7065, and credentials (W3C webrtc section 4.4.1.6)."""

from collections.abc import Sequence

import pytest

from trio_rtc import (
    InvalidAccessError,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    SyntaxError,
)


def test_there_are_none_by_default() -> None:
    assert RTCPeerConnection().get_configuration().ice_servers == ()
    assert RTCPeerConnection(RTCConfiguration(ice_servers=[])).get_configuration().ice_servers == ()


@pytest.mark.parametrize("wrong", [None, [None], [{}], ["stun:stun.example.net"]], ids=str)
def test_other_types(wrong: object) -> None:
    with pytest.raises(TypeError):
        RTCConfiguration(ice_servers=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("urls", "username", "credential"),
    [
        ("stun:stun1.example.net", None, None),
        (["stun:stun1.example.net"], None, None),
        (["stun:stun1.example.net", "stun:stun2.example.net"], None, None),
        ("turn:turn.example.org", "user", "secret"),
        ("turn:turn.example.org", "", ""),
        ("turns:turn.example.org", "", ""),
        (["turns:turn.example.org", "turn:turn.example.net"], "user", "secret"),
    ],
    ids=str,
)
def test_servers_are_returned(
    urls: str | Sequence[str], username: str | None, credential: str | None
) -> None:
    members = {"username": username, "credential": credential}
    server = RTCIceServer(urls, **{name: value for name, value in members.items() if value is not None})
    for make in (constructed, configured):
        (returned,) = make(server).get_configuration().ice_servers
        assert returned.urls == ((urls,) if isinstance(urls, str) else tuple(urls))
        assert (returned.username, returned.credential) == (username, credential)


def constructed(server: RTCIceServer) -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(ice_servers=[server]))


def configured(server: RTCIceServer) -> RTCPeerConnection:
    pc = RTCPeerConnection()
    pc.set_configuration(RTCConfiguration(ice_servers=[server]))
    return pc


@pytest.mark.parametrize("scheme", ["turn", "turns"])
@pytest.mark.parametrize("members", [{}, {"username": "user"}, {"credential": "secret"}], ids=str)
def test_turn_without_credentials(scheme: str, members: dict[str, str]) -> None:
    with pytest.raises(InvalidAccessError):
        RTCIceServer(f"{scheme}:turn.example.net", **members)


@pytest.mark.parametrize(
    "urls",
    [
        "",
        [],
        ["stun:stun1.example.net", ""],
        "relative",
        "http://example.com",
        "turn://example.org/path?x=y",
        "stun://example.org/path?x=y",
        "stun:example.net:65536",
        "stun:example.net:port",
        "stun:example.net:-21",
        "stun:example.net#fragment",
        "stun:[61:24:74]:98",
        "stun:[example.net]",
        "stun:[::1.2.3.]",
        "stun:one two:12",
        "stun:[::127.0.0.1.]",
        "stun:[::%31]",
        "stun:%5B::1]",
        "stun:192.168.0.257",
        "stun:256.256.256.256",
        "stun:10000000000",
        "stun:0xffffffff1",
        "stun:1.2.3.4.5",
        "stun:08.1.1.1",
        "stun:%25",
        "stun:%zz%66%a.com",
        "stun:hello%00",
        "stun:example.com%80",
        "stun:\ufffd",
        "stun:%EF%BF%BD",
        "stun:a\0b",
        "stun:a<b",
        "stun:a[b",
        "stun:a\\b",
        "stun:a^b",
    ],
    ids=str,
)
def test_invalid_urls(urls: str | Sequence[str]) -> None:
    with pytest.raises(SyntaxError):
        RTCIceServer(urls, "user", "secret")


@pytest.mark.parametrize(
    "url",
    [
        "stun:[2001::1]",
        "stun:[2001::1]:3478",
        "stun:example.net:65535",
        "stun:1.2.3.4",
        "stun:1.2.3.4.",
        "stun:192.168.257",
        "stun:256",
        "stun:256.com",
        "stun:0xffffffff",
        "stun:192.168.257.com",
        "stun:ex%61mple.net",
        "stun:example(&!$)*+-.;_=~org",
        "stun:你好你好",
        "stun:faß.ExAmPlE",
        "stuns:example.net",
    ],
)
def test_valid_urls(url: str) -> None:
    assert RTCIceServer(url).urls == (url,)
