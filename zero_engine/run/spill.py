"""Records go to a worker through a file in the run's work folder, not through the scheduler.

Dask's scheduler keeps the bytes that tasks carried (distributed 2026.8: 300 tasks of 0.6 MB left
360 MB behind, none of it freed by releasing the futures), so a driver would grow with the corpus.
Workers write their shards into the same folder, so a file asks for nothing that a run does not need anyway.
"""

import dataclasses
import pickle
import uuid

from zero_engine.errors import OutputError
from zero_engine.read import Chunk
from zero_engine.write.atomic import disk_errors
from zero_engine.write.folder import WORK
from zero_engine.write.place import bring, drop_copy, here, send


def spill(chunk: Chunk, out: str) -> tuple[Chunk, str]:
    """The chunk without its records, and the file of the folder that holds them. Raises OutputError for a full disk."""
    name = f"{WORK}/records-{chunk.index:05d}-{uuid.uuid4().hex}.tmp"
    path = here(out) / name
    with disk_errors(path), open(path, "wb") as file:
        pickle.dump(chunk.payload, file, protocol=pickle.HIGHEST_PROTOCOL)
    send(out, name)
    return dataclasses.replace(chunk, payload=()), name


def fetch(chunk: Chunk, out: str, name: str | None) -> Chunk:
    """The chunk with its records again; it has them already where `name` is None."""
    if name is None:
        return chunk
    path = bring(out, name)
    if path is None:
        raise OutputError(f"{out}: {name} is gone. Something else changed the folder; run again.")
    with open(path, "rb") as file:
        whole = dataclasses.replace(chunk, payload=pickle.load(file))
    drop_copy(out, name)
    return whole
