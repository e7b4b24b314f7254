"""Resolves references to objects documented under public names, and keeps colons in the docstrings of properties.

A class is defined in one module and documented where users import it from. Signatures name the first place; this
extension looks for the one documented object of that name. What exists in the package and is not documented (a
class that only our own code constructs) stays plain text. What does not exist is left to the warning.
"""

import pkgutil
import sys
from typing import Any, cast

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

_COLON = "\N{SYMBOL FOR UNIT SEPARATOR}"


def resolve_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.TextElement | None:
    """Point a reference that was not found to the one documented object with the same last name."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    last = target.rpartition(".")[2]
    objects = cast(PythonDomain, env.get_domain("py")).objects
    found = {
        (entry.docname, entry.node_id)
        for name, entry in objects.items()
        if name.startswith("trio_rtc.") and name.endswith(f".{last}")
    }
    if len(found) == 1:
        docname, node_id = found.pop()
        return make_refnode(app.builder, node["refdoc"], docname, node_id, content)
    return content if _exists(target) else None


def _exists(name: str) -> bool:
    """Return whether the package has an object of this name.

    A name without a module is what is left of one that is imported for type checkers only.
    """
    if "." not in name:
        modules = [module for path, module in sys.modules.items() if path.startswith("trio_rtc.")]
        return any(hasattr(module, name) for module in modules)
    if not name.startswith("trio_rtc."):
        return False
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


def hide_colon(*event: Any) -> None:
    """Keep napoleon from taking "Sent: payload only." of a property for a type and a description."""
    what, lines = event[1], event[-1]
    if what in ("property", "attribute", "data") and lines:
        lines[0] = lines[0].replace(": ", _COLON)


def show_colon(*event: Any) -> None:
    """Undo ``hide_colon`` after napoleon."""
    lines = event[-1]
    lines[:] = [line.replace(_COLON, ": ") for line in lines]


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("missing-reference", resolve_public_name)
    app.connect("autodoc-process-docstring", hide_colon, priority=100)
    app.connect("autodoc-process-docstring", show_colon, priority=900)
    return {"version": "1", "parallel_read_safe": True}
