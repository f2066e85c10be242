"""A second judgement of answers, by a model behind an OpenAI-style endpoint, beside the rule's.

Every prediction is sent to `URL/chat/completions` with the question, the known answer, and the answer that the rule
judged too. The reply must end in one word, `correct` or `wrong`; any other is `unclear`, and counts as not right.
Replies are kept in a file named by the judge's model and prompt, so a stopped evaluation asks nothing twice and
another prompt asks anew. `agreement` says how often judge and rule say the same, `kappa` how much of that is no chance.

The key comes from the environment variable that the file names. It is sent to that address alone, no redirection is
followed, and it stands in no file and no message.
"""

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from zero_engine.config import Section
from zero_engine.errors import InputError
from zero_engine.hashing import digest
from zero_engine.statistics import wilson

PROMPT = (
    "A question, its correct answer, and a student's answer are given. Does the student's answer say the same as the "
    "correct one? Spelling, units written out and the order of words do not matter.\n\n"
    "Question: {question}\nCorrect answer: {truth}\nStudent's answer: {answer}\n\n"
    "Reply with one word: correct or wrong."
)
PLACES = {"question", "truth", "answer"}
VERDICT = re.compile(r"\b(correct|wrong|incorrect)\b", re.IGNORECASE)
RETRIED = {408, 429, 500, 502, 503, 504}
"""Answers of a server that may be another one a moment later."""


class Judge(Section):
    url: str = Field(pattern=r"^https?://")
    """Address of the API, to which /chat/completions is added, e.g. http://127.0.0.1:8000/v1."""
    model: str
    """Name of the model there."""
    key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the key; none is sent by default."""
    prompt: str = PROMPT
    """What is asked, with {question}, {truth} and {answer}."""
    max_tokens: int = Field(512, ge=1)
    """Longest reply; a model that reasons first needs more."""
    timeout_s: float = Field(60.0, gt=0)
    tries: int = Field(4, ge=1, le=20)
    """Tries of one request, with a growing pause between them."""
    at_once: int = Field(8, ge=1, le=64)
    """Requests under way at one time."""

    @field_validator("prompt")
    @classmethod
    def _places(cls, value: str) -> str:
        if missing := sorted(place for place in PLACES if f"{{{place}}}" not in value):
            raise ValueError(f"must have {{{missing[0]}}} in it")
        return value


def judge_answers(
    judge: Judge, predictions: Sequence[dict[str, Any]], out: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Judge every prediction that is not judged yet; the judge's part of the summary.

    Raises InputError where the key is absent or the endpoint does not answer; what is judged by then is kept.
    """
    key = None
    if judge.key_env is not None and not (key := os.environ.get(judge.key_env)):
        raise InputError(
            f"judge.key_env: the environment has no {judge.key_env}. Export it, or drop the key."
        )
    path = out / f"judgements-{digest(judge.model, judge.prompt)[:8]}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    known = {one["id"]: one for one in (json.loads(line) for line in lines if line.endswith("\n"))}
    todo = [one for one in predictions if known.get(one["id"], {}).get("answer", ...) != one["answer"]]
    path.write_text("".join(line for line in lines if line.endswith("\n")), encoding="utf-8")
    with ThreadPoolExecutor(judge.at_once) as pool:
        for start in range(0, len(todo), judge.at_once):
            part = todo[start : start + judge.at_once]
            found = list(pool.map(lambda one: _judged(judge, key, one), part))
            with open(path, "a", encoding="utf-8") as file:
                file.write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found))
            known |= {one["id"]: one for one in found}
            done = len(predictions) - len(todo) + start + len(part)
            say(f"{done} of {len(predictions)} answers judged by {judge.model}")
    return compare(judge.model, predictions, [known[one["id"]]["verdict"] for one in predictions])


def compare(name: str, predictions: Sequence[dict[str, Any]], verdicts: Sequence[str]) -> dict[str, Any]:
    """The judge's accuracy with its interval, and how it agrees with the rule's."""
    rule = [one["accuracy"] == 1.0 for one in predictions]
    said = [verdict == "correct" for verdict in verdicts]
    asked, right = len(said), sum(said)
    same = sum(one == other for one, other in zip(rule, said, strict=True))
    agreement = same / max(1, asked)
    chance = (sum(rule) * right + (asked - sum(rule)) * (asked - right)) / max(1, asked * asked)
    low, high = wilson(right, asked)
    return {
        "model": name,
        "right": right,
        "accuracy": right / max(1, asked),
        "low": low,
        "high": high,
        "unclear": sum(verdict == "unclear" for verdict in verdicts),
        "agreement": agreement,
        "kappa": (agreement - chance) / (1 - chance) if chance < 1 else None,
        "only_rule_right": sum(one and not other for one, other in zip(rule, said, strict=True)),
        "only_judge_right": sum(other and not one for one, other in zip(rule, said, strict=True)),
    }


def verdict_of(reply: str) -> str:
    """The last of the words that a reply may end in; what a model thought before does not count."""
    found = VERDICT.findall(reply.rpartition("</think>")[2])
    return {"correct": "correct"}.get(found[-1].lower(), "wrong") if found else "unclear"


def _judged(judge: Judge, key: str | None, one: dict[str, Any]) -> dict[str, Any]:
    """An answer that is not there is wrong, and nobody is asked."""
    if one["answer"] is None:
        return {"id": one["id"], "answer": None, "verdict": "wrong", "reply": ""}
    # in one pass: what a question or an answer says is no place
    filled = re.sub(r"\{(question|truth|answer)\}", lambda found: str(one[found[1]]), judge.prompt)
    reply = _ask(judge, key, filled)
    return {"id": one["id"], "answer": one["answer"], "verdict": verdict_of(reply), "reply": reply[-500:]}


def _ask(judge: Judge, key: str | None, prompt: str) -> str:
    document = {
        "model": judge.model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": judge.max_tokens,
    }
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    address = judge.url.rstrip("/") + "/chat/completions"
    request = urllib.request.Request(address, json.dumps(document).encode(), headers, method="POST")
    opener = urllib.request.build_opener(_Stays)
    why = ""
    for attempt in range(judge.tries):
        if attempt:
            time.sleep(min(30.0, 0.5 * 2**attempt))
        try:
            with opener.open(request, timeout=judge.timeout_s) as answer:
                return str(json.load(answer)["choices"][0]["message"]["content"] or "")
        except urllib.error.HTTPError as error:
            why = f"HTTP {error.code}"
            if error.code not in RETRIED:
                break
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
    raise InputError(
        f"judge.url: {address} gave no judgement ({' '.join(why.split())[:200]}). Is it an OpenAI-style API that "
        f"serves {judge.model}? The same command goes on from what is judged."
    )


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key is for one address."""

    def redirect_request(self, *arguments: Any) -> None:
        return None
