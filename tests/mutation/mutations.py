"""Small changes of a source file, each of which a test should notice.

Code without effect on behaviour is not mutated: annotations, docstrings, log and error messages, assertions,
``__slots__`` and the arguments of attrs.
"""

import ast
import collections
from collections.abc import Iterator

import attrs

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LOGGERS = ("logger", "_logger")


@attrs.frozen
class Mutation:
    """One change of a file.

    Attributes:
        start: Offset of the first character that is replaced.
        end: Offset after the last one.
        replacement: Text that replaces it.
        line: Line number.
        statement: Line numbers of its statement, or of the header of a compound one.
        scope: Qualified name of the enclosing class or function; empty at module level.
        runs_on_import: Whether it is outside of all functions.
        description: Readable description.
        ordinal: Index among mutations with the same description and scope, from 1.
    """

    start: int
    end: int
    replacement: str
    line: int
    statement: range
    scope: str
    runs_on_import: bool
    description: str
    ordinal: int = 1

    @property
    def name(self) -> str:
        """Name among the mutations of its file, independent of the position of its scope."""
        which = f" ({self.ordinal})" if self.ordinal > 1 else ""
        return f"{self.scope or 'module'}: {self.description}{which}"

    def apply(self, source: str) -> str:
        """Return the source with the change."""
        return source[: self.start] + self.replacement + source[self.end :]


def find_mutations(source: str) -> list[Mutation]:
    """Return all mutations of a source file, in order."""
    found = _Finder(source)
    found.visit(ast.parse(source))
    ordered = sorted(
        found.mutations, key=lambda mutation: (mutation.start, mutation.end, mutation.replacement)
    )
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    named: list[Mutation] = []
    for mutation in ordered:
        seen[mutation.scope, mutation.description] += 1
        ordinal = seen[mutation.scope, mutation.description]
        named.append(attrs.evolve(mutation, ordinal=ordinal))
    return named


class _Finder(ast.NodeVisitor):
    """Collects the mutations of a file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._line_offsets = [0]
        # Offsets of ast count bytes of UTF-8.
        for line in source.encode().splitlines(keepends=True):
            self._line_offsets.append(self._line_offsets[-1] + len(line))
        self.mutations: list[Mutation] = []
        self._statement = range(0)
        self._scope: list[str] = []
        self._functions = 0

    def visit(self, node: ast.AST) -> None:
        """Visit a node; record the lines of a statement first."""
        if not isinstance(node, ast.stmt):
            super().visit(node)
            return
        before, self._statement = self._statement, _lines_of(node)
        super().visit(node)
        self._statement = before

    def _offset(self, line: int, column: int) -> int:
        encoded = self._source.encode()[: self._line_offsets[line - 1] + column]
        return len(encoded.decode())

    def _replace(self, node: ast.expr | ast.stmt, new: ast.AST | str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._offset(node.lineno, node.col_offset)
        end = self._offset(node.end_lineno, node.end_col_offset)
        text = new if isinstance(new, str) else ast.unparse(new)
        if isinstance(node, ast.expr):
            text = f"({text})"
        before = " ".join(self._source[start:end].split())
        self.mutations.append(
            Mutation(
                start,
                end,
                text,
                node.lineno,
                self._statement,
                ".".join(self._scope),
                not self._functions,
                f"{before[:80]}  ->  {text[:80]}",
            )
        )

    # Nodes that are not mutated

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id == "__slots__" for target in node.targets):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        pass

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *node.kw_defaults):
            if default is not None:
                self.visit(default)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name == "__repr__":
            return
        self._scope.append(node.name)
        self.visit(node.args)
        self._functions += 1
        for statement in node.body:
            self.visit(statement)
        self._functions -= 1
        self._scope.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self._scope.pop()

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    # Nodes that are mutated

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.NamedExpr):
            self._replace(test, ast.UnaryOp(ast.Not(), test))

    def visit_Expr(self, node: ast.Expr) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Call):
            if _is_logging(value):
                return
            self._replace(node, "pass")
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _root_of(node.func) in ("attrs", "validators"):
            return
        if isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            changed = ast.Call(ast.Name(_CALLS[node.func.id]), node.args, node.keywords)
            self._replace(node, changed)
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "pass")

    def visit_Compare(self, node: ast.Compare) -> None:
        for index, operator in enumerate(node.ops):
            operators = list(node.ops)
            operators[index] = _COMPARISONS[type(operator)]()
            self._replace(node, ast.Compare(node.left, operators, node.comparators))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        changed = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._replace(node, ast.BoolOp(changed, node.values))
        for index in range(len(node.values)):
            rest = node.values[:index] + node.values[index + 1 :]
            self._replace(node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _ARITHMETIC:
            self._replace(node, ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool(value):
                self._replace(node, ast.Constant(not value))
            case int(value):
                self._replace(node, ast.Constant(value + 1))
            case float(value):
                self._replace(node, ast.Constant(value * 2 + 1))
            case _:
                pass


def _lines_of(node: ast.stmt) -> range:
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if body:
        first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
        return range(node.lineno, max(node.lineno + 1, first.lineno))
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _root_of(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _is_logging(call: ast.Call) -> bool:
    return _root_of(call.func) in _LOGGERS


def iterate_targets(sources: dict[str, str]) -> Iterator[tuple[str, Mutation]]:
    """Return the mutations of several files, in the order of their paths."""
    for path in sorted(sources):
        for mutation in find_mutations(sources[path]):
            yield path, mutation
