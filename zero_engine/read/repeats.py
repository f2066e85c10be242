"""Ids that came before: so that a row's id is unique over the whole dataset, not just in its shard.

Records keep their own ids, but corpora repeat them: two files that both count from 0, a question asked
twice. Only the driver sees the whole input, and it does not decode records; it looks for the id
in the raw bytes (or in the id column alone) and remembers it in a Bloom filter of fixed size. Where one
was there before, the chunk says so and the worker writes `id#position`, the position over the whole input.
The filter may take a new id for an old one (some 5 in 10,000 at ten million ids): then an id
gets a number that it did not need, the same in every run. Repeats inside a chunk are the worker's (`#2`).
"""

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Iterator

from zero_engine.read.fields import identity

FILTER_BITS = 1 << 28
LAST_BIT = FILTER_BITS - 1
PROBES = struct.Struct(">4I")
"""Four places of an id in the filter, each taken modulo its size."""


class SeenIds:
    """Remembers ids chunk by chunk, in constant memory."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        """`paths` are the fields in which a record may hold its id, the first that does counts."""
        self.paths = paths
        self._keys = [f'"{path.rpartition(".")[2]}"'.encode() for path in paths]
        self._values = [
            re.compile(re.escape(key) + rb'\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)') for key in self._keys
        ]
        self._bits = bytearray()

    def raw_ids(self, records: Iterable[bytes]) -> Iterator[bytes | None]:
        """The id in each undecoded JSON record, if there is one.

        The bytes that look like it may lie deeper in the record (the id of a tool call, say), so a
        record whose id seems to have come before is decoded after all.
        """
        for record in records:
            name = self._look_for_id(record)
            yield self._own_id(record) if name and self._has(self._probes(name)) else name

    def repeated(self, ids: Iterable[bytes | None]) -> tuple[int, ...]:
        """Positions of ids that an earlier call was given; all of these count from now on."""
        probes = [(position, self._probes(name)) for position, name in enumerate(ids) if name]
        if not probes:
            return ()
        found = tuple([position for position, spots in probes if self._has(spots)])
        if not self._bits:
            self._bits = bytearray(FILTER_BITS // 8)
        for _, spots in probes:
            for spot in spots:
                self._bits[(spot & LAST_BIT) >> 3] |= 1 << (spot & 7)
        return found

    def _look_for_id(self, record: bytes) -> bytes | None:
        for key, value in zip(self._keys, self._values, strict=True):
            at = record.find(key)
            if at >= 0 and (found := value.search(record, at)):
                return found.group(1).strip(b'"')
        return None

    def _own_id(self, record: bytes) -> bytes | None:
        try:
            decoded = json.loads(record)
        except (ValueError, RecursionError):
            return None
        name = identity(decoded, self.paths) if isinstance(decoded, dict) else None
        return name.encode("utf-8", "replace") if name else None

    def _has(self, spots: tuple[int, ...]) -> bool:
        bits = self._bits
        return bool(bits) and all(bits[(spot & LAST_BIT) >> 3] >> (spot & 7) & 1 for spot in spots)

    def _probes(self, name: bytes) -> tuple[int, ...]:
        return PROBES.unpack(hashlib.blake2b(name, digest_size=PROBES.size).digest())
