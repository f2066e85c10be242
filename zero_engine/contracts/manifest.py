"""manifest.json: the contents of a finished dataset, file by file.

It is written last, so a folder that has one is finished. The same `ShardEntry` is a line of the
ledger of a run that is not. The bytes of data files never depend on the clock; the manifest says
when the run ended.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from zero_engine.config import Section
from zero_engine.contracts.rows import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One file of the dataset."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    """Path inside the output folder, e.g. `data/data-00000.arrow`."""
    rows: int
    bytes: int
    sha256: str

    def renamed(self, name: str) -> "ShardFile":
        """The same file under its final name."""
        return replace(self, name=name)


class Spread(TypedDict):
    """One score over many drawings: the mean is sum / n."""

    n: int
    sum: float
    min: float
    max: float


@with_config(extra="allow", use_attribute_docstrings=True)
class Tally(TypedDict):
    """Counts of a shard or of a run. `traces == rows + rejected_traces`, always.

    The first four are what `validate` checks; counts may be added in later versions.
    """

    records: int
    """Input records."""
    traces: int
    """Traces read from them; a record that cannot be read counts as one."""
    rows: int
    """Traces that became a row."""
    rejected_traces: int
    """Traces rejected as a whole."""
    steps: NotRequired[int]
    """Steps of all parsed traces."""
    pictures: NotRequired[int]
    """Drawings made, kept or not."""
    distinct_pictures: NotRequired[int]
    """Drawings whose codes no other drawing of the same step has."""
    steps_drawn: NotRequired[int]
    """Steps with at least one drawing."""
    pictures_kept: NotRequired[int]
    """Drawings that stand in a row."""
    rejected_steps: NotRequired[int]
    """Rejections of steps."""
    rejected_pictures: NotRequired[int]
    """Rejections of drawings; one that lacks a score is none."""
    rules: NotRequired[dict[str, int]]
    """Traces by the rule that cut them."""
    notes: NotRequired[dict[str, int]]
    """What reading and parsing repaired or cut, by note."""
    reasons: NotRequired[dict[str, int]]
    """Rejections by `stage: reason`."""
    verdicts: NotRequired[dict[str, int]]
    """Steps of the rows by verdict."""
    scores: NotRequired[dict[str, Spread]]
    """Every score over all drawings."""


class ShardEntry(Section):
    """A fixed range of input records, and the files made from it."""

    index: int = Field(ge=0)
    first_row: int = Field(ge=0)
    """Position of its first record in the input."""
    records: int = Field(ge=0)
    """Input records of the shard."""
    digest: str
    """Digest of their bytes."""
    keys: dict[str, str]
    """Key of every stage: a changed key says from which stage on the shard has to be made again."""
    counts: Tally
    data: ShardFile
    candidates: ShardFile | None = None
    """None where nothing was drawn."""
    rejections: ShardFile | None = None
    """None where nothing was rejected."""

    def files(self) -> list[ShardFile]:
        """The shard's files, data first."""
        return [file for file in (self.data, self.candidates, self.rejections) if file is not None]


class ModelInfo(Section):
    """The model that drew."""

    name: str
    fingerprint: str
    codebook_size: int | None = None
    codes_per_picture: int | None = None
    height: int | None = None
    """Pixels."""
    width: int | None = None
    """Pixels."""
    device: str | None = None
    """cpu or cuda: where it drew, which decides what `auto` means."""
    batch_size: int | None = None
    """What `render.batch_size: auto` meant there."""


class InputInfo(Section):
    """What was read."""

    paths: list[str]
    records: int = Field(ge=0)
    digest: str
    """Digest over the shards' digests."""


class Manifest(Section):
    """All of a finished dataset but its rows."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    name: str
    created: str
    """When the run ended, ISO 8601 in UTC."""
    versions: dict[str, str]
    """Versions of zero-engine, Python and the libraries that shape the bytes."""
    pipeline: dict[str, Any]
    """The resolved pipeline."""
    fingerprints: dict[str, str]
    """Of the pipeline and the model, by name."""
    model: ModelInfo | None = None
    """None where nothing was to be drawn."""
    input: InputInfo
    shards: list[ShardEntry]
    counts: Tally
    checksum: str | None = None
    """16 hex digits over all of it but this, so that damage is noticed; None where an older version wrote it."""

    def files(self) -> list[ShardFile]:
        """Every file of the dataset, in the order of the shards."""
        return [file for shard in self.shards for file in shard.files()]
