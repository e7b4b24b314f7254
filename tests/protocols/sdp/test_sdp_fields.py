"""The ``v=``, ``o=``, ``s=``, ``t=`` and ``m=`` lines."""

import pytest

from trio_rtc.protocols.sdp import (
    SdpOptions,
    SdpSyntaxError,
    parse,
    write,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
SECTION = HEAD + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
ORIGIN_OF_HEAD = "o=- 1 2 IN IP4 127.0.0.1"


def error_of(text: str, options: SdpOptions | None = None) -> SdpSyntaxError:
    with pytest.raises(SdpSyntaxError) as caught:
        parse(text, options or SdpOptions())
    return caught.value


@pytest.mark.parametrize(
    "line",
    [
        "v=",
        "v=00",
        "v=1",
        "o=",
        "o=- 1 2 IN IP4 h more",
        "o=- 1 2 I:N IP4 h",
        "o=- 1 2 IN IP/4 h",
        "o=- 1 2 IN IP4 h\x7f",
        "o=- 1 2 IN IP4",
        "t=",
        "t=0",
        "t=0 0 0",
        "m=",
        "m=audio 9 RTP/AVP",
        "m=au/dio 9 RTP/AVP 0",
        "m=audio 9 RTP/ 0",
        "m=audio 9/ RTP/AVP 0",
        "m=audio 9/2/2 RTP/AVP 0",
        "m=audio 0x9 RTP/AVP 0",
        "m=audio 9 RTP/AVP 0,8",
    ],
)
def test_malformed_version_origin_time_and_media_lines(line: str) -> None:
    """RFC 8866 section 9."""
    kinds = {"v": "v=0", "o": ORIGIN_OF_HEAD, "s": "s=-"}
    if line[0] in kinds:
        text = HEAD.replace(f"{kinds[line[0]]}\r\n", f"{line}\r\n")
        line_number = "vos".index(line[0]) + 1
    else:
        text, line_number = f"{HEAD}{line}\r\na=x\r\n", 5
    error = error_of(text)
    assert (error.line_number, error.line) == (line_number, line)


@pytest.mark.parametrize(
    "line",
    [
        "v=0 ",
        "o=-  1 2 IN IP4 h ",
        "o=- -1 2 IN IP4 h",
        "o=- 1 two IN IP4 h",
        "o=- 184467440737095516151234 007 IN IP4 h",
        "s=",
        "s= ",
    ],
)
def test_values_of_origin_and_session_name_are_not_checked(line: str) -> None:
    kinds = {"v": "v=0", "o": ORIGIN_OF_HEAD, "s": "s=-"}
    description = parse(HEAD.replace(f"{kinds[line[0]]}\r\n", f"{line}\r\n"))
    assert write(description).splitlines()["vos".index(line[0])].split() == line.split()
