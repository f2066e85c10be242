"""What the shell completes: names of schemas, formats of exports, keys and values of `--set`, bundled files.

`zero-engine --install-completion` switches it on. A completion that fails completes nothing.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args, get_origin


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


def complete_set(name: str) -> Callable[[str], list[str]]:
    """For `--set` of a document, `pipeline`, `sft` or `rl`: its keys, then the values of a key that has few."""

    def complete(incomplete: str) -> list[str]:
        from zero_engine.cli.schema import keys_of, model_named

        keys = dict(keys_of(model_named(name)))
        key, found, value = incomplete.partition("=")
        if not found:
            return _starting(incomplete, [f"{known}=" for known in keys])
        if key not in keys:
            return []
        return [f"{key}={word}" for word in _starting(value, values_of(key, keys[key].annotation))]

    return complete


def values_of(key: str, annotation: Any) -> list[str]:
    """The values of a key, where they can be listed."""
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


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
