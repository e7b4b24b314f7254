"""``trio_rtc._attrs``: the classes behave as those of attrs."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from trio_rtc import _attrs

DECORATORS = [(_attrs.frozen, attrs.frozen), (_attrs.define, attrs.define)]


def make_class(decorator: Callable[..., Any], **options: Any) -> Any:
    class Point:
        x: int
        y: list[int] | int = 0
        note: str = attrs.field(default="", eq=False)
        secret: str = attrs.field(default="key", repr=False)
        size: int = attrs.field(default=1, hash=False, repr=lambda size: f"{size} bytes")
        late: int = attrs.field(init=False, eq=False)

    return decorator(**options)(Point) if options else decorator(Point)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("options", [{}, {"eq": False}, {"repr": False}, {"kw_only": True}])
@pytest.mark.parametrize(("ours", "theirs"), DECORATORS)
def test_values_compare_hash_and_print_as_those_of_attrs(
    ours: Callable[..., Any], theirs: Callable[..., Any], options: dict[str, bool]
) -> None:
    def results(decorator: Callable[..., Any]) -> list[object]:
        point = make_class(decorator, **options)
        one = point(x=1, note="a")
        others = [one, point(x=1, note="b"), point(x=1, size=2), point(x=2), (1, 0)]
        return [
            [one == each for each in others],
            [outcome(lambda each=each: hash(each) == hash(one)) for each in others],  # type: ignore[misc]
            isinstance(outcome(lambda: hash(point(x=1, y=[]))), str),
            repr(one).partition(" at ")[0],
        ]

    assert results(ours) == results(theirs)


@pytest.mark.parametrize(("ours", "theirs"), DECORATORS)
def test_own_methods_are_kept(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    for decorator in (ours, theirs):

        class Own:
            x: int = 0

            def __eq__(self, other: object) -> bool:
                return True

            def __hash__(self) -> int:
                return 7

            def __repr__(self) -> str:
                return "own"

        own = decorator(Own)
        assert (own(1) == own(2), hash(own(1)), repr(own(1))) == (True, 7, "own")


@pytest.mark.parametrize("decorator", [_attrs.define, _attrs.frozen])
@pytest.mark.parametrize("option", ["cache_hash", "frozen", "hash", "order", "str", "unsafe_hash"])
def test_unsupported_options_are_rejected(decorator: Callable[..., Any], option: str) -> None:
    with pytest.raises(TypeError, match=f"options {option} require a decorator of attrs itself"):
        make_class(decorator, **{option: True})


@pytest.mark.parametrize("decorator", [_attrs.define, _attrs.frozen])
def test_exceptions_are_rejected(decorator: Callable[..., Any]) -> None:
    class Failure(ValueError):
        code: int = 0

    with pytest.raises(TypeError, match="exception Failure requires a decorator of attrs itself"):
        decorator(Failure)


@pytest.mark.parametrize("decorator", [_attrs.define, _attrs.frozen])
def test_fields_with_a_key_for_comparison_are_rejected(decorator: Callable[..., Any]) -> None:
    class Named:
        name: str = attrs.field(eq=str.lower)

    with pytest.raises(TypeError, match=r"Named\.name has a key for comparison"):
        decorator(Named)


def test_value_without_fields_equals_another_of_its_class() -> None:
    @_attrs.frozen
    class Empty:
        pass

    assert Empty() == Empty()
    assert len({Empty(), Empty()}) == 1
    assert repr(Empty()) == "Empty()"


def test_value_that_contains_itself_is_printed() -> None:
    @_attrs.define
    class Node:
        children: list[object] = attrs.field(factory=list)

    node = Node()
    node.children.append(node)
    assert repr(node) == "Node(children=[...])"
