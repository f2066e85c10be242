"""Seeded damage to a dataset folder: bytes, names, types, what is missing, links and pipes."""

import json
import os
import random
import shutil
from pathlib import Path


def damage(out: Path, seed: int, secret: Path) -> str:
    """Damage the folder in one way; `secret` is a file outside, to which links and names lead. Says what was done."""
    rng = random.Random(seed)
    kinds = (
        flip,
        cut,
        grow,
        remove,
        swap_names,
        stray,
        pipe,
        link,
        folder,
        manifest_value,
        manifest_name,
        noise,
    )
    kind = kinds[seed % len(kinds)]
    return f"{kind.__name__}: {kind(out, rng, secret)}"


def _files(out: Path) -> list[Path]:
    return sorted(p for p in out.rglob("*") if p.is_file() and not p.is_symlink())


def flip(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice([p for p in _files(out) if p.stat().st_size])
    flip_bit(path, rng.randrange(path.stat().st_size * 8))
    return str(path)


def flip_bit(path: Path, bit: int) -> None:
    """Change one bit, and leave size and time as they were."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice(_files(out))
    os.truncate(path, rng.randrange(path.stat().st_size + 1))
    return str(path)


def grow(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice(_files(out))
    with open(path, "ab") as file:
        file.write(rng.randbytes(rng.randrange(1, 4000)))
    return str(path)


def remove(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice([*_files(out), *(p for p in out.iterdir() if p.is_dir())])
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return str(path)


def swap_names(out: Path, rng: random.Random, secret: Path) -> str:
    one, other = rng.sample(_files(out), 2)
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    return f"{one} and {other}"


def stray(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice([p for p in _files(out) if p.suffix in (".arrow", ".jsonl") and p.parent != out])
    place = path.with_name(path.name.replace("0000", "0099"))
    shutil.copy(path, place)
    return str(place)


def pipe(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice(_files(out))
    path.unlink()
    os.mkfifo(path)
    return str(path)


def link(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice(_files(out))
    path.unlink()
    path.symlink_to(secret)
    return str(path)


def folder(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice(_files(out))
    path.unlink()
    path.mkdir()
    (path / "file").write_text("in the way")
    return str(path)


def _manifest(out: Path, change: object) -> str:
    path = out / "manifest.json"
    document = json.loads(path.read_text())
    document.pop("checksum", None)  # as a folder of an older version, which had none
    said = change(document)
    path.write_text(json.dumps(document))
    return said


def manifest_value(out: Path, rng: random.Random, secret: Path) -> str:
    def change(document: dict) -> str:
        at, key = document, rng.choice(["shards", "counts", "pipeline", "input", "model", "versions"])
        value = rng.choice([None, -1, 10**30, "text", [], {}, [[]], True])
        if isinstance(document[key], dict) and document[key] and rng.random() < 0.7:
            at, key = document[key], rng.choice(sorted(document[key]))
        elif key == "shards" and rng.random() < 0.8:
            at = rng.choice(document["shards"])
            key = rng.choice(sorted(at))
        at[key] = value
        return f"{key} = {value!r}"

    return _manifest(out, change)


def manifest_name(out: Path, rng: random.Random, secret: Path) -> str:
    def change(document: dict) -> str:
        names = ["../" * 6 + str(secret)[1:], str(secret), "data/../../secret", "data/data-00000.arrow\0", ""]
        document["shards"][0]["data"]["name"] = name = rng.choice(names)
        return name

    return _manifest(out, change)


def noise(out: Path, rng: random.Random, secret: Path) -> str:
    path = rng.choice(_files(out))
    path.write_bytes(rng.randbytes(path.stat().st_size))
    return str(path)
