"""A fuzz target: what is fed with bytes, what it starts from, and which modules it is meant to reach."""

from collections.abc import Callable, Iterable

import attrs

from trio_rtc.errors import ProtocolError


@attrs.frozen
class Target:
    """Something that takes arbitrary bytes.

    Attributes:
        name: Names it on the command line, in the tests and in the folders of its inputs.
        feed: Processes one input.
        seeds: Returns the inputs that a corpus begins with.
        modules: Modules and packages whose branches count as its coverage.
        max_length: Bytes of the longest input.
        documented: What ``feed`` may raise.
    """

    name: str
    feed: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    modules: tuple[str, ...]
    max_length: int = 2048
    documented: tuple[type[Exception], ...] = ()

    def run(self, data: bytes) -> None:
        """Process one input. What this raises is a finding."""
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
    """Return the target of a parser, which may raise ``ProtocolError`` and nothing else."""
    names = tuple(f"trio_rtc.{module}" for module in modules)
    return Target(name, parse, seeds, names, max_length, documented)


def text_parser(
    name: str,
    parse: Callable[[str], object],
    seeds: Callable[[], Iterable[str]],
    *modules: str,
    documented: tuple[type[Exception], ...] = (ProtocolError,),
) -> Target:
    """Return the target of a parser of text: UTF-8, in which other bytes become lone surrogates."""
    return parser(
        name,
        lambda data: parse(data.decode(errors="surrogateescape")),
        lambda: [text.encode() for text in seeds()],
        *modules,
        max_length=1 << 14,
        documented=documented,
    )
