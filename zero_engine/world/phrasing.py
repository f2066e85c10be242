"""Phrasing: sentences around an equation, and sentences around none.

`equation_step` writes an equation into a step the way people and traces do: with or without blanks, with `x`, `×` or
`*`, dollar signs, units after each number, thousands commas, calculator notes (`$48 / 2 = $<<48/2=24>>24`), in words
(`48 divided by 2 is 24`), anywhere in the sentence, among numbers that do not count. `plain_step` writes a step with
nothing to draw. Terms are (operator, number) as drawn; numbers are digit strings, maybe with `.`, `%` or a bracket.
"""

from __future__ import annotations

import random
import re

from zero_engine.world import words
from zero_engine.world.splits import templates

_SIGNS = {
    "*": ("*", "*", "*", "*", "x", "x", "×", "X"),
    "/": ("/", "/", "/", "/", "÷"),
    "-": ("-", "-", "-", "-", "-", "–", "−"),
    "+": ("+",),
}
_IN_WORDS = {
    "+": ("{a} plus {b} is {c}", "{a} and {b} make {c}", "{a} plus {b} equals {c}", "the sum of {a} and {b} is {c}",
          "adding {a} and {b} gives {c}"),
    "-": ("{a} minus {b} is {c}", "{a} minus {b} equals {c}", "{a} take away {b} leaves {c}",
          "{a} less {b} is {c}"),
    "*": ("{a} times {b} is {c}", "{a} times {b} equals {c}", "{a} multiplied by {b} is {c}",
          "the product of {a} and {b} is {c}"),
    "/": ("{a} divided by {b} is {c}", "{a} divided by {b} equals {c}", "{a} over {b} is {c}",
          "dividing {a} by {b} gives {c}", "{a} divided by {b} gives {c}"),
}  # fmt: skip

# {E} is the equation. Units may follow it, so most templates go on with a noun.
CARRIERS = (
    "{name} {verb} {E} {noun}", "{E} {noun}", "{name} {verb} {E} {noun} in {time}", "{E}",
    "So {pron} {verb} {E} {noun}", "{lead} {pron} {verb} {E}", "The total cost is {E}",
    "There are {E} {noun} in the {place}", "{lead}, {name} {verb} {E}",
    "{lead}, there are {E} {adj} {noun} left", "{name} has {E} {noun} left",
    "{lead} find the number of {noun}: {E} {noun}", "First find the total number of {adj} {noun}: {E} {noun}",
    "Then add the {noun} to the {noun}: {E} {noun}",
    "Then multiply the {adj} {noun} by the number of {noun} per {place} to find the total: {E} {noun}",
    "Then subtract the {k} {noun} {name} {verb} to find how many are left: {E} {noun}",
    "If each {place} {verb} {k} {noun}, then {name} {verb} {E} {noun}", "The {adj} {noun} cost {E}",
    "Since there are {k} {noun} in a {place}, {name} {verb} {E} {noun} a {time}",
    "{frac} of the {noun} is {E} {noun}",
    "{name} {verb} {k} {noun} and {k} {noun}, so {pron} {verb} {E} {noun}",
    "The {k} {noun} {verb} {E} {noun} per {time}",
    "{name} {verb} {k} more {noun} than {name}, which means {name} {verb} {E} {noun}", "{noun} = {E}",
    "{name}'s {noun} {verb} {E} {noun} after {k} {time}", "At {rate}, the {noun} cost {E}",
    "In {k} {time}, {pron} {verb} {E}",
    "The {noun} are worth {E} because {pron} {verb} {k} {noun} at {money} each",
    "That means {pron} {verb} {E} {noun}", "{salad} {E} {salad}", "{salad} {E}", "{E} {salad}", "{salad}: {E}",
    "{salad}, {E} {noun} {salad}", "{salad} {k} {salad} {E}", "{salad} {E} {salad} {k} {noun}",
    "{salad} ({E}) {salad}", "{k} {salad} is {E}", "{name} needs {money} for the {noun}: {E}",
    "The difference between {name} and {name} is {E} {noun}", "Half of that is {E}",
    "Twice as many {noun} is {E} {noun}", "{name} will be {E} years old in {k} years",
    "After {time}, {E} {noun} remained at the {place}",
    "We know that {name} {verb} {frac} of the {noun}, so {pron} {verb} {E}",
    "Altogether, they {verb} {E} {noun}.", "The perimeter of the {place} is {E} {noun}",
    "The area of the {place} is {E} square {noun}", "* {E} {noun}", "{name}: {E}", "{k}. {E} {noun}",
    "Step {k}: {E}", "Each {noun} gets {E} {noun}/{pseudo}", "Total {noun} = {E} {noun}",
    "We can calculate this as {E} {noun}", "This is {E} {noun} in all",
    "The price of {k} {noun} at {money} is {E}",
    "As the {noun} {verb} {frac} {adj} {noun}, {name} {verb} {E} {noun} on {time}",
    "{name} spends {E} on {noun}",
    "If {name} {verb} {k} {noun}, and {name} {verb} {frac} of it, they {verb} {E} {noun} together",
    "{E} {noun} because {name} {verb} {k} {noun}", "This leaves {E} {noun} for the {adj} {place}",
    "Thus, the {place} {verb} {E} of {noun} and not {k}", "{name} paid {money} of it, so the rest is {E}",
    "{name} and {name} {verb} a total of {E} {noun}", "{noun}: {E}",
    "There were {k} {noun} and {E} {noun} at {k}:30",
    "{name} {verb} {k} {noun} because {E}", "It costs {name} {money} to {verb} because {E}", "{salad} because {E}",
    "{name} {verb} {k} {noun} since {E}", "The {k}-{noun} {verb} {E} {noun}",
    "{k} {noun} {salad} {k} {noun} {E} {noun}",
    "The answer is {k} because {E}", "{salad} of {k} is {E}", "The {adj} {noun} {verb} {k} since {E}",
    "Total = {E}", "Total cost = {E}", "{adj} {noun} = {E}", "Number of {noun} = {E}",
    "{name}'s {noun} = {E}", "The {noun} = {E}", "Cost of {noun} = {E} {noun}", "{X} = {E}",
    "The number of {adj} {noun} = {E}", "Total {adj} {noun}: {E}", "{noun} {verb} = {E} {noun}",
    "Area = {E}", "Total {noun} for {name} = {E} {noun}", "{lead} total {noun} = {E} {noun}",
    "{noun} in {time} = {E}", "{noun} left = {E} {noun}", "Profit = {E}", "The {place} = {E} {noun}",
    "{noun} per {noun} = {E}", "Time = {E} {noun}", "{adj} cost = {E}", "{name} = {E}", "{k} {noun} = {E}",
    "We get {noun} = {E}", "so {X} = {E} {noun}", "{name} then {verb} {E} {noun} more",
    "In total, that's {E} {noun}", "It takes {pron} {E} {noun} to {verb} the {noun}",
    "{E} is the number of {noun}", "{E} is how many {noun} {name} {verb}",
    "{E}, which is the number of {noun}", "Each {place} has {E} {noun}", "Every {noun} {verb} {E} {noun}",
    "The {noun}-{noun} {verb} {E} {noun}", "A {k}-{noun} {noun} {verb} {E} {noun}",
    "The {k}-{time} {noun} is {E} {noun}", "The {k} {k}-{noun} {verb} {E}",
    "Out of {k} {noun}, {E} {noun} {verb}", "{frac} of {k} {noun} is {E}", "{frac} of {k} is {E} {noun}",
    "{pron} {verb} {E} {noun} because of the {k} {noun}", "So now {name} has {E} {noun}",
    "Now, {E} {noun} are in the {place}", "By {time}, {name} had {E} {noun}",
    "{name} {verb} {k}-{k}, so {E} {noun}", "The rest is {E} {noun}", "{name} still needs {E} {noun}",
    "The {noun} will {verb} {E} {noun} in {k} {time}", "They need {E} {noun} for {k} {noun}",
    "Her {noun} {verb} {E} {noun}", "His {adj} {noun} cost {E}", "Its {noun} is {E} {noun} long",
    "On average that is {E} {noun}", "The sale price is {E}", "After the discount it costs {E}",
    "The tax is {E}", "The two {noun} {verb} {E} {noun}", "All {k} of them {verb} {E} {noun}",
    "For {k} {noun} that comes to {E}", "which gives {E} {noun}", "this equals {E} {noun}",
    "{name} makes {E} in {time}", "One {noun} is {E} {noun}", "The {adj} {place} holds {E} {noun}",
    "{name} ended up with {E} {noun}", "{lead} we have {E} {noun} remaining",
)  # fmt: skip

PLAIN = (
    "{name} {verb} {k} {noun}", "{name} {verb} {frac} of the {noun}", "{lead}, {name} {verb} the {noun}",
    "{salad}", "There are {k} {noun} in each {place}", "Let {X} be the number of {noun} {name} {verb}",
    "{lead} {pron} {verb} {k} {noun}", "The answer is {k}", "{name} {verb} {noun} and {noun} at the {place}",
    "{salad} {k} {salad}", "{salad} {rate} {salad}", "A {place} has {k} {noun}, and {name} {verb} {k} of them",
    "The {noun} cost {money} each", "{X} = {k}", "{k}{X} = {k}", "{k}{X} + {k} = {k}", "{X} + {k}{X} = {k}",
    "{name} is {k} years old", "If {name} {verb} {k} {noun}, how many {noun} are left?",
    "How many {noun} does {name} have?", "{lead} we need to find the number of {noun}",
    "{name} {verb} {k} more {noun} than {name}", "There are {k} {noun} in a {time}", "1 {time} = {k} {noun}",
    "{name} {verb} {k}-{k} {noun}", "Out of {k} {noun}, {k} are {adj}", "The {adj} {noun} {verb} {rate}",
    "{noun}: {k}", "{name}'s {noun} = {money}", "{lead} divide both sides by {k}",
    "{lead}, let's find how many {noun} {name} {verb}", "We know that {name} {verb} the {adj} {noun}",
    "{X} - {k} = {Y}", "Simplifying, we get {k}{X} = {k}", "Substituting gives {X} + {k} = {k}{Y}",
    "{frac} of {k} {noun} are {adj}", "{X} = {k}/{k}", "So {name} {verb} {k} {noun} in total",
    "Therefore {name} has {k} {noun} left", "The total is {money}", "{k} {noun}, {k} {noun}",
    "There are {k} x {k} {noun} in the {place}", "{name} {verb} twice as many {noun} as {name}",
    "That is {frac} as many {noun}", "{name} was born in 19{kk} and moved to the {place}",
    "On {time}, {name} {verb} {k} {noun} at {k}:{kk}", "{salad}?",
    "The {place} is {adj} and the {noun} are {adj}", "{name} does not need any more {noun}",
    "This is true for all {noun}",
    "There are {k} by {k} {noun} in the {place}", "The {place} is {k} x {k}",
    "{name} has a {k} x {k} {noun}", "A {k} x {k} {noun} is {adj}", "The {noun} are {k} by {k} {noun}",
    "{k} x {k} {noun}", "{k} x {k} {noun} in a {place}", "There are {k} × {k} {noun}",
    "{name} {verb} {k} x {k} {noun} at the {place}", "It has {k} rows of {k} {noun}",
    "{lead} multiply both sides by {k}", "{lead} subtract {k} from both sides",
    "{lead} add {k} to both sides", "{lead} divide by {k}", "Dividing both sides by {k}",
    "{lead} take {k} from each side", "Both sides are divided by {k}",
    "{lead} divide each side by {k} to find {X}", "{frac} of the {k} {noun} {verb}",
    "{k} of {k} {noun} are {adj}", "{frac} of {k} {noun}", "{frac} of {name}'s {k} {noun} are {adj}",
    "{frac} of the {noun} at the {place} are {adj}", "{name} {verb} {frac} of {k} {noun}",
    "So {frac} of {k} {noun} {verb} the {noun}", "We do not know how many {noun} {name} {verb}",
    "What is the number of {noun}?", "Next, let's find the {adj} {noun}", "The {noun} {verb} on {time}",
    "{name} and {name} {verb} the {noun} together", "It is {k} {noun} long",
    "It takes {k} {time} to {verb} the {noun}", "He {verb} {k} {noun} each {time}",
    "{X} is the number of {noun}", "Let {X} = {name}'s {noun}", "Let {X} be {name}'s age",
    "{X} stands for the {noun}", "{X} {noun} are {adj}", "{k}{X} = {k}{Y}", "{X} + {Y} = {k}",
    "{k}{X} - {k} = {k}{Y} + {k}", "{k}({X} + {k}) = {k}", "{k}/{X} = {k}", "{X}/{k} = {k}",
    "{X} = {Y} + {k}", "{X} = {k}{Y}", "{X} = {k} {noun}", "{X} > {k}", "{k}% of the {noun} are {adj}",
    "The ratio is {k}:{k}", "The {noun} {verb} {k} out of {k} {noun}",
    "{name} {verb} {k} {noun} and {k} {noun}", "{k} {noun} and {k} {noun}", "{money} and {money}",
    "They {verb} {k} {noun} in {k} {time}", "Each {noun} {verb} {k} {noun}", "{noun} are {adj}",
    "{name} is at the {place}", "Answer: {k} {noun}", "The final answer is {k} {noun}",
)  # fmt: skip


def equation_step(
    terms: list[tuple[str, str]], result: str, rng: random.Random, held_out: bool = False
) -> str:
    """A step whose equation is `terms` = `result`; with several equations the last one is the one to draw."""
    carrier = rng.choice(templates(CARRIERS, held_out))
    before = after = ""
    draw = rng.random()
    if draw < 0.14:
        before = plain_step(rng, held_out) + rng.choice((". ", ". ", ", so ", ", and ", "; "))
    elif draw < 0.18:
        before = salad_equation(rng) + rng.choice((" and ", ", then ", ". ", " so "))
    if rng.random() < 0.14:
        after = rng.choice((". ", ", ", " because ", " when ", " since ", " and ")) + plain_step(
            rng, held_out
        )
    text = (
        before + _unknowns(words.fill(carrier, rng), rng).replace("{E}", _spell(terms, result, rng)) + after
    )
    return _punctuate(text, rng)


def plain_step(rng: random.Random, held_out: bool = False) -> str:
    """A step with numbers, maybe, but nothing to draw."""
    text = _unknowns(words.fill(rng.choice(templates(PLAIN, held_out)), rng), rng)
    return text.replace("{kk}", str(rng.randint(10, 59)))


def salad_equation(rng: random.Random) -> str:
    """Some other equation that stands before the one to draw."""
    a, b, c = (str(rng.randint(1, 99)) for _ in range(3))
    return f"{words.filler(rng, words.NAMES)} {rng.choice(words.VERBS)} " + _spell(
        [("", a), (rng.choice("+-*/"), b)], c, rng
    )


def _unknowns(text: str, rng: random.Random) -> str:
    first, second = rng.sample("xyzabnmwXYABTSJ", 2)
    return text.replace("{X}", first).replace("{Y}", second)


def _spell(terms: list[tuple[str, str]], result: str, rng: random.Random) -> str:
    if len(terms) == 2 and rng.random() < 0.07 and not re.search(r"[()%/-]", terms[0][1] + terms[1][1]):
        template = rng.choice(_IN_WORDS[terms[1][0]])
        return template.format(a=_comma(terms[0][1], rng), b=_comma(terms[1][1], rng), c=_comma(result, rng))
    numbers = [number for _, number in terms]
    signs = [rng.choice(_SIGNS[op]) if op else "" for op, _ in terms]
    if len(terms) > 2 and rng.random() < 0.8:  # one spelling within an equation, mostly
        signs = [signs[1 + [op for op, _ in terms[1:]].index(op)] if op else "" for op, _ in terms]
    note = "<<" + "".join(op + number for op, number in terms) + f"={result}>>" if rng.random() < 0.06 else ""
    money = rng.choice(
        ("none", "none", "none", "none", "first", "second", "all", "result", "result", "random")
    )
    units = rng.choice(("none", "none", "none", "none", "all", "one", "some"))
    blanks = rng.choice(("tight", "spaced", "spaced", "equals", "equals", "right", "mixed"))
    out = []
    for i, (sign, number) in enumerate(zip(signs, numbers, strict=True)):
        blank = _blank(blanks, rng, units != "none") if sign else ""
        dollar = money == "all" or (money == "first" and i == 0) or (money == "second" and i == 1)
        dollar = dollar or (money == "random" and rng.random() < 0.5)
        out.append(blank + sign + blank + _dress(number, dollar, _has_unit(units, i, rng), rng))
    before_equals = "" if blanks == "tight" or (blanks == "right") else " "
    after_equals = "" if blanks == "tight" or (blanks == "mixed" and rng.random() < 0.5) else " "
    dollar = money in ("all", "result") or (money == "random" and rng.random() < 0.5)
    tail = ("$" if dollar else "") + note + _comma(result, rng)
    return "".join(out) + before_equals + "=" + after_equals + tail


def _dress(number: str, dollar: bool, unit: bool, rng: random.Random) -> str:
    dressed = _comma(number, rng)
    if dollar:
        dressed = dressed.replace("(", "($") if "(" in dressed else "$" + dressed
    if unit and not re.search(r"[()%/]", number):
        noun = words.filler(rng, words.NOUNS)
        form = rng.random()
        if form < 0.6:
            dressed += " " + noun
        elif form < 0.75:
            dressed += f" {rng.choice(words.ADJECTIVES)} {noun}"
        elif form < 0.9:
            dressed += f"{rng.choice((' ', '', ' '))}{noun}/{rng.choice(words.NOUNS).rstrip('s')}"
        elif form < 0.95:
            dressed += f" {noun} per {rng.choice(words.NOUNS).rstrip('s')}"
        else:
            dressed += f"/{rng.choice(words.NOUNS).rstrip('s')}"
    return dressed


def _has_unit(units: str, position: int, rng: random.Random) -> bool:
    return units == "all" or (units == "one" and position == 0) or (units == "some" and rng.random() < 0.5)


def _blank(blanks: str, rng: random.Random, units: bool) -> str:
    if units and rng.random() < 0.9:
        return " "
    if blanks == "mixed":
        return rng.choice(("", " "))
    return " " if blanks == "spaced" else ""


def _comma(number: str, rng: random.Random) -> str:
    digits = re.search(r"\d{4,}", number.split(".")[0])
    if not digits or rng.random() < 0.25:
        return number
    return number.replace(digits[0], f"{int(digits[0]):,}", 1)


def _punctuate(text: str, rng: random.Random) -> str:
    if rng.random() < 0.75:
        text = text[:1].upper() + text[1:]
    return text.rstrip(".") + rng.choice((".", ".", ".", "", "", "!", " ."))
