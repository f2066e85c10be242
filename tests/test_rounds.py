"""E2's rounds: who draws from what, what is judged and chosen, and what the rates say."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "claims"))

import rounds
import worlds
from arms import Plan
from page import page
from stages import with_all_before
from verdicts import verdicts

from zero_engine.images import encode_image
from zero_engine.models import load_chameleon
from zero_engine.records import ParsedTrace, Source, Step, Trace
from zero_engine.render.prompts import assemble, compile_template
from zero_engine.render.sequences import TEMPLATES, Encoder, Plain

ROOT = Path(__file__).parent.parent
DOCUMENT = yaml.safe_load((ROOT / "benchmarks" / "claims" / "claims.yaml").read_text(encoding="utf-8"))
SETTING = DOCUMENT["tasks"]["rounds"]


def drawings(arm: str, right: int, kept: bool) -> list[dict]:
    """Of eight seeds: ten traces of two steps; the first step is never right where `right` is below 4."""
    return [
        {"experiment": "e", "arm": arm, "steps": 1, "seed": seed, "question": f"q{trace}", "step": step, "drawn": 4,
         "right": right if step == 0 else 4, "kept": kept or trace < 5, "kept_right": step == 1}
        for seed in range(8) for trace in range(10) for step in range(2)
    ]  # fmt: skip


def test_the_rates_of_a_round_are_counted_from_its_drawings():
    rows = drawings("a r=0", 0, False) + drawings("a r=1", 3, True)
    before, after = verdicts({**CONTRAST, "contrasts": {}}, [], rows)["rounds"]
    assert (before["round"], after["round"]) == (0, 1)
    assert (before["right"], after["right"]) == (50.0, 87.5)
    assert (before["kept"], after["kept"]) == (50.0, 100.0)
    assert (before["kept_right"], after["kept_right"]) == (50.0, 50.0)
    assert (before["repaired"], after["repaired"]) == (None, 75.0)
    assert after["accuracy"] is None


CONTRAST = {
    "seeds": 8,
    "level": 0.05,
    "margin": 5,
    "contrasts": {
        "repaired": {"family": "f", "of": ["e", "a r=1", 1], "against": ["e", "a r=0", 1], "measure": "drawings",
                     "predicted": "at least 20"},
    },
}  # fmt: skip


def test_drawings_are_contrasted_by_seed_and_trace_and_named_on_the_page():
    rows = drawings("a r=0", 0, False) + drawings("a r=1", 3, True)
    facts = verdicts(CONTRAST, [], rows) | {"swaps": {}}
    assert facts["contrasts"]["repaired"]["points"] == 37.5
    assert facts["contrasts"]["repaired"]["verdict"] == "held"
    assert "| e | a | 1 | 1 | 87.5 | 100.0 | 50.0 | 75.0 |  |" in page(facts)
    assert verdicts(CONTRAST, [], drawings("a r=1", 3, True))["contrasts"]["repaired"]["verdict"] == "open"


@pytest.mark.parametrize("name", [name for name in DOCUMENT["experiments"] if name.startswith("E2")])
def test_every_contrast_of_the_rounds_is_of_what_is_run(name):
    told = DOCUMENT["experiments"][name]
    answered, drawn = (
        {(arm, steps) for arm, each in told["steps"].items() for steps in each},
        set(rounds.drawers(told)),
    )
    for said in DOCUMENT["contrasts"].values():
        for experiment, arm, steps in (said["of"], said["against"]):
            if experiment == name:
                assert (arm, steps) in (drawn if said.get("measure") == "drawings" else answered)


def test_all_seeds_share_what_the_bundled_model_draws(tmp_path):
    """No later pool is shared, and the gate alone tells two arms' first pools apart."""
    plan = Plan(DOCUMENT, tmp_path)

    def pool(arm: str, seed: int) -> str:
        return plan.drawings("E2-noisy", arm, 120, seed).after[0].key

    assert pool("zero_gated r=0", 0) == pool("zero_gated r=0", 7) == pool("no_redrawing r=0", 3)
    assert pool("zero_gated r=0", 0) == plan.gated_pool("E2-noisy").key != pool("zero_ungated r=0", 0)
    assert len({pool(arm, seed) for arm in ("zero_gated r=1", "zero_gated r=2") for seed in (0, 1)}) == 4


def test_a_trained_model_draws_from_the_row_that_it_was_trained_on():
    """But for the mark that opens an answer, which is a special token, and a prompt holds none."""
    model = load_chameleon("nano")
    for task in worlds.tasks(SETTING, "train", 5):
        codes = model.encode(list(task.step_images))
        image = encode_image(task.image)
        row = {"id": task.id, "question": task.question, "question_images": [image], "choices": [],
               "answer": task.answer, "steps": [{"text": text, "codes": each} for text, each in
                                                zip(task.steps, codes, strict=True)]}  # fmt: skip
        example = Encoder(model, Plain(TEMPLATES["bare"])).example(row)
        encoder_ids = [one for one in example.ids.tolist() if one != _id(model, TEMPLATES["bare"].open)]
        trace = Trace(task.id, task.question, "", task.answer, Source("", "", 0), question_images=(image,))
        parsed = ParsedTrace(trace, tuple(Step(*one) for one in enumerate(task.steps)), task.answer, "given")
        last = len(task.steps) - 1
        written = compile_template(rounds._TEMPLATE)(parsed, parsed.steps[last], range(last))
        shown = [*model.encode([task.image]), *codes[:last]]
        prompt = model.prompt_ids(assemble(written.text, shown))
        assert [place.kind for place in written.places] == ["question", *["step"] * last]
        assert prompt == encoder_ids[: len(prompt)]


def _id(model, name: str) -> int:
    return (model.module.config.vocabulary_map or model.tokenizer.get_vocab()).get(name) or (
        model.tokenizer.get_vocab()[name]
    )


@pytest.mark.slow
def test_rounds_judge_what_they_draw_and_choose_as_many_of_each_length(tmp_path):
    """And where the gate keeps nothing, the model of the round before stays, and draws the next one."""
    document = yaml.safe_load(json.dumps(DOCUMENT))
    document["tasks"]["rounds"] |= {"train": 6, "questions": 2}
    document["generators"]["noisy"]["least_likelihood"] = 0.5  # no drawing is so likely
    document["redrawn"]["noisy"]["least_likelihood"] = 0.5
    document["warm_up"]["tasks"] = 4
    plan = Plan(document, tmp_path)
    for arm in ("zero_ungated r=1", "zero_gated r=1"):
        for stage in with_all_before(plan.drawings("E2-noisy", arm, 2, 0)):
            if not stage.done(tmp_path):
                stage.make(stage.folder(tmp_path))
        assert stage.done(tmp_path)
        records = json.loads((stage.folder(tmp_path) / "drawings.json").read_text())
        pool = plan.pool(document["tasks"]["rounds"])
        assert [(one["question"], one["step"]) for one in records] == [
            (task.id, step) for task in pool for step in range(len(task.steps))
        ]
        candidates = 1 if arm == "zero_ungated r=1" else 4
        assert all(one["drawn"] == candidates and 0 <= one["right"] <= candidates for one in records)
        assert all(one["kept"] == (arm == "zero_ungated r=1") for one in records)
    chosen = [json.loads(path.read_text()) for path in tmp_path.glob("chosen-*/chosen.json")]
    lengths = {task.id: len(task.steps) for task in pool}
    assert sorted(len(one) for one in chosen)[0] == 0
    counted = Counter(lengths[one] for one in max(chosen, key=len))
    assert sorted(counted) == [2, 3, 4] and len(set(counted.values())) == 1
    kept_as_it_was = rounds.trained(plan, "E2-noisy", "zero_gated", 2, 0, 1).folder(tmp_path) / "model"
    trained = rounds.trained(plan, "E2-noisy", "zero_ungated", 2, 0, 1).folder(tmp_path) / "model"
    bundled = rounds.model_folder("nano") / "model.safetensors"
    assert (kept_as_it_was / "model.safetensors").read_bytes() == bundled.read_bytes()
    assert (trained / "model.safetensors").read_bytes() != bundled.read_bytes()
