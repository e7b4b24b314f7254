"""The public names of a package (docs/architecture.md, "Public names") and those of them that have no docstring.

A package without an underscore shows what its ``__all__`` contains, from wherever it imports that. Public methods,
properties and nested classes of these classes are public, inherited ones too. An override may leave the docstring to
the method that it overrides, as :func:`inspect.getdoc` and Sphinx do.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence

from .package import Package, SourceModule, dotted_name

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_MAX_HOPS = 16


def undocumented(package: Package) -> list[str]:
    """Return the modules, and the public classes, functions, methods and properties, that have no docstring."""
    places = {
        f"{module.path}:1: {module.name}"
        for module in package.modules.values()
        if not ast.get_docstring(module.tree)
    }
    for module in package.modules.values():
        if module.is_package and not any(part.startswith("_") for part in module.name.split(".")):
            for name in _all_of(package, module):
                found = _resolve(package, module, name)
                if found is not None:
                    places.update(_undocumented(package, *found))
    return sorted(places)


def _all_of(package: Package, module: SourceModule) -> Sequence[str]:
    """Return ``__all__``, which may be imported."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and [dotted_name(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    owner = package.modules.get(module.bindings.get("__all__", "").rpartition(".")[0])
    return _all_of(package, owner) if owner else ()


def _definitions(body: Sequence[ast.stmt]) -> Mapping[str, _Definition]:
    """Return the classes and functions of a body by name; of a property the getter, no overloads."""
    found: dict[str, _Definition] = {}
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            found = {**found, **_definitions([*node.body, *node.orelse])}
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            decorators = [dotted_name(each).rpartition(".")[2] for each in node.decorator_list]
            if not {"overload", "setter", "deleter"} & set(decorators):
                found[node.name] = node
    return found


def _resolve(package: Package, module: SourceModule, name: str) -> tuple[SourceModule, _Definition] | None:
    """Return the definition that a name in a module means, ``None`` for a value and for other packages' names."""
    for _ in range(_MAX_HOPS):
        head, _, rest = name.partition(".")
        node = _definitions(module.tree.body).get(head)
        while node is not None and rest:
            head, _, rest = rest.partition(".")
            node = _definitions(node.body).get(head)
        if node is not None:
            return module, node
        target = module.bindings.get(head)
        if target is None:
            star = _star_import(package, module, head)
            if star is None:
                return None
            module = star
            continue
        full = f"{target}.{rest}" if rest else target
        owner = full
        while owner and owner not in package.modules:
            owner = owner.rpartition(".")[0]
        if not owner or owner == full:
            return None
        module, name = package.modules[owner], full[len(owner) + 1 :]
    return None


def _star_import(package: Package, module: SourceModule, name: str) -> SourceModule | None:
    """Return the module of which a module imports a name with a star."""
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            source = package.modules.get(module.base_of(node))
            if source is not None and name in _all_of(package, source):
                return source
    return None


def _undocumented(package: Package, module: SourceModule, node: _Definition) -> Iterator[str]:
    if not ast.get_docstring(node):
        yield f"{module.path}:{node.lineno}: {node.name}"
    if not isinstance(node, ast.ClassDef):
        return
    documented: set[str] = set()
    missing: dict[str, str] = {}
    for owner, each in _lineage(package, module, node):
        for name, member in _definitions(each.body).items():
            if name.startswith("_"):
                continue
            if isinstance(member, ast.ClassDef):
                yield from _undocumented(package, owner, member)
            elif ast.get_docstring(member):
                documented.add(name)
            else:
                missing.setdefault(name, f"{owner.path}:{member.lineno}: {each.name}.{name}")
    yield from (place for name, place in missing.items() if name not in documented)


def _lineage(
    package: Package, module: SourceModule, node: ast.ClassDef
) -> Iterator[tuple[SourceModule, ast.ClassDef]]:
    """Yield the class and its bases in the package."""
    yield module, node
    for base in node.bases:
        found = _resolve(package, module, dotted_name(base))
        if found is not None and isinstance(found[1], ast.ClassDef) and found[1] is not node:
            yield from _lineage(package, found[0], found[1])
