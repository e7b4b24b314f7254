"""The directive ``signaling-states``: the table of the signaling states, generated from the code's own table."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from trio_rtc.jsep import TRANSITIONS


class SignalingStatesDirective(SphinxDirective):
    """Prints a row for each state and a column for each description that leads from it."""

    def run(self) -> list[nodes.Node]:
        states = dict.fromkeys(state for state, _, _ in TRANSITIONS)
        columns = sorted({(side, kind) for _, side, kind in TRANSITIONS})
        lines = [
            "| in state | " + " | ".join(f"{side} {kind}" for side, kind in columns) + " |",
            "|---" * (len(columns) + 1) + "|",
        ]
        for state in states:
            targets = (TRANSITIONS.get((state, side, kind), "") for side, kind in columns)
            lines.append(f"| **{state}** | " + " | ".join(targets) + " |")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("signaling-states", SignalingStatesDirective)
    return {"version": "1", "parallel_read_safe": True}
