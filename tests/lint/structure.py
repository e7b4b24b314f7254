"""Measure the structure of the package, and compare each figure with its bound (docs/architecture.md).

``python -m tests.lint.structure`` prints a table and exits with 1 if a bound is broken. With arguments it measures only
what has one of these words in its name, and lists the places: ``python -m tests.lint.structure private circle``.
"""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import attrs

from .language import FIRST_WORDS
from .package import Package, SourceModule
from .public_names import undocumented
from .receive_paths import FRAME, MESSAGE
from .unit_tests import untested_modules

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "trio_rtc"
REASON: Final = "implementer"
"""A Protocol with one implementer has this word in its docstring or in the comment above it, with the reason."""
_IMPORT: Final = "import time; begin = time.process_time(); {0}; print(time.process_time() - begin)"


@attrs.frozen
class Result:
    """A figure and the places that it is made of."""

    value: float
    places: Sequence[str] = ()


@attrs.frozen
class Measure:
    """A figure that is measured, and its upper bound, if it has one."""

    name: str
    bound: float | None
    measure: Callable[[Package], Result]


def top_level_modules(package: Package) -> Result:
    """Count the modules directly in the package."""
    names = _modules_by_folder(package)[package.name]
    return Result(len(names), names)


def fullest_folder(package: Package) -> Result:
    """Count the modules of the folder that has the most."""
    folders = sorted(_modules_by_folder(package).items(), key=lambda item: -len(item[1]))
    return Result(len(folders[0][1]), [f"{len(modules)} {folder}" for folder, modules in folders])


def _modules_by_folder(package: Package) -> Mapping[str, list[str]]:
    folders = defaultdict(list)
    for module in package.modules.values():
        folders[module.folder].append(module.path)
    return folders


def import_circle(package: Package) -> Result:
    """Return the size of the largest group of modules that import each other, 1 if there is no circle."""
    circles = sorted(_components(package.imports()), key=len, reverse=True)
    places = [f"{len(circle)}: {', '.join(sorted(circle))}" for circle in circles if len(circle) > 1]
    return Result(len(circles[0]), places)


def _components(edges: Mapping[str, Collection[str]]) -> Iterator[set[str]]:
    """Yield the strongly connected components (Tarjan's algorithm, with a stack of its own)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    for root in edges:
        work: list[tuple[str, Iterator[str]]] = []
        if root not in index:
            index[root] = low[root] = len(index)
            path.append(root)
            work.append((root, iter(edges[root])))
        while work:
            node, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = path.index(node)
                    yield set(path[at:])
                    del path[at:]
            elif target not in index:
                index[target] = low[target] = len(index)
                path.append(target)
                work.append((target, iter(edges[target])))
            elif target in path:
                low[node] = min(low[node], index[target])


def private_accesses(package: Package) -> Result:
    """Count the accesses to private attributes of another object."""
    return _places(package, package.private_accesses)


def attach_definitions(package: Package) -> Result:
    """Count the methods that hand an object what its constructor should have."""

    def find(module: SourceModule) -> Iterator[tuple[int, str]]:
        for node in module.functions():
            if node.name.strip("_").split("_")[0] == "attach":
                yield node.lineno, node.name

    return _places(package, find)


def docstring_verbs(package: Package) -> Result:
    """Count the docstrings that begin with a verb or pronoun which is not for objects."""

    def find(module: SourceModule) -> Iterator[tuple[int, str]]:
        for line, docstring in module.docstrings():
            first = docstring.split(maxsplit=1)[:1]
            if first and first[0].lower().rstrip(",;:") in FIRST_WORDS:
                yield line, docstring.partition("\n")[0]

    return _places(package, find)


def missing_docstrings(package: Package) -> Result:
    """Count the modules and the public names without a docstring; other names need none."""
    places = undocumented(package)
    return Result(len(places), places)


def _places(package: Package, find: Callable[[SourceModule], Iterator[tuple[int, str]]]) -> Result:
    places = [
        f"{module.path}:{line}: {text}" for module in package.modules.values() for line, text in find(module)
    ]
    return Result(len(places), places)


def protocols_with_one_implementer(package: Package) -> Result:
    """Count the Protocols that one class of the package fits, without the reason beside them."""
    classes = package.classes()
    places = []
    for protocol in classes.values():
        if not protocol.is_protocol or not protocol.members or REASON in protocol.head:
            continue
        fitting = {each.key for each in classes.values() if not each.is_protocol and each.fits(protocol)}
        first = [each for each in fitting if not fitting & classes[each].ancestors]
        if len(first) == 1:
            places.append(f"{protocol.key} ({first[0]})")
    return Result(len(places), places)


def ambiguous_class_names(package: Package) -> Result:
    """Count the public class names that a package has twice; each folder of ``protocols`` is a package."""
    names: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in package.classes().values():
        if each.name.startswith("_") or not each.is_top_level:
            continue
        folders = package.modules[each.module].folder.split(".")
        depth = 3 if folders[1:2] == ["protocols"] else 2
        names[".".join(folders[:depth]), each.name].append(each.module)
    places = [f"{name}: {', '.join(modules)}" for (_, name), modules in names.items() if len(modules) > 1]
    return Result(len(places), places)


def modules_without_unit_tests(package: Package) -> Result:
    """Count the modules of substance without a test file of their name."""
    places = list(untested_modules(package))
    return Result(len(places), places)


def lines(package: Package) -> Result:
    """Count the lines of the package."""
    return _lines_by_folder(package, lambda module: module.source.count("\n"))


def lines_of_code(package: Package) -> Result:
    """Count the lines that are neither blank nor only of a comment or a docstring."""
    return _lines_by_folder(package, SourceModule.lines_of_code)


def _lines_by_folder(package: Package, count: Callable[[SourceModule], int]) -> Result:
    folders: defaultdict[str, int] = defaultdict(int)
    for module in package.modules.values():
        folders[module.folder] += count(module)
    return Result(sum(folders.values()), [f"{lines} {folder}" for folder, lines in sorted(folders.items())])


def import_seconds(package: Package) -> Result:
    """Measure the CPU seconds of importing the package."""
    return _median([_seconds(package, f"import {package.name}") for _ in range(5)])


def first_use_ratio(package: Package) -> Result:
    """Measure the import of the package with all its public names, in units of the import of trio."""
    use = f"import {package.name} as package; [getattr(package, each) for each in package.__all__]"
    return _median([_seconds(package, use) / _seconds(package, "import trio") for _ in range(5)])


def _median(values: Sequence[float]) -> Result:
    return Result(round(median(values), 3), [f"{each:.3f}" for each in values])


def _seconds(package: Package, statements: str) -> float:
    """Return the CPU seconds of imports in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT.format(statements)],
        cwd=package.root,
        # Where Python must not keep what it compiles, each process would compile everything.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _receive_path(what: str) -> Callable[[Package], Result]:
    def measure(package: Package) -> Result:
        """Count the files between the socket and the application, in a call made by a process of its own."""
        command = [sys.executable, "-m", f"{__package__}.receive_paths", what]
        done = subprocess.run(command, cwd=package.root, stdout=subprocess.PIPE, text=True, check=True)
        files = done.stdout.split()
        return Result(len(files), files)

    return measure


MEASURES: Final = (
    Measure("modules directly in the package", 14, top_level_modules),
    Measure("modules in the fullest folder", 25, fullest_folder),
    Measure("largest import circle (type-only imports counted)", 1, import_circle),
    Measure("accesses to another object's private attributes", 60, private_accesses),
    Measure("Protocols with one implementer and no reason", 0, protocols_with_one_implementer),
    Measure("attach definitions", 0, attach_definitions),
    Measure("public class names with two meanings in a package", 0, ambiguous_class_names),
    Measure("docstrings that begin with a banned word", 0, docstring_verbs),
    Measure("modules without a test file of their name", 0, modules_without_unit_tests),
    Measure("modules and public names without docstrings", 0, missing_docstrings),
    Measure("lines", 52_000, lines),
    Measure("lines of code", None, lines_of_code),
    Measure("CPU seconds of the import", 0.25, import_seconds),
    Measure("CPU time of the import with all public names, in imports of trio", 3.8, first_use_ratio),
    Measure("files from an RTP packet to a decoded frame", 25, _receive_path(FRAME)),
    Measure("files from a datagram to a message", 15, _receive_path(MESSAGE)),
)


def report(package: Package, measures: Sequence[Measure], *, with_places: bool = False) -> tuple[str, bool]:
    """Return the table of the measures, and whether all bounds are kept."""
    width = max(len(each.name) for each in measures)
    rows, kept = [], True
    for each in measures:
        result = each.measure(package)
        row = f"{each.name:{width}} {result.value:>8,}"
        if each.bound is not None:
            fits = result.value <= each.bound
            kept = kept and fits
            row += f" {'<=' if fits else '> '} {each.bound:>6,}"
        rows.append(row)
        rows += [f"    {place}" for place in result.places if with_places]
    return "\n".join(rows), kept


def main(words: list[str]) -> int:
    """Print the table; return the exit code."""
    measures = [each for each in MEASURES if not words or any(word in each.name for word in words)]
    if not measures:
        print("no measure has such a name")
        return 2
    text, kept = report(Package(ROOT, PACKAGE), measures, with_places=bool(words))
    print(text)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
