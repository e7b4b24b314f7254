"""Python names of W3C's members and events."""

import keyword

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trio_rtc._strict_names.spelling import EVENT_NAMES, handler_name, python_name


@pytest.mark.parametrize(
    ("idl_name", "expected"),
    [
        ("createDataChannel", "create_data_channel"),
        ("sdpMLineIndex", "sdp_m_line_index"),
        ("toJSON", "to_json"),
        ("canInsertDTMF", "can_insert_dtmf"),
        ("maxPacketLifeTime", "max_packet_life_time"),
        ("oniceconnectionstatechange", "on_ice_connection_state_change"),
        ("onopen", "on_open"),
        ("ordered", "ordered"),
        ("only", "only"),
        ("from", "from_"),
    ],
)
def test_the_naming_rule(idl_name: str, expected: str) -> None:
    assert python_name(idl_name) == expected


def test_events_are_handler_names_without_the_prefix() -> None:
    for idl_name, event in EVENT_NAMES.items():
        assert event.replace("_", "") == idl_name
        assert python_name(f"on{idl_name}") == handler_name(event) == f"on_{event}"


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]+", fullmatch=True), min_size=1, max_size=4))
def test_words_in_camel_case_are_joined_by_underscores(words: list[str]) -> None:
    idl_name = words[0] + "".join(word.capitalize() for word in words[1:])
    assume(not idl_name.startswith("on"))
    expected = "_".join(words)
    assert python_name(idl_name) == (f"{expected}_" if keyword.iskeyword(expected) else expected)
