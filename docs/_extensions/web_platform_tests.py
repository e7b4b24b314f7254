"""The directive ``web-platform-tests``: the files of web-platform-tests and the modules that check the same."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from tests.api.web_platform.coverage import LEFT_OUT, TESTED


class WebPlatformTestsDirective(SphinxDirective):
    """Prints a row for each file, with its modules or the reason why nothing of it applies."""

    def run(self) -> list[nodes.Node]:
        rows = {file: ", ".join(f"`{module}`" for module in modules) for file, modules in TESTED.items()}
        lines = ["| file of `webrtc/` | modules in `tests/`, or the reason |", "|---|---|"]
        lines += [f"| `{file}` | {cell} |" for file, cell in sorted({**rows, **LEFT_OUT}.items())]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("web-platform-tests", WebPlatformTestsDirective)
    return {"version": "1", "parallel_read_safe": True}
