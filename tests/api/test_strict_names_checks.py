"""Classes and functions that refuse wrong names and types."""

import inspect
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc._strict_names.checks import (
    check_public_arguments,
    strict_arguments,
    strict_class,
    suggestion,
    warn_obsolete,
)


@strict_class
class Player:
    """A class with a constructor, properties and methods of each kind."""

    maximum_volume = 11

    def __init__(self, title: str, *, volume: int = 5) -> None:
        self._title = title
        self._volume = volume

    @property
    def volume(self) -> int:
        return self._volume

    @volume.setter
    def volume(self, value: int) -> None:
        self._volume = value

    @property
    def on_title_change(self) -> None:
        raise AttributeError("no title")

    def play(self, *positions: int, loop: bool = False) -> tuple[int, ...]:
        return positions

    def stop(self, *, fade_out: float = 0.0) -> float:
        return fade_out

    def send(self, data: bytes) -> object:
        return data

    @staticmethod
    def parse(text: str) -> str:
        return text

    async def wait(self, seconds: float) -> float:
        return seconds


@strict_class
@attrs.frozen
class Options:
    frame_rate: float = 30.0


PLAYER: Any = Player
OPTIONS: Any = Options


class Subclass(Player):
    def __init__(self) -> None:
        super().__init__("title")
        self.own = 5


def test_known_attributes_can_be_read_and_set() -> None:
    player = Player("title", volume=7)
    player.volume = 8
    player._private = 1  # type: ignore[attr-defined]
    assert (player.volume, player.maximum_volume) == (8, 11)
    assert Subclass().own == 5


@pytest.mark.parametrize("make", [lambda: Player("title"), Subclass])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("maximumVolume", "maximum_volume"),
        ("onTitleChange", "on_title_change"),
        ("ontitlechange", "on_title_change"),
    ],
)
def test_another_spelling_of_an_attribute_suggests_the_right_one(make: Any, name: str, meant: str) -> None:
    message = rf"object has no attribute '{name}'; did you mean '{meant}'\?"
    player = make()
    with pytest.raises(AttributeError, match=message):
        getattr(player, name)
    with pytest.raises(AttributeError, match=message):
        setattr(player, name, 1)


def test_an_unknown_attribute_without_a_similar_one() -> None:
    with pytest.raises(AttributeError, match=r"^'Player' object has no attribute 'xyz'$"):
        Player("title").xyz = 1  # type: ignore[attr-defined]


def test_an_error_inside_a_property_is_raised_as_it_is() -> None:
    with pytest.raises(AttributeError, match=r"^no title$"):
        Player("title").on_title_change  # noqa: B018


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PLAYER(5), "Player() argument 'title' must be a str, not 5"),
        (lambda: PLAYER("a", volumes=5), "Player() has no argument 'volumes'; did you mean 'volume'?"),
        (lambda: PLAYER("a", xyz=5), "Player() has no argument 'xyz'; it takes: title, volume"),
        (
            lambda: PLAYER("a", {"volume": 5}),
            "Player() takes its options as keyword arguments, volume=5, not as",
        ),
        (lambda: PLAYER("a").play(1, "2"), "Player.play() argument 'positions' must be an int, not '2'"),
        (
            lambda: PLAYER("a").stop({"fadeOut": 2}),
            "Player.stop() takes its options as keyword arguments, fade_out=2",
        ),
        (
            lambda: PLAYER("a").stop(fade_out="x"),
            "Player.stop() argument 'fade_out' must be a number, not 'x'",
        ),
        (lambda: PLAYER.parse(5), "Player.parse() argument 'text' must be a str, not 5"),
        (lambda: setattr(PLAYER("a"), "volume", "x"), "Player.volume must be an int, not 'x'"),
        (lambda: OPTIONS(frameRate=5), "Options() has no argument 'frameRate'; did you mean 'frame_rate'?"),
        (lambda: OPTIONS(frame_rate="5"), "Options() argument 'frame_rate' must be a number, not '5'"),
    ],
)
def test_wrong_arguments_raise_a_type_error_that_names_the_right_ones(call: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        call()
    assert str(raised.value).startswith(message)


async def test_arguments_of_asynchronous_methods() -> None:
    assert await Player("a").wait(5) == 5
    with pytest.raises(TypeError, match="argument 'seconds' must be a number, not 'x'"):
        await Player("a").wait("x")  # type: ignore[arg-type]


def test_methods_called_for_each_message_are_not_wrapped() -> None:
    assert Player("a").send("text") == "text"  # type: ignore[arg-type]
    assert not hasattr(Player.send, "__wrapped__")
    assert hasattr(Player.stop, "__wrapped__")


def test_right_arguments_pass_and_signatures_are_kept() -> None:
    player = Player("a", volume=2)
    assert player.play(1, 2, loop=True) == (1, 2)
    assert player.stop(fade_out=2) == 2
    assert list(inspect.signature(Player.stop).parameters) == ["self", "fade_out"]
    assert Options(frame_rate=5) == Options(5.0)


def test_an_error_that_a_function_raises_itself_is_kept() -> None:
    error = ValueError("of the function")

    @strict_arguments
    def function(value: int) -> None:
        raise error

    with pytest.raises(ValueError, match="of the function") as raised:
        function(1)
    assert raised.value is error


def test_public_names_of_a_module_are_checked() -> None:
    def function(value: int) -> int:
        return value

    def private(value: int) -> int:
        return value

    module: dict[str, Any] = {
        "__all__": ["function", "Error", "LIMIT"],
        "function": function,
        "private": private,
        "Error": ValueError,
        "LIMIT": 5,
    }
    check_public_arguments(module)
    with pytest.raises(TypeError, match=r"function\(\) argument 'value' must be an int"):
        module["function"]("x")
    assert (module["private"], module["Error"], module["LIMIT"]) == (private, ValueError, 5)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("frameRate", ["frame_rate", "volume"], "; did you mean 'frame_rate'?"),
        ("volumn", ["frame_rate", "volume"], "; did you mean 'volume'?"),
        ("xyz", ["frame_rate", "volume"], ""),
        ("on", ["add_event_listener"], "; did you mean 'add_event_listener'?"),
        ("on", ["volume"], ""),
    ],
)
def test_suggestions(name: str, known: list[str], expected: str) -> None:
    assert suggestion(name, known) == expected


def test_without_a_suggestion_all_names_are_listed_if_wanted() -> None:
    assert suggestion("xyz", ["a_b", "c_d"], "it takes") == "; it takes: a_b, c_d"
    assert suggestion("aB", ["a_b", "c_d"], "it takes") == "; did you mean 'a_b'?"


@given(st.from_regex(r"[a-z]{2,8}(_[a-z]{2,8}){0,3}", fullmatch=True))
def test_camel_case_of_every_name_is_recognized(name: str) -> None:
    first, *rest = name.split("_")
    assert suggestion(first + "".join(map(str.capitalize, rest)), ["xx", name]) == f"; did you mean {name!r}?"


def test_a_warning_of_the_package_names_the_line_that_called_it() -> None:
    package: dict[str, Any] = {"__name__": "trio_rtc.media", "warn_obsolete": warn_obsolete}
    exec("def play(): pause()\ndef pause(): warn_obsolete('pause()', 'stop()')", package)
    with pytest.warns(DeprecationWarning, match=r"^pause\(\) is obsolete; use stop\(\)$") as warned:
        package["play"]()
    assert warned[0].filename == __file__
