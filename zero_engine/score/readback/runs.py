"""Runs: a plain text to stretches of numbers, operators, brackets and letters that may be one chain of equal sides.

A run goes on while it reads as an expression: an operand that follows an operand begins another, so does a sentence.
Words behind an operand are its unit and are passed over; where an operand should be, a word is a letter, a dash, or a
filler. One pass, in linear time.
"""

import re
from dataclasses import dataclass

from zero_engine.score.readback.spelling import NUMBER, written

Piece = tuple[str, str]
"""(kind, text): number, mixed, percent, letter, unit, factorial, open, close, op (`~` is a sign), eq."""
_TOKEN = re.compile(
    rf"(?P<number>{NUMBER})|(?P<word>[^\W\d_]+(?:['-][^\W\d_]+)*\d*)|(?P<arrow>=>|->|==+>?|<=|>=|!=)"
    r"|(?P<op>[-+*/^~])|(?P<eq>=)|(?P<open>\()|(?P<close>\))|(?P<bang>!)|(?P<percent>%)|(?P<stop>[.;:?\n<>|&])"
)
_EQUALS = frozenset(
    "is are was were be been equals equal equaling makes make gives give leaves comes come yields totals or".split()
)
_FUNCTIONS = frozenset("sqrt log ln sin cos tan mod gcd lcm max min".split())
_MINUS_AFTER_WORDS = re.compile(r"[^\W\d_],?\s+-[\d.(]")
_CLAUSE_WORDS = frozenset("so and then thus hence therefore because since but if when while".split())
_MANY = 4
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def runs(text: str, in_words: bool) -> list[list[Piece]]:
    """The runs of a plain text. `in_words`: `is`, `makes` and the like count as `=` after an operator."""
    found = tokens(text)
    gathered = _Runs(found, in_words).collect()
    if _MINUS_AFTER_WORDS.search(text):  # it cost -3 + 5; 16 eggs -3 eggs: both are read
        gathered += [run for run in _Runs(found, in_words, negative=True).collect() if run not in gathered]
    return gathered


def tokens(text: str) -> list[Token]:
    return [
        Token(str(found.lastgroup), found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)
    ]


class _Runs:
    """Tokens of a text, gathered to runs of what belongs to one chain: lists of (kind, text)."""

    def __init__(self, tokens: list[Token], in_words: bool, negative: bool = False):
        self.tokens, self.in_words, self.negative = tokens, in_words, negative
        self.runs: list[list[Piece]] = []
        self.run: list[Piece] = []
        self.last_end = -1
        self.words = 0
        """Words since the last piece; a word that begins a clause counts as many."""

    def collect(self) -> list[list[Piece]]:
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

    def _add(self, kind: str, token: Token) -> None:
        if len(self.run) > _LONGEST:
            self.run = [("op", "+")]  # no equation that anybody draws
        self.run.append((kind, token.text))
        self.last_end, self.words = token.end, 0

    @property
    def _is_operand(self) -> bool:
        return bool(self.run) and self.run[-1][0] not in ("op", "eq", "open")

    def _after(self, place: int, skip: tuple[str, ...] = ()) -> Token | None:
        """The next token that is of none of the kinds to skip."""
        return next((token for token in self.tokens[place + 1 : place + 9] if token.kind not in skip), None)

    def _number(self, token: Token, place: int) -> int | None:
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

    def _percent(self, token: Token, place: int) -> None:
        if self._is_operand and token.start == self.last_end:
            self._add("percent", token)

    def _word(self, token: Token, place: int) -> None:
        ahead = self._after(place)
        calls = ahead is not None and ahead.kind == "open" and ahead.start == token.end
        single = len(token.text.rstrip("0123456789")) == 1
        if token.text.lower() in _FUNCTIONS or (calls and not single):
            self._flush()
            self._add("letter", token)
        elif self._is_operand:
            self._after_operand(token, place, single)
        elif self.run:
            self._for_operand(token, place, single)
        elif self._begins(token, place, ahead, single):
            self._add("letter", token)

    def _begins(self, token: Token, place: int, ahead: Token | None, single: bool) -> bool:
        """Whether a word is the first operand of a chain: `Total = 3 + 4`, `x - 3`, `k(x + 1)`."""
        if ahead is None or (single and token.text in "aI"):
            return False
        if ahead.kind == "open":
            return single and ahead.start == token.end
        minus = ahead.text == "-" and not single and not self._is_spaced(ahead, place)
        return ahead.kind == "eq" or (ahead.kind == "op" and not minus)

    def _after_operand(self, token: Token, place: int, single: bool) -> None:
        """A unit, a letter that multiplies, a word for `=`, or a letter that begins another chain."""
        ahead = self._after(place)
        self.words += _MANY if token.text.lower() in _CLAUSE_WORDS else 1
        if single:
            goes_on = (
                ahead is not None and ahead.kind in ("op", "eq", "close") and ahead.start - token.end <= 1
            )
            if token.start == self.last_end or (
                goes_on and token.start - self.last_end == 1 and token.text not in "aI"
            ):
                self._add("unit", token)
            elif goes_on and ahead is not None and ahead.kind != "close":
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

    def _for_operand(self, token: Token, place: int, single: bool) -> None:
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

    def _is_spaced(self, sign: Token, place: int) -> bool:
        """Whether a sign, the token after `place`, stands apart from a number that follows."""
        ahead = self._after(place + 1)
        return ahead is not None and ahead.start > sign.end and ahead.kind in ("number", "open")

    def _op(self, token: Token, place: int) -> None:
        if token.text == "~":  # $-5: a sign, never a difference
            if self._is_operand:
                self._flush()
            self._add("op", token)
        elif self._is_operand and self._is_negative(token, place):
            self._flush()
            self.run.append(("op", "~"))
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

    def _is_negative(self, token: Token, place: int) -> bool:
        """Whether a minus stands apart from what is before it, by words, and at the number behind it."""
        ahead = self._after(place)
        apart = self.negative and token.text == "-" and place > 0 and self.tokens[place - 1].kind == "word"
        return apart and ahead is not None and ahead.start == token.end

    def _eq(self, token: Token, place: int) -> None:
        if self._is_operand and self.words >= _MANY:  # 3 = 3 pens, so the total = 5 + 4
            self._flush()
            self.run.append(("letter", "?"))
        if self._is_operand:
            self._add("eq", token)
        else:
            self._flush()

    def _open(self, token: Token, place: int) -> int | None:
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

    def _close(self, token: Token, place: int) -> None:
        opened = sum({"open": 1, "close": -1}.get(kind, 0) for kind, _ in self.run)
        if opened > 0 and self._is_operand:
            self._add("close", token)
        else:
            self._flush()

    def _bang(self, token: Token, place: int) -> None:
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

    def _stop(self, token: Token, place: int) -> None:
        self._flush()

    _arrow = _stop
