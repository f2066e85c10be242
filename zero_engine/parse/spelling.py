"""Spelling: one way to write an answer: blanks, wrapping, digits of other scripts, LaTeX and number signs unified.

`5²` stays a power and `5½` a mixed number, which plain NFKC would make 52 and 51/2.
"""

import re
import unicodedata

from zero_engine.parse.boxes import boxed
from zero_engine.parse.quantities import number

LONGEST = 2000
"""Characters of an answer beyond which only the same text is the same answer."""
SAME_WORDS = {"true": "yes", "false": "no", "y": "yes", "n": "no", "correct": "yes", "incorrect": "no"}
ROW = "\0"
"""Stands for the end of a matrix's row, which would be a blank otherwise (`\\\\ 2` has `\\ ` in it)."""
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
    *(("\\geqslant", ">="), ("\\leqslant", "<="), ("\\geq", ">="), ("\\leq", "<="), ("≥", ">="), ("≤", "<=")),
    *(("\\ge ", ">="), ("\\le ", "<=")),
    *(("{bmatrix}", "{pmatrix}"), ("\\pm", "±")),
    *(("\\emptyset", "∅"), ("\\varnothing", "∅"), ("\\infty", "∞"), ("\\pi", "π"), ("÷", "/")),
)
PAIRS = {("$", "$"), ("*", "*"), ("`", "`"), ('"', '"'), ("“", "”"), ("_", "_")}
SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
WRAPPED = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox|mathbf|mathsf|operatorname) ?\{([^{}]*)\}")
FRACTION = re.compile(r"(\d?)\\[dtc]?frac ?(?:\{([^{}]+)\} ?\{([^{}]+)\}|(\d)(\d))")
POWER_OF_TEN = re.compile(r"(?<=\d)(?: ?\* ?| x )10\^(?:\{([-+]?\d{1,3})\}|([-+]?\d{1,3}))")
SPACED_THOUSANDS = re.compile(r"(?<![\S])(\d{1,3})((?: \d{3})+)(?!\d)")
MARKED_THOUSANDS = re.compile(
    r"(?<![\d.,'_])([1-9]\d{0,2})(?:(?:'\d{3})+|(?:’\d{3})+|(?:_\d{3})+|(?:\.\d{3}){2,})(?![\d.'’_])"
)
INLINE_MATH = re.compile(r"\$(?=[^\s$])([^$]{0,200}?[^\s$])\$(?!\d)|\\\((.{1,200}?)\\\)")
"""Math inside of words, `$5$ apples`; what is money (`$5-$6`) is none."""
IN_MATRIX = re.compile(r" ?(\0|&|\\(?:begin|end)\{pmatrix\}) ?")
TIGHT = re.compile(r" ?([-+*/=^<>()\[\]{}]) ?")
RATIO = re.compile(r"(?<=\d) ?: ?(?=\d)")
ROOT = re.compile(r"√ ?(?:(\d+|[A-Za-z])|\(([^()]*)\))")
ABOUT = re.compile(
    r"(?:approximately|approx\.?|about|around|roughly|only|exactly) (?=[-$€£¥₹\d.\\])", re.IGNORECASE
)


def clean(answer: str) -> str:
    """One spelling of an answer, with its case as it was. Linear; of more than LONGEST characters the first count."""
    text = answer[:LONGEST]
    if not text.isascii():
        text = _ascii_numbers(text)
    if "boxed" in text and (box := boxed(text)) is not None:
        text = box
    if text[:2] in ('["', "['") and text[-2:] == f"{text[1]}]" and text.count(text[1]) == 2:
        text = text[2:-2]  # a list of one text, as JSON and Python write it
    text = INLINE_MATH.sub(lambda m: m[1] or m[2], " ".join(text.split()))
    if "\\" in text or not text.isascii() or "~" in text or "{," in text:
        if "\\\\" in text:
            text = _rows_marked(text)
        for spelling, usual in SPELLINGS:
            text = text.replace(spelling, usual)
        text = WRAPPED.sub(r" \1 ", text)
        text = ROOT.sub(lambda m: f"\\sqrt{{{m[1] or m[2]}}}", FRACTION.sub(_fraction, text))
        text = " ".join(text.split())
        if ROW in text or "{pmatrix}" in text:
            text = IN_MATRIX.sub(lambda m: m[1], text).replace(ROW, "\\\\")
    text = POWER_OF_TEN.sub(lambda m: f"e{m[1] or m[2]}", text)
    text = SPACED_THOUSANDS.sub(lambda m: m[1] + m[2].replace(" ", ""), text)
    text = MARKED_THOUSANDS.sub(lambda m: "".join(filter(str.isdigit, m[0])), text)
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
    if text[:1] == "(" and text[-1:] == ")" and (found := number(text[1:-1].casefold())):
        return text if found["unit"] else text[1:-1]
    return text


def _rows_marked(text: str) -> str:
    """ROW for the end of a row. Where there is none, or it has four, backslashes were escaped once too often."""
    if "\\begin{" not in text or "\\\\begin{" in text:
        text = text.replace("\\\\", "\\")
    return text.replace("\\\\", ROW)


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
