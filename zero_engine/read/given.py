"""The pictures that a corpus gives for its steps: loaded for a run that keeps them, left aside by one that draws anew.

A picture that cannot be loaded is no reason to lose its trace: `Given.problem` says why, and the render stage rejects
its step by name.
"""

import hashlib
from dataclasses import replace

from zero_engine.parse.given import HELD
from zero_engine.read.fields import Unusable
from zero_engine.read.images import PictureRules, load_picture
from zero_engine.records import Given, Trace


def loaded(trace: Trace, rules: PictureRules) -> Trace:
    """The trace with the bytes of its given pictures, or with what is wrong with them."""
    if not trace.given:
        return trace
    return replace(trace, given=tuple(_loaded(given, trace.source.path, rules) for given in trace.given))


def redrawn(trace: Trace) -> Trace:
    """The trace without its given pictures, and with a note that it had some."""
    if not trace.given and not any(_is_held(note) for note in trace.notes):
        return trace
    notes = tuple(
        note.replace(HELD, f"{HELD}_dropped", 1) if _is_held(note) else note for note in trace.notes
    )
    if notes == trace.notes:
        notes += (f"{HELD}_dropped:{len(trace.given)}",)
    return replace(trace, given=(), notes=notes)


def reference_digest(given: Given) -> bytes:
    """16 bytes over a reference, for comparing traces that nobody has loaded."""
    return hashlib.blake2b(
        repr((given.at, given.reference)).encode("utf-8", "replace"), digest_size=16
    ).digest()


def _loaded(given: Given, input_path: str, rules: PictureRules) -> Given:
    try:
        return replace(given, image=load_picture(given.reference, input_path, rules))
    except Unusable as problem:
        return replace(given, problem=(problem.reason, problem.detail))


def _is_held(note: str) -> bool:
    return note.partition(":")[0] == HELD
