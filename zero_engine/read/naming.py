"""Which columns are question, rationale and answer: by the names that people give them, then by their values.

Names are compared in lower case with words parted (`Final Answer`, `finalAnswer`, `meta.final-answer`), whole first,
then as a beginning or an end (`deepseek_reasoning`). Where no name tells, the longest text is the rationale, a text
with a question mark the question, a short one that the rationale reaches the answer. A word by itself (`gsm8k`, a
model's name) is never a question or a rationale, whatever its column is called. A chat that ends with the user is a
question, its last turn otherwise a text like others; what is called rejected or wrong is nothing.
"""

import itertools
import re
from typing import Any

from zero_engine.read.chats import question_text
from zero_engine.read.fields import Record, find, step_text
from zero_engine.read.markers import ASSISTANT, USER
from zero_engine.read.options import option_columns
from zero_engine.read.passages import is_passage, says_again, tell_apart
from zero_engine.read.spelling import ANSWERED, ASKED, REASONED, by_name, is_named, spelled
from zero_engine.read.tags import split_thinking
from zero_engine.read.turns import role_of

QUESTION = (
    "question",
    "problem",
    "prompt",
    "instruction",
    "query",
    "input",
    "task",
    "user",
    "human",
    "exercise",
    "q",
    *ASKED,
)
THOUGHT = (
    "rationale",
    "reasoning",
    "reasoning_content",
    "chain_of_thought",
    "cot",
    "thinking_trajectories",
    "thinking_trajectory",
    "thinking",
    "thought",
    "think_content",
    "reasoning_trace",
    "trace",
    "explanation",
    "generated_solution",
    "steps",
)
"""Names of reasoning and of nothing else."""
RATIONALE = (
    *THOUGHT,
    "solution",
    "response",
    "completion",
    "output",
    "generation",
    "assistant",
    "model_output",
    "full_chosen",
    "chosen",
    *REASONED,
    "text",
)
GOLD = (
    "expected_answer",
    "final_answer",
    "ground_truth_answer",
    "reference_answer",
    "gold_answer",
    "correct_answer",
    "answer",
    "answer_key",
    "ground_truth",
    "gold",
    "golden",
    *ANSWERED,
)
"""Names of the answer that is known to be right."""
ANSWER = (
    *GOLD,
    "ground_truth_solution",
    "reference",
    "truth",
    "gt",
    "result",
    "target",
    "ans",
    "a",
    "final",
    "correct",
    "label",
    "solution",
    "cop",
)
RESPONSE = (
    "solution",
    "attempt",
    "response",
    "answer_content",
    "final_response",
    "response_content",
    "content",
)
NOT_MEANT = ("rejected", "incorrect", "wrong", "negative", "distractor")
"""What the names of columns begin with that hold the opposite of a trace."""
BEGINNING = ("initial_", "partial_", "prefix_")
"""What the names of columns begin with that hold only the beginning of a trace (Step-DPO)."""
NOT_GOLD = re.compile(
    r"(?:predicted|prediction|pred_|model_|extracted|generated)"
    r"|(?:deepseek|r1|o1|o3|o4|qwen|qwq|gpt|gemini|claude|llama|gemma|mistral|kimi|grok|llm)[a-z0-9]*_"
)
"""What the names of columns begin with that hold a model's answer."""
VERDICT = re.compile(r"(?:is|has|was)_.*|(?:.*_)?(?:correct|correctness|verified)")
"""Names of columns that say whether a trace is right, where their values are no texts."""
CHOICES = ("choices", "options", "candidates")
LONG = 40
"""Characters from which on a text is more likely reasoning than an answer."""
KEYS = tuple("id uuid idx index key pid qid row nr no url source split date lang".split())
TAGS = re.compile(r"</?\w{1,20}>")
SAYS = re.compile(r"[.=:;\n。：；।]\s*\S")
"""A sentence and something behind it, or an equation: a short text with it is a rationale rather than a label."""
LABEL = re.compile(r"[\w./:@-]{1,80}", re.ASCII)
"""A single word: a level, a source, a model's name."""
SURE = 0.75
REPEAT_SHARE = 0.5
"""Share of the records for which something holds that is taken to hold for all."""


def guess_columns(records: list[Record]) -> dict[str, str]:
    """Columns that are probably question, rationale and answer, by their names, then by their values."""
    if not records:
        return {}
    records = [spoken(record) for record in records]
    options = option_columns(records)
    meant = (item for item in text_columns(records).items() if not is_opposite(item[0]))
    columns = {name: size for name, size in meant if name not in options}
    told = [name for name in columns if name.split(".")[0] not in CHOICES]
    prose = [name for name in told if _is_prose(records, name)]
    found: dict[str, str] = {}
    if question := _question(prose, told, records):
        found["question"] = question
    rationales = [name for name in prose if name != question and not spelled(name).startswith(BEGINNING)]
    long = [name for name in rationales if columns[name] >= LONG or is_named(name, THOUGHT)]
    tagged = [name for name in long if share_of(records, name, split_thinking) > REPEAT_SHARE]
    answers = [name for name in rationales if columns[name] >= LONG and spelled(name) == "answer"]
    pools = (tagged, RATIONALE), (long, RATIONALE), (answers, ("answer",)), (rationales, RATIONALE)
    for pool, names in ((long, THOUGHT), *pools):
        if name := by_name(pool, names):
            found["rationale"] = name
            break
    pool = [name for name in told if name not in found.values()]
    pool = [name for name in pool if not _is_verdict(records, name) and not _is_flag(records, name)]
    pool = [name for name in pool if not NOT_GOLD.match(spelled(name))]
    pool = [name for name in pool if share_of(records, name, _is_code) <= REPEAT_SHARE]
    if "rationale" in found:
        pool = [name for name in pool if columns[name] <= 4 * max(columns[found["rationale"]], LONG)]
    if name := by_name(pool, GOLD, ends=True) or by_name(pool, ANSWER):
        found["answer"] = name
    _by_value(columns, prose, found, records)
    return found


def spoken(record: Record) -> Record:
    """The record with the texts of its chats: the question of one that ends with the user, else its last turn."""
    told: Record = {}
    for name, value in record.items():
        last = value[-1] if isinstance(value, list) and value else None
        role = role_of(last) if isinstance(last, dict) else None
        if role == USER:
            told[name] = question_text(value)
        elif role == ASSISTANT and isinstance(last, dict):
            key = next((key for key in ("content", "value") if isinstance(last.get(key), str)), None)
            told[f"{name}.-1.{key}" if key else name] = last[key] if key else value
        elif isinstance(last, dict) and is_named(str(name), THOUGHT):
            told[name] = [step_text(step) or "" for step in value]
        else:
            told[name] = value
    return told


def _question(prose: list[str], told: list[str], records: list[Record]) -> str | None:
    """By its whole name, by its question marks, or by a part of its name."""
    for word in QUESTION:
        pool = told if word in QUESTION[:3] else prose
        if exact := [name for name in pool if spelled(name) == word]:
            return exact[0]
    named = by_name(prose, QUESTION)
    asking = [
        name
        for name in prose
        if share_of(records, name, _ends_asking) > REPEAT_SHARE and not is_named(name, THOUGHT)
    ]
    return named if named in asking or not asking else asking[0]


def _is_verdict(records: list[Record], name: str) -> bool:
    """Whether a column says that a trace is right, rather than which answer is."""
    if not VERDICT.fullmatch(spelled(name)):
        return False
    texts = (value for record in records if isinstance(value := find(record, name), str))
    return all(text.strip().lower() in ("true", "false", "yes", "no", "") for text in texts)


def _is_flag(records: list[Record], name: str) -> bool:
    """Whether a column holds true or false under a name that is not just `answer`: `difficult_direct_answer`."""
    values = [find(record, name) for record in records]
    return spelled(name) not in ANSWER and all(isinstance(value, (bool, type(None))) for value in values)


def _is_code(text: str) -> bool:
    """Whether a text is a program, which no other answer can be compared with."""
    return text.lstrip().startswith(("```", "def ", "import ", "class ", "#include"))


def is_opposite(name: str) -> bool:
    """Whether a column holds what is not to be learned: `rejected`, `Incorrect Answer 1`."""
    return spelled(name.partition(".")[0]).startswith(NOT_MEANT)


def _is_prose(records: list[Record], name: str) -> bool:
    """Whether most of the values are more than a word that labels something."""
    values = [find(record, name) for record in records]
    texts = [" ".join(map(str, one)) if isinstance(one, list) else one for one in values]
    texts = [one.strip() for one in texts if isinstance(one, str) and one.strip()]
    return sum(LABEL.fullmatch(one) is None for one in texts) > REPEAT_SHARE * len(texts)


def text_columns(records: list[Record]) -> dict[str, float]:
    """Columns that hold text, a number or a list of texts, with their mean length, nested objects' fields too."""
    lengths: dict[str, list[int]] = {}
    for record in records:
        for name, value in record.items():
            nested = value.items() if isinstance(value, dict) else ()
            for path, item in [(str(name), value), *((f"{name}.{key}", inner) for key, inner in nested)]:
                if isinstance(item, list) and item and all(isinstance(one, str) for one in item):
                    item = "\n".join(item)
                if isinstance(item, (int, float)) and not isinstance(item, bool):
                    item = str(item)
                if isinstance(item, str):
                    lengths.setdefault(path, []).append(len(item))
                elif isinstance(item, bool):
                    lengths.setdefault(path, []).append(4)
    most = max((len(found) for found in lengths.values()), default=0)
    return {
        name: sum(found) / len(found) for name, found in lengths.items() if len(found) >= REPEAT_SHARE * most
    }


def _by_value(
    columns: dict[str, float], prose: list[str], found: dict[str, str], records: list[Record]
) -> None:
    """Fills in what no name tells: a text that ends in a question mark is the question, the longest text the rationale,
    and a short column whose values the rationale reaches the answer."""
    by_name = dict(found)
    free = [name for name in prose if name not in found.values()]
    passages = [name for name in free if is_passage(name)]
    left = {name: columns[name] for name in free if name not in passages and not _is_key(records, name)}
    asking = [name for name in left if share_of(records, name, _ends_asking) > REPEAT_SHARE]
    if "question" not in found and asking and ("rationale" in found or len(left) > 1):
        found["question"] = asking[0]
        left.pop(asking[0])
    ways = [
        name for name in left if "question" not in found or not says_again(records, name, found["question"])
    ]
    if "rationale" not in found and ways:
        longest = max(ways, key=lambda name: left[name])
        if left[longest] >= LONG or share_of(records, longest, _says_something) > REPEAT_SHARE:
            found["rationale"] = longest
            left.pop(longest)
    if "question" not in found:
        texts = [name for name in left if left[name] >= 10]
        texts = texts or passages or [name for name in free if tell_apart(records, name)]
        if texts:
            found["question"] = max(texts, key=lambda name: columns[name])
    if "answer" in found or len(found) < 2:
        return
    rest = [
        name
        for name, size in columns.items()
        if name not in found.values() and size < LONG and "." not in name
    ]
    reached = {name: _reached(records, found["rationale"], name) for name in rest}
    # a column that is just short may be anything: difficulty, source, level. So either the rationales end in its
    # values, or nothing of the record had a known name.
    sure = [name for name in rest if reached[name] > SURE]
    likely = (
        [name for name in rest if reached[name] and not _is_key(records, name)] if len(by_name) < 2 else []
    )
    if pool := sure or likely:
        order = list(columns)
        found["answer"] = max(pool, key=lambda name: (reached[name], -columns[name], -order.index(name)))


def _says_something(text: str) -> bool:
    return SAYS.search(text) is not None


def _ends_asking(text: str) -> bool:
    return text.rstrip(" \t\r\n\"'*").endswith(("?", "\uff1f", "\u061f"))


def _reached(records: list[Record], rationale: str, name: str) -> float:
    """How far the rationales reach the column's values: 1 for each that ends in it, half for one that has it late."""
    score = 0.0
    for record in records:
        value, text = find(record, name), find(record, rationale)
        if not isinstance(text, str) or not isinstance(value, (str, int, float)) or not str(value).strip():
            continue
        text, value = TAGS.sub(" ", text[-2000:]), str(value).strip()
        ends = text.rstrip(" \t\r\n.)}$*`\"'")
        if ends.endswith(value) and not ends[: -len(value)][-1:].isalnum():
            score += 1.0
        elif value in text[len(text) // 2 :]:
            score += 0.5
    return score / max(1, len(records))


def _is_key(records: list[Record], name: str) -> bool:
    """Whether a column is an id, an index, or the like."""
    said = spelled(name)
    if said in KEYS or said.endswith(("_id", "_idx", "_index", "_url", "_no")):
        return True
    values = [find(record, name) for record in records]
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    return len(numbers) == len(values) > 2 and all(b - a == 1 for a, b in itertools.pairwise(numbers))


def share_of(records: list[Record], name: str, holds: Any) -> float:
    texts = [record.get(name) for record in records]
    return sum(isinstance(text, str) and bool(holds(text)) for text in texts) / max(1, len(texts))
