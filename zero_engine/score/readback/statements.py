"""Statements: whether a step says an equation, in signs or in words.

Three readings, the surest first:

    signs   the step holds both sides in one chain of equal sides, each as a whole (what is added or multiplied may
            change places where the equation is true): `16 - 3 - 4 = 9` does not say
            16-3=9, nor does `5 * (3 + 2) = 25` say 5*3+2=25
    infix   `31 times 13, which is 403`, `half of 60 is 30`: words for operators are read as signs, in the order in
            which they stand; the factors and the terms of a sum may change places
    words   `subtracting 3 from 10 leaves 7`, `12 eggs in 3 boxes, so 4 in each`: a clause names all the numbers, no
            other operator than the drawn one, and the drawn equation is true. Where it names no operator, it must
            name no other numbers either, and write no equation

A step may state a wrong result; in signs and infix it is then copied, not corrected.
"""

import re
from collections import Counter
from itertools import pairwise

from zero_engine.score.readback.expressions import (
    Tree,
    equations,
    holds,
    numbers,
    operators,
    unordered,
    without_units,
)
from zero_engine.score.readback.spelling import NUMBER, plain, signs_for_words, written

_LEAD = re.compile(r"^\s*(?:step\s+)?\d[\d.,]*\s*[.:)]\s+", re.IGNORECASE)
_CLAUSES = re.compile(r"(?<!\d)\.|\.(?!\d)|[;!?\n]")
_PARTS = re.compile(r"\b(?:because|since|so that|so|therefore|and then|but|while|when|after)\b|[:,]\s")
_NUMBERS = re.compile(rf"(?<![\d.])({NUMBER})(%?)")
_NAMES = {
    "+": r"\b(?:sum|sums|summing|add|adds|adding|added|more than|increased?|combined)\b",
    "-": r"\b(?:subtract\w*|difference|less than|fewer than|decreased?|reduced?|lowered?|tak(?:e|es|en|ing)\b.{1,40}"
    r"\b(?:away|from|off)|from\b.{1,30}\bwe take|removing|removed?|fall|falls|fell|drops?|dropped|sinks?|loses?|loss"
    r"|steps? back|going (?:back|down)|goes (?:down|back)|counting back|below|colder|deeper)\b",
    "*": r"\b(?:product|multiply|multiplying|multiplied|multiplies)\b",
    "/": r"\b(?:divid\w+|quotient|split\w*|shar(?:e|ed|ing)|separated|distributed|equal (?:parts|groups|sets))\b",
}
_NAMED = {sign: re.compile(pattern, re.IGNORECASE) for sign, pattern in _NAMES.items()}
_SIGN = re.compile(r"[+*/](?=[\s$(\d.])|(?<=\d)\s?-(?=\s?[\d($.])|(?<=\s)-(?=\s+[\d($.])")
UNIT_LETTERS = frozenset("gmhslLkKcpqtGMV")
"""Letters that may be a unit, where the equation without them is true."""


def says(text: str, sides: list[Tree]) -> bool:
    """Whether a step says that the two drawn sides are equal."""
    left, right = sides
    signs = plain(text)
    chains = equations(signs)
    if _in_chains(chains, left, right, exact=True):
        return True
    said = signs_for_words(_LEAD.sub("", signs))
    in_signs = set(map(tuple, chains))
    spoken = [chain for chain in equations(said, in_words=True) if tuple(chain) not in in_signs]
    if _in_chains(spoken, left, right, exact=False):
        return True
    if not holds(left, right):
        return False
    written_out = any(len(chain) > 1 and any(map(operators, chain)) for chain in chains)
    clauses = [clause for clause in _clauses(said) if not (written_out and "=" in clause)]
    return any(_clause_names(clause, left, right, written_out) for clause in clauses)


def named_numbers(text: str) -> Counter[str]:
    """The numbers that a step names, in digits or as words, and how often."""
    return _numbers_in(plain(text)) | _numbers_in(signs_for_words(plain(text)))


def _in_chains(chains: list[list[Tree]], left: Tree, right: Tree, exact: bool) -> bool:
    may_turn = not exact or holds(left, right)

    def same(said: Tree, drawn: Tree) -> bool:
        if said == drawn or (may_turn and unordered(said) == unordered(drawn)):
            return True
        return _is_unit(said) and without_units(said) == drawn and holds(left, right)

    for chain in chains:
        if len(chain) > 1 and any(same(side, left) for side in chain):
            others = [side for side in chain if not same(side, left)]
            if any(same(side, right) for side in others):
                return True
    if not holds(left, right):
        return False
    for one, other in pairwise(chains):  # 2 hours + 1 hour for a total of 3 hours
        if len(one) == len(other) == 1:
            pair = one[0], other[0]
            if any(same(pair[i], left) and same(pair[1 - i], right) for i in (0, 1)):
                return True
    return False


def _is_unit(tree: Tree) -> bool:
    """Whether all letters of a tree are such as stand for units."""
    if tree[0] == "unit":
        return tree[2] in UNIT_LETTERS and _is_unit(tree[1])
    return tree[0] != "letter" and all(_is_unit(part) for part in tree[1:] if isinstance(part, tuple))


def _clauses(text: str) -> list[str]:
    found = []
    for sentence in _CLAUSES.split(text):
        parts = _PARTS.split(sentence)
        found += [sentence, *parts] if len(parts) > 1 else [sentence]
    return [clause for clause in found if clause.strip()]


def _clause_names(clause: str, left: Tree, right: Tree, written_out: bool) -> bool:
    drawn = Counter(numbers(left) + numbers(right))
    there = _numbers_in(clause)
    if drawn - there:
        return False
    named = {sign for sign, pattern in _NAMED.items() if pattern.search(clause)}
    named |= {found[0].strip() for found in _SIGN.finditer(clause)}
    if named:
        return named == set(operators(left) + operators(right))
    return not written_out and there.total() == drawn.total()


def _numbers_in(text: str) -> Counter[str]:
    return Counter(written(number) + percent for number, percent in _NUMBERS.findall(text))
