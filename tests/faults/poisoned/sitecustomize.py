"""Poison for processes that make shards: a record that says `POISON <kind> <stage>` does that, in that stage.

Python loads this file by its name from PYTHONPATH, so it reaches every worker and child of a run, but not the
process of the test itself. Kinds: raises, kills, hangs, eats. Stages: reading, drawing, scoring. What draws and
scores is `tests/fake_model.py`, and a stand-in for torch keeps processes quick to start. With ZERO_ENGINE_ANTIDOTE
the poison does nothing; ZERO_ENGINE_SLOW is how many seconds a call of the model takes.
"""

import os
import sys

if "ZERO_ENGINE_POISON" in os.environ:
    import dataclasses
    import re
    import time
    from types import ModuleType

    import tests.fake_model as fake
    import zero_engine.models
    import zero_engine.painters.generators as generators
    from zero_engine.read.formats import FORMATS

    torch = ModuleType("torch")
    torch.get_num_threads, torch.set_num_threads = lambda: 1, lambda threads: None
    sys.modules.setdefault("torch", torch)

    def taste(stage: str, texts: list[str]) -> None:
        for text in texts:
            if "ZERO_ENGINE_ANTIDOTE" in os.environ:
                return
            for kind, where in re.findall(r"POISON (\w+) (\w+)", text):
                if where == stage:
                    poison(kind)

    def poison(kind: str) -> None:
        if kind == "kills":
            os._exit(11)
        if kind == "hangs":
            time.sleep(3600)
        if kind == "eats":
            eaten = []
            while True:
                eaten.append(b"x" * (64 << 20))
        raise LookupError("poisoned")

    class Model(fake.FakeModel):
        max_prompt_length = 10_000

        def __init__(self) -> None:
            super().__init__(fails_on="\0", max_prompt_length=10_000)

        def _called(self, what, texts):
            taste("scoring" if what == "caption_likelihood" else "drawing", texts)
            self.calls.clear()
            time.sleep(float(os.environ.get("ZERO_ENGINE_SLOW", 0)))
            return super()._called(what, texts)

    model = Model()
    generators.get_generator = lambda render, *others: model
    zero_engine.models.get_model = lambda *args, **options: model

    def read(record, spec, honest=FORMATS["generic"].read):
        taste("reading", [str(record)])
        return honest(record, spec)

    FORMATS["generic"] = dataclasses.replace(FORMATS["generic"], read=read)
