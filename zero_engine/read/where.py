"""`input.where`: which traces to keep, as a small expression that can only look.

    answer not in ['proof', 'notfound'] and correctness
    domain == 'math' and len(rationale) < 20000

Names are the trace's own fields (id is not among them: it is given later), what the format knows of it (`correctness`
of one generation) and the record's columns, nested ones by dots. There are comparisons, `in`, `and`, `or`, `not`,
constants, lists of constants, `len(x)` and `lower(x)`; nothing else of Python's grammar is accepted, and nothing is
ever evaluated by Python. An absent column is null; what cannot be compared is false.
"""

import ast
import difflib
import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from zero_engine.errors import InputError
from zero_engine.read.fields import Draft, Record, find

LONGEST = 2000
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
    ast.Is: lambda one, other: one is other or one == other,
    ast.IsNot: lambda one, other: one is not other and one != other,
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "len": lambda value: len(value) if value is not None else 0,
    "lower": lambda value: value.lower() if isinstance(value, str) else value,
}
WORDS = {"true": True, "false": False, "null": None}
TRACE_FIELDS = ("question", "rationale", "answer", "said", "choices", "steps", "notes")
Node = Callable[[Draft, Record], Any]


def keeps(where: str, draft: Draft, record: Record) -> bool:
    """Whether a trace is kept. Raises InputError for an expression that is none."""
    return bool(compiled(where)[0](draft, record))


@lru_cache(maxsize=32)
def compiled(where: str) -> tuple[Node, tuple[str, ...]]:
    """The expression as a function, and the names it asks for."""
    if len(where) > LONGEST:
        raise InputError(f"input.where: longer than {LONGEST} characters. Shorten it.")
    names: list[str] = []
    try:
        tree = ast.parse(where.strip(), mode="eval")
        return _build(tree.body, names), tuple(dict.fromkeys(names))
    except SyntaxError as error:
        raise InputError(f"input.where: {error.msg} in {where[:80]!r}. Fix the expression.") from None
    except (RecursionError, MemoryError, ValueError):
        raise InputError("input.where: nested too deeply. Simplify the expression.") from None


def check_where(where: str, drafts: list[tuple[Draft, Record]]) -> None:
    """Raises InputError where the expression asks for a name that none of these traces knows."""
    _, names = compiled(where)
    for name in names:
        if name in TRACE_FIELDS or any(name in draft.facts or _has(record, name) for draft, record in drafts):
            continue
        known = [
            *TRACE_FIELDS,
            *dict.fromkeys(key for draft, record in drafts for key in (*draft.facts, *record)),
        ]
        near = difflib.get_close_matches(name, [str(key) for key in known], n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There is {', '.join(map(str, known[:16]))}."
        raise InputError(f"input.where: nothing is called {name!r} here. {hint}")


def _build(node: ast.AST, names: list[str]) -> Node:
    if isinstance(node, ast.BoolOp):
        parts = [_build(value, names) for value in node.values]
        if isinstance(node.op, ast.And):
            return lambda draft, record: all(part(draft, record) for part in parts)
        return lambda draft, record: any(part(draft, record) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _build(node.operand, names)
        return lambda draft, record: not inner(draft, record)
    if isinstance(node, ast.Compare):
        return _comparison(node, names)
    if isinstance(node, ast.Call):
        function = FUNCTIONS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function and len(node.args) == 1 and not node.keywords:
            inner = _build(node.args[0], names)
            return lambda draft, record: _safely(function, inner(draft, record))
        raise InputError(
            f"input.where: only {', '.join(FUNCTIONS)} of one value can be called. Fix the expression."
        )
    if (path := _path(node)) is not None:
        if path in WORDS:
            word = WORDS[path]
            return lambda draft, record: word
        names.append(path)
        return lambda draft, record: _lookup(draft, record, path)
    value = _constant(node)
    return lambda draft, record: value


def _comparison(node: ast.Compare, names: list[str]) -> Node:
    sides = [_build(side, names) for side in (node.left, *node.comparators)]
    compare = [COMPARISONS[type(op)] for op in node.ops]

    def holds(draft: Draft, record: Record) -> bool:
        values = [side(draft, record) for side in sides]
        return all(_safely(test, values[i], values[i + 1]) for i, test in enumerate(compare))

    return holds


def _safely(test: Callable[..., Any], *values: Any) -> Any:
    try:
        return test(*values)
    except TypeError:
        return False


def _path(node: ast.AST) -> str | None:
    """`meta.level` and `scores[0]` as paths."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _path(node.value)
        return f"{base}.{node.attr}" if base else None
    if isinstance(node, ast.Subscript) and (base := _path(node.value)):
        key = _constant(node.slice)
        if isinstance(key, (str, int)):
            return f"{base}.{key}"
    return None


def _constant(node: ast.AST) -> Any:
    """A constant, or a list of constants."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, bool, type(None))):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [_constant(item) for item in node.elts]
    raise InputError(
        f"input.where: {type(node).__name__} is not part of it. Use names, constants, comparisons, in, and, or, not."
    )


def _lookup(draft: Draft, record: Record, path: str) -> Any:
    if path in draft.facts:
        return draft.facts[path]
    if path in TRACE_FIELDS:
        return getattr(draft, path)
    return find(record, path)


def _has(record: Record, path: str) -> bool:
    return path in record or find(record, path) is not None
