"""zero-engine: text-only reasoning traces in, interleaved text-and-image trajectories out.

The public verbs are re-exported lazily, so that `import zero_engine` costs milliseconds and
pulls in neither torch nor datasets.
"""

__version__ = "0.1.0"

_PUBLIC = {
    "load_pipeline": "zero_engine.pipeline",
    "run_pipeline": "zero_engine.run",
    "open_dataset": "zero_engine.write.dataset",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        from importlib import import_module

        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'zero_engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
