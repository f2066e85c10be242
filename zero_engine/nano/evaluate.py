"""Evaluation: what the nano model draws, judged by the oracles.

`judge_kinds` draws several candidates of each held-out prompt, decodes them and asks the kind's oracle about the
pixels. `summary` turns that into the table of the model card: accuracy of one sample, of the best of N by each
score, of the oracle's best, with intervals, and the AUC of each score; `gated` says what a gate would keep, and
how much of that is right. `judge_traces` does the same on real GSM8K steps.

Scores are those of a run: the model's own likelihoods, and the functions of codes and pictures of
`zero_engine.score.scorer`. The gate that ranks and rejects is `zero_engine.score.gate`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zero_engine import world
from zero_engine.hashing import seed_for
from zero_engine.models.prompt import Sampling, requests
from zero_engine.nano import GATE, LEARNT
from zero_engine.pipeline import Gate
from zero_engine.score.gate import failures, rank
from zero_engine.score.scorer import BY_CODES, BY_PICTURE
from zero_engine.statistics import wilson
from zero_engine.world.glyphs import is_nothing, read_equation
from zero_engine.world.kind import Spec

if TYPE_CHECKING:
    from zero_engine.models.base import UnifiedModel

BATCH = 64


@dataclass(frozen=True)
class Drawing:
    """How to draw: candidates per prompt, and the sampler's settings."""

    candidates: int = 4
    guidance: float = 1.5
    temperature: float = 1.0
    top_p: float = 0.9
    seed: int = 0


@dataclass
class Judged:
    """P prompts with C candidates each: the oracle's verdicts and every score, (P, C)."""

    texts: list[str]
    right: np.ndarray
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    """NaN where a score does not apply."""
    images: np.ndarray | None = None  # (P, C, H, W, 3)

    def rivals(self) -> list[list[dict[str, float]]]:
        """The scores of each prompt's candidates as a run has them: by name, absent where they do not apply."""
        names, values_PCS = list(self.scores), np.stack(list(self.scores.values()), -1).tolist()
        return [
            [{n: v for n, v in zip(names, row, strict=True) if v == v} for row in rows] for rows in values_PCS
        ]


def judge_kinds(
    model: UnifiedModel,
    prompts: int,
    how: Drawing,
    *,
    kinds: Iterable[str] | None = None,
    new_phrasing: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Judged]:
    """Draw and judge `prompts` held-out specifications of every kind."""
    table = {}
    for name in kinds or LEARNT:
        rng = random.Random(f"evaluate-{how.seed}-{name}-{new_phrasing}")
        samples = [world.sample(rng, name, held_out=True, new_phrasing=new_phrasing) for _ in range(prompts)]
        specs = [item.spec for item in samples]
        table[name] = judge_texts(
            model,
            [item.text for item in samples],
            partial(_shows, name, specs),
            how,
            given=[item.given for item in samples if item.given is not None],
        )
        report(f"{name}: {table[name].right.mean():.3f} of single samples right")
    return table


def _shows(kind: str, specs: list[Spec], row: int, image: np.ndarray) -> bool:
    return world.judge(kind, specs[row], image)


def judge_texts(
    model: UnifiedModel,
    texts: list[str],
    oracle: Callable[[int, np.ndarray], bool],
    how: Drawing,
    given: Sequence[np.ndarray] = (),
) -> Judged:
    """Draw candidates of each text; `oracle(row, image)` says whether a picture of text `row` is right.

    `given`: the picture that stands before each text in its prompt, of all or of none.
    """
    shown = model.encode(given) if given else None
    rows = [(row, attempt) for row in range(len(texts)) for attempt in range(how.candidates)]
    codebook_KD = model.codebook()
    parts: list[tuple[list[bool], dict[str, np.ndarray], np.ndarray]] = []
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        asked = [texts[row] for row, _ in chunk]
        prompts = asked if shown is None else [(shown[row], texts[row]) for row, _ in chunk]
        seeds = [seed_for(how.seed, texts[row], row, attempt) for row, attempt in chunk]
        drawn = model.draw(requests(prompts, seeds), Sampling(how.guidance, how.temperature, how.top_p))
        images = model.decode(drawn.codes)
        unconditional = drawn.likelihood_unconditional
        if unconditional is None:
            unconditional = model.log_likelihood([""] * len(chunk), drawn.codes)
        scores = {
            "likelihood": drawn.likelihood,
            "caption": model.caption_likelihood(drawn.codes, asked),
            "alignment": drawn.likelihood - unconditional,
        }
        scores |= {
            name: np.array([score(codes, codebook_KD, model.grid) for codes in drawn.codes], np.float32)
            for name, score in BY_CODES.items()
        }
        pictures = list(zip(images, asked, strict=True))
        scores |= {
            name: np.array([score(image, text) for image, text in pictures], np.float32)  # None is NaN
            for name, score in BY_PICTURE.items()
        }
        parts.append(
            ([oracle(row, image) for (row, _), image in zip(chunk, images, strict=True)], scores, images)
        )
    shape = (len(texts), how.candidates)
    images = np.concatenate([part[2] for part in parts])
    return Judged(
        texts,
        np.concatenate([part[0] for part in parts]).reshape(shape),
        {name: np.concatenate([part[1][name] for part in parts]).reshape(shape) for name in parts[0][1]},
        images.reshape(*shape, *images.shape[1:]),
    )


def summary(table: Mapping[str, Judged], gate: Gate = GATE) -> dict:
    """Facts of a table: `kinds[name]` and `mean` with `one`, `best` (by the gate's rank), `oracle`, `by` each score."""
    kinds = {}
    for name, judged in table.items():
        one = float(judged.right.mean())
        kinds[name] = {
            "one": one,
            "interval": wilson(int(judged.right.sum()), judged.right.size),
            "best": _picked(judged, gate.rank),
            "oracle": float(judged.right.any(1).mean()),
            "by": {score: _picked(judged, {score: 1.0}) for score in judged.scores},
            "prompts": len(judged.texts),
        }
    mean = {key: float(np.mean([row[key] for row in kinds.values()])) for key in ("one", "best", "oracle")}
    return {"mean": mean, "kinds": kinds, **aucs(table), "gate": gated(table, gate)}


def gated(table: Mapping[str, Judged], gate: Gate = GATE) -> dict[str, float]:
    """What a gate keeps: `keep_rate` of the prompts, and `precision`, the share of kept drawings that are right."""
    prompts, kept = 0, []
    for judged in table.values():
        for scores, right in zip(judged.rivals(), judged.right, strict=True):
            prompts += 1
            best = next((at for at in rank(scores, gate.rank) if not failures(scores[at], gate)), None)
            if best is not None:
                kept.append(right[best])
    precision = float(np.mean(kept)) if kept else np.nan
    return {"precision": precision, "keep_rate": len(kept) / prompts, "prompts": prompts}


def aucs(table: Mapping[str, Judged]) -> dict[str, dict[str, float | None]]:
    """`auc` of each score over all drawings, and `auc_within`, among the candidates of one prompt."""
    names = list(next(iter(table.values())).scores)
    right = np.concatenate([judged.right.ravel() for judged in table.values()])
    everywhere = {}
    for name in names:
        values = np.concatenate([judged.scores[name].ravel() for judged in table.values()])
        there = ~np.isnan(values)
        everywhere[name] = area_under_curve(values[there], right[there])
    return {
        "auc": everywhere,
        "auc_within": {name: auc_within_prompts(table.values(), name) for name in names},
    }


def area_under_curve(scores: np.ndarray, right: np.ndarray) -> float | None:
    """The chance that a right picture scores higher than a wrong one, ties half; None without both kinds."""
    positives = int(right.sum())
    negatives = right.size - positives
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_within_prompts(table: Iterable[Judged], score: str) -> float | None:
    """The same among candidates of one prompt only, which is what ranking them needs; None without such a pair."""
    won = pairs = 0.0
    for judged in table:
        values, right = judged.scores[score], judged.right
        ahead = np.sign(values[:, :, None] - values[:, None, :]) / 2 + 0.5
        counted = right[:, :, None] & ~right[:, None, :] & ~np.isnan(ahead)
        won += float(ahead[counted].sum())
        pairs += int(counted.sum())
    return won / pairs if pairs else None


def judge_traces(model: UnifiedModel, steps: list[tuple[str, str | None]], how: Drawing) -> dict[str, Judged]:
    """Real steps: (text, equation) where the drawn equation must be that one, or no drawing where it is None."""
    table = {}
    for name, chosen in (
        ("equation", [s for s in steps if s[1]]),
        ("nothing", [s for s in steps if not s[1]]),
    ):
        if not chosen:
            continue

        def oracle(row: int, image: np.ndarray, chosen: list[tuple[str, str | None]] = chosen) -> bool:
            wanted = chosen[row][1]
            return read_equation(image) == wanted if wanted else is_nothing(image)

        table[name] = judge_texts(model, [text for text, _ in chosen], oracle, how)
    return table


def gsm8k_steps(path: Path) -> tuple[list[tuple[str, str | None]], dict[str, int]]:
    """Steps of a GSM8K file that can be judged, calculator notes removed, and how many steps fall in each class.

    equation: one note `a op b = c` on integers up to 999. nothing: no note, no shape and no operator between
    numbers. other: longer or several equations, decimals, equations without a note.
    """
    steps: list[tuple[str, str | None]] = []
    counts = {"traces": 0, "equation": 0, "nothing": 0, "other": 0}
    for line in path.read_text(encoding="utf-8").strip().split("\n"):
        counts["traces"] += 1
        for step in json.loads(line)["answer"].split("\n"):
            if step.startswith("####") or not step.strip():
                continue
            notes = re.findall(r"<<(.*?)>>", step)
            text = re.sub(r"<<.*?>>", "", step).strip()
            if len(notes) == 1 and re.fullmatch(r"\d{1,3}[-+*/]\d{1,3}=\d{1,3}", notes[0]):
                steps.append((text, notes[0]))
                counts["equation"] += 1
            elif not notes and not re.search(
                r"[\d)%]\s*[-+*/x×÷=]|=|\b(circle|square|triangle|rectang|star)", text
            ):
                steps.append((text, None))
                counts["nothing"] += 1
            else:
                counts["other"] += 1
    return steps, counts


def contact_sheet(table: Mapping[str, Judged], columns: int = 12) -> np.ndarray:
    """One row of first candidates per kind, uint8; a green frame is right, a red one wrong."""
    rows = []
    for judged in table.values():
        assert judged.images is not None, "a table that was drawn has its pictures"
        tiles = []
        for image, right in zip(judged.images[:columns, 0], judged.right[:columns, 0], strict=True):
            framed = np.empty((image.shape[0] + 6, image.shape[1] + 6, 3), np.uint8)
            framed[:] = (40, 160, 60) if right else (220, 40, 40)
            framed[3:-3, 3:-3] = image
            tiles.append(np.pad(framed, ((2, 2), (2, 2), (0, 0)), constant_values=255))
        tiles += [np.full_like(tiles[0], 255)] * (columns - len(tiles))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def _picked(judged: Judged, weights: Mapping[str, float]) -> float:
    """The share of prompts whose best candidate by these weights is right."""
    best = [rank(scores, weights)[0] for scores in judged.rivals()]
    return float(judged.right[np.arange(len(best)), best].mean())
