"""Equations with units: no sentence is cut inside of one, whatever stands before its `=`."""

import pytest

from zero_engine.parse import segment

WITH_UNITS = [
    ("He waits 90 minutes + 60 minutes = 150 minutes.", "So he is late."),
    ("3 hours x 60 minutes = 180 minutes.", "He needs 180."),
    ("3 hours x 60 minutes/hour = 180 minutes.", "Then he rests."),
    ("The trip takes 2 hours 30 minutes = 150 minutes.", "It is long."),
    ("She buys 60 * 2 = 120 feet - 20 feet = 100 feet.", "That is enough."),
    ("The box weighs 2 kg = 2000 g = 2000 grams.", "So it is heavy."),
    ("5 km + 300 m = 5300 m.", "Tom walks it."),
    ("A pool holds 5 L = 5000 mL.", "It leaks."),
    ("3 ft. + 2 ft. = 5 ft.", "So the rope is long."),
    ("The jug has 2 gal. = 8 qt. of milk.", "He drinks it."),
    ("There are 5! = 120 orders.", "So we pick one."),
    ("It is 5! / 3! = 20 ways.", "Then we stop."),
    ("We get 4! + 2! = 26 ways.", "Done with it."),
    ("He has 3 1/2 = 3.5 pies.", "She has 2."),
    ("The total is 1 000 + 500 = 1 500 units.", "It grows."),
    ("He pays $5 + $6 = $11 dollars = 1100 cents.", "It is cheap."),
    ("3 Apples + 4 Oranges = 7 Fruits.", "Tom eats one."),
    ("It uses 100 Watts x 5 Hours = 500 Watt-hours.", "That costs $1."),
    ("The disk is 5 GB = 5000 MB.", "It is full."),
    ("Its area is 3 cm x 4 cm = 12 cm^2.", "Next, double it."),
    ("He runs 12 miles / 2 hours = 6 miles per hour = 6 mph.", "So he is fast."),
    ("20% of 50 = 10 apples + 5 apples = 15 apples.", "That is all."),
    ("It is 7 days x 24 hours = 168 hours x 60 minutes = 10080 minutes.", "That is a week."),
    ("Half is 30 / 2 = 15 students and 15 students + 3 students = 18 students.", "So 18 go."),
    ("Total cost = 3 shirts * $5 = $15 + $2 tax = $17.", "He has $20."),
    ("1 dozen = 12 eggs, so 3 dozen = 36 eggs.", "She bakes 6."),
    ("2 pounds = 32 ounces = 907 g.", "It fits."),
    ("Speed = 60 km / 1 h = 60 km/h = 16.7 m/s.", "It slows."),
    ("The sum is 4 quarters = 1 dollar = 100 cents.", "He spends it."),
    ("He reads (3 pages + 2 pages) x 7 days = 35 pages.", "Then he stops."),
    ("The rent is 12 months * $500 = $6000 a year.", "She saves it."),
    ("It holds 3 rows * 4 seats = 12 seats - 2 seats = 10 seats.", "All are taken."),
    ("5 nickels = 25 cents + 2 dimes = 45 cents.", "He needs more."),
    ("The angle is 180 degrees - 70 degrees = 110 degrees.", "So it is obtuse."),
    ("The train takes 1 hr. 30 min. = 90 min. in all.", "Then it stops."),
    ("? + 3 = 8 apples, so ? = 5 apples.", "He has 5."),
    (
        "He needs 60 baguettes and 2 feet each, that is (60 * 2) = 100 feet + 20 feet = 120 feet.",
        "So it is 120.",
    ),
    ("Perimeter = 2 * (9 ft + 40 ft) = 98 feet.", "It is 98 feet."),
    ("She earns 8 h x $10 = $80 = 80 dollars.", "She is glad."),
    ("They use 6 cups = 3 pints = 1.5 quarts.", "It is enough."),
    ("A is 3 m tall + 2 m = 5 m.", "B is 4 m."),
    ("The car uses 10 L / 100 km = 0.1 L/km.", "So 5 L lasts 50 km."),
    ("4 weeks = 28 days = 672 hours.", "That passes."),
    ("It costs 250 yen + 100 yen = 350 yen (about $3. So cheap).", "He pays."),
    ('He says "I have 3. You have 4." and leaves.', "She stays."),
]
CHAINED = [
    ("A = 5 * 4 = 20", "B = 3 * 2 = 6"),
    ("A = 5 * 4 = 20", "C = 3 * 2 = 6"),
    ("2x = 80", "x = 40"),
    ("He has 3+1=4 eggs", "So she has 5"),
    ("2y + 3 = 9", "2y = 6", "y = 3"),
]


@pytest.mark.parametrize("sentences", WITH_UNITS)
def test_an_equation_with_units_is_never_cut(sentences: tuple[str, ...]) -> None:
    assert segment(" ".join(sentences))[0] == list(sentences)


@pytest.mark.parametrize("sentences", WITH_UNITS)
def test_nor_among_others(sentences: tuple[str, ...]) -> None:
    text = " ".join(["He counts the things on the table.", *sentences, "Now he has counted them all."])
    assert any(step.startswith(sentences[0]) for step in segment(text)[0])


@pytest.mark.parametrize("equations", CHAINED)
def test_chained_equations_are_cut_where_the_next_begins(equations: tuple[str, ...]) -> None:
    assert segment(" ".join(equations))[0] == list(equations)
