"""Expressions: the equations of a text as trees, so that a drawing is compared as a whole.

A tree is ("number", "3"), ("percent", tree), ("letter", "x"), ("unit", tree, "g"), ("minus", tree),
("factorial", tree), ("mixed", tree, tree), or (operator, left, right). Brackets only shape the tree: `(3 + 4) = 7` and
`3 + 4 = 7` are one, `5 * (3 + 2)` and `5 * 3 + 2` are not. Words between the numbers are units and are passed over,
unless one of them stands where a number should: then it is a letter, and no drawing of digits equals it. An expression
of more than 100 tokens is none.

    equations("She has 16 eggs - 3 eggs = 13.") -> [[16 - 3, 13]]
"""

import re
from collections.abc import Callable

from zero_engine.score.readback.runs import Piece, runs, tokens
from zero_engine.score.readback.spelling import written

Tree = tuple
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


def equations(text: str, in_words: bool = False) -> list[list[Tree]]:
    """The chains of equal sides in a plain text, in order; a chain of one side is an expression without `=`.

    `in_words`: `is`, `makes` and the like count as `=` after an operator.
    """
    found = []
    for run in runs(text, in_words):
        sides = [_parse(side) for side in _sides(run)]
        if sides and any(side is not None for side in sides):
            found.append([side if side is not None else ("letter", "?") for side in sides])
    return found


def parse(expression: str) -> list[Tree] | None:
    """The sides of what is drawn; None where it is not well made."""
    found = tokens(expression)
    if any(t.kind in ("stop", "arrow") or (t.kind == "word" and len(t.text) > 1) for t in found):
        return None
    pieces = [("letter" if t.kind == "word" else t.kind, t.text) for t in found]
    sides = _sides(pieces)
    trees = [tree for side in sides if (tree := _parse(side)) is not None]
    return trees if len(trees) == len(sides) else None


def without_units(tree: Tree) -> Tree:
    """The tree with letters of units left out: `60g` is 60."""
    if tree[0] == "unit":
        return without_units(tree[1])
    return tuple(without_units(part) if isinstance(part, tuple) else part for part in tree)


def value(tree: Tree) -> float | None:
    """What a tree comes to; None with letters, or where it has no value."""
    kind, *parts = tree
    if kind == "number":
        return float(parts[0])
    values = [value(part) for part in parts if isinstance(part, tuple)]
    if kind in ("letter", "unit") or None in values:
        return None
    try:
        return _VALUES[kind](*values)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None


def holds(left: Tree, right: Tree) -> bool:
    """Whether two sides are equal, to the digits that are written, and to half a per cent where there are decimals."""
    a, b = value(left), value(right)
    if a is None or b is None:
        return False
    return abs(a - b) <= 1e-6 + max(_last_digit(left), _last_digit(right)) / 2


def operators(tree: Tree) -> list[str]:
    """The operators of a tree, in order."""
    inside = [op for part in tree[1:] if isinstance(part, tuple) for op in operators(part)]
    return ([tree[0]] if tree[0] in _STRENGTH else []) + inside


def numbers(tree: Tree) -> list[str]:
    """The numbers of a tree in order, a percentage with its sign, a fraction as one."""
    if tree[0] == "number":
        return [tree[1]]
    if tree[0] == "percent":
        return [number + "%" for number in numbers(tree[1])]
    return [number for part in tree[1:] if isinstance(part, tuple) for number in numbers(part)]


def unordered(tree: Tree) -> Tree:
    """The tree with the operands of every sum and product in one order."""
    parts = tuple(unordered(part) if isinstance(part, tuple) else part for part in tree)
    return (parts[0], *sorted(parts[1:], key=repr)) if tree[0] in ("+", "*") else parts


_VALUES: dict[str, Callable[..., float | None]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "^": lambda a, b: a**b if abs(b) <= 64 and abs(a) <= 1e6 else None, "minus": lambda a: -a,
    "percent": lambda a: a / 100, "mixed": lambda a, b: a + b,
    "factorial": lambda a: None if a != int(a) or not 0 <= a <= 20 else _factorial(int(a)),
}  # fmt: skip


def _factorial(count: int) -> float:
    product = 1.0
    for factor in range(2, count + 1):
        product *= factor
    return product


def _last_digit(tree: Tree) -> float:
    """The size of the last digit of a plain number, 0 for a whole one."""
    while tree[0] in ("minus", "percent", "unit"):
        tree = tree[1]
    return 10.0 ** -len(tree[1].partition(".")[2]) if tree[0] == "number" and "." in tree[1] else 0.0


def _sides(run: list[Piece]) -> list[list[Piece]]:
    sides: list[list[Piece]] = [[]]
    for kind, text in run:
        if kind == "eq":
            sides.append([])
        else:
            sides[-1].append((kind, text))
    return sides


def _parse(tokens: list[Piece]) -> Tree | None:
    """Precedence climbing; None where the tokens are not one whole expression."""
    parser = _Parser(tokens)
    tree = parser.expression(0)
    return tree if tree is not None and parser.place == len(tokens) else None


class _Parser:
    def __init__(self, tokens: list[Piece]):
        self.tokens, self.place, self.depth = tokens, 0, 0

    def _next(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def expression(self, least: int) -> Tree | None:
        left = self.operand()
        while (
            left is not None
            and self._next()[0] == "op"
            and _STRENGTH.get(self._next()[1], -1) >= max(least, 1)
        ):
            op = self.tokens[self.place][1]
            self.place += 1
            right = self.expression(_STRENGTH[op] + (op != "^"))
            left = None if right is None else (op, left, right)
        return left

    def operand(self) -> Tree | None:
        kind, text = self._next()
        self.place += 1
        if kind == "op" and text in "~-":
            inside = self.expression(3)
            return None if inside is None else ("minus", inside)
        if kind == "open":
            self.depth += 1
            inside = self.expression(0) if self.depth < 32 else None
            self.depth -= 1
            if inside is None or self._next()[0] != "close":
                return None
            self.place += 1
            return self._tail(inside)
        if kind == "number":
            return self._tail(("number", written(text)))
        if kind == "mixed":
            whole, above, below = re.split(r"[ /]", text)
            return self._tail(("mixed", ("number", whole), ("/", ("number", above), ("number", below))))
        return self._tail(("letter", text.upper())) if kind == "letter" else None

    def _tail(self, tree: Tree) -> Tree:
        while self._next()[0] in ("percent", "factorial", "bang", "unit"):
            kind, text = self._next()
            tree = ("unit", tree, text) if kind == "unit" else ("factorial" if kind == "bang" else kind, tree)
            self.place += 1
        return tree
