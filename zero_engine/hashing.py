"""Identity by content: digests, fingerprints and seeds.

A resume key, a model fingerprint and a candidate's seed are all functions of *what* a thing is,
never of when or where it was made. Digests are sha256 in hex; JSON is hashed in one canonical form
(sorted keys, no blanks, UTF-8), so a fingerprint survives re-ordering a YAML file.
"""

import hashlib
import json
from json.encoder import encode_basestring
from pathlib import Path

BLOCK_BYTES = 1 << 20
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""One encoder for all: making one costs more than encoding a trace."""


def digest(*parts: bytes | str) -> str:
    """sha256 over the parts, each prefixed with its length so that ("ab", "c") != ("a", "bc")."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.hexdigest()


def digest_json(value: object) -> str:
    """sha256 of a JSON-able value in canonical form."""
    return digest(_canonical(value))


def digest_texts(*texts: str | None) -> str:
    """`digest_json` of a list of texts and Nones, at a third of the time."""
    parts = ["null" if text is None else encode_basestring(text) for text in texts]
    return digest(f"[{','.join(parts)}]")


def digest_file(path: str | Path) -> str:
    """sha256 of a file's bytes, read in blocks of 1 MiB; equals what `sha256sum` prints."""
    sha, block = hashlib.sha256(), bytearray(BLOCK_BYTES)
    with open(path, "rb", buffering=0) as file, memoryview(block) as view:
        while size := file.readinto(view):
            sha.update(view[:size])
    return sha.hexdigest()


def seed_for(run_seed: int, trace_id: str, step: int, attempt: int) -> int:
    """Seed of one candidate, in [0, 2**63): a hash of its identity, so order never matters."""
    return int(digest(str(run_seed), trace_id, str(step), str(attempt))[:16], 16) >> 1
