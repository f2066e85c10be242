"""Thought tags: where the rationale of one text begins and ends.

The tags are found, not configured: those of `FAMILIES`, in any case, with blanks inside (`< think >`) or escaped as in
a web page (`&lt;think&gt;`), the family that begins first. Models write them with every fault there is: never opened
(the prompt held the tag), never closed (the text was cut), opened again after a first answer, or named in prose. The
rules:
- A block opens at a tag that begins a line, or at any tag that is closed later; inside a block
  further opening tags are prose.
- Of the closing tags before the next opening one, a block closes at the first that is at an edge of
  a line, or else at the first.
- A tag in backticks or quotes is prose.
- A closing tag before any block closes one that began with the text (`think_unopened`).
- A block that never closes runs to the end, and there is no answer (`think_unclosed`); but where the next thing that
  follows is a tag of the answer, the answer begins there.
- All that comes before the end of the last block, without the tags, is the rationale, in order
  (`think_blocks:n` where there are several); the answer is what follows it.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

QUOTES = ("`", '"', "'")
FAMILIES: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<reason>", "</reason>"),
    ("<analysis>", "</analysis>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<cot>", "</cot>"),
    ("<chain_of_thought>", "</chain_of_thought>"),
    ("<thought_process>", "</thought_process>"),
    ("<thinking_process>", "</thinking_process>"),
    ("<rationale>", "</rationale>"),
    ("<inner_thought>", "</inner_thought>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|thought_start|>", "<|thought_end|>"),
    ("<|think|>", "<|/think|>"),
    ("<|thinking|>", "<|/thinking|>"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("[think]", "[/think]"),
)
"""Opening and closing tags in use: DeepSeek-R1, QwQ, Qwen3 and many (think), Claude-like (thinking), Marco-o1
(Thought), LLaVA-CoT and GRPO recipes (reasoning), Seed-OSS (seed:think), Sky-T1, Bespoke-Stratos and OpenThoughts
(begin_of_thought), Kimi (the ones with triangles), Magistral (brackets). Harmony's channels are read by `markers`."""
ANSWER_OPENS = ("<answer>", "<output>", "<|begin_of_solution|>", "<response>", "<solution>", "<conclusion>")
"""Tags that begin an answer: what follows one is not thought, also where the thought was never closed."""
SECTION = re.compile(r"[ \t]*</?(?:summary|caption|perception|observation|description)>[ \t]*", re.IGNORECASE)
"""Tags of sections before the thought (LLaVA-CoT's summary and caption): they go, their text is thought."""
PARTS = re.compile(r"<(count|reward)>[^<>\n]{0,40}</\1>|</?(?:step|plan|reflection)>", re.IGNORECASE)
"""Tags that part a thought (`<step>`, `<reflection>`), and what a model counts and rates in it."""
_ANGLED = re.compile(r"<(/?)([\w:]+)>")


def _spelt(tag: str) -> str:
    """The pattern of a tag in use, however it is spelt."""
    found = _ANGLED.fullmatch(tag)
    if found is None:
        return re.escape(tag)
    return rf"(?:<|&lt;)[ \t]{{0,3}}{found[1]}[ \t]{{0,3}}{re.escape(found[2])}[ \t]{{0,3}}(?:>|&gt;)"


def _plain(mark: re.Match[str]) -> str:
    """A tag in use as `FAMILIES` spells it."""
    said = mark.group().lower().replace("&lt;", "<").replace("&gt;", ">")
    return "".join(said.split())


_FIRST = re.compile("|".join(_spelt(tag) for pair in FAMILIES for tag in pair), re.IGNORECASE)
_ANSWER = re.compile(
    r"^[ \t]*(?:" + "|".join(map(re.escape, ANSWER_OPENS)) + ")", re.IGNORECASE | re.MULTILINE
)
_FAMILY = {tag: pair for pair in FAMILIES for tag in pair}


@dataclass(frozen=True, slots=True)
class Thinking:
    """A text cut at its think tags."""

    rationale: str
    answer: str
    notes: tuple[str, ...] = ()


def split_thinking(text: str, tags: tuple[str, str] | None = None) -> Thinking | None:
    """Rationale and answer of a text with thought tags; None where there is none. Linear in its length.

    `tags` are an opening and a closing one, taken as they are; without them the tags in use are found.
    """
    if tags is None:
        first = (
            next((m for m in _FIRST.finditer(text) if not _is_quoted(text, m)), None)
            if _may_hold(text)
            else None
        )
        if first is None:
            return None
        tags, in_use = _FAMILY[_plain(first)], True
    else:
        if tags[0] not in text and tags[1] not in text:
            return None
        in_use = False
    return _split(text, tags, in_use)


def without_parts(text: str) -> str:
    """The text with a line break for each tag that parts a thought, where such a tag is closed."""
    lowered = text.lower() if "</" in text else ""
    if not any(f"</{name}>" in lowered for name in ("step", "plan", "reflection")):
        return text
    return PARTS.sub("\n", text).strip()


def _may_hold(text: str) -> bool:
    """A cheap no: whether a tag of the families could be in a text at all."""
    if ">" not in text and "]" not in text and "\u25b7" not in text and "&gt;" not in text:
        return False
    return any(part in text for part in _PARTS)


_PARTS = (
    "hink",
    "ought",
    "eason",
    "nalysis",
    "cratchpad",
    "ationale",
    "cot",
    "HINK",
    "OUGHT",
    "EASON",
    "NALYSIS",
    "CRATCHPAD",
    "ATIONALE",
    "CoT",
    "COT",
)


def _split(text: str, tags: tuple[str, str], in_use: bool) -> Thinking | None:
    kinds: list[bool] = []
    marks: list[re.Match[str]] = []
    for mark in _pattern(tags, in_use).finditer(text):
        if not _is_quoted(text, mark):
            marks.append(mark)
            kinds.append((_plain(mark) if in_use else mark.group()) == tags[1])
    closes = [i for i, is_close in enumerate(kinds) if is_close]
    blocks: list[tuple[re.Match[str] | None, ...]] = []
    last_close = closes[-1] if closes else -1
    at = 0
    while at < len(marks):
        mark = marks[at]
        if not kinds[at]:
            at += 1
            if at <= last_close or _begins_line(text, mark):
                if inner := _nested(kinds, at):
                    blocks.append((mark, *marks[at : at + inner]))
                    at += inner
                    continue
                end, at = _block_end(text, marks, kinds, closes, at)
                blocks.append((mark, end))
        elif not blocks:
            end, at = _block_end(text, marks, kinds, closes, at)
            blocks.append((None, end))
        else:
            at += 1
    if not blocks:
        return None
    notes: tuple[str, ...] = ("think_unopened",) if blocks[0][0] is None else ()
    pieces, position = [], 0
    for mark in (mark for block in blocks for mark in block if mark):
        pieces.append(text[position : mark.start()])
        position = mark.end()
    if blocks[0][0] is not None:
        pieces[0] = SECTION.sub("", pieces[0])
    if blocks[-1][-1] is None:
        notes += ("think_unclosed",)
        answer = _ANSWER.search(text, position)
        stop = answer.start() if answer else len(text)
        pieces.append(text[position:stop])
        position = stop
    if len(blocks) > 1:
        notes += (f"think_blocks:{len(blocks)}",)
    return Thinking("".join(pieces).strip(), text[position:].strip(), notes)


def _nested(kinds: list[bool], at: int) -> int:
    """Tags up to the one that closes a block, where blocks begin inside of it and all close in a row; else 0."""
    opened = at
    while opened < len(kinds) and not kinds[opened]:
        opened += 1
    inner = opened - at
    closed = kinds[opened : opened + inner + 1]
    return 2 * inner + 1 if inner and len(closed) == inner + 1 and all(closed) else 0


def _block_end(
    text: str, marks: list[re.Match[str]], kinds: list[bool], closes: list[int], at: int
) -> tuple[re.Match[str] | None, int]:
    """The closing tag of a block that began before `marks[at]`, and where to go on.

    Of the closing tags before the next opening one, the first at an edge of a line, else the first.
    """
    next_close = bisect_left(closes, at)
    if next_close == len(closes):
        return None, len(marks)
    first = closes[next_close]
    for i in range(first, len(marks)):
        if not kinds[i]:
            break
        if _begins_line(text, marks[i]) or _ends_line(text, marks[i]):
            return marks[i], i + 1
    return marks[first], first + 1


@lru_cache(maxsize=32)
def _pattern(tags: tuple[str, str], in_use: bool) -> re.Pattern[str]:
    if in_use:
        return re.compile("|".join(map(_spelt, tags)), re.IGNORECASE)
    return re.compile("|".join(map(re.escape, tags)))


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    before, after = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
    return before in QUOTES and after in QUOTES


def _begins_line(text: str, mark: re.Match[str]) -> bool:
    """Whether only blanks stand before the tag in its line. Looks back over blanks, not over the line."""
    at = mark.start() - 1
    while at >= 0 and text[at] in " \t\r\f\v":
        at -= 1
    return at < 0 or text[at] == "\n"


def _ends_line(text: str, mark: re.Match[str]) -> bool:
    at = mark.end()
    while at < len(text) and text[at] in " \t\r\f\v":
        at += 1
    return at == len(text) or text[at] == "\n"
