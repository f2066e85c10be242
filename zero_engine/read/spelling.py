"""Names of columns as people mean them: `Final Answer`, `finalAnswer` and `meta.final-answer` are one name."""

import re

ASKED = tuple("问题 题目 問題 질문 문제 pregunta pergunta frage вопрос задача domanda".split())
REASONED = tuple("解析 解答 推理 推理过程 思考过程 解説 풀이 solución lösung решение soluzione".split())
ANSWERED = tuple(
    "答案 参考答案 标准答案 正确答案 答え 解 정답 답 respuesta resposta réponse reponse antwort ответ risposta".split()
)
"""Names of columns in other languages."""
MESSAGE = re.compile(r"(?:\.-1)?\.(?:content|value)$")
"""The end of a path to the text of a message; the name of its column tells what it is."""


def by_name(pool: list[str], wanted: tuple[str, ...], ends: bool = False) -> str | None:
    """The column whose name is, or ends or begins with, one of the wanted words; earlier words first.

    `ends`: a name that begins with a word does not count.
    """
    plain = {name: spelled(name) for name in pool}
    for word in wanted:
        if exact := [name for name, said in plain.items() if said == word]:
            return exact[0]
    for word in wanted:
        near = [
            name
            for name, said in plain.items()
            if len(word) > 2 and (said.endswith(f"_{word}") or (not ends and said.startswith(f"{word}_")))
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
    last = MESSAGE.sub("", name).rpartition(".")[2].replace("CoT", "Cot")
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last)).strip("_").lower()
