"""Spelling: the many ways to write an equation, brought to one before it is parsed.

LaTeX, calculator notes, bullets, markdown, units, times of day and unicode signs become plain ASCII; operators and
fractions that are said in words become signs: `half of 60 is 30` is `(1/2) * 60 is 30`. What is no part of an
equation stays as it is. Pure string work; every pattern is linear in its text.
"""

import re

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SIGNS = str.maketrans({
    "×": "*", "∗": "*", "⋅": "*", "·": "*", "✕": "*", "✖": "*", "÷": "/", "∕": "/", "⁄": "/", "−": "-", "–": "-",
    "—": "-", "＝": "=", "＋": "+", "≈": "=", "≅": "=", "％": "%", "’": "'",
})  # fmt: skip
_POWERS = {"²": "^2", "³": "^3", "½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "⅕": " 1/5",
           "⅛": " 1/8", "√": " sqrt "}  # fmt: skip
_LATEX = {r"\times": "*", r"\cdot": "*", r"\ast": "*", r"\div": "/", r"\approx": "=", r"\left": "", r"\right": "",
          r"\%": "%", r"\$": "$", r"\,": " ", r"\;": " ", r"\!": "", r"\ ": " ", "{,}": ","}  # fmt: skip
_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]{0,80})\}\s*\{([^{}]{0,80})\}")
_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|boxed|mbox|mathbf|operatorname)\s*\{([^{}]{0,80})\}")
_NOTE = re.compile(r"<<[^<>]*>>")
_BULLET = re.compile(
    r"(?:^|(?<=[.,;:?]\s)|(?<=[^\W\d_)]!\s)|(?<=\band\s)|(?<=\bso\s))\s*[-–*•]\s+", re.MULTILINE
)
_SHORT = re.compile(
    r"\b(in|ft|lbs?|oz|sq|cm|hrs?|mins?|secs?|yds?|mi|no|approx|gal|qts?|pts?|kg|km|mph|Mr|Mrs|Ms|Dr|vs|etc)\."
    r"(?=\s*[-+*/=(a-z\d])", re.IGNORECASE)  # fmt: skip
_HOUR = re.compile(r"\b(\d{1,2}):00\b")
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b")
_DEBT = re.compile(r"\$\s?-(?=[\d.])")
_UNIT = re.compile(  # a per b, a 15-year plan: no operators
    r"/(?=[^\W\d_]{2})[^\W\d_]+|(?<=\d)-(?=[^\W\d_]{2})|(?<=[^\W\d_])/(?=[^\W\d_]\b)[^\W\d_]"
)
_LETTER_X = re.compile(
    r"(?:(?<=[\d)%])\s*|(?<=\s))[xX]\s*(?=[$(]|\.?\d)|(?<=[^\W\d_]{2})[xX](?=\$?\.?\d)"  # 3 x 4, 3 pensx4
)
_X_UNITS = re.compile(r"(?<=[^\W\d_]{2} )[xX](?= \$?[\d(.])")
_POWER_STARS = re.compile(r"(?<=[\d)])\s*\*\*\s*(?=[\d(])")
_PERCENT = re.compile(r"(?<=\d)\s*(?:percent|per cent|%)(?![^\W\d_])")

_COUNTS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
           "seventeen eighteen nineteen twenty").split()  # fmt: skip
_PARTS = {"half": 2, "halves": 2, "third": 3, "fourth": 4, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7,
          "eighth": 8, "ninth": 9, "tenth": 10}  # fmt: skip
_COUNT = re.compile(rf"\b({'|'.join(_COUNTS)})\b", re.IGNORECASE)
_SPOKEN_FRACTION = re.compile(
    rf"\b(?:({'|'.join(_COUNTS[1:13])}|an?|\d+)[\s-]+)?({'|'.join(_PARTS)})s?\s+(?:as\s+(?:many|much)\s+as|of)\b",
    re.IGNORECASE,
)
_DIGIT_FRACTION = re.compile(rf"(?<![\w./])\$?(\(?)\$?(\d+)/(\d+)(\)?)\s+of\b|({NUMBER})%\s+of\b")
_FRACTION_LAST = re.compile(r"(?<=[*])\s*\$?(\d+/\d+)(?=\s*(?:=|is\b|equals\b))")
_TWICE = re.compile(
    r"\b(twice|double|doubling|thrice|triple|tripling)\b(?=[^.;!?\n]{0,40}?\d)", re.IGNORECASE
)
_DOUBLED = re.compile(rf"({NUMBER})((?:\s+[^\W\d_]+)?)\s+doubled\b", re.IGNORECASE)
_THE = r"\s+(?:the\s+)?"
_OPERAND = rf"(\$?-?(?:{NUMBER})%?)((?:\s+[^\W\d_]{{1,30}}){{0,2}}?)"
_PREFIX = tuple(
    (re.compile(rf"\b(?:{before}){_THE}{_OPERAND}\s+(?:{between}){_THE}(?={_OPERAND})", re.IGNORECASE), sign)
    for before, between, sign in (
        ("sum of|total of|summing", "and", "+"),
        ("add(?:ing)?", "and|to", "+"),
        ("difference between|difference of", "and", "-"),
        ("product of", "and", "*"),
        ("multiply(?:ing)?", "by|and|with", "*"),
        ("quotient of|divid(?:e|ing)", "by|and", "/"),
    )
)
_INFIX = (
    (re.compile(r"\bmultiplied (?:by|with)\b|\btimes\b", re.IGNORECASE), "*"),
    (re.compile(r"\bdivided by\b|\bsplit (?=\d+ ways)", re.IGNORECASE), "/"),
    (re.compile(r"\bplus\b", re.IGNORECASE), "+"),
    (re.compile(r"\bminus\b|\btake away\b", re.IGNORECASE), "-"),
    (re.compile(rf"(?<=[\d%])\s+over(?=\s+\$?(?:{NUMBER}))", re.IGNORECASE), " /"),
    (re.compile(rf"(?<=[\d%])\s+less(?=\s+\$?(?:{NUMBER}))", re.IGNORECASE), " -"),
    (re.compile(rf"(?<=[\d%])\s+and(?=\s+\$?(?:{NUMBER})%?\s+makes?\b)", re.IGNORECASE), " +"),
)  # fmt: skip


def plain(text: str) -> str:
    """The text with its equations in ASCII, as signs and digits."""
    text = _NOTE.sub("", text).translate(_SIGNS)
    for spelling, sign in (_POWERS | _LATEX).items():
        text = text.replace(spelling, sign)
    for _ in range(3):
        text = _WRAPPED.sub(r" \1 ", _FRACTION.sub(_latex_fraction, text))
    text = _POWER_STARS.sub("^", text)
    text = _BULLET.sub(" ", text).replace("**", " ")
    text = _SHORT.sub(r"\1", _CLOCK.sub(" noon ", _HOUR.sub(r"\1", text)))
    text = _DEBT.sub(" ~", _PERCENT.sub("%", text))
    text = _UNIT.sub(" ", _X_UNITS.sub("*", _LETTER_X.sub("*", text)))
    return text.replace("[", "(").replace("]", ")")


def signs_for_words(text: str) -> str:
    """A plain text whose operators, fractions and small numbers in words are signs and digits."""
    text = _SPOKEN_FRACTION.sub(_spoken_fraction, text)
    text = _DIGIT_FRACTION.sub(lambda f: f"{f[5]}% *" if f[5] else f"({f[2]}/{f[3]}) *", text)
    text = _COUNT.sub(lambda found: str(_COUNTS.index(found[1].lower())), text)
    text = _TWICE.sub(
        lambda found: "2 *" if found[1][0].lower() == "d" or found[1][:2].lower() == "tw" else "3 *", text
    )
    for pattern, sign in _PREFIX:
        text = pattern.sub(rf"; \1\2 {sign} ", text)
    text = _DOUBLED.sub(r"2 * \1 ", text)
    for pattern, sign in _INFIX:
        text = pattern.sub(sign, text)
    return _FRACTION_LAST.sub(r"(\1)", text)


def written(number: str) -> str:
    """One spelling a number: 1,000 -> 1000, 05 -> 5, 2.50 -> 2.5, .5 -> 0.5."""
    whole, _, fraction = number.replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _latex_fraction(found: re.Match) -> str:
    parts = (part if re.fullmatch(r"\s*[\w.,%]+\s*", part) else f"({part})" for part in found.groups())
    return " (" + "/".join(part.strip() for part in parts) + ") "


def _spoken_fraction(found: re.Match) -> str:
    count, part = (found[1] or "1").lower(), _PARTS[found[2].lower()]
    above = count if count.isdigit() else "1" if count in ("a", "an") else str(_COUNTS.index(count))
    return f"({above}/{part}) *"
