"""The attribute a=identity and the contents of assertions (RFC 8827 sections 5 and 7.4)."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.jsep.identity import (
    CarriedAssertion,
    contents_of,
    described_fingerprints,
    fingerprints_in,
    identity_value,
)
from trio_rtc.protocols.sdp import parse

ONE = ("sha-256", "AA:" * 31 + "AA")
OTHER = ("sha-256", "BB:" * 31 + "BB")
SESSION = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
SECTION = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"


def encoded(members: object) -> str:
    return base64.b64encode(json.dumps(members).encode()).decode()


def test_value_is_the_base64_form_of_json() -> None:
    value = CarriedAssertion("example.org", "default", "opaque").to_value()
    assert json.loads(base64.b64decode(value)) == {
        "idp": {"domain": "example.org", "protocol": "default"},
        "assertion": "opaque",
    }


@given(st.text(), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_values_are_parsed_again(assertion: str, protocol: str) -> None:
    carried = CarriedAssertion("example.org", protocol, assertion)
    if any(0xD800 <= ord(character) < 0xE000 for character in assertion):
        return
    assert CarriedAssertion.parse(carried.to_value(), 1 << 20) == carried


def test_protocol_may_be_missing_and_unknown_members_are_ignored() -> None:
    value = encoded({"idp": {"domain": "Example.org", "x": 1}, "assertion": "a", "y": []})
    assert CarriedAssertion.parse(value, 1000) == CarriedAssertion("example.org", "default", "a")


def test_extensions_are_ignored() -> None:
    value = CarriedAssertion("example.org", "default", "a").to_value()
    assert CarriedAssertion.parse(f"{value} ext=1;other", 1000).assertion == "a"


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ext=1",
        "!!!!",
        "YQ",
        "YQ==YQ==",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(b"1" * 10_000).decode(),
        base64.b64encode(b"no JSON").decode(),
        encoded([]),
        encoded(None),
        encoded({"assertion": "a"}),
        encoded({"idp": "example.org", "assertion": "a"}),
        encoded({"idp": {}, "assertion": "a"}),
        encoded({"idp": {"domain": "example.org"}}),
        encoded({"idp": {"domain": "example.org"}, "assertion": {}}),
        encoded({"idp": {"domain": "example.org", "protocol": 1}, "assertion": "a"}),
        encoded({"idp": {"domain": "example.org", "protocol": "../x"}, "assertion": "a"}),
        encoded({"idp": {"domain": "exa mple.org"}, "assertion": "a"}),
    ],
)
def test_malformed_value(value: str) -> None:
    with pytest.raises(ProtocolError):
        CarriedAssertion.parse(value, 1 << 20)


def test_too_long_value() -> None:
    value = CarriedAssertion("example.org", "default", "a" * 1000).to_value()
    with pytest.raises(ProtocolError, match="1 to 1000 characters, not"):
        CarriedAssertion.parse(value, 1000)


def test_contents_list_the_fingerprints() -> None:
    contents = contents_of([ONE, OTHER])
    assert json.loads(contents)["fingerprint"][0] == {"algorithm": "sha-256", "digest": ONE[1]}
    assert fingerprints_in(contents) == {ONE, OTHER}


def test_fingerprints_are_compared_without_case_and_unknown_members_are_ignored() -> None:
    contents = {"fingerprint": [{"algorithm": "SHA-256", "digest": ONE[1].lower(), "x": 1}], "y": 2}
    assert fingerprints_in(json.dumps(contents)) == {ONE}


@pytest.mark.parametrize(
    "contents",
    [
        "",
        "bogus",
        "[]",
        "{}",
        '{"fingerprint": {}}',
        '{"fingerprint": []}',
        '{"fingerprint": ["sha-256"]}',
        '{"fingerprint": [{"algorithm": "sha-256"}]}',
        '{"fingerprint": [{"algorithm": 1, "digest": "AA"}]}',
        "[" * 100_000,
        json.dumps({"fingerprint": [{"algorithm": "a", "digest": str(n)} for n in range(257)]}),
    ],
)
def test_malformed_contents(contents: str) -> None:
    with pytest.raises(ProtocolError):
        fingerprints_in(contents)


def test_fingerprints_of_the_session_and_of_every_section() -> None:
    text = (
        f"{SESSION}a=fingerprint:{' '.join(ONE)}\r\n{SECTION}"
        f"{SECTION}a=fingerprint:sha-256 {OTHER[1].lower()}\r\n"
    )
    assert described_fingerprints(parse(text)) == {ONE, OTHER}


def test_identity_is_an_attribute_of_the_session() -> None:
    fingerprint = f"a=fingerprint:{' '.join(ONE)}\r\n"
    assert identity_value(parse(f"{SESSION}a=identity:YQ==\r\n{fingerprint}{SECTION}")) == "YQ=="
    assert identity_value(parse(f"{SESSION}{fingerprint}{SECTION}a=identity:YQ==\r\n")) is None
    with pytest.raises(ProtocolError, match="one a=identity, not 2"):
        identity_value(parse(f"{SESSION}a=identity:YQ==\r\na=identity:YQ==\r\n{fingerprint}{SECTION}"))
