"""Tokens, integers and words."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sdp.grammar import integer, token, words


@pytest.mark.parametrize("text", ["a", "UDP", "x-y.z", "!#$%&'*+-.^_`{|}~"])
def test_tokens(text: str) -> None:
    assert token(text, "name") == text


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a:b", "é", '"', "a\t"])
def test_other_text_is_no_token(text: str) -> None:
    with pytest.raises(ProtocolError, match="name must be a token"):
        token(text, "name")


def test_integers_are_decimal_and_bounded() -> None:
    assert [integer(text, "port", maximum=65535) for text in ("0", "007", "65535")] == [0, 7, 65535]
    for text in ("", "-1", "+1", "1_0", "0x1", "1.0", "٣", "1" * 21):
        with pytest.raises(ProtocolError, match="port must be a decimal number of at most 20 digits"):
            integer(text, "port", maximum=65535)
    with pytest.raises(ProtocolError, match="port must be 1 to 65535, not 65536"):
        integer("65536", "port", minimum=1, maximum=65535)


def test_words_are_split_at_runs_of_white_space() -> None:
    assert words(" a \t b  c ", "line") == ["a", "b", "c"]
    assert words("a b  c d", "line", maximum=2) == ["a", "b  c d"]
    with pytest.raises(ProtocolError, match="line must have at least 2 words"):
        words("a", "line", minimum=2)
    with pytest.raises(ProtocolError, match=r"line must have at least 1 word$"):
        words(" ", "line")
