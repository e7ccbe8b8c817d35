"""The changes that are made to a file: each is one mutant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_assignment, operator_string

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "instrumentation"


def further_operators(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What mutmut leaves as it is: statements are left out, conditions negated, values not returned."""
    if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1:
        (statement,) = node.body
        is_text = isinstance(statement, cst.Expr) and isinstance(statement.value, cst.BaseString)
        if isinstance(statement, cst.Del | cst.Raise) or (isinstance(statement, cst.Expr) and not is_text):
            yield node.with_changes(body=[cst.Pass()])
        if isinstance(statement, cst.Return) and not _is_name(statement.value, "None", "False"):
            yield node.with_changes(body=[cst.Return()])
    if isinstance(node, cst.If) and isinstance(
        node.test, cst.Call | cst.Name | cst.Attribute | cst.NamedExpr
    ):
        test = node.test
        if not test.lpar:
            test = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        spaced = cst.Not(whitespace_after=cst.SimpleWhitespace(" "))
        negated = cst.UnaryOperation(spaced, test)
        yield node.with_changes(test=negated, whitespace_before_test=cst.SimpleWhitespace(" "))


def _is_name(value: cst.BaseExpression | None, *names: str) -> bool:
    return value is None or (isinstance(value, cst.Name) and value.value in names)


def replacements(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if not isinstance(node, kind):
            continue
        if operator is operator_assignment and _is_name(getattr(node, "value", None), "False"):
            continue  # None instead: whoever looks asks whether it is true
        made = operator(node)
        # Of a text one change is enough: that its case is tested as well says little more.
        yield from islice(made, 1) if operator is operator_string else made
    yield from further_operators(node)


@dataclass
class Mutant:
    file: Path
    name: str
    """Qualified name of the outermost function or method that it changes."""
    lines: range
    """Of the statement that it is in: a test that reaches one of them may notice."""
    line: int
    source: str
    """That function, below its class."""
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (str(self.file.relative_to(SOURCES)), self.name, self.change)

    @cached_property
    def change(self) -> str:
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=0, lineterm="")
        return "\n".join(line for line in list(lines)[2:] if not line.startswith("@@"))


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.found: list[Mutant] = []
        self._classes: list[cst.ClassDef] = []
        self._function: cst.FunctionDef | None = None
        self._statements: list[range] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Annotation | cst.Decorator):
            return False
        if isinstance(node, cst.Param) and not isinstance(
            node.default, cst.Name | cst.BaseNumber | cst.BaseString | None
        ):
            return False
        outermost = self._function is None
        if isinstance(node, cst.ClassDef) and outermost:
            self._classes.append(node)
        elif isinstance(node, cst.FunctionDef) and outermost:
            self._function = node
        if isinstance(node, cst.FunctionDef):  # its own lines run while it is imported, before any test
            self._statements.append(self._whole(node.body))
        elif isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            self._statements.append(self._lines(node))
        if self._function is not None and node is not self._function and not _is_check_of_type(node):
            self.found += [self._mutant(node, each) for each in replacements(node)]
        return True

    def on_leave(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            # Not where on_visit has left it out: that is never a statement.
            self._statements.pop()
        if node is self._function:
            self._function = None
        elif self._classes and node is self._classes[-1]:
            self._classes.pop()

    def _lines(self, node: cst.CSTNode) -> range:
        """From its first line to its last, of a block without its body."""
        place = self.get_metadata(PositionProvider, node)
        end = place.end.line
        if isinstance(node, cst.BaseCompoundStatement):
            end = max(place.start.line, self.get_metadata(PositionProvider, node.body).start.line - 1)
        return range(place.start.line, end + 1)

    def _whole(self, node: cst.CSTNode) -> range:
        place = self.get_metadata(PositionProvider, node)
        return range(place.start.line, place.end.line + 1)

    def _mutant(self, node: cst.CSTNode, by: cst.CSTNode) -> Mutant:
        function = self._function
        assert function is not None
        plain = function.with_changes(decorators=[], leading_lines=[], lines_after_decorators=[])
        changed = plain.deep_replace(node, by)
        assert isinstance(changed, cst.FunctionDef)
        before, after = cst.Module([]).code_for_node(plain), cst.Module([]).code_for_node(changed)
        if "super()" in before:  # its cell is needed, as functions can't get or lose one
            cell = cst.parse_statement("__class__")
            body = cst.ensure_type(changed.body, cst.IndentedBlock)
            changed = changed.with_changes(body=body.with_changes(body=[*body.body, cell]))
        start = self.get_metadata(PositionProvider, function.name).start.line
        below: cst.BaseStatement = changed
        for each in reversed(self._classes):
            below = cst.ClassDef(name=each.name, body=cst.IndentedBlock([below]))
        padding = "\n" * (start - 1 - len(self._classes))
        return Mutant(
            file=self.file,
            name=".".join([*(each.name.value for each in self._classes), function.name.value]),
            lines=self._statements[-1],
            line=self.get_metadata(PositionProvider, node).start.line,
            source=padding + cst.Module([]).code_for_node(below),
            before=before,
            after=after,
        )


def _is_check_of_type(node: cst.CSTNode) -> bool:
    """What would only be a TypeError."""
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value in {"isinstance", "len", "super", "type", "id"}
    )


def mutants_of(file: Path) -> list[Mutant]:
    finder = _Finder(file)
    MetadataWrapper(cst.parse_module(file.read_text()), unsafe_skip_copy=True).visit(finder)
    seen: set[str] = set()
    return [each for each in finder.found if each.after != each.before and not _seen(each, seen)]


def _seen(mutant: Mutant, seen: set[str]) -> bool:
    known = mutant.source in seen
    seen.add(mutant.source)
    return known
