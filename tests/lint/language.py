"""Check the language of code, documentation and commits (CONTRIBUTING.md, "Language").

``python -m tests.lint.language [PATH ...]`` checks the given files and folders, or all of them, and the subjects of the
commits since this file was added. It prints a line for each finding and exits with 1 if there is any.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("trio_rtc", "tests", "benchmarks", "examples", "noxfile.py")
PROSE: Final = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs")
MAX_LINE: Final = 120
MAX_SUBJECT: Final = 65

FIRST_WORDS: Final = frozenset(
    [
        "take",
        "takes",
        "hear",
        "hears",
        "let",
        "lets",
        "tell",
        "tells",
        "say",
        "says",
        "want",
        "wants",
        "have",
        "has",
        "give",
        "gives",
        "know",
        "knows",
        "who",
        "whose",
        "whom",
        "whoever",
        "what",
        "whatever",
        "where",
        "how",
        "which",
    ]
)
"""A docstring begins with what a method does to its object, or with a noun."""

_FIELDS_TERMS: Final = "id|loss|header|parameter|start|description|order|number"
"""The words after "picture" in RFC 4585, RFC 6184 and RFC 7741."""
_LINKS: Final = "and|as|at|by|for|from|in|is|of|or|that|to|was|which|with"
"""Words behind a double possessive, as in "a packet of the peer's that"."""
_OBJECTS: Final = "an?|the|each|all|any|this|it|them|us|one"

PHRASES: Final = {
    "goodbye": "BYE, ABORT, close_notify or close",
    "anew": "again",
    "whoever|nobody|somebody|no one": "the peer, the caller, no task",
    "wish(es|ed)?": "request",
    "stor(y|ies)": "scenario",
    "under way": "in flight",
    "sounds?(?! (like|good|card|device))": "audio",
    rf"pictures?(?! ({_FIELDS_TERMS})s?\b)": "video frame, frame or image",
    rf"(is|are|was|were) to (?!({_OBJECTS})\b)[a-z]+": "must, will, should",
    rf"of the (peer|application|user|caller|browser|server|encoder)'s(?! (?!({_LINKS})\b)[\w`])": "the peer's ...",
    "(hears?|heard) (of|from|that|whether|what|how)": "is notified of, receives",
    "tells? (of|that|how|whether|what|which|where|when|who|the|us|it)": "reports, notifies, shows",
    "(believes?|believed)": "estimates, assumes",
}
"""Regular expressions of words that are not the field's, and what to write instead."""

_BANNED: Final = re.compile(
    "|".join(f"(?P<p{index}>\\b(?:{phrase})\\b)" for index, phrase in enumerate(PHRASES)), re.IGNORECASE
)
_ALLOWED: Final = re.compile(r"`[^`]*`|https?://\S+|\[\[[^\]]*\]\]|\"[^\"]*\"")
"""Code, addresses, W3C's slots and what is quoted."""
_SUBJECT: Final = re.compile(r"[a-z0-9_/.,+ -]+: [a-z0-9`\"_.-].*[^.]$")
_NOT_IMPERATIVE: Final = re.compile(
    r"(adds|added|adding|fixe[sd]|fixing|makes|made|making|use[sd]|using|\w+ing)\b"
)


@attrs.frozen
class Finding:
    """A place and the rule that it breaks."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def banned_phrases(text: str) -> Iterator[tuple[str, str]]:
    """Yield the words of a text that are not the field's, each with the better ones."""
    for match in _BANNED.finditer(_ALLOWED.sub("", text)):
        assert match.lastgroup is not None
        yield match[0], list(PHRASES.values())[int(match.lastgroup[1:])]


def check_python(path: str, source: str) -> Iterator[Finding]:
    """Yield the findings in the docstrings and comments of a module."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _check_docstring(path, node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield from _check_text(path, node.lineno, str(node.value.value))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from _check_text(path, token.start[0], token.string)


def _check_docstring(
    path: str, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Finding]:
    docstring = ast.get_docstring(node)
    first = (docstring or "").split(maxsplit=1)
    if first and first[0].lower().rstrip(",;:") in FIRST_WORDS:
        yield Finding(path, node.body[0].lineno, f"a docstring must not begin with {first[0]!r}")


def _check_text(path: str, line: int, text: str) -> Iterator[Finding]:
    for number, row in enumerate(text.splitlines()):
        for phrase, better in banned_phrases(row):
            yield Finding(path, line + number, f"instead of {phrase!r}: {better}")


def check_prose(path: str, text: str) -> Iterator[Finding]:
    """Yield the findings in a page of Markdown, code blocks left out."""
    in_code = False
    for number, row in enumerate(text.splitlines(), 1):
        if row.lstrip().startswith("```"):
            in_code = not in_code
        if in_code:
            continue
        yield from _check_text(path, number, row)
        if len(row) > MAX_LINE and not row.lstrip().startswith("|") and "](" not in row:
            yield Finding(path, number, f"{len(row)} characters, at most {MAX_LINE}")


def check_subject(subject: str) -> str | None:
    """Return the rule that the subject of a commit breaks, ``None`` for none."""
    if len(subject) > MAX_SUBJECT:
        return f"{len(subject)} characters, at most {MAX_SUBJECT}"
    if not _SUBJECT.fullmatch(subject):
        return "must be 'scope: imperative change' without a full stop"
    if _NOT_IMPERATIVE.match(subject.partition(": ")[2]):
        return "must begin with a verb in the imperative"
    return None


def check_commits() -> Iterator[Finding]:
    """Yield the findings in the subjects of the commits since this file was added; none without a repository."""
    here = Path(__file__).relative_to(ROOT)
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(here)).split()
    if not added:
        return
    for row in _git("log", "--no-merges", "--format=%h %s", f"{added[-1]}..HEAD").splitlines():
        commit, _, subject = row.partition(" ")
        rule = check_subject(subject)
        if rule is not None:
            yield Finding(f"commit {commit}", 0, f"{rule}: {subject}")


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return result.stdout


def files(places: Iterable[str]) -> Iterator[Path]:
    """Yield the Python and Markdown files at these places."""
    for place in places:
        path = ROOT / place
        found = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.md")])
        yield from (each for each in found if "_build" not in each.parts and "node_modules" not in each.parts)


def check(places: Iterable[str]) -> Iterator[Finding]:
    """Yield the findings in files and folders."""
    for path in files(places):
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        if path.resolve() != Path(__file__).resolve():
            yield from check_python(name, text) if path.suffix == ".py" else check_prose(name, text)


def main(places: list[str]) -> int:
    """Print what the places, or everything and the commits, break; return the exit code."""
    findings = list(check(places or [*CODE, *PROSE]))
    if not places:
        findings += check_commits()
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
