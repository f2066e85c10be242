"""Where a run keeps what a server of pictures answered (`painters.answers`), and when it goes."""

from collections.abc import Iterable

from zero_engine.painters.answers import Answers
from zero_engine.sections import is_store
from zero_engine.write.folder import ANSWERS
from zero_engine.write.mirror import mirror_at
from zero_engine.write.place import here
from zero_engine.write.remote import remote_at
from zero_engine.write.store import DrawingFile, identities


def answers_of(place: str) -> Answers:
    """The answers of an output folder; of one in a store those here and those there."""
    store = remote_at(f"{place.rstrip('/')}/{ANSWERS}") if is_store(place) else None
    return Answers(here(place).absolute() / ANSWERS, store)


def forget_answers(place: str, *names: str) -> None:
    """Delete the answers for the drawings of these files, which are committed now."""
    answers_of(place).forget(_identities(place, names))


def drop_answers(place: str, *names: str) -> None:
    """What the store holds is needed here no more when these files are made, but by a driver on this machine."""
    if is_store(place) and not mirror_at(place).is_lived_in():
        answers_of(place).forget_here(_identities(place, names))


def _identities(place: str, names: Iterable[str]) -> list[str]:
    found = (pair for name in names for pair in identities(DrawingFile(str(here(place)), name, "")))
    return [identity for _, identity in found if identity]
