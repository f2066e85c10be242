"""What the shell completes: names of schemas, formats of exports, keys and values of `--set`, bundled files.

`zero-engine --install-completion` switches it on. A completion that fails completes nothing.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import Any, Literal, get_args, get_origin

from typer import Context


def complete_schema(incomplete: str) -> list[str]:
    from zero_engine.cli.schema import NAMES

    return _starting(incomplete, NAMES)


def complete_export(incomplete: str) -> list[str]:
    from zero_engine.write.export import NAMES

    return _starting(incomplete, NAMES)


def complete_example(incomplete: str) -> list[str]:
    from zero_engine.bundled import bundled

    return _starting(incomplete, bundled())


def complete_kind(incomplete: str) -> list[str]:
    from zero_engine.world import KINDS

    return _starting(incomplete, KINDS)


def complete_section(ctx: Context, incomplete: str) -> list[str]:
    """The sections of the document that stands before."""
    from zero_engine.cli.schema import model_named

    return _starting(incomplete, model_named(ctx.params["name"]).model_fields)


def complete_stage(incomplete: str) -> list[str]:
    from zero_engine.run.plan import STAGES

    return _starting(incomplete, STAGES)


def complete_set(name: str) -> Callable[[str], list[str]]:
    """For `--set` of a document: its keys, then the values of a key that has few."""

    def complete(incomplete: str) -> list[str]:
        from zero_engine.cli.schema import keys_of, model_named

        keys = {key: field.annotation for key, field in keys_of(model_named(name))}
        for part, kind in (("draw", "pipeline"), ("train", "sft")) if name == "rounds" else ():
            keys |= {f"{part}.{key}": field.annotation for key, field in keys_of(model_named(kind))}
        for scored in ("gate.min", "gate.max", "gate.rank"):
            if keys.pop(scored, None) is not None:
                keys |= {f"{scored}.{score}": float for score in _scores()}
        key, found, value = incomplete.partition("=")
        if not found:
            return _starting(incomplete, [f"{known}=" for known in keys])
        if key not in keys:
            return []
        return [f"{key}={word}" for word in _starting(value, values_of(key, keys[key], value))]

    return complete


def values_of(key: str, annotation: Any, begun: str = "") -> list[str]:
    """The values of a key, where they can be listed; of a list, with what is `begun` of it."""
    if key == "score.names":
        before = begun[: max(begun.rfind("["), begun.rfind(",")) + 1] or "["
        return [before + score for score in _scores()]
    if key == "input.format":
        from zero_engine.read.formats import FORMATS

        return list(FORMATS)
    if key == "render.model":
        return ["nano"]
    if annotation is bool:
        return ["true", "false"]
    options = annotation if get_origin(annotation) is Literal else None
    for part in get_args(annotation):
        options = part if get_origin(part) is Literal else options
    return [str(value) for value in get_args(options)] if options is not None else []


def keep_keys_open() -> None:
    """Has typer's script for bash write no blank behind `KEY=`: the value is typed next."""
    with suppress(ImportError, AttributeError, KeyError):  # another typer: then bash writes a blank
        from typer import _completion_shared

        scripts = _completion_shared._completion_scripts
        nospace = "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null\n"
        if nospace not in scripts["bash"]:
            scripts["bash"] = scripts["bash"].replace("    return 0\n", f"{nospace}    return 0\n")


def complete_in_zsh(complete: Callable[[], object]) -> None:
    """Completes for zsh as typer does, but writes no blank behind `KEY=`, and takes `[` as it stands."""
    page = StringIO()
    with redirect_stdout(page), suppress(SystemExit):
        complete()
    text = page.getvalue().strip()
    lines = text.removeprefix("_arguments '*: :((").removesuffix("))'").split("\n")
    words = [found[1] if (found := re.fullmatch(r'"([\w.,=\[-]+)"', line)) else "" for line in lines]
    if all(words):  # names alone, without descriptions
        keys = [word for word in words if word.endswith("=")]
        others = [word for word in words if not word.endswith("=")]
        added = [f"compadd -S '' -- {' '.join(map(repr, keys))}"] if keys else []
        added += [f"compadd -- {' '.join(map(repr, others))}"] if others else []
        text = "; ".join(added)
    print(text)


def complete_in_bash(complete: Callable[[], object]) -> None:
    """Completes for bash, which cuts words at `=`: joins them, and prints what follows the last `=` that it holds."""
    words, at, held = joined(os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"]))
    os.environ |= {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(at)}
    page = StringIO()
    with redirect_stdout(page), suppress(SystemExit):
        complete()
    print("\n".join(line.removeprefix(held) for line in page.getvalue().splitlines()))


def joined(words: Sequence[str], at: int) -> tuple[list[str], int, str]:
    """Words as they were typed, the place of the one at `at`, and what of it stands before bash's own word."""
    found: list[str] = []
    place, held, glued = 0, "", False
    for number, word in enumerate(words):
        before = found[-1] if found else ""
        glues = word == "=" and bool(before)
        if glues or glued:
            found[-1] = before + word
        else:
            found.append(word)
        if number == at:
            place, held = len(found) - 1, f"{before}=" if glues else before if glued else ""
        glued = glues
    return (found if at < len(words) else [*found, ""]), (place if at < len(words) else len(found)), held


def _scores() -> list[str]:
    from zero_engine.contracts.scores import SCORES

    return list(SCORES)


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
