"""Column maps of chats: a list of messages, in every spelling of one, and prompt and completion.

A message list gives one trace for every assistant turn that reasons: in a field of its own (`reasoning_content`,
`reasoning`, `thinking`, `reasoning_details`), in typed content ({type: reasoning}), in a channel of harmony, in a turn
of a role of its own (`thinking`), or in thought tags inside the text. The question is the last user turn before it,
with those right before that; earlier turns and tool results stay in the record. An answer in a later turn, behind a
tool's, is that of the turn that reasoned. Where some turns reason, those that do not are counted in the note
`turns_without_reasoning:n`; where none does, every answer is a trace, with the note `no_thought_tags`.

Roles are read in any case and under any name in use (`from`/`value`, `role`/`content`, Gemini's `model` and `parts`).
The gold answer is the record's `answer`, or `reference_answer` or `ground_truth` in a message's `info`
(a-m-team/AM-DeepSeek-R1-Distilled-1.4M and AM-Thinking-v1-Distilled, dataset cards); it belongs to the last trace.
"""

import re
from typing import Any

from zero_engine.pipeline import Input
from zero_engine.read.fields import Draft, Record, Unusable, find, gold_text, missing, texts
from zero_engine.read.markers import ASSISTANT, USER
from zero_engine.read.pictured import question_pictures
from zero_engine.read.places import MARK, PLACE, called, mark, named, plain, tidied, written
from zero_engine.read.tags import split_thinking
from zero_engine.read.turns import as_turns, message_list, role_of

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "thought", "inner_thought", "analysis")
REASONING_TYPES = (
    "reasoning",
    "thinking",
    "thought",
    "reasoning_content",
    "reasoning.text",
    "reasoning.summary",
    "summary_text",
)
TEXT_TYPES = ("text", "input_text", "output_text", "value", None)
PICTURE_TYPES = ("image", "image_url", "input_image", "picture")
HELD_KEYS = ("inline_data", "inlineData", "source", "file_data", "fileData")
"""Where Anthropic's and Gemini's parts hold a picture and its type."""
PICTURE_KEYS = ("image", "image_url", "picture", "url", "path")
UNREAD_TYPES = ("video", "audio", "input_audio", "input_file", "file", "document", "image_")
TEXT_KEYS = ("text", "value", "content", "thinking", "reasoning", "summary")
GOLD_INFO = ("reference_answer", "ground_truth", "gold_answer", "expected_answer")
THOUGHT_ROLES = ("thinking", "thought", "think", "reasoning", "reasoning_content", "analysis")
THOUGHT_CHANNELS = ("analysis", "thinking", "commentary")


def messages(record: Record, spec: Input) -> list[Draft]:
    """One trace for each assistant turn that reasons, or, where none does, for each answer."""
    drafts = _drafts(message_list(record), record, spec)
    if not drafts:
        raise Unusable("no_reasoning", "no assistant turn with a text in it")
    gold = gold_text(record, "answer")
    if gold is not None:
        drafts[-1].answer = gold
    if choices := texts(record, "choices"):
        for draft in drafts:
            draft.choices = choices
    return drafts


def prompt_completion(record: Record, spec: Input) -> list[Draft]:
    """`prompt` and `completion`, each a text or a list of messages (TRL, dataset formats). The last turn is the
    trace."""
    for key in ("prompt", "completion"):
        if key not in record:
            raise missing(record, key)
    prompt, completion = as_turns(record["prompt"], "user"), as_turns(record["completion"], "assistant")
    drafts = _drafts([*prompt, *completion], record, spec)
    if not drafts:
        raise Unusable("no_reasoning", "the completion holds no text")
    drafts[-1].answer = gold_text(record, "answer")
    return drafts[-1:]


def question_text(value: Any) -> Any:
    """A question that may be a list of messages, as its last user turn; anything else as it is."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        said = [_content(turn, _Unmarked({}))[0] for turn in value if role_of(turn) == USER]
        return said[-1] if said else value
    return value


def marked_parts(
    values: tuple[Any, ...], images: tuple[object, ...]
) -> tuple[list[Any], tuple[tuple[str, object], ...]]:
    """Each value that is a list of messages as its last user turn, one that is a list of typed parts as its text, with
    a mark for each picture in it, and the pictures. Any other value stays as it is."""
    pictures = _Pictures({"images": list(images)})
    told: list[Any] = []
    for value in values:
        turns = value if isinstance(value, list) and value and isinstance(value[0], dict) else []
        asked = [turn for turn in turns if role_of(turn) == USER]
        if turns and all(isinstance(part, str) or _is_part(part) for part in turns):
            asked = [{"content": value}]
        told.append(_content(asked[-1], pictures)[0] if asked else value)
    return told, tuple(pictures.taken)


def _drafts(turns: list[Record], record: Record, spec: Input) -> list[Draft]:
    pictures = _Pictures(record)
    question, gold, is_asking = "", None, False
    reasoned_drafts: list[Draft] = []
    silent: list[Draft] = []
    thought: list[str] = []
    waiting: Draft | None = None  # a turn that reasoned and has not answered
    for turn in turns:
        role, before = role_of(turn), len(pictures.taken)
        said, reasoned = _content(turn, pictures)
        if role == USER:
            question, thought = (f"{question}\n{said}" if is_asking and said else said), []
            is_asking, waiting = True, None
            gold = _gold(turn, gold)
            continue
        if str(turn.get("role") or turn.get("from")).lower() in THOUGHT_ROLES:
            thought.append(said)
            continue
        if role != ASSISTANT:
            continue
        is_asking = False
        channel = turn.get("channel")
        if isinstance(channel, str) and channel.lower() in THOUGHT_CHANNELS:
            thought.append(said)
            continue
        if len(pictures.taken) > before:
            said, reasoned = tidied(said, str.strip), reasoned and tidied(reasoned, str.strip)
        inner = "\n\n".join([*thought, *([reasoned] if reasoned else [])])
        thought = []
        if not said and not inner:
            continue
        if waiting and not inner and not _has_thought(said, spec):
            waiting.said, waiting = said, None
            continue
        draft = Draft(question, said, _gold(turn, gold))
        if inner:
            tagged = split_thinking(said, spec.think_tags)
            draft.rationale = "\n\n".join(
                part for part in (inner, tagged.rationale if tagged else "") if part
            )
            draft.said = (tagged.answer if tagged else said) or None
            draft.notes = tagged.notes if tagged else ()
            reasoned_drafts.append(draft)
            waiting = None if draft.said else draft
        else:
            (reasoned_drafts if _has_thought(said, spec) else silent).append(draft)
    notes = pictures.notes()
    if reasoned_drafts and silent:
        notes += (f"turns_without_reasoning:{len(silent)}",)
    elif silent:
        notes += ("no_thought_tags",)
    drafts = reasoned_drafts or silent
    used = {
        number
        for draft in drafts
        for number in MARK.findall(f"{draft.question}{draft.rationale}{draft.said}")
    }
    if unused := len(pictures.taken) - len(used):
        notes += (f"turn_images_dropped:{unused}",)
    first = drafts[0].question if drafts else ""
    for draft in drafts:
        draft.notes += notes
        draft.pictures = tuple(pictures.taken)
        if draft.question == first:
            draft.images, draft.image_names = pictures.without_marks()
    return drafts


def _has_thought(said: str, spec: Input) -> bool:
    return split_thinking(said, spec.think_tags) is not None or "<|channel|>analysis" in said


def _gold(turn: Record, gold: Any) -> str | None:
    """The known answer in what a message says about itself, else the one before it."""
    own = [find(turn, f"info.{key}") for key in GOLD_INFO]
    return gold_text({"gold": next((one for one in own if one not in (None, "")), gold)}, "gold")


def _content(turn: Record, pictures: "_Pictures") -> tuple[str, str | None]:
    """Text and reasoning of one message, whose content is a string or a typed list, with marks for their pictures."""
    reasoned = [
        turn[key] for key in (*REASONING_KEYS, "reasoning_details") if isinstance(turn.get(key), (str, list))
    ]
    thoughts = next((told for one in reasoned if (told := _details(one, pictures))), [])
    content = next(
        (turn[key] for key in ("content", "value", "parts", "text", "message") if turn.get(key) is not None),
        None,
    )
    if isinstance(content, dict):
        content = content.get("parts") or content.get("content") or [content]
    if content is None or isinstance(content, str):
        return pictures.marked(content or ""), "\n\n".join(thoughts) or None
    if not isinstance(content, list):
        raise Unusable("wrong_type", f"content must be text or a list, got {type(content).__name__}")
    said: list[str] = []
    for part in content:
        if isinstance(part, str):
            said.append(pictures.marked(part))
        elif isinstance(part, dict):
            _add_part(part, said, thoughts, pictures)
        elif isinstance(part, list):
            said += _details(part, pictures)
    return "\n".join(said), "\n\n".join(thoughts) or None


def _add_part(part: Record, said: list[str], thoughts: list[str], pictures: "_Pictures") -> None:
    """Add a part to the texts; a picture goes with the thoughts while nothing has been said beside them."""
    kind = part.get("type")
    if kind is not None and not isinstance(kind, str):
        raise Unusable("wrong_type", f"the type of a content part must be text, got {type(kind).__name__}")
    if _is_picture(part):
        place = _placed(part, pictures)
        if thoughts and not said:
            thoughts[-1] += place
        else:
            said.append(place)
        return
    value = next(
        (part[key] for key in (kind, *TEXT_KEYS) if isinstance(key, str) and part.get(key) is not None), ""
    )
    if isinstance(value, list):  # `summary: [{type: summary_text, text: ..}]`
        value = "\n\n".join(_details(value, pictures))
    if kind in REASONING_TYPES or part.get("thought") is True:
        if isinstance(value, str) and value:
            thoughts.append(pictures.marked(value))
    elif kind in TEXT_TYPES and isinstance(value, str):
        said.append(pictures.marked(value))
    elif isinstance(kind, str) and kind.startswith(UNREAD_TYPES):
        pictures.unread += 1


def _is_part(part: Any) -> bool:
    """Whether an object is a typed part of a message: a text or a picture."""
    return isinstance(part, dict) and (part.get("type") in TEXT_TYPES[:-1] or _is_picture(part))


def _is_picture(part: Record) -> bool:
    """Whether a part is a picture: by its type, or, where it has none, by what it holds beside no text."""
    if part.get("type") in PICTURE_TYPES or any(isinstance(part.get(key), dict) for key in HELD_KEYS[:2]):
        return True
    return (
        part.get("type") is None and not part.get("text") and any(part.get(key) for key in PICTURE_KEYS[:3])
    )


def _placed(part: Record, pictures: "_Pictures") -> str:
    """The mark of a part's picture, as OpenAI, Anthropic, Gemini and transformers spell it; without one, the next of
    `images` (TRL)."""
    held = next((part[key] for key in HELD_KEYS if isinstance(part.get(key), dict)), None)
    if held is not None:
        names = ("data", "url", "file_uri", "fileUri")
        value = next((held[key] for key in names if held.get(key)), "")
    else:
        keys = (part.get("type"), *TEXT_KEYS, *PICTURE_KEYS)
        value = next((part[key] for key in keys if isinstance(key, str) and part.get(key)), "")
        value = value or (part if part.get("bytes") else "")
        value = value["url"] if isinstance(value, dict) and "url" in value else value
    return pictures.place(value) if value else pictures.marked(PLACE)


def _details(parts: str | list[Any], pictures: "_Pictures") -> list[str]:
    """Texts inside a part, of `reasoning_details` (OpenRouter) and of summaries, with marks for their pictures; those
    that are encrypted hold none."""
    found: list[str] = []
    for part in [parts] if isinstance(parts, str) else parts:
        if isinstance(part, dict) and _is_picture(part):
            place = _placed(part, pictures)
            found = [*found[:-1], found[-1] + place] if found else [place]
            continue
        names = ("text", "summary", "content")
        said = (
            next((part[key] for key in names if isinstance(part.get(key), str)), "")
            if isinstance(part, dict)
            else part
        )
        if isinstance(said, str) and said.strip():
            found.append(pictures.marked(said))
    return found


class _Pictures:
    """Marks the pictures of a record's turns; those of its `images` are dealt to their marks (`places`), in order."""

    def __init__(self, record: Record) -> None:
        many = record.get("images")
        self._name, images = question_pictures(record if many is None else {"images": many})
        self._images = list(images)
        self.unread = self._asked = 0
        self._first = 1
        self.taken: list[tuple[str, object]] = []
        """Key and reference of each marked picture."""

    def place(self, reference: object) -> str:
        """The mark of a picture that stands in a message itself."""
        self.taken.append((f"picture {len(self.taken)} of the messages", reference))
        return mark(len(self.taken) - 1)

    def marked(self, text: str) -> str:
        """The text with our mark for each mark of the corpus, or none where `images` has no more."""
        found = written(text, self._images) if self._images else plain(text)
        pieces, end = [], 0
        for one in found:
            pieces += [text[end : one.start()], self._shown(one)]
            end = one.end()
        return "".join([*pieces, text[end:]])

    def notes(self) -> tuple[str, ...]:
        notes = (f"parts_unread:{self.unread}",) if self.unread else ()
        if self._asked == len(self._images):
            return notes
        return (f"image_placeholders:{self._asked}_of_{len(self._images)}", *notes)

    def without_marks(self) -> tuple[tuple[object, ...], tuple[str, ...]]:
        """The pictures of `images` where no text has a mark, and their names: they belong to the first question."""
        if self._asked:
            return (), ()
        return tuple(self._images), tuple(f"{self._name}[{at}]" for at in range(len(self._images)))

    def _paths(self) -> dict[str, int]:
        return {path: at for at, image in enumerate(self._images) for path in called(image)}

    def _shown(self, found: re.Match[str]) -> str:
        """The mark of the picture that a mark of the corpus stands for."""
        if (name := named(found)) and name not in self._paths():
            return self.place(name)
        self._asked += 1
        if name:
            at = self._paths()[name]
        elif found["number"]:
            self._first = 0 if int(found["number"]) == 0 else self._first
            at = int(found["number"]) - self._first
        else:
            at = self._asked - 1
        if not 0 <= at < len(self._images):
            return ""
        self.taken.append((f"{self._name}[{at}]", self._images[at]))
        return mark(len(self.taken) - 1)


class _Unmarked(_Pictures):
    """For texts in which pictures have no place: marks are left as they are."""

    def place(self, reference: object) -> str:
        return ""

    def marked(self, text: str) -> str:
        return text
