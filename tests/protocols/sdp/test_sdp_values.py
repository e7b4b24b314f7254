"""The values of attributes."""

import pytest

from trio_rtc.protocols.sdp import (
    ExtMap,
    Fmtp,
    Rid,
    RtcpFeedback,
    RtpMap,
    Simulcast,
    parse,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SECTION = HEAD + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("a=mid:0 ", "mid", "0"),
        ("a= mid: 0", "mid", "0"),
        ("a=setup: ACTPASS ", "setup", "actpass"),
        ("a=ice-pwd:" + "a" * 22 + "\t", "ice-pwd", "a" * 22),
        ("a=sctp-port: 5001 ", "sctp-port", 5001),
        ("a=tls-id: abc", "tls-id", "abc"),
        ("a=fmtp:96 ", "fmtp", Fmtp("96", "")),
        ("a=rtcp-fb:96  goog-remb ", "rtcp-fb", RtcpFeedback(96, "goog-remb", None)),
        ("a=rtcp-fb:96 nack  pli ", "rtcp-fb", RtcpFeedback(96, "nack", "pli")),
        ("a=rtpmap:111 opus/48000/2 ", "rtpmap", RtpMap(111, "opus", 48000, 2)),
        ("a=extmap:4  urn:x", "extmap", ExtMap(4, None, "urn:x", None)),
    ],
)
def test_white_space_is_split_at_runs_and_stripped(line: str, name: str, expected: object) -> None:
    description = parse(SECTION + line + "\r\n")
    assert [each.parsed for each in description.media[0].attributes if each.name == name] == [expected]


@pytest.mark.parametrize(
    ("grammar", "value"),
    [
        (ExtMap, "8/sendonly https://example.org/x"),
        (ExtMap, "2 urn:x with attributes"),
        (Rid, "4 send pt=96;max-width=1280"),
        (Rid, "q recv"),
        (Simulcast, "send q;~h,f"),
        (Simulcast, "send q;h recv 1,~2"),
        (Simulcast, "recv 1"),
    ],
)
def test_values_round_trip(grammar: type[ExtMap] | type[Rid] | type[Simulcast], value: str) -> None:
    assert grammar.parse(value).to_value() == value
