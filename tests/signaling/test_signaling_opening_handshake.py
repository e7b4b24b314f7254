"""The opening handshake of a WebSocket as each side checks it (RFC 6455 section 4)."""

from collections.abc import Mapping
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.signaling.http import RequestHead
from trio_rtc.signaling.opening_handshake import HandshakeError, ResponseCheck, clean_request

# RFC 6455 section 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
FIELDS = {"connection": "Upgrade", "sec-websocket-version": "13", "sec-websocket-key": KEY}
REQUEST = f"GET /?room=r HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
RESPONSE = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
).encode()


def head(**changes: str) -> RequestHead:
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return RequestHead("GET", "/", {}, fields, b"")


@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, Upgrade", "keep-alive,UPGRADE "])
def test_a_valid_request_is_reduced_to_the_required_fields(connection: str) -> None:
    cleaned = clean_request(head(connection=connection, cookie="secret", sec_websocket_extensions="x"))
    assert (
        cleaned
        == (
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        ).encode()
    )


@pytest.mark.parametrize(
    ("changes", "status", "headers"),
    [
        ({"connection": "keep-alive"}, 400, {}),
        ({"connection": ""}, 400, {}),
        ({"connection": "upgraded"}, 400, {}),
        ({"sec_websocket_version": "8"}, 426, {"Sec-WebSocket-Version": "13"}),
        ({"sec_websocket_version": "13, 8"}, 426, {"Sec-WebSocket-Version": "13"}),
        ({"sec_websocket_key": ""}, 400, {}),
        ({"sec_websocket_key": "dGhlIHNhbXBsZQ=="}, 400, {}),
        ({"sec_websocket_key": KEY + "AAAA"}, 400, {}),
        ({"sec_websocket_key": KEY[:-1] + "!"}, 400, {}),
        ({"sec_websocket_key": "ü" * 24}, 400, {}),
    ],
)
def test_an_invalid_request_is_refused_with_a_status(
    changes: Mapping[str, str], status: int, headers: Mapping[str, str]
) -> None:
    with pytest.raises(HandshakeError) as raised:
        clean_request(head(**changes))
    assert (raised.value.status, raised.value.headers) == (HTTPStatus(status), headers)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=30)))
def test_arbitrary_fields_raise_only_handshake_errors(changes: dict[str, str]) -> None:
    try:
        cleaned = clean_request(RequestHead("GET", "/", {}, {**FIELDS, **changes}, b""))
    except HandshakeError:
        return
    assert cleaned.count(b"\r\n") == 7


@pytest.mark.parametrize("size", [1, 7, len(RESPONSE)])
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"])
def test_an_accepted_handshake_returns_the_bytes_after_it(size: int, before: bytes) -> None:
    check = ResponseCheck.of_request(REQUEST)
    data = before + RESPONSE
    rest = None
    for begin in range(0, len(data), size):
        assert rest is None
        part = data[begin : begin + size]
        rest = check.receive(part + b"frames" if begin + size >= len(data) else part)
    assert rest == b"frames"
    assert check.clean_response() == RESPONSE


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", "closed the connection during the handshake"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP response"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "server answered 404 Not Found"),
        (b"HTTP/1.1 200 \xff\xfe\r\n\r\n", r"server answered 200 \\xff\\xfe"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://evil.example\r\n\r\n",
            "answered 302 Found, a redirect to 'http://evil.example', which is not followed",
        ),
        (RESPONSE.replace(b"websocket", b"h2c"), "another protocol than WebSocket"),
        (RESPONSE.replace(b"Connection: Upgrade", b"Connection: close"), "Connection: Upgrade is missing"),
        (RESPONSE.replace(ACCEPT.encode(), b"AAAA"), "does not match the key"),
        (RESPONSE.replace(b"Sec-WebSocket-Accept", b"X"), "does not match the key"),
        (
            RESPONSE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: deflate\r\n\r\n"),
            "accepted sec-websocket-extensions, which was not offered",
        ),
        (
            RESPONSE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
            "accepted sec-websocket-protocol, which was not offered",
        ),
    ],
)
def test_an_invalid_response_is_refused(response: bytes, reason: str) -> None:
    with pytest.raises(HandshakeError, match=reason):
        ResponseCheck.of_request(REQUEST).receive(response)


def receive_repeatedly(data: bytes, count: int) -> None:
    check = ResponseCheck.of_request(REQUEST)
    for _ in range(count):
        assert check.receive(data) is None


def test_endless_responses_are_bounded() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: <" + b"x" * (4_096 - 38) + b">\r\n\r\n"
    assert len(hint) == 4_096
    receive_repeatedly(hint, 16)
    with pytest.raises(HandshakeError, match="has more than 65536 bytes"):
        receive_repeatedly(hint, 17)


def test_one_endless_line_is_bounded() -> None:
    receive_repeatedly(b"HTTP/1.1 101 ", 10)
    with pytest.raises(HandshakeError, match="not an HTTP response"):
        receive_repeatedly(b"x" * 1_000, 20)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=5), st.integers(0, len(RESPONSE)))
def test_arbitrary_responses_raise_only_handshake_errors(parts: list[bytes], cut: int) -> None:
    check = ResponseCheck.of_request(REQUEST)
    try:
        results = [check.receive(part) for part in [RESPONSE[:cut] or b"H", *parts]]
    except HandshakeError:
        return
    assert results[-1] is None or cut == len(RESPONSE)
