"""Dressing: what people say around a statement that names a drawing.

A kind's templates say what is drawn in two dozen ways; here they get a beginning (`Next,`, `Step 3:`)
and an end (`as {name} said`, `, so we go on`), so that a model learns which words decide the drawing and to read past
the rest. Beginnings and ends have held-out members too.
"""

from __future__ import annotations

import random

from zero_engine.world import words
from zero_engine.world.splits import templates

LEADS = (
    "So", "Now", "Next,", "First,", "Then", "Finally,", "Therefore,", "Thus,", "Hence", "Here", "Again,",
    "Step {k}:", "{k}.", "-", "*", "{name} says:", "{name} knows that", "{name} sees that", "We know that",
    "We see that", "We are told that", "It follows that", "It is given that", "The problem says that",
    "According to the problem,", "In this case,", "As a result,", "Let us say that", "Let us see:", "Look:",
    "Note that", "Recall that", "Suppose that", "This means that", "That means", "To begin with,",
    "To solve this,", "To start,", "From this we get:", "In the picture,", "In the figure,", "As before,",
    "At this point,", "After that,", "Because of this,", "Since {name} {verb} the {noun},",
    "When {name} {verb} the {noun},", "In {time},", "{lead},", "{lead}", "{salad}:", "{salad},", "Okay,",
    "Alright,", "Also,", "But", "And", "For {name},", "Remember:", "The next thing:", "We need this:",
    "Picture this:", "Answer:", "By the way,", "In other words,", "Let me think:", "I think that",
)  # fmt: skip

TAILS = (
    "now", "here", "as shown", "in the picture", "in the figure", "as {name} said", "says {name}", "at this point",
    "as required", "as before", "after that", "for {name}", "in the {place}", "on {time}", ", as we can see",
    ", so we go on", ", and then we stop", ", which we need later", ", as the problem says", " (see above)",
    ", and {name} {verb} it", ", because {name} {verb} the {noun}", ". {salad}", ", {salad}", ". That is clear",
    ". We use this later", ". This is what we need", ". {name} agrees", ", right", ", of course", " - {salad}",
    ". Now we can go on", ", while {name} {verb}", ". So far so good", ", just as {name} {verb}",
    ", which is {adj}", ". Then {name} {verb}", ", and so on", "for now", "to be exact",
)  # fmt: skip

BARE = 0.45
"""The share of statements that stay as they are."""


def dress(statement: str, rng: random.Random, held_out: bool = False) -> str:
    """A sentence with the statement in it; slots of `words.fill` in the dressing are filled.

    The statement comes with its own slots filled, in lower case where it would be inside a sentence.
    """
    lead = tail = ""
    if rng.random() > BARE:
        which = rng.random()
        if which < 0.75:
            lead = words.fill(rng.choice(templates(LEADS, held_out)), rng) + " "
        if which > 0.45:
            tail = words.fill(rng.choice(templates(TAILS, held_out)), rng)
            tail = tail if tail[0] in ".," or tail.startswith(" ") else " " + tail
    text = lead + statement + tail
    if rng.random() < 0.8:
        text = text[:1].upper() + text[1:]
    return text + rng.choice((".", ".", "", "!"))
