"""URLs of ICE servers (RFC 7064, RFC 7065)."""

from collections.abc import Sequence

import pytest

from trio_rtc import errors
from trio_rtc.protocols.ice import IceServer


def _urls(hosts: Sequence[str]) -> list[str]:
    return [IceServer.parse(f"stun:{host}").host for host in hosts]


def test_default_ports_of_servers() -> None:
    """RFC 7064 and RFC 7065: 3478, and 5349 for the secure schemes."""
    ports = {
        scheme: IceServer.parse(f"{scheme}:a.example").port for scheme in ("stun", "stuns", "turn", "turns")
    }
    assert ports == {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}


def test_brackets_of_hosts_in_urls_are_removed() -> None:
    assert _urls(["[2001:db8::7]", "198.51.100.7", "stun.example"]) == [
        "2001:db8::7",
        "198.51.100.7",
        "stun.example",
    ]


@pytest.mark.parametrize("port", [0, 1, 65535, 65536])
def test_ports_in_urls(port: int) -> None:
    url = f"stun:stun.example:{port}"
    if 0 < port < 65536:
        assert IceServer.parse(url).port == port
    else:
        with pytest.raises(errors.SyntaxError, match="from 1 to 65535"):
            IceServer.parse(url)


def test_transports_in_urls() -> None:
    found = {
        url: IceServer.parse(url).transport
        for url in ("stun:a", "stuns:a", "turn:a", "turns:a", "turn:a?transport=TCP", "turns:a?transport=udp")
    }
    assert [*found.values()] == ["udp", "tcp", "udp", "tcp", "tcp", "udp"]
    for url in ("stun:a?transport=udp", "turn:a?transport=sctp", "http:a"):
        with pytest.raises(errors.SyntaxError):
            IceServer.parse(url)


def test_protocols_between_client_and_turn_server() -> None:
    urls = ("stun:a", "turn:a", "turn:a?transport=tcp", "turns:a", "turns:a?transport=udp")
    assert [IceServer.parse(url).relay_protocol for url in urls] == [None, "udp", "tcp", "tls", "udp"]


def test_credentials_of_a_server_are_not_shown() -> None:
    assert "secret" not in repr(IceServer.parse("turn:turn.example.org", "alice", "secret"))
