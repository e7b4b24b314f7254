"""A fuzz target: a function of bytes, its seeds, and the modules that it should reach."""

from collections.abc import Callable, Iterable

import attrs

from trio_rtc.errors import ProtocolError


@attrs.frozen
class Target:
    """A function of arbitrary bytes.

    Attributes:
        name: Name on the command line, in the tests and of the folders of its inputs.
        feed: Processes one input.
        seeds: Returns the initial inputs of a corpus.
        modules: Modules and packages whose branches count as its coverage.
        max_length: Maximum size of an input in bytes.
        documented: Exceptions that ``feed`` may raise.
    """

    name: str
    feed: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    modules: tuple[str, ...]
    max_length: int = 2048
    documented: tuple[type[Exception], ...] = ()

    def run(self, data: bytes) -> None:
        """Process one input; an exception is a finding."""
        try:
            self.feed(data)
        except self.documented:
            return


def parser(
    name: str,
    parse: Callable[[bytes], object],
    seeds: Callable[[], Iterable[bytes]],
    *modules: str,
    max_length: int = 2048,
    documented: tuple[type[Exception], ...] = (ProtocolError,),
) -> Target:
    """Return the target of a parser that may raise only ``ProtocolError``."""
    names = tuple(f"trio_rtc.{module}" for module in modules)
    return Target(name, parse, seeds, names, max_length, documented)


def text_parser(
    name: str,
    parse: Callable[[str], object],
    seeds: Callable[[], Iterable[str]],
    *modules: str,
    documented: tuple[type[Exception], ...] = (ProtocolError,),
) -> Target:
    """Return the target of a text parser: UTF-8, with other bytes as lone surrogates."""
    return parser(
        name,
        lambda data: parse(data.decode(errors="surrogateescape")),
        lambda: [text.encode() for text in seeds()],
        *modules,
        max_length=1 << 14,
        documented=documented,
    )
