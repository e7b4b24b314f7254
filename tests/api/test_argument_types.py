"""Values that an annotation allows, and their description in errors."""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs
import numpy as np
import pytest
from attrs import validators

from trio_rtc._strict_names.argument_types import (
    check_types,
    expected_types,
    first_wrong,
    validator_sentence,
)


class Color(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Readable(Protocol):
    def read(self) -> bytes: ...


class Reader:
    def read(self) -> bytes:
        return b""


class Apple: ...


def expected(annotation: object) -> Any:
    def function(value: Any) -> None: ...

    function.__annotations__["value"] = annotation
    return expected_types(function, ["value"]).get("value")


@pytest.mark.parametrize(
    ("annotation", "text", "right", "wrong"),
    [
        (int, "an int", [0, True, np.int64(3)], [1.0, "1", None]),
        (float, "a number", [1.5, 2, np.float32(1)], ["1.5", None, 1j]),
        (str, "a str", ["", Color.RED], [b"", None, 5]),
        (bytes, "bytes", [b""], ["", bytearray(), None]),
        (bool, "a bool", [True, 0], ["", None, 1.0]),
        (None, "None", [None], [0, "", False]),
        (int | None, "an int or None", [5, None], ["5"]),
        (int | str | None, "an int or a str or None", [5, "", None], [b""]),
        (Literal["a", "b"], "'a' or 'b'", ["a", "another"], [5, None]),
        (Callable[[], object], "a function", [print, Apple], ["print", None]),
        (Mapping[str, int], "a mapping", [{}, {"a": "b"}], [[], None]),
        (Sequence[int], "a sequence of int", [[], (1, 2)], ["12", b"12", [1, "2"], {1}, 5]),
        (list[str], "a sequence of str", [["a"], ("a",)], ["a", [5]]),
        (tuple[int, ...], "a sequence of int", [(), [1, 2, 3]], [("1",), 1]),
        (tuple[int, str], "a tuple (int, str)", [(1, "a"), [1, "a"]], [(1,), (1, "a", 2), ("a", 1), 1]),
        (Iterable[int], "a sequence of int", [[1], {1}], [["1"], 5, "1"]),
        (frozenset[str], "a sequence of str", [{"a"}, frozenset()], [["a"], {5}]),
        (Color, "'blue' or 'red'", ["red", Color.BLUE], ["green", 5]),
        (Apple, "an Apple", [Apple()], [Reader(), Apple]),
        (Readable, "a Readable", [Reader()], [Apple(), None]),
    ],
)
def test_values_of_an_annotation(annotation: object, text: str, right: list[Any], wrong: list[Any]) -> None:
    found = expected(annotation)
    assert found.text == text
    assert [value for value in right if not found.allows(value)] == []
    assert [value for value in wrong if found.allows(value)] == []


@pytest.mark.parametrize("annotation", [Any, object, "Unknown", "Apple.nothing", int | Any, 5])
def test_an_unknown_type_allows_every_value(annotation: object) -> None:
    assert expected(annotation) is None


def test_annotations_in_text_are_names_of_the_module_or_of_the_package() -> None:
    assert expected("Apple").allows(Apple())
    assert expected("int | None").text == "an int or None"
    assert expected("RTCSessionDescription").text == "an RTCSessionDescription"


def test_one_shot_iterators_are_not_consumed() -> None:
    iterator = iter([1, "2"])
    assert expected(Iterable[int]).allows(iterator)
    assert list(iterator) == [1, "2"]


def test_the_first_wrong_argument_is_named() -> None:
    def function(first: int, second: str, third: bytes) -> None: ...

    types = expected_types(function, ["first", "second", "third"])
    right = {"first": 1, "second": "", "third": b"", "unknown": object()}
    assert first_wrong(types, right) is None
    check_types("f", types, right)
    wrong = {**right, "second": 2, "third": 3}
    assert first_wrong(types, wrong) is not None
    with pytest.raises(TypeError, match=r"^f\(\) argument 'second' must be a str, not 2$"):
        check_types("f", types, wrong)


def test_a_long_value_is_shortened() -> None:
    def function(value: int) -> None: ...

    types = expected_types(function, ["value"])
    with pytest.raises(TypeError) as raised:
        check_types("f", types, {"value": "x" * 10_000})
    assert len(str(raised.value)) < 150


@attrs.frozen
class Fruit:
    kind: str = attrs.field(default="apple", validator=validators.in_(["apple", "pear"]))
    size: int | None = attrs.field(default=None, validator=validators.optional(validators.instance_of(int)))


def error_of(**arguments: Any) -> Exception:
    with pytest.raises((TypeError, ValueError)) as raised:
        Fruit(**arguments)
    return raised.value


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kind": "nut"}, "Fruit() argument 'kind' must be one of 'apple', 'pear', not 'nut'"),
        ({"size": "big"}, "Fruit() argument 'size' must be an int or None, not 'big'"),
    ],
)
def test_an_error_of_a_validator_becomes_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    # Without the frames of this test, which would make it an error of the application.
    assert validator_sentence("Fruit", error_of(**arguments).with_traceback(None)) == sentence


def test_errors_of_the_application_are_left_alone() -> None:
    assert validator_sentence("Fruit", ValueError("other")) is None
    assert validator_sentence("Fruit", ValueError(1, 2, 3, 4)) is None
    assert validator_sentence("Fruit", error_of(kind="nut")) is None
