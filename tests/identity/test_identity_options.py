"""The registry of identity providers."""

from typing import Any

import pytest

from tests.strategies.identity import ScriptedProvider
from trio_rtc import IdentityOptions, Settings


def test_providers_are_registered_by_normalized_domain_and_protocol() -> None:
    provider = ScriptedProvider()
    options = IdentityOptions(providers={("Example.ORG:8443", ""): provider})
    assert options.providers == {("example.org:8443", "default"): provider}


def test_trusted_domains_are_normalized() -> None:
    options = IdentityOptions(trusted_domains={"IdP.example": ["Example.org"]})
    assert options.trusted_domains == {"idp.example": {"example.org"}}


def test_defaults() -> None:
    options = Settings().identity
    assert (dict(options.providers), options.origin, options.timeout) == ({}, "null", 15.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"providers": {"example.org": ScriptedProvider()}}, "a domain and a protocol, not 'example.org'"),
        ({"providers": {("example.org", 1): ScriptedProvider()}}, "a domain and a protocol"),
        ({"providers": {("example.org", "default"): object()}}, "must have the function generate_assertion"),
        ({"providers": []}, "must be a mapping"),
        ({"trusted_domains": {"idp.example": "example.org"}}, "must be a collection of domains"),
        ({"origin": None}, "'origin' must be a str"),
    ],
)
def test_wrong_types(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        IdentityOptions(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"providers": {("", "default"): ScriptedProvider()}},
        {"providers": {("example.org", "a/b"): ScriptedProvider()}},
        {"trusted_domains": {"idp.example": ["exa mple.org"]}},
        {"timeout": 0},
        {"max_assertion_length": 0},
    ],
)
def test_wrong_values(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        IdentityOptions(**arguments)
