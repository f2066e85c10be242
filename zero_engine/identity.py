"""Whether a folder holds the work that is asked for: two identities compared, key by key.

An identity is a document of all that shapes the work (settings, the model's bytes, the data's), as JSON gives it back.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zero_engine.errors import OutputError

SHOWN = 80
"""Characters of a value that an error shows."""


def check_identity(
    where: Path, found: dict[str, Any], wanted: dict[str, Any], what: str = "training"
) -> None:
    """Raises OutputError where a folder holds another training, or `what` else, than the one asked for."""
    differing = list(_differing(found, wanted))
    if differing:
        name, was, now = differing[0]
        more = (
            f" (and {len(differing) - 1} more: {', '.join(d[0] for d in differing[1:])})"
            if differing[1:]
            else ""
        )
        raise OutputError(
            f"{where}: belongs to another {what}: its {name} is {was}, not {now}{more}. "
            "Choose another output, or move the folder away."
        )


def _differing(
    found: dict[str, Any], wanted: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """(dotted key, its value, the value asked for) of each key that differs, as text."""
    for name in sorted({*found, *wanted}):
        was, now = found.get(name), wanted.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differing(was, now, f"{prefix}{name}.")
        elif was != now:
            yield prefix + name, _shown(was), _shown(now)


def _shown(value: object) -> str:
    """A value as JSON on one line, a long one cut; a key that is not there is `absent`."""
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
