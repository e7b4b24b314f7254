"""Malformed text gets an error that names the line, and nothing but that error."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS, damaged_offers
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sdp import (
    SdpOptions,
    SdpSyntaxError,
    application_attributes,
    groups,
    parse,
    rtp_attributes,
    transport_attributes,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SECTION = HEAD + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"


def error_of(text: str, options: SdpOptions | None = None) -> SdpSyntaxError:
    with pytest.raises(SdpSyntaxError) as caught:
        parse(text, options or SdpOptions())
    return caught.value


def test_error_names_line_and_reason() -> None:
    error = error_of(SECTION + "a=mid:0\r\na=setup:sometimes\r\n")
    assert (error.line_number, error.line) == (8, "a=setup:sometimes")
    assert "line 8" in str(error)
    assert "setup" in str(error)
    assert isinstance(error, ProtocolError)


@pytest.mark.parametrize(
    ("text", "line_number"),
    [
        ("", 1),
        ("Hello", 1),
        ("v=1\r\n", 1),
        ("v=0\r\n", 2),
        ("v=0\r\ns=-\r\n", 2),
        ("v=0\r\no=- 1 1 IN IP4\r\ns=-", 2),
        ("v=0\r\no=- x 1 IN IP4 h\r\ns=-", 2),
        ("v=0\r\no=- 1 1 IN IP4 h", 3),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nt=0 0", 3),
        (HEAD + "a=x\r\n\r\na=y\r\n", 6),
        (HEAD + "q=1\r\n", 5),
        (HEAD + " a=x\r\n", 5),
        (HEAD + "a=b\rc\r\n", 5),
        (HEAD + "a=b\0\r\n", 5),
        (HEAD + "a=\ud800\r\n", 5),
        (HEAD + "a=:x\r\n", 5),
        (HEAD + "a=two words:x\r\n", 5),
        (HEAD + "c=IN IP4\r\n", 5),
        (HEAD + "b=128\r\n", 5),
        (HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF\r\n", 5),
        (HEAD + "m=audio 65536 RTP 0\r\n", 5),
        (HEAD + "m=audio -1 RTP 0\r\n", 5),
        (HEAD + "m=audio 9/0 RTP 0\r\n", 5),
        (HEAD + "m=audio 9 RTP//AVP 0\r\n", 5),
        (HEAD + "m=audio  9 RTP 0\r\n", 5),
        (SECTION + "t=0 0\r\n", 7),
    ],
)
def test_lines_out_of_grammar(text: str, line_number: int) -> None:
    assert error_of(text).line_number == line_number


@pytest.mark.parametrize(
    "attribute",
    [
        "mid",
        "mid:",
        "mid:a b",
        "group",
        "group:",
        "fingerprint:sha-256",
        "fingerprint:sha-256 AB:CD",
        "fingerprint:sha-256 " + ":".join(["GG"] * 32),
        "fingerprint:sha-256 " + ":".join(["AB"] * 31),
        "ice-ufrag:abc",
        "ice-pwd:" + "a" * 21,
        "ice-pwd:" + "a" * 22 + " ",
        "setup:both",
        "setup",
        "sctp-port:70000",
        "sctp-port:\u0665",
        "sctp-port:5_0",
        "max-message-size:-1",
        "max-message-size:1e9",
        "sctpmap:5000",
        "rtcp:x",
        "rtpmap:111",
        "rtpmap:111 opus",
        "rtpmap:128 opus/48000",
        "rtpmap:111 opus/0",
        "extmap:0 urn:x",
        "extmap:1/both urn:x",
        "rtcp-fb:96",
        "rid:q maybe",
        "simulcast:send",
        "simulcast:both q",
        "simulcast:send q send h",
        "simulcast:send q;;h",
        "ssrc:4294967296 cname:x",
        "ssrc-group:FID x",
        "tls-id:a b",
    ],
)
def test_attributes_out_of_grammar(attribute: str) -> None:
    error = error_of(SECTION + f"a={attribute}\r\n")
    assert (error.line_number, error.line) == (7, f"a={attribute}")


def test_long_lines_are_shortened_in_the_error() -> None:
    assert error_of(SECTION + "a=ice-ufrag:" + "a" * 257).line.endswith("a…")
    assert len(str(error_of(HEAD + "q=" + "x" * 100_000))) < 400


def test_bounds() -> None:
    assert "longer" in str(error_of(HEAD, SdpOptions(maximum_length=10)))
    error = error_of(HEAD + "a=x\r\n" * 10, SdpOptions(maximum_lines=8))
    assert error.line_number == 9
    error = error_of(HEAD + "m=audio 0 RTP 0\r\n" * 3, SdpOptions(maximum_sections=2))
    assert error.line_number == 7
    error = error_of(HEAD + "a=x\r\n" * 10 + "m=audio 0 RTP 0\r\n", SdpOptions(maximum_session_lines=8))
    assert error.line_number == 9
    assert parse(HEAD + "m=audio 0 RTP 0\r\n" + "a=x\r\n" * 10, SdpOptions(maximum_session_lines=8))
    assert "ICE options" in str(error_of(HEAD + "a=ice-options:" + "x " * 100_000))


def read_all(text: str) -> int | None:
    """Read a description and everything that the views tell of it; return the line of the syntax error."""
    try:
        description = parse(text)
    except SdpSyntaxError as error:
        return error.line_number
    groups(description, "BUNDLE")
    for index, media in enumerate(description.media):
        transport_attributes(description, index)
        rtp_attributes(description, index)
        application_attributes(media)
    return None


@given(st.text(max_size=300))
@example("v=0\no=- 1 1 IN IP4 h\ns=\n\x0b\n")
@example("v=0\r\r\n")
def test_arbitrary_text_raises_only_syntax_errors(text: str) -> None:
    for full in (text, HEAD + text, SECTION + text, SECTION + "a=" + text):
        line_number = read_all(full)
        assert line_number is None or 1 <= line_number <= full.count("\n") + 2


@given(damaged_offers())
def test_damaged_offers_raise_only_syntax_errors(text: str) -> None:
    line_number = read_all(text)
    assert line_number is None or 1 <= line_number <= text.count("\n") + 2


def test_real_offers_have_no_error_in_any_order_of_their_attributes() -> None:
    for text in REAL_OFFERS.values():
        head, *sections = text.split("m=")
        for section in sections:
            first, *lines = section.splitlines()
            parse(head + "m=" + "\r\n".join([first, *reversed(lines)]))
