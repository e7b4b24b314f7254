import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lint.package import Package


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Package]:
    """Write modules into the package ``made_up``: a keyword ``a__b`` is the module ``made_up.a.b``."""

    def write(**modules: str) -> Package:
        root = tmp_path / "made_up"
        root.mkdir()
        (root / "__init__.py").write_text(textwrap.dedent(modules.pop("init", "")), encoding="utf-8")
        for name, source in modules.items():
            path = root.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            for folder in path.relative_to(root).parents[:-1]:
                (root / folder / "__init__.py").touch()
            path.write_text(textwrap.dedent(source), encoding="utf-8")
        return Package(tmp_path, "made_up")

    return write
