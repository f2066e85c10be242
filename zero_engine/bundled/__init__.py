"""Pipelines and a sample of GSM8K that come with the package: `pipelines/` and `examples/data/` of the repository.

The two folders beside this file are links; a wheel holds the files themselves. So `zero-engine demo` runs anywhere.
"""

from itertools import takewhile
from pathlib import Path

from zero_engine.errors import InputError

FOLDER = Path(__file__).parent
SAMPLE = FOLDER / "data" / "gsm8k.jsonl"
NAMED_SAMPLE = "examples/data/gsm8k.jsonl"
"""What the pipelines call the sample, from the root of a clone."""


def bundled() -> dict[str, str]:
    """Every bundled file by its name without `.yaml`, and the first paragraph of what it says of itself."""
    files = sorted((FOLDER / "pipelines").glob("*.yaml"))
    return {file.stem: _about(file.read_text(encoding="utf-8")) for file in files}


def bundled_text(name: str) -> str:
    """A bundled pipeline or training file; its sample is found anywhere. Raises InputError for an unknown name."""
    path = FOLDER / "pipelines" / f"{name.removesuffix('.yaml')}.yaml"
    if path.stem not in bundled():
        raise InputError(f"examples {name}: no such file is bundled. Give one of {', '.join(bundled())}.")
    text = path.read_text(encoding="utf-8")
    return text if Path(NAMED_SAMPLE).exists() else text.replace(NAMED_SAMPLE, str(SAMPLE))


def _about(text: str) -> str:
    """The first paragraph of the comment at a file's top."""
    lines = takewhile(lambda line: line.strip("# "), text.splitlines())
    return " ".join(line.strip("# ") for line in lines)
