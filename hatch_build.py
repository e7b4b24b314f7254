"""Hatch's metadata hook: URLs of the project and the long description of a distribution.

Both follow from the repository that the distribution is built from: the environment variable ``TRIO_RTC_REPOSITORY``,
else git's remote ``origin``, if it is a public host. So no address is written into the sources, and a fork's metadata
names the fork. A wheel that is built from an sdist copies them from the sdist's ``PKG-INFO``.
"""

import os
import re
import subprocess
from email import message_from_string
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_REMOTE = re.compile(
    r"(?:https://|ssh://git@|git@)(?P<host>[\w.-]+\.[a-z]+)[/:](?P<path>[\w./-]+?)(?:\.git)?/?"
)
_RELATIVE_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")


def repository_of(remote: str) -> str | None:
    """Return the https address of a git remote; ``None`` if it is not on a public host."""
    match = _REMOTE.fullmatch(remote.strip())
    return None if match is None else f"https://{match['host']}/{match['path']}"


def repository(root: Path) -> str | None:
    """Return the address of the repository that a source tree belongs to, ``None`` if it has none."""
    if chosen := os.environ.get("TRIO_RTC_REPOSITORY"):
        return chosen.rstrip("/")
    info = root / "PKG-INFO"
    if info.is_file():
        urls = message_from_string(info.read_text(encoding="utf-8")).get_all("Project-URL", [])
        return dict(url.split(", ", 1) for url in urls).get("Repository")
    git = ["git", "-C", str(root)]
    try:
        top = subprocess.run(
            [*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
        )
        if Path(top.stdout.strip()) != root.resolve():
            return None  # a source tree inside another repository
        remote = subprocess.run(
            [*git, "remote", "get-url", "origin"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return repository_of(remote.stdout)


def urls(address: str) -> dict[str, str]:
    """Return the URLs of the project's metadata."""
    return {
        "Repository": address,
        "Documentation": f"{address}/tree/HEAD/docs",
        "Changelog": f"{address}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def long_description(readme: str, address: str | None) -> str:
    """Return the README for a page outside of the repository: links to files are absolute, or only their text."""
    target = r"\1" if address is None else rf"[\1]({address}/blob/HEAD/\2)"
    return _RELATIVE_LINK.sub(target, readme)


class RepositoryMetadata(MetadataHookInterface):
    """Sets ``urls`` and ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Complete the metadata of ``pyproject.toml``."""
        root = Path(self.root)
        address = repository(root)
        readme = (root / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(readme, address)}
        metadata["urls"] = {} if address is None else urls(address)
