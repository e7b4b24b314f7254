"""Defaults of attrs classes in their signatures, where the code that attrs generates has placeholder names."""

import enum
import re
from typing import Any

import attrs
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

_GENERATED = re.compile(r"attr_dict\['(\w+)'\]\.default")


def show_defaults(*event: Any) -> tuple[str, str | None] | None:
    """Replace ``attr_dict['urls'].default`` with the value, and ``NOTHING`` (a new object each time) with dots."""
    documented, signature, returned = event[3], event[5], event[6]
    if signature is None or not (isinstance(documented, type) and attrs.has(documented)):
        return None
    defaults = {field.name: field.default for field in attrs.fields(documented)}
    shown = _GENERATED.sub(lambda match: _source(defaults[match[1]]), signature)
    return shown.replace("= NOTHING", "= ..."), returned


def _source(value: Any) -> str:
    """Return a value as a reader would write it."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if attrs.has(type(value)):
        return str(getattr(value, "name", f"{type(value).__name__}(...)"))
    if isinstance(value, tuple):
        members = ", ".join(map(_source, value))
        return f"({members},)" if len(value) == 1 else f"({members})"
    return value.__name__ if callable(value) else repr(value)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("autodoc-process-signature", show_defaults)
    return {"version": "1", "parallel_read_safe": True}
