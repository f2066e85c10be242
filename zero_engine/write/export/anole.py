"""`anole`: pairs of a text and a picture, for Anole's fine-tuning.

Contract (GAIR-NLP/anole af563fa1, training/README.md, training/train.py `TokenizedDataset` and
chameleon/inference/chameleon.py `sft_tokenization`): a JSON line has `text`, `image` (a path), `text_tokens` (no
BOS), and `image_tokens` with BOI and EOI; the loader trains on `text_tokens + image_tokens`. "Current code only
supports finetuning on one-text segment and one image", so every drawing is a sample of its own, with its step as
the text; steps without a drawing, questions with their pictures and answers have no place, and are counted. A row
without a drawing is left out.
"""

from collections.abc import Iterator
from pathlib import Path

from zero_engine.contracts.manifest import Manifest
from zero_engine.write.export.coder import Coder, coder_of
from zero_engine.write.export.files import front_matter, jsonl_rows, write_jsonl
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Shown, suffix_of


def _write(shard: Shard) -> None:
    coder = coder_of(shard.model)
    shard.samples = write_jsonl(shard.path(f"data-{shard.index:05d}.jsonl"), _pairs(shard, coder))


def _pairs(shard: Shard, coder: Coder) -> Iterator[dict]:
    for place, row in enumerate(shard.rows()):
        drawn = [(step, step.image) for step in row.steps if step.image is not None]
        if not drawn:
            shard.leave_out(row, "no_drawing", "a sample is a text and a picture")
            continue
        try:
            tokens = [_tokens(coder, step) for step, _ in drawn]
        except ValueError as error:
            shard.leave_out(row, "codes_misfit", str(error))
            continue
        shard.lost["steps without a drawing"] += len(row.steps) - len(drawn)
        shard.lost["questions and answers"] += 1
        shard.lost["pictures of questions"] += len(row.given)
        for number, (step, image) in enumerate(drawn):
            name = f"images/data-{shard.index:05d}/{place:06d}-{number}{suffix_of(image)}"
            shard.path(name).write_bytes(image)
            yield {"id": row.id, "text": step.text, "image": name, **tokens[number]}


def _tokens(coder: Coder, step: Shown) -> dict:
    if step.codes is None:
        raise ValueError("a picture has no codes")
    return {"text_tokens": coder.text(step.text), "image_tokens": coder.picture(step.codes)}


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    text = f"""{front_matter({"default": "data-*.jsonl"}, manifest, files)}
# {manifest.name}, for Anole's fine-tuning

`cat data-*.jsonl > dataset_tokenized.jsonl`, and name that in `constants_training.py`. Nothing has to be tokenised
again.
"""
    return {"README.md": text}


FORMAT = Format(
    "anole",
    "Pairs of a step and its drawing, tokenised, for Anole's fine-tuning",
    _write,
    jsonl_rows,
    _finish,
    loses="what is not a step with a drawing",
    needs_model=True,
)
