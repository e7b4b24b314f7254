"""The sdist and the wheel have what they must have, and their metadata is true."""

import importlib
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

import trio_rtc

pytest.importorskip("hatchling", reason="it comes with the dependency group 'tests'")
hatch_build = importlib.import_module("hatch_build")

ROOT = Path(__file__).parents[2]
ADDRESS = "https://code.example/someone/trio_rtc"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the unpacked sdist, as pip and uv do."""
    folder = tmp_path_factory.mktemp("distributions")
    build(ROOT, folder, "sdist", {"TRIO_RTC_REPOSITORY": ADDRESS})
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    build(next(folder.glob("trio_rtc-*/")), folder, "wheel", {})
    return folder


def build(source: Path, target: Path, kind: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    subprocess.run(
        command, cwd=source, env={"PATH": "/usr/bin:/bin", **environment}, check=True, capture_output=True
    )


def metadata(distributions: Path) -> Message:
    with zipfile.ZipFile(next(distributions.glob("*.whl"))) as wheel:
        return message_from_string(wheel.read(f"trio_rtc-{trio_rtc.__version__}.dist-info/METADATA").decode())


def test_the_sdist_has_documentation_examples_and_tests(distributions: Path) -> None:
    tree = next(distributions.glob("trio_rtc-*/"))
    for name in ("docs/tutorial.md", "docs/conf.py", "examples/chat.py", "tests/conftest.py", "noxfile.py"):
        assert (tree / name).is_file(), name
    for name in ("README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "CITATION.cff"):
        assert (tree / name).is_file(), name
    for name in (".ci", ".git", ".github", ".venv", "docs/_build"):
        assert not (tree / name).exists(), name


def test_the_wheel_has_the_package_alone(distributions: Path) -> None:
    with zipfile.ZipFile(next(distributions.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "trio_rtc",
        f"trio_rtc-{trio_rtc.__version__}.dist-info",
    }
    assert {"trio_rtc/py.typed", "trio_rtc/cli/demo/page/index.html"} <= set(names)


def test_urls_name_the_repository_also_in_a_wheel_from_an_sdist(distributions: Path) -> None:
    urls = dict(url.split(", ", 1) for url in metadata(distributions).get_all("Project-URL", []))
    assert urls == {
        "Repository": ADDRESS,
        "Documentation": f"{ADDRESS}/tree/HEAD/docs",
        "Changelog": f"{ADDRESS}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{ADDRESS}/issues",
    }


def test_the_long_description_has_no_relative_links(distributions: Path) -> None:
    text = str(metadata(distributions).get_payload())
    assert f"]({ADDRESS}/blob/HEAD/docs/tutorial.md)" in text
    assert "](docs/" not in text


def test_links_without_a_repository_are_their_text() -> None:
    readme = "[one](docs/one.md), [two](https://two.example), [three](#three)"
    assert hatch_build.long_description(readme, None) == "one, [two](https://two.example), [three](#three)"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/someone/trio_rtc.git\n", "https://github.com/someone/trio_rtc"),
        ("git@github.com:someone/trio_rtc.git", "https://github.com/someone/trio_rtc"),
        ("ssh://git@codeberg.org/someone/trio_rtc", "https://codeberg.org/someone/trio_rtc"),
        ("https://user:secret@github.com/someone/trio_rtc", None),
        ("/srv/git/trio_rtc", None),
        ("file:///srv/git/trio_rtc", None),
        ("http://localhost/trio_rtc", None),
    ],
)
def test_only_remotes_on_public_hosts_are_repositories(remote: str, address: str | None) -> None:
    assert hatch_build.repository_of(remote) == address


def test_the_citation_has_the_version() -> None:
    assert f"\nversion: {trio_rtc.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
