"""The modules, imports and classes of a package, read from its source."""

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import attrs

_PUBLIC_NAMES: Final = frozenset(["_replace", "_asdict", "_fields", "_make", "_field_defaults"])
"""Names of :class:`typing.NamedTuple` that begin with an underscore but are public."""
_MAX_HOPS: Final = 8
_NO_CODE: Final = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def dotted_name(node: ast.expr) -> str:
    """Return the name that an expression is, its subscripts and calls left out; "" if it is none."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            head = dotted_name(node.value)
            return f"{head}.{node.attr}" if head else ""
        case ast.Subscript():
            return dotted_name(node.value)
        case ast.Call():
            return dotted_name(node.func)
        case _:
            return ""


@attrs.define(slots=False)
class SourceModule:
    """A module.

    Attributes:
        name: Dotted.
        path: From the root of the repository.
        source: The text.
        is_package: Whether it is an ``__init__``.
    """

    name: str
    path: str
    source: str
    is_package: bool

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.source)

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """All nodes of the tree."""
        return list(ast.walk(self.tree))

    @property
    def folder(self) -> str:
        """Dotted name of the package that the module is in, of an ``__init__`` its own name."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield all functions and methods."""
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node

    def docstrings(self) -> Iterator[tuple[int, str]]:
        """Yield all docstrings of modules, classes and functions, with their lines."""
        for node in self.nodes:
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                docstring = ast.get_docstring(node)
                if docstring:
                    yield node.body[0].lineno, docstring

    def lines_of_code(self) -> int:
        """Return the number of lines that are neither blank nor only of a comment or a docstring."""
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            if token.type not in _NO_CODE and token.string:
                lines.update(range(token.start[0], token.end[0] + 1))
        texts = (node.value for node in self.nodes if isinstance(node, ast.Expr))
        for node in texts:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return len(lines)

    @cached_property
    def bindings(self) -> Mapping[str, str]:
        """Local names that imports anywhere in the module bind, with the dotted names of what they mean."""
        found = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                base = self.base_of(node)
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{base}.{alias.name}"
        return found

    def base_of(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module behind ``from``."""
        if not node.level:
            return node.module or ""
        parts = self.folder.split(".")
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, node.module] if node.module else parts)


@attrs.define
class SourceClass:
    """A class.

    Attributes:
        key: Dotted name, module included.
        module: Name of its module.
        name: Its own.
        is_top_level: Whether it is in no other class or function.
        is_protocol: Whether ``Protocol`` is a direct base.
        head: The comment above it and its docstring.
        members: Attributes, with ``None``, and methods, with the number of their parameters; with those of its
            ancestors once the package has resolved them.
        base_names: As they are written.
        ancestors: Keys of all base classes that are of the package.
    """

    key: str
    module: str
    name: str
    is_top_level: bool
    is_protocol: bool
    head: str
    members: dict[str, int | None]
    base_names: list[str]
    ancestors: set[str] = attrs.field(factory=set)

    def fits(self, protocol: "SourceClass") -> bool:
        """Return whether the class is a subclass of a Protocol or has all of its members."""
        if protocol.key in self.ancestors:
            return True
        return all(
            name in self.members and self._matches(name, own) for name, own in protocol.members.items()
        )

    def _matches(self, name: str, parameters: int | None) -> bool:
        """Return whether a member is an attribute or has as many parameters, maybe more."""
        mine = self.members[name]
        return mine is None or parameters is None or mine >= parameters


class Package:
    """All modules below a folder.

    Args:
        root: The folder that the package is in.
        name: Its name.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.modules: dict[str, SourceModule] = {}
        for path in sorted((root / name).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            dotted = ".".join(parts[:-1] if is_package else parts)
            self.modules[dotted] = SourceModule(
                dotted, str(path.relative_to(root)), path.read_text(encoding="utf-8"), is_package
            )

    def imports(self) -> dict[str, set[str]]:
        """Return which modules of the package each module imports, wherever the statement stands."""
        return {name: set(self._imports_of(module)) - {name} for name, module in self.modules.items()}

    def _imports_of(self, module: SourceModule) -> Iterator[str]:
        for node in module.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in self.modules)
            elif isinstance(node, ast.ImportFrom):
                base = module.base_of(node)
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield from (
                        each for each in [inner if inner in self.modules else base] if each in self.modules
                    )

    def private_accesses(self, module: SourceModule) -> Iterator[tuple[int, str]]:
        """Yield ``x._y`` where x is neither ``self``, ``cls``, ``super()`` nor a module, with the lines."""
        for node in module.nodes:
            if not isinstance(node, ast.Attribute) or node.attr in _PUBLIC_NAMES:
                continue
            if not node.attr.startswith("_") or node.attr.endswith("__"):
                continue
            owner = dotted_name(node.value)
            if owner not in ("self", "cls", "super") and not self._is_module(module.bindings.get(owner, "")):
                yield node.lineno, ast.unparse(node)

    def _is_module(self, dotted: str) -> bool:
        return dotted in self.modules or bool(dotted and "." not in dotted)

    def classes(self) -> dict[str, SourceClass]:
        """Return all classes by their keys."""
        found: dict[str, SourceClass] = {}
        for module in self.modules.values():
            for each in _classes_in(module, module.tree, module.name):
                found[each.key] = each
        bases = {
            each.key: {self._resolve(self.modules[each.module], name, found) for name in each.base_names}
            & set(found)
            for each in found.values()
        }
        for key, each in found.items():
            waiting = list(bases[key])
            while waiting:
                base = waiting.pop()
                if base not in each.ancestors:
                    each.ancestors.add(base)
                    waiting += bases[base]
        members = {key: dict(each.members) for key, each in found.items()}
        for each in found.values():
            for base in each.ancestors:
                each.members = {**members[base], **each.members}
        return found

    def _resolve(self, module: SourceModule, name: str, classes: Mapping[str, SourceClass]) -> str:
        """Return the key of the class that a name in a module means, "" if it is not of the package."""
        for _ in range(_MAX_HOPS):
            key = f"{module.name}.{name}"
            if key in classes:
                return key
            head, _, rest = name.partition(".")
            target = module.bindings.get(head, "")
            full = f"{target}.{rest}" if rest else target
            owner = full.rpartition(".")[0]
            while owner and owner not in self.modules:
                owner = owner.rpartition(".")[0]
            if not owner:
                return ""
            module, name = self.modules[owner], full[len(owner) + 1 :]
        return ""


def _classes_in(module: SourceModule, node: ast.AST, prefix: str) -> Iterator[SourceClass]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            key = f"{prefix}.{child.name}"
            bases = [dotted_name(base) for base in child.bases]
            yield SourceClass(
                key=key,
                module=module.name,
                name=child.name,
                is_top_level=prefix == module.name,
                is_protocol=any(base in ("Protocol", "typing.Protocol") for base in bases),
                head=_head(module, child),
                members=dict(_members(child)),
                base_names=[base for base in bases if base],
            )
            yield from _classes_in(module, child, key)
        elif isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from _classes_in(module, child, f"{prefix}.<>" if hasattr(child, "args") else prefix)


def _head(module: SourceModule, node: ast.ClassDef) -> str:
    rows = module.source.splitlines()
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1
    begin = first
    while begin and rows[begin - 1].startswith("#"):
        begin -= 1
    return "\n".join([*rows[begin:first], ast.get_docstring(node) or ""])


def _members(node: ast.ClassDef) -> Iterator[tuple[str, int | None]]:
    """Yield methods with the number of their parameters, and attributes, those that methods assign included."""
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for inner in ast.walk(child):
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                    yield from [(inner.attr, None)] if dotted_name(inner.value) == "self" else []
        elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            yield child.target.id, None
        elif isinstance(child, ast.Assign):
            yield from ((target.id, None) for target in child.targets if isinstance(target, ast.Name))
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and not child.name.endswith("__"):
            is_property = any(dotted_name(each).endswith("property") for each in child.decorator_list)
            parameters = len([*child.args.args[1:], *child.args.kwonlyargs])
            yield child.name, None if is_property else parameters
