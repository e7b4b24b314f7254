"""Malformed text raises an error that names the line, and no other error."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS, damaged_offers
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sdp import (
    Bandwidth,
    SdpOptions,
    SdpSyntaxError,
    application_attributes,
    groups,
    media_mid,
    parse,
    rtp_attributes,
    transport_attributes,
    write,
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
        ("v=0\r\no=- 1 1 IN IP4 h", 3),
        ("v=0\r\no=- 1 1 IN IP4 h\r\nt=0 0", 3),
        (HEAD + "a=x\r\n\r\na=y\r\n", 6),
        (HEAD + " a=x\r\n", 5),
        (HEAD + "a=b\rc\r\n", 5),
        (HEAD + "a=b\0\r\n", 5),
        (HEAD + "a=\ud800\r\n", 5),
        (HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF\r\n", 5),
        (HEAD + "m=audio 65536 RTP 0\r\n", 5),
        (HEAD + "m=audio -1 RTP 0\r\n", 5),
        (HEAD + "m=audio 9/0 RTP 0\r\n", 5),
        (HEAD + "m=audio 9 RTP//AVP 0\r\n", 5),
    ],
)
def test_malformed_lines(text: str, line_number: int) -> None:
    assert error_of(text).line_number == line_number


ORIGIN_OF_HEAD = "o=- 1 2 IN IP4 127.0.0.1"


@pytest.mark.parametrize(
    "line",
    [
        "i=",
        "u=http://a b",
        "e=",
        "p=",
        "k=",
        "c=",
        "c=IN IP4",
        "c=IN IP4 10.0.0.1 10.0.0.2",
        "r=0 1h 0",
        "z=1",
        "t=0  0",
        "t=0 0 ",
        "t= 0 0",
        "t=now later",
        "t=-1 0",
        "t=1 0",
        "a=:x",
        "a=two words:x",
    ],
)
def test_unused_values_are_not_checked(line: str) -> None:
    description = parse(f"{HEAD}{line}\r\na=x\r\n")
    assert not description.ignored
    assert line in write(description).splitlines()


@pytest.mark.parametrize(
    "line", ["b=", "b=:1", "b=AS", "b=AS:", "b=AS:-1", "b=AS:1.5", "b=A S:1", "q=1", "v=0"]
)
def test_ignored_lines(line: str) -> None:
    for text in (f"{HEAD}{line}\r\na=x\r\n", f"{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n{line}\r\nb=AS:9\r\n"):
        description = parse(text)
        assert [each.number for each in description.ignored] == [text.splitlines().index(line, 4) + 1]
        assert line in write(description).splitlines()
        for index in range(len(description.media)):
            assert rtp_attributes(description, index).bandwidths == (Bandwidth("AS", 9),)


@pytest.mark.parametrize("line", ["i=one", "u=http://a", "c=IN IP4 0.0.0.0", "k=prompt"])
def test_repeated_lines_are_kept(line: str) -> None:
    assert write(parse(f"{HEAD}{line}\r\n{line}\r\n")).count(line) == 2


def test_well_formed_fields() -> None:
    session = [
        "i=A \u00fcber session: with anything",
        "u=https://example.com/?q=\u00fc",
        "e=j.doe@example.com (Jane Doe)",
        "e=Jane Doe <j.doe@example.com>",
        "p=+1 617 555-6011",
        "c=IN IP6 ff15::101/3",
        "b=X-YZ:128",
        "b=CT:0",
        "t=2873397496 2873404696",
        "r=604800 3600 0 90000",
        "r=7d 1h 0 25h",
        "z=2882844526 -1h 2898848070 0",
        "t=3034423619 0",
        "k=clear:password",
    ]
    media = ["m=audio 49170/2 RTP/AVP 0 8", "i=-", "c=IN IP4 233.252.0.1/127", "c=TN RFC2543 +1-201-406-4090"]
    lines = [*session, *media]
    description = parse(HEAD.replace("t=0 0\r\n", "") + "".join(f"{line}\r\n" for line in lines))
    assert [f"{field.type}={field.value}" for field in description.fields] == session
    assert [f"{field.type}={field.value}" for field in description.media[0].fields] == media[1:]


@pytest.mark.parametrize(
    "attribute",
    [
        "mid:a b",
        "group",
        "group:",
        "fingerprint:sha-256",
        "fingerprint:sha-256 AB:CD",
        "fingerprint:sha-256 " + ":".join(["GG"] * 32),
        "fingerprint:sha-256 " + ":".join(["AB"] * 31),
        "ice-ufrag:abc",
        "ice-ufrag:abc\u00e4",
        "ice-ufrag:ab d",
        "ice-ufrag:abc!",
        "ice-pwd:" + "a" * 21,
        "ice-pwd:" + "a" * 22 + "@",
        "setup:both",
        "setup",
        "sctp-port:70000",
        "sctp-port:\u0665",
        "sctp-port:5_0",
        "max-message-size:-1",
        "max-message-size:1e9",
        "sctpmap:5000",
    ],
)
def test_malformed_needed_attributes(attribute: str) -> None:
    error = error_of(SECTION + f"a={attribute}\r\n")
    assert (error.line_number, error.line) == (7, f"a={attribute}")


def test_attributes_not_needed_in_a_section_are_not_checked() -> None:
    media = HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=sctp-port:x\r\n"
    assert [each.number for each in parse(media).ignored] == [6]
    for foreign in ("m=audio 0 UDP/TLS/RTP/SAVPF 0", "m=image 9 udptl t38", "m=audio 9 DTLS/SCTP 5000"):
        assert not parse(f"{HEAD}{foreign}\r\na=setup:x\r\na=mid:a b\r\na=rtpmap:x\r\n").ignored


@pytest.mark.parametrize(
    "attribute",
    [
        "mid",
        "mid:",
        "rtcp:x",
        "rtcp:",
        "rtpmap:111",
        "rtpmap:111 opus",
        "rtpmap:128 opus/48000",
        "rtpmap:111 opus/0",
        "rtpmap:96 H264/-1",
        "extmap:0 urn:x",
        "extmap:1/both urn:x",
        "rtcp-fb:96",
        "rid:q maybe",
        "rid:q",
        "simulcast:send",
        "simulcast:both q",
        "simulcast:send q send h",
        "simulcast:send q;;h",
        "simulcast: send rid=q",
        "ssrc:4294967296 cname:x",
        "ssrc-group:FID x",
        "tls-id:a b",
        "msid:",
        "fmtp:",
    ],
)
def test_malformed_attributes_that_are_ignored(attribute: str) -> None:
    text = HEAD + f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na={attribute}\r\n"
    description = parse(text)
    assert [(each.number, each.reason) for each in description.ignored] == [
        (6, f"a={attribute.partition(':')[0]} is malformed")
    ]
    assert write(description) == text
    rtp, known = (
        rtp_attributes(description, 0),
        rtp_attributes(parse(HEAD + "m=video 9 UDP/TLS/RTP/SAVPF 96"), 0),
    )
    assert rtp == known
    assert media_mid(description.media[0]) is None


@pytest.mark.parametrize("value", ["libp2p+webrtc+v1/Ab9", "a-=#_Z", "a" * 256])
def test_ice_credentials_that_are_accepted(value: str) -> None:
    """Peers use four characters beyond RFC 8839, which libwebrtc accepts too."""
    text = f"{SECTION}a=ice-ufrag:{value}\r\na=ice-pwd:{value:0<22}\r\n"
    transport = transport_attributes(parse(text), 0)
    assert (transport.ice_ufrag, transport.ice_pwd) == (value, f"{value:0<22}")


def test_malformed_fingerprint_beside_a_valid_one_is_ignored() -> None:
    valid, malformed = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32), "a=fingerprint:sha-1 AA:BB"
    for text in (
        f"{SECTION}{malformed}\r\n{valid}\r\n",
        HEAD + f"{valid}\r\n" + SECTION.removeprefix(HEAD) + f"{malformed}\r\n",
        HEAD + f"{malformed}\r\n" + SECTION.removeprefix(HEAD) + f"{valid}\r\n",
    ):
        description = parse(text)
        assert [each.algorithm for each in transport_attributes(description, 0).fingerprints] == ["sha-256"]
        assert [each.number for each in description.ignored] == [text.splitlines().index(malformed) + 1]
    assert error_of(f"{HEAD}{malformed}\r\n{SECTION.removeprefix(HEAD)}").line_number == 5


def test_long_lines_are_truncated_in_the_error() -> None:
    assert error_of(SECTION + "a=ice-ufrag:" + "a" * 257).line.endswith("a…")
    assert len(str(error_of(HEAD + "m=" + "x" * 100_000))) < 400


def test_bounds() -> None:
    assert "more than 10" in str(error_of(HEAD, SdpOptions(maximum_length=10)))
    error = error_of(HEAD + "a=x\r\n" * 10, SdpOptions(maximum_lines=8))
    assert error.line_number == 9
    error = error_of(HEAD + "m=audio 0 RTP 0\r\n" * 3, SdpOptions(maximum_sections=2))
    assert error.line_number == 7
    error = error_of(HEAD + "a=x\r\n" * 10 + "m=audio 0 RTP 0\r\n", SdpOptions(maximum_session_lines=8))
    assert error.line_number == 9
    parse(HEAD + "m=audio 0 RTP 0\r\n" + "a=x\r\n" * 10, SdpOptions(maximum_session_lines=8))
    assert "ICE options" in str(error_of(HEAD + "a=ice-options:" + "x " * 100_000))


def read_all(text: str) -> int | None:
    """Parse a description and compute all views; return the line number of the syntax error."""
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


def test_attributes_of_real_offers_may_have_any_order() -> None:
    for text in REAL_OFFERS.values():
        head, *sections = text.split("m=")
        for section in sections:
            first, *lines = section.splitlines()
            parse(head + "m=" + "\r\n".join([first, *reversed(lines)]))
