import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.signaling.messages import (
    ClientMessage,
    MemberJoined,
    MemberLeft,
    RelayedMessage,
    Welcome,
    encode_client_message,
    encode_server_message,
    parse_client_message,
    parse_server_message,
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
JSON_OBJECTS = st.dictionaries(st.text(), JSON_VALUES, max_size=4)


@given(data=JSON_OBJECTS, to=st.none() | st.text())
def test_client_message_round_trips(data: dict[str, object], to: str | None) -> None:
    message = ClientMessage(data, to)
    assert parse_client_message(encode_client_message(message)) == message


@given(
    message=st.builds(Welcome, st.text(), st.lists(st.text(), max_size=4).map(tuple))
    | st.builds(MemberJoined, st.text())
    | st.builds(MemberLeft, st.text())
    | st.builds(RelayedMessage, st.text(), JSON_OBJECTS)
)
def test_server_message_round_trips(message: Welcome | MemberJoined | MemberLeft | RelayedMessage) -> None:
    assert parse_server_message(encode_server_message(message)) == message


@given(text=st.text() | JSON_VALUES.map(json.dumps))
@example(text="[" * 50_000)
@example(text='{"data":' * 50_000)
@example(text='{"data": {"number": NaN}}')
@example(text='{"data": {"number": -Infinity}}')
@example(text='{"data": {"number": ' + "9" * 5000 + "}}")
@example(text='{"data": {}, "to": 7}')
@example(text='{"data": []}')
@example(text='{"type": "welcome", "id": "1", "members": [2]}')
@example(text='{"type": "message", "from": "1", "data": null}')
@example(text='{"type": ["welcome"]}')
def test_arbitrary_text_is_a_message_or_a_protocol_error(text: str) -> None:
    for parse in (parse_client_message, parse_server_message):
        try:
            parse(text)
        except ProtocolError:
            continue


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("7", "JSON object"),
        ("{}", '"data"'),
        ('{"data": 1}', '"data"'),
        ('{"data": {}, "to": 1}', '"to"'),
        ('{"data": {"x": NaN}}', "NaN is not JSON"),
    ],
)
def test_error_describes_an_invalid_client_message(text: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        parse_client_message(text)


def test_values_outside_json_are_rejected_when_sending() -> None:
    with pytest.raises(TypeError):
        encode_client_message(ClientMessage({"data": b"bytes"}))
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_client_message(ClientMessage({"data": float("nan")}))
    with pytest.raises(ValueError, match="surrogates"):
        encode_client_message(ClientMessage({"data": "\ud800"}))


@pytest.mark.parametrize(
    "text", ['{"data": {"n": 1e999}}', '{"data": {"n": "\\ud800"}}', '{"data": {"\\udfff": 1}}']
)
def test_values_that_only_python_parses_are_not_relayed(text: str) -> None:
    message = parse_client_message(text)
    with pytest.raises(ProtocolError, match="cannot be relayed"):
        encode_server_message(RelayedMessage("1", message.data))


def test_wire_format_is_the_documented_one() -> None:
    assert json.loads(encode_client_message(ClientMessage({"a": 1}, "7"))) == {"data": {"a": 1}, "to": "7"}
    assert json.loads(encode_client_message(ClientMessage({"a": 1}))) == {"data": {"a": 1}}
    assert json.loads(encode_server_message(Welcome("2", ("1",)))) == {
        "type": "welcome",
        "id": "2",
        "members": ["1"],
    }
    assert json.loads(encode_server_message(MemberJoined("3"))) == {"type": "joined", "id": "3"}
    assert json.loads(encode_server_message(MemberLeft("3"))) == {"type": "left", "id": "3"}
    assert json.loads(encode_server_message(RelayedMessage("1", {"a": 1}))) == {
        "type": "message",
        "from": "1",
        "data": {"a": 1},
    }
