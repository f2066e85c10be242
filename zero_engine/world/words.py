"""Words the nano world's sentences are filled with: hand-made lists, pseudo-words and word salad.

The variety is the point: the model must learn to copy the equation and to ignore whatever stands around it, also
words it never saw. So one filler in eight is a made-up word.
"""

from __future__ import annotations

import random

NAMES = """Anna Ben Carla David Emma Felix Grace Henry Iris Jack Kate Liam Mia Noah Olivia Peter Quinn Rosa
Sam Tina Uma Victor Wendy Xavier Yara Zoe Ali Bella Chloe Dora Ethan Fatima Gus Hannah Ivan Julia Ken Laura
Mark Nina Oscar Priya Ralph Sofia Tom Ursula Vera Will Yusuf Zara Mr. Mrs. Ms. Jose Marta Elena Hugo Lena Omar
Aisha Chen Mei Raj Kofi Amara Bruno Clara Diego Erik Freya Gina Harold Ingrid Jonas Kira Leo Maya Nico Otto
Paula Rita Simon Tara Vince James Mary John Linda Robert Susan Michael Karen Jenny Mike Sarah Lisa Tim Josh
Jerry Billy Carlos Janet Kelly Mandy Tommy Randy Nancy Terry Wanda Gary Charlie Cindy Brian Eliza Jasmine
Darnell Toula Raymond Kylar""".split()

NOUNS = """apples oranges pears bananas eggs cookies cakes pies cups plates books pages pencils pens markers
crayons stickers cards coins dollars cents tickets boxes bags bottles cans jars packs packets cartons crates
baskets shelves rows seats chairs tables lamps bulbs houses rooms windows doors walls bricks tiles nails
screws boards planks ropes shirts shoes socks hats ties dresses coats gloves scarves buttons beads necklaces
rings bracelets flowers roses tulips trees bushes seeds plants leaves cows sheep goats horses pigs hens ducks
chickens dogs cats kittens puppies rabbits fish birds bees crabs frogs students teachers children kids girls
boys men women people friends players workers nurses drivers customers guests visitors employees members teams
classes games points goals matches races laps miles kilometers meters feet inches yards hours minutes seconds
days weeks months years pounds ounces grams kilograms liters gallons slices pieces bars candies chocolates
lollipops donuts muffins sandwiches burgers pizzas salads carrots potatoes onions tomatoes peppers mangoes
grapes berries lemons limes watermelons pumpkins peaches plums cherries nuts cars trucks buses trains planes
boats bikes wheels tires engines toys dolls balloons blocks marbles puzzles photos paintings songs movies
videos letters emails stamps envelopes newspapers magazines notebooks folders computers phones tablets
keyboards batteries cameras questions problems answers tests lessons chapters words lines calories vitamins
pills masks towels blankets pillows candles gifts presents cupcakes clips quarts acres steps floors stairs
fences posts lights seashells sailboats pieces sections scoops servings loaves doses patients instruments
drums guitars""".split()

VERBS = """has had sold bought made ate gave found lost got took used saved spent earned paid needs wants
keeps owns collected picked planted baked cooked read wrote drew painted built fixed packed carried sent
received donated shared ran walked drove biked swam flew traveled worked played won scored caught counted
ordered produced grows raised filled emptied poured drank burned cut sliced planned finished started borrowed
returned owes charges costs weighs lifts adds uses takes brings leaves buys makes sells eats gets gives reads
runs pays spends saves works drives""".split()

ADJECTIVES = """red blue green yellow black white pink purple small large big tiny long short old new fresh
broken clean wooden metal plastic paper extra remaining total whole half empty full cheap expensive regular
special different equal female male adult young first second third last other rotten ripe cold hot daily
weekly monthly yearly average""".split()

PLACES = """store shop market school house park farm garden office city town library kitchen garage bakery zoo
museum restaurant factory warehouse field forest beach pool gym hospital class room yard box bag basket jar
tank truck bus train stadium theater hotel village street building apartment classroom fridge closet
parking-lot""".split()

TIMES = """Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July
August September October November December today yesterday tomorrow morning afternoon evening night noon
summer winter spring week weekend month year""".split()

CONNECTIVES = """so then thus hence therefore next finally also now first second third since because if when
after before together altogether overall meanwhile however and but in total that means this means at first
initially""".split()

GLUE = """the a of to in for and with on at from by is are was were will be that this each every per all more
less than as many much times twice half it he she they his her their there if so then or not only about after
which who needs have has had do does did would can could left rest total number amount cost price other same
one two three four five six seven eight nine ten dozen hundred""".split()

_ONSETS = "b br c ch cl d dr f fl g gr h j k l m n p pl qu r s sh sk sl st t tr v w z".split()
_VOWELS = "a e i o u ai ee oo ou".split()
_CODAS = "b ck d f g l ll m n nd nt p r rd s sh st t x zz".split() + [""] * 8
_SALAD = NOUNS + VERBS + ADJECTIVES + PLACES + TIMES + CONNECTIVES + NAMES + GLUE * 3


def pseudo_word(rng: random.Random) -> str:
    """A pronounceable word that means nothing, of one to four syllables."""
    count = rng.choice((1, 2, 2, 2, 3, 4))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))


def filler(rng: random.Random, words: list[str]) -> str:
    """A word of a list, or a made-up one."""
    if rng.random() < 0.12:
        made = pseudo_word(rng)
        return made.capitalize() if words is NAMES or words is TIMES else made
    return rng.choice(words)


def salad(rng: random.Random, low: int = 1, high: int = 9) -> str:
    """Random words in a row; they mean nothing and name nothing drawable."""
    chosen = [
        pseudo_word(rng) if rng.random() < 0.15 else rng.choice(_SALAD) for _ in range(rng.randint(low, high))
    ]
    return " ".join(chosen)


def fill(template: str, rng: random.Random) -> str:
    """Fill a template's lower-case slots, each time anew.

    {name} {noun} {verb} {adj} {place} {time} {salad} {pseudo} are words; {k} is a distracting number, {money}
    one with a dollar sign, {frac} a fraction or a percentage, {rate} like `$5/hour`.
    """
    out = []
    for piece in template.split("{"):
        slot, brace, rest = piece.partition("}")
        if brace and slot in _SLOTS:
            out.append(_SLOTS[slot](rng) + rest)
        elif out:
            out.append("{" + piece)
        else:
            out.append(piece)
    return "".join(out)


def distractor(rng: random.Random) -> str:
    """A number as texts mention it."""
    draw = rng.random()
    if draw < 0.55:
        return str(rng.randint(1, 30))
    if draw < 0.85:
        return str(rng.randint(31, 999))
    if draw < 0.92:
        return f"{rng.randint(1, 99)},{rng.randint(0, 999):03d}"
    return f"{rng.randint(0, 99)}.{rng.randint(1, 99)}"


def _fraction(rng: random.Random) -> str:
    below = rng.randint(2, 10)
    words = ("half", "a third", "two-thirds", "three-fourths", "one-fifth", "¾", "½", "twice", "double")
    return rng.choice((f"{rng.randint(1, below)}/{below}", f"{rng.randint(1, 99)}%", rng.choice(words)))


def _rate(rng: random.Random) -> str:
    unit = rng.choice(NOUNS)
    return f"{rng.choice(('$', ''))}{distractor(rng)}{rng.choice(('/', ' per ', ' a '))}{unit.rstrip('s')}"


_SLOTS = {
    "name": lambda rng: filler(rng, NAMES),
    "noun": lambda rng: filler(rng, NOUNS),
    "verb": lambda rng: filler(rng, VERBS),
    "adj": lambda rng: filler(rng, ADJECTIVES),
    "place": lambda rng: filler(rng, PLACES),
    "time": lambda rng: filler(rng, TIMES),
    "lead": lambda rng: rng.choice(CONNECTIVES).capitalize(),
    "salad": salad,
    "pseudo": pseudo_word,
    "k": distractor,
    "money": lambda rng: "$" + distractor(rng),
    "frac": _fraction,
    "rate": _rate,
    "pron": lambda rng: rng.choice(("he", "she", "they", "it", "we")),
}
