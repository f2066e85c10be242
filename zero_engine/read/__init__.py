"""Read: any corpus of reasoning traces in, `Trace` or `Rejection` out.

Two steps, because a shard is formed by the driver, cheaply, and decoded by a worker:
`iter_chunks` cuts the input into fixed ranges of records (it finds lines, it does not decode them),
`read_chunk` decodes one range and maps its columns with a format of `FORMATS`. Every record becomes
at least one Trace or exactly one Rejection, so counts can be checked at the end.

    from zero_engine.read import read_traces
    for item in read_traces(Input(path="corpus.jsonl.zst", format="gsm8k")): ...
"""

from zero_engine.read.chunks import Chunk, count_records, iter_chunks, read_chunk
from zero_engine.read.formats import FORMATS, Format
from zero_engine.read.looking import check_input, passed_over, read_traces

__all__ = [
    "FORMATS",
    "Chunk",
    "Format",
    "check_input",
    "count_records",
    "iter_chunks",
    "passed_over",
    "read_chunk",
    "read_traces",
]
