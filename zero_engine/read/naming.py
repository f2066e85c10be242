"""Which columns are question, rationale and answer: by the names that people give them, then by their values.

Names are compared in lower case with words parted (`Final Answer`, `finalAnswer`, `meta.final-answer`), whole first,
then as a beginning or an end (`deepseek_reasoning`). Where no name tells, the longest text is the rationale, a text
with a question mark the question, the shortest the answer.
"""

import itertools
import re
from typing import Any

from zero_engine.read.fields import Record, find

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
)
RATIONALE = (
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
    "solution",
    "response",
    "completion",
    "output",
    "generation",
    "assistant",
    "model_output",
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
    "label",
    "solution",
)
RESPONSE = ("solution", "attempt", "response", "answer_content", "final_response")
CHOICES = ("choices", "options", "candidates")
LONG = 40
"""Characters from which on a text is more likely reasoning than an answer."""
KEYS = (
    "id",
    "uuid",
    "idx",
    "index",
    "key",
    "pid",
    "qid",
    "row",
    "nr",
    "no",
    "url",
    "source",
    "split",
    "date",
    "lang",
)
TAGS = re.compile(r"</?\w{1,20}>")
SURE = 0.75
REPEAT_SHARE = 0.5
"""Share of the records for which something holds that is taken to hold for all."""


def guess_columns(records: list[Record]) -> dict[str, str]:
    """Columns that are probably question, rationale and answer, by their names, then by their values."""
    if not records:
        return {}
    columns = text_columns(records)
    found: dict[str, str] = {}
    for role, names in (("question", QUESTION), ("rationale", RATIONALE), ("answer", ANSWER)):
        pool = [name for name in columns if name not in found.values() and name.split(".")[0] not in CHOICES]
        if role == "rationale":
            pool = [name for name in pool if columns[name] >= LONG or is_named(name, RATIONALE[:14])] or pool
        if role == "answer" and "rationale" in found:
            pool = [name for name in pool if columns[name] <= 4 * max(columns[found["rationale"]], LONG)]
        if (name := by_name(pool, names)) is not None:
            found[role] = name
    _by_value(columns, found, records)
    return found


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


def by_name(pool: list[str], wanted: tuple[str, ...]) -> str | None:
    """The column whose name is, or ends or begins with, one of the wanted words; earlier words first."""
    plain = {name: spelled(name) for name in pool}
    for word in wanted:
        if exact := [name for name, said in plain.items() if said == word]:
            return exact[0]
    for word in wanted:
        near = [
            name
            for name, said in plain.items()
            if len(word) > 2 and (said.endswith(f"_{word}") or said.startswith(f"{word}_"))
        ]
        if near:
            return sorted(near, key=_rank)[0]
    return None


def _rank(name: str) -> tuple[int, str]:
    """Of several models' columns, DeepSeek's before others: its traces are the ones that the later cards recommend."""
    return (0 if "deepseek" in name.lower() else 1, name)


def is_named(name: str, words: tuple[str, ...]) -> bool:
    said = spelled(name)
    return any(said == word or said.endswith(f"_{word}") for word in words)


def spelled(name: str) -> str:
    """A column's name in lower case with words parted by `_`: `Final Answer`, `finalAnswer`, `meta.final-answer`."""
    last = name.rpartition(".")[2]
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last)).strip("_").lower()


def _by_value(columns: dict[str, float], found: dict[str, str], records: list[Record]) -> None:
    """Fills in what no name tells: a text that ends in a question mark is the question, the longest text the rationale,
    and a short column whose values the rationale reaches the answer."""
    by_name = dict(found)
    left = {
        name: size
        for name, size in columns.items()
        if name not in found.values() and not _is_key(records, name)
    }
    asking = [name for name in left if share_of(records, name, _ends_asking) > REPEAT_SHARE]
    if "question" not in found and asking and ("rationale" in found or len(left) > 1):
        found["question"] = asking[0]
        left.pop(asking[0])
    if "rationale" not in found and left:
        longest = max(left, key=lambda name: left[name])
        if left[longest] >= LONG or len(left) > 1:
            found["rationale"] = longest
            left.pop(longest)
    if "question" not in found and left:
        texts = [name for name in left if left[name] >= 10]
        if texts:
            found["question"] = max(texts, key=lambda name: left[name])
            left.pop(found["question"])
    if "answer" in found or len(found) < 2:
        return
    rest = [
        name
        for name, size in columns.items()
        if name not in found.values() and size < LONG and "." not in name
    ]
    reached = {name: _reached(records, found["rationale"], name) for name in rest}
    # a column that is just short may be anything: difficulty, source, level. So either the rationales end in its
    # values,
    # or nothing of the record had a known name.
    sure = [name for name in rest if reached[name] > SURE]
    likely = [name for name in rest if name in left] if len(by_name) < 2 else []
    if pool := sure or likely:
        order = list(columns)
        found["answer"] = max(pool, key=lambda name: (reached[name], -columns[name], -order.index(name)))


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
    if said in KEYS or said.endswith(("_id", "_idx", "_index", "_url")):
        return True
    values = [find(record, name) for record in records]
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    return len(numbers) == len(values) > 2 and all(b - a == 1 for a, b in itertools.pairwise(numbers))


def share_of(records: list[Record], name: str, holds: Any) -> float:
    texts = [record.get(name) for record in records]
    return sum(isinstance(text, str) and holds(text) for text in texts) / max(1, len(texts))
