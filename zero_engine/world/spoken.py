"""Spoken: equations said in words, as solutions say them between their sums.

`{a}` and `{b}` are the operands in the order in which they are drawn, `{c}` the result, `{f}` a fraction in words or
digits. The templates of one relation all mean the same drawing; each sixth is held out.
"""

from __future__ import annotations

import random

from zero_engine.world import dressing, words
from zero_engine.world.splits import templates

ADD = (
    "{a} plus {b} is {c}", "{a} plus {b} equals {c}", "{a} and {b} make {c}", "{a} plus {b} makes {c} {noun}",
    "the sum of {a} and {b} is {c}", "adding {a} and {b} gives {c}", "adding {a} {noun} and {b} {noun} gives {c}",
    "{name} has {c} {noun} because {a} plus {b} equals {c}", "{a} {noun} plus {b} {noun} is {c} {noun}",
    "{a} and {b} add up to {c}", "together {a} and {b} make {c} {noun}", "the total of {a} and {b} is {c}",
    "{a} {noun} and {b} more make {c}", "if we add {a} and {b}, we get {c}", "we add {a} and {b} to get {c}",
    "{a} increased by {b} is {c}", "{name} adds {a} and {b} and finds {c}", "{a} with {b} more is {c}",
    "there are {c} {noun} in all since {a} plus {b} equals {c}", "{a} added to {b} makes {c}",
    "{a} {noun} together with {b} {noun} are {c} {noun}", "the sum is {c}, from {a} plus {b}",
    "{a} plus another {b} comes to {c}", "in total {a} plus {b} {noun} are {c} {noun}",
    "{name} {verb} {a} {noun} plus {b} {noun} for a total of {c} {noun}", "summing {a} and {b} yields {c}",
    "starting with {a} and adding {b} gives {c}", "the numbers {a} and {b} sum to {c}",
    "{a} combined with {b} gives {c}", "we have {a} plus {b}, which equals {c}",
    "by adding {a} and {b} {name} gets {c}", "{a} plus {b} {noun} gives {c} {noun}",
    "add {a} and {b} and you have {c}", "that makes {a} plus {b}, or {c} {noun}", "{a} plus {b}, so {c} in total",
    "the {noun} number {a} plus {b}, which is {c}",
)  # fmt: skip
SUBTRACT = (
    "{a} minus {b} is {c}", "{a} minus {b} equals {c}", "{a} take away {b} leaves {c}", "{a} less {b} is {c}",
    "there are {c} {noun} left because {a} minus {b} equals {c}", "subtracting {b} from {a} gives {c}",
    "taking {b} away from {a} leaves {c}", "{a} {noun} minus {b} {noun} is {c} {noun}",
    "{name} has {c} {noun} left because {a} minus {b} equals {c}", "we subtract {b} from {a} and get {c}",
    "{a} reduced by {b} is {c}", "if {b} of {a} {noun} are taken away, {c} remain",
    "{a} decreased by {b} is {c}", "subtract {b} from {a} to get {c}", "{a} minus {b} leaves {c} {noun}",
    "after taking {b} from {a}, {c} {noun} are left", "{a} {noun} less {b} {noun} leaves {c}",
    "{name} takes {b} from {a} and has {c} left", "from {a} we take away {b}, which leaves {c}",
    "{b} less than {a} is {c}", "{b} fewer than {a} is {c}", "removing {b} of {a} {noun} leaves {c}",
    "{a} minus {b} {noun} makes {c} {noun}", "when {b} is subtracted from {a}, {c} is left",
    "the rest is {a} minus {b}, which is {c}", "{name} needs {c} more because {a} minus {b} equals {c}",
    "{a} lowered by {b} gives {c}", "we have {a} minus {b}, which equals {c}", "minus {b}, the {a} become {c}",
    "by subtracting {b} from {a} {name} gets {c}", "with {b} taken from {a}, {c} {noun} remain",
    "what is left is {a} minus {b}, so {c}", "{b} subtracted from {a} is {c}", "{a} take away {b} is {c}",
    "{name} {verb} {b} of the {a} {noun}, so {a} minus {b}, or {c}, are left",
    "taking {b} off {a} gives {c} {noun}",
)  # fmt: skip
MULTIPLY = (
    "{a} times {b} is {c}", "{a} times {b} equals {c}", "{a} multiplied by {b} is {c}",
    "the product of {a} and {b} is {c}", "{a} times as many as {b} is {c}", "{a} times as much as {b} is {c}",
    "{name} has {c} {noun} because {a} times {b} equals {c}", "{a} times {b} {noun} makes {c} {noun}",
    "multiplying {a} by {b} gives {c}", "{a} groups of {b} make {c}", "{a} groups of {b} {noun} are {c} {noun}",
    "{a} {noun} times {b} {noun} each is {c} {noun}", "we multiply {a} by {b} to get {c}",
    "{a} boxes of {b} {noun} hold {c} {noun}", "{a} rows of {b} {noun} are {c} {noun}",
    "{a} packs with {b} {noun} each give {c} {noun}", "there were {c} {noun} because {a} times {b} equals {c}",
    "{a} times the {b} {noun} is {c}", "multiply {a} by {b} and you get {c}", "{a} sets of {b} come to {c}",
    "the total is {a} times {b}, which is {c}", "we have {a} times {b}, which equals {c}",
    "{a} bags of {b} {noun} make {c} {noun}", "{name} {verb} {a} times {b} {noun}, so {c}",
    "{a} by {b} multiplied is {c}", "by multiplying {a} and {b} {name} gets {c}",
    "the {a} {noun} with {b} each are {c} in all", "{a} multiplied with {b} makes {c}",
    "since {b} {noun} are taken {a} times, we have {c}", "{a} times more than {b} would be {c}",
    "{a} teams of {b} {noun} are {c} {noun}", "{name} takes {b} {noun} {a} times, which makes {c} {noun}",
    "the product is {c}, from {a} times {b}", "{a} times {b}, so {c} {noun} in total",
    "{a} times as many {noun} as {b} {noun} is {c} {noun}", "as {a} times {b} is {c}, {name} {verb} {c}",
)  # fmt: skip
TWICE = (
    "twice {b} is {c}", "twice as many as {b} is {c}", "double {b} is {c}", "twice as much as {b} is {c}",
    "{name} has twice as many as {b}, which is {c}", "doubling {b} gives {c}", "twice the {b} {noun} is {c}",
    "{b} doubled is {c}", "twice {b} equals {c}", "two times {b} makes {c}", "the double of {b} is {c}",
    "since twice {b} is {c}, {name} {verb} {c} {noun}",
)  # fmt: skip
DIVIDE = (
    "{a} divided by {b} is {c}", "{a} divided by {b} equals {c}", "{a} over {b} is {c}",
    "dividing {a} by {b} gives {c}", "{a} divided by {b} gives {c}", "{a} split into {b} equal parts is {c} each",
    "{name} can make {c} because {a} divided by {b} equals {c}", "{a} {noun} divided by {b} is {c} {noun}",
    "{a} shared by {b} is {c} each", "we divide {a} by {b} to get {c}", "{a} {noun} shared among {b} is {c} each",
    "{a} split {b} ways is {c}", "divide {a} by {b} and you get {c}",
    "{a} {noun} split among {b} {noun} gives {c} each",
    "{name} divides {a} by {b} and finds {c}", "the quotient of {a} and {b} is {c}",
    "when {a} is divided by {b}, we get {c}", "splitting {a} into {b} groups gives {c} in each",
    "{a} {noun} in {b} equal groups are {c} a group", "each gets {c} because {a} divided by {b} equals {c}",
    "sharing {a} {noun} among {b} leaves {c} for each", "{a} cut into {b} pieces gives {c} a piece",
    "by dividing {a} by {b} {name} gets {c}", "we have {a} divided by {b}, which equals {c}",
    "{a} {noun} divided into {b} rows makes {c} a row", "the average is {a} divided by {b}, which is {c}",
    "{a} distributed over {b} is {c} each", "{a} divided among {b} {noun} is {c}",
    "it takes {c} because {a} divided by {b} equals {c}", "{name} splits {a} {noun} into {b} parts of {c}",
    "one of {b} equal parts of {a} is {c}", "the {a} {noun} are divided by {b}, so {c}",
    "{a} {noun} fill {b} boxes with {c} each", "the result of {a} divided by {b} is {c}",
    "{a} separated into {b} equal sets is {c}", "divided by {b}, {a} {noun} give {c}",
)  # fmt: skip
FRACTION = (
    "{f} of {b} is {c}", "{f} of {b} {noun} is {c} {noun}", "{f} of the {b} {noun} is {c}", "{f} of {b} equals {c}",
    "{name} {verb} {f} of {b} {noun}, which is {c}", "{f} of {b} makes {c}", "taking {f} of {b} gives {c}",
    "we take {f} of {b} and get {c}", "{c} is {f} of {b}", "{c} {noun} are {f} of the {b} {noun}",
    "since {f} of {b} is {c}, {name} {verb} {c} {noun}", "{f} of the {b} comes to {c}",
    "if {f} of {b} {noun} are {adj}, that is {c}", "to find {f} of {b}, we get {c}", "{f} of a total of {b} is {c}",
    "{f} of {name}'s {b} {noun} is {c} {noun}", "out of {b} {noun}, {f} of them is {c}",
    "{f} of {b} {noun} would be {c}", "{f} of all {b} {noun} are {c} {noun}", "{name} gets {f} of {b}, so {c}",
    "of the {b} {noun}, {f} of these are {c}", "a share of {f} of {b} is {c}", "{f} of the price of {b} is {c}",
    "{name} spends {f} of {b} on {noun}, which is {c}", "there are {c} {adj} {noun}, {f} of {b}",
    "{f} of {b} {noun} leaves {c} {noun}", "when {f} of {b} is used, that is {c}", "he needs {f} of {b}, or {c}",
    "computing {f} of {b} yields {c}", "{f} of {b} works out to {c}", "{name} finds {c} as {f} of {b}",
    "{f} of those {b} {noun} is {c}", "the {adj} part is {f} of {b}, so {c}", "{f} of {b} in {noun} is {c}",
    "they keep {f} of the {b}, that is {c}", "so {f} of the {b} {noun} are {adj}, which means {c}",
)  # fmt: skip
DIFFERENCE = (
    "the difference between {a} and {b} is {c}", "the difference of {a} and {b} is {c}",
    "going back {b} from {a} leads to {c}", "from {a}, {b} steps back end at {c}",
    "the temperature falls by {b} from {a} to {c}", "it was {a} degrees, fell by {b}, and is {c} now",
    "on the number line, {a} minus {b} is {c}", "on the number line we go from {a} back by {b} to {c}",
    "starting at {a} and going down {b} we reach {c}", "{b} below {a} is {c}", "a drop of {b} from {a} ends at {c}",
    "the level sinks from {a} by {b} to {c}", "{name} is at {a} and goes down {b}, to {c}",
    "the difference between {a} {noun} and {b} {noun} is {c} {noun}", "moving {b} to the left of {a} gives {c}",
    "if it is {a} and drops {b}, it is {c}", "{a} falls by {b} and becomes {c}", "counting back {b} from {a} gives {c}",
    "we move back {b} from {a} and land on {c}", "going down by {b}, {a} becomes {c}",
    "with a fall of {b}, {a} turns into {c}", "the elevator goes from {a} down {b} to {c}",
    "the score drops by {b} from {a} to {c}", "a loss of {b} brings {a} down to {c}",
    "the number line shows {a} minus {b} is {c}", "we find the difference between {a} and {b}: {c}",
    "between {a} and {b} the difference is {c}", "from {a} go {b} back to reach {c}",
    "the balance of {a} sinks by {b} to {c}", "{b} degrees colder than {a} is {c}", "{a} goes down by {b} to {c}",
    "the diver at {a} goes {b} deeper, to {c}", "to the difference of {a} and {b} belongs {c}",
    "step back {b} from {a}: {c}", "{name} loses {b} points from {a} and has {c}",
    "it was {a} and became {b} less, so {c}",
)  # fmt: skip
BY_OPERATOR = {"+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE}

_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}
_COUNTS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def say(options: tuple[str, ...], numbers: tuple[str, ...], rng: random.Random, held_out: bool) -> str:
    """A statement of one of the templates, dressed. `numbers` are a, b, c as drawn; a may be a fraction."""
    first, second, third = (spelled(number, rng) for number in numbers)
    text = words.fill(rng.choice(templates(options, held_out)), rng)
    for slot, number in (("{a}", first), ("{f}", first), ("{b}", second), ("{c}", third)):
        text = text.replace(slot, number)
    return dressing.dress(text, rng, held_out)


def spelled(number: str, rng: random.Random) -> str:
    """A number as texts spell it: with commas or a dollar sign, small ones in words, fractions in either way."""
    if "/" in number:
        return fraction(number, rng)
    if number.isdigit() and int(number) < len(_COUNTS) and rng.random() < 0.12:
        return _COUNTS[int(number)]
    if number.isdigit() and len(number) > 3 and rng.random() < 0.75:
        number = f"{int(number):,}"
    if number.endswith("%") and rng.random() < 0.25:
        return number[:-1] + " percent"
    return "$" + number if number[0].isdigit() and "%" not in number and rng.random() < 0.15 else number


def fraction(number: str, rng: random.Random) -> str:
    """1/2 -> half, 2/3 -> two thirds, or in digits."""
    above, below = map(int, number.split("/"))
    if below not in _PARTS or above >= len(_COUNTS) or rng.random() < 0.35:
        return number
    part = "fourth" if below == 4 and rng.random() < 0.5 else _PARTS[below]
    if above == 1:
        return "half" if below == 2 else f"{rng.choice(('a', 'one', 'a', 'one', 'one'))} {part}"
    return f"{_COUNTS[above]}{rng.choice((' ', '-', ' '))}{part}s"
