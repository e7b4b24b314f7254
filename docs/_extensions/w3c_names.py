"""The directive ``w3c-names``: a table of W3C's names and Python's, printed by the code that makes the names."""

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from tests.api.w3c_coverage import (
    ADDED,
    DIFFERING_ARGUMENTS,
    DIFFERING_DEFAULTS,
    KEYWORDS_OF,
    LEFT_OUT,
    MAPPINGS,
    definitions,
    members,
)
from tests.api.webidl import WEBIDL_FILES, Definition
from trio_rtc._strict_names.spelling import EVENT_NAMES


def _place(definition: Definition) -> str:
    """Return the Python equivalent of a W3C definition that is not the class of the same name."""
    if definition.name in KEYWORDS_OF:
        return f"Keywords of `{KEYWORDS_OF[definition.name]}`."
    if definition.name in MAPPINGS:
        return "Keys of a mapping."
    return ""


def _definition_table(definition: Definition) -> Iterator[str]:
    yield f"## {definition.name}"
    yield _place(definition)
    yield "| W3C | Python | there? |\n|---|---|---|"
    for member in members(definition):
        status = f"{member.status}: {member.reason}" if member.reason else member.status
        yield f"| `{member.idl_name}` | `{member.python_name}` | {status} |"
    yield ""


def _event_table() -> Iterator[str]:
    yield "## Events"
    yield "| W3C | Python |\n|---|---|"
    for w3c, python in sorted(EVENT_NAMES.items()):
        yield f"| `{w3c}` | `{python}` |"
    yield ""


def _differences_table() -> Iterator[str]:
    yield "## Arguments and defaults that differ"
    yield "| W3C | here |\n|---|---|"
    for path, reason in {**DIFFERING_ARGUMENTS, **DIFFERING_DEFAULTS}.items():
        yield f"| `{path}` | {reason} |"
    yield ""


def _exceptions_table(title: str, reason: str, exceptions: dict[str, str]) -> Iterator[str]:
    yield f"## {title}"
    yield f"| W3C | {reason} |\n|---|---|"
    for path, text in sorted(exceptions.items()):
        yield f"| `{path}` | {text} |"
    yield ""


class NamesDirective(SphinxDirective):
    """Prints tables of the events, of every interface and dictionary, and of the exceptions."""

    def run(self) -> list[nodes.Node]:
        lines = [*_event_table(), *_differences_table()]
        for path in WEBIDL_FILES:
            self.env.note_dependency(str(path))
        for definition in definitions().values():
            if definition.members:
                lines.extend(_definition_table(definition))
        lines.extend(_exceptions_table("Left out", "reason", LEFT_OUT))
        lines.extend(_exceptions_table("In none of W3C's WebIDL files", "from", ADDED))
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("w3c-names", NamesDirective)
    return {"version": "1", "parallel_read_safe": True}
