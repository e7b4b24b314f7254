"""Domains of identity providers, and identities (RFC 8827 sections 7.5 and 8.1)."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.jsep.identity import Identity, host_of, is_authoritative, normalized_domain, normalized_protocol


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org", "example.org"),
        ("idp.example.org:8443", "idp.example.org:8443"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        (
            ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
            ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
        ),
    ],
)
def test_domain(domain: str, expected: str) -> None:
    assert normalized_domain(domain) == expected


@pytest.mark.parametrize(
    "domain",
    [
        "",
        ".",
        "example.org.",
        "example..org",
        "-example.org",
        "example-.org",
        "bücher.example",
        "\u017f.example",
        "\u212a.example",
        "example.org/path",
        "user@example.org",
        "example.org:",
        "example.org:0",
        "example.org:65536",
        "example.org:8443x",
        "exa mple.org",
        "example.org\n",
        "[::1]",
        "a" * 64,
        ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 62]),
        "a." * 100_000,
    ],
)
def test_malformed_domain(domain: str) -> None:
    with pytest.raises(ProtocolError, match="the domain of an identity provider must be"):
        normalized_domain(domain)


def test_host_has_no_port() -> None:
    assert host_of("example.org:8443") == host_of("example.org") == "example.org"


def test_protocol() -> None:
    assert normalized_protocol("") == "default"
    assert normalized_protocol("mine?version=2#main") == "mine?version=2#main"


@pytest.mark.parametrize("protocol", ["../other", "a\\b", "/", "x" * 257, "a\nb"])
def test_malformed_protocol(protocol: str) -> None:
    with pytest.raises(ProtocolError, match="the protocol of an identity provider must"):
        normalized_protocol(protocol)


def test_identity() -> None:
    assert Identity.parse("alice@Example.ORG") == Identity("alice", "example.org")
    assert Identity.parse("user%40133@example.com") == Identity("user%40133", "example.com")
    assert Identity.parse("Alice@example.org") != Identity.parse("alice@example.org")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "@example.org",
        "alice@",
        "alice@example.org:443",
        "alice@evil.example@example.org",
        "al%69ce@example.org",
        "alice%@example.org",
        "alice%4@example.org",
        "al ice@example.org",
        "al\u202eice@example.org",
        "alice\0@example.org",
        "a" * 1024 + "@example.org",
    ],
)
def test_malformed_identity(text: str) -> None:
    with pytest.raises(ProtocolError):
        Identity.parse(text)


@pytest.mark.parametrize(
    ("provider", "identity", "expected"),
    [
        ("example.org", "alice@example.org", True),
        ("example.org:8443", "alice@example.org", True),
        ("example.org", "alice@sub.example.org", False),
        ("sub.example.org", "alice@example.org", False),
        ("idp.example", "alice@example.org", True),
        ("idp.example", "alice@example.net", False),
        ("other.example", "alice@example.org", False),
    ],
)
def test_only_the_domain_itself_and_trusted_third_parties_are_authoritative(
    provider: str, identity: str, expected: bool
) -> None:
    trusted = {"idp.example": {"example.org"}}
    assert is_authoritative(provider, Identity.parse(identity), trusted) is expected
