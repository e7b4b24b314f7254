"""The decision whether a page may open a WebSocket (RFC 6455 section 10.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.signaling.origin import OriginPolicy, normalize_names

NAMED = OriginPolicy(None, normalize_names(["Signaling.Example.", "*.example"]))
ANYWHERE = OriginPolicy(None, frozenset({"*"}))


@pytest.mark.parametrize("policy", [NAMED, OriginPolicy(frozenset(), frozenset())])
@given(host=st.text(max_size=30), secure=st.booleans())
def test_programs_without_an_origin_may_always_connect(policy: OriginPolicy, host: str, secure: bool) -> None:
    assert policy.allows(None, host, secure=secure)


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [({"https://a.example"}, True), ({"https://b.example"}, False), (set(), False), ({"b", "*"}, True)],
)
def test_listed_origins_may_connect_whatever_the_host(origins: set[str], allowed: bool) -> None:
    policy = OriginPolicy(frozenset(origins), frozenset({"a.example"}))
    assert policy.allows("https://a.example", "elsewhere.example", secure=True) is allowed


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://signaling.example", "signaling.example"),
        ("http://signaling.example", "signaling.example:80"),
        ("http://SIGNALING.example:80", "signaling.EXAMPLE"),
        ("http://signaling.example.", "signaling.example."),
        ("https://signaling.example", "signaling.example:443"),
        ("http://signaling.example:8080", "signaling.example:8080"),
        ("http://localhost:8080", "localhost:8080"),
        ("http://app.localhost", "app.localhost"),
        ("http://192.0.2.1:8080", "192.0.2.1:8080"),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_pages_of_this_host_may_connect(origin: str, host: str) -> None:
    assert NAMED.allows(origin, host, secure=False)
    assert NAMED.allows(origin, host, secure=True) is origin.startswith("https")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        # DNS rebinding: the page's own name resolves to this server.
        ("http://evil.example", "evil.example"),
        ("http://notlocalhost", "notlocalhost"),
        ("http://localhost.evil.example", "localhost.evil.example"),
        ("http://192.0.2.1.evil.example", "192.0.2.1.evil.example"),
        ("http://evil.example", "signaling.example"),
        ("http://signaling.example:8080", "signaling.example"),
        ("http://signaling.example", "signaling.example:8080"),
        ("https://signaling.example", "signaling.example:80"),
        ("null", "signaling.example"),
        ("", "signaling.example"),
        ("file://", ""),
        ("ws://signaling.example", "signaling.example"),
        ("http://", ""),
        ("http://signaling.example", "evil@signaling.example"),
        ("http://signaling.example", "signaling.example/path"),
        ("http://[::1", "[::1"),
        ("http://[::g]", "[::g]"),
        ("http://signaling.example:port", "signaling.example:port"),
        ("http://signaling.example:99999", "signaling.example:99999"),
    ],
)
def test_other_pages_may_not_connect(origin: str, host: str) -> None:
    assert not NAMED.allows(origin, host, secure=False)


def test_any_name_is_allowed_only_for_the_requested_host() -> None:
    assert ANYWHERE.allows("http://evil.example", "evil.example", secure=False)
    assert not ANYWHERE.allows("http://evil.example", "signaling.example", secure=False)


@given(st.text(max_size=40), st.text(max_size=40), st.booleans())
def test_arbitrary_fields_never_raise_and_need_an_own_name(origin: str, host: str, secure: bool) -> None:
    assert not OriginPolicy(None, frozenset()).allows(
        f"http://{origin}.example", f"{host}.example", secure=secure
    )
    assert NAMED.allows(origin, host, secure=secure) in (True, False)


def test_names_are_compared_in_lower_case_without_a_final_dot() -> None:
    assert normalize_names(["A.Example.", "b.example", "*"]) == {"a.example", "b.example", "*"}
    assert NAMED.is_own_name("signaling.example.")
    assert not NAMED.is_own_name("example")
