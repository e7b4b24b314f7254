"""Names, members and loggers in the pages exist, and links lead to files."""

import ast
import inspect
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
import trio
import trio.testing

import trio_rtc
from tests.strategies.page_stages import scene, watch
from tests.strategies.pages import PAGES, ROOT
from trio_rtc import codecs, identity, media, signaling, testing
from trio_rtc.protocols.sdp import SdpOptions

_PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PART = re.compile(r"^```\{literalinclude\} (.+)\n(?::.*\n)*?:pyobject: (\w+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
_INCLUDED = re.compile(r"^```\{(?:literal)?include\} (.+)$", re.MULTILINE)

_MEMBER = re.compile(r"`([A-Za-z_]+)\.([a-z_]+(?:\.[a-z_]+)*)[`(\[ ]")

# What the pages call these objects, in prose and in code.
_CAST: Mapping[str, object] = {
    "trio_rtc": trio_rtc,
    "signaling": signaling,
    "pc": trio_rtc.RTCPeerConnection,
    "alice": trio_rtc.RTCPeerConnection,
    "bob": trio_rtc.RTCPeerConnection,
    "channel": trio_rtc.RTCDataChannel,
    "media": media,
    "track": trio_rtc.MediaStreamTrack,
    "frames": trio_rtc.MediaStreamTrackSource,
    "sender": trio_rtc.RTCRtpSender,
    "receiver": trio_rtc.RTCRtpReceiver,
    "transceiver": trio_rtc.RTCRtpTransceiver,
    "packet": trio_rtc.RtpPacket,
    "packets": trio_rtc.RtpPacketChannel,
    "recorder": media.Recorder,
    "network": testing.SimulatedNetwork(),
    "candidate": trio_rtc.RTCIceCandidate,
    "SdpOptions": SdpOptions,
}
# The members of what these members return; nothing else tells a class from an attribute.
_TYPES = {
    "sctp": trio_rtc.RTCSctpTransport,
    "transport": trio_rtc.RTCDtlsTransport,
    "ice_transport": trio_rtc.RTCIceTransport,
    "local_description": trio_rtc.RTCSessionDescription,
    "trace": testing.Trace,
}
_ABSENT = object()

_LOGGER = re.compile(r'getLogger\("([\w.]+)"\)')
LOGGERS = {
    name for path in (ROOT / "trio_rtc").rglob("*.py") for name in _LOGGER.findall(path.read_text("utf-8"))
}

BLOCKS = [(page, block) for page in PAGES for block in _PYTHON.findall(page.read_text(encoding="utf-8"))]


def page_name(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else ""


_CHANGED = re.compile(r"^### Changed$.*?(?=^### )", re.DOTALL | re.MULTILINE)


def current_text(page: Path) -> str:
    """Return the text of a page without the former names that the changelog lists."""
    return _CHANGED.sub("", page.read_text(encoding="utf-8"))


def member(name: str, path: str) -> object:
    """Return what a dotted name of the pages means, or ``_ABSENT``; ``None`` for names of something else."""
    public = {name: getattr(module, name) for module in (signaling, trio_rtc) for name in module.__all__}
    found = _CAST.get(name, public.get(name))
    for part in path.split("."):
        if found is None:
            return None
        if not hasattr(found, part) and re.search(rf"^ +{part}: ", inspect.getdoc(found) or "", re.MULTILINE):
            return None  # an attribute that is set when the object is made
        found = _TYPES.get(part) if hasattr(found, part) and part in _TYPES else getattr(found, part, _ABSENT)
        if found is _ABSENT:
            return _ABSENT
    return found


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_members_named_in_prose_exist(page: Path) -> None:
    for name, path in _MEMBER.findall(current_text(page)):
        if f"{name}.{path}" in LOGGERS:
            continue
        assert member(name, path) is not _ABSENT, f"{page.name} speaks of {name}.{path}"


def test_every_logger_is_named() -> None:
    page = (ROOT / "docs/howto/debug.md").read_text(encoding="utf-8")
    assert {name for name in LOGGERS if f"`{name}`" not in page} == {"trio_rtc.demo"}


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=page_name)
def test_members_and_keywords_in_code_exist(page: Path, block: str) -> None:
    tree = compile(block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name, _, path = ast.unparse(node).partition(".")
            if re.fullmatch(r"[\w.]+", path):
                assert member(name, path) is not _ABSENT, f"{page.name} uses {name}.{path}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, _, path = ast.unparse(node.func).partition(".")
            called = member(name, path) if re.fullmatch(r"[\w.]+", path) else None
            if callable(called):
                parameters = inspect.signature(called).parameters
                assert {keyword.arg for keyword in node.keywords} <= set(parameters), (
                    f"{page.name}: {name}.{path}"
                )


@pytest.mark.parametrize(
    "package", [trio_rtc, codecs, identity, media, signaling, testing], ids=lambda it: it.__name__
)
def test_the_reference_has_every_public_name(package: ModuleType) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/reference").glob("*.md"))
    single = re.findall(r"auto(?:class|function|data):: ([\w.]+)", pages)
    known = {name.rpartition(".")[2] for name in single if pkgutil.resolve_name(name) is not None}
    whole = set(re.findall(r"automodule:: ([\w.]+)(?!\n +:no-members)\n", pages))
    with_imported = set(re.findall(r"automodule:: ([\w.]+)\n +:imported-members", pages))
    for name in {*package.__all__} - {"__version__"} - known:
        public = getattr(package, name)
        if isinstance(public, type | FunctionType):
            found = public.__module__ in whole or package.__name__ in with_imported
        else:  # an alias, which Sphinx shows where it is defined, and does not show where it is imported
            found = any(hasattr(pkgutil.resolve_name(module), name) for module in whole - with_imported)
        assert found, f"{name} is not in the reference"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_and_inclusions_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in _LINK.findall(text) + _INCLUDED.findall(text):
        assert (page.parent / target).exists(), f"{page.name} names {target}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_parts_of_programs_that_are_shown_exist(page: Path) -> None:
    for target, name in _PART.findall(page.read_text(encoding="utf-8")):
        tree = ast.parse((page.parent / target).read_text(encoding="utf-8"))
        assert name in {getattr(node, "name", None) for node in tree.body}, f"{page.name} shows {name}"


_COUNTERS = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


async def test_counters_of_the_debugging_page_exist(autojump_clock: trio.testing.MockClock) -> None:
    page = (ROOT / "docs/howto/debug.md").read_text(encoding="utf-8")
    rows = _COUNTERS.findall(page)
    assert len(rows) > 10
    async with scene() as peers:
        for kind in ("audio", "video"):
            peers.send(peers.alice, kind)
        peers.bob.on_track = lambda event: peers.nursery.start_soon(watch, event.track)
        peers.alice.create_data_channel("chat")
        await peers.connected()
        await trio.sleep(2)
        reports = [await pc.get_stats() for pc in (peers.alice, peers.bob)]
    for layer, cells in rows:
        for name in re.findall(r"`(\w+)`", cells):
            found = any(name in report["layers"].counters[layer] for report in reports)
            assert found, f"the statistics of {layer} have no {name}"


_FILE = re.compile(r"`((?:tests|trio_rtc|benchmarks|docs|examples)/[\w/.]+)`")
_OPTION = re.compile(r"`(\w+Options)(?:\.(\w+))?")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_files_named_in_prose_exist(page: Path) -> None:
    for name in _FILE.findall(page.read_text(encoding="utf-8")):
        assert "_build" in name or (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.fixture(scope="module")
def options() -> Mapping[str, set[str]]:
    """Return the fields and properties of every class of options in the package."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "trio_rtc").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Options"):
                fields = (each.target for each in node.body if isinstance(each, ast.AnnAssign))
                found[node.name] = {field.id for field in fields if isinstance(field, ast.Name)}
                found[node.name] |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_options_named_in_prose_exist(page: Path, options: Mapping[str, set[str]]) -> None:
    for name, field in _OPTION.findall(current_text(page)):
        assert name in options, f"{page.name} names {name}"
        assert not field or field in options[name], f"{page.name} names {name}.{field}"


INTERNALS = sorted([ROOT / "docs/architecture.md", *(ROOT / "docs/internals").glob("*.md")])
MODULES = sorted(
    str(path.relative_to(ROOT)) for folder in ("trio_rtc", "tests") for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("page", INTERNALS, ids=lambda page: page.stem)
def test_modules_named_in_internals_exist(page: Path) -> None:
    # A page about one package leaves out its path; the tables of the index are complete.
    prefix = "trio_rtc/" if page.name == "index.md" else ""
    files = _FILE.findall(page.read_text(encoding="utf-8"))  # test_files_named_in_prose_exist
    named = set(re.findall(r"`([a-z0-9_/]+/[a-z0-9_]+\.py)`", page.read_text(encoding="utf-8")))
    missing = [
        name
        for name in named.difference(files)
        if not any(
            module == prefix + name or (not prefix and module.endswith(f"/{name}")) for module in MODULES
        )
    ]
    assert missing == []
