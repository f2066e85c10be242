"""Chat markers: the special tokens that a chat template leaves in a text, and the turns between them.

Outputs of models are stored as they were decoded: with the question in front, the role markers of the template, the
token that ends the text. None of that is reasoning. `chat_turns` cuts a text at the markers of the templates in use
(ChatML, DeepSeek, Llama 2 and 3, Mistral, Gemma, Phi, GLM, Zephyr, Command R, OpenBuddy, Granite, harmony), and
`answer_in_chat` finds the last answer and its question. Text before the first marker belongs to whom the template says
it must: the user where the assistant comes next, the assistant where only an ending follows.

Harmony (gpt-oss) writes an answer in channels: `analysis` is thought, `final` the answer; they are joined as
`<think>..</think>` so that `tags` reads them like any other.

Markers in words (`User: .. Assistant:`, `### Instruction: .. ### Response:`) are read only where the text begins with
one, since prose may hold them too.
"""

import re
from dataclasses import dataclass

SYSTEM, USER, ASSISTANT, TOOL, NOBODY = "system", "user", "assistant", "tool", ""
ROLES = {
    "user": USER,
    "human": USER,
    "prompter": USER,
    "assistant": ASSISTANT,
    "model": ASSISTANT,
    "gpt": ASSISTANT,
    "bot": ASSISTANT,
    "chatbot": ASSISTANT,
    "chatgpt": ASSISTANT,
    "ai": ASSISTANT,
    "system": SYSTEM,
    "developer": SYSTEM,
    "tool": TOOL,
    "ipython": TOOL,
    "observation": TOOL,
    "function": TOOL,
}
"""Who speaks, by every name in use, in lower case."""
BAR = "[|\uff5c]"
GAP = "[_\u2581 ]?"
_MARK = re.compile(
    rf"<{BAR}(?P<role>user|assistant|system|human|observation|model){BAR}>"
    r"|<\|im_start\|>[ \t]*(?P<im>\w{1,20})?[^\S\n]*\n?"
    r"|<\|start_header_id\|>[ \t]*(?P<header>\w{1,20})[ \t]*<\|end_header_id\|>"
    r"|<\|start_of_role\|>[ \t]*(?P<granite>\w{1,20})[ \t]*<\|end_of_role\|>"
    r"|<start_of_turn>[ \t]*(?P<gemma>user|model)\b"
    r"|<\|(?P<cohere>USER|CHATBOT|SYSTEM)_TOKEN\|>"
    r"|<\|role\|>(?P<buddy>\w{1,20})<\|says\|>"
    r"|<\|start\|>[ \t]*(?P<harmony>\w{1,20})?(?=[^<\n]{0,80}<\|(?:channel|message|constrain))[^<\n]{0,80}"
    r"|<\|channel\|>[ \t]*(?P<channel>\w{1,20})[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>"
    r"|(?P<inst>\[INST\])|(?P<reply>\[/INST\])"
    r"|(?P<sys>\[SYSTEM_PROMPT\]|<<SYS>>)|(?P<unsys>\[/SYSTEM_PROMPT\]|<</SYS>>)"
    rf"|(?P<end><\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|end_of_text\|>|<\|endoftext\|>|<end_of_turn>|<\|END_OF_TURN_TOKEN\|>"
    rf"|<\|end\|>|<\|return\|>|<\|call\|>|<\|message\|>|<eos>|</s>|<{BAR}end{GAP}of{GAP}sentence{BAR}>|<\|endofsentence\|>)"
    rf"|(?P<begin><\|begin_of_text\|>|<{BAR}begin{GAP}of{GAP}sentence{BAR}>|<bos>|<s>|<\|START_OF_TURN_TOKEN\|>|\[gMASK\]|<sop>)",
    re.IGNORECASE,
)
"""`(?P<name>..)` says whose text follows. `</s>` and `<s>` count only beside other markers or at the text's edges."""
_FIRST_SIGNS = frozenset("ATBUH#*")
"""What a text may begin with that begins with a marker in words."""
_WEAK = ("<s>", "</s>", "<eos>", "<bos>", "<sop>")
_WORDS_AT_START = re.compile(
    r"\s*+(?:(?:A|The following is a) (?:conversation|chat) between[^\n]*+\s*+|Below is an instruction[^\n]*+\s*+)?"
    r"(?:\#{2,3} *(?:Instruction|Question|Human|User|Input)|\*{0,2}(?:User|Human|USER|HUMAN))\*{0,2} *:",
)
_WORDS = re.compile(
    r"(?:^|(?<=\n))[ \t]*(?:\#{2,3} *|\*\*)?(?P<who>User|Human|USER|HUMAN|Assistant|ASSISTANT|Instruction|Input|"
    r"Question|Response|Answer|System)(?:\*\*)? *:(?:\*\*)?",
)
_WHO = {"user": USER, "human": USER, "instruction": USER, "input": USER, "question": USER, "system": SYSTEM}


@dataclass(frozen=True, slots=True)
class Said:
    """A text without its chat markers: the answer, and the question that stood before it, if any did."""

    text: str
    question: str | None = None


def may_hold_markers(text: str) -> bool:
    """A cheap no: whether a text could hold a chat marker at all."""
    if (
        "|>" in text
        or "\uff5c" in text
        or "INST]" in text
        or "s>" in text
        or "_of_turn>" in text
        or "sop>" in text
    ):
        return True
    return text.lstrip()[:1] in _FIRST_SIGNS and _WORDS_AT_START.match(text) is not None


def answer_in_chat(text: str) -> Said | None:
    """The last answer in a text with chat markers, and its question; None where there are no markers. Linear."""
    turns = chat_turns(text)
    if turns is None:
        return None
    question: str | None = None
    answer: str | None = None
    asked: str | None = None
    for role, said in turns:
        if role == USER:
            question = said
        elif role == ASSISTANT and said:
            answer, asked = said, question
    if answer is None:
        return Said("", question)
    return Said(answer, asked)


def chat_turns(text: str) -> list[tuple[str, str]] | None:
    """(role, text) of each turn in a text with chat markers, or None where there are none."""
    marks = [mark for mark in _MARK.finditer(text) if not _is_quoted(text, mark)]
    if not any(mark.group().lower() not in _WEAK for mark in marks):
        marks = _weak_at_edges(text, marks)
    if marks:
        return _merged(_turns(text, marks))
    if _WORDS_AT_START.match(text):
        return _merged(_worded(text))
    return None


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    before, after = text[mark.start() - 1 : mark.start()], text[mark.end() : mark.end() + 1]
    return before == "`" and after == "`"


def _weak_at_edges(text: str, marks: list[re.Match[str]]) -> list[re.Match[str]]:
    """Those with nothing but blanks before or behind them."""
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return [mark for mark in marks if mark.start() <= begin or mark.end() >= end]


def _turns(text: str, marks: list[re.Match[str]]) -> list[tuple[str, str, str]]:
    """(role, channel, text) between the marks, in order."""
    found: list[tuple[str, str, str]] = []
    role, channel, position = None, "", 0
    for mark in marks:
        said = text[position : mark.start()].strip()
        position = mark.end()
        following, next_channel = _speaker(mark, role)
        if role is None:
            if said:
                found.append((_first_speaker(mark, following), "", said))
        elif said:
            found.append((role, channel, said))
        if mark.lastgroup == "begin" and role is None:
            continue
        role, channel = following, next_channel if next_channel is not None else ""
    if rest := text[position:].strip():
        found.append((role if role is not None else ASSISTANT, channel, rest))
    # a text after an ending, with no marker of its own, goes on with what was said before it
    return [(_owner(found, i), channel, said) for i, (_, channel, said) in enumerate(found)]


def _owner(found: list[tuple[str, str, str]], at: int) -> str:
    role = found[at][0]
    if role != NOBODY:
        return role
    return next((found[i][0] for i in range(at - 1, -1, -1) if found[i][0] != NOBODY), ASSISTANT)


def _speaker(mark: re.Match[str], role: str | None) -> tuple[str, str | None]:
    """Who speaks after a mark, and in which channel of harmony."""
    group = mark.lastgroup
    if group == "channel":
        return ASSISTANT if role in (None, NOBODY) else role, mark.group("channel").lower()
    if group in ("inst", "unsys"):
        return USER, None
    if group == "reply":
        return ASSISTANT, None
    if group == "sys":
        return SYSTEM, None
    if group == "end":
        # `<|start|>user<|message|>`: the message token ends the head of a turn, not the turn
        return (role or NOBODY, None) if mark.group() == "<|message|>" else (NOBODY, None)
    if group == "begin":
        return NOBODY, None
    if group is None:
        return ASSISTANT, None
    name = mark.group(group).lower()
    if group == "im" and name in ("think", "answer"):  # the turns of s1 (simplescaling/s1K-1.1_tokenized)
        return ASSISTANT, "thinking" if name == "think" else ""
    return ROLES.get(name, TOOL), None


def _first_speaker(mark: re.Match[str], following: str) -> str:
    """Whose text it is that stands before the first mark."""
    if mark.lastgroup in ("end", "channel"):
        return ASSISTANT
    return USER if following == ASSISTANT else SYSTEM


def _merged(turns: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Turns of one speaker in a row as one; harmony's analysis as a thought before what follows it."""
    merged: list[tuple[str, str]] = []
    thought: list[str] = []
    for role, channel, said in turns:
        if role == ASSISTANT and channel in ("analysis", "thinking"):
            thought.append(said)
            continue
        if thought and role == ASSISTANT:
            said = _as_thought(thought, said)
            thought = []
        if merged and merged[-1][0] == role and role == ASSISTANT:
            merged[-1] = (role, f"{merged[-1][1]}\n{said}")
        else:
            merged.append((role, said))
    if thought:
        merged.append((ASSISTANT, _as_thought(thought, "")))
    return merged


def _as_thought(thought: list[str], said: str) -> str:
    inner = "\n\n".join(thought)
    return f"<think>\n{inner}\n</think>\n{said}" if said else f"<think>\n{inner}"


def _worded(text: str) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    marks = list(_WORDS.finditer(text))
    for at, mark in enumerate(marks):
        who = mark.group("who").lower()
        role = _WHO.get(who, ASSISTANT)
        end = marks[at + 1].start() if at + 1 < len(marks) else len(text)
        said = text[mark.end() : end].strip()
        if who == "answer" and found and found[-1][0] == ASSISTANT:  # a line of the answer itself
            found[-1] = (ASSISTANT, "", f"{found[-1][2]}\n{text[mark.start() : end].strip()}")
        elif role == USER and found and found[-1][0] == USER and who == "input":
            found[-1] = (USER, "", f"{found[-1][2]}\n{said}")
        elif said:
            found.append((role, "", said))
    return found
