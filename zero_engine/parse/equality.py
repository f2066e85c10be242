"""Equality: whether two answers say the same. The one judgement, of notes and of rewards.

It is strict where likeness is cheap (`5 red cars` is not `9 red cars`, an empty answer equals nothing) and blind to
spelling (`$460` is `460`, `No` is `NO`, `\\frac{1}{2}` is `0.5`). In this order, the first that can decide does:
1. the same text, once it is spelled one way (spelling.py);
2. letters of choices (`B`, `(B) wood`, or the choice's own text);
3. chemical formulas by their atoms, days (dates.py), numbers by value and unit (quantities.py), lists and tuples
   element by element, `x = 3` by its value;
4. expressions, by math-verify (expressions.py).

Only 4 needs the extra `train`. Without it, two expressions are the same where their spelling is; so the extra can turn
"not known to be equal" into "equal", and never changes what 1 to 3 have decided.

Time is bounded: texts longer than LONGEST are compared as they are.
"""

import re
from collections import Counter

from zero_engine.parse.dates import date
from zero_engine.parse.expressions import same_expression
from zero_engine.parse.quantities import number, same_numbers, with_point
from zero_engine.parse.spelling import LONGEST, SAME_WORDS, clean

LONGEST_CLAIM = 80
"""Characters of an answer that can contradict another; a longer one is prose."""
MOST_CHOICES = 26
MOST_PARTS = 16
"""Elements of a list that are compared in any order."""
ARTICLE = re.compile(r"\A(?:the|an?) (?=\w{2})")
LETTER = re.compile(
    r"\(?\[?([A-Za-z])\]?\)?[.:]?|(?:option|choice|answer) \(?([A-Za-z])\)?[.:]?", re.IGNORECASE
)
LETTER_AND_TEXT = re.compile(r"(?:(?i:option|choice) )?\(?([A-Z])[).:] ?(\S.*)")
SEVERAL = re.compile(r"\(?[A-H]\)?(?:(?:, ?(?:and )?| and | ?& ?| |)\(?[A-H]\)?){1,7}")
"""Several letters of choices: `ACD`, `A, C and D`."""
ASSIGNED = re.compile(r"(\\?[A-Za-z]\w{0,8}(?:_\{\w{1,8}\})?(?:\([A-Za-z]\))?)=([^=]+)")
ATOM = re.compile(r"([A-Z][a-z]?)(\d{0,4})")
ELEMENTS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
    "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt "
    "Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr".split()
)
SEPARATOR = re.compile(r", (?:and|or)(?: |(?=[-+±]))|, | (?:and|or)(?: |(?=[-+±]))|,(?!\d{3}(?!\d))")


def answers_equal(first: str | None, second: str | None, choices: tuple[str, ...] = ()) -> bool:
    """Whether two answers say the same; never for an empty one. Symmetric, and never raises.

    With `choices`, a letter equals the text of its choice.
    """
    if not first or not second:
        return False
    if max(len(first), len(second)) > LONGEST:
        return first.split() == second.split()
    left, right = clean(first), clean(second)
    return bool(left) and bool(right) and _equal(left, right, choices)


def answers_differ(first: str | None, second: str | None, choices: tuple[str, ...] = ()) -> bool:
    """Whether two answers contradict each other: they can be compared, and are not equal.

    A letter without its choices, a sentence and no answer at all contradict nothing.
    """
    if (
        not first
        or not second
        or max(len(first), len(second)) > LONGEST_CLAIM
        or answers_equal(first, second, choices)
    ):
        return False
    letters = [_letter(clean(side), choices) is not None for side in (first, second)]
    return letters[0] == letters[1]


def _equal(left: str, right: str, choices: tuple[str, ...], is_text: bool = False) -> bool:
    """`is_text`: the letters of choices are taken off already."""
    plain = [ARTICLE.sub("", side.casefold()) for side in (left, right)]
    plain = [SAME_WORDS.get(side, side) for side in plain]
    atoms = _atoms(left), _atoms(right)
    if all(atoms) and not set(plain) & set(SAME_WORDS.values()):
        return atoms[0] == atoms[1]
    if plain[0] == plain[1]:
        return True
    if choices and all(SEVERAL.fullmatch(side) for side in (left, right)):
        several = [{char for char in side if char.isupper()} for side in (left, right)]
        return several[0] == several[1]
    letters = _letter(left, choices), _letter(right, choices)
    if all(letters):
        return letters[0] == letters[1]
    texts = [found.group(2) if (found := LETTER_AND_TEXT.fullmatch(side)) else side for side in (left, right)]
    if texts != [left, right] and not is_text:
        return _equal(texts[0], texts[1], choices, is_text=True)
    if choices and any(letters):
        return False
    days = date(plain[0]), date(plain[1])
    if days[0] and days[1]:
        return days[0] == days[1]
    numbers = number(plain[0]), number(plain[1])
    if numbers[0] and numbers[1]:
        return same_numbers(numbers[0], numbers[1])
    points = numbers[0] or with_point(plain[0]), numbers[1] or with_point(plain[1])
    if points[0] and points[1] and same_numbers(points[0], points[1]):
        return True
    assigned = ASSIGNED.fullmatch(left), ASSIGNED.fullmatch(right)
    if assigned[0] and assigned[1]:
        return assigned[0][1] == assigned[1][1] and _equal(assigned[0][2], assigned[1][2], ())
    if assigned[0] or assigned[1]:
        sides = [found[2] if found else side for found, side in zip(assigned, (left, right), strict=True)]
        if "=" not in "".join(sides):
            return _equal(sides[0], sides[1], choices)
        if "±" not in left + right:
            return False
    if any(f" {word}" in left and f" {other}" in right for word, other in (("or", "and"), ("and", "or"))):
        return False
    lists = _elements(left), _elements(right)
    if lists[0] and lists[1]:
        return _same_list(lists[0], lists[1])
    return same_expression(left, right)


def _letter(text: str, choices: tuple[str, ...]) -> str | None:
    """The letter of a choice that an answer names, as `B`, `(B)`, `B) five` or, with choices, `five`."""
    if found := LETTER.fullmatch(text):
        letter = (found.group(1) or found.group(2)).upper()
        if not choices or ord(letter) - ord("A") < len(choices):  # of the options x, y, z none is called Y
            return letter
    if found := LETTER_AND_TEXT.fullmatch(text):
        return found.group(1)
    texts = [_text_of(choice) for choice in choices[:MOST_CHOICES]]
    named = [at for at, choice in enumerate(texts) if choice.casefold() == text.casefold()]
    named = named or [at for at, choice in enumerate(texts) if choice and _equal(choice, text, ())]
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def _text_of(choice: str) -> str:
    text = clean(choice)
    return found.group(2) if (found := LETTER_AND_TEXT.fullmatch(text)) else text


def _atoms(text: str) -> Counter[str] | tuple[str, ...] | None:
    """Atoms of a chemical formula, by number; by order where one comes twice, for that spells out a structure."""
    if not text[:1].isupper() or len(text) > 80:
        return None
    joined = text.replace(" ", "")
    parts = ATOM.findall(joined)
    if not parts or "".join(symbol + number for symbol, number in parts) != joined or len(joined) == 1:
        return None
    if any(symbol not in ELEMENTS for symbol, _ in parts):
        return None
    if len({symbol for symbol, _ in parts}) < len(parts):
        return tuple(symbol + number for symbol, number in parts)
    return Counter({symbol: int(number or 1) for symbol, number in parts})


def _same_list(left: tuple[str, list[str]], right: tuple[str, list[str]]) -> bool:
    """Tuples in order; sets and bare lists in any order. A bare list equals the set of its elements."""
    (bracket, first), (other, second) = left, right
    if (bracket or "{}") != (other or "{}") or len(first) != len(second) or len(first) > MOST_PARTS:
        return False
    if bracket and bracket != "{}":
        return all(_equal(a, b, ()) for a, b in zip(first, second, strict=True))
    rest = list(second)
    for element in first:
        twin = next((other for other in rest if _equal(element, other, ())), None)
        if twin is None:
            return False
        rest.remove(twin)
    return True


def _elements(text: str) -> tuple[str, list[str]] | None:
    """(brackets, elements) of a list of at least two elements, or of a set of one; None for anything nested.

    `±2` is 2 and -2.
    """
    named, sign, value = text.partition("±")
    if sign and named.rstrip()[-1:] in ("", "=") and not any(other in value for other in "±,=+-"):
        return "", [f"{named}{value.strip()}", f"{named}-{value.strip()}"]
    bracket = text[0] + text[-1] if text[0] in "([{" and text[-1] in ")]}" else ""
    inner = text[1:-1] if bracket else text
    if any(sign in inner for sign in "()[]{}"):
        return None
    parts = [part.strip() for part in SEPARATOR.split(inner)]
    if not all(parts) or (len(parts) < 2 and bracket != "{}"):
        return None
    return bracket, parts
