"""Column maps of what models wrote: one response, several generations, and JSON inside a text.

    think        a question and one response, with thought tags or without
    generations  a question and a list of generations (or several columns), each with its correctness
    magpie       instruction and response, or responses (magpie-align/magpie)
    marco_o1     instruction and `<Thought>..</Thought><Output>..</Output>` (AIDC-AI/Marco-o1)
    zeroeval     outputs that are JSON {reasoning, answer} (WildEval/ZeroEval)

What is inside a response (chat markers, thought tags, the answer) is read by `finish`, as in every format.
"""

import ast
import json
import re
from typing import Any

from zero_engine.pipeline import Input
from zero_engine.read.chats import question_text
from zero_engine.read.fields import (
    LONGEST_LITERAL,
    NOT_AN_ANSWER,
    Draft,
    Record,
    Unusable,
    first_key,
    first_text,
    gold_choice,
    gold_text,
    missing,
    text,
    texts,
    unpacked_list,
)
from zero_engine.read.markers import answer_in_chat, may_hold_markers

QUESTION_KEYS = ("question", "instruction", "prompt", "problem", "query", "input", "task")
RESPONSE_KEYS = (
    "response",
    "output",
    "completion",
    "generation",
    "generated_solution",
    "text",
    "answer_content",
)
GENERATION_KEYS = (*RESPONSE_KEYS, "content", "value", "message", "solution", "final_answer")
GENERATION_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought", "rationale", "cot")
GENERATIONS = ("generations", "responses", "outputs", "completions", "solutions", "samples", "candidates")
CORRECTNESS = ("correctness", "correctness_math_verify", "correctness_llama", "correct", "is_correct")
NUMBERED = re.compile(r"(?P<stem>\w+?)_?(?P<number>\d{1,3})")
FENCE = re.compile(r"```[ \t]*\w*")


def think(record: Record, spec: Input) -> list[Draft]:
    """A question and a response; the thought is between tags where there are any, else it is the response."""
    response = first_text(record, RESPONSE_KEYS)
    question = _question(record, response)
    choices = texts(record, "choices")
    return [Draft(question, response, gold_choice(record, "answer", choices), choices=choices)]


def generations(record: Record, spec: Input) -> list[Draft]:
    """One trace for each generation, with its `correctness` for `input.where`.

    The generations are a list of texts, of messages or of objects with a text and a verdict of their own, or numbered
    columns (`r1_solution_1`, ..): columns: {generations: r1_solution_1} takes the row of them.
    (open-r1/OpenR1-Math-220k, zwhe99/DeepMath-103K and facebook/natural_reasoning, dataset cards.)
    """
    told = _generations(record, spec)
    verdicts = _verdicts(record, len(told))
    written = [one for one in told if one and one.strip()]
    if not written:
        raise Unusable("missing_value", "no generation holds a text")
    notes = (f"generations_empty:{len(told) - len(written)}",) if len(written) < len(told) else ()
    question = _question(record, written[0])
    choices = texts(record, "choices")
    gold = gold_choice(record, "answer", choices)
    return [
        Draft(
            question,
            one,
            gold,
            choices=choices,
            notes=notes,
            facts={"correctness": verdict, "generation": at},
        )
        for at, (one, verdict) in enumerate(zip(told, verdicts, strict=True))
        if one and one.strip()
    ]


def magpie(record: Record, spec: Input) -> list[Draft]:
    """`instruction` and `response`, or each of `responses`, also where the list is stored as a string (then noted)."""
    question = first_text(record, ("instruction", "question"))
    gold = gold_text(record, "answer")
    if record.get("responses") is None and "response" in record:
        return [Draft(question, text(record, "response"), gold)]
    notes = ("list_from_string",) if isinstance(record.get("responses"), str) else ()
    responses = texts(record, "responses")
    if not responses:
        raise (
            missing(record, "responses", "response")
            if "responses" not in record
            else Unusable("missing_value", "responses is empty")
        )
    return [Draft(question, response, gold, notes=notes) for response in responses]


def marco_o1(record: Record, spec: Input) -> list[Draft]:
    """`<Thought>...</Thought><Output>...</Output>`; the `think` format, and the answer without its own tags."""
    (draft,) = think(record, spec)
    head, sign, output = draft.rationale.rpartition("<Output>")
    if sign:
        draft.rationale, draft.said = head, output.partition("</Output>")[0].strip() or None
    return [draft]


def zeroeval(record: Record, spec: Input) -> list[Draft]:
    """Each of `output` is JSON {reasoning, answer}, with whatever stands around it; else it stays as it is."""
    question = text(record, "question")
    outputs = (record["output"],) if isinstance(record.get("output"), str) else texts(record, "output")
    if not outputs:
        raise (
            missing(record, "output")
            if "output" not in record
            else Unusable("missing_value", "output is empty")
        )
    choices = texts(record, "choices")
    gold = (gold_choice(record, "answer", choices) or "").lstrip("# ").strip() or None
    drafts = []
    for output in outputs:
        reasoning, answer, notes = json_output(output)
        drafts.append(Draft(question, reasoning, gold, choices=choices, notes=notes, said=answer))
    return drafts


def json_output(output: str) -> tuple[str, str | None, tuple[str, ...]]:
    """(reasoning, answer, notes) of a model's output that holds a JSON object, fenced or not, with prose around it or
    not.

    LaTeX that was not escaped (`\\frac` is a form feed and `rac` to JSON, `\\sqrt` an error) is taken as it was
    meant, and so are line breaks inside a string. Linear: each brace that could begin the object is tried once, at
    most `TRIES`.
    """
    found = _objects(output)
    if not found:
        return _by_keys(output) or (output, None, ("output_not_json",))
    told = [(inner, start) for record, start in found for inner in (record, *record.values())]
    told = [
        (inner, start) for inner, start in told if isinstance(inner, dict) and _reasoning(inner) is not None
    ]
    if not told:
        return output, None, ("output_without_reasoning",)
    record, start = told[-1]  # what was said last counts
    reasoning = _reasoning(record) or ""
    answer = record.get("answer", record.get("final_answer"))
    before = FENCE.sub("", output[:start]).strip()
    notes = ("text_before_json",) if before and before not in reasoning else ()
    if notes and not reasoning.strip():
        reasoning = before
    return reasoning, None if answer is None else str(answer).strip() or None, notes


TRIES = 8
"""Opening braces of one output that are tried as the beginning of its JSON object."""
BAD_ESCAPE = re.compile(
    r"\\\\|\\u[0-9a-fA-F]{4}|\\(?P<latex>[a-zA-Z]{2,})|\\(?P<sign>[^\"\\/bfnrtu])|\\(?P<one>.)", re.DOTALL
)
LATEX_NOT_BREAK = re.compile(
    r"(?:nu|ne|neq|neg|not|nabla|notin|tan|text\w*|times|theta|tau|to|top|tfrac|triangle|therefore|right\w*|rho|rangle|Rightarrow"
    r"|frac|forall|beta|begin|bar|binom|big\w*|bmod|boxed|bullet|bot|because|u\w+)\b|(?:frac|binom|text|sqrt|boxed)"
)
"""LaTeX commands that begin with a letter which JSON escapes (b, f, n, r, t, u)."""
REASONING_KEYS = ("reasoning", "rationale", "explanation", "thought", "thinking", "steps")
PYTHON_START = re.compile(r"\{\s{0,40}'")
OBJECT_START = re.compile(r"\{\s{0,40}\"")


def _objects(output: str) -> list[tuple[dict[str, Any], int]]:
    """The objects of an output with their places, none inside another; of Python's source where there is no JSON."""
    decoder = json.JSONDecoder(strict=False)
    objects: list[tuple[dict[str, Any], int]] = []
    end = 0
    for tried, begun in enumerate(OBJECT_START.finditer(output)):
        if tried == TRIES:
            break
        if begun.start() < end:
            continue
        rest = output[begun.start() :]
        for text_ in (_mended(rest), rest):
            try:
                found, stop = decoder.raw_decode(text_)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                objects.append((found, begun.start()))
                end = begun.start() + stop  # or a little behind it, where escapes were mended
                break
    if not objects and (python := PYTHON_START.search(output)):
        source = output[python.start() : output.rfind("}") + 1]
        try:
            found = ast.literal_eval(source) if len(source) <= LONGEST_LITERAL else None
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            found = None
        objects += [(found, python.start())] if isinstance(found, dict) else []
    return objects


def _reasoning(record: dict[str, Any]) -> str | None:
    """The reasoning of an object: a text, a list of texts, or of objects that hold texts."""
    found = next((record[key] for key in REASONING_KEYS if key in record), None)
    if not isinstance(found, list):
        return found if isinstance(found, str) else None
    lines = []
    for item in found:
        said = list(item.values()) if isinstance(item, dict) else [item]
        lines.append(" ".join(one.strip() for one in said if isinstance(one, str) and one.strip()))
    return "\n".join(lines) if lines and all(lines) else None


REASONING_KEY = re.compile(r'"(?:reasoning|rationale|explanation)"\s{0,20}:\s{0,20}"')
ANSWER_KEY = re.compile(r'"(?:final_)?answer"\s{0,20}:\s{0,20}')


def _by_keys(output: str) -> tuple[str, str | None, tuple[str, ...]] | None:
    """Reasoning and answer of an object that is not quite JSON: a comma forgotten, a quote not escaped, its end cut."""
    begins = REASONING_KEY.search(output)
    if begins is None:
        return None
    answers = list(ANSWER_KEY.finditer(output, begins.end()))
    end = answers[-1].start() if answers else len(output)
    said = output[begins.end() : end].rstrip()
    closed = said.rstrip("`}] \t\r\n").rfind('"') if not answers else said.rfind('"')
    if answers or closed >= len(said.rstrip("`}] \t\r\n")) - 1 > 0:
        said = said[:closed] if closed >= 0 else said
    answer = (
        output[answers[-1].end() :].strip().rstrip("`").rstrip().rstrip("}").strip().rstrip(",").strip('"')
        if answers
        else None
    )
    answer = None if answer is None or answer.lower() in NOT_AN_ANSWER else _unescaped(answer)
    return _unescaped(said), answer or None, ("output_json_mended",)


def _unescaped(said: str) -> str:
    """The text of a JSON string's inside; as it stands where it is none."""
    try:
        return json.loads(f'"{_mended(said)}"', strict=False).strip()
    except (ValueError, RecursionError):
        return said.replace("\\n", "\n").replace('\\"', '"').strip()


def _mended(text_: str) -> str:
    """JSON source with LaTeX commands escaped, where a JSON escape could not have been meant."""
    if "\\" not in text_:
        return text_
    return BAD_ESCAPE.sub(_escape, text_)


def _escape(found: re.Match[str]) -> str:
    whole = found.group()
    if (latex := found.group("latex")) is not None:
        keeps = latex[0] in "bfnrt" and not LATEX_NOT_BREAK.match(latex)
        return whole if keeps else "\\" + whole
    return "\\" + whole if found.group("sign") is not None else whole


def _question(record: Record, response: str) -> str:
    try:
        key = first_key(record, QUESTION_KEYS)
    except Unusable:
        if may_hold_markers(response) and (chat := answer_in_chat(response)) and chat.question:
            return chat.question
        raise
    if isinstance(record[key], list):
        asked = question_text(record[key])
        return text({key: asked}, key)
    question = text(record, key)
    # Alpaca's `input` is the second half of its instruction
    more = record.get("input") if key == "instruction" and "input" not in ("", None) else None
    return f"{question}\n{more}" if isinstance(more, str) and more.strip() else question


def _generations(record: Record, spec: Input) -> tuple[str | None, ...]:
    found: tuple[str | None, ...]
    key = next((key for key in GENERATIONS if key in record), None)
    if key is None:
        raise missing(record, "generations")
    value = record[key]
    source = spec.columns.get("generations", key)
    numbered = NUMBERED.fullmatch(source)
    if isinstance(value, str) and numbered and not value.lstrip().startswith("["):
        stem = source[: numbered.start("number")]
        names = [str(name) for name in record if isinstance(name, str) and name.startswith(stem)]
        names = [name for name in names if name[len(stem) :].isdecimal()]
        written = [record[name] for name in sorted(names, key=lambda name: int(name[len(stem) :]))]
        found = tuple(one for one in written if isinstance(one, str) and one.strip())
    elif isinstance(value, list) and all(one is None or isinstance(one, (str, dict, list)) for one in value):
        found = tuple(map(text_of, value))
    elif isinstance(value, str) and not value.lstrip().startswith("["):
        found = (value,)
    else:
        found = texts(record, key)
    if not found:
        raise Unusable("missing_value", f"{key} is empty")
    return found


def text_of(generation: Any) -> str | None:
    """The text of a generation: itself, of an object (`{text, correct}`, a message), of the last of a list; or None."""
    if isinstance(generation, list):
        return text_of(generation[-1]) if generation else None
    if not isinstance(generation, dict):
        return generation if isinstance(generation, str) else None
    said, thought = (
        next((generation[key] for key in keys if isinstance(generation.get(key), str)), None)
        for keys in (GENERATION_KEYS, GENERATION_THOUGHTS)
    )
    return f"<think>\n{thought}\n</think>\n\n{said or ''}" if thought and thought.strip() else said


def _verdict(value: Any) -> Any:
    """`"False"` as False: a text that is not empty would hold for true."""
    words = {"true": True, "yes": True, "correct": True, "false": False, "no": False, "incorrect": False}
    return words.get(value.strip().lower(), value) if isinstance(value, str) else value


def _verdicts(record: Record, count: int) -> list[Any]:
    """What the corpus says of each generation: True, False, or None where it says nothing."""
    written = next((record[key] for key in GENERATIONS if key in record), None)
    own = [
        next((_verdict(one[key]) for key in CORRECTNESS if key in one), None)
        if isinstance(one, dict)
        else None
        for one in (written if isinstance(written, list) else [])
    ]
    if len(own) == count and own != [None] * count:
        return own
    for key in CORRECTNESS:
        value = record.get(key)
        value = unpacked_list(value) if isinstance(value, str) else value
        if isinstance(value, list) and len(value) == count:
            return [_verdict(one) for one in value]
        if isinstance(value, bool) and count == 1:
            return [value]
    return [None] * count
