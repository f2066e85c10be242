"""`twgi`: token lines for the training code of Thinking with Generated Images.

Contract (GAIR-NLP/thinking-with-generated-images 005e31c9, training/custom_datasets.py `InterleavedDataset` and
training/tokenization.py): a JSON line has `prompt`, `response` (`<image>` for a picture) and `tokens`, which are
BOS, the prompt, the separator 8710, the response, 2. The loader asserts exactly one 8710, masks what stands before
it, and passes over rows of 5,120 tokens and more without a word; those are left out here and named.
"""

from collections.abc import Iterator
from pathlib import Path

from zero_engine.contracts.manifest import Manifest
from zero_engine.errors import ModelError
from zero_engine.write.export import texts
from zero_engine.write.export.coder import Coder, coder_of
from zero_engine.write.export.files import front_matter, jsonl_rows, write_jsonl
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row

SEPARATOR = "<reserved08706>"
LONGEST = 5119


def _write(shard: Shard) -> None:
    coder = coder_of(shard.model)
    separator = coder.tokenizer.convert_tokens_to_ids(SEPARATOR)
    if separator is None or separator == coder.tokenizer.unk_token_id or coder.tokenizer.eos_token_id is None:
        raise ModelError(
            f"{coder.name}: its vocabulary has no {SEPARATOR} or no end token. Give an Anole checkpoint."
        )
    lines = _lines(shard, coder, separator)
    shard.samples = write_jsonl(shard.path(f"data-{shard.index:05d}.jsonl"), lines)


def _lines(shard: Shard, coder: Coder, separator: int) -> Iterator[dict]:
    longest = shard.options.max_length or LONGEST
    for row in shard.rows():
        try:
            line = _line(shard, coder, row, separator)
        except ValueError as error:
            shard.leave_out(row, "codes_misfit", str(error))
            continue
        if len(line["tokens"]) > longest:
            shard.leave_out(
                row, "too_long", f"{len(line['tokens'])} tokens > {longest}, which the loader passes over"
            )
            continue
        yield line


def _line(shard: Shard, coder: Coder, row: Row, separator: int) -> dict:
    asked = texts.question_parts(shard, row)
    shown = [step for step in row.steps if step.image is not None]
    drawn = [step.codes for step in shown if step.codes is not None]
    if len(drawn) != len(shown):
        raise ValueError("a picture has no codes")
    told = texts.completion_parts(shard, row, texts.plain())
    given = [coder.given(image) for image in row.given]
    before = [
        token for part in asked for token in (coder.text(part) if isinstance(part, str) else given[part])
    ]
    after = [
        token
        for part in told
        for token in (coder.text(part) if isinstance(part, str) else coder.picture(drawn[part]))
    ]
    tokens = [coder.layout.bos, *before, separator, *after, coder.tokenizer.eos_token_id]
    return {"id": row.id, "prompt": texts.flat(asked), "response": texts.flat(told), "tokens": tokens}


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    text = f"""{front_matter({"default": "data-*.jsonl"}, manifest, files)}
# {manifest.name}, for Thinking with Generated Images

Its `finetune.py` reads one file: `cat data-*.jsonl > dataset_example.jsonl`. The loader looks for the separator by its
id in Anole, 8710.
"""
    return {"README.md": text}


FORMAT = Format(
    "twgi",
    "Token lines of Thinking with Generated Images (Anole)",
    _write,
    jsonl_rows,
    _finish,
    loses="pixels, scores, choices as a list",
    needs_model=True,
    takes=frozenset({"max_length"}),
)
