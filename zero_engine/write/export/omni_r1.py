"""`omni_r1`: the JSON lines that the paper's PeSFT code trains on, pictures as vocabulary ids.

Contract (ModalityDance/Omni-R1 63fb24ed, src/PeSFT/pesft.py `JsonlSFTDataset`): keys `Question`, `Text Reasoning
Trace`, `Final Answer`; `<image_start>[key]<image_end>` in a text is replaced by the list of ids under `key`, which
must hold BOI and EOI too (src/PeSFT/trainer.py `extract_image_segments`). The loader reads every *.jsonl of one
folder, and passes over, without a word, a row with an empty field, with a key that is missing, or of more than
5,100 ids. So rows without the fields are left out and named; rows over the length are named too, and lie in
`too_long/`, where it does not look. The loader tokenises with special names as tokens, so names in the data are
broken up (`< /s>`) and counted.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from zero_engine.contracts.manifest import Manifest
from zero_engine.render.prompts import plain_text
from zero_engine.write.export.coder import Coder, coder_of
from zero_engine.write.export.files import front_matter, jsonl_rows, write_jsonl
from zero_engine.write.export.job import Format, Options, Shard
from zero_engine.write.export.rows import Row, most_pictures
from zero_engine.write.export.texts import question_parts

LONGEST = 5100
FIELDS = ("Question", "Text Reasoning Trace", "Final Answer")
PREFIX = "You are a helpful assistant.\nUser: "
SUFFIX = (
    " Think with images first. The image reasoning process and answer are enclosed within <reserved12856> "
    "<reserved12857> and <reserved12866> <reserved12867> XML tags, respectively.\nAssistant:"
)
LEADS = (
    "Let's think step-by-step.",
    "Let's reason step-by-step.",
    "Let's think this through.",
    "Let's reason this through.",
    "Let's work it out step-by-step.",
    "Let's break it down step-by-step.",
    "Step-by-step reasoning follows.",
    "Reasoning step-by-step begins.",
)
"""The reader puts one of these at random before the thought; a row has to fit with the longest."""
_PLACE = re.compile(r"<image_start>\[(.*?)\]<image_end>")


def _write(shard: Shard) -> None:
    coder = coder_of(shard.model)
    longest = shard.options.max_length or LONGEST
    fixed = _fixed(coder)
    over: list[dict] = []
    name = f"data-{shard.index:05d}.jsonl"
    beyond = shard.path(f"too_long/{name}")

    def fitting() -> Iterator[dict]:
        for row, line in _lines(shard, coder):
            length = fixed + sum(_length(coder, line, line[key]) for key in FIELDS[:2])
            length += len(coder.as_reader(line["Final Answer"]))
            if length > longest:
                shard.leave_out(row, "too_long", f"{length} ids > {longest}; in too_long/{name}")
                over.append(line)
            else:
                yield line
            if len(over) >= 100:
                spill()

    def spill() -> None:
        write_jsonl(beyond, over, append=True)
        over.clear()

    shard.samples = write_jsonl(shard.path(f"data/{name}"), fitting())
    if over:
        spill()
    if beyond.exists():
        shard.samples += jsonl_rows(beyond)
    else:
        beyond.parent.rmdir()


def _lines(shard: Shard, coder: Coder) -> Iterator[tuple[Row, dict]]:
    for row in shard.rows():
        line, reason = _line(shard, coder, row)
        if reason:
            shard.leave_out(row, *reason)
        else:
            yield row, line


def _line(shard: Shard, coder: Coder, row: Row) -> tuple[dict, tuple[str, str] | None]:
    if row.answer is None or not row.answer.strip():
        return {}, ("no_answer", "the reader passes over a row without Final Answer")
    line: dict = {"id": row.id}
    try:
        pictures = [coder.given(image) for image in row.given]
        question = "".join(
            plain(shard, part) if isinstance(part, str) else _placed(line, pictures[part])
            for part in question_parts(shard, row)
        )
        steps = [plain(shard, s.text) + (_placed(line, coder.picture(s.codes)) if s.codes is not None else "")
                 for s in row.steps]  # fmt: skip
    except ValueError as error:
        return {}, ("codes_misfit", str(error))
    trace = "\n".join(steps)
    if not question.strip() or not trace.strip():
        return {}, ("empty", "the reader passes over a row without a question or a trace")
    told = dict(zip(FIELDS, (question, trace, plain(shard, row.answer)), strict=True))
    return {"id": line.pop("id"), **told, **line}, None


def plain(shard: Shard, text: str) -> str:
    """The text with names of special tokens, and the reader's own marks, broken up."""
    found = plain_text(text)
    if found != text:
        shard.lost["marks respelled"] += 1
    return found


def _placed(line: dict, ids: list[int]) -> str:
    key = f"image_{len(line)}"
    line[key] = ids
    return f"<image_start>[{key}]<image_end>"


def _fixed(coder: Coder) -> int:
    """BOS, prefix, suffix, the longest lead, four brackets, EOS."""
    lead = max(len(coder.as_reader(text)) for text in LEADS)
    return 6 + len(coder.as_reader(PREFIX)) + len(coder.as_reader(SUFFIX)) + lead


def _length(coder: Coder, line: dict, text: str) -> int:
    """Ids of a text as the reader encodes it: between the pictures, piece by piece."""
    pieces = _PLACE.split(text.strip())
    texts = sum(len(coder.as_reader(piece)) for piece in pieces[::2] if piece)
    return texts + sum(len(line[key]) for key in pieces[1::2])


def _finish(
    out: Path, target: Path, manifest: Manifest, files: dict[str, dict], options: Options
) -> dict[str, str]:
    # a row has as many columns as pictures: without their names datasets takes the first file's for all files'
    pictures = most_pictures(out, [shard.data for shard in manifest.shards])
    columns = dict.fromkeys(("id", *FIELDS), "dtype: string")
    columns |= {f"image_{place}": "sequence: int32" for place in range(1, pictures + 1)}
    text = f"""{front_matter({"default": "data/*.jsonl"}, manifest, files, columns)}
# {manifest.name}, for the PeSFT code of Omni-R1

    python pesft.py --json_dir THIS_FOLDER/data --max_length {options.max_length or LONGEST} --mode templated ...

Rows over that length are in `too_long/` and named in `left_out.jsonl`; the loader would pass over them without a word.
"""
    return {"README.md": text}


FORMAT = Format(
    "omni_r1",
    "The paper's PeSFT JSON lines: pictures as vocabulary ids in the text",
    _write,
    jsonl_rows,
    _finish,
    loses="pixels, scores",
    needs_model=True,
    takes=frozenset({"max_length"}),
)
