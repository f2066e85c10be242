"""The sections of the pipeline file: what to read, how to cut, draw, score and gate, where to write, on what to run.

Each key is documented where it stands; `zero-engine schema pipeline` and docs/pipeline.md print that.
"""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from zero_engine.config import HomePath, Section
from zero_engine.contracts.scores import SCORES
from zero_engine.painter_sections import Diffusion, Http

OBJECT_STORES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "oss": "ossfs",
    "oci": "ocifs",
    "tos": "tosfs",
}
"""Schemes that a dataset can be written to, and the fsspec package of each: stores where a put is atomic."""

_HALF_AN_ADDRESS = re.compile(rf"([A-Za-z][\w+.-]+):/(?!/)|({'|'.join(OBJECT_STORES)}):(?!//)", re.I)


def is_store(path: str | Path) -> bool:
    """Whether a path is an address in an object store."""
    scheme, separator, _ = str(path).partition("://")
    return bool(separator) and scheme in OBJECT_STORES


class Input(Section):
    path: HomePath | list[HomePath]
    """File, glob, folder, archive, `-` for stdin, URL (fsspec) or Hugging Face dataset name; or a list of them."""
    format: str = "generic"
    """Column map by name: see `zero-engine schema formats` and docs/formats.md."""
    columns: dict[str, str] = {}
    """Where the format's fields are: a column, a path (`meta.id`, `turns.-1.text`), or a template over several columns
    (`"{{instruction}}\\n{{input}}"`), e.g. {question: prompt}."""
    where: str | None = None
    """Keep only traces for which this expression holds, e.g. `answer not in ['proof', 'notfound'] and correctness`."""
    duplicates: Literal["keep", "reject"] = "keep"
    """Whether a trace with the content of an earlier one is rejected, as `duplicate_of:ID`."""
    name: str | None = None
    """Name of the corpus in the `source` column; the format's name by default."""
    license: str | None = None
    """Licence of the corpus, kept with every row and named in the dataset card."""
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    """Language of the corpus, as `en` or `zh`, for the dataset card; by default told by its first questions."""
    limit: int | None = Field(None, ge=1)
    """Read at most this many records."""
    split: str = "train"
    """Split of a folder or hub name, by the hub's own conventions."""
    config: str | None = None
    """Configuration (subset) of a folder or hub name; its default one by default."""
    field: str | None = None
    """The list of records in a JSON document that wraps it, e.g. `data` for {"data": [..]}; dotted."""
    encoding: str | None = None
    """Encoding of text files, e.g. cp1252; UTF-8 by default, UTF-16 and UTF-32 where a byte order mark says so."""
    think_tags: tuple[str, str] | None = None
    """Opening and closing tag of the rationale; by default the tags in use are found."""
    question_images: Literal["keep", "drop"] = "keep"
    """Whether pictures in the question stay with the trace."""
    pictures: Literal["near", "anywhere", "fetch"] = "near"
    """Which references to pictures are followed: files under the input's own folder (near), any local file (anywhere),
    or files near and URLs of `picture_hosts` (fetch)."""
    picture_hosts: list[str] = []
    """Hosts that pictures may be fetched from, with `pictures: fetch`."""
    max_picture_pixels: int = Field(64_000_000, ge=1)
    """A question's picture with more pixels is the trace's rejection."""
    max_record_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    """A longer record is rejected unread."""
    strict: bool = False
    """Stop at the first unreadable record instead of rejecting it."""
    ids: Literal["content", "position"] = "content"
    """What a trace without an id of its own is called by, and its drawings' seeds are made of: a digest of its content,
    or, as in folders of version 1, its position in the input (an inserted record then redraws all that follow)."""

    @field_validator("path")
    @classmethod
    def _is_one(cls, value: str | list[str]) -> str | list[str]:
        if not value:
            raise ValueError("must be a path, or a list of at least one")
        return value

    @model_validator(mode="after")
    def _hosts_go_with_fetch(self) -> "Input":
        if self.pictures == "fetch" and not self.picture_hosts:
            raise ValueError("input.pictures: fetch needs input.picture_hosts, the hosts to fetch from")
        return self


class Parse(Section):
    rule: Literal["auto", "markers", "blank_lines", "lines", "sentences", "whole"] = "auto"
    """How a rationale is cut into steps; `auto` picks the rule each trace calls for."""
    max_steps: int = Field(128, ge=1)
    """Steps kept of one trace; what is cut is counted and noted."""
    max_step_chars: int = Field(2000, ge=16)
    """Characters kept of one step, cut at a grapheme boundary and noted."""
    max_given_chars: int | None = Field(400, ge=16)
    """Steps that the corpus itself marks are cut at sentences where they are longer; null leaves them as they are."""
    calculator_notes: Literal["drop", "keep"] = "drop"
    """GSM8K's `<<48/2=24>>` notes in the step text."""


class Render(Section):
    generator: str = "unified"
    """`unified` draws with the model's own image tokens, `diffusion` with a pipeline of diffusers whose pictures the
    model encodes, `http` with a server of pictures, `none` leaves every step text-only; or a plugin's name."""
    model: str = "nano"
    """`nano` (bundled), a local checkpoint folder, or a hub name."""
    diffusion: Diffusion | None = None
    """What the generator `diffusion` paints with."""
    http: Http | None = None
    """Which server the generator `http` asks."""
    options: dict[str, str | int | float | bool] | None = None
    """Settings of a plugin's generator."""
    template: str = "step"
    """Prompt template: step, question_step, history; or a jinja2 text over question, question_pictures,
    step, history, picture, index."""
    candidates: int = Field(4, ge=0, le=256)
    """Drawings tried for every step; 0 draws none: rows then have the pictures that the corpus gives, and no others."""
    given: Literal["keep", "redraw", "both"] = "keep"
    """What becomes of pictures that the corpus gives for its steps. keep: such a picture is its step's one candidate,
    and nothing is drawn for the step; redraw: they are left aside, and their steps are drawn like others; both: the
    given picture and the drawings compete."""
    guidance: float = Field(1.5, ge=1.0, le=20.0)
    """Classifier-free guidance g in u + g (c - u); 1 switches it off."""
    context: Literal["text", "pictures"] = "text"
    """What `history` in a template shows of earlier steps: their text, or their kept drawings, too. With pictures a
    trace's steps are drawn one after another, so another gate can mean other drawings."""
    image_guidance: float | None = Field(None, ge=0.0, le=20.0)
    """Adds h (i - u), i: the prompt's pictures without its text. Where the template does not place the question's
    pictures, they then stand before the prompt. Null adds nothing."""
    negative_prompt: str | None = None
    """What to steer away from: the text of u, instead of nothing."""
    unconditional: Literal["nothing", "pictures"] = "nothing"
    """What the u of guidance keeps of a prompt that holds pictures: nothing, or its pictures."""
    temperature: float = Field(1.0, ge=0.0, le=10.0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(0.9, gt=0.0, le=1.0)
    """Nucleus mass kept when sampling a code."""
    top_k: int | None = Field(None, ge=1)
    """Most likely codes kept when sampling; all by default."""
    batch_size: int | Literal["auto"] = "auto"
    """Drawings made at once; part of a drawing's identity, so `auto` depends on nothing but the model and the kind of
    device: on a GPU, what its memory holds."""
    device: str = "auto"
    """cpu, cuda, cuda:0, ...; `auto` takes a GPU where there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the language model: float32 on a CPU, bfloat16 on a GPU by default. Another precision draws other
    codes. bfloat16 on a CPU is faster only where it multiplies that itself (AVX-512 BF16, AMX)."""

    @property
    def keeps_given(self) -> bool:
        """Whether pictures that the corpus gives are candidates."""
        return self.given != "redraw" and self.generator != "none"

    @field_validator("batch_size")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be at least 1, or auto")
        return value


class Score(Section):
    names: list[str] = [name for name, score in SCORES.items() if score.default]
    """Scores computed for every drawing; see `zero-engine schema scores`."""
    tau: float = Field(3.0, gt=0.0)
    """Scale of total_variation: score = 1 / (1 + tv / tau)."""
    clip: str | None = None
    """CLIP or SigLIP checkpoint, a local folder or a hub name, for the score `clip`."""
    options: dict[str, str | int | float | bool] | None = None
    """Settings of plugins' scores."""


class Gate(Section):
    rank: dict[str, float] = {"likelihood": 1.0, "caption": 0.5}
    """Weights of the sum by which the best drawing of a step is chosen."""
    min: dict[str, float] = {}
    """Lowest value of a score that passes, by score."""
    max: dict[str, float] = {"blank": 0.98}
    """Highest value of a score that passes, by score."""
    on_reject: Literal["text_only", "drop_step", "drop_trace"] = "text_only"
    """What becomes of a step without a drawing that passes."""
    min_pictures: int = Field(0, ge=0)
    """Traces with fewer kept drawings are rejected."""


class Output(Section):
    path: HomePath
    """Folder of the dataset: a local path, or an address in an object store such as s3://bucket/folder."""
    rows_per_shard: int = Field(64, ge=1, le=100_000)
    """Input records in one shard: the unit of work, of resume and of the file."""
    image_format: Literal["png", "webp"] = "png"
    """Lossless encoding of the pictures."""
    pixels: Literal["original", "decoded"] = "original"
    """Pixels of a row's pictures that the model did not draw itself: as they were made (original), or what their codes
    decode to (decoded). `candidates/` holds the original ones; scores look at these."""

    @field_validator("path")
    @classmethod
    def _is_writable(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if broken := _HALF_AN_ADDRESS.match(value):
            raise ValueError(
                f"{value}: an address has two slashes, as {broken[1] or broken[2]}://bucket/folder"
            )
        if separator and not is_store(value):
            known = ", ".join(f"{name}://" for name in sorted(OBJECT_STORES))
            raise ValueError(f"{value}: {scheme}:// cannot be written to; give a folder, or one of {known}")
        if separator and "/" not in rest.strip("/"):
            raise ValueError(f"{value}: give a folder inside the bucket: {scheme}://bucket/folder")
        return value.rstrip("/") if separator else value


MOST_WORKERS = 1024
"""Local processes; more are a slip of the finger, and nothing would stop a machine from trying."""


class Dask(Section):
    scheduler: str | None = None
    """Address of an existing scheduler, e.g. tcp://host:8786; null starts a local cluster."""
    workers: int | Literal["auto"] = "auto"
    """Local worker processes, one thread each; 0 runs in this process; auto is one a core."""
    memory_limit: str = "auto"
    """Memory of a local worker, as Dask understands it."""
    shards_in_flight: int = Field(2, ge=1, le=64)
    """Shards submitted for each worker before the first comes back."""
    shard_timeout_s: float = Field(3600.0, gt=0)
    """A shard that takes longer is made again record by record; a record that alone takes half of it is rejected."""
    max_attempts: int = Field(3, ge=1, le=100)
    """Attempts at a shard whose worker dies, before its traces are tried one by one."""
    workers_timeout_s: float = Field(120.0, gt=0)
    """How long to wait for the first worker."""

    @field_validator("scheduler")
    @classmethod
    def _has_a_port(cls, value: str | None) -> str | None:
        port = re.search(r":(\d+)$", value or "")
        if value == "" or (port and int(port[1]) > 65535):
            raise ValueError("must be an address with a port up to 65535, e.g. tcp://host:8786")
        return value

    @field_validator("workers")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 0:
            raise ValueError("must be at least 0, or auto")
        if isinstance(value, int) and value > MOST_WORKERS:
            raise ValueError(
                f"must be at most {MOST_WORKERS} on one machine (or name a cluster as dask.scheduler)"
            )
        return value
