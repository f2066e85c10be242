"""Sentences: where one ends in text without line breaks.

A cut lies between `.`, `!`, `?` and a following capital, digit or symbol, and after the full stops of other scripts;
not after an abbreviation, an initial or a list number, and never inside a guard (guards.py), brackets or quotes
(brackets.py). Four things make it fit rationales better than a plain sentence splitter:
- solutions often lack full stops (`... = 9 eggs So she sells ...`): a word that starts sentences cuts
  without one, and so does any capitalised word once the sentence has had its `=`;
- the same with chained equations (`2x = 80 x = 40`);
- an equation stays whole with its units (`90 minutes + 60 minutes = 150 minutes`, `5! = 120`, `3 ft. + 2 ft. = 5 ft.`):
  what stands before `=` begins an equation of its own only where it is a variable, or a number with an operator;
- a remark of one or two words (`Right.`, `Let's see.`) belongs to the sentence after it.
"""

import re

from zero_engine.parse.brackets import closed_spans
from zero_engine.parse.guards import FILLER

STARTERS = frozenset(
    "The A An This That These Those There Here It He She They We You His Her Its Their Our My Let Each "
    "Every All Both Half One Two Three Four Five So Then Thus Therefore Hence Now Next Finally First Second "
    "Third Last Lastly Since Because If When While After Before During For From To In On At By With Without "
    "Over As And But Or Also Together Altogether Total Combining Adding Subtracting Multiplying Dividing "
    "Substituting Solving Simplifying Using Given Add Subtract Multiply Divide Note Notice What How Which "
    "Who Where".split()
)
ABBREVIATIONS = frozenset(
    "i.e e.g dr mr mrs ms st jr sr prof approx etc vs cf al fig eq eqs no nos vol ch sec pp est inc ltd co "
    "corp dept min max avg lb lbs oz ft in hr hrs u.s a.m p.m mt gen gov sen rep rev hon capt lt col "
    "rs resp viz ca bzw z.b d.h nr p.ej ej pág núm sra p.ex т.е рис гл ул".split()
)
END_WORDS = frozenset("etc rs lb lbs oz ft in hr hrs min max a.m p.m u.s no co".split())
"""Abbreviations and units that may also end a sentence: they do where a starter follows."""
JOINERS = frozenset(
    "of in on to from for by and or with the a an than as at that because if when is are was were called "
    "named like before after until since while but into per = + - * / x × ( , : ; & "
    "his her their its my our".split()
)
OPERATORS = "=+-−*/×÷·^<>≤≥≈≠%"
UNIT_LETTERS = frozenset("mgsShLlJNWVAKCFT")
"""Single letters that are units after a number; the others are variables."""
VARIABLE = re.compile(r"[A-Za-z](?:[\d_^({+*/-]|$)|(?:sin|cos|tan|log|ln)\b")
ASSIGNMENT = re.compile(r"[A-Z][ ]?=")
"""A sentence that begins so names values by letters, and the next letter before `=` is another name."""
RATE = re.compile(r"(?:[A-Za-z]{2,8}|[mgsShLlJNWVAKCF])[\^\d]{0,2}/[A-Za-z]{1,8}(?:[\^\d²³]{0,2})")
"""A unit for each of another: `m/s`, `km/h`."""
COUNTED = re.compile(r"[\d)!] ?(?:(?:sq|cu)\. ?)?[A-Za-z°.]{1,4}$")
"""A number with a short unit, whose dot is one of an abbreviation: `3 ft.`, `5 sq. cm.`"""
FRACTION = re.compile(r"\d{1,3}/\d{1,3}")
REMARK_WORDS = 2
LONGEST_WIDE_REMARK = 2
"""Characters of `好。`, which says nothing by itself."""
LONGEST_REMARK = 40
WIDE = "。！？．｡；।॥؟؛۔\u037e።፧။។։"
"""Signs that end a sentence in other scripts, without a blank after them where there is none in writing."""
CANDIDATE = re.compile(
    r"(?<![.!?…])(?P<stop>[.!?…]+[\"'”’)\]*_]*)(?:\s+|(?=\\)|(?=" + FILLER + r"))(?=[^\s.,;:)])"
    rf"|(?<![{WIDE}])(?P<wide>(?:[{WIDE}]|(?<=[Ͱ-Ͽ]);(?=\s))+[”’」』）»\"*_]*)\s*(?=\S)"
    r"|(?<=[^\s.!?…])(?P<gap>\s+)(?=[A-Z]|[\d.$(A-Za-z][^\s]*\s?=)"
)
SHORTENED = re.compile(r"(?<!\w)\w\.$")
"""A letter with its dot, before another one: `z. B.`, `J. K.`"""
INITIAL = re.compile(r"[A-Z]\.")
WORD = re.compile(r"[A-Za-z]+")


def sentence_cuts(text: str, masked: str, stops_only: bool = False) -> list[int]:
    """Positions where a sentence of the text begins, but for the first. Linear in the length.

    With `stops_only`, only after a stop that is written.
    """
    cuts: list[int] = []
    start = seen = 0
    has_result = False
    closed = closed_spans(masked)
    for found in CANDIDATE.finditer(masked):
        at = found.end()
        if closed and closed.holds(at):
            continue
        if found.lastgroup == "stop":
            is_cut = _ends_sentence(masked, start, found.start("stop"), at) and not _is_remark(
                masked, start, at
            )
        elif found.lastgroup == "wide":
            is_cut = _ends_wide(masked, start, found.start("wide"), at)
        elif stops_only:
            continue
        else:
            gap = found.start("gap")
            has_result = has_result or masked.find("=", seen, gap) >= 0
            seen = gap
            is_cut = _runs_on(masked, start, gap, at, has_result) and not _is_remark(masked, start, at)
        if is_cut:
            cuts.append(at)
            start = seen = at
            has_result = False
    return cuts


def _ends_wide(masked: str, start: int, stop: int, at: int) -> bool:
    """Not inside a number (`３．５`), and not after a remark of a word, nor before an operator."""
    if masked[stop] == "．" and masked[stop - 1 : stop].isdigit() and masked[at].isdigit():
        return False
    return stop - start > LONGEST_WIDE_REMARK and not (
        masked[at] in OPERATORS and _is_operator(masked, stop, at)
    )


def _ends_sentence(masked: str, start: int, stop: int, at: int) -> bool:
    following = masked[at]
    if following.islower() or (following in OPERATORS and _is_operator(masked, stop, at)):
        return False
    if masked[stop] == "!" and masked[stop - 1].isdigit() and following.isupper():
        return _word_at(masked, at) in STARTERS or not _is_unit(masked, at)
    if masked[stop] != ".":
        return True
    before = masked[max(start, stop - 24) : stop].rsplit(None, 1)
    token = before[-1].lstrip("(\"'“‘*_[$").lower() if before else ""
    if token in ("a.m", "p.m") and len(masked[start:stop].split(None, 3)) < 4:
        return False
    if token in ABBREVIATIONS:
        is_counted = len(before) > 1 and before[0][-1:].isdigit() and following.isupper()
        return token in END_WORDS and (is_counted or _word_at(masked, at) in STARTERS)
    if len(token) == 1 and token.isalpha():
        if len(before) > 1 and SHORTENED.search(before[0]):
            return False
        if before[-1].isupper() and (INITIAL.match(masked, at) or _is_initial(masked, start, stop)):
            return False
    is_number = token.isdigit() and stop - len(token) <= start + 2
    return not is_number


def _is_initial(masked: str, start: int, stop: int) -> bool:
    """`J. Smith`, unlike `... equals X. Then`: the word before is capitalised, or there is none. In `A. 3 B. 4` it is a
    number, and the value of an option follows."""
    before = masked[max(start, stop - 24) : stop - 1].split()
    if not before or before[-1][:1].isupper():
        return True
    return before[-1][-1] in ":0123456789" and masked[stop + 1 : stop + 4].strip(" $(-.")[:1].isdigit()


def _is_operator(masked: str, stop: int, at: int) -> bool:
    """Whether a sign after a stop goes on with an equation (`5! = 120`, `3 ft. - 2 ft.`) and begins no item."""
    if masked[at + 1 : at + 2].strip():
        return masked[at] in "=×÷≤≥≈≠"
    if masked[at] not in "-*" or masked[stop] == "!" or masked[stop - 1].isdigit():
        return True
    before = masked[max(0, stop - 24) : stop]
    return COUNTED.search(before) is not None and masked[at + 2 : at + 3] in "0123456789$(.\\" + FILLER


def _runs_on(masked: str, start: int, gap: int, at: int, has_result: bool) -> bool:
    """Whether a new sentence begins at `at` although the one before has no full stop."""
    previous = masked[max(start, gap - 32) : gap].rsplit(None, 1)[-1]
    if previous[-1] == ";":
        return _word_at(masked, at) in STARTERS
    if previous.lower() in JOINERS or previous[-1] in ",:;([{-–—+*/=×÷·^&<>":
        return False
    word = _word_at(masked, at)
    if not masked[at].isupper() or len(word) < 1:
        return has_result and previous[-1].isdigit() and _begins_equation(masked, previous, at)
    is_name_like = previous[0].isupper() and previous[1:2].islower()
    is_counted = previous[-1].isdigit() or previous[-1] in ")!"
    if word in STARTERS:
        return not is_name_like and not (is_counted and word == "A" and _is_unit(masked, at))
    if not has_result or is_name_like or word == "I":
        return False
    if len(word) == 1 and masked[at + 1 : at + 3].strip().startswith("="):
        is_variable = word not in UNIT_LETTERS or ASSIGNMENT.match(masked, start) is not None
        return is_variable or not is_counted
    return not (is_counted and _is_unit(masked, at))


def _begins_equation(masked: str, previous: str, at: int) -> bool:
    """Whether what stands before the next `=` is a left side of its own, and no unit of the number before."""
    side = masked[at : masked.index("=", at)].rstrip()
    if side.isalpha():
        return len(side) == 1 and side not in UNIT_LETTERS
    if side[0].isalpha():
        return VARIABLE.match(side) is not None and not RATE.fullmatch(side)
    if side.isdigit():
        return False
    is_mixed = previous.isdigit() and FRACTION.fullmatch(side) is not None
    return not is_mixed


def _is_unit(masked: str, at: int) -> bool:
    """Whether a capitalised word after a number counts it: `4 Watts`, `5 GB`, `3 Apples + 2`, `4 Gallons of milk`."""
    word = _word_at(masked, at)
    if len(word) > 1 and word[1].isupper():
        return True
    following = masked[at + len(word) : at + len(word) + 32].split(None, 2)
    if not following or following[0][0] in OPERATORS + ".,;:)":
        return True
    if following[0].lower() in JOINERS or following[0] == "x":
        return True
    return following[0][0].isalpha() and len(following) > 1 and following[1][0] in OPERATORS


def _is_remark(masked: str, start: int, at: int) -> bool:
    if at - start >= LONGEST_REMARK:
        return False
    piece = masked[start:at]
    return len(piece.split()) <= REMARK_WORDS and not any(c.isdigit() or c == FILLER for c in piece)


def _word_at(masked: str, at: int) -> str:
    found = WORD.match(masked, at)
    return found.group() if found else ""
