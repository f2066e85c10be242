"""Expressions: the equations of a text as trees, so that a drawing is compared as a whole.

A tree is ("number", "3"), ("percent", tree), ("letter", "x"), ("unit", tree, "g"), ("minus", tree),
("factorial", tree), ("mixed", tree, tree), or (operator, left, right). Brackets only shape the tree: `(3 + 4) = 7` and
`3 + 4 = 7` are one, `5 * (3 + 2)` and `5 * 3 + 2` are not. Words between the numbers are units and are passed over,
unless one of them stands where a number should: then it is a letter, and no drawing of digits equals it. An expression
of more than 100 tokens is none.

    equations("She has 16 eggs - 3 eggs = 13.") -> [[16 - 3, 13]]
"""

import re
from dataclasses import dataclass

from zero_engine.score.readback.spelling import NUMBER

Tree = tuple
_TOKEN = re.compile(
    rf"(?P<number>{NUMBER})|(?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*\d*)|(?P<arrow>=>|->|==+>?|<=|>=|!=)"
    r"|(?P<op>[-+*/^~])|(?P<eq>=)|(?P<open>\()|(?P<close>\))|(?P<bang>!)|(?P<percent>%)|(?P<stop>[.;:?\n<>|&])"
)
_EQUALS = frozenset(
    "is are was were be been equals equal equaling makes make gives give leaves comes come yields totals or".split()
)
_FUNCTIONS = frozenset("sqrt log ln sin cos tan mod gcd lcm max min".split())
_LONGEST = 100
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def equations(text: str, in_words: bool = False) -> list[list[Tree]]:
    """The chains of equal sides in a plain text, in order; a chain of one side is an expression without `=`.

    `in_words`: `is`, `makes` and the like count as `=` after an operator.
    """
    found = []
    for run in _Runs(_tokens(text), in_words).collect():
        sides = [_parse(side) for side in _sides(run)]
        if sides and any(side is not None for side in sides):
            found.append([side if side is not None else ("letter", "?") for side in sides])
    return found


def parse(expression: str) -> list[Tree] | None:
    """The sides of what is drawn; None where it is not well made."""
    tokens = [_Token("op" if t.kind == "op" else t.kind, t.text, t.start, t.end) for t in _tokens(expression)]
    tokens = [_Token("letter", t.text, t.start, t.end) if t.kind == "word" else t for t in tokens]
    if any(t.kind in ("stop", "arrow") or (t.kind == "letter" and len(t.text) > 1) for t in tokens):
        return None
    sides = [_parse(side) for side in _sides([(t.kind, t.text) for t in tokens])]
    return None if not sides or None in sides else sides


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


def written(number: str) -> str:
    """One spelling a number: 1,000 -> 1000, 05 -> 5, 2.50 -> 2.5, .5 -> 0.5."""
    whole, _, fraction = number.replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


_VALUES = {
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


def _tokens(text: str) -> list[_Token]:
    return [_Token(found.lastgroup, found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]


class _Runs:
    """Tokens of a text, gathered to runs of what belongs to one chain: lists of (kind, text)."""

    def __init__(self, tokens: list[_Token], in_words: bool):
        self.tokens, self.in_words = tokens, in_words
        self.runs: list[list[tuple[str, str]]] = []
        self.run: list[tuple[str, str]] = []
        self.last_end = -1

    def collect(self) -> list[list[tuple[str, str]]]:
        place = 0
        while place < len(self.tokens):
            token = self.tokens[place]
            place += getattr(self, "_" + token.kind)(token, place) or 1
        self._flush()
        return self.runs

    def _flush(self) -> None:
        while self.run and self.run[-1][0] in ("op", "eq", "open"):
            self.run.pop()
        if self.run:
            self.runs.append(self.run)
        self.run = []

    def _add(self, kind: str, token: _Token) -> None:
        if len(self.run) > _LONGEST:
            self.run = [("op", "+")]  # no equation that anybody draws
        self.run.append((kind, token.text))
        self.last_end = token.end

    @property
    def _is_operand(self) -> bool:
        return bool(self.run) and self.run[-1][0] not in ("op", "eq", "open")

    def _after(self, place: int, skip: tuple[str, ...] = ()) -> _Token | None:
        """The next token that is of none of the kinds to skip."""
        return next((token for token in self.tokens[place + 1 : place + 9] if token.kind not in skip), None)

    def _number(self, token: _Token, place: int) -> int | None:
        ahead = self.tokens[place + 1 : place + 3]
        beside = self._is_operand and token.start - self.last_end == 1 and self.run[-1][0] == "number"
        if beside and [t.kind for t in ahead] == ["op", "number"] and ahead[0].text == "/":
            proper = float(written(token.text)) < float(written(ahead[1].text))
            if proper and self.run[-1][1].isdigit():
                self.run[-1] = ("mixed", f"{self.run[-1][1]} {token.text}/{ahead[1].text}")
                self.last_end = ahead[1].end
                return 3
        if self._is_operand:
            self._flush()
        self._add("number", token)
        return None

    def _percent(self, token: _Token, place: int) -> None:
        if self._is_operand and token.start == self.last_end:
            self._add("percent", token)

    def _word(self, token: _Token, place: int) -> None:
        ahead = self._after(place)
        glued = ahead is not None and ahead.start == token.end
        single = len(token.text.rstrip("0123456789")) == 1
        if token.text.lower() in _FUNCTIONS or (glued and ahead.kind == "open" and not single):
            self._flush()
            self._add("letter", token)
        elif self._is_operand:
            self._after_operand(token, place, single)
        elif self.run:
            self._for_operand(token, place, single)
        elif self._begins(token, place, ahead, single, glued):
            self._add("letter", token)

    def _begins(self, token: _Token, place: int, ahead: _Token | None, single: bool, glued: bool) -> bool:
        """Whether a word is the first operand of a chain: `Total = 3 + 4`, `x - 3`, `k(x + 1)`."""
        if ahead is None or (single and token.text in "aI"):
            return False
        if ahead.kind == "open":
            return single and glued
        minus = ahead.text == "-" and not single and not self._is_spaced(ahead, place)
        return ahead.kind == "eq" or (ahead.kind == "op" and not minus)

    def _after_operand(self, token: _Token, place: int, single: bool) -> None:
        """A unit, a letter that multiplies, a word for `=`, or a letter that begins another chain."""
        ahead = self._after(place)
        if single:
            goes_on = (
                ahead is not None and ahead.kind in ("op", "eq", "close") and ahead.start - token.end <= 1
            )
            if token.start == self.last_end or (
                goes_on and token.start - self.last_end == 1 and token.text not in "aI"
            ):
                self._add("unit", token)
            elif goes_on and ahead.kind != "close" and token.text not in "aI":
                self._flush()
                self._add("letter", token)
        elif self.in_words and token.text.lower() in _EQUALS and self._side_has_operator():
            ahead = self._after(place, ("word",))
            if ahead is not None and (ahead.kind in ("number", "open") or ahead.text == "-"):
                self._add("eq", token)

    def _side_has_operator(self) -> bool:
        kinds = [kind for kind, _ in self.run]
        last = len(kinds) - kinds[::-1].index("eq") if "eq" in kinds else 0
        return "op" in kinds[last:]

    def _for_operand(self, token: _Token, place: int, single: bool) -> None:
        """A word where a number should be."""
        ahead = self._after(place, () if single else ("word",))
        kind = ahead.kind if ahead else "end"
        article = single and token.text in "aI" and kind == "word"
        if (single and not article) or (kind in ("op", "eq", "close") and self.run[-1][0] == "op"):
            self._add("letter", token)
        elif self.run[-1] == ("op", "-") or kind not in (
            "number",
            "open",
            "op",
        ):  # a dash, or no number follows
            self._flush()

    def _is_spaced(self, sign: _Token, place: int) -> bool:
        """Whether a sign, the token after `place`, stands apart from a number that follows."""
        ahead = self._after(place + 1)
        return ahead is not None and ahead.start > sign.end and ahead.kind in ("number", "open")

    def _op(self, token: _Token, place: int) -> None:
        if token.text == "~":  # $-5: a sign, never a difference
            if self._is_operand:
                self._flush()
            self._add("op", token)
        elif self._is_operand:
            self._add("op", token)
        elif token.text in "+-" and (not self.run or self.run[-1][0] in ("open", "eq", "op")):
            ahead = self._after(place)
            if ahead is not None and ahead.kind in ("number", "open") and ahead.start == token.end:
                if token.text == "-":
                    self.run.append(("op", "~"))
            elif self.run:
                self._flush()
        else:
            self._flush()

    def _eq(self, token: _Token, place: int) -> None:
        if self._is_operand:
            self._add("eq", token)
        else:
            self._flush()

    def _open(self, token: _Token, place: int) -> int | None:
        depth, inside = 1, []
        for ahead in self.tokens[place + 1 : place + _LONGEST]:
            depth += {"open": 1, "close": -1}.get(ahead.kind, 0)
            if depth == 0:
                break
            inside.append(ahead.kind)
        if depth or "eq" in inside or "stop" in inside:
            self._flush()
            return None
        is_operand_due = bool(self.run) and not self._is_operand
        if not {"number", "op"} & set(inside) and not (is_operand_due and len(inside) == 1):
            return len(inside) + 2  # a remark
        if self._is_operand:
            if token.start == self.last_end and self.run[-1][0] in ("number", "close", "letter", "unit"):
                self.run.append(("op", "*"))
            else:
                self._flush()
        self._add("open", token)
        return None

    def _close(self, token: _Token, place: int) -> None:
        opened = sum({"open": 1, "close": -1}.get(kind, 0) for kind, _ in self.run)
        if opened > 0 and self._is_operand:
            self._add("close", token)
        else:
            self._flush()

    def _bang(self, token: _Token, place: int) -> None:
        ahead = self._after(place)
        if (
            self._is_operand
            and token.start == self.last_end
            and ahead
            and ahead.kind in ("op", "eq", "close", "bang")
        ):
            self._add("factorial", token)
        else:
            self._flush()

    def _stop(self, token: _Token, place: int) -> None:
        self._flush()

    _arrow = _stop


def _sides(run: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    sides: list[list[tuple[str, str]]] = [[]]
    for kind, text in run:
        if kind == "eq":
            sides.append([])
        else:
            sides[-1].append((kind, text))
    return sides


def _parse(tokens: list[tuple[str, str]]) -> Tree | None:
    """Precedence climbing; None where the tokens are not one whole expression."""
    parser = _Parser(tokens)
    tree = parser.expression(0)
    return tree if tree is not None and parser.place == len(tokens) else None


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]):
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
