"""The format `generic`: any corpus, under the names that the user's column map gives.

Pictures. `image` or `images` are the question's: a picture, a list of them, or columns `image_1`, `image_2` and so on.
Where the texts hold a mark for each of them (`places`), a picture stands where its mark stands: in the question; in an
option, which is then called `picture n` while the picture goes behind the question; or in the rationale, whose step it
then belongs to. The steps' pictures may also be in `step_images`, or in each step beside its text.
"""

from zero_engine.parse.given import HELD
from zero_engine.pipeline import Input
from zero_engine.read.chats import marked_parts
from zero_engine.read.fields import (
    Draft,
    Record,
    Unusable,
    gold_choice,
    missing,
    optional_text,
    step_text,
    text,
    texts,
)
from zero_engine.read.pictured import as_pictures, is_there, question_pictures, too_few
from zero_engine.read.places import (
    MARK,
    PLACE,
    dealt,
    holds_picture,
    in_question,
    mark,
    names_of,
    snug,
    unmarked,
    without_marks,
    without_places,
    written,
)

PICTURE_KEYS = ("image", "picture", "images", "image_url")
"""Where a step, or an option, that is an object has its picture."""


def generic(record: Record, spec: Input) -> list[Draft]:
    """id, question, rationale, answer, response, choices, steps, image, step_images under these names or `columns`.

    `response` is what the model said after its thought: its answer stands in where there is no gold one. `step_images`
    has a picture or null for each of `steps`; without steps, one for each `<image>` in the rationale.
    """
    if "question" not in record:
        raise missing(record, spec.columns.get("question", "question"))
    meant_else = {"steps", "response", "answer"} & set(spec.columns.values()) - set(spec.columns)
    if meant_else:  # a column that was given another meaning has not its own as well
        record = {name: value for name, value in record.items() if name not in meant_else}
    steps = step_texts(record, "steps") or None
    if record.get("rationale") is None and steps is None:
        if "rationale" not in record and "steps" not in record:
            raise missing(record, spec.columns.get("rationale", "rationale"))
        if record.get("rationale", "") is None or "rationale" not in record:
            raise Unusable("missing_value", f"{spec.columns.get('rationale', 'rationale')} is null")
    name, images = question_pictures(record)
    own = record.get("rationale")
    asks = own is not None and spec.columns.get("rationale") == spec.columns.get("question", "question")
    (asked, said), pictures = marked_parts((record["question"], None if asks else own), images)
    if asks:  # the question stands in for a rationale (`train.asking`); its marks count once
        rationale = unmarked(MARK.sub("", text({"question": asked}, "question")))[0]
    elif said is not None:
        rationale = rationale_text({"rationale": said}, "rationale")
    else:
        rationale = "\n".join(steps or ())
    images = tuple(one for one in images if all(one is not taken for _, taken in pictures))
    choices, shown = _choices(record)
    draft = Draft(
        text({"question": asked}, "question"),
        rationale,
        gold_choice(record, "answer", choices),
        steps,
        choices,
        pictures=pictures,
        said=optional_text(record, "response"),
    )
    if pictures:
        draft.images = images
    else:
        _place(draft, name, images, record.get("step_images") is not None)
    for at, picture in shown:
        draft.pictures += ((f"choices[{at}]", picture),)
        _show_option(draft, at, mark(len(draft.pictures) - 1))
    _give_pictures(draft, record, spec.columns.get("step_images", "step_images"))
    return [draft]


def leave_unread(drafts: list[Draft], record: Record) -> None:
    """Note the question's pictures where a format reads none, and take their marks out of the texts."""
    count = sum(is_there(one) for one in question_pictures(record)[1])
    for draft in drafts:
        if count and not (draft.images or draft.pictures or draft.given):
            draft.question = without_places(draft.question)
            without_marks(draft, ())
            draft.notes += (f"images_unread:{count}",)


def rationale_text(record: Record, key: str) -> str:
    """A rationale: a text, or a list of one or more texts."""
    value = record[key]
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value):
        return "\n\n".join(value)
    return text(record, key)


def step_texts(record: Record, key: str) -> tuple[str, ...]:
    """Steps that the corpus marks: a list of texts, or of objects that have one."""
    value = record.get(key)
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, dict) for item in value):
        found = []
        for item in value:
            said = step_text(item)
            if said is None:
                raise Unusable(
                    "wrong_type", f"{key}: a step has no text; it has {', '.join(map(str, list(item)[:8]))}"
                )
            found.append(said)
        return tuple(found)
    return texts(record, key)


def own_picture(item: object) -> object:
    """The picture that a step or an option holds beside its text, or None."""
    if not isinstance(item, dict):
        return None
    return next((item[key] for key in PICTURE_KEYS if is_there(item.get(key))), None)


def _choices(record: Record) -> tuple[tuple[str, ...], tuple[tuple[int, object], ...]]:
    """The options, and (place, picture) of those that are pictures."""
    value = record.get("choices")
    if not (isinstance(value, (list, tuple)) and any(isinstance(item, dict) for item in value)):
        return texts(record, "choices"), ()
    told: list[object] = []
    shown: list[tuple[int, object]] = []
    for at, item in enumerate(value):
        picture = own_picture(item) or (item if is_there(item) else None)
        if picture is None:
            told.append(item)
            continue
        said = item.get("text") if isinstance(item, dict) else None
        told.append(said if isinstance(said, str) else "")
        shown.append((at, picture))
    return texts({"choices": told}, "choices"), tuple(shown)


def _place(draft: Draft, name: str, images: tuple[object, ...], own_marks: bool) -> None:
    """Put pictures where their marks stand. `own_marks`: those of the rationale stand for `step_images`."""
    there = tuple(one for one in images if one is not None)
    trace = [] if own_marks else list(draft.steps or (draft.rationale,))
    asked = [draft.question, *draft.choices]
    # an `image` without a mark is the question's, whatever follows
    if name == "images" or any(map(written, asked)) or any(map(holds_picture, trace)):
        for told in ([*asked, *trace], asked):
            for pool in (images, there):
                if any(written(one, there) for one in told) and (placed := dealt(told, pool)):
                    _use(draft, placed[0], tuple((f"{name}[{at}]", one) for at, one in enumerate(placed[1])))
                    return
    draft.question, draft.images, notes = in_question(draft.question, there, name != "" or own_marks)
    draft.image_names = names_of(draft.images, images, [f"{name}[{at}]" for at in range(len(images))])
    draft.notes += notes


def _use(draft: Draft, placed: list[str], pool: tuple[tuple[str, object], ...]) -> None:
    """Take texts with marks: those of the question, of its options, and of the trace if they are there."""
    for number in MARK.findall("".join(placed)):
        if pool[int(number)][1] is None:
            raise Unusable("image_missing", f"{pool[int(number)][0]} is null")
    draft.pictures, draft.question = pool, placed[0]
    options, trace = placed[1 : 1 + len(draft.choices)], placed[1 + len(draft.choices) :]
    for at, option in enumerate(options):
        for number in MARK.findall(option):
            _show_option(draft, at, mark(number))
    if trace and draft.steps is None:
        draft.rationale = snug(trace[0])
    elif trace:
        _give_marked(draft, trace, 0)


def _show_option(draft: Draft, at: int, shown: str) -> None:
    """Put the picture of an option behind the question, and say in the option which picture it is."""
    draft.question += ("\n" if shown and draft.question else "") + shown
    place = len(MARK.findall(draft.question))
    own = unmarked(MARK.sub("", draft.choices[at]))[0].strip()
    told = f"{own} (picture {place})" if own else f"picture {place}"
    draft.choices = (*draft.choices[:at], told, *draft.choices[at + 1 :])


def _give_pictures(draft: Draft, record: Record, name: str) -> None:
    """Put each picture of `step_images`, or of a step that is an object, to its step or into the rationale."""
    items = record["steps"] if draft.steps is not None and isinstance(record["steps"], (list, tuple)) else ()
    draft.given += tuple(
        (at, f"steps[{at}]", picture)
        for at, item in enumerate(items)
        for picture in as_pictures(own_picture(item))
    )
    pictures = as_pictures(record.get("step_images"))
    if not pictures and (draft.steps is None or record.get("step_images") is None):
        return
    named = tuple((f"{name}[{at}]", picture) for at, picture in enumerate(pictures))
    placed = dealt(draft.steps or (draft.rationale,), pictures)
    first = len(draft.pictures)
    if draft.steps is None:
        if placed is None:
            raise Unusable(
                "wrong_type",
                f"{name} has {len(pictures)} pictures; it goes with `steps`, or with as many {PLACE} in the rationale "
                f"(there are {len(written(draft.rationale))})",
            )
        (marked,), pictures = placed
        draft.rationale = MARK.sub(lambda found: mark(int(found[1]) + first), snug(marked))
        draft.pictures += tuple((f"{name}[{at}]", picture) for at, picture in enumerate(pictures))
        draft.notes += (HELD,)
    elif placed is not None and len(pictures) != len(draft.steps):
        draft.pictures += named
        _give_marked(draft, placed[0], first)
    else:
        draft.notes += too_few(len(pictures), len(draft.steps))
        given = tuple(
            (at, key, one)
            for at, (key, several) in enumerate(named)
            for one in as_pictures(several)
            if one is not None
        )
        with_one = {at for at, *_ in given}
        draft.steps = tuple(unmarked(one)[0] if at in with_one else one for at, one in enumerate(draft.steps))
        draft.given += given


def _give_marked(draft: Draft, steps: list[str], first: int) -> None:
    """Give each step that the corpus marks the pictures whose marks it holds, counted from `first`."""
    draft.steps = tuple(MARK.sub("", step).strip() if MARK.search(step) else step for step in steps)
    draft.given += tuple(
        (at, *draft.pictures[int(number) + first])
        for at, step in enumerate(steps)
        for number in MARK.findall(step)
    )
