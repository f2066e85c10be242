"""Names that came before, so that a row's id is unique over the whole dataset and not just in its shard.

Records keep their own ids, but corpora repeat them: two files that both count from 0, a question asked twice. Only
the driver sees the whole input, and it does not decode records. It looks for the id in the raw bytes (or in the id
column alone) and remembers it, beside a digest of the record for those without an id, in a Bloom filter of fixed size.
Where a name came before, the chunk says so and the worker writes `id~position`, the position over the whole input.
The filter may take a new name for an old one (some 5 in 10,000 at ten million records): then an id gets a number that
it did not need, the same in every run. A name is not what a drawing's seed is made of (`Trace.key`), so a number
never redraws anything.
"""

import hashlib
import json
import re
import struct
from collections.abc import Iterable

from zero_engine.read.fields import identity, without_surrogates

FILTER_BITS = 1 << 28
LAST_BIT = FILTER_BITS - 1
PROBES = struct.Struct(">4I")
"""Four places of a name in the filter, each taken modulo its size."""


def content_name(raw: bytes) -> str:
    """What a record without an id is called by: 16 hex digits over its bytes."""
    return hashlib.blake2b(raw, digest_size=8).hexdigest()


class SeenNames:
    """Remembers names record by record, in constant memory."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        """`paths` are the fields in which a record may hold its id, the first that does counts."""
        self.paths = paths
        self._keys = [f'"{path.rpartition(".")[2]}"'.encode() for path in paths]
        self._values = [
            re.compile(re.escape(key) + rb'\s*:\s*("[^"\\]*"|-?\d+)(?=\s*[,}])') for key in self._keys
        ]
        self._bits = bytearray()

    def repeated_records(self, records: Iterable[bytes]) -> tuple[int, ...]:
        """Positions of undecoded JSON records whose name an earlier record had, in this call or before it."""
        found = []
        for position, record in enumerate(records):
            name, content = self._look_for_id(record), b"\0" + content_name(record).encode()
            # what looks like the id may lie deeper in the record, so a name seen before is looked up properly
            if name and self._has(self._probes(name)):
                name = self._own_id(record)
            if (self._add(content) and not name) or (name and self._add(name)):
                found.append(position)
        return tuple(found)

    def repeated_names(self, names: Iterable[bytes | None]) -> tuple[int, ...]:
        """The same for names that are known."""
        return tuple([position for position, name in enumerate(names) if name and self._add(name)])

    def _look_for_id(self, record: bytes) -> bytes | None:
        """The id, if the bytes leave no doubt; else the one that decoding finds."""
        for key, value in zip(self._keys, self._values, strict=True):
            times = record.count(key)
            if times == 1 and (found := value.search(record)):
                return found.group(1).strip(b'"')
            if times:
                return self._own_id(record)
        return self._own_id(record) if self._keys and b"\\u" in record else None

    def _own_id(self, record: bytes) -> bytes | None:
        try:
            decoded = json.loads(record)
        except (ValueError, RecursionError):
            return None
        name = identity(decoded, self.paths) if isinstance(decoded, dict) else None
        return without_surrogates(name).encode() if name else None

    def _add(self, name: bytes) -> bool:
        """Remember a name; whether it was there before."""
        spots = self._probes(name)
        if self._has(spots):
            return True
        if not self._bits:
            self._bits = bytearray(FILTER_BITS // 8)
        for spot in spots:
            self._bits[(spot & LAST_BIT) >> 3] |= 1 << (spot & 7)
        return False

    def _has(self, spots: tuple[int, ...]) -> bool:
        bits = self._bits
        return bool(bits) and all(bits[(spot & LAST_BIT) >> 3] >> (spot & 7) & 1 for spot in spots)

    def _probes(self, name: bytes) -> tuple[int, ...]:
        return PROBES.unpack(hashlib.blake2b(name, digest_size=PROBES.size).digest())
