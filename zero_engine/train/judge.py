"""A second judgement of answers, by a model behind an OpenAI-style endpoint, beside the rule's.

Every prediction is sent to `URL/chat/completions` with the question, the known answer, and the answer that the rule
judged too. The reply must end, or else begin, with one word, `correct` or `wrong`; any other is `unclear`, and counts
as not right. Replies are kept in a file named by the judge's model and prompt, so a stopped evaluation asks nothing
twice and another prompt asks anew. `agreement` says how often judge and rule say the same, `kappa` how much of that
is no chance.

The key comes from the environment variable that the file names. It is sent to that address alone, no redirection is
followed, and it stands in no file and no message.
"""

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from zero_engine.config import Section
from zero_engine.errors import InputError
from zero_engine.hashing import digest
from zero_engine.statistics import wilson
from zero_engine.write.atomic import atomic_write

PROMPT = (
    "A question, its correct answer, and a student's answer are given. Does the student's answer say the same as the "
    "correct one? Spelling, units written out and the order of words do not matter.\n\n"
    "Question: {question}\nCorrect answer: {truth}\nStudent's answer: {answer}\n\n"
    "Reply with one word: correct or wrong."
)
PLACES = {"question", "truth", "answer"}
ENDS = re.compile(r"(\bnot\s+|n't\s+)?\b(correct|wrong|incorrect)\b[\W_]*\Z", re.IGNORECASE)
BEGINS = re.compile(r"[\W_]*()\b(correct|wrong|incorrect)\b", re.IGNORECASE)
LONGEST_REPLY = 16 * 1024 * 1024
"""Bytes of a reply; what sends more is no judge."""
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

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            parts = urllib.parse.urlsplit(value)
            sound = bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", value)
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("must be an address like http://127.0.0.1:8000/v1")
        return value

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
    known = _kept(path)
    todo = [one for one in predictions if known.get(one["id"], {}).get("answer", ...) != one["answer"]]
    with atomic_write(path, "w") as file:
        file.writelines(_line(one) for one in known.values())
    with _pool(judge.at_once) as pool:
        for start in range(0, len(todo), judge.at_once):
            part = todo[start : start + judge.at_once]
            asked = [pool.submit(_judged, judge, key, one) for one in part]
            found = [one.result() for one in asked if one.exception() is None]
            with open(path, "a", encoding="utf-8") as file:
                file.write("".join(map(_line, found)))
            if problem := next((why for one in asked if (why := one.exception())), None):
                raise problem
            known |= {one["id"]: one for one in found}
            done = len(predictions) - len(todo) + start + len(part)
            say(f"{done} of {len(predictions)} answers judged by {judge.model}")
    return compare(judge.model, predictions, [known[one["id"]]["verdict"] for one in predictions])


@contextmanager
def _pool(at_once: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that nobody waits for once the work is stopped: each may wait for its server for minutes."""
    pool = ThreadPoolExecutor(at_once)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


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
    said = reply.rpartition("</think>")[2]
    found = ENDS.search(said[-500:]) or BEGINS.match(said)
    if found is None:
        return "unclear"
    return "correct" if (found[2].lower() == "correct") != bool(found[1]) else "wrong"


def _kept(path: Path) -> dict[str, dict[str, Any]]:
    """The judgements that a file holds whole, by prediction; a damaged line is asked again."""
    known = {}
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and {"id", "answer", "verdict"} <= one.keys():
            known[one["id"]] = one
    return known


def _line(judgement: dict[str, Any]) -> str:
    return json.dumps(judgement, ensure_ascii=False) + "\n"


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
                said = json.loads(_read(answer, time.monotonic() + judge.timeout_s))
            content = said["choices"][0]["message"]["content"] or ""
            return content if isinstance(content, str) else "\n".join(str(part["text"]) for part in content)
        except urllib.error.HTTPError as error:
            why = f"HTTP {error.code}"
            if error.code not in RETRIED:
                break
        except (
            OSError,
            http.client.HTTPException,
            RecursionError,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
        ) as error:
            why = f"{type(error).__name__}: {error}"
    raise InputError(
        f"judge.url: {address} gave no judgement ({' '.join(why.split())[:200]}). Is it an OpenAI-style API that "
        f"serves {judge.model}? The same command goes on from what is judged."
    )


def _read(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """A reply's bytes. Raises TimeoutError where it trickles in past the deadline, ValueError where it does not end."""
    pieces, size = [], 0
    while piece := answer.read1(65536):
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_REPLY:
            raise ValueError(f"a reply of over {LONGEST_REPLY} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("the reply took longer than judge.timeout_s")
    return b"".join(pieces)


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key is for one address."""

    def redirect_request(self, *arguments: Any) -> None:
        return None
