"""What it costs that a step sees the drawings before it: drawings a second with `render.context: pictures` and `text`.

    python benchmarks/context.py                    # 64 tasks, batches of 32, the bundled model

Both ways draw the same steps of the same traces with the same template; with pictures, a prompt holds the kept drawings
of the steps before it, and a trace's steps are drawn one after another, side by side with those of the other traces.
Prints both rates and their ratio, by CPU seconds of this process, which a busy machine changes little, and by the
clock. The rounds alternate, so that both ways see the same machine.
"""

import argparse
import contextlib
import json
import time

import torch

from zero_engine.models import get_model, model_fingerprint
from zero_engine.parse import parse_trace
from zero_engine.pipeline import Pipeline
from zero_engine.records import ParsedTrace, Source, Trace
from zero_engine.run.allocator import keep_what_is_freed
from zero_engine.run.drawings import make_drawings
from zero_engine.world.tasks import make_tasks

TEMPLATE = "{{ history }}\n{{ step }}"


def main() -> None:
    options = _arguments()
    torch.set_num_threads(1)
    keep_what_is_freed()  # as the process of a run does
    traces = list(parsed_tasks(options.tasks, pipeline_of("text", options)))
    get_model(options.model)
    make_drawings(traces[:2], pipeline_of("pictures", options), "", "", _unmeasured)  # warm
    seconds = {context: [0.0, 0.0] for context in ("text", "pictures")}
    drawn = dict.fromkeys(seconds, 0)
    prompts = dict.fromkeys(seconds, 0)
    for _ in range(options.rounds):
        for context, spent in seconds.items():
            pipeline, clock, processor = (
                pipeline_of(context, options),
                time.perf_counter(),
                time.process_time(),
            )
            made = make_drawings(traces, pipeline, model_fingerprint(options.model), "", _unmeasured)
            spent[0] += time.process_time() - processor
            spent[1] += time.perf_counter() - clock
            drawn[context] += made.drawn
            prompts[context] = sum(candidate.prompt.count("\ufffc") for candidate in made.candidates)
    found = {
        "model": options.model,
        "batch_size": options.batch_size,
        "drawings": drawn["text"] // options.rounds,
        "pictures_in_prompts": prompts["pictures"],
        **{f"{name}_per_cpu_s": round(drawn[name] / seconds[name][0], 2) for name in seconds},
        "ratio": round(_rate(drawn, seconds, 0), 3),
        "ratio_by_the_clock": round(_rate(drawn, seconds, 1), 3),
    }
    print(json.dumps(found, indent=2))


def parsed_tasks(count: int, pipeline: Pipeline):
    for task in make_tasks(count):
        source = Source("tasks", "tasks.jsonl", 0)
        trace = Trace(task["id"], task["question"], task["rationale"], task["answer"], source, key=task["id"])
        found = parse_trace(trace, pipeline.parse)
        assert isinstance(found, ParsedTrace), found
        yield found


def pipeline_of(context: str, options: argparse.Namespace) -> Pipeline:
    return Pipeline.model_validate(
        {
            "input": {"path": "tasks.jsonl"},
            "parse": {"rule": "lines"},
            "render": {
                "model": options.model,
                "template": TEMPLATE,
                "context": context,
                "candidates": options.candidates,
                "batch_size": options.batch_size,
            },
            "score": {"names": ["likelihood"]},
            "gate": {"rank": {"likelihood": 1.0}, "max": {}},
            "output": {"path": "out/context"},
        }
    )


def _rate(drawn: dict[str, int], seconds: dict[str, list[float]], which: int) -> float:
    """Drawings a second with pictures, over those with text."""
    rates = {name: drawn[name] / seconds[name][which] for name in drawn}
    return rates["pictures"] / rates["text"]


@contextlib.contextmanager
def _unmeasured(stage: str):
    yield


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--candidates", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
