"""Quantities: numbers with their units, compared by value.

`5 km` is `5` and `5 kilometers`, and neither `5 m` nor `5x`: a unit may be left out, never be another, and a factor is
no unit. Money is a unit. `50%` is `50` and `0.5`, and neither `50 km` nor `$50`; `5°` is `5 °C`, and not `5 km`.

A comma groups thousands (`1,234`) wherever it can. Where it cannot (`3,5`, `0,125`, `1.234,56`) it may be a decimal
comma, or part a list; `with_point` gives the number of the first reading.
"""

import re
from fractions import Fraction

CURRENCIES = dict(
    pair.split("=")
    for pair in (
        "$=dollar €=euro £=sterling ¥=yen ₹=rupee ₽=rouble usd=dollar eur=euro gbp=sterling rs=rupee "
        "rs.=rupee inr=rupee"
    ).split()
)
UNITS = dict(
    pair.split("=")
    for pair in (
        "km=kilometer m=meter cm=centimeter mm=millimeter kg=kilogram g=gram h=hour hr=hour min=minute "
        "sec=second feet=foot ft=foot inche=inch lb=pound oz=ounce l=liter litre=liter ml=milliliter yd=yard "
        "mi=mile metre=meter kilometre=kilometer centimetre=centimeter mph=mile_per_hour deg=degree"
    ).split()
)
"""Singular units by their short names and other spellings."""
NUMBER = re.compile(
    r"([-+]?)(?P<money>(?:[$€£¥₹₽]|(?:usd|eur|gbp|inr|rs\.?)(?![a-z])) ?)?([-+]?)"
    r"([1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:e([-+]?\d{1,3}))?"
    r"(?:/(\d+(?:\.\d+)?)| (\d+)/(\d+))? ?(?P<percent>%|percent\b|per cent\b|pct\b)?(?P<unit>.*)"
)
WITH_COMMA = re.compile(
    r"(?<![\d.,])(?:(?P<grouped>[1-9]\d{0,2}(?:\.\d{3})+)|(?P<whole>\d+)),(?P<part>\d+)(?![\d.,])"
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


def number(text: str) -> re.Match[str] | None:
    """The number and unit that a text in lower case is, taken apart; None where it is anything else."""
    found = NUMBER.fullmatch(text)
    return found if found and _is_unit(found) else None


def with_point(text: str) -> re.Match[str] | None:
    """The number that a text is with its comma read as a point; None without one, or where it groups thousands."""
    if "," not in text or (found := WITH_COMMA.search(text)) is None:
        return None
    if found["whole"] and len(found["part"]) == 3 and found["whole"][0] != "0" and len(found["whole"]) < 4:
        return None
    whole = (found["grouped"] or found["whole"]).replace(".", "")
    return number(f"{text[: found.start()]}{whole}.{found['part']}{text[found.end() :]}")


def same_numbers(left: re.Match[str], right: re.Match[str]) -> bool:
    """Whether two numbers have one value, and no two units."""
    if not _may_be_one(_unit(left), _unit(right)):
        return False
    one, other = _value(left), _value(right)
    if one is None or other is None:
        return False
    if one == other:
        return True
    is_percent, other_is_percent = bool(left["percent"]), bool(right["percent"])
    if is_percent == other_is_percent:
        return False
    return one / 100 == other if is_percent else one == other / 100


def _may_be_one(unit: str, other: str) -> bool:
    """Whether two units are the same, or one is left out or says less: `°` is `°C`, `% of men` is `%`."""
    if not unit or not other or unit == other:
        return True
    if "percent" in unit and "percent" in other:
        return True
    scales = [each.partition("degree")[2].strip() for each in (unit, other) if each.startswith("degree")]
    return len(scales) == 2 and (not all(scales) or scales[0][0] == scales[1][0])


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
    """One spelling of a unit: singular words, a currency's name; `degree` and the scale, where it is said."""
    words = found["unit"].strip(" .").replace("°", " degree ").split()
    named = [
        CURRENCIES.get(word) or UNITS.get(word.removesuffix("s"), word.removesuffix("s")) for word in words
    ]
    money = CURRENCIES[found["money"].strip()] if found["money"] else ""
    unit = " ".join(word for word in named if word != "degree")
    if "degree" in named or unit in ("celsiu", "fahrenheit"):
        unit = f"degree {unit}".strip()
    if found["percent"]:
        return f"percent {unit}".strip()
    return money if not unit or unit == money else " ".join(filter(None, (money, unit)))
