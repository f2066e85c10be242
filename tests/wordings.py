"""Steps in wordings of their own for read-back's tests: none of these sentences is one of the world's templates.

`right(rng)` is (text, equation); `near_miss(rng)` is the same with an operand, an operator, a bracket, a sign or a
percent sign of the equation changed.
"""

import random
import re

UNITS = (
    "pens",
    "dollars",
    "km",
    "sheep",
    "ft",
    "bottles of milk",
    "hours",
    "red bricks",
    "lb",
    "euros",
    "g",
    "cm",
)
PEOPLE = ("Ada", "the baker", "Mr. Otto", "She", "our team")
SIGNS = {
    "+": ("+", "+", "＋"),
    "-": ("-", "−", "–"),
    "*": ("*", "x", "×", r"\times", "·"),
    "/": ("/", "÷", r"\div"),
}
FRAMES = (
    "{}", "Thus {}.", "{} all told.", "Okay, {}, which settles it.", "2) {}", "- {}", "By noon it is {}!",
    "Working it out: {}.", "Hmm, wait. {}.", "The bill comes out at {}", "So for 7 days, {}.",
    "**{}**", "We get {} (good).",
    "That would be {}, I believe.", "In 2019 things changed. {}.", "{} and that is that.", "Hence, {}, as wanted.",
)  # fmt: skip
SPOKEN = {
    "+": ("{a} plus {b} comes to {c}", "put {a} and {b} together with a plus: {a} plus {b} is {c}",
          "add {b} to {a} for {c}",
          "the sum of {a} and {b} would be {c}", "{c} is {a} increased by {b}", "{b} more than {a} gives {c}"),
    "-": ("{a} minus {b} comes to {c}", "subtract {b} from {a} and {c} stay", "{c} is {b} fewer than {a}",
          "the difference of {a} and {b} turns out to be {c}", "{a} decreased by {b} yields {c}",
          "removing {b} from {a}: {c}"),
    "*": ("{a} times {b} comes to {c}", "multiplying {a} with {b} we have {c}",
          "{a} crates at {b} kilos each weigh {c} kilos",
          "the product of {a} and {b} would be {c}", "{b} taken {a} times gives {c}",
          "{a} multiplied by {b} yields {c}"),
    "/": ("{a} divided by {b} comes to {c}", "dividing {a} among {b} gives {c} apiece",
          "{a} shared equally by {b} makes {c}",
          "{a} over {b} yields {c}", "splitting {a} in {b} equal parts: {c}",
          "the quotient of {a} and {b} would be {c}"),
    "of": ("{f} of {b} comes to {c}", "{f} of the {b} pages would be {c} pages", "taking {f} of {b} leaves us {c}"),
}  # fmt: skip
FRACTIONS = {"half": "1/2", "a third": "1/3", "two thirds": "2/3", "a quarter": "1/4", "three quarters": "3/4",
             "1/5": "1/5", "3/8": "3/8", "25%": "25%", "40 percent": "40%"}  # fmt: skip


def right(rng: random.Random) -> tuple[str, str]:
    """A step and the equation that it states."""
    return rng.choice((_in_signs, _in_signs, _in_words, _part))(rng)


def near_miss(rng: random.Random) -> tuple[str, str]:
    """A step and an equation that it does not state, one change away."""
    while True:
        text, equation = right(rng)
        changed = _change(equation, rng)
        if changed and changed != equation:
            return text, changed


def _in_signs(rng: random.Random) -> tuple[str, str]:
    terms, result = _terms(rng)
    unit = rng.choice(UNITS) if rng.random() < 0.5 else ""
    dollar = "$" if not unit and rng.random() < 0.4 else ""
    pieces = []
    for op, number in terms:
        sign = f" {rng.choice(SIGNS[op])} " if op else ""
        spelled = (
            re.sub(r"\d{4,}", lambda found: f"{int(found[0]):,}", number) if rng.random() < 0.5 else number
        )
        opening = spelled[: len(spelled) - len(spelled.lstrip("("))]
        with_unit = unit and rng.random() < 0.6 and not re.search(r"[()%]", number)
        pieces.append(sign + opening + dollar + spelled[len(opening) :] + (f" {unit}" if with_unit else ""))
    text = "".join(pieces) + " = " + dollar + result + (f" {unit}" if unit else "")
    equation = "".join(op + number for op, number in terms) + "=" + result
    return rng.choice(FRAMES).format(text), equation


def _in_words(rng: random.Random) -> tuple[str, str]:
    op = rng.choice("+-*/")
    a, b, c = _numbers(op, rng)
    return rng.choice(FRAMES).format(rng.choice(SPOKEN[op]).format(a=a, b=b, c=c)), f"{a}{op}{b}={c}"


def _part(rng: random.Random) -> tuple[str, str]:
    said, drawn = rng.choice(list(FRACTIONS.items()))
    whole = 120 * rng.randint(1, 9)
    value = float(drawn[:-1]) / 100 if "%" in drawn else int(drawn[0]) / int(drawn[2])
    text = rng.choice(SPOKEN["of"]).format(f=said, b=whole, c=round(value * whole))
    left = drawn if "%" in drawn else f"({drawn})"
    return rng.choice(FRAMES).format(text), f"{left}*{whole}={round(value * whole)}"


def _terms(rng: random.Random) -> tuple[list[tuple[str, str]], str]:
    if rng.random() < 0.5:
        op = rng.choice("+-*/")
        a, b, c = _numbers(op, rng)
        return [("", str(a)), (op, str(b))], str(c)
    first, second, third = (rng.randint(2, 60) for _ in range(3))
    forms = (
        ([("", f"{first}"), ("+", f"{second}"), ("+", f"{third}")], first + second + third),
        ([("", f"{first}"), ("*", f"{second}"), ("+", f"{third}")], first * second + third),
        ([("", f"{first}"), ("*", f"({second}"), ("+", f"{third})")], first * (second + third)),
        ([("", f"({first}"), ("+", f"{second})"), ("*", f"{third}")], (first + second) * third),
        ([("", f"{first * third}"), ("*", f"{50}%")], first * third / 2),
        ([("", f"{first}"), ("-", f"{first + second}")], -second),
        ([("", f"{first}%"), ("+", f"{second}%")], f"{first + second}%"),
        ([("", f"{first}.5"), ("+", f"{second}.25")], f"{first + second}.75"),
    )
    terms, result = rng.choice(forms)
    return terms, str(result).removesuffix(".0")


def _numbers(op: str, rng: random.Random) -> tuple[int, int, int]:
    a, b = rng.randint(21, 900), rng.randint(21, 90)
    if op == "-":
        a += b
    return {"+": (a, b, a + b), "-": (a, b, a - b), "*": (a, b, a * b), "/": (a * b, b, a)}[op]


def _change(equation: str, rng: random.Random) -> str | None:
    left, _, result = equation.partition("=")
    what = rng.choice(("digit", "digit", "operator", "bracket", "sign", "unit"))
    if what == "digit":
        place = rng.choice([i for i, char in enumerate(equation) if char.isdigit()])
        other = rng.choice([digit for digit in "0123456789" if digit != equation[place]])
        return equation[:place] + other + equation[place + 1 :]
    if what == "operator":
        plain = re.sub(r"\(\d+/\d+\)", lambda found: "#" * len(found[0]), left)
        places = [i for i, char in enumerate(plain) if char in "+-*/" and i]
        place = rng.choice(places)
        other = rng.choice([op for op in "+-*/" if op != equation[place]])
        return equation[:place] + other + equation[place + 1 :]
    if what == "bracket":
        if "(" in left and "/" not in left:
            return equation.replace("(", "").replace(")", "") if "*" in left else None
        found = re.fullmatch(r"(\d+\*)(\d+\+\d+)", left)
        return f"{found[1]}({found[2]})={result}" if found else None
    if what == "sign":
        return f"{left}={result[1:] if result[0] == '-' else '-' + result}"
    if "%" in equation:
        place = rng.choice([i for i, char in enumerate(equation) if char == "%"])
        return equation[:place] + equation[place + 1 :]
    return equation + "%"
