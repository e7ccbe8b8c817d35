"""Where a test's verdict may depend on how fast the machine is, found in its source."""

import ast
import re
from collections.abc import Iterator, Set
from pathlib import Path

STOPWATCHES = {"time.monotonic", "time.perf_counter"}
READS = {*STOPWATCHES, "time.time", "datetime.now"}
DEADLINES = {
    "asyncio.timeout": 0,
    "asyncio.wait_for": 1,
    "wait_until": 2,
    "until": 3,
    "wait": 0,
    "join": 0,
    "communicate": 1,
    "urlopen": 2,
    "HTTPConnection": 2,
    "create_connection": 1,
    "run": None,
    "wait_for_timeout": 0,
}
"""Functions that can give up: the place of the seconds; by name they are `timeout` or `limit`."""
MEASURED = re.compile(r"(?:^|[._])(?:seconds|duration|latency|wait|median|gap|age)$")
"""How what was measured is called, as a member of something or as a name."""


def clock_uses(path: Path, root: Path, *, virtual: bool) -> set[str]:
    """The functions of a module that look at a clock, as ``path::function``.

    They compare a time that has passed with a bound, give up after so many seconds, or sleep in the hope that
    something has happened meanwhile.

    Args:
        path: The module.
        root: What the names are relative to.
        virtual: Whether its event loops are virtual, on which asyncio's time is exact.
    """
    tree = ast.parse(path.read_text())
    name = path.relative_to(root).as_posix()
    return {f"{name}::{where}" for where, node in _walk(tree, "", in_loop=False) if _looks(node, virtual)}


def _walk(node: ast.AST, where: str, *, in_loop: bool) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inside, loop = where, in_loop or isinstance(child, ast.While)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside, loop = f"{where}.{child.name}".lstrip("."), False
        if not (loop and isinstance(child, ast.Call) and _name(child.func).endswith("sleep")):
            yield inside, child
        yield from _walk(child, inside, in_loop=loop)


def _looks(node: ast.AST, virtual: bool) -> bool:
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name == "time.sleep" or (name == "asyncio.sleep" and not virtual):
            return not _is_number(node.args[0], below=0.01) and not _is_number(node.args[0], least=60)
        return not (virtual and name.startswith("asyncio.")) and _gives_up(node, name)
    if isinstance(node, ast.Compare):
        return _has_upper_bound(node, virtual)
    # The wall clock minus something is also a time in the past, which some tests need as data.
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _reads(node, STOPWATCHES)


def _gives_up(call: ast.Call, name: str) -> bool:
    function = name if name in DEADLINES else name.rpartition(".")[2]
    if function not in DEADLINES:
        return False
    position = DEADLINES[function]
    arguments = [each.value for each in call.keywords if each.arg in {"timeout", "limit"}]
    if position is not None and len(call.args) > position:
        arguments.append(call.args[position])
    return any(_is_number(argument) for argument in arguments)


def _has_upper_bound(compared: ast.Compare, virtual: bool) -> bool:
    sides = [compared.left, *compared.comparators]
    for left, operator, right in zip(sides, compared.ops, sides[1:], strict=False):
        about = isinstance(right, ast.Call) and _name(right.func) == "pytest.approx"
        if isinstance(operator, ast.Gt | ast.GtE):
            left = right
        elif not isinstance(operator, ast.Lt | ast.LtE) and not about:
            continue
        if _reads(left) or (not virtual and _is_measured(left)):
            return True
    return False


def _reads(node: ast.AST, clocks: Set[str] = READS) -> bool:
    return any(isinstance(each, ast.Call) and _name(each.func) in clocks for each in ast.walk(node))


def _is_measured(node: ast.AST) -> bool:
    """`took["seconds"]`, `float(took["seconds"])`, `wait_seconds`, `found.duration`."""
    if isinstance(node, ast.Call) and node.args:
        return _is_measured(node.args[0])
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return bool(MEASURED.search(str(node.slice.value)))
    return bool(MEASURED.search(_name(node)))


def _is_number(node: ast.AST, least: float = 0.0, below: float = float("inf")) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
        and least <= node.value < below
    )


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""
