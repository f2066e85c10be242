"""Language: which one the texts of a dataset are in, for the front matter of its card.

`input.language` says it. Without that it is told by the script of the first questions and, among languages of one
script, by their commonest words or a letter that only one of them has. Where these leave a doubt, nothing is said.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.export.rows import read_batches

ROWS = 200
"""Rows whose questions are looked at."""
SCRIPTS = {
    "ja": "\u3040-\u30ff",
    "ko": "\uac00-\ud7a3",
    "zh": "\u4e00-\u9fff",
    "cyrillic": "\u0400-\u04ff",
    "arabic": "\u0600-\u06ff",
    "hi": "\u0900-\u097f",
    "bn": "\u0980-\u09ff",
    "ta": "\u0b80-\u0bff",
    "te": "\u0c00-\u0c7f",
    "th": "\u0e00-\u0e7f",
    "el": "\u0370-\u03ff",
    "he": "\u0590-\u05ff",
    "latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
}
LETTERS = {
    "cyrillic": (("uk", "іїєґ"), ("ru", "ыэ")),
    "arabic": (("ur", "ٹڈڑےں"), ("fa", "پچژگ"), ("ar", "ةىأ")),
}
"""Letters that one language of a script has; the first that is common decides."""
WORDS = {
    "en": "the of and is to how many what are that she he has does in for with if",
    "de": "der die und ist wie viele das ein nicht hat wenn von mit sie es den zu",
    "fr": "le les et est combien une des dans il elle pour si du que sont qui au",
    "es": "el los y es cuántos cuántas una si del por con las cada tiene que su",
    "pt": "os é quantos quantas uma se do da dos em não com cada tem que seu por",
    "it": "il di quanti quante una che per non della con ogni ha se gli sono è",
    "nl": "het een hoeveel van dat niet en hij zij met voor als elke is er zijn",
    "pl": "jest ile na się i w z do ma każdy jeśli że nie są po od",
    "tr": "ve bir kaç bu için ne kadar her ile tane var olarak",
    "id": "yang dan berapa adalah dari untuk jika setiap dengan ini pada banyak",
    "vi": "và của là có bao nhiêu một cho mỗi nếu được trong",
}
COMMON, CLEAR = 0.08, 1.5
"""Share of words that must be among a language's commonest, and how many times the next language's share that is."""
MAIN, PART = 0.6, 0.05
"""Share of letters in the main script; in kana or hangul, beside ideographs, that makes a text Japanese or Korean."""


def language_of(manifest: Manifest, out: Path | None) -> str | None:
    """The language's code, said by the pipeline or told by the questions; None where neither does."""
    said = manifest.pipeline.get("input", {}).get("language")
    return said or (told_language(_questions(out, manifest)) if out is not None else None)


def told_language(texts: Iterable[str]) -> str | None:
    """ISO 639-1 code of the language of some texts, or None."""
    text = " ".join(texts)
    letters = {name: len(re.findall(f"[{signs}]", text)) for name, signs in SCRIPTS.items()}
    total = sum(letters.values())
    if total == 0:
        return None
    for name in ("ja", "ko"):
        if letters[name] >= PART * total and letters[name] + letters["zh"] >= MAIN * total:
            return name
    script = max(letters, key=lambda name: letters[name])
    if letters[script] < MAIN * total:
        return None
    if script == "latin":
        return _by_words(text)
    if script in LETTERS:
        counted = Counter(text)
        found = (name for name, own in LETTERS[script] if sum(counted[s] for s in own) > total / 200)
        return next(found, None)
    return script


def _by_words(text: str) -> str | None:
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    total = sum(words.values())
    shares = {name: sum(words[word] for word in own.split()) / total for name, own in WORDS.items()}
    best, second = sorted(shares, key=lambda name: -shares[name])[:2]
    is_clear = shares[best] >= COMMON and shares[best] >= CLEAR * shares[second]
    return best if is_clear else None


def _questions(out: Path, manifest: Manifest) -> list[str]:
    found: list[str] = []
    try:
        for batch in read_batches(out, [shard.data for shard in manifest.shards]):
            found += batch.column("question").slice(0, ROWS - len(found)).to_pylist()
            if len(found) >= ROWS:
                break
    except (OSError, pa.ArrowException, KeyError):
        return found  # a card is no place for an error: `validate` reports the file
    return found
