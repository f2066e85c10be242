"""Equality: whether two answers say the same. The one judgement, of notes and of rewards.

It is strict where likeness is cheap (`5 red cars` is not `9 red cars`, an empty answer equals nothing) and blind to
spelling (`$460` is `460`, `No` is `NO`, `\\frac{1}{2}` is `0.5`). In this order, the first that can decide does:
1. the same text, once case, blanks, wrapping, digits of other scripts and LaTeX are spelled one way;
2. letters of choices (`B`, `(B) wood`, or the choice's own text);
3. chemical formulas by their atoms, numbers by value and unit, lists and tuples element by element, `x = 3` by its value;
4. expressions, by math-verify.

Only 4 needs the extra `train`. Without it, two expressions are the same where their spelling is; so the extra can turn
"not known to be equal" into "equal", and never changes what 1 to 3 have decided.

Time is bounded: texts longer than LONGEST are compared as they are, and math-verify sees short expressions without
towers of powers or factorials.
"""

import re
import threading
import unicodedata
from collections import Counter
from fractions import Fraction

from zero_engine.parse.boxes import boxed

LONGEST = 2000
"""Characters of an answer beyond which only the same text is the same answer."""
LONGEST_EXPRESSION = 400
"""Characters of both sides together that math-verify is asked about."""
LONGEST_WITHOUT_A_CLOCK = 120
"""The same outside the main thread, where math-verify's deadline cannot be set."""
LONGEST_CLAIM = 80
"""Characters of an answer that can contradict another; a longer one is prose."""
MOST_PARTS = 16
"""Elements of a list that are compared in any order."""
SAME_WORDS = {"true": "yes", "false": "no", "y": "yes", "n": "no", "correct": "yes", "incorrect": "no"}
SPELLINGS = (
    *(("\u2212", "-"), ("\u2013", "-"), ("\u2044", "/"), ("\u066b", "."), ("\u066c", ","), ("\u066a", "%")),
    *(
        ("\\$", "$"),
        ("\\%", "%"),
        ("\\!", ""),
        ("\\,", ""),
        ("\\;", " "),
        ("\\:", " "),
        ("\\ ", " "),
        ("~", " "),
    ),
    *(("\\left", ""), ("\\right", ""), ("\\displaystyle", ""), ("\\{", "{"), ("\\}", "}"), ("{,}", ",")),
    *(("^{\\circ}", "°"), ("^\\circ", "°"), ("\\degree", "°"), ("\\cdot", "*"), ("\\times", "*"), ("×", "*")),
    *(("\\emptyset", "∅"), ("\\varnothing", "∅"), ("\\infty", "∞"), ("\\pi", "π"), ("÷", "/")),
)
PAIRS = {("$", "$"), ("*", "*"), ("`", "`"), ('"', '"'), ("“", "”"), ("_", "_")}
SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
WRAPPED = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox|mathbf|mathsf|operatorname) ?\{([^{}]*)\}")
FRACTION = re.compile(r"(\d?)\\[dtc]?frac ?(?:\{([^{}]+)\} ?\{([^{}]+)\}|(\d)(\d))")
POWER_OF_TEN = re.compile(r"(?<=\d) ?\* ?10\^(?:\{([-+]?\d{1,3})\}|([-+]?\d{1,3}))")
SPACED_THOUSANDS = re.compile(r"(?<![\S])(\d{1,3})((?: \d{3})+)(?!\d)")
TIGHT = re.compile(r" ?([-+*/=^<>()\[\]{}]) ?")
RATIO = re.compile(r"(?<=\d) ?: ?(?=\d)")
ROOT = re.compile(r"√ ?(?:(\d+|[A-Za-z])|\(([^()]*)\))")
ABOUT = re.compile(
    r"(?:approximately|approx\.?|about|around|roughly|only|exactly) (?=[-$€£¥₹\d.\\])", re.IGNORECASE
)
LETTER = re.compile(
    r"\(?\[?([A-Za-z])\]?\)?[.:]?|(?:option|choice|answer) \(?([A-Za-z])\)?[.:]?", re.IGNORECASE
)
LETTER_AND_TEXT = re.compile(r"(?:(?i:option|choice) )?\(?([A-Z])[).:] ?(\S.*)")
CURRENCIES = {
    "$": "dollar",
    "€": "euro",
    "£": "sterling",
    "¥": "yen",
    "₹": "rupee",
    "₽": "rouble",
    "usd": "dollar",
    "eur": "euro",
    "gbp": "sterling",
    "rs": "rupee",
    "rs.": "rupee",
    "inr": "rupee",
}
UNITS = {
    "km": "kilometer",
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "kg": "kilogram",
    "g": "gram",
    "h": "hour",
    "hr": "hour",
    "min": "minute",
    "sec": "second",
    "feet": "foot",
    "ft": "foot",
    "inche": "inch",
    "lb": "pound",
    "oz": "ounce",
    "l": "liter",
    "litre": "liter",
    "ml": "milliliter",
    "yd": "yard",
    "mi": "mile",
    "metre": "meter",
    "kilometre": "kilometer",
    "centimetre": "centimeter",
    "mph": "mile per hour",
}
NUMBER = re.compile(
    r"([-+]?)(?P<money>(?:[$€£¥₹₽]|(?:usd|eur|gbp|inr|rs\.?)(?![a-z])) ?)?([-+]?)"
    r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:e([-+]?\d{1,3}))?"
    r"(?:/(\d+(?:\.\d+)?)| (\d+)/(\d+))? ?(?P<percent>%|percent\b)?(?P<unit>.*)"
)
UNIT = re.compile(
    r"(?! ?[-*/^(])(?!.*\b(?:or|and|to|not|but)\b)(?:[^\d=<>,;:+|\\!?√π∞^]|(?<=[a-z])\^?\{?[23]\}?(?![\d.]))*"
)
"""What may follow a number without changing it: words, but no second number and no alternative."""
SYMBOL = re.compile(r" ?[a-zα-ω]|[a-z]{2,3}")
"""What may follow a number and be a factor of it: `5x`, `3 k`, `2ab`. Units among them are listed."""
SHORT_UNITS = frozenset(
    "m g l s h v w cm mm km kg mg ml cl dl ft in yd mi hr hrs min sec lb lbs oz mph kph am pm kb mb gb tb hz usd eur "
    "gbp inr rs st nd rd th kw kwh mpg sq cu pt pts qt gal day yr yrs cal mol rad deg cts ct ms ns".split()
)
ASSIGNED = re.compile(r"(\\?[A-Za-z]\w{0,8}(?:_\{\w{1,8}\})?(?:\([A-Za-z]\))?)=([^=]+)")
ATOM = re.compile(r"([A-Z][a-z]?)(\d{0,4})")
ELEMENTS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr "
    "Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt "
    "Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr".split()
)
SEPARATOR = re.compile(r", (?:and )?| and |,(?!\d{3}(?!\d))")
EXPRESSION = re.compile(r"[\\^{}()\[\]=√π|]|\d ?[-+*/] ?\w|\w ?[+*/] ?\d|\d[a-z]|!")
WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|log|exp|sqrt|mod)(?![A-Za-z]))[A-Za-z]{3,}")
"""Prose, of which math-verify would take the first number it finds."""
WILD = re.compile(
    r"\^ ?\d+ ?\^|\^\{[^{}]{0,40}\d ?\^|\*\*|\^\{?[-+]?\d{4,}|\d{3,}\)* ?!|!!|\\(?:int|sum|prod|lim|binom|bigcup)|\d{40,}|(?:[({\[][^)}\]]{0,9}){9}"
)
"""What a few characters of can keep a computer algebra system busy: towers, large powers and factorials, deep brackets."""
TOWER = re.compile(r"\^ ?\{?\(?(\d+)")


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


def normal_form(answer: str) -> str:
    """One spelling of an answer: case, blanks, wrapping, LaTeX fractions and number signs unified."""
    text = clean(answer).casefold()
    return SAME_WORDS.get(text, text)


def clean(answer: str) -> str:
    """`normal_form` with the case as it was. Linear for texts up to LONGEST, which longer ones are cut to."""
    text = answer[:LONGEST]
    if not text.isascii():
        text = _ascii_numbers(text)
    if "boxed" in text and (box := boxed(text)) is not None:
        text = box
    text = " ".join(text.split())
    if "\\" in text or not text.isascii() or "~" in text or "{," in text:
        for spelling, usual in SPELLINGS:
            text = text.replace(spelling, usual)
        text = WRAPPED.sub(r" \1 ", text)
        text = ROOT.sub(lambda m: f"\\sqrt{{{m[1] or m[2]}}}", FRACTION.sub(_fraction, text))
        text = " ".join(text.split())
    text = POWER_OF_TEN.sub(lambda m: f"e{m[1] or m[2]}", text)
    text = SPACED_THOUSANDS.sub(lambda m: m[1] + m[2].replace(" ", ""), text)
    while text:
        before = text
        text = text.rstrip(" .").lstrip()
        text = text.lstrip("=≈: ") or text
        if len(text) > 1 and (text[0], text[-1]) in PAIRS:
            text = text[1:-1].strip()
        elif len(text) > 3 and (text[:2], text[-2:]) in (("\\(", "\\)"), ("\\[", "\\]")):
            text = text[2:-2].strip()
        if text == before:
            break
    text = RATIO.sub(":", TIGHT.sub(r"\1", ABOUT.sub("", text, count=1)))
    if text[:1] == "(" and text[-1:] == ")" and (found := NUMBER.fullmatch(text[1:-1].casefold())):
        return text if found["unit"] else text[1:-1]
    return text


def _equal(left: str, right: str, choices: tuple[str, ...], is_text: bool = False) -> bool:
    """`is_text`: the letters of choices are taken off already."""
    plain = [SAME_WORDS.get(side.casefold(), side.casefold()) for side in (left, right)]
    atoms = _atoms(left), _atoms(right)
    if all(atoms) and not set(plain) & set(SAME_WORDS.values()):
        return atoms[0] == atoms[1]
    if plain[0] == plain[1]:
        return True
    letters = _letter(left, choices), _letter(right, choices)
    if all(letters):
        return letters[0] == letters[1]
    texts = [found.group(2) if (found := LETTER_AND_TEXT.fullmatch(side)) else side for side in (left, right)]
    if texts != [left, right] and not is_text:
        return _equal(texts[0], texts[1], choices, is_text=True)
    if choices and any(letters):
        return False
    numbers = NUMBER.fullmatch(plain[0]), NUMBER.fullmatch(plain[1])
    if numbers[0] and numbers[1] and _is_unit(numbers[0]) and _is_unit(numbers[1]):
        return _same_numbers(numbers[0], numbers[1])
    assigned = ASSIGNED.fullmatch(left), ASSIGNED.fullmatch(right)
    if assigned[0] and assigned[1]:
        return assigned[0][1] == assigned[1][1] and _equal(assigned[0][2], assigned[1][2], ())
    if assigned[0] or assigned[1]:
        sides = [found[2] if found else side for found, side in zip(assigned, (left, right), strict=True)]
        return "=" not in "".join(sides) and _equal(sides[0], sides[1], choices)
    lists = _elements(left), _elements(right)
    if lists[0] and lists[1]:
        return _same_list(lists[0], lists[1])
    return _same_expression(left, right)


def _ascii_numbers(text: str) -> str:
    """Digits of all scripts, superscripts and vulgar fractions in ASCII; compatibility forms unified."""
    text = SUPERSCRIPT.sub(lambda m: "^" + m.group().translate(SUPERSCRIPTS), text)
    text = unicodedata.normalize("NFKC", VULGAR.sub(" ", text))
    return "".join(
        str(unicodedata.decimal(char)) if not char.isascii() and char.isdecimal() else char for char in text
    )


def _fraction(found: re.Match[str]) -> str:
    upper, lower = found[2] or found[4], found[3] or found[5]
    sides = [side if side.strip().isalnum() else f"({side})" for side in (upper, lower)]
    return f"{found[1]}{' ' if found[1] else ''}{sides[0].strip()}/{sides[1].strip()}"


def _letter(text: str, choices: tuple[str, ...]) -> str | None:
    """The letter of a choice that an answer names, as `B`, `(B)`, `B) five` or, with choices, `five`."""
    if found := LETTER.fullmatch(text):
        return (found.group(1) or found.group(2)).upper()
    if found := LETTER_AND_TEXT.fullmatch(text):
        return found.group(1)
    wanted = text.casefold()
    named = [i for i, choice in enumerate(choices) if _text_of(choice).casefold() == wanted]
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def _text_of(choice: str) -> str:
    text = clean(choice)
    return found.group(2) if (found := LETTER_AND_TEXT.fullmatch(text)) else text


def _same_numbers(left: re.Match[str], right: re.Match[str]) -> bool:
    units = [_unit(found) for found in (left, right)]
    if all(units) and units[0] != units[1]:
        return False
    values = [_value(found) for found in (left, right)]
    if values[0] is None or values[1] is None:
        return False
    if values[0] == values[1]:
        return True
    percents = [bool(found["percent"]) for found in (left, right)]
    scaled = [
        value / 100 if is_percent else value for value, is_percent in zip(values, percents, strict=True)
    ]
    return percents[0] != percents[1] and scaled[0] == scaled[1]


def _value(found: re.Match[str]) -> Fraction | None:
    sign, _, inner_sign, digits, exponent, divisor, upper, lower = found.groups()[:8]
    value = Fraction(digits.replace(",", "").rstrip(".")) * Fraction(10) ** int(exponent or 0)
    if divisor is not None or lower is not None:
        if Fraction(divisor or lower) == 0:
            return None
        value = (
            value / Fraction(divisor) if divisor is not None else value + Fraction(upper) / Fraction(lower)
        )
    return -value if "-" in (sign, inner_sign) else value


def _is_unit(found: re.Match[str]) -> bool:
    """Whether what follows the number names what is counted, and is no factor, factorial or second number."""
    unit = found["unit"]
    between = found.string[found.start("unit") - 1 : found.start("unit")]
    glued = unit if between != " " else f" {unit}"
    if SYMBOL.fullmatch(glued) and unit not in SHORT_UNITS:
        return False
    return UNIT.fullmatch(unit) is not None


def _unit(found: re.Match[str]) -> str:
    """One spelling of a unit: singular words, a currency's name; degrees are no unit."""
    words = found["unit"].strip(" .").replace("°", " ").split()
    named = [
        CURRENCIES.get(word) or UNITS.get(word.removesuffix("s"), word.removesuffix("s")) for word in words
    ]
    money = CURRENCIES[found["money"].strip()] if found["money"] else ""
    unit = " ".join(word for word in named if word != "degree")
    return money if not unit or unit == money else " ".join(filter(None, (money, unit)))


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
    """(brackets, elements) of a list of at least two elements, or of a set of one; None for anything nested."""
    bracket = text[0] + text[-1] if text[0] in "([{" and text[-1] in ")]}" else ""
    inner = text[1:-1] if bracket else text
    if any(sign in inner for sign in "()[]{}"):
        return None
    parts = [part.strip() for part in SEPARATOR.split(inner)]
    if not all(parts) or (len(parts) < 2 and bracket != "{}"):
        return None
    return bracket, parts


def _same_expression(left: str, right: str) -> bool:
    sides = left, right
    if not all(EXPRESSION.search(side) or NUMBER.fullmatch(side.casefold()) for side in sides):
        return False
    if not any(EXPRESSION.search(side) for side in sides):
        return False
    squeezed = [side.replace(" ", "").replace("*", "") for side in sides]
    if squeezed[0] == squeezed[1]:
        return True
    in_main = threading.current_thread() is threading.main_thread()
    longest = LONGEST_EXPRESSION if in_main else LONGEST_WITHOUT_A_CLOCK
    if len(left) + len(right) > longest or any(_is_wild(side) or WORD.search(side) for side in sides):
        return False
    return _verified(left, right, 2 if in_main else None)


def _is_wild(text: str) -> bool:
    return bool(WILD.search(text)) or any(len(found) > 2 for found in TOWER.findall(text))


def _verified(left: str, right: str, seconds: int | None) -> bool:
    try:
        from math_verify import parse, verify
    except ImportError:  # see the top of this file
        return False
    try:
        sides = [parse(f"${side.strip('$ ')}$", parsing_timeout=seconds) for side in (left, right)]
        return all(sides) and bool(verify(sides[0], sides[1], timeout_seconds=seconds))
    except Exception:  # an answer that the library cannot take is not known to be equal
        return False
