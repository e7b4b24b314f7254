"""Configuration of Sphinx. The build needs no network: nothing is fetched, foreign names are plain text."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The page of names reads W3C's WebIDL with the same code as the test of the names.
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_extensions")]

project = "trio_rtc"
author = "The trio_rtc developers"
copyright = f"2026, {author}"
release = installed_version("trio-rtc")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "attrs_defaults",
    "public_names",
    "signaling_states",
    "w3c_names",
    "web_platform_tests",
]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"trio_rtc {release}"
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

napoleon_numpy_docstring = False
napoleon_use_ivar = True  # "Attributes:" of a class once, and not again for each of its fields

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": True}

# Names that other projects document. There is no inventory to look them up in without a network.
_FOREIGN = (
    *("attr", "attrs", "av", "collections", "contextlib", "cryptography", "enum", "pathlib", "random", "ssl"),
    *("trio", "wsproto"),
)
nitpick_ignore_regex = [
    ("py:.*", rf"({'|'.join(_FOREIGN)})(\..*)?"),
    ("py:.*", r"(.*\.)?[A-Za-z]+T(_co|_contra)?"),  # type variables
]
